"""The kernels of CUDA devices: importing this registers every one of them."""

from gpunn.backend.cuda import (  # noqa: F401
    adding,
    affine,
    attention,
    batch_norm,
    convolution,
    cross_entropy,
    depthwise,
    dropout,
    elementwise,
    extrema,
    gather,
    linear,
    metrics,
    pooling,
    projection,
    recurrent,
    reduction,
    row_norm,
    softmax,
    terms,
)

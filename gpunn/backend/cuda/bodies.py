"""The kernels of CUDA devices: importing this registers every one of them."""

from gpunn.backend.cuda import (  # noqa: F401
    cross_entropy,
    dropout,
    elementwise,
    recurrent,
    reduction,
)

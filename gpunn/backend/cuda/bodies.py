"""The kernels of CUDA devices: importing this registers every one of them."""

from gpunn.backend.cuda import cross_entropy, elementwise  # noqa: F401

"""The kernels of CUDA devices: importing this registers every one of them."""

from gpunn.backend.cuda import activation, cross_entropy, optimizer  # noqa: F401

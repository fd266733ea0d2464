"""The kernels of CUDA devices: importing this registers every one of them."""

from gpunn.backend.cuda import cross_entropy, dropout, elementwise, reduction  # noqa: F401

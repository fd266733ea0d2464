"""Ops that compute element by element: their own bodies, as one kernel for each direction."""

from gpunn.backend.kernels import FLOATS, fuse

OPS = (
    "exponential_unit", "gelu_erf", "gelu_tanh", "hard_shrink",
    "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "log_sigmoid", "relu", "relu6",
    "sigmoid", "silu", "soft_shrink", "softplus", "softsign", "sparse_plus", "sparse_sigmoid",
    "squareplus", "tanh", "tanh_shrink", "threshold",
)  # fmt: skip

for _op in OPS:
    fuse(_op, FLOATS)

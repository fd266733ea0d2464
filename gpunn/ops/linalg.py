"""Linear algebra under its Keras name, `gpunn.ops.linalg`; the same functions as in `gpunn.ops`."""

from gpunn.autograd import jvp
from gpunn.ops.factors import cholesky, eig, eigh, lu_factor, qr, svd
from gpunn.ops.norms import norm
from gpunn.ops.solving import (
    cholesky_inverse,
    det,
    inv,
    lstsq,
    matrix_rank,
    pinv,
    solve,
    solve_triangular,
)

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "det",
    "eig",
    "eigh",
    "inv",
    "jvp",
    "lstsq",
    "lu_factor",
    "matrix_rank",
    "norm",
    "pinv",
    "qr",
    "solve",
    "solve_triangular",
    "svd",
]

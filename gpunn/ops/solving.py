"""Determinants, inverses and linear equations."""

import numpy as np

from gpunn.autograd import Tensor, convert, primitive
from gpunn.errors import ArgumentError, ShapeError
from gpunn.ops.diagonals import tril, triu
from gpunn.ops.factors import matrices, square, turned
from gpunn.ops.products import matmul
from gpunn.ops.shaping import swapaxes

__all__ = [
    "cholesky_inverse",
    "det",
    "inv",
    "logdet",
    "lstsq",
    "matrix_rank",
    "pinv",
    "slogdet",
    "solve",
    "solve_triangular",
]


def _lapack(op, function, *args):
    """A result of LAPACK, or an ArgumentError that names the op."""
    try:
        return function(*args)
    except np.linalg.LinAlgError as e:
        raise ArgumentError(f"{op}: {str(e)[:1].lower()}{str(e)[1:]}") from e


@primitive(promote="float")
def det(be, x, /):
    """The determinant of square matrices.

    Args:
        x: tensor of shape (..., n, n).

    Returns:
        A tensor of shape (...).

    Raises:
        ShapeError: if the matrices are not square.

    Source: `keras.ops.det`. The gradient is the matrix of cofactors, finite for singular matrices.

    >>> float(gpunn.ops.det([[2.0, 0.0], [0.0, 3.0]]).numpy().round(4))
    6.0
    """
    square("det", x)

    def pullback(dy, needs):
        u, s, vt = be.xp.linalg.svd(x, full_matrices=False)
        n = s.shape[-1]
        others = be.xp.where(be.xp.eye(n, dtype=bool), 1, s[..., None, :]).prod(-1)
        sign = be.xp.linalg.det(u) * be.xp.linalg.det(vt)
        cofactors = be.matmul(u * others[..., None, :], vt)
        return (cofactors * (dy * sign)[..., None, None],)

    return be.xp.linalg.det(x), pullback


@primitive(promote="float")
def slogdet(be, x, /):
    """The sign of the determinant and the logarithm of its absolute value.

    Args:
        x: tensor of shape (..., n, n).

    Returns:
        The sign (-1, 0 or 1) and the logarithm (-inf for singular matrices), of shape (...).

    Raises:
        ShapeError: if the matrices are not square.
        ArgumentError: in backward, if a matrix is singular.

    Source: `keras.ops.slogdet`.

    >>> sign, log = gpunn.ops.slogdet([[-1.0, 0.0], [0.0, 1.0]])
    >>> float(sign), float(log)
    (-1.0, 0.0)
    """
    square("slogdet", x)
    sign, log = be.xp.linalg.slogdet(x)

    def pullback(dys, needs):
        inverse = _lapack("slogdet", be.xp.linalg.inv, x)
        return (turned(inverse) * dys[1][..., None, None],)

    return (sign, log), pullback


def logdet(x):
    """The logarithm of the determinant's absolute value.

    Args:
        x: tensor of shape (..., n, n).

    Returns:
        A tensor of shape (...); -inf for singular matrices.

    Raises:
        ShapeError: if the matrices are not square.

    Source: `keras.ops.logdet`.

    >>> float(gpunn.ops.logdet([[1.0, 0.0], [0.0, 1.0]]))
    0.0
    """
    return slogdet(x)[1]


@primitive(promote="float")
def inv(be, x, /):
    """The inverse of square matrices.

    Args:
        x: tensor of shape (..., n, n).

    Returns:
        A tensor of the same shape.

    Raises:
        ShapeError: if the matrices are not square.
        ArgumentError: if one is singular (on a GPU, which is not waited for, the result means
            nothing then).

    Source: `keras.ops.inv`.

    >>> gpunn.ops.inv([[2.0, 0.0], [0.0, 4.0]]).numpy().tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    square("inv", x)
    y = _lapack("inv", be.xp.linalg.inv, x)

    def pullback(dy, needs):
        return (-be.matmul(be.matmul(turned(y), dy), turned(y)),)

    return y, pullback


@primitive(promote="float")
def solve(be, a, b, /):
    """The solution x of a x = b.

    Args:
        a: tensor of shape (..., n, n).
        b: tensor of shape (..., n), vectors, or (..., n, k), matrices.

    Returns:
        A tensor of the shape of b.

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if a matrix is singular (on a GPU, which is not waited for, the result means
            nothing then).

    Source: `keras.ops.solve`.

    >>> gpunn.ops.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 8.0]).numpy().tolist()
    [1.0, 2.0]
    """
    square("solve", a)
    vectors = b.ndim == a.ndim - 1
    columns = b[..., None] if vectors else b
    if columns.ndim < 2 or columns.shape[-2] != a.shape[-1]:
        raise ShapeError(f"solve: a of shape {a.shape} does not fit b of shape {b.shape}")
    # CuPy's does not broadcast
    leading = np.broadcast_shapes(a.shape[:-2], columns.shape[:-2])
    a, columns = (be.xp.broadcast_to(m, leading + m.shape[-2:]) for m in (a, columns))
    x = _lapack("solve", be.xp.linalg.solve, a, columns)

    def pullback(dy, needs):
        db = be.xp.linalg.solve(turned(a), dy[..., None] if vectors else dy)
        da = -be.matmul(db, turned(x)) if needs[0] else None
        return da, db[..., 0] if vectors else db

    return x[..., 0] if vectors else x, pullback


def solve_triangular(a, b, lower=False):
    """The solution x of a x = b with triangular a.

    Args:
        a: tensor of shape (..., n, n), of which one triangle is used.
        b: tensor of shape (..., n), vectors, or (..., n, k), matrices.
        lower: whether that is the lower triangle. Default: False.

    Returns:
        A tensor of the shape of b.

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if a matrix is singular.

    Source: `keras.ops.solve_triangular`.

    >>> gpunn.ops.solve_triangular([[2.0, 1.0], [9.0, 4.0]], [4.0, 8.0]).numpy().tolist()
    [1.0, 2.0]
    """
    return solve(tril(a) if lower else triu(a), b)


def cholesky_inverse(x, upper=False):
    """The inverse of L L^T, from its Cholesky factor.

    Args:
        x: the factors L of shape (..., n, n).
        upper: whether they are L^T. Default: False.

    Returns:
        A tensor of the same shape.

    Raises:
        ShapeError: if the matrices are not square.
        ArgumentError: if one is singular.

    Source: `keras.ops.cholesky_inverse`.

    >>> gpunn.ops.cholesky_inverse([[2.0, 0.0], [0.0, 1.0]]).numpy().tolist()
    [[0.25, 0.0], [0.0, 1.0]]
    """
    x = x if isinstance(x, Tensor) else convert(x)
    square("cholesky_inverse", x)
    inverse = inv(triu(x) if upper else tril(x))
    back = swapaxes(inverse, -1, -2)
    return matmul(inverse, back) if upper else matmul(back, inverse)


def pinv(x, rcond=None):
    """The Moore-Penrose inverse of matrices.

    Args:
        x: tensor of shape (..., m, n).
        rcond: singular values below this fraction of the largest count as 0. Default: 10 max(m, n)
            times the dtype's epsilon.

    Returns:
        A tensor of shape (..., n, m).

    Raises:
        ShapeError: if x has fewer than two dimensions.

    Source: `keras.ops.pinv`; G. Golub, V. Pereyra, "The differentiation of pseudo-inverses" (1973).

    >>> gpunn.ops.pinv([[2.0, 0.0], [0.0, 0.0]]).numpy().tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    """
    return _pinv(x, rcond=rcond, factor=10)


@primitive(promote="float")
def _pinv(be, x, /, rcond, factor):
    matrices("pinv", x)
    if rcond is None:
        rcond = factor * max(x.shape[-2:]) * float(np.finfo(x.dtype).eps)
    u, s, vt = be.xp.linalg.svd(x, full_matrices=False)
    large = s > rcond * s[..., :1]
    inverse = be.xp.where(large, 1 / be.xp.where(large, s, 1), 0)
    y = be.matmul(turned(vt) * inverse[..., None, :], turned(u))

    def pullback(dy, needs):
        d, yt = turned(dy), turned(y)
        dx = -be.matmul(be.matmul(yt, dy), yt)
        left = be.matmul(be.matmul(d, y), yt)
        dx = dx + left - be.matmul(x, be.matmul(y, left))
        right = be.matmul(be.matmul(yt, y), d)
        return (dx + right - be.matmul(be.matmul(right, y), x),)

    return y, pullback


def lstsq(a, b, rcond=None):
    """The x of least norm that brings a x nearest to b.

    Args:
        a: matrix of shape (m, n).
        b: vector of m values or matrix of shape (m, k).
        rcond: singular values below this fraction of the largest count as 0. Default: max(m, n)
            times the dtype's epsilon.

    Returns:
        A tensor of shape (n,) or (n, k).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: `keras.ops.lstsq`.

    >>> x = gpunn.ops.lstsq([[1.0], [1.0]], [1.0, 3.0])
    >>> x.numpy().round(4).tolist()
    [2.0]
    """
    return matmul(_pinv(a, rcond=rcond, factor=1), b)


@primitive(promote="float")
def matrix_rank(be, x, /, tol=None):
    """The number of singular values above a limit.

    Args:
        x: tensor of shape (..., m, n).
        tol: the limit. Default: the largest singular value times max(m, n) and the dtype's epsilon.

    Returns:
        An int32 tensor of shape (...).

    Raises:
        ShapeError: if x has fewer than two dimensions.

    Source: `keras.ops.matrix_rank`.

    >>> int(gpunn.ops.matrix_rank([[1.0, 2.0], [2.0, 4.0]]))
    1
    """
    matrices("matrix_rank", x)
    s = be.xp.linalg.svd(x, compute_uv=False)
    if tol is None:
        tol = s.max(-1, keepdims=True) * (max(x.shape[-2:]) * float(np.finfo(x.dtype).eps))
    return (s > tol).sum(-1).astype(np.int32), None

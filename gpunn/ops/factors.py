"""Matrix factorisations: cholesky, qr, svd, eigh, eig, lu_factor."""

import numpy as np

from gpunn.autograd import primitive
from gpunn.errors import ArgumentError, GradientError, ShapeError, unknown

__all__ = ["cholesky", "eig", "eigh", "lu_factor", "qr", "svd"]


def turned(x):
    """The matrices transposed."""
    return x.swapaxes(-1, -2)


def square(op: str, x) -> None:
    """A ShapeError unless x holds square matrices."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{op}: expected square matrices, got shape {x.shape}")


def matrices(op: str, x) -> None:
    """A ShapeError unless x holds matrices."""
    if x.ndim < 2:
        raise ShapeError(f"{op}: expected at least 2 dimensions, got shape {x.shape}")


def _gaps(be, values):
    """1 / (values[j] - values[i]) for each pair, 0 where they are equal."""
    gap = values[..., None, :] - values[..., :, None]
    return be.xp.where(gap == 0, 0, 1 / be.xp.where(gap == 0, 1, gap))


@primitive(promote="float")
def cholesky(be, x, /, upper=False):
    """The Cholesky factor of symmetric positive definite matrices: x = L L^T.

    Args:
        x: tensor of shape (..., n, n); it is symmetrised first.
        upper: whether to return L^T. Default: False.

    Returns:
        Lower triangular matrices L, or upper triangular ones.

    Raises:
        ShapeError: if the matrices are not square.
        ArgumentError: if one is not positive definite (on a GPU, which is not waited for, the
            result means nothing then).

    Source: `keras.ops.cholesky`; I. Murray, "Differentiation of the Cholesky decomposition" (2016).

    >>> gpunn.ops.cholesky([[4.0, 2.0], [2.0, 5.0]]).numpy().tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    """
    square("cholesky", x)
    try:
        low = be.xp.linalg.cholesky((x + turned(x)) / 2)
    except np.linalg.LinAlgError as e:
        raise ArgumentError("cholesky: a matrix is not positive definite") from e

    def pullback(dy, needs):
        dlow = be.xp.tril(turned(dy) if upper else dy)
        half = be.xp.tril(be.matmul(turned(low), dlow))
        half = half - half * be.xp.eye(x.shape[-1], dtype=x.dtype) / 2
        inner = be.xp.linalg.solve(turned(low), half)
        dx = be.xp.linalg.solve(turned(low), turned(inner))
        return ((dx + turned(dx)) / 2,)

    return (turned(low) if upper else low), pullback


@primitive(promote="float")
def qr(be, x, /, mode="reduced"):
    """The QR factors of matrices: x = Q R, Q with orthonormal columns, R upper triangular.

    Args:
        x: tensor of shape (..., m, n).
        mode: "reduced": Q has min(m, n) columns; "complete": it is square.

    Returns:
        Q and R.

    Raises:
        ShapeError: if x has fewer than two dimensions.
        ArgumentError: if the mode is unknown.
        GradientError: in backward of complete factors with m > n, which are not unique.

    Source: `keras.ops.qr`; M. Seeger et al., "Auto-differentiating linear algebra" (2017).

    >>> q, r = gpunn.ops.qr([[3.0, 1.0], [4.0, 2.0]])
    >>> bool(np.allclose((q @ r).numpy(), [[3.0, 1.0], [4.0, 2.0]]))
    True
    """
    if mode not in ("reduced", "complete"):
        raise unknown("qr mode", mode, ("reduced", "complete"))
    matrices("qr", x)
    q, r = be.xp.linalg.qr(x, mode=mode)
    rows, columns = x.shape[-2:]

    def pullback(dys, needs):
        if q.shape[-1] > columns:
            raise GradientError("qr: complete factors of tall matrices have no gradient; use "
                                "mode='reduced'")  # fmt: skip
        dq, dr = dys
        if rows >= columns:
            return (_square_qr(be, q, r, dq, dr),)
        # x = [a b], r = [u v], v = q^T b
        dv = dr[..., rows:]
        dq = dq + be.matmul(x[..., rows:], turned(dv))
        da = _square_qr(be, q, r[..., :rows], dq, dr[..., :rows])
        return (be.xp.concatenate([da, be.matmul(q, dv)], axis=-1),)

    return (q, r), pullback


def _square_qr(be, q, r, dq, dr):
    """The gradient of x = q r with a square r."""
    m = be.matmul(r, turned(dr)) - be.matmul(turned(dq), q)
    symmetric = be.xp.tril(m) + turned(be.xp.tril(m, -1))
    return turned(be.xp.linalg.solve(r, turned(dq + be.matmul(q, symmetric))))


def svd(x, full_matrices=True, compute_uv=True):
    """The singular values of matrices, and the vectors: x = U diag(S) V^T.

    Args:
        x: tensor of shape (..., m, n).
        full_matrices: whether U and V^T are square. Default: True.
        compute_uv: whether to compute U and V^T. Default: True.

    Returns:
        U, S and V^T, or S alone; S in falling order.

    Raises:
        ShapeError: if x has fewer than two dimensions.
        GradientError: in backward of square U and V^T of other than square matrices.

    Source: `keras.ops.svd`; J. Townsend, "Differentiating the singular value decomposition"
        (2016).

    >>> gpunn.ops.svd([[3.0, 0.0], [0.0, 4.0]], compute_uv=False).numpy().tolist()
    [4.0, 3.0]
    """
    return _svd(x, full_matrices=full_matrices) if compute_uv else _singular_values(x)


@primitive(promote="float")
def _singular_values(be, x, /):
    matrices("svd", x)

    def pullback(dy, needs):
        u, _, vt = be.xp.linalg.svd(x, full_matrices=False)
        return (be.matmul(u * dy[..., None, :], vt),)

    return be.xp.linalg.svd(x, compute_uv=False), pullback


@primitive(promote="float")
def _svd(be, x, /, full_matrices):
    matrices("svd", x)
    u, s, vt = be.xp.linalg.svd(x, full_matrices=full_matrices)
    rows, columns = x.shape[-2:]

    def pullback(dys, needs):
        du, ds, dvt = dys
        if full_matrices and rows != columns:
            raise GradientError("svd: full matrices have no gradient unless x is square; use "
                                "full_matrices=False")  # fmt: skip
        gaps = _gaps(be, s * s)
        left, right = gaps * be.matmul(turned(u), du), gaps * be.matmul(vt, turned(dvt))
        middle = (left + turned(left)) * s[..., None, :] + s[..., :, None] * (right + turned(right))
        middle = middle + ds[..., None] * be.xp.eye(s.shape[-1], dtype=s.dtype)
        dx = be.matmul(be.matmul(u, middle), vt)
        inverse = be.xp.where(s == 0, 0, 1 / be.xp.where(s == 0, 1, s))
        if rows > columns:
            rest = du - be.matmul(u, be.matmul(turned(u), du))
            dx = dx + be.matmul(rest * inverse[..., None, :], vt)
        if columns > rows:
            rest = dvt - be.matmul(be.matmul(dvt, turned(vt)), vt)
            dx = dx + be.matmul(u, inverse[..., :, None] * rest)
        return (dx,)

    return (u, s, vt), pullback


@primitive(promote="float")
def eigh(be, x, /):
    """The eigenvalues and eigenvectors of symmetric matrices: x = V diag(w) V^T.

    Args:
        x: tensor of shape (..., n, n); it is symmetrised first.

    Returns:
        The eigenvalues w in rising order, and V, whose columns are the eigenvectors.

    Raises:
        ShapeError: if the matrices are not square.

    Source: `keras.ops.eigh`.

    >>> w, v = gpunn.ops.eigh([[2.0, 0.0], [0.0, 1.0]])
    >>> w.numpy().tolist()
    [1.0, 2.0]
    """
    square("eigh", x)
    w, v = be.xp.linalg.eigh((x + turned(x)) / 2)

    def pullback(dys, needs):
        dw, dv = dys
        inner = _gaps(be, w) * be.matmul(turned(v), dv)
        inner = inner + dw[..., None] * be.xp.eye(w.shape[-1], dtype=w.dtype)
        dx = be.matmul(be.matmul(v, inner), turned(v))
        return ((dx + turned(dx)) / 2,)

    return (w, v), pullback


@primitive(promote="float")
def eig(be, x, /):
    """The eigenvalues and eigenvectors of square matrices: x V = V diag(w).

    Args:
        x: tensor of shape (..., n, n).

    Returns:
        The eigenvalues w and the matrix V of eigenvectors, both complex and without a gradient.

    Raises:
        ShapeError: if the matrices are not square.

    Source: `keras.ops.eig`.

    >>> w, v = gpunn.ops.eig([[0.0, 1.0], [-1.0, 0.0]])
    >>> w.numpy().tolist()
    [1j, -1j]
    """
    square("eig", x)
    w, v = be.xp.linalg.eig(x)
    wide = np.result_type(x.dtype, np.complex64)
    return (w.astype(wide), v.astype(wide)), None


@primitive(promote="float")
def lu_factor(be, x, /):
    """The LU factors of matrices with rows exchanged: x[p] = L U.

    Args:
        x: tensor of shape (..., m, n).

    Returns:
        U and, below its diagonal, L without its ones, in one tensor; and the int32 pivots: row i
        was exchanged with row pivots[i], in order.

    Raises:
        ShapeError: if x has fewer than two dimensions.
        GradientError: in backward of other than square matrices.

    Source: `keras.ops.lu_factor`.

    >>> lu, pivots = gpunn.ops.lu_factor([[1.0, 2.0], [3.0, 4.0]])
    >>> pivots.numpy().tolist()
    [1, 1]
    """
    matrices("lu_factor", x)
    *batch, rows, columns = x.shape
    a = be.copy(x.reshape(-1, rows, columns))
    lines = be.xp.arange(rows)
    order = be.copy(be.xp.broadcast_to(lines, a.shape[:2]))
    pivots = be.empty((len(a), min(rows, columns)), np.int32)
    for k in range(min(rows, columns)):
        pivot = be.xp.abs(a[:, k:, k]).argmax(1) + k
        pivots[:, k] = pivot
        a, order = _exchanged(be, a, k, pivot), _exchanged(be, order[..., None], k, pivot)[..., 0]
        top = a[:, k, k, None]
        factor = a[:, k + 1 :, k] / be.xp.where(top == 0, 1, top)
        a[:, k + 1 :, k] = factor
        a[:, k + 1 :, k + 1 :] -= factor[:, :, None] * a[:, k, None, k + 1 :]

    def pullback(dys, needs):
        if rows != columns:
            raise GradientError("lu_factor: only square matrices have a gradient")
        d = dys[0].reshape(a.shape)
        low = be.xp.tril(a, -1) + be.xp.eye(rows, dtype=a.dtype)
        up = be.xp.triu(a)
        inner = be.xp.tril(be.matmul(turned(low), be.xp.tril(d, -1)), -1)
        inner = inner + be.xp.triu(be.matmul(be.xp.triu(d), turned(up)))
        inner = be.xp.linalg.solve(turned(low), inner)
        dx = turned(be.xp.linalg.solve(up, turned(inner)))
        back = be.xp.argsort(order, axis=1)[..., None]
        return (be.xp.take_along_axis(dx, back, 1).reshape(x.shape),)

    return (a.reshape(x.shape), pivots.reshape(*batch, -1)), pullback


def _exchanged(be, a, k, other):
    """The matrices with row k and row `other` (one for each matrix) exchanged."""
    here = be.xp.arange(a.shape[1]) == other[:, None]
    row = be.xp.take_along_axis(a, other[:, None, None], 1)[:, 0]
    a = be.xp.where(here[..., None], a[:, k, None], a)
    a[:, k] = row
    return a

"""Diagonals and triangles of matrices."""

from gpunn.autograd import Tensor, convert, primitive
from gpunn.errors import ShapeError
from gpunn.ops.reduction import narrow
from gpunn.ops.reduction import sum as sum_
from gpunn.ops.shaping import normalize_axes, reshape

__all__ = ["diag", "diagflat", "diagonal", "trace", "tril", "triu"]


def _places(rows: int, columns: int, k: int) -> slice:
    """Where the k-th diagonal lies in a matrix made flat."""
    start = k if k >= 0 else -k * columns
    count = max(0, min(rows, columns - k) if k >= 0 else min(rows + k, columns))
    return slice(start, start + count * (columns + 1), columns + 1) if count else slice(0, 0)


@primitive
def diagonal(be, x, /, offset=0, axis1=0, axis2=1):
    """A diagonal of the matrices in two axes of a tensor.

    Args:
        x: tensor of at least two dimensions.
        offset: how far right of the main diagonal. Default: 0.
        axis1: the axis of the rows. Default: 0.
        axis2: the axis of the columns. Default: 1.

    Returns:
        A tensor without these axes, and with one of the diagonal's values at the end.

    Raises:
        ShapeError: if the axes are not two different axes of x.

    Source: `keras.ops.diagonal`.

    >>> gpunn.ops.diagonal([[1, 2], [3, 4]]).numpy().tolist()
    [1, 4]
    """
    first, second = normalize_axes("diagonal", (axis1, axis2), x.ndim)
    order = [a for a in range(x.ndim) if a not in (first, second)] + [first, second]
    moved = x.transpose(order)
    *batch, rows, columns = moved.shape
    places = _places(rows, columns, offset)
    flat = (*batch, rows * columns)

    def pullback(dy, needs):
        dx = be.zeros(flat, dy.dtype)
        be.copyto(dx[..., places], dy)
        back = sorted(range(len(order)), key=order.__getitem__)
        return (dx.reshape(*batch, rows, columns).transpose(back),)

    return moved.reshape(flat)[..., places], pullback


def diag(x, k=0):
    """The k-th diagonal of a matrix, or the matrix with a vector on its k-th diagonal.

    Args:
        x: vector or matrix.
        k: how far right of the main diagonal. Default: 0.

    Returns:
        A matrix of a vector, a vector of a matrix.

    Raises:
        ShapeError: if x is neither.

    Source: `keras.ops.diag`.

    >>> gpunn.ops.diag([1, 2]).numpy().tolist()
    [[1, 0], [0, 2]]
    """
    x = x if isinstance(x, Tensor) else convert(x)
    if x.ndim == 1:
        return _on_diagonal(x, k=k)
    if x.ndim == 2:
        return diagonal(x, k)
    raise ShapeError(f"diag: expected a vector or a matrix, got shape {x.shape}")


@primitive
def _on_diagonal(be, x, /, k):
    n = len(x) + abs(k)
    places = _places(n, n, k)
    y = be.zeros((n * n,), x.dtype)
    be.copyto(y[places], x)
    return y.reshape(n, n), lambda dy, needs: (dy.reshape(n * n)[places],)


def diagflat(x, k=0):
    """The matrix with the values of x, made flat, on its k-th diagonal.

    Args:
        x: tensor.
        k: how far right of the main diagonal. Default: 0.

    Returns:
        A square matrix.

    Source: `keras.ops.diagflat`.

    >>> gpunn.ops.diagflat([[1, 2]]).numpy().tolist()
    [[1, 0], [0, 2]]
    """
    return _on_diagonal(reshape(x, newshape=-1), k=k)


def trace(x, offset=0, axis1=0, axis2=1):
    """The sum of a diagonal.

    Args:
        x: tensor of at least two dimensions.
        offset: how far right of the main diagonal. Default: 0.
        axis1: the axis of the rows. Default: 0.
        axis2: the axis of the columns. Default: 1.

    Returns:
        A tensor without these axes.

    Raises:
        ShapeError: if the axes are not two different axes of x.

    Source: `keras.ops.trace`.

    >>> gpunn.ops.trace([[1, 2], [3, 4]]).numpy().tolist()
    5
    """
    return sum_(diagonal(x, offset, axis1, axis2), axis=-1)


@primitive
def tril(be, x, /, k=0):
    """The lower triangle: zeros right of the k-th diagonal.

    Args:
        x: tensor of at least two dimensions; its last two are the matrices.
        k: the last diagonal that is kept. Default: 0.

    Returns:
        A tensor of the same shape.

    Raises:
        ShapeError: if x has fewer than two dimensions.

    Source: `keras.ops.tril`.

    >>> gpunn.ops.tril([[1, 2], [3, 4]]).numpy().tolist()
    [[1, 0], [3, 4]]
    """
    kept = _triangle(be, "tril", x, k)
    y = be.xp.where(kept, x, _zero(x))
    return narrow(y, x.dtype), lambda dy, needs: (be.xp.where(kept, dy, 0),)


@primitive
def triu(be, x, /, k=0):
    """The upper triangle: zeros left of the k-th diagonal.

    Args:
        x: tensor of at least two dimensions; its last two are the matrices.
        k: the first diagonal that is kept. Default: 0.

    Returns:
        A tensor of the same shape.

    Raises:
        ShapeError: if x has fewer than two dimensions.

    Source: `keras.ops.triu`.

    >>> gpunn.ops.triu([[1, 2], [3, 4]]).numpy().tolist()
    [[1, 2], [0, 4]]
    """
    dropped = _triangle(be, "triu", x, k - 1)
    y = be.xp.where(dropped, _zero(x), x)
    return narrow(y, x.dtype), lambda dy, needs: (be.xp.where(dropped, 0, dy),)


def _zero(x):
    """Nothing, as a scalar that leaves the dtype of x what it is."""
    return False if x.dtype.kind == "b" else 0


def _triangle(be, op, x, k):
    """A cached mask of the places up to the k-th diagonal."""
    if x.ndim < 2:
        raise ShapeError(f"{op}: expected at least 2 dimensions, got shape {x.shape}")
    rows, columns = x.shape[-2:]
    key = ("triangle", rows, columns, k)
    return be.const(key, lambda be: be.xp.tri(rows, columns, k, dtype=bool))

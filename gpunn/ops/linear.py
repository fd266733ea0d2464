"""Products: linear (dense layers), matmul, dot, tensordot, inner, outer, vdot, kron, cross."""

import math

from gpunn.autograd import primitive

__all__ = ["linear", "matmul"]


@primitive(promote="same")
def linear(be, x, w, b=None, /):
    """A dense layer's product, y = x w + b, in one op.

    Args:
        x: tensor of shape (..., n).
        w: matrix of shape (n, m).
        b: vector of m values, or None.

    Returns:
        A tensor of shape (..., m).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: `keras.layers.Dense`.

    >>> gpunn.ops.linear([[1.0, 2.0]], [[3.0], [4.0]], [0.5]).numpy()
    array([[11.5]], dtype=float32)
    """
    shape = x.shape
    rows = x if len(shape) == 2 else x.reshape(-1, shape[-1])
    y = be.dot(rows, w)
    if b is not None:
        y += b

    def pullback(dy, needs):
        if len(shape) != 2:
            dy = dy.reshape(-1, dy.shape[-1])
        dx = dw = db = None
        if needs[0]:
            dx = be.dot(dy, w.T)
            if len(shape) != 2:
                dx = dx.reshape(shape)
        if needs[1]:
            dw = be.dot(rows.T, dy)
        if needs[2]:
            db = be.dot(be.ones(len(dy), dy.dtype), dy)
        return dx, dw, db

    return y if len(shape) == 2 else y.reshape(*shape[:-1], y.shape[-1]), pullback


@primitive(promote="same")
def matmul(be, x1, x2, /):
    """Matrix product over the last two axes; leading axes are broadcast.

    A vector is a row on the left and a column on the right, and its axis disappears.

    Args:
        x1: tensor of shape (..., n, k) or (k,).
        x2: tensor of shape (..., k, m) or (k,).

    Returns:
        A tensor of shape (..., n, m), in the common dtype.

    Raises:
        ShapeError: if an operand is a scalar or the sizes do not fit.

    Source: `keras.ops.matmul`.

    >>> gpunn.ops.matmul([[1, 2], [3, 4]], [1, 1]).numpy().tolist()
    [3, 7]
    """
    if not hasattr(x1, "ndim") or not hasattr(x2, "ndim"):
        raise ValueError("scalars are not matrices: use multiply")
    if x1.ndim == x2.ndim == 2:

        def pullback(dy, needs):
            return (
                be.dot(dy, x2.T) if needs[0] else None,
                be.dot(x1.T, dy) if needs[1] else None,
            )

        return be.dot(x1, x2), pullback
    if x2.ndim <= 2 and x1.ndim >= 2 and x1.shape[-1] == x2.shape[0]:
        return _rows_times(be, x1, x2)
    return _batched(be, x1, x2)


def _rows_times(be, x1, x2):
    """(..., n, k) times (k, m) or (k,): one product of all rows."""
    shape, rest = x1.shape, x2.shape[1:]
    rows = x1.reshape(math.prod(shape[:-1]), shape[-1])
    y = be.dot(rows, x2).reshape(shape[:-1] + rest)

    def pullback(dy, needs):
        dy = dy.reshape(len(rows), *rest)
        dx1 = dx2 = None
        if needs[0]:
            dx1 = (be.dot(dy, x2.T) if rest else dy[:, None] * x2).reshape(shape)
        if needs[1]:
            dx2 = be.dot(rows.T, dy)
        return dx1, dx2

    return y, pullback


def _batched(be, x1, x2):
    """Any other product, with vectors as matrices and the batch axes broadcast."""
    if not x1.ndim or not x2.ndim:
        raise ValueError("scalars are not matrices: use multiply")
    a = x1 if x1.ndim > 1 else x1[None, :]
    b = x2 if x2.ndim > 1 else x2[:, None]
    y = be.matmul(a, b)
    shape = y.shape
    kept = shape[:-2] + shape[-2:-1] * (x1.ndim > 1) + shape[-1:] * (x2.ndim > 1)

    def pullback(dy, needs):
        dy = dy.reshape(shape)
        dx1 = dx2 = None
        if needs[0]:
            dx1 = be.matmul(dy, b.swapaxes(-1, -2))
            dx1 = dx1 if x1.ndim > 1 else dx1[..., 0, :]
        if needs[1]:
            dx2 = be.matmul(a.swapaxes(-1, -2), dy)
            dx2 = dx2 if x2.ndim > 1 else dx2[..., 0]
        return dx1, dx2

    return y.reshape(kept), pullback

"""projections: several dense products of one input, as an attention layer makes them."""

import math

from gpunn.autograd import primitive

__all__ = []  # public through the layers


@primitive(promote="same")
def projections(be, /, *operands):
    """y_i = x w_i + b_i for all i, in one op.

    Args:
        *operands: x of shape (..., n); then w_i of shape (n, heads, size) for each i; then as many
            b_i of shape (heads, size), or none.

    Returns:
        Tensors of shape (..., heads, size).

    >>> q, k = gpunn.ops.projection.projections(np.ones((5, 3)), *np.ones((2, 3, 4, 2)))
    >>> q.shape, float(k[0, 0, 0])
    ((5, 4, 2), 3.0)
    """
    x, ws, bs = split_operands(operands)
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    flat = [w.reshape(len(w), math.prod(w.shape[1:])) for w in ws]
    ys = [be.dot(rows, w) for w in flat]
    for y, b in zip(ys, bs, strict=False):
        y += b.reshape(-1)

    def pullback(dys, needs):
        dys = [dy.reshape(y.shape) for y, dy in zip(ys, dys, strict=True)]
        dx, count = None, len(ws)
        if needs[0]:
            dx = be.dot(dys[0], flat[0].T)
            for dy, w in zip(dys[1:], flat[1:], strict=True):
                dx += be.dot(dy, w.T)
            dx = dx.reshape(x.shape)
        dws = [
            be.dot(rows.T, dy).reshape(w.shape) if need else None
            for w, dy, need in zip(ws, dys, needs[1:], strict=False)
        ]
        ones = be.ones(len(rows), x.dtype)
        dbs = [
            be.dot(ones, dy).reshape(b.shape) if need else None
            for b, dy, need in zip(bs, dys, needs[1 + count :], strict=False)
        ]
        return dx, *dws, *dbs

    heads = [y.reshape(*x.shape[:-1], *w.shape[1:]) for y, w in zip(ys, ws, strict=True)]
    return tuple(heads), pullback


def split_operands(operands) -> tuple:
    """x, the weights and the biases, of which there may be none."""
    x, *rest = operands
    biased = len(rest) > 1 and rest[-1].ndim < rest[0].ndim
    count = len(rest) // 2 if biased else len(rest)
    return x, rest[:count], rest[count:]

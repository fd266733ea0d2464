"""Probabilities of scores: softmax, its logarithm, and sparsemax."""

from gpunn.autograd import primitive
from gpunn.ops.reduction import narrow, total, wide

__all__ = ["log_softmax", "softmax", "sparsemax"]


@primitive(promote="float")
def softmax(be, x, /, axis=-1):
    """Scores to probabilities, `e^x / sum(e^x)`, without overflow: `dx = y (dy - sum(dy y))`.

    Args:
        x: tensor of any shape; integers become floats.
        axis: the axis, or axes, that sums to 1. Default: the last.

    Returns:
        A tensor of the shape of x, between 0 and 1.

    Raises:
        ShapeError: if the axis does not exist.

    Source: `keras.ops.softmax`.

    >>> gpunn.ops.softmax([0.0, 0.0, 1000.0]).numpy()
    array([0., 0., 1.], dtype=float32)
    """
    w = wide(x)
    y = be.xp.exp(w - w.max(axis=axis, keepdims=True))
    y = y / total(be, y, axis, keepdims=True)

    def pullback(dy, needs):
        dx = wide(dy) * y
        return (dx - y * total(be, dx, axis, keepdims=True),)

    return narrow(y, x.dtype), pullback


@primitive(promote="float")
def log_softmax(be, x, /, axis=-1):
    """The logarithm of softmax, without overflow, `x - log(sum(e^x))`.

    Args:
        x: tensor of any shape; integers become floats.
        axis: the axis, or axes, whose exponentials sum to 1. Default: the last.

    Returns:
        A tensor of the shape of x, at most 0.

    Raises:
        ShapeError: if the axis does not exist.

    Source: `keras.ops.log_softmax`.

    >>> gpunn.ops.log_softmax([0.0, 1000.0]).numpy()
    array([-1000.,     0.], dtype=float32)
    """
    xp = be.xp
    w = wide(x)
    y = w - w.max(axis=axis, keepdims=True)
    y = y - xp.log(total(be, xp.exp(y), axis, keepdims=True))

    def pullback(dy, needs):
        dy = wide(dy)
        return (dy - xp.exp(y) * total(be, dy, axis, keepdims=True),)

    return narrow(y, x.dtype), pullback


@primitive(promote="float")
def sparsemax(be, x, /, axis=-1):
    """Scores to probabilities many of which are 0: the nearest point of the simplex.

        sparsemax(x) = max(x - tau, 0), with tau such that it sums to 1

    Args:
        x: tensor of any shape; integers become floats.
        axis: the axis that sums to 1. Default: the last.

    Returns:
        A tensor of the shape of x, between 0 and 1.

    Raises:
        ShapeError: if the axis does not exist.

    Source: `keras.ops.sparsemax`; Martins and Astudillo, 2016, https://arxiv.org/abs/1602.02068

    >>> gpunn.ops.sparsemax([1.0, 0.5, -1.0]).numpy()
    array([0.75, 0.25, 0.  ], dtype=float32)
    """
    xp = be.xp
    z = xp.moveaxis(wide(x), axis, -1)
    n = z.shape[-1]
    ranks = be.const(("ranks", n, z.dtype.char), lambda be: be.xp.arange(1, n + 1, dtype=z.dtype))
    falling = -xp.sort(-z, axis=-1)
    excess = xp.cumsum(falling, axis=-1) - 1  # of the k largest over 1, for k = 1, 2, ...
    support = ranks * falling > excess
    size = support.sum(-1, keepdims=True, dtype=z.dtype)
    last = support & (ranks == size)
    tau = (excess * last).sum(-1, keepdims=True) / size
    y = xp.maximum(z - tau, 0.0)

    def pullback(dy, needs):
        chosen = y > 0
        dz = wide(xp.moveaxis(dy, axis, -1)) * chosen
        dz = dz - chosen * (dz.sum(-1, keepdims=True) / size)
        return (xp.moveaxis(dz, -1, axis),)

    return narrow(xp.moveaxis(y, -1, axis), x.dtype), pullback

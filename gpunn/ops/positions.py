"""What tells positions apart: cosines and sines of them, and rotations by their angles."""

import numpy as np

from gpunn.autograd import primitive
from gpunn.ops.reduction import narrow, wide

__all__ = []  # public through the layers


@primitive
def waves(be, x, positions=None, /, rates=(), length=0, start=0):
    """Cosines and sines of positions times rates, in float32, without a gradient.

    Args:
        x: a tensor, which only says on what device.
        positions: numbers of shape (batch, length). Default: start, start + 1, ...
        rates: a tuple of numbers.
        length, start: how many positions there are, and the first, if they are not given.

    Returns:
        Two tensors of shape (batch or 1, length, len(rates)).

    >>> cosines, _ = gpunn.ops.positions.waves(np.zeros(1, "float32"), rates=(1.0,), length=2)
    >>> cosines.numpy().ravel().round(2)
    array([1.  , 0.54], dtype=float32)
    """
    speeds = be.const(("rates", rates), lambda be: be.xp.asarray(np.array(rates, "float32")))
    if positions is None:
        positions = be.xp.arange(start, start + length, dtype="float32")[None]
    angles = positions.astype("float32")[..., None] * speeds
    return (be.xp.cos(angles), be.xp.sin(angles)), None


@primitive(promote="float")
def rotate(be, x, cosines, sines, /):
    """The two halves of the last axis as the coordinates of points, which are turned.

        y1 = x1 cos - x2 sin,    y2 = x2 cos + x1 sin

    Args:
        x: tensor (..., 2 n).
        cosines, sines: of the angles; they broadcast to (..., n), and get no gradient.

    Returns:
        A tensor of the shape of x.
    """
    w, c, s = wide(x), wide(cosines), wide(sines)

    def pullback(dy, needs):
        return _turned(be, wide(dy), c, -s), None, None

    return narrow(_turned(be, w, c, s), x.dtype), pullback


def _turned(be, x, c, s):
    n = x.shape[-1] // 2
    y = be.empty(x.shape, x.dtype)
    one, other = x[..., :n], x[..., n:]
    be.copyto(y[..., :n], one * c - other * s)
    be.copyto(y[..., n:], other * c + one * s)
    return y

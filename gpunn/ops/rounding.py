"""Rounding, and numbers in place of NaN and infinities."""

from gpunn.autograd import primitive
from gpunn.backend.dtypes import finfo, is_float
from gpunn.errors import DTypeError
from gpunn.ops.reduction import narrow

__all__ = ["ceil", "floor", "nan_to_num", "round", "trunc"]


@primitive(promote="float")
def floor(be, x, /):
    """Each element rounded down to an integer; the gradient is 0.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A float tensor of the shape of x.

    Source: `keras.ops.floor`.

    >>> gpunn.ops.floor([1.7, -1.2]).numpy()
    array([ 1., -2.], dtype=float32)
    """
    return be.xp.floor(x), _no_slope(be)


@primitive(promote="float")
def ceil(be, x, /):
    """Each element rounded up to an integer; the gradient is 0.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A float tensor of the shape of x.

    Source: `keras.ops.ceil`.

    >>> gpunn.ops.ceil([1.2, -1.7]).numpy()
    array([ 2., -1.], dtype=float32)
    """
    return be.xp.ceil(x), _no_slope(be)


@primitive
def trunc(be, x, /):
    """Each element rounded towards 0 to an integer; the gradient is 0.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor of the shape and dtype of x.

    Source: `keras.ops.trunc`.

    >>> gpunn.ops.trunc([1.7, -1.7]).numpy()
    array([ 1., -1.], dtype=float32)
    """
    return be.xp.trunc(x) if is_float(x.dtype) else x, _no_slope(be)


@primitive
def round(be, x, /, decimals=0):
    """Each element rounded to decimals, halves to the even neighbour; the gradient is 0.

    Args:
        x: tensor of any shape; not boolean.
        decimals: how many decimals are kept; negative: zeros before the point. Default: 0.

    Returns:
        A tensor of the shape and dtype of x.

    Raises:
        DTypeError: if it is boolean.

    Source: `keras.ops.round`.

    >>> gpunn.ops.round([0.5, 1.5, 2.34], decimals=0).numpy()
    array([0., 2., 2.], dtype=float32)
    """
    if x.dtype.kind == "b":
        raise DTypeError("round: expected numbers, got bool; cast it first")
    return narrow(x.round(decimals), x.dtype), _no_slope(be)


def _no_slope(be):
    def pullback(dy, needs):
        return (be.zeros(dy.shape, dy.dtype),)

    return pullback


@primitive(promote="same")
def nan_to_num(be, x, /, nan=0.0, posinf=None, neginf=None):
    """Numbers in place of NaN and the infinities; the gradient there is 0.

    Args:
        x: tensor of any shape.
        nan: instead of NaN. Default: 0.
        posinf: instead of infinity. Default: the largest number of the dtype.
        neginf: instead of minus infinity. Default: the lowest number of the dtype.

    Returns:
        A tensor of the shape and dtype of x.

    Source: `keras.ops.nan_to_num`.

    >>> gpunn.ops.nan_to_num([float("nan"), 1.0, float("inf")], posinf=9.0).numpy()
    array([0., 1., 9.], dtype=float32)
    """
    if not is_float(x.dtype):
        return x, None
    xp = be.xp
    largest = float(finfo(x.dtype).max)
    y = xp.where(x == float("inf"), largest if posinf is None else posinf, x)
    y = xp.where(x == float("-inf"), -largest if neginf is None else neginf, y)

    def pullback(dy, needs):
        return (dy * xp.isfinite(x),)

    return xp.where(x != x, nan, y), pullback

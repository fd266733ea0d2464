"""Reductions that leave NaN out."""

import math

from gpunn.autograd import convert, primitive
from gpunn.backend.dtypes import is_float
from gpunn.ops import extrema, reduction
from gpunn.ops.arithmetic import divide, subtract
from gpunn.ops.cumulative import cumprod, cumsum
from gpunn.ops.magnitude import maximum
from gpunn.ops.reduction import narrow
from gpunn.ops.roots import square
from gpunn.ops.statistics import var

__all__ = [
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
]


@primitive
def _fill_nan(be, x, /, value):
    """x with a value in place of NaN, where the gradient is 0."""
    known = x == x

    def pullback(dy, needs):
        return (dy * known,)

    return narrow(be.xp.where(known, x, value), x.dtype), pullback


@primitive
def _known(be, x, /, axis, keepdims):
    """How many elements along axes are not NaN, in the dtype of x."""
    return (x == x).sum(axis, dtype=x.dtype, keepdims=keepdims), None


@primitive
def _where_known(be, x, y, /, axis, keepdims, otherwise):
    """y, but `otherwise` where all elements of x along axes are NaN."""
    some = (x == x).any(axis, keepdims=keepdims)

    def pullback(dy, needs):
        return None, be.xp.where(some, dy, 0)  # dy may be NaN there

    return narrow(be.xp.where(some, y, otherwise), y.dtype), pullback


@primitive
def _root(be, x, /):
    """sqrt, but where x is 0 the slope is finite, so that a spread of 0 has gradient 0."""
    y = be.xp.sqrt(x)

    def pullback(dy, needs):
        return (dy / (y + y + (y == 0)),)

    return y, pullback


def _filled(x, value):
    x = convert(x)
    return _fill_nan(x, value) if is_float(x.dtype) else x


def nansum(x, axis=None, keepdims=False):
    """The sum of the elements along axes that are not NaN.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The sums, of the dtype of x; of NaNs alone 0.

    Source: `keras.ops.nansum`.

    >>> gpunn.ops.nansum([1.0, float("nan"), 3.0]).item()
    4.0
    """
    return reduction.sum(_filled(x, 0), axis, keepdims)


def nanprod(x, axis=None, keepdims=False):
    """The product of the elements along axes that are not NaN.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The products, of the dtype of x; of NaNs alone 1.

    Source: `keras.ops.nanprod`.

    >>> gpunn.ops.nanprod([1.0, float("nan"), 3.0]).item()
    3.0
    """
    return reduction.prod(_filled(x, 1), axis, keepdims)


def nanmean(x, axis=None, keepdims=False):
    """The mean of the elements along axes that are not NaN.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The means, a float; of NaNs alone NaN.

    Source: `keras.ops.nanmean`.

    >>> gpunn.ops.nanmean([1.0, float("nan"), 3.0]).item()
    2.0
    """
    x = convert(x)
    if not is_float(x.dtype):
        return reduction.mean(x, axis, keepdims)
    n = _known(x, axis, keepdims)
    y = divide(nansum(x, axis, keepdims), maximum(n, 1))
    return _where_known(x, y, axis, keepdims, math.nan)


def nanmax(x, axis=None, keepdims=False):
    """The largest of the elements along axes that are not NaN.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        Of the dtype of x; of NaNs alone NaN.

    Source: `keras.ops.nanmax`.

    >>> gpunn.ops.nanmax([1.0, float("nan"), 3.0]).item()
    3.0
    """
    x = convert(x)
    y = extrema.max(_filled(x, -math.inf), axis, keepdims)
    return _where_known(x, y, axis, keepdims, math.nan) if is_float(x.dtype) else y


def nanmin(x, axis=None, keepdims=False):
    """The smallest of the elements along axes that are not NaN.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        Of the dtype of x; of NaNs alone NaN.

    Source: `keras.ops.nanmin`.

    >>> gpunn.ops.nanmin([1.0, float("nan"), 3.0]).item()
    1.0
    """
    x = convert(x)
    y = extrema.min(_filled(x, math.inf), axis, keepdims)
    return _where_known(x, y, axis, keepdims, math.nan) if is_float(x.dtype) else y


def nanvar(x, axis=None, keepdims=False):
    """The variance of the elements along axes that are not NaN.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The variances, a float; of NaNs alone NaN.

    Source: `keras.ops.nanvar`.

    >>> gpunn.ops.nanvar([1.0, float("nan"), 3.0]).item()
    1.0
    """
    x = convert(x)
    if not is_float(x.dtype):
        return var(x, axis, keepdims)
    d = _fill_nan(subtract(x, nanmean(x, axis, keepdims=True)), 0)
    n = _known(x, axis, keepdims)
    y = divide(reduction.sum(square(d), axis, keepdims), maximum(n, 1))
    return _where_known(x, y, axis, keepdims, math.nan)


def nanstd(x, axis=None, keepdims=False):
    """The standard deviation of the elements along axes that are not NaN.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The standard deviations, a float; of NaNs alone NaN.

    Source: `keras.ops.nanstd`.

    >>> gpunn.ops.nanstd([1.0, float("nan"), 3.0]).item()
    1.0
    """
    return _root(nanvar(x, axis, keepdims))


def nanargmax(x, axis=None, keepdims=False):
    """The index of the largest element along an axis that is not NaN.

    Args:
        x: tensor of any shape.
        axis: the axis. Default: all elements, counted row by row.
        keepdims: whether the axis stays, with size 1. Default: False.

    Returns:
        An int32 tensor; of NaNs alone -1.

    Source: `keras.ops.nanargmax`.

    >>> gpunn.ops.nanargmax([1.0, float("nan"), 3.0]).item()
    2
    """
    x = convert(x)
    y = extrema.argmax(_filled(x, -math.inf), axis, keepdims)
    return _where_known(x, y, axis, keepdims, -1) if is_float(x.dtype) else y


def nanargmin(x, axis=None, keepdims=False):
    """The index of the smallest element along an axis that is not NaN.

    Args:
        x: tensor of any shape.
        axis: the axis. Default: all elements, counted row by row.
        keepdims: whether the axis stays, with size 1. Default: False.

    Returns:
        An int32 tensor; of NaNs alone -1.

    Source: `keras.ops.nanargmin`.

    >>> gpunn.ops.nanargmin([1.0, float("nan"), 3.0]).item()
    0
    """
    x = convert(x)
    y = extrema.argmin(_filled(x, math.inf), axis, keepdims)
    return _where_known(x, y, axis, keepdims, -1) if is_float(x.dtype) else y


def nancumsum(x, axis=None, dtype=None):
    """The sums of all elements up to each one along an axis, NaN counting as 0.

    Args:
        x: tensor of any shape.
        axis: the axis. Default: all elements, row by row, in one dimension.
        dtype: of the result. Default: that of x (of booleans: int32).

    Returns:
        A tensor of the shape of x, or of one dimension.

    Source: `keras.ops.nancumsum`.

    >>> gpunn.ops.nancumsum([1.0, float("nan"), 3.0]).numpy().tolist()
    [1.0, 1.0, 4.0]
    """
    return cumsum(_filled(x, 0), axis, dtype)


def nancumprod(x, axis=None, dtype=None):
    """The products of all elements up to each one along an axis, NaN counting as 1.

    Args:
        x: tensor of any shape.
        axis: the axis. Default: all elements, row by row, in one dimension.
        dtype: of the result. Default: that of x (of booleans: int32).

    Returns:
        A tensor of the shape of x, or of one dimension.

    Source: `keras.ops.nancumprod`.

    >>> gpunn.ops.nancumprod([1.0, float("nan"), 3.0]).numpy().tolist()
    [1.0, 1.0, 3.0]
    """
    return cumprod(_filled(x, 1), axis, dtype)

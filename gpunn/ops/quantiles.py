"""Quantiles: what lies at a place of the sorted elements."""

import math

import numpy as np

from gpunn.autograd import Tensor, convert, primitive
from gpunn.backend import host_array
from gpunn.errors import ArgumentError, unknown
from gpunn.ops.reduction import checked_axis, count, kept_shape, narrow, reduced_shape, wide

__all__ = ["median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def quantile(x, q, axis=None, method="linear", keepdims=False):
    """The value that a fraction q of the elements along axes is below.

    Args:
        x: tensor of any shape; integers become floats.
        q: a number from 0 to 1, or a vector of them.
        axis: an axis or a tuple of axes. Default: all.
        method: what to take between two elements: "linear", "lower", "higher", "midpoint" or
            "nearest". Default: "linear".
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The quantiles, a float, with an axis for a vector q in front; NaN where there is a NaN.

    Raises:
        ArgumentError: if q is not within 0 and 1, or the method is unknown.

    Source: `keras.ops.quantile`.

    >>> gpunn.ops.quantile([1.0, 2.0, 3.0, 4.0], 0.5).item()
    2.5
    """
    return _at(x, q, 1, axis, method, keepdims)


def percentile(x, q, axis=None, method="linear", keepdims=False):
    """The value that q percent of the elements along axes are below.

    Args:
        x: tensor of any shape; integers become floats.
        q: a number from 0 to 100, or a vector of them.
        axis: an axis or a tuple of axes. Default: all.
        method: what to take between two elements: "linear", "lower", "higher", "midpoint" or
            "nearest". Default: "linear".
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The percentiles, a float, with an axis for a vector q in front; NaN where there is a NaN.

    Raises:
        ArgumentError: if q is not within 0 and 100, or the method is unknown.

    Source: `keras.ops.percentile`.

    >>> gpunn.ops.percentile([1.0, 2.0, 3.0, 4.0], 50).item()
    2.5
    """
    return _at(x, q, 100, axis, method, keepdims)


def median(x, axis=None, keepdims=False):
    """The middle of the sorted elements along axes, or the mean of the two middle ones.

    Args:
        x: tensor of any shape; integers become floats.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The medians, a float; NaN where there is a NaN.

    Source: `keras.ops.median`.

    >>> gpunn.ops.median([3.0, 1.0, 2.0]).item()
    2.0
    """
    return _at(x, 0.5, 1, axis, "midpoint", keepdims)


def nanquantile(x, q, axis=None, method="linear", keepdims=False):
    """The value that a fraction q of the elements along axes that are not NaN is below.

    Args:
        x: tensor of any shape; integers become floats.
        q: a number from 0 to 1, or a vector of them.
        axis: an axis or a tuple of axes. Default: all.
        method: what to take between two elements: "linear", "lower", "higher", "midpoint" or
            "nearest". Default: "linear".
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The quantiles, a float, with an axis for a vector q in front; NaN of NaNs alone.

    Raises:
        ArgumentError: if q is not within 0 and 1, or the method is unknown.

    Source: `keras.ops.nanquantile`.

    >>> gpunn.ops.nanquantile([1.0, float("nan"), 2.0, 3.0, 4.0], 0.5).item()
    2.5
    """
    return _at(x, q, 1, axis, method, keepdims, skip_nan=True)


def nanpercentile(x, q, axis=None, method="linear", keepdims=False):
    """The value that q percent of the elements along axes that are not NaN are below.

    Args:
        x: tensor of any shape; integers become floats.
        q: a number from 0 to 100, or a vector of them.
        axis: an axis or a tuple of axes. Default: all.
        method: what to take between two elements: "linear", "lower", "higher", "midpoint" or
            "nearest". Default: "linear".
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The percentiles, a float, with an axis for a vector q in front; NaN of NaNs alone.

    Raises:
        ArgumentError: if q is not within 0 and 100, or the method is unknown.

    Source: `keras.ops.nanpercentile`.

    >>> gpunn.ops.nanpercentile([1.0, float("nan"), 2.0, 3.0, 4.0], 50).item()
    2.5
    """
    return _at(x, q, 100, axis, method, keepdims, skip_nan=True)


def nanmedian(x, axis=None, keepdims=False):
    """The middle of the sorted elements along axes that are not NaN, or the mean of the middle two.

    Args:
        x: tensor of any shape; integers become floats.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The medians, a float; NaN of NaNs alone.

    Source: `keras.ops.nanmedian`.

    >>> gpunn.ops.nanmedian([3.0, float("nan"), 1.0, 2.0]).item()
    2.0
    """
    return _at(x, 0.5, 1, axis, "midpoint", keepdims, skip_nan=True)


def _at(x, q, whole, axis, method, keepdims, skip_nan=False):
    """The quantiles at q / whole."""
    if method not in METHODS:
        raise unknown("quantile method", method, METHODS)
    places = host_array(q.array) if isinstance(q, Tensor) else np.asarray(q, "float64")
    places = places / whole
    if places.ndim > 1 or not ((places >= 0) & (places <= 1)).all():
        raise ArgumentError(f"expected q from 0 to {whole}, a number or a vector; got {q}")
    x = convert(x)
    axis = checked_axis("quantile", axis, x.ndim)
    y = _quantile(x, tuple(places.reshape(-1).tolist()), axis, method, skip_nan)
    shape = kept_shape(x.shape, axis) if keepdims else reduced_shape(x.shape, axis)
    return y.reshape(places.shape + shape)


@primitive(promote="float")
def _quantile(be, x, /, places, axis, method, skip_nan):
    """The quantiles at places from 0 to 1, as an array (places, rows)."""
    xp = be.xp
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = [a % x.ndim for a in axes]
    order = [a for a in range(x.ndim) if a not in axes] + axes
    moved = wide(x).transpose(order)
    n = count(x.shape, axes)
    rows = moved.reshape(x.size // n if n else 0, n)
    sorting = xp.argsort(rows, axis=1, kind="stable")  # of equal values the first
    rising = xp.take_along_axis(rows, sorting, 1)
    known = (rows == rows).sum(1, keepdims=True)  # NaN are sorted to the end
    full = known == n
    y = be.empty((len(places), len(rows)), rows.dtype)
    ends = []
    for i, place in enumerate(places):
        low, high, weight = _ends(xp, place * xp.maximum(known - 1, 0), method)
        a, b = (xp.take_along_axis(rising, k, 1) for k in (low, high))
        weight = weight.astype(rows.dtype)
        value = xp.where(weight == 0, a, a + (b - a) * weight)
        y[i] = (value if skip_nan else xp.where(full, value, math.nan))[:, 0]
        ends.append((low, high, weight))

    def pullback(dy, needs):
        ranks = be.const(("indices", n), lambda be: be.xp.arange(n))
        rising_grad = 0
        for dv, (low, high, weight) in zip(dy, ends):
            dv = dv.reshape(-1, 1) * (known > 0)
            rising_grad = rising_grad + (ranks == low) * (dv * (1 - weight))
            rising_grad = rising_grad + (ranks == high) * (dv * weight)
        dx = xp.take_along_axis(rising_grad, xp.argsort(sorting, axis=1), 1)
        back = sorted(range(x.ndim), key=order.__getitem__)
        return (dx.reshape(moved.shape).transpose(back),)

    return narrow(y, x.dtype), pullback


def _ends(xp, position, method):
    """The two ranks that a place lies between, and the weight of the upper one."""
    low, high = xp.floor(position), xp.ceil(position)
    weight = position - low
    if method == "lower":
        weight = 0 * weight
    elif method == "higher":
        weight = xp.ceil(weight)
    elif method == "midpoint":
        weight = 0.5 * (high - low)
    elif method == "nearest":
        weight = xp.ceil(weight - 0.5)
    return low.astype("int64"), high.astype("int64"), weight

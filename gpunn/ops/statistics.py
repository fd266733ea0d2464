"""Variances, moments, norms that become 1, and signal to noise."""

import math

import numpy as np

from gpunn.autograd import convert, primitive
from gpunn.errors import ArgumentError, ShapeError
from gpunn.ops.arithmetic import divide, multiply, subtract
from gpunn.ops.exponential import log10
from gpunn.ops.magnitude import absolute, maximum
from gpunn.ops.reduction import (
    checked_axis,
    count,
    kept_shape,
    mean,
    narrow,
    reduced_shape,
    spread,
    sum,
    total,
    wide,
)
from gpunn.ops.roots import square

__all__ = ["moments", "normalize", "psnr", "std", "var"]


def _deviations(be, x, axis):
    """x minus its mean in float32 or wider, the mean with its axes kept, and their number."""
    w = wide(x)
    n = count(x.shape, axis) or math.nan
    mean = total(be, w, axis, keepdims=True) / n
    return w - mean, mean, n


def _squares(d):
    """The squares of deviations, of complex ones those of their sizes."""
    return (d * d.conj()).real if d.dtype.kind == "c" else d * d


@primitive(promote="float")
def var(be, x, /, axis=None, keepdims=False):
    """The variance of the elements along axes, `mean((x - mean(x))^2)`.

    Args:
        x: tensor of any shape; integers become floats.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The variances, a float; of no elements at all NaN.

    Raises:
        ShapeError: if an axis is out of range.

    Source: `keras.ops.var`.

    >>> gpunn.ops.var([[1.0, 3.0], [2.0, 2.0]], axis=1).numpy()
    array([1., 0.], dtype=float32)
    """
    axis = checked_axis("var", axis, x.ndim)
    d, _, n = _deviations(be, x, axis)
    y = total(be, _squares(d), axis, keepdims) / n

    def pullback(dy, needs):
        return (narrow(d * spread(be, dy * (2 / n), d.shape, axis), dy.dtype),)

    return narrow(y, x.dtype), pullback


@primitive(promote="float")
def std(be, x, /, axis=None, keepdims=False):
    """The standard deviation of the elements along axes, the root of their variance.

    Where it is 0 so is its gradient.

    Args:
        x: tensor of any shape; integers become floats.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The standard deviations, a float; of no elements at all NaN.

    Raises:
        ShapeError: if an axis is out of range.

    Source: `keras.ops.std`.

    >>> gpunn.ops.std([[1.0, 3.0], [2.0, 2.0]], axis=1).numpy()
    array([1., 0.], dtype=float32)
    """
    axis = checked_axis("std", axis, x.ndim)
    d, _, n = _deviations(be, x, axis)
    y = be.xp.sqrt(total(be, _squares(d), axis, keepdims) / n)

    def pullback(dy, needs):
        return (narrow(d * spread(be, dy / (n * (y + (y == 0))), d.shape, axis), dy.dtype),)

    return narrow(y, x.dtype), pullback


def moments(x, axes, keepdims=False, synchronized=False):
    """The mean and the variance of the elements along axes.

    Args:
        x: tensor of any shape; integers become floats.
        axes: an axis or several.
        keepdims: whether the reduced axes stay, with size 1. Default: False.
        synchronized: must be False; the moments are those of this device alone.

    Returns:
        The pair (mean, variance).

    Raises:
        ShapeError: if an axis is out of range.
        ArgumentError: if `synchronized` is asked for.

    Source: `keras.ops.moments`.

    >>> mean, variance = gpunn.ops.moments([1.0, 3.0], axes=0)
    >>> mean.item(), variance.item()
    (2.0, 1.0)
    """
    if synchronized:
        raise ArgumentError("moments: synchronized=True is not supported")
    return _moments(x, axes, keepdims)


@primitive(promote="float")
def _moments(be, x, /, axis, keepdims):
    axis = checked_axis("moments", axis, x.ndim)
    d, mean, n = _deviations(be, x, axis)
    variance = total(be, _squares(d), axis, keepdims) / n
    if x.dtype == np.float16:
        variance = be.xp.minimum(variance, np.finfo(np.float16).max)
    shape = reduced_shape(x.shape, axis, keepdims)

    def pullback(dys, needs):
        dmean, dvariance = dys
        dx = d * spread(be, dvariance * (2 / n), d.shape, axis)
        dx += (dmean / n).reshape(kept_shape(d.shape, axis))
        return (narrow(dx, dmean.dtype),)

    return (narrow(mean.reshape(shape), x.dtype), narrow(variance, x.dtype)), pullback


def normalize(x, axis=-1, order=2, epsilon=None):
    """x divided by its norm along an axis, `x / max(norm(x), epsilon)`.

    Args:
        x: tensor of any shape.
        axis: the axis or axes whose norm becomes 1. Default: the last.
        order: which norm: 2 the Euclidean, 1 the sum of absolute values, and so on. Default: 2.
        epsilon: the least divisor. Default: 1e-7.

    Returns:
        A tensor of the shape of x; zeros stay zeros.

    Raises:
        ArgumentError: if the order is not an integer from 1 up.

    Source: `keras.ops.normalize`.

    >>> gpunn.ops.normalize([3.0, 4.0]).numpy()
    array([0.6, 0.8], dtype=float32)
    """
    if not isinstance(order, int) or order < 1:
        raise ArgumentError(f"normalize: order must be an integer from 1 up, not {order!r}")
    x = convert(x)
    if not x.ndim:
        x = x.reshape(1)
    epsilon = 1e-7 if epsilon is None else epsilon
    if order == 2:
        return _unit(x, axis, epsilon)
    if order == 1:
        norm = sum(absolute(x), axis, keepdims=True)
    else:
        norm = sum(absolute(x) ** order, axis, keepdims=True) ** (1.0 / order)
    return divide(x, maximum(norm, epsilon))


@primitive(promote="float")
def _unit(be, x, /, axis, epsilon):
    """x / max(|x|, epsilon), with a finite gradient where x is 0."""
    axis = checked_axis("normalize", axis, x.ndim)
    w = wide(x)
    squares = total(be, w * w, axis, keepdims=True)
    scale = 1 / be.xp.maximum(be.xp.sqrt(squares), epsilon)
    y = w * scale

    def pullback(dy, needs):
        dy = wide(dy)
        along = total(be, dy * y, axis, keepdims=True) * (squares > epsilon * epsilon)
        return (scale * (dy - y * along),)

    return narrow(y, x.dtype), pullback


def psnr(x1, x2, max_val):
    """The peak signal-to-noise ratio of two signals, in decibels.

        psnr = 20 log10(max_val) - 10 log10(mean((x1 - x2)^2))

    Args:
        x1, x2: tensors of one shape.
        max_val: the largest value that a signal can have.

    Returns:
        A float tensor of one element, infinite for equal signals.

    Raises:
        ShapeError: if the shapes differ.

    Source: `keras.ops.psnr`.

    >>> gpunn.ops.psnr([1.0, 0.0], [0.5, 0.5], max_val=1.0).item()
    6.020...
    """
    x1, x2 = convert(x1), convert(x2)
    if x1.shape != x2.shape:
        raise ShapeError(f"psnr: expected signals of one shape, got {x1.shape} and {x2.shape}")
    noise = mean(square(subtract(x1, x2)))
    return subtract(20 * math.log10(max_val), multiply(10.0, log10(noise)))

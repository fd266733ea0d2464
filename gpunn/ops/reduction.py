"""Sums, means and products along axes, and what every reduction needs."""

import math

import numpy as np

from gpunn.autograd import convert, primitive
from gpunn.backend.dtypes import is_float, standardize
from gpunn.errors import ShapeError
from gpunn.ops.arithmetic import divide, multiply
from gpunn.ops.shaping import normalize_axes

__all__ = ["average", "logsumexp", "mean", "prod", "sum"]

LONG = 4096  # longer sums are left to the pairwise summation of `sum`, which rounds less


def checked_axis(op: str, axis, ndim: int):
    """The axis or axes of a reduction: None, an int or a tuple.

    Raises:
        ShapeError: if one is out of range or named twice.
    """
    if axis is None or (type(axis) is int and -ndim <= axis < ndim):
        return axis
    axes = normalize_axes(op, axis, ndim)
    return axes if isinstance(axis, tuple | list) else axes[0]


def kept_shape(shape: tuple[int, ...], axis) -> tuple[int, ...]:
    """The shape with the reduced axes kept as 1; `axis` is None, an int or ints."""
    if axis is None:
        return (1,) * len(shape)
    kept = list(shape)
    for a in (axis,) if isinstance(axis, int) else axis:
        kept[a] = 1
    return tuple(kept)


def reduced_shape(shape: tuple[int, ...], axis, keepdims=False) -> tuple[int, ...]:
    """The shape of the result of a reduction."""
    if keepdims:
        return kept_shape(shape, axis)
    if axis is None:
        return ()
    gone = [a % len(shape) for a in ((axis,) if isinstance(axis, int) else axis)]
    return tuple([n for i, n in enumerate(shape) if i not in gone])


def count(shape: tuple[int, ...], axis) -> int:
    """How many elements are reduced to one."""
    if axis is None:
        return math.prod(shape)
    return shape[axis] if isinstance(axis, int) else math.prod([shape[a] for a in axis])


def spread(be, dy, shape: tuple[int, ...], axis):
    """The reduced array `dy` stretched over the reduced axes again."""
    dx = be.empty(shape, dy.dtype)
    be.copyto(dx, dy.reshape(kept_shape(shape, axis)))
    return dx


def wide(x):
    """Half floats as float32, which is what they are accumulated in; other floats as they are."""
    return x if x.dtype.itemsize > 2 else x.astype(np.float32)


def narrow(y, dtype):
    """The array in a dtype; itself where it has it."""
    return y if y.dtype == dtype else y.astype(dtype)


def total(be, x, axis, keepdims=False):
    """The sum of a float32 or float64 array over axes; of short rows, a product with ones."""
    if x.ndim == 1 and not keepdims and 0 < x.size <= LONG:
        return be.dot(x, be.ones(x.size, x.dtype))
    if type(axis) is int and x.ndim > 1 and 0 < (n := x.shape[axis]) <= LONG:
        if x.ndim == 2:
            ones = be.ones(n, x.dtype)
            if axis in (0, -2):
                y = be.dot(ones, x)
                return y[None] if keepdims else y
            y = be.dot(x, ones)
            return y[:, None] if keepdims else y
        if axis in (-1, x.ndim - 1) and x.flags.c_contiguous and x.size:
            y = be.dot(x.reshape(-1, n), be.ones(n, x.dtype)).reshape(x.shape[:-1])
            return y[..., None] if keepdims else y
    return x.sum(axis, keepdims=keepdims)


def _sum_dtype(dtype):
    """What integers are summed in: 32 bits, signed as they are, or 64 if they have them."""
    if dtype.itemsize == 8:
        return dtype
    return np.dtype("uint32" if dtype.kind == "u" else "int32")


@primitive
def sum(be, x, /, axis=None, keepdims=False):
    """The sum of the elements along axes.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The sums, of the dtype of x (short integers and booleans: int32 or uint32).

    Raises:
        ShapeError: if an axis is out of range.

    Source: `keras.ops.sum`.

    >>> gpunn.ops.sum([[1, 2], [3, 4]], axis=0).numpy()
    array([4, 6], dtype=int32)
    """
    axis = checked_axis("sum", axis, x.ndim)
    if not is_float(x.dtype):
        return x.sum(axis, dtype=_sum_dtype(x.dtype), keepdims=keepdims), None
    y = narrow(total(be, wide(x), axis, keepdims), x.dtype)
    shape = x.shape

    def pullback(dy, needs):
        return (spread(be, dy, shape, axis),)

    return y, pullback


@primitive(promote="float")
def mean(be, x, /, axis=None, keepdims=False):
    """The arithmetic mean of the elements along axes.

    Args:
        x: tensor of any shape; integers become floats.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The means, a float; of no elements at all NaN.

    Raises:
        ShapeError: if an axis is out of range.

    Source: `keras.ops.mean`.

    >>> gpunn.ops.mean([[1, 2], [3, 4]], axis=1).numpy()
    array([1.5, 3.5], dtype=float32)
    """
    axis = checked_axis("mean", axis, x.ndim)
    y = total(be, wide(x), axis, keepdims)
    shape = x.shape
    n = count(shape, axis) or math.nan

    def pullback(dy, needs):
        return (spread(be, dy / n, shape, axis),)

    return narrow(y / n, x.dtype), pullback


def average(x, axis=None, weights=None):
    """The weighted mean of the elements along axes.

    Args:
        x: tensor of any shape; integers become floats.
        axis: an axis or a tuple of axes. Default: all.
        weights: tensor of the shape of x, or of length `x.shape[axis]`. Default: all equal.

    Returns:
        sum(x * weights) / sum(weights), a float.

    Raises:
        ShapeError: if the weights fit neither x nor the axis.

    Source: `keras.ops.average`.

    >>> gpunn.ops.average([1.0, 2.0, 6.0], weights=[1.0, 1.0, 2.0]).numpy()
    array(3.75, dtype=float32)
    """
    if weights is None:
        return mean(x, axis)
    x, weights = convert(x), convert(weights)
    if weights.shape != x.shape:
        if weights.ndim != 1 or not isinstance(axis, int) or len(weights) != x.shape[axis]:
            raise ShapeError(
                f"average: expected weights of the shape of x {x.shape}, or a vector as long as "
                f"axis {axis} of it; got {weights.shape}"
            )
        shape = [1] * x.ndim
        shape[axis] = -1
        weights = multiply(weights.reshape(shape), convert(1.0).to(x.dtype))
    return divide(sum(multiply(x, weights), axis), sum(weights, axis))


@primitive
def prod(be, x, /, axis=None, keepdims=False, dtype=None):
    """The product of the elements along axes; its gradient is right where elements are 0, too.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.
        dtype: what to multiply in and return. Default: that of x (short integers: int32).

    Returns:
        The products; of no elements 1.

    Raises:
        ShapeError: if an axis is out of range.

    Source: `keras.ops.prod`.

    >>> gpunn.ops.prod([[1, 2], [3, 4]], axis=0).numpy()
    array([3, 8], dtype=int32)
    """
    axis = checked_axis("prod", axis, x.ndim)
    if dtype is None:
        dtype = x.dtype if is_float(x.dtype) else _sum_dtype(x.dtype)
    w = narrow(x, standardize(dtype))
    w = wide(w) if is_float(w.dtype) else w
    y = narrow(w.prod(axis, keepdims=keepdims), standardize(dtype))

    def pullback(dy, needs):
        return (dy.reshape(kept_shape(w.shape, axis)) * _product_of_others(be, w, axis),)

    return y, pullback


def _product_of_others(be, x, axis):
    """For each element the product of the others along the axes: from the left, and the right."""
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = [a % x.ndim for a in axes]
    order = [a for a in range(x.ndim) if a not in axes] + axes
    moved = x.transpose(order)
    rows = moved.reshape(math.prod(moved.shape[: x.ndim - len(axes)]), count(x.shape, axes))
    left, right = be.empty(rows.shape, x.dtype), be.empty(rows.shape, x.dtype)
    left[:, :1] = 1
    right[:, -1:] = 1
    left[:, 1:] = be.xp.cumprod(rows[:, :-1], axis=1)
    right[:, :-1] = be.xp.cumprod(rows[:, :0:-1], axis=1)[:, ::-1]
    back = sorted(range(x.ndim), key=order.__getitem__)
    return (left * right).reshape(moved.shape).transpose(back)


@primitive(promote="float")
def logsumexp(be, x, /, axis=None, keepdims=False):
    """The logarithm of the sum of exponentials along axes, without overflow.

        log(sum(e^x)) = m + log(sum(e^(x - m))),  m = max(x)

    Args:
        x: tensor of any shape; integers become floats.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        A float tensor; of nothing but -inf it is -inf, with gradient 0.

    Raises:
        ShapeError: if an axis is out of range or has no elements.

    Source: `keras.ops.logsumexp`.

    >>> gpunn.ops.logsumexp([1000.0, 1000.0]).numpy().round(2)
    np.float32(1000.69)
    """
    xp, axis = be.xp, checked_axis("logsumexp", axis, x.ndim)
    w = wide(x)
    largest = xp.finfo(w.dtype).max.item()
    m = w.max(axis=axis, keepdims=True)
    e = xp.exp(xp.minimum(w, largest) - m.clip(-largest, largest))
    s = total(be, e, axis, keepdims=True)
    s = s + (s == 0)  # of nothing but -inf: m alone says it
    y = xp.log(s) + m
    y = y if keepdims else y.reshape(reduced_shape(x.shape, axis))

    def pullback(dy, needs):
        return (wide(dy).reshape(m.shape) * (e / s),)

    return narrow(y, x.dtype), pullback

"""The largest, the smallest, where they are, and what is true along axes."""

import numpy as np

from gpunn.autograd import primitive
from gpunn.errors import ShapeError
from gpunn.ops.arithmetic import subtract
from gpunn.ops.reduction import checked_axis, count, kept_shape, reduced_shape

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "max",
    "min",
    "ptp",
]


@primitive
def max(be, x, /, axis=None, keepdims=False, initial=None):
    """The largest element along axes; the gradient goes to all that reach it, in equal parts.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.
        initial: a number the result is at least; needed if there are no elements.

    Returns:
        The maxima, of the dtype of x; NaN where there is a NaN.

    Raises:
        ShapeError: if an axis is out of range, or of no elements without `initial`.

    Source: `keras.ops.max`.

    >>> gpunn.ops.max([[1, 4], [3, 2]], axis=1).numpy()
    array([4, 3], dtype=int32)
    """
    return _extreme(be, x, "max", be.xp.maximum, axis, keepdims, initial)


@primitive
def min(be, x, /, axis=None, keepdims=False, initial=None):
    """The smallest element along axes; the gradient goes to all that reach it, in equal parts.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.
        initial: a number the result is at most; needed if there are no elements.

    Returns:
        The minima, of the dtype of x; NaN where there is a NaN.

    Raises:
        ShapeError: if an axis is out of range, or of no elements without `initial`.

    Source: `keras.ops.min`.

    >>> gpunn.ops.min([[1, 4], [3, 2]], axis=1).numpy()
    array([1, 2], dtype=int32)
    """
    return _extreme(be, x, "min", be.xp.minimum, axis, keepdims, initial)


def _extreme(be, x, name, better, axis, keepdims, initial):
    """max or min: the method of that name, and the ufunc that compares two."""
    axis = checked_axis(name, axis, x.ndim)
    if initial is not None and x.dtype.kind == "b":
        initial = bool(initial)  # a number would make numbers of them
    if count(x.shape, axis):
        y = getattr(x, name)(axis=axis, keepdims=keepdims)
        y = y if initial is None else better(y, initial)
    elif initial is None:
        raise ShapeError(
            f"{name}: no elements along axis {axis} of shape {x.shape}; give `initial`"
        )
    else:
        y = be.full(reduced_shape(x.shape, axis, keepdims), initial, x.dtype)

    def pullback(dy, needs):
        kept = kept_shape(x.shape, axis)
        reached = x == y.reshape(kept)
        n = reached.sum(axis, keepdims=True, dtype=dy.dtype)
        return (reached * (dy.reshape(kept) / be.xp.maximum(n, 1)),)

    return y, pullback


def amax(x, axis=None, keepdims=False):
    """The largest element along axes: `max` by another name.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The maxima, of the dtype of x.

    Source: `keras.ops.amax`.

    >>> gpunn.ops.amax([3, 1, 2]).item()
    3
    """
    return max(x, axis, keepdims)


def amin(x, axis=None, keepdims=False):
    """The smallest element along axes: `min` by another name.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        The minima, of the dtype of x.

    Source: `keras.ops.amin`.

    >>> gpunn.ops.amin([3, 1, 2]).item()
    1
    """
    return min(x, axis, keepdims)


def ptp(x, axis=None, keepdims=False):
    """The largest element minus the smallest, along axes.

    Args:
        x: tensor of any shape; not boolean.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        max(x) - min(x), of the dtype of x.

    Source: `keras.ops.ptp`.

    >>> gpunn.ops.ptp([3, 1, 7]).item()
    6
    """
    return subtract(max(x, axis, keepdims), min(x, axis, keepdims))


@primitive
def any(be, x, /, axis=None, keepdims=False):
    """Whether any element along axes is not zero.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        A boolean tensor; of no elements False.

    Source: `keras.ops.any`.

    >>> gpunn.ops.any([[0, 1], [0, 0]], axis=1).numpy()
    array([ True, False])
    """
    return x.astype(bool).any(checked_axis("any", axis, x.ndim), keepdims=keepdims), None


@primitive
def all(be, x, /, axis=None, keepdims=False):
    """Whether every element along axes is not zero.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.
        keepdims: whether the reduced axes stay, with size 1. Default: False.

    Returns:
        A boolean tensor; of no elements True.

    Source: `keras.ops.all`.

    >>> gpunn.ops.all([[0, 1], [2, 3]], axis=1).numpy()
    array([False,  True])
    """
    return x.astype(bool).all(checked_axis("all", axis, x.ndim), keepdims=keepdims), None


@primitive
def count_nonzero(be, x, /, axis=None):
    """How many elements along axes are not zero.

    Args:
        x: tensor of any shape.
        axis: an axis or a tuple of axes. Default: all.

    Returns:
        An int32 tensor.

    Source: `keras.ops.count_nonzero`.

    >>> gpunn.ops.count_nonzero([[0, 1], [2, 3]], axis=1).numpy()
    array([1, 2], dtype=int32)
    """
    return (x != 0).sum(checked_axis("count_nonzero", axis, x.ndim), dtype=np.int32), None


@primitive
def argmax(be, x, /, axis=None, keepdims=False):
    """The index of the largest element along an axis, the first of equal ones.

    Args:
        x: tensor of any shape.
        axis: the axis. Default: all elements, counted row by row.
        keepdims: whether the axis stays, with size 1. Default: False.

    Returns:
        An int32 tensor; a NaN counts as the largest.

    Raises:
        ShapeError: if the axis is out of range or has no elements.

    Source: `keras.ops.argmax`.

    >>> gpunn.ops.argmax([[1, 4, 4], [3, 2, 1]], axis=-1).numpy()
    array([1, 0], dtype=int32)
    """
    return x.argmax(axis, keepdims=keepdims).astype(np.int32), None


@primitive
def argmin(be, x, /, axis=None, keepdims=False):
    """The index of the smallest element along an axis, the first of equal ones.

    Args:
        x: tensor of any shape.
        axis: the axis. Default: all elements, counted row by row.
        keepdims: whether the axis stays, with size 1. Default: False.

    Returns:
        An int32 tensor; a NaN counts as the smallest.

    Raises:
        ShapeError: if the axis is out of range or has no elements.

    Source: `keras.ops.argmin`.

    >>> gpunn.ops.argmin([[1, 4, 4], [3, 1, 1]], axis=-1).numpy()
    array([0, 1], dtype=int32)
    """
    return x.argmin(axis, keepdims=keepdims).astype(np.int32), None

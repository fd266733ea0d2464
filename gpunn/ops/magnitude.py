"""The larger and the smaller of two, clipping, absolute value and sign."""

import numpy as np

from gpunn.autograd import primitive
from gpunn.errors import ArgumentError, DTypeError
from gpunn.ops.arithmetic import number

__all__ = [
    "abs",
    "absolute",
    "clip",
    "fabs",
    "fmax",
    "fmin",
    "heaviside",
    "maximum",
    "minimum",
    "sign",
]


def _share(dy, more, equal):
    """The gradient of the winner: all of dy where it won, half where it tied."""
    return dy * more + (0.5 * dy) * equal


@primitive(promote="same")
def maximum(be, x1, x2, /):
    """The larger of two tensors, element by element; a NaN in either gives NaN.

    The gradient goes to the larger one, half to each where they are equal.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        max(x1, x2), of the common shape and dtype.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.maximum`.

    >>> gpunn.ops.maximum([1, 5], [3, 4]).numpy()
    array([3, 5], dtype=int32)
    """

    def pullback(dy, needs):
        equal = x1 == x2
        dx1 = _share(dy, x1 > x2, equal) if needs[0] else None
        return dx1, _share(dy, x2 > x1, equal) if needs[1] else None

    return be.xp.maximum(x1, x2), pullback


@primitive(promote="same")
def minimum(be, x1, x2, /):
    """The smaller of two tensors, element by element; a NaN in either gives NaN.

    The gradient goes to the smaller one, half to each where they are equal.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        min(x1, x2), of the common shape and dtype.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.minimum`.

    >>> gpunn.ops.minimum([1, 5], [3, 4]).numpy()
    array([1, 4], dtype=int32)
    """

    def pullback(dy, needs):
        equal = x1 == x2
        dx1 = _share(dy, x1 < x2, equal) if needs[0] else None
        return dx1, _share(dy, x2 < x1, equal) if needs[1] else None

    return be.xp.minimum(x1, x2), pullback


@primitive(promote="same")
def fmax(be, x1, x2, /):
    """The larger of two tensors, element by element; a NaN loses against a number.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        The larger, of the common shape and dtype. Where they are equal the gradient is x2's.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.fmax`.

    >>> gpunn.ops.fmax([1.0, float("nan")], [3.0, 4.0]).numpy()
    array([3., 4.], dtype=float32)
    """

    def pullback(dy, needs):
        first = (x1 > x2) | (x2 != x2)
        return dy * first, dy * ~first

    return be.xp.fmax(x1, x2), pullback


@primitive(promote="same")
def fmin(be, x1, x2, /):
    """The smaller of two tensors, element by element; a NaN loses against a number.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        The smaller, of the common shape and dtype. Where they are equal the gradient is x2's.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.fmin`.

    >>> gpunn.ops.fmin([1.0, float("nan")], [3.0, 4.0]).numpy()
    array([1., 4.], dtype=float32)
    """

    def pullback(dy, needs):
        first = (x1 < x2) | (x2 != x2)
        return dy * first, dy * ~first

    return be.xp.fmin(x1, x2), pullback


def clip(x, x_min, x_max):
    """Each element kept between two bounds; NaN stays NaN.

    The gradient is that of x where x lies between the bounds or on one of them, else 0.

    Args:
        x: tensor of any shape.
        x_min: lower bound, a scalar or a tensor that broadcasts; None: no bound.
        x_max: upper bound, likewise; where it is below `x_min` the result is `x_max`.

    Returns:
        min(max(x, x_min), x_max), of the common dtype (of booleans: int32).

    Raises:
        ArgumentError: if both bounds are None.

    Source: `keras.ops.clip`.

    >>> gpunn.ops.clip([-1, 0.5, 2], 0, 1).numpy()
    array([0. , 0.5, 1. ], dtype=float32)
    """
    if x_min is None and x_max is None:
        raise ArgumentError("clip: both bounds are None; give x_min, x_max or both")
    numbers = isinstance(x_min, int | float) and isinstance(x_max, int | float)
    if numbers and x_min <= x_max:
        return _clip_between(x, x_min, x_max)
    return _clip(x, x_min, x_max)


def _ordered(x):
    """Numbers that can be compared with bounds."""
    x = number(x)
    if getattr(x, "dtype", np.dtype(float)).kind == "c":
        raise DTypeError("clip: complex numbers have no order: clip their `real` and `imag`")
    return x


@primitive(promote="same")
def _clip_between(be, x, x_min, x_max, /):
    """clip with two numbers in order."""
    x = _ordered(x)

    def pullback(dy, needs):
        return dy * ((x >= x_min) & (x <= x_max)), None, None

    return x.clip(x_min, x_max), pullback


@primitive(promote="same")
def _clip(be, x, x_min, x_max, /):
    """max and min in one; a bound's gradient is that of x where it holds."""
    x = _ordered(x)
    y = x if x_min is None else be.xp.maximum(x, x_min)
    high = False if x_max is None else x_max < y
    low = False if x_min is None else (x < x_min) & be.xp.logical_not(high)

    def pullback(dy, needs):
        dx = dy * (be.xp.logical_not(low) & be.xp.logical_not(high))
        return dx, dy * low if needs[1] else None, dy * high if needs[2] else None

    return y if x_max is None else be.xp.minimum(y, x_max), pullback


@primitive
def absolute(be, x, /):
    """The absolute value of each element; its gradient at 0 is 0.

    Args:
        x: tensor of any shape.

    Returns:
        |x|, of the dtype of x.

    Source: `keras.ops.absolute`.

    >>> gpunn.ops.absolute([-1.5, 2.0]).numpy()
    array([1.5, 2. ], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy * be.xp.sign(x),)

    return be.xp.absolute(x), pullback


def abs(x):
    """The absolute value of each element: `absolute` by its short name.

    Args:
        x: tensor of any shape.

    Returns:
        |x|, of the dtype of x.

    Source: `keras.ops.abs`.

    >>> gpunn.ops.abs([-1, 2]).numpy()
    array([1, 2], dtype=int32)
    """
    return absolute(x)


@primitive(promote="float")
def fabs(be, x, /):
    """The absolute value of each element as a float; its gradient at 0 is 0.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        |x|, a float.

    Source: `keras.ops.fabs`.

    >>> gpunn.ops.fabs([-1, 2]).numpy()
    array([1., 2.], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy * be.xp.sign(x),)

    return be.xp.absolute(x), pullback


@primitive
def sign(be, x, /):
    """-1, 0 or 1: the sign of each element; its gradient is 0.

    Args:
        x: tensor of any shape; not boolean.

    Returns:
        The signs, of the dtype of x.

    Raises:
        DTypeError: if it is boolean.

    Source: `keras.ops.sign`.

    >>> gpunn.ops.sign([-5.0, 0.0, 2.0]).numpy()
    array([-1.,  0.,  1.], dtype=float32)
    """

    def pullback(dy, needs):
        return (be.zeros(dy.shape, dy.dtype),)

    if x.dtype.kind == "b":
        raise DTypeError("sign: expected numbers, got bool; cast it first")
    return be.xp.sign(x), pullback


@primitive(promote="float")
def heaviside(be, x1, x2, /):
    """The step function: 0 below 0, 1 above, and a value of your choice at 0; its gradient is 0.

    Args:
        x1: tensor of any shape.
        x2: what a zero gives: a tensor or scalar that broadcasts.

    Returns:
        0 where x1 < 0, x2 where x1 is 0, 1 where x1 > 0.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.heaviside`.

    >>> gpunn.ops.heaviside([-1.0, 0.0, 2.0], 0.5).numpy()
    array([0. , 0.5, 1. ], dtype=float32)
    """

    def pullback(dy, needs):
        return be.zeros(dy.shape, dy.dtype), dy * (x1 == 0) if needs[1] else None

    return be.xp.heaviside(x1, x2), pullback

"""Numbers in a row: arange, linspace, logspace, geomspace, vander."""

import math

import numpy as np

from gpunn.autograd import cast, convert, primitive, wrap
from gpunn.backend import get_backend
from gpunn.backend.dtypes import is_float, result_type, standardize
from gpunn.errors import ArgumentError, ShapeError
from gpunn.ops.arithmetic import divide, multiply, power, subtract
from gpunn.ops.creation import ones_like, zeros
from gpunn.ops.joining import stack
from gpunn.ops.rounding import floor
from gpunn.ops.shaping import moveaxis, normalize_axis

__all__ = ["arange", "geomspace", "linspace", "logspace", "vander"]


def arange(start, stop=None, step=None, dtype=None):
    """The numbers from `start` up to, not including, `stop`.

    Args:
        start: the first number; the end if `stop` is None, and then the first is 0.
        stop: the end.
        step: from one to the next. Default: 1.
        dtype: Default: int32 for ints, `floatx` for floats, else that of the arguments.

    Returns:
        A vector on the current device.

    Raises:
        ArgumentError: if the step is 0.

    Source: `keras.ops.arange`.

    >>> gpunn.ops.arange(1, 7, 2).numpy()
    array([1, 3, 5], dtype=int32)
    """
    given = [x for x in (start, stop, step) if x is not None]
    if dtype is None:
        dtype = result_type(*(getattr(x, "dtype", type(x)) for x in given))
    start, stop, step = (x.item() if hasattr(x, "item") else x for x in (start, stop, step))
    if step == 0:
        raise ArgumentError("arange: the step must not be 0")
    if stop is None:
        start, stop = 0, start
    dtype = standardize(dtype)
    wide = np.float64 if is_float(dtype) else None
    numbers = get_backend().xp.arange(start, stop, 1 if step is None else step, dtype=wide)
    return wrap(numbers.astype(dtype))


def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    """`num` numbers at equal distances from `start` to `stop`.

    Args:
        start: the first number, or a tensor of them.
        stop: the last.
        num: how many. Default: 50.
        endpoint: whether `stop` is the last number, not the one after. Default: True.
        retstep: whether to return the distance too. Default: False.
        dtype: Default: the float of the arguments; integers are rounded down.
        axis: where the numbers' axis stands, for tensors. Default: first.

    Returns:
        A tensor, or the tensor and the distance.

    Raises:
        ArgumentError: if `num` is negative.

    Source: `keras.ops.linspace`.

    >>> gpunn.ops.linspace(0, 1, 5).numpy().tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    if num < 0:
        raise ArgumentError(f"linspace: num must be at least 0, got {num}")
    common = result_type(*(getattr(x, "dtype", type(x)) for x in (start, stop)), float)
    wanted = common if dtype is None else standardize(dtype)
    wide = wanted if is_float(wanted) else np.dtype("float64")
    start, stop = convert(start, wide), convert(stop, wide)
    y = _spaced(start, stop, num=num, steps=max(num - 1 if endpoint else num, 1), axis=axis)
    y = y if wanted == wide else cast(floor(y), wanted)
    if not retstep:
        return y
    steps = num - 1 if endpoint else num
    return y, divide(subtract(stop, start), steps if steps > 0 else math.nan)


@primitive
def _spaced(be, start, stop, /, num, steps, axis):
    ndim = max(start.ndim, stop.ndim)
    dtype = start.dtype
    key = ("fractions", num, steps, dtype.char)
    line = be.const(key, lambda be: (be.xp.arange(num) / steps).astype(dtype))
    right = line.reshape((num,) + (1,) * ndim)
    left = 1 - right
    place = normalize_axis("linspace", axis, ndim + 1)
    order = [*range(1, place + 1), 0, *range(place + 1, ndim + 1)]
    y = start * left + stop * right

    def pullback(dy, needs):
        dy = dy.transpose(place, *(a for a in range(dy.ndim) if a != place))
        return (
            (dy * left).sum(0) if needs[0] else None,
            (dy * right).sum(0) if needs[1] else None,
        )

    return y.transpose(order), pullback


def logspace(start, stop, num=50, endpoint=True, base=10, dtype=None, axis=0):
    """Powers of a base whose exponents lie at equal distances.

    Args:
        start: the first exponent.
        stop: the last exponent.
        num: how many. Default: 50.
        endpoint: whether `stop` is the last exponent, not the one after. Default: True.
        base: Default: 10.
        dtype: Default: the float of the arguments.
        axis: where the numbers' axis stands, for tensors. Default: first.

    Returns:
        A tensor of `base ** linspace(start, stop, num)`.

    Raises:
        ArgumentError: if `num` is negative.

    Source: `keras.ops.logspace`.

    >>> gpunn.ops.logspace(0, 2, 3).numpy().round(3).tolist()
    [1.0, 10.0, 100.0]
    """
    wide = dtype if dtype is not None and is_float(standardize(dtype)) else None
    y = power(base, linspace(start, stop, num, endpoint, dtype=wide, axis=axis))
    return y if dtype is None else cast(y, dtype)


def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """`num` numbers from `start` to `stop`, each the same multiple of the one before.

    Args:
        start: the first number, not 0.
        stop: the last, of the same sign.
        num: how many. Default: 50.
        endpoint: whether `stop` is the last number, not the one after. Default: True.
        dtype: Default: the float of the arguments.
        axis: where the numbers' axis stands, for tensors. Default: first.

    Returns:
        A tensor.

    Raises:
        ArgumentError: if `num` is negative.

    Source: `keras.ops.geomspace`.

    >>> gpunn.ops.geomspace(1, 8, 4).numpy().round(3).tolist()
    [1.0, 2.0, 4.0, 8.0]
    """
    common = result_type(*(getattr(x, "dtype", type(x)) for x in (start, stop)), float)
    wanted = common if dtype is None else standardize(dtype)
    wide = wanted if is_float(wanted) else common
    start, stop = convert(start, wide), convert(stop, wide)
    zero = multiply(start, 0)
    exponents = linspace(zero, ones_like(multiply(start, stop)), num, endpoint, axis=0)
    y = multiply(start, power(divide(stop, start), exponents))
    if axis:
        y = moveaxis(y, 0, axis)
    return y if wanted == wide else cast(y, wanted)


def vander(x, N=None, increasing=False):
    """The powers of the values of a vector, one in each column.

    Args:
        x: vector of n values.
        N: number of columns. Default: n.
        increasing: whether the powers rise from left to right. Default: False.

    Returns:
        A matrix of shape (n, N).

    Raises:
        ShapeError: if x is not a vector.
        ArgumentError: if N is negative.

    Source: `keras.ops.vander`.

    >>> gpunn.ops.vander([1, 2], 3).numpy().tolist()
    [[1, 1, 1], [4, 2, 1]]
    """
    x = convert(x)
    if x.ndim != 1:
        raise ShapeError(f"vander: expected a vector, got shape {x.shape}")
    n = x.shape[0] if N is None else N
    if n < 0:
        raise ArgumentError(f"vander: N must be at least 0, got {N}")
    if n == 0:
        return zeros((x.shape[0], 0), x.dtype)
    powers = [ones_like(x)]
    while len(powers) < n:
        powers.append(multiply(powers[-1], x))
    return stack(powers if increasing else powers[::-1], 1)

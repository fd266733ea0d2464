"""Exponentials and logarithms."""

import math

from gpunn.autograd import primitive
from gpunn.backend.dtypes import finfo

__all__ = [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
]

LOG_2 = math.log(2.0)


@primitive(promote="float")
def exp(be, x, /):
    """e to the power of each element.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        e^x, of the shape of x.

    Source: `keras.ops.exp`.

    >>> gpunn.ops.exp([0, 1]).numpy().round(4)
    array([1.    , 2.7183], dtype=float32)
    """
    y = be.xp.exp(x)

    def pullback(dy, needs):
        return (dy * y,)

    return y, pullback


@primitive(promote="float")
def exp2(be, x, /):
    """Two to the power of each element.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        2^x, of the shape of x.

    Source: `keras.ops.exp2`.

    >>> gpunn.ops.exp2([0, 3]).numpy()
    array([1., 8.], dtype=float32)
    """
    y = be.xp.exp2(x)

    def pullback(dy, needs):
        return (dy * (LOG_2 * y),)

    return y, pullback


@primitive(promote="float")
def expm1(be, x, /):
    """e to the power of each element, minus one; exact for small ones too.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        e^x - 1, of the shape of x.

    Source: `keras.ops.expm1`.

    >>> gpunn.ops.expm1([0.0, 1.0]).numpy().round(4)
    array([0.    , 1.7183], dtype=float32)
    """
    y = be.xp.expm1(x)

    def pullback(dy, needs):
        return (dy * (y + 1),)

    return y, pullback


@primitive(promote="float")
def log(be, x, /):
    """The natural logarithm of each element.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        log(x): -inf at 0, NaN where x is negative.

    Source: `keras.ops.log`.

    >>> gpunn.ops.log([1.0, 2.0]).numpy().round(4)
    array([0.    , 0.6931], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy / x,)

    return be.xp.log(x), pullback


@primitive(promote="float")
def log1p(be, x, /):
    """The natural logarithm of one plus each element; exact for small ones too.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        log(1 + x), of the shape of x.

    Source: `keras.ops.log1p`.

    >>> gpunn.ops.log1p([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.6931], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy / (x + 1),)

    return be.xp.log1p(x), pullback


@primitive(promote="float")
def log2(be, x, /):
    """The logarithm of each element to the base 2.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        log2(x), of the shape of x.

    Source: `keras.ops.log2`.

    >>> gpunn.ops.log2([1, 8]).numpy()
    array([0., 3.], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy / (LOG_2 * x),)

    return be.xp.log2(x), pullback


@primitive(promote="float")
def log10(be, x, /):
    """The logarithm of each element to the base 10.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        log10(x), of the shape of x.

    Source: `keras.ops.log10`.

    >>> gpunn.ops.log10([1, 10]).numpy()
    array([0., 1.], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy / (math.log(10.0) * x),)

    return be.xp.log10(x), pullback


@primitive(promote="float")
def logaddexp(be, x1, x2, /):
    """The logarithm of the sum of two exponentials, without overflow.

        log(e^x1 + e^x2) = max(x1, x2) + log(1 + e^-|x1 - x2|)

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        log(e^x1 + e^x2); of two -inf it is -inf, with gradient 0.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.logaddexp`.

    >>> gpunn.ops.logaddexp([0.0, 1000.0], [0.0, 1001.0]).numpy().round(2)
    array([6.90000e-01, 1.00131e+03], dtype=float32)
    """
    return _log_sum(be, x1, x2, 1.0)


@primitive(promote="float")
def logaddexp2(be, x1, x2, /):
    """The logarithm to the base 2 of the sum of two powers of 2, without overflow.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        log2(2^x1 + 2^x2); of two -inf it is -inf, with gradient 0.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.logaddexp2`.

    >>> gpunn.ops.logaddexp2([1.0, 2000.0], [1.0, 2000.0]).numpy()
    array([2.000e+00, 2.001e+03], dtype=float32)
    """
    return _log_sum(be, x1, x2, LOG_2)


def _log_sum(be, x1, x2, unit):
    """log(b^x1 + b^x2) to the base b = e^unit, and its pullback."""
    xp = be.xp
    high = xp.maximum(x1, x2)
    largest = float(finfo(high.dtype).max)

    finite = high.clip(-largest, largest)

    def term(x):
        """e^x over the larger of the two: 1, or less; 0 where both are 0."""
        return xp.exp(unit * (xp.minimum(x, largest) - finite))

    other = term(xp.minimum(x1, x2))
    y = high + xp.log1p(other) / unit

    def pullback(dy, needs):
        scale = dy / (1 + other)
        return tuple(scale * term(x) if need else None for x, need in zip((x1, x2), needs))

    return y, pullback

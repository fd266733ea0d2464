"""Squares, roots and lengths."""

from gpunn.autograd import primitive
from gpunn.ops.arithmetic import number

__all__ = ["cbrt", "hypot", "rsqrt", "sqrt", "square"]


@primitive
def square(be, x, /):
    """Each element times itself.

    Args:
        x: tensor of any shape.

    Returns:
        x * x, of the same dtype (of booleans: int32).

    Source: `keras.ops.square`.

    >>> gpunn.ops.square([1.0, -3.0]).numpy()
    array([1., 9.], dtype=float32)
    """
    x = number(x)

    def pullback(dy, needs):
        return (dy * (x + x),)

    return x * x, pullback


@primitive(promote="float")
def sqrt(be, x, /):
    """The square root of each element: `dx = dy / (2 sqrt(x))`.

    Where dy is 0 so is dx, at x = 0 too.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        sqrt(x), NaN where x is negative.

    Source: `keras.ops.sqrt`.

    >>> gpunn.ops.sqrt([1, 4]).numpy()
    array([1., 2.], dtype=float32)
    """
    y = be.xp.sqrt(x)

    def pullback(dy, needs):
        return (dy / (y + y + (dy == 0)),)

    return y, pullback


@primitive(promote="float")
def rsqrt(be, x, /):
    """One over the square root of each element.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        1 / sqrt(x).

    Source: `keras.ops.rsqrt`.

    >>> gpunn.ops.rsqrt([1.0, 4.0]).numpy()
    array([1. , 0.5], dtype=float32)
    """
    y = 1 / be.xp.sqrt(x)

    def pullback(dy, needs):
        return (dy * (-0.5 * (y / x)),)

    return y, pullback


@primitive(promote="float")
def cbrt(be, x, /):
    """The cube root of each element; of a negative one it is negative.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        The real cube root of x.

    Source: `keras.ops.cbrt`.

    >>> gpunn.ops.cbrt([8.0, -1.0]).numpy()
    array([ 2., -1.], dtype=float32)
    """
    y = be.xp.cbrt(x)

    def pullback(dy, needs):
        return (dy / (3 * (y * y) + (dy == 0)),)

    return y, pullback


@primitive(promote="float")
def hypot(be, x1, x2, /):
    """The hypotenuse of two legs, without overflow on the way; its gradient at (0, 0) is 0.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        sqrt(x1^2 + x2^2).

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.hypot`.

    >>> gpunn.ops.hypot([3.0], [4.0]).numpy()
    array([5.], dtype=float32)
    """
    y = be.xp.hypot(x1, x2)

    def pullback(dy, needs):
        scale = dy / (y + (y == 0))
        return scale * x1, scale * x2

    return y, pullback

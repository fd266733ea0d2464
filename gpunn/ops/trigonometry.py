"""Trigonometric functions, their inverses, and angles."""

import math

from gpunn.autograd import primitive

__all__ = [
    "arccos",
    "arcsin",
    "arctan",
    "arctan2",
    "cos",
    "deg2rad",
    "rad2deg",
    "sin",
    "sinc",
    "tan",
]


@primitive(promote="float")
def sin(be, x, /):
    """The sine of each element, an angle in radians.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        sin(x), of the shape of x.

    Source: `keras.ops.sin`.

    >>> gpunn.ops.sin([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.8415], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy * be.xp.cos(x),)

    return be.xp.sin(x), pullback


@primitive(promote="float")
def cos(be, x, /):
    """The cosine of each element, an angle in radians.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        cos(x), of the shape of x.

    Source: `keras.ops.cos`.

    >>> gpunn.ops.cos([0.0, 1.0]).numpy().round(4)
    array([1.    , 0.5403], dtype=float32)
    """

    def pullback(dy, needs):
        return (-dy * be.xp.sin(x),)

    return be.xp.cos(x), pullback


@primitive(promote="float")
def tan(be, x, /):
    """The tangent of each element, an angle in radians.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        tan(x), of the shape of x.

    Source: `keras.ops.tan`.

    >>> gpunn.ops.tan([0.0, 1.0]).numpy().round(4)
    array([0.    , 1.5574], dtype=float32)
    """
    y = be.xp.tan(x)

    def pullback(dy, needs):
        return (dy * (1 + y * y),)

    return y, pullback


@primitive(promote="float")
def arcsin(be, x, /):
    """The angle whose sine is each element.

    Args:
        x: tensor of any shape, from -1 to 1; integers become floats.

    Returns:
        Radians from -pi/2 to pi/2, NaN where |x| > 1.

    Source: `keras.ops.arcsin`.

    >>> gpunn.ops.arcsin([0.0, 1.0]).numpy().round(4)
    array([0.    , 1.5708], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy / be.xp.sqrt((1 - x) * (1 + x)),)

    return be.xp.arcsin(x), pullback


@primitive(promote="float")
def arccos(be, x, /):
    """The angle whose cosine is each element.

    Args:
        x: tensor of any shape, from -1 to 1; integers become floats.

    Returns:
        Radians from 0 to pi, NaN where |x| > 1.

    Source: `keras.ops.arccos`.

    >>> gpunn.ops.arccos([0.0, 1.0]).numpy().round(4)
    array([1.5708, 0.    ], dtype=float32)
    """

    def pullback(dy, needs):
        return (-dy / be.xp.sqrt((1 - x) * (1 + x)),)

    return be.xp.arccos(x), pullback


@primitive(promote="float")
def arctan(be, x, /):
    """The angle whose tangent is each element.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        Radians from -pi/2 to pi/2.

    Source: `keras.ops.arctan`.

    >>> gpunn.ops.arctan([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.7854], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy / (1 + x * x),)

    return be.xp.arctan(x), pullback


@primitive(promote="float")
def arctan2(be, x1, x2, /):
    """The angle of the point (x2, x1), in all four quadrants; its gradient at (0, 0) is 0.

    Args:
        x1: the ordinates, a tensor or scalar.
        x2: the abscissas, a tensor or scalar whose shape broadcasts.

    Returns:
        Radians from -pi to pi.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.arctan2`.

    >>> gpunn.ops.arctan2([1.0, -1.0], [-1.0, 1.0]).numpy().round(4)
    array([ 2.3562, -0.7854], dtype=float32)
    """

    def pullback(dy, needs):
        radius = be.xp.hypot(x1, x2)
        radius = radius + (radius == 0)
        turn = dy / radius
        return turn * (x2 / radius), -turn * (x1 / radius)

    return be.xp.arctan2(x1, x2), pullback


@primitive(promote="float")
def sinc(be, x, /):
    """The normalised sinc of each element, `sin(pi x) / (pi x)`, and 1 at 0.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A tensor of the shape of x.

    Source: `keras.ops.sinc`.

    >>> gpunn.ops.sinc([0.0, 0.5]).numpy().round(4)
    array([1.    , 0.6366], dtype=float32)
    """
    xp = be.xp
    angle = math.pi * x
    zero = x == 0
    y = xp.where(zero, 1, xp.sin(angle) / xp.where(zero, 1, angle))

    def pullback(dy, needs):
        # (cos - sinc) / x loses its digits near 0: Taylor's series there
        z = angle * angle
        near = -1 / 3 + z * (1 / 30 + z * (-1 / 840 + z * (1 / 45360 - z / 3991680)))
        far = (xp.cos(angle) - y) / xp.where(zero, 1, x)
        return (dy * xp.where(xp.absolute(x) < 0.1, (math.pi * angle) * near, far),)

    return y, pullback


@primitive(promote="float")
def deg2rad(be, x, /):
    """Degrees to radians.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        x pi / 180.

    Source: `keras.ops.deg2rad`.

    >>> gpunn.ops.deg2rad([0, 180]).numpy().round(4)
    array([0.    , 3.1416], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy * (math.pi / 180),)

    return x * (math.pi / 180), pullback


@primitive(promote="float")
def rad2deg(be, x, /):
    """Radians to degrees.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        x 180 / pi.

    Source: `keras.ops.rad2deg`.

    >>> gpunn.ops.rad2deg([0.0, 1.0]).numpy().round(4)
    array([ 0.    , 57.2958], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy * (180 / math.pi),)

    return x * (180 / math.pi), pullback

"""Hyperbolic functions and their inverses."""

from gpunn.autograd import primitive

__all__ = ["arccosh", "arcsinh", "arctanh", "cosh", "sinh", "tanh"]


@primitive(promote="float")
def sinh(be, x, /):
    """The hyperbolic sine of each element.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        (e^x - e^-x) / 2, of the shape of x.

    Source: `keras.ops.sinh`.

    >>> gpunn.ops.sinh([0.0, 1.0]).numpy().round(4)
    array([0.    , 1.1752], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy * be.xp.cosh(x),)

    return be.xp.sinh(x), pullback


@primitive(promote="float")
def cosh(be, x, /):
    """The hyperbolic cosine of each element.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        (e^x + e^-x) / 2, of the shape of x.

    Source: `keras.ops.cosh`.

    >>> gpunn.ops.cosh([0.0, 1.0]).numpy().round(4)
    array([1.    , 1.5431], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy * be.xp.sinh(x),)

    return be.xp.cosh(x), pullback


@primitive(promote="float")
def tanh(be, x, /):
    """The hyperbolic tangent of each element: `dx = dy (1 - tanh(x)^2)`.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        (e^x - e^-x) / (e^x + e^-x), between -1 and 1.

    Source: `keras.ops.tanh`.

    >>> gpunn.ops.tanh([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.7616], dtype=float32)
    """
    y = be.xp.tanh(x)

    def pullback(dy, needs):
        return (dy * (1 - y * y),)

    return y, pullback


@primitive(promote="float")
def arcsinh(be, x, /):
    """The inverse of the hyperbolic sine.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        log(x + sqrt(x^2 + 1)), of the shape of x.

    Source: `keras.ops.arcsinh`.

    >>> gpunn.ops.arcsinh([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.8814], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy / be.xp.hypot(x, 1.0),)

    return be.xp.arcsinh(x), pullback


@primitive(promote="float")
def arccosh(be, x, /):
    """The inverse of the hyperbolic cosine.

    Args:
        x: tensor of any shape, from 1 up; integers become floats.

    Returns:
        log(x + sqrt(x^2 - 1)), NaN where x < 1.

    Source: `keras.ops.arccosh`.

    >>> gpunn.ops.arccosh([1.0, 2.0]).numpy().round(4)
    array([0.   , 1.317], dtype=float32)
    """

    def pullback(dy, needs):
        sqrt = be.xp.sqrt
        return (dy / (sqrt(x - 1) * sqrt(x + 1)),)

    return be.xp.arccosh(x), pullback


@primitive(promote="float")
def arctanh(be, x, /):
    """The inverse of the hyperbolic tangent.

    Args:
        x: tensor of any shape, from -1 to 1; integers become floats.

    Returns:
        log((1 + x) / (1 - x)) / 2, NaN where |x| > 1.

    Source: `keras.ops.arctanh`.

    >>> gpunn.ops.arctanh([0.0, 0.5]).numpy().round(4)
    array([0.    , 0.5493], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy / ((1 - x) * (1 + x)),)

    return be.xp.arctanh(x), pullback

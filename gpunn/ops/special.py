"""Special functions: the error function and its relatives, and Bessel's I0."""

import math

from gpunn.autograd import primitive
from gpunn.ops.reduction import narrow

__all__ = ["erf", "erfc", "erfinv", "i0"]


@primitive(promote="float")
def erf(be, x, /):
    """The error function, `2 / sqrt(pi)` times the integral of `e^(-t^2)` from 0 to x.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A tensor of the shape of x, between -1 and 1.

    Source: `keras.ops.erf`.

    >>> gpunn.ops.erf([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.8427], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy * _bell(be, x),)

    return be.erf(x), pullback


def _bell(be, x):
    """The derivative of erf."""
    return (2 / math.sqrt(math.pi)) * be.xp.exp(-(x * x))


@primitive(promote="float")
def erfc(be, x, /):
    """The complement of the error function, `1 - erf(x)`, to full precision where it is small.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A tensor of the shape of x, between 0 and 2.

    Source: `keras.ops.erfc`.

    >>> gpunn.ops.erfc([0.0, 1.0]).numpy().round(4)
    array([1.    , 0.1573], dtype=float32)
    """

    def pullback(dy, needs):
        return (-dy * _bell(be, x),)

    xp = be.xp
    w = x.astype("float64")
    tail = _erfc_tail(xp, xp.absolute(w))
    return narrow(xp.where(w < 0, 2 - tail, tail), x.dtype), pullback


# of log(erfc(z) e^(z^2) / t), t = 2 / (2 + z): W. H. Press et al., Numerical Recipes, 3rd ed., 6.2
_CHEBYSHEV = (
    -1.3026537197817094, 6.4196979235649026e-1, 1.9476473204185836e-2, -9.561514786808631e-3,
    -9.46595344482036e-4, 3.66839497852761e-4, 4.2523324806907e-5, -2.0278578112534e-5,
    -1.624290004647e-6, 1.303655835580e-6, 1.5626441722e-8, -8.5238095915e-8, 6.529054439e-9,
    5.059343495e-9, -9.91364156e-10, -2.27365122e-10, 9.6467911e-11, 2.394038e-12, -6.886027e-12,
    8.94487e-13, 3.13092e-13, -1.12708e-13, 3.81e-16, 7.106e-15, -1.523e-15, -9.4e-17, 1.21e-16,
    -2.8e-17,
)  # fmt: skip


def _erfc_tail(xp, z):
    """erfc of numbers from 0 up, by Clenshaw's recurrence."""
    t = 2 / (2 + z)
    u = 4 * t - 2
    d = e = 0.0
    for c in _CHEBYSHEV[:0:-1]:
        d, e = u * d - e + c, d
    return t * xp.exp(-z * z + 0.5 * (_CHEBYSHEV[0] + u * d) - e)


@primitive(promote="float")
def erfinv(be, x, /):
    """The inverse of the error function.

    Args:
        x: tensor of any shape, from -1 to 1; integers become floats.

    Returns:
        A tensor of the shape of x: infinite at -1 and 1, NaN beyond.

    Source: `keras.ops.erfinv`.

    >>> gpunn.ops.erfinv([0.0, 0.5]).numpy().round(4)
    array([0.    , 0.4769], dtype=float32)
    """
    y = be.erfinv(x)

    def pullback(dy, needs):
        return (dy * ((math.sqrt(math.pi) / 2) * be.xp.exp(y * y)),)

    return y, pullback


@primitive(promote="float")
def i0(be, x, /):
    """The modified Bessel function of the first kind, of order 0; its derivative is I1.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A tensor of the shape of x.

    Source: `keras.ops.i0`.

    >>> gpunn.ops.i0([0.0, 1.0]).numpy().round(4)
    array([1.    , 1.2661], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy * narrow(_i1(be.xp, x.astype("float64")), dy.dtype),)

    return narrow(be.xp.i0(x.astype("float64")), x.dtype), pullback


def _i1(xp, x):
    """The integral of e^(x cos t) cos(t) / pi from 0 to pi, by the midpoint rule.

    The integrand is periodic and analytic, so that 256 points are exact up to |x| = 700.
    """
    points = 256
    y = 0.0
    for k in range(points // 2):
        c = math.cos(math.pi * (k + 0.5) / points)
        y = y + (2 * c / points) * xp.sinh(c * x)
    return y

"""Smooth activations: the sigmoid and what is made of it, softplus, gelu."""

import math

import numpy as np

from gpunn.autograd import primitive
from gpunn.errors import ShapeError
from gpunn.ops.constants import at_least, at_most
from gpunn.ops.reduction import narrow, wide

__all__ = [
    "gelu",
    "glu",
    "log_sigmoid",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "squareplus",
    "swish",
    "tanh_shrink",
]

# exp of these is almost the largest float
_STEEPEST = {np.dtype("float32"): 88.0, np.dtype("float64"): 709.0}


def logistic(be, x):
    """e^x / (1 + e^x) of a raw array, to full relative precision and without overflow."""
    steepest = _STEEPEST.get(x.dtype)
    if x.dtype.kind == "c":
        return 1 / (1 + be.xp.exp(-x))
    if steepest is None:
        return narrow(logistic(be, wide(x)), x.dtype)
    y = be.xp.exp(at_most(be, x, steepest))
    return y / (1 + y)


@primitive(promote="float")
def sigmoid(be, x, /):
    """The logistic function, `1 / (1 + e^-x)`: `dx = dy y (1 - y)`.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A tensor of the shape of x, between 0 and 1.

    Source: `keras.ops.sigmoid`.

    >>> gpunn.ops.sigmoid([0.0, 1.0]).numpy().round(4)
    array([0.5   , 0.7311], dtype=float32)
    """
    y = logistic(be, x)

    def pullback(dy, needs):
        return (dy * (y * (1 - y)),)

    return y, pullback


@primitive(promote="float")
def log_sigmoid(be, x, /):
    """The logarithm of the sigmoid, without overflow, `-softplus(-x)`.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A tensor of the shape of x, below 0.

    Source: `keras.ops.log_sigmoid`.

    >>> gpunn.ops.log_sigmoid([0.0, -1000.0]).numpy().round(4)
    array([-6.931e-01, -1.000e+03], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy * logistic(be, -x),)

    return -_softplus(be, -x), pullback


@primitive(promote="float")
def softplus(be, x, /):
    """A smooth relu, `log(1 + e^x)`, without overflow: `dx = dy sigmoid(x)`.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A tensor of the shape of x, above 0.

    Source: `keras.ops.softplus`.

    >>> gpunn.ops.softplus([0.0, 1000.0]).numpy().round(4)
    array([6.931e-01, 1.000e+03], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy * logistic(be, x),)

    return _softplus(be, x), pullback


def _softplus(be, x):
    xp = be.xp
    return at_least(be, x, 0.0) + xp.log1p(xp.exp(-xp.absolute(x)))


@primitive(promote="float")
def silu(be, x, /):
    """The sigmoid linear unit, `x sigmoid(x)`.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A tensor of the shape of x.

    Source: `keras.ops.silu`; Ramachandran et al., 2017, https://arxiv.org/abs/1710.05941

    >>> gpunn.ops.silu([-1.0, 0.0, 1.0]).numpy().round(4)
    array([-0.2689,  0.    ,  0.7311], dtype=float32)
    """
    gate = logistic(be, x)
    y = x * gate

    def pullback(dy, needs):
        return (dy * (gate + y * (1 - gate)),)

    return y, pullback


def swish(x):
    """`silu` by another name.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        x sigmoid(x).

    Source: `keras.ops.swish`.

    >>> gpunn.ops.swish([0.0]).numpy()
    array([0.], dtype=float32)
    """
    return silu(x)


@primitive(promote="float")
def glu(be, x, /, axis=-1):
    """The gated linear unit: one half of x times the sigmoid of the other.

    Args:
        x: tensor whose `axis` has an even length; integers become floats.
        axis: the axis that is split in two. Default: the last.

    Returns:
        a sigmoid(b) of the halves a and b: a tensor half as long on the axis.

    Raises:
        ShapeError: if the axis has an odd length, or does not exist.

    Source: `keras.ops.glu`; Dauphin et al., 2017, https://arxiv.org/abs/1612.08083

    >>> gpunn.ops.glu([3.0, 0.0]).numpy()
    array([1.5], dtype=float32)
    """
    if not -x.ndim <= axis < x.ndim or x.shape[axis] % 2:
        raise ShapeError(f"glu: expected an even length of axis {axis}, got the shape {x.shape}")
    shape, half = x.shape, x.shape[axis] // 2
    rest = (slice(None),) * (axis % x.ndim)
    first, second = (*rest, slice(half)), (*rest, slice(half, None))
    a, gate = x[first], logistic(be, x[second])
    y = a * gate

    def pullback(dy, needs):
        dx = be.empty(shape, dy.dtype)
        dx[first] = dy * gate
        dx[second] = dy * (y * (1 - gate))
        return (dx,)

    return y, pullback


@primitive(promote="float")
def softsign(be, x, /):
    """A sigmoid with long tails, `x / (1 + |x|)`.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A tensor of the shape of x, between -1 and 1.

    Source: `keras.ops.softsign`.

    >>> gpunn.ops.softsign([-1.0, 0.0, 3.0]).numpy()
    array([-0.5 ,  0.  ,  0.75], dtype=float32)
    """
    scale = 1 / (1 + be.xp.absolute(x))

    def pullback(dy, needs):
        return (dy * (scale * scale),)

    return x * scale, pullback


@primitive(promote="float")
def squareplus(be, x, /, b=4):
    """A smooth relu without exponentials, `(x + sqrt(x^2 + b)) / 2`.

    Args:
        x: tensor of any shape; integers become floats.
        b: how smooth it is; 0 is relu. Default: 4.

    Returns:
        A tensor of the shape of x.

    Source: `keras.ops.squareplus`; Barron, 2021, https://arxiv.org/abs/2112.11687

    >>> gpunn.ops.squareplus([0.0, 1.5]).numpy()
    array([1., 2.], dtype=float32)
    """
    root = be.xp.sqrt(x * x + b)

    def pullback(dy, needs):
        return (dy * (0.5 + 0.5 * (x / root)),)

    return 0.5 * (x + root), pullback


@primitive(promote="float")
def tanh_shrink(be, x, /):
    """What the hyperbolic tangent takes away, `x - tanh(x)`.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A tensor of the shape of x.

    Source: `keras.ops.tanh_shrink`.

    >>> gpunn.ops.tanh_shrink([0.0, 1.0]).numpy().round(4)
    array([0.    , 0.2384], dtype=float32)
    """
    t = be.xp.tanh(x)

    def pullback(dy, needs):
        return (dy * (t * t),)

    return x - t, pullback


def gelu(x, approximate=True):
    """The Gaussian error linear unit: x times the probability that a normal variable is below x.

        gelu(x) = x (1 + erf(x / sqrt(2))) / 2
                ~ x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2

    Args:
        x: tensor of any shape; integers become floats.
        approximate: whether to use the second form, which is faster. Default: True.

    Returns:
        A tensor of the shape of x.

    Source: `keras.ops.gelu`; Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415

    >>> gpunn.ops.gelu([-1.0, 0.0, 1.0]).numpy().round(4)
    array([-0.1588,  0.    ,  0.8412], dtype=float32)
    """
    return gelu_tanh(x) if approximate else gelu_erf(x)


@primitive(promote="float")
def gelu_erf(be, x, /):
    """gelu by the error function: `dx = dy (Phi(x) + x phi(x))`."""
    below = 0.5 * (1 + be.erf(x * math.sqrt(0.5)))

    def pullback(dy, needs):
        density = be.xp.exp(-0.5 * (x * x)) * (1 / math.sqrt(2 * math.pi))
        return (dy * (below + x * density),)

    return x * below, pullback


@primitive(promote="float")
def gelu_tanh(be, x, /):
    """gelu by the hyperbolic tangent: x s, s = sigmoid(2 u), u = k x + k c x^3.

    Its slope is s + 2 x s (1 - s) u'(x).
    """
    k, c = math.sqrt(2 / math.pi), 0.044715
    w = wide(x)
    s = w * w
    s *= k * c
    s += k
    s *= w
    s = be.wrap(s)
    s = be.xp.tanh(s, s)
    s *= 0.5
    s += 0.5
    y = w * s

    def pullback(dy, needs):
        slope = w * w
        slope *= 6 * k * c
        slope += 2 * k
        slope *= y
        slope *= 1 - s
        slope += s
        slope *= dy
        return (narrow(slope, dy.dtype),)

    return narrow(y, x.dtype), pullback

"""Activations with corners: the rectifiers, their relatives, and the exponential units."""

from gpunn.autograd import primitive
from gpunn.errors import ArgumentError
from gpunn.ops.constants import at_least, at_most

__all__ = [
    "celu",
    "elu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "relu",
    "relu6",
    "selu",
    "soft_shrink",
    "sparse_plus",
    "sparse_sigmoid",
    "threshold",
]


@primitive(promote="same")
def relu(be, x, /):
    """The rectified linear unit, `max(x, 0)`; its gradient at 0 is 0.

    Args:
        x: tensor of any shape.

    Returns:
        max(x, 0), of the shape and dtype of x; NaN stays NaN.

    Source: `keras.ops.relu`.

    >>> gpunn.ops.relu([-1.0, 2.0]).numpy()
    array([0., 2.], dtype=float32)
    """
    y = at_least(be, x, 0)

    def pullback(dy, needs):
        return (dy * (y > 0),)

    return y, pullback


@primitive(promote="float")
def relu6(be, x, /):
    """The rectified linear unit cut off at 6, `min(max(x, 0), 6)`.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A tensor of the shape of x, between 0 and 6; the gradient at both is 0.

    Source: `keras.ops.relu6`.

    >>> gpunn.ops.relu6([-1.0, 2.0, 8.0]).numpy()
    array([0., 2., 6.], dtype=float32)
    """
    y = x.clip(0.0, 6.0)

    def pullback(dy, needs):
        return (dy * ((y > 0) & (y < 6)),)

    return y, pullback


@primitive(promote="float")
def leaky_relu(be, x, /, negative_slope=0.2):
    """The leaky rectified linear unit: x where it is positive, a fraction of it elsewhere.

    Args:
        x: tensor of any shape; integers become floats.
        negative_slope: the fraction. Default: 0.2.

    Returns:
        max(x, 0) + negative_slope * min(x, 0).

    Source: `keras.ops.leaky_relu`.

    >>> gpunn.ops.leaky_relu([-1.0, 2.0]).numpy()
    array([-0.2,  2. ], dtype=float32)
    """
    if 0 < negative_slope <= 1:
        y = be.xp.maximum(x, negative_slope * x)
    else:
        y = at_least(be, x, 0.0) + negative_slope * at_most(be, x, 0.0)

    def pullback(dy, needs):
        return (dy * (x >= 0) + (negative_slope * dy) * (x < 0),)

    return y, pullback


@primitive(promote="float")
def threshold(be, x, /, threshold, default_value):
    """x where it is above a threshold, another value elsewhere.

    Args:
        x: tensor of any shape; integers become floats.
        threshold: the number that x must exceed.
        default_value: the value elsewhere.

    Returns:
        A tensor of the shape of x.

    Source: `keras.ops.threshold`.

    >>> gpunn.ops.threshold([-1.0, 2.0], 0.5, 7.0).numpy()
    array([7., 2.], dtype=float32)
    """
    below = x <= threshold

    def pullback(dy, needs):
        return (dy * ~below,)

    return be.xp.where(below, default_value, x), pullback


def elu(x, alpha=1.0):
    """The exponential linear unit: x where it is positive, `alpha (e^x - 1)` elsewhere.

    Args:
        x: tensor of any shape; integers become floats.
        alpha: how far below 0 it goes. Default: 1.

    Returns:
        A tensor of the shape of x.

    Source: `keras.ops.elu`; Clevert et al., 2016, https://arxiv.org/abs/1511.07289

    >>> gpunn.ops.elu([-1.0, 2.0]).numpy().round(4)
    array([-0.6321,  2.    ], dtype=float32)
    """
    return exponential_unit(x, alpha, 1.0, 1.0)


def selu(x):
    """The scaled exponential linear unit, whose outputs normalise themselves.

        selu(x) = 1.0507 elu(x, alpha=1.6733)

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A tensor of the shape of x.

    Source: `keras.ops.selu`; Klambauer et al., 2017, https://arxiv.org/abs/1706.02515

    >>> gpunn.ops.selu([-1.0, 2.0]).numpy().round(4)
    array([-1.1113,  2.1014], dtype=float32)
    """
    return exponential_unit(x, 1.6732632423543772, 1.0, 1.0507009873554805)


def celu(x, alpha=1.0):
    """The continuously differentiable exponential linear unit: slope 1 at 0 for any alpha.

        celu(x) = max(x, 0) + alpha (e^(min(x, 0) / alpha) - 1)

    Args:
        x: tensor of any shape; integers become floats.
        alpha: how far below 0 it goes, positive. Default: 1.

    Returns:
        A tensor of the shape of x.

    Raises:
        ArgumentError: if alpha is 0.

    Source: `keras.ops.celu`; Barron, 2017, https://arxiv.org/abs/1704.07483

    >>> gpunn.ops.celu([-1.0, 2.0], alpha=2.0).numpy().round(4)
    array([-0.7869,  2.    ], dtype=float32)
    """
    if alpha == 0:
        raise ArgumentError("celu: alpha must not be 0; elu takes it, and is then relu")
    return exponential_unit(x, alpha, 1.0 / alpha, 1.0)


@primitive(promote="float")
def exponential_unit(be, x, /, alpha, rate, scale):
    """scale * (x where positive, alpha (e^(rate x) - 1) elsewhere): elu, selu and celu."""
    low = alpha * be.xp.expm1(rate * at_most(be, x, 0.0))
    y = at_least(be, x, 0.0) + low

    def pullback(dy, needs):
        # at x > 0 `low` is 0, and the slope alpha * rate is not the right one
        dx = dy * ((low + alpha) * rate)
        if alpha * rate != 1:
            dx = dx + (dy * (1 - alpha * rate)) * (x > 0)
        return (dx * scale if scale != 1 else dx,)

    return y * scale if scale != 1 else y, pullback


@primitive(promote="float")
def hard_sigmoid(be, x, /):
    """A sigmoid of three straight lines, `relu6(x + 3) / 6`.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        0 where x <= -3, 1 where x >= 3, x / 6 + 1 / 2 between.

    Source: `keras.ops.hard_sigmoid`.

    >>> gpunn.ops.hard_sigmoid([-4.0, 0.0, 3.0]).numpy()
    array([0. , 0.5, 1. ], dtype=float32)
    """
    inside = (x > -3) & (x < 3)

    def pullback(dy, needs):
        return ((dy / 6) * inside,)

    return (x + 3).clip(0.0, 6.0) / 6, pullback


@primitive(promote="float")
def hard_silu(be, x, /):
    """A silu of a parabola between two straight lines, `x hard_sigmoid(x)`.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        0 where x <= -3, x where x >= 3, x (x + 3) / 6 between.

    Source: `keras.ops.hard_silu`; Howard et al., 2019, https://arxiv.org/abs/1905.02244

    >>> gpunn.ops.hard_silu([-4.0, 0.0, 3.0]).numpy()
    array([-0.,  0.,  3.], dtype=float32)
    """
    gate = (x + 3).clip(0.0, 6.0) / 6

    def pullback(dy, needs):
        return (dy * (gate + (x / 6) * ((x > -3) & (x < 3))),)

    return x * gate, pullback


def hard_swish(x):
    """`hard_silu` by another name.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        x hard_sigmoid(x).

    Source: `keras.ops.hard_swish`.

    >>> gpunn.ops.hard_swish([3.0]).numpy()
    array([3.], dtype=float32)
    """
    return hard_silu(x)


@primitive(promote="same")
def hard_tanh(be, x, /):
    """x kept between -1 and 1; on both bounds the gradient is that of x.

    Args:
        x: tensor of any shape.

    Returns:
        min(max(x, -1), 1), of the dtype of x.

    Source: `keras.ops.hard_tanh`.

    >>> gpunn.ops.hard_tanh([-2.0, 0.5, 2.0]).numpy()
    array([-1. ,  0.5,  1. ], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy * ((x >= -1) & (x <= 1)),)

    return x.clip(-1, 1), pullback


@primitive(promote="float")
def hard_shrink(be, x, /, threshold=0.5):
    """x where its absolute value is above a threshold, 0 elsewhere.

    Args:
        x: tensor of any shape; integers become floats.
        threshold: the threshold. Default: 0.5.

    Returns:
        A tensor of the shape of x; NaN stays NaN.

    Source: `keras.ops.hard_shrink`.

    >>> gpunn.ops.hard_shrink([-1.0, 0.3, 2.0]).numpy()
    array([-1.,  0.,  2.], dtype=float32)
    """
    inside = be.xp.absolute(x) <= threshold

    def pullback(dy, needs):
        return (dy * ~inside,)

    return be.xp.where(inside, 0.0, x), pullback


@primitive(promote="float")
def soft_shrink(be, x, /, threshold=0.5):
    """x moved towards 0 by a threshold, and 0 where it would pass 0.

    Args:
        x: tensor of any shape; integers become floats.
        threshold: the threshold. Default: 0.5.

    Returns:
        x - threshold where x > threshold, x + threshold where x < -threshold, 0 between.

    Source: `keras.ops.soft_shrink`.

    >>> gpunn.ops.soft_shrink([-1.0, 0.3, 2.0]).numpy()
    array([-0.5,  0. ,  1.5], dtype=float32)
    """

    def pullback(dy, needs):
        return (dy * (be.xp.absolute(x) > threshold),)

    return x - x.clip(-threshold, threshold), pullback


@primitive(promote="float")
def sparse_plus(be, x, /):
    """A softplus that reaches its lines: 0, a parabola, x.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        0 where x <= -1, x where x >= 1, (x + 1)^2 / 4 between.

    Source: `keras.ops.sparse_plus`.

    >>> gpunn.ops.sparse_plus([-2.0, 0.0, 3.0]).numpy()
    array([0.  , 0.25, 3.  ], dtype=float32)
    """
    half = (x.clip(-1.0, 1.0) + 1) / 2  # the slope

    def pullback(dy, needs):
        return (dy * half,)

    return be.xp.where(x >= 1, x, half * half), pullback


@primitive(promote="float")
def sparse_sigmoid(be, x, /):
    """A sigmoid of three straight lines between -1 and 1, `min(max((x + 1) / 2, 0), 1)`.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        0 where x <= -1, 1 where x >= 1, (x + 1) / 2 between.

    Source: `keras.ops.sparse_sigmoid`; Blondel et al., 2019, https://arxiv.org/abs/1901.02324

    >>> gpunn.ops.sparse_sigmoid([-2.0, 0.0, 3.0]).numpy()
    array([0. , 0.5, 1. ], dtype=float32)
    """

    def pullback(dy, needs):
        return ((0.5 * dy) * ((x > -1) & (x < 1)),)

    return 0.5 * (x + 1).clip(0.0, 2.0), pullback

"""Activations: functions of a tensor that layers take by name (Keras: `keras.activations`)."""

from types import FunctionType

from gpunn.errors import ArgumentTypeError, SerializationError
from gpunn.ops import (
    celu,
    clip,
    elu,
    exp,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    multiply,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    subtract,
    tanh,
    tanh_shrink,
    threshold,
)
from gpunn.ops import gelu as _gelu
from gpunn.ops import relu as _relu
from gpunn.ops import threshold as _threshold
from gpunn.ops.smooth import gelu_erf
from gpunn.serialization import Registry, deserialize_value, serialize_value

__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """The rectified linear unit, with a slope below its threshold and a bound above.

        f(x) = max_value                          where x >= max_value
               x                                  where threshold < x < max_value
               negative_slope (x - threshold)     elsewhere

    Args:
        x: tensor of any shape.
        negative_slope: the slope below the threshold. Default: 0.
        max_value: the largest result. Default: no bound.
        threshold: what x must exceed. Default: 0.

    Returns:
        A tensor of the shape of x.

    Source: `keras.activations.relu`.

    >>> gpunn.activations.relu([-10.0, 0.0, 10.0], negative_slope=0.5, max_value=5.0).numpy()
    array([-5.,  0.,  5.], dtype=float32)
    """
    if not negative_slope and max_value is None and not threshold:
        return _relu(x)
    if negative_slope and max_value is None and not threshold:
        return leaky_relu(x, negative_slope=negative_slope)
    y = _threshold(x, threshold, 0.0) if threshold else _relu(x)
    if max_value is not None:
        y = relu6(x) if max_value == 6 and not threshold else clip(y, 0.0, max_value)
    if negative_slope:
        y = subtract(y, multiply(negative_slope, _relu(subtract(threshold, x))))
    return y


def gelu(x, approximate=False):
    """The Gaussian error linear unit: `gpunn.ops.gelu`, exact unless asked otherwise.

    Args:
        x: tensor of any shape; integers become floats.
        approximate: whether to use the faster form with tanh. Default: False.

    Returns:
        A tensor of the shape of x.

    Source: `keras.activations.gelu`; Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415

    >>> gpunn.activations.gelu([-1.0, 0.0, 1.0]).numpy().round(4)
    array([-0.1587,  0.    ,  0.8413], dtype=float32)
    """
    return _gelu(x, approximate)


def linear(x):
    """No activation: the tensor itself.

    Args:
        x: tensor of any shape.

    Returns:
        x.

    Source: `keras.activations.linear`.

    >>> gpunn.activations.linear(gpunn.Tensor([1.0])).numpy()
    array([1.], dtype=float32)
    """
    return x


def exponential(x):
    """e to the power of each element.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        e^x, of the shape of x.

    Source: `keras.activations.exponential`.

    >>> gpunn.activations.exponential([0.0]).numpy()
    array([1.], dtype=float32)
    """
    return exp(x)


def mish(x):
    """A smooth activation like silu, `x tanh(softplus(x))`.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        A tensor of the shape of x.

    Source: `keras.activations.mish`; Misra, 2019, https://arxiv.org/abs/1908.08681

    >>> gpunn.activations.mish([-1.0, 0.0, 1.0]).numpy().round(4)
    array([-0.3034,  0.    ,  0.8651], dtype=float32)
    """
    return multiply(x, tanh(softplus(x)))


swish = silu
hard_swish = hard_silu

_FUNCTIONS = {
    name: thing
    for name, thing in list(globals().items())
    if name in __all__ and name not in ("get", "serialize", "deserialize")
}
# Those that an op computes element by element: what an op may apply to its own result. By identity,
# as what users give need not be hashable.
_ELEMENTWISE = {
    id(function): op
    for function, op in (
        (relu, _relu),
        (gelu, gelu_erf),
        *((op, op) for op in (
            hard_sigmoid, hard_silu, hard_tanh, log_sigmoid, relu6, sigmoid, silu, softplus,
            softsign, sparse_plus, sparse_sigmoid, tanh, tanh_shrink,
        )),
    )
}  # fmt: skip

REGISTRY = Registry("activation", FunctionType, (), _FUNCTIONS, module="gpunn.activations")


def after(activation, op, *operands, **static):
    """activation(op(*operands, **static)); in one op where the activation is one that `op` takes.

    Args:
        activation: a function of a tensor, or None.
        op: a function that takes an op as `activation`, such as `ops.linear`.
        *operands, **static: what it is called with.

    >>> x, w = np.array([[1.0, -2.0]]), np.ones((2, 1))
    >>> gpunn.activations.after(gpunn.activations.relu, gpunn.ops.linear, x, w).numpy()
    array([[0.]])
    """
    inside = _ELEMENTWISE.get(id(activation))
    y = op(*operands, **static) if inside is None else op(*operands, **static, activation=inside)
    return y if inside is not None or activation in (None, linear) else activation(y)


def get(identifier):
    """The function that an identifier stands for.

    Args:
        identifier: a name ("relu"), a config, any callable (returned as it is), or None (linear).

    Raises:
        ArgumentError: for an unknown name, with the nearest that are known.
        ArgumentTypeError: for anything else.

    Source: `keras.activations.get`.

    >>> gpunn.activations.get("tanh") is gpunn.ops.tanh
    True
    """
    if identifier is None:
        return linear
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return REGISTRY.find(identifier)
    if callable(identifier):
        return identifier
    raise ArgumentTypeError(
        f"expected an activation, its name, its config or None, got {identifier!r}"
    )


def serialize(activation):
    """The name of an activation; the config of one of your own that is registered.

    Args:
        activation: a function of this module, a function or object registered with
            `gpunn.register_serializable`, or a layer.

    Raises:
        SerializationError: for a function that could not be found again.

    Source: `keras.activations.serialize`.

    >>> gpunn.activations.serialize(gpunn.activations.swish)
    'silu'
    """
    config = serialize_value(activation, "activation")
    if isinstance(config, str) and _FUNCTIONS.get(config) is not activation:
        raise SerializationError(
            f"{activation!r} is no activation of gpunn: its name alone would not find it again"
        )
    return config


def deserialize(config, custom_objects=None):
    """The activation of a name or config that `serialize` made.

    Args:
        config: such a name or config.
        custom_objects: functions of yours by name; they win over gpunn's.

    Raises:
        ArgumentError: for an unknown name.
        SerializationError: for a config that names nothing known.

    Source: `keras.activations.deserialize`.

    >>> gpunn.activations.deserialize("relu") is gpunn.activations.relu
    True
    """
    if isinstance(config, dict):
        return deserialize_value(config, custom_objects)
    own = custom_objects or {}
    return own[config] if config in own else REGISTRY.find(config)

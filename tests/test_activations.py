"""Activations by name: every one of Keras', its numbers, and configs there and back."""

import numpy as np
import pytest
import scipy.special as sp

import gpunn
from gpunn import activations
from gpunn.errors import ArgumentError, ArgumentTypeError, SerializationError
from tests.harness import assert_close, check_op, rand

KERAS = [  # every function of keras.activations
    *("celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu"),
    *("hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish"),
    *("relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus"),
    *("softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh"),
    *("tanh_shrink", "threshold"),
]
X = rand(4, 6, low=-4, high=8)


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """Keras' definition."""
    y = np.where(x > threshold, x, negative_slope * (x - threshold))
    return y if max_value is None else np.where(x >= max_value, max_value, y)


def test_all_of_keras_are_here():
    functions = set(activations.__all__) - {"get", "serialize", "deserialize"}
    assert functions == set(KERAS)


OPTIONS = [
    {},
    {"negative_slope": 0.3},
    {"max_value": 6},
    {"max_value": 2.5},
    {"threshold": 1.0},
    {"negative_slope": 0.3, "max_value": 2.5, "threshold": 1.0},
    {"negative_slope": 0.3, "max_value": 6.0},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_relu(options, device):
    check_op(
        lambda x: activations.relu(x, **options),
        X,
        reference=lambda x: relu(x, **options),
        device=device,
    )


def test_mish_gelu_exponential_linear(device):
    check_op(activations.mish, X, reference=lambda x: x * np.tanh(np.logaddexp(x, 0)),
             device=device)  # fmt: skip
    check_op(activations.gelu, X, reference=lambda x: x * sp.ndtr(x), device=device)
    check_op(activations.exponential, X, reference=np.exp, device=device)
    x = gpunn.Tensor(X, device=device)
    assert activations.linear(x) is x


@pytest.mark.parametrize("name", KERAS)
def test_names_there_and_back(name):
    function = activations.get(name)
    assert function is getattr(activations, name)
    assert activations.get(function) is function
    saved = activations.serialize(function)
    assert saved == {"swish": "silu", "hard_swish": "hard_silu"}.get(name, name)
    assert activations.deserialize(saved) is function


def test_none_is_linear_and_any_callable_will_do():
    assert activations.get(None) is activations.linear
    assert activations.get(np.tanh) is np.tanh


def test_functions_of_your_own():
    def cube(x):
        return x * x * x

    with pytest.raises(SerializationError, match="register_serializable"):
        activations.serialize(lambda x: x)

    def of_no_package(x):
        return x

    config = activations.serialize(of_no_package)
    known = {"of_no_package": of_no_package}
    assert activations.deserialize(config, custom_objects=known) is of_no_package
    with pytest.raises(SerializationError, match="'of_no_package' is not known"):
        activations.deserialize(config)
    registered = gpunn.register_serializable("test_activations")(cube)
    config = activations.serialize(registered)
    assert activations.get(config) is cube
    assert activations.deserialize("cube", custom_objects={"cube": cube}) is cube
    assert_close(activations.get(config)(gpunn.Tensor([2.0])), [8.0])
    names: dict = {}
    exec("def of_no_module(x): return x", names)
    with pytest.raises(SerializationError, match="'of_no_module' is not known"):
        activations.deserialize(activations.serialize(names["of_no_module"]))


def test_bad_identifiers():
    with pytest.raises(ArgumentError, match=r"'rellu'.*did you mean 'relu'"):
        activations.get("rellu")
    with pytest.raises(ArgumentTypeError, match="3"):
        activations.get(3)
    with pytest.raises(SerializationError, match="no activation"):
        activations.serialize(gpunn.ops.exp)


def test_activation_inside_a_product(device):
    """The bits are those of two ops; what cannot be hashed is an activation too."""

    class Cubed:
        __hash__ = None

        def __call__(self, x):
            return x * x * x

    x, w = rand(4, 3), rand(3, 20)
    with gpunn.device(device):
        for activation in (None, "relu", "gelu", "tanh", "swish", "softmax", Cubed()):
            function = gpunn.activations.get(activation)
            xs = [gpunn.Tensor(v.astype("float32"), requires_grad=True) for v in (x, w)]
            y = gpunn.activations.after(function, gpunn.ops.linear, *xs)
            others = [gpunn.Tensor(v.astype("float32"), requires_grad=True) for v in (x, w)]
            expected = function(gpunn.ops.linear(*others))
            (y * y).sum().backward()
            (expected * expected).sum().backward()
            for a, e in zip(
                (y, xs[0].grad, xs[1].grad), (expected, others[0].grad, others[1].grad), strict=True
            ):
                if device == "cpu":
                    np.testing.assert_array_equal(a.numpy(), e.numpy())
                else:
                    assert_close(a, e, "gradient")

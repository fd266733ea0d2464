"""Merging and core layers: against Keras, as functions, and what is asked of Lambda."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import ArgumentError, GpunnError, SerializationError
from tests.golden.cases_merging import CASES, inputs, values, weights
from tests.harness import assert_close, golden, rand

GOLDEN = golden("merging")


def build(case, dtype=None):
    """The layer of a case with its weights, and its inputs as it takes them."""
    cls, arguments, shapes = CASES[case]
    layer = getattr(layers, cls)(**arguments, dtype=dtype)
    layer.build(shapes)
    if layer.weights:
        layer.set_weights(weights(layer))
    xs = [gpunn.Tensor(x).requires_grad_() for x in inputs(case)]
    return layer, xs, xs if isinstance(shapes, list) else xs[0]


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case, device):
    layer, xs, given = build(case)
    y = layer(given)
    assert_close(y, GOLDEN[f"{case}/y"], rtol=2e-5, atol=2e-6)
    assert y.device.kind == device
    y.backward(values(y.shape, 9))
    for i, x in enumerate(xs):
        assert_close(x.grad, GOLDEN[f"{case}/dx{i}"], "gradient")
    for i, v in enumerate(layer.weights):
        assert_close(v.grad, GOLDEN[f"{case}/dw{i}"], "gradient", label=v.path)


@pytest.mark.parametrize("case", CASES)
def test_shapes_and_config(case):
    layer, xs, given = build(case)
    shapes = [(None, *x.shape[1:]) for x in xs]
    shapes = shapes if isinstance(given, list) else shapes[0]
    y = layer(given)
    assert layer.compute_output_shape(shapes) == (None, *y.shape[1:])
    assert layer.compute_output_shape(CASES[case][2]) == y.shape
    config = layer.get_config()
    again = layers.deserialize(layers.serialize(layer))
    assert type(again) is type(layer) and again.get_config() == config


@pytest.mark.parametrize("case", CASES)
def test_gradients_in_float64(case):
    layer, xs, given = build(case, "float64")
    xs = [x.numpy().astype("float64") for x in xs]
    pack = list if isinstance(given, list) else (lambda x: x[0])
    gpunn.autograd.check_gradients(lambda *xs: layer(pack(xs)), *xs)


def test_functions_of_the_layers(device):
    a, b = rand(2, 3).astype("float32"), rand(2, 3, seed=1).astype("float32")
    expected = {
        layers.add: a + b,
        layers.subtract: a - b,
        layers.multiply: a * b,
        layers.average: (a + b) / 2,
        layers.maximum: np.maximum(a, b),
        layers.minimum: np.minimum(a, b),
        layers.concatenate: np.concatenate([a, b], -1),
        layers.dot: (a * b).sum(1, keepdims=True),
    }
    for function, y in expected.items():
        assert_close(function([a, b]), y, rtol=1e-5, atol=1e-6, label=function.__name__)
    assert layers.concatenate([a, b], axis=0).shape == (4, 3)


def test_axes_of_an_einsum_kernel_are_known_to_its_initializer():
    layer = layers.EinsumDense("abc,cde->abde", output_shape=(None, 20, 30))
    layer.build((None, 3, 50))
    limit = np.sqrt(6 / (50 + 20 * 30))  # glorot_uniform's
    assert 0.99 * limit < abs(layer.get_weights()[0]).max() <= limit


# --- Lambda ---


@gpunn.register_serializable("tests")
def scaled(x, factor=1.0, training=False):
    """A function that declares `training`."""
    return x * factor if training else x


def test_lambda(device):
    x = rand(2, 3).astype("float32")
    layer = layers.Lambda(scaled, arguments={"factor": 3.0})
    assert_close(layer(x), x)
    assert_close(layer(x, training=True), 3 * x)
    again = layers.Lambda.from_config(layer.get_config())
    assert again.function is scaled and again.arguments == {"factor": 3.0}
    assert layers.Lambda(gpunn.ops.relu, name="r").get_config()["function"] == "relu"
    assert layers.deserialize(layers.serialize(layers.Lambda(gpunn.ops.relu)))(-x).shape == (2, 3)
    masked = layers.Lambda(lambda x, mask: gpunn.ops.where(mask, x, 0.0), mask=lambda x, m: m)
    assert (masked(x, mask=np.zeros((2, 3), bool)).numpy() == 0).all() and masked.supports_masking


def test_shapes_of_a_lambda():
    assert layers.Lambda(lambda x: x[:, :2]).compute_output_shape((None, 5)) == (None, 2)
    assert layers.Lambda(scaled, output_shape=(7,)).compute_output_shape((None, 5)) == (None, 7)
    layer = layers.Lambda(scaled, output_shape=lambda s: (*s, 1))
    assert layer.compute_output_shape((4, 5)) == (4, 5, 1)


def test_a_function_that_is_not_known_cannot_be_saved():
    with pytest.raises(SerializationError, match="register_serializable"):
        layers.Lambda(lambda x: x).get_config()


# --- errors ---

A, B = np.ones((2, 3)), np.ones((2, 4))


@pytest.mark.parametrize(
    ("layer", "inputs", "message"),
    [
        (lambda: layers.Add(), A, "expected a list of inputs"),
        (lambda: layers.Add(), [A, B], "do not broadcast"),
        (lambda: layers.Add(), [A, np.ones((3, 3))], "differ in batch size"),
        (lambda: layers.Dot(1), [A, A[:1]], "differ in batch size"),
        (lambda: layers.Subtract(), [A, A, A], "expected 2 inputs, got 3"),
        (lambda: layers.Concatenate(), A, "expected a list of inputs"),
        (lambda: layers.Concatenate(axis=1), [A, A[:1]], "differ in more than axis 1"),
        (lambda: layers.Concatenate(axis=2), [A, A], "axis 2 is out of range"),
        (lambda: layers.Dot(1), [A, B], "differ along axes (1, 1): 3 and 4"),
        (lambda: layers.Dot(0), [A, A], "axes after the batch"),
        (lambda: layers.Dot((1, 5)), [A, A], "axes after the batch"),
        (lambda: layers.Dot("a"), [A, A], "axes must be an integer or two"),
        (lambda: layers.Lambda(3), A, "function must be one, got 3"),
        (lambda: layers.EinsumDense("ab->ac", 3), A, "must be of the form"),
        (lambda: layers.EinsumDense("ab,bc->ad", 3), A, "stands in one term"),
        (lambda: layers.EinsumDense("ab,bc->ac", 3, bias_axes="b"), A, "bias_axes 'b' must be"),
        (lambda: layers.EinsumDense("abc,cd->abd", (None, 3)), A, "do not fit equation"),
        (lambda: layers.EinsumDense("ab,bc->ac", (3, 4)), A, "output_shape (3, 4) does not fit"),
        (lambda: layers.EinsumDense("ab,bc->abc", (2, 4)), A, "axis 'b' is 3 in the inputs"),
    ],
)
def test_what_is_wrong_is_said(layer, inputs, message):
    with pytest.raises(GpunnError) as error:
        layer()(inputs)
    assert message in str(error.value)


@pytest.mark.parametrize("make", [layers.Add, layers.Concatenate])
def test_masks_that_do_not_go_with_the_inputs(make):
    layer, x = make(), gpunn.Input((4, 5))
    with pytest.raises(ArgumentError, match="takes lists"):
        layer.compute_mask([x, x], np.ones((2, 4), bool))
    with pytest.raises(ArgumentError, match="takes lists"):
        layer.compute_mask(x, [None, None])
    with pytest.raises(ArgumentError, match="a mask for each input, 2"):
        layer.compute_mask([x, x], [None])


def test_the_mask_of_symbolic_tensors_as_an_output():
    a, b = gpunn.Input((None, 2)), gpunn.Input((None, 2))
    y = layers.Concatenate(axis=1)([layers.Masking()(a), b])
    model = gpunn.Model([a, b], y._keras_mask)
    masked = np.array([[[0, 0], [1, 2], [0, 0]]], "float32")
    got = model([masked, masked]).numpy()
    assert got.tolist() == [[False, True, False, True, True, True]]

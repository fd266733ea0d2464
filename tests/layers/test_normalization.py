"""SpectralNormalization against Keras and by its rules, wrappers, errors of normalizing layers."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import ArgumentError, ArgumentTypeError, ShapeError
from gpunn.ops import normalizers
from tests.capture.steps import batches, train
from tests.golden.cases_layers import inputs, weights
from tests.golden.cases_normalization import SPECTRAL
from tests.harness import assert_close, golden, rand

GOLDEN = golden("normalization")


@pytest.mark.parametrize("case", SPECTRAL)
def test_spectral_normalization(case, device):
    make, kind = SPECTRAL[case]
    layer, x = make(layers), inputs(kind)
    layer(x)
    layer.set_weights(weights(layer))
    for call in range(2):
        expected = GOLDEN[f"spectral/{case}/y{call}"]
        assert_close(layer(x, training=True), expected, rtol=2e-5, atol=1e-6)
    assert_close(layer(x), GOLDEN[f"spectral/{case}/inference"], rtol=2e-5, atol=1e-6)
    for i, v in enumerate(layer.weights):
        assert_close(v, GOLDEN[f"spectral/{case}/w{i}"], rtol=2e-5, atol=1e-6, label=v.path)
    assert layer.compute_output_shape(x.shape) == expected.shape
    again = layers.deserialize(layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    assert again.power_iterations == layer.power_iterations


def test_the_spectral_norm_becomes_one(device):
    layer = layers.SpectralNormalization(layers.Dense(4), power_iterations=20)
    x = np.ones((2, 6), "float32")
    layer(x, training=True)
    assert_close(np.linalg.norm(layer.kernel.numpy(), 2), 1.0, rtol=1e-4)
    assert layer.layer.kernel is layer.kernel
    table = layers.SpectralNormalization(layers.Embedding(6, 4), power_iterations=20)
    assert table(np.ones((2, 3), "int32"), training=True).shape == (2, 3, 4)
    assert_close(np.linalg.norm(table.layer.embeddings.numpy(), 2), 1.0, rtol=1e-4)
    layer.kernel.assign(np.zeros((6, 4)))
    u = layer.vector_u.numpy()
    assert (layer(x, training=True).numpy() == 0).all()
    assert_close(layer.vector_u, u, rtol=0, atol=0)


def test_gradients_of_two_calls_go_to_the_kernel_that_each_call_used():
    layer = layers.SpectralNormalization(layers.Dense(2, use_bias=False))
    x = gpunn.Tensor(np.ones((1, 3), "float32")).requires_grad_()
    layer.build(x.shape)
    first = layer(x, training=True)
    used = layer.kernel.numpy()
    layer.kernel.assign(layer.kernel * 3)
    second = layer(x, training=True)
    (first.sum() + 0 * second.sum()).backward()
    assert_close(x.grad[0], used.sum(1), rtol=1e-6)
    assert_close(layer.kernel.grad, np.ones((3, 2)), rtol=1e-6)


def test_captured_steps_of_normalizing_layers():
    def make():
        parts = [
            layers.SpectralNormalization(layers.Dense(6), power_iterations=2),
            layers.GroupNormalization(2),
            layers.RMSNormalization(),
            layers.UnitNormalization(),
        ]
        model = gpunn.Sequential([gpunn.Input((5,)), *parts, layers.Dense(3)])
        model.compile("adam", "mse")
        return model

    captured = train(make, batches(5, target=3))
    assert captured.refused is None and len(captured._steps) == 1


def test_wrapper():
    class Twice(layers.Wrapper):
        def call(self, inputs):
            return self.layer(self.layer(inputs))

    layer = Twice(layers.Dense(3))
    assert layer(np.ones((2, 3))).shape == (2, 3) and len(layer.weights) == 2
    with pytest.raises(ArgumentTypeError, match="expected a layer"):
        layers.Wrapper(3)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: layers.GroupNormalization(0), ArgumentError, "groups"),
        (lambda: layers.GroupNormalization(3)(np.ones((2, 4))), ShapeError, "multiple of 3"),
        (lambda: layers.GroupNormalization(2, axis=0)(np.ones((2, 4))), ShapeError, "axis 0"),
        (lambda: layers.GroupNormalization(2, axis=5)(np.ones((2, 4))), ShapeError, "axis 5"),
        (lambda: layers.RMSNormalization(epsilon=-1), ArgumentError, "epsilon"),
        (lambda: layers.RMSNormalization(axis=3)(np.ones((2, 4))), ShapeError, "axis 3"),
        (lambda: layers.UnitNormalization("last"), ArgumentTypeError, "axis"),
        (lambda: layers.SpectralNormalization(layers.Dense(2), 0), ArgumentError, "iterations"),
        (
            lambda: layers.SpectralNormalization(layers.ReLU())(np.ones((2, 4))),
            ArgumentError,
            "kernel",
        ),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_groups_of_no_examples(device):
    x = gpunn.Tensor(np.ones((0, 3, 4), "float32"), device=device, requires_grad=True)
    y = normalizers.group_normalization(x, groups=2)
    y.sum().backward()
    assert y.shape == x.grad.shape == x.shape


@pytest.mark.parametrize("axis", [[1, -1], [-1, 1], (2, 1), [-2, -1]])
def test_axes_of_rms_normalization_from_both_ends(axis, device):
    x = rand(2, 3, 4)
    layer, plain = layers.RMSNormalization(axis), layers.RMSNormalization([1, 2])
    assert_close(layer(x), plain(x).numpy(), rtol=0)
    assert layer.scale.shape == (3, 4)


@pytest.mark.parametrize(
    "make",
    [layers.LayerNormalization, layers.RMSNormalization, layers.UnitNormalization],
)
def test_an_axis_that_is_none(make):
    for wrong in ({"axis": -1}, 1.5, True, [0.5]):
        with pytest.raises(ArgumentTypeError, match="axis must be an integer or several"):
            make(axis=wrong)

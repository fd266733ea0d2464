"""ConvLSTM1D, 2D and 3D against Keras; masks, dropout, states, errors."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import ArgumentError, ShapeError
from gpunn.tree import flatten
from tests.capture.steps import train
from tests.golden.cases_conv_lstm import CASES, first_states, sequences
from tests.golden.cases_recurrent import values, weights
from tests.harness import assert_close, golden

GOLDEN = golden("conv_lstm")


def build(case, dtype=None):
    """The layer of a case with its weights, its inputs, and its other arguments."""
    cls, arguments, _, _ = CASES[case]
    layer = getattr(layers, cls)(**arguments, dtype=dtype)
    x = gpunn.Tensor(sequences(case), dtype=dtype).requires_grad_()
    layer.build(x.shape)
    layer.set_weights(weights(layer))
    states = [gpunn.Tensor(s, dtype=dtype).requires_grad_() for s in first_states(case)]
    return layer, x, {"initial_state": states} if states else {}


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case, device):
    layer, x, options = build(case)
    ys = flatten(layer(x, training=True, **options))
    for i, y in enumerate(ys):
        assert_close(y, GOLDEN[f"{case}/y{i}"], rtol=2e-5, atol=2e-6)
        assert y.device.kind == device
    sum((y * values(y.shape, 50 + i)).sum() for i, y in enumerate(ys)).backward()
    assert_close(x.grad, GOLDEN[f"{case}/dx0"], "gradient", label="inputs")
    for i, v in enumerate(layer.trainable_weights):
        assert_close(v.grad, GOLDEN[f"{case}/dw{i}"], "gradient", label=v.path)
    for i, s in enumerate(options.get("initial_state", [])):
        assert_close(s.grad, GOLDEN[f"{case}/ds{i}"], "gradient", label="initial state")


@pytest.mark.parametrize("case", CASES)
def test_shapes_and_config(case):
    layer, x, _ = build(case)
    shape = flatten(layer.compute_output_shape((None, *x.shape[1:])))
    assert [-1 if n is None else n for n in shape] == GOLDEN[f"{case}/shape"].tolist()
    config = layer.get_config()
    again = layers.deserialize(layers.serialize(layer))
    assert again.get_config() == config and "cell" not in config
    again.build(x.shape)
    again.set_weights(layer.get_weights())
    for a, b in zip(flatten(again(x)), flatten(layer(x)), strict=True):
        assert_close(a, b.numpy(), rtol=0, atol=0)


def test_gradients_in_float64():
    layer, x, _ = build("2d_dilated", "float64")
    gpunn.autograd.check_gradients(layer, x.numpy())


def test_masked_steps_are_skipped(device):
    layer = layers.ConvLSTM2D(2, 2, return_sequences=True, zero_output_for_mask=True)
    x = values((2, 4, 3, 3, 1), 0)
    mask = np.array([[True, True, False, False], [True, True, True, True]])
    y = layer(x, mask=mask)
    assert_close(y[0, :2], layer(x[:1, :2]).numpy()[0], rtol=1e-5)
    assert_close(y[1], layer(x[1:]).numpy()[0], rtol=1e-5)
    assert (y[0, 2:].numpy() == 0).all() and (y._keras_mask.numpy() == mask).all()


def test_dropout_and_kept_states():
    layer = layers.ConvLSTM1D(2, 2, dropout=0.4, recurrent_dropout=0.4, seed=1)
    x = np.ones((2, 3, 4, 1), "float32")
    assert (layer(x, training=True).numpy() != layer(x, training=True).numpy()).any()
    assert_close(layer(x), layer(x, training=False).numpy(), rtol=0, atol=0)
    kept = layers.ConvLSTM1D(2, 2, stateful=True)
    first, second = kept(x).numpy(), kept(x).numpy()
    kept.reset_states()
    assert (first != second).any() and (kept(x).numpy() == first).all()


def test_captured_step():
    def make():
        parts = [layers.ConvLSTM2D(2, 2, dropout=0.2), layers.Flatten(), layers.Dense(1)]
        model = gpunn.Sequential([gpunn.Input((3, 4, 4, 1)), *parts])
        model.compile("adam", "mse")
        return model

    rng = np.random.default_rng(0)
    data = [(rng.normal(size=(2, 3, 4, 4, 1)).astype("float32"), rng.normal(size=(2, 1)))
            for _ in range(4)]  # fmt: skip
    captured = train(make, data)
    assert captured.refused is None and len(captured._steps) == 1


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: layers.ConvLSTM2D(0, 2), ArgumentError, "units"),
        (lambda: layers.ConvLSTM2D(2, 2, padding="causal"), ArgumentError, "padding"),
        (lambda: layers.ConvLSTM2D(2, 2, strides=2, dilation_rate=2), ArgumentError, "strides"),
        (lambda: layers.ConvLSTM2D(2, 2)(np.ones((2, 3, 4, 4))), ShapeError, "axes|ndim"),
        (lambda: layers.ConvLSTM2D(2, 5)(np.ones((2, 3, 4, 4, 1))), ShapeError, "too small"),
        (
            lambda: layers.ConvLSTM1D(2, 2).build((None, None, None, 1)),
            ShapeError,
            "must be known",
        ),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()

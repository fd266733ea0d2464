"""Every deterministic layer against Keras: outputs, gradients, moved state, losses, shapes."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.regularizers import L1L2
from tests.golden import cases_audio, cases_convolution, cases_layers, cases_normalization
from tests.golden.cases_layers import ADAPT, arguments, inputs, values, weights
from tests.harness import assert_close, golden, require_fft

CASES = {
    **cases_layers.CASES,
    **cases_convolution.CASES,
    **cases_normalization.CASES,
    **cases_audio.CASES,
}
GOLDEN = {
    **golden("layers"),
    **golden("convolution"),
    **golden("normalization"),
    **golden("audio"),
}
# convolutions and the like do the same in training
MODES = [
    *[(case, "inference") for case in CASES],
    *[(case, "training") for case in (*cases_layers.CASES, *cases_normalization.CASES)],
]


def require_parts(case, device):
    if case in cases_audio.MELS:
        require_fft(device)


def build(case):
    """The layer of a case with its weights, and its inputs."""
    cls, options, kind = CASES[case]
    layer = getattr(layers, cls)(**arguments(options, L1L2))
    x = inputs(kind)
    layer(x)
    if layer.weights:
        layer.set_weights(weights(layer))
    return layer, x


def found(prefix):
    """The golden arrays whose names go on with a number, in order."""
    names = [name for name in GOLDEN if name.startswith(prefix)]
    return [GOLDEN[f"{prefix}{i}"] for i in range(len(names))]


@pytest.mark.parametrize(("case", "mode"), MODES)
def test_values_and_gradients(case, mode, device):
    require_parts(case, device)
    layer, x = build(case)
    x = gpunn.Tensor(x)
    if x.dtype == "float32":
        x.requires_grad_()
    y = layer(x, training=mode == "training")
    exact = {"rtol": 2e-5, "atol": 2e-6} if case not in cases_audio.MELS else {"atol": 1e-4}
    assert_close(y, GOLDEN[f"{case}/{mode}"], **exact)
    assert y.device.kind == device
    if y.requires_grad:
        y.backward(values(y.shape, 9))
    if x.requires_grad:
        assert_close(x.grad, GOLDEN[f"{case}/{mode}/dx"], "gradient")
    expected = found(f"{case}/{mode}/dw")
    assert len(expected) == len(layer.trainable_weights)
    for v, dw in zip(layer.trainable_weights, expected, strict=True):
        assert_close(v.grad, dw, "gradient", label=v.path)


@pytest.mark.parametrize("case", CASES)
def test_state_losses_and_shape(case, device):
    require_parts(case, device)
    layer, x = build(case)
    if f"{case}/losses" in GOLDEN:
        layer(x)
        assert_close([loss.item() for loss in layer.losses], GOLDEN[f"{case}/losses"], rtol=1e-5)
    layer(x, training=True)
    layer(x, training=True)
    moved = found(f"{case}/moved/")
    assert len(moved) == len(layer.non_trainable_weights)
    for v, expected in zip(layer.non_trainable_weights, moved, strict=True):
        assert_close(v, expected, label=v.path)
    shape = layer.compute_output_shape((None, *x.shape[1:]))
    assert [-1 if n is None else n for n in shape] == GOLDEN[f"{case}/shape"].tolist()
    if np.ndim(x):
        assert layer.compute_output_shape(x.shape) == layer(x).shape


@pytest.mark.parametrize("case", CASES)
def test_probing_finds_the_same_shape(case):
    layer, x = build(case)
    if len(x) == 1 or (CASES[case][0] == "Flatten" and x.ndim == 1):
        return
    own = layer.compute_output_shape((None, *x.shape[1:]))
    assert layers.Layer.compute_output_shape(layer, (None, *x.shape[1:])) == own


@pytest.mark.parametrize("case", CASES)
def test_config_makes_the_same_layer(case, device):
    require_parts(case, device)
    layer, x = build(case)
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config
    again(x)
    again.set_weights(layer.get_weights())
    assert_close(again(x), layer(x).numpy(), rtol=0, atol=0)
    same = layers.deserialize(layers.serialize(layer))
    assert type(same) is type(layer) and same.get_config() == config


@pytest.mark.parametrize("case", CASES)
def test_gradients_in_float64(case):
    cls, options, kind = CASES[case]
    if kind[0] == "int":
        pytest.skip("integers have no gradient")
    if "renorm" in options:
        pytest.skip("no gradient flows through the corrections, and the statistics move")
    layer = getattr(layers, cls)(dtype="float64", **arguments(options, L1L2))
    x = inputs(kind).astype(np.float64)
    assert layer(x).dtype == "float64" and {v.dtype for v in layer.weights} <= {np.dtype("float64")}
    if layer.weights:
        layer.set_weights(weights(layer))
    for training in (False, True):
        gpunn.autograd.check_gradients(lambda x, t=training: layer(x, training=t), x)


@pytest.mark.parametrize("case", ADAPT)
def test_adapt(case, device):
    options, shape = ADAPT[case]
    layer = layers.Normalization(**options)
    x = values(shape, 3, -2.0, 5.0)
    layer.adapt(x)
    for v, expected in zip(layer.weights, found(f"{case}/weights/"), strict=True):
        assert_close(v, expected, rtol=1e-5, label=v.name)
    assert_close(layer(x), GOLDEN[f"{case}/inference"], rtol=1e-5, atol=1e-5)

"""Regularizers: Keras' values and gradients on both devices, configs, bad arguments."""

import pytest

import gpunn
from gpunn import regularizers
from gpunn.errors import ArgumentError, ShapeError
from tests.golden.cases_weights import REGULARIZERS, full_weight, weight
from tests.harness import assert_close, golden

CASES = [pytest.param(i, *c, id=f"{c[0]}-{i}") for i, c in enumerate(REGULARIZERS)]


def test_every_regularizer_is_compared():
    assert {c[0] for c in REGULARIZERS} == {c.__name__ for c in regularizers.REGISTRY.classes}


@pytest.mark.parametrize("i, name, options", CASES)
def test_as_keras(device, i, name, options):
    reference = golden("weights")
    regularizer = getattr(regularizers, name)(**options)
    penalty = regularizer(gpunn.Tensor(weight()))
    assert_close(penalty, reference[f"regularizer/{i}/zeros"])
    w = gpunn.Tensor(full_weight(), requires_grad=True)
    penalty = regularizer(w)
    assert penalty.device == device
    assert_close(penalty, reference[f"regularizer/{i}/full"])
    penalty.backward()
    assert_close(w.grad, reference[f"regularizer/{i}/gradient"], kind="gradient")


@pytest.mark.parametrize("i, name, options", CASES)
def test_gradients_in_float64(i, name, options):
    regularizer = getattr(regularizers, name)(**options)
    gpunn.autograd.check_gradients(regularizer, full_weight().astype("float64"))


@pytest.mark.parametrize("i, name, options", CASES)
def test_config_round_trip(i, name, options):
    made = getattr(regularizers, name)(**options)
    again = regularizers.deserialize(regularizers.serialize(made))
    assert type(again) is type(made) and again.get_config() == made.get_config()


def test_names():
    for name in ("l1", "l2", "l1_l2", "orthogonal_regularizer"):
        assert getattr(regularizers, name) is type(regularizers.get(name))
    assert isinstance(regularizers.get("L1L2"), regularizers.Regularizer)
    assert regularizers.get(None) is None and regularizers.get(abs) is abs
    with pytest.raises(ArgumentError, match="l1"):
        regularizers.get("l11")


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf")])
def test_bad_factors(bad):
    for make in (regularizers.L1, regularizers.L2, regularizers.OrthogonalRegularizer):
        with pytest.raises(ArgumentError, match=str(bad)):
            make(bad)


def test_orthogonal_takes_matrices_of_two_rows():
    with pytest.raises(ArgumentError, match="diagonal"):
        regularizers.OrthogonalRegularizer(mode="diagonal")
    for shape in ((3,), (1, 3)):
        with pytest.raises(ShapeError, match="OrthogonalRegularizer"):
            regularizers.OrthogonalRegularizer()(gpunn.ops.ones(shape))

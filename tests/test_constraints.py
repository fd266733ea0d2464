"""Constraints: Keras' values on both devices, configs, bad arguments."""

import numpy as np
import pytest

import gpunn
from gpunn import constraints
from gpunn.errors import ArgumentError, ArgumentTypeError
from tests.golden.cases_weights import CONSTRAINTS, weight
from tests.harness import assert_close, golden

CASES = [pytest.param(i, *c, id=f"{c[0]}-{i}") for i, c in enumerate(CONSTRAINTS)]


def test_every_constraint_is_compared():
    assert {c[0] for c in CONSTRAINTS} == {c.__name__ for c in constraints.REGISTRY.classes}


@pytest.mark.parametrize("i, name, options", CASES)
def test_as_keras(device, i, name, options):
    w = gpunn.Tensor(weight())
    y = getattr(constraints, name)(**options)(w)
    assert y.device == device
    assert_close(y, golden("weights")[f"constraint/{i}"])
    assert_close(w, weight())


@pytest.mark.parametrize("i, name, options", CASES)
def test_float64(i, name, options):
    y = getattr(constraints, name)(**options)(weight().astype("float64"))
    assert y.dtype == np.float64
    assert_close(y, golden("weights")[f"constraint/{i}"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("i, name, options", CASES)
def test_config_round_trip(i, name, options):
    made = getattr(constraints, name)(**options)
    again = constraints.deserialize(constraints.serialize(made))
    assert type(again) is type(made) and again.get_config() == made.get_config()


def test_names():
    for name in ("max_norm", "min_max_norm", "non_neg", "unit_norm"):
        assert getattr(constraints, name) is type(constraints.get(name))
    assert isinstance(constraints.get("NonNeg"), constraints.Constraint)
    assert constraints.get(None) is None
    with pytest.raises(ArgumentError, match="max_norm"):
        constraints.get("maxnrm")


def test_bad_arguments():
    with pytest.raises(ArgumentError, match="-1"):
        constraints.MaxNorm(-1)
    with pytest.raises(ArgumentError, match="above"):
        constraints.MinMaxNorm(2.0, 1.0)
    with pytest.raises(ArgumentTypeError, match="axis"):
        constraints.UnitNorm(axis="rows")


def test_an_optimizer_applies_them(device):
    w = gpunn.Variable([[3.0], [-4.0]], constraint=constraints.NonNeg())
    b = gpunn.Variable([1.0])
    optimizer = gpunn.optimizers.SGD(learning_rate=1.0)
    optimizer.apply([np.zeros((2, 1)), np.ones(1)], [w, b])
    assert w.numpy().tolist() == [[3.0], [0.0]] and b.numpy().tolist() == [0.0]
    frozen = gpunn.Variable([-1.0], constraint=constraints.NonNeg(), trainable=False)
    optimizer = gpunn.optimizers.SGD(learning_rate=1.0)
    optimizer.build([frozen, b])
    b.grad = [1.0]
    optimizer.step()  # a variable that takes no part in a step stays as it is
    assert frozen.numpy().tolist() == [-1.0]

"""Inputs that a model may do without: Input(optional=True)."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import ArgumentError
from tests.harness import assert_close


@gpunn.register_serializable()
class Sum(layers.Layer):
    """x + y, or x alone."""

    def call(self, x, y=None):
        return x if y is None else x + y


def model(nest):
    a = gpunn.Input((3,), name="a")
    b = gpunn.Input((3,), name="b", optional=True)
    return gpunn.Model({"a": a, "b": b} if nest else [a, b], Sum()(a, b))


def test_with_and_without(device):
    x = np.ones((2, 3), "float32")
    with gpunn.device(device):
        listed, named = model(nest=False), model(nest=True)
    assert_close(listed([x, x]), 2 * x)
    assert_close(listed([x, None]), x)
    assert_close(named({"a": x, "b": None}), x)
    with pytest.raises(ArgumentError, match=r"'a' of model .* is not optional"):
        listed([None, x])


def test_it_stays_optional(tmp_path):
    x = np.ones((2, 3), "float32")
    first = model(nest=False)
    first.save(tmp_path / "model.gpunn")
    again = gpunn.load_model(tmp_path / "model.gpunn")
    copied = gpunn.models.clone_model(first)
    for made in (again, copied, gpunn.Model.from_config(first.get_config())):
        assert_close(made([x, None]), x)
    assert layers.InputLayer((3,)).get_config().keys() == {"batch_shape", "dtype", "name"}

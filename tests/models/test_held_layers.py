"""Layers inside layers that are called directly between symbolic tensors as well."""

import json

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import SerializationError
from gpunn.models.keras_config import to_keras

X = np.random.default_rng(0).random((4, 3), dtype="float32")


@gpunn.register_serializable("held")
class Outer(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = layers.Dense(units)
        self.more = [layers.Dense(units), layers.Dense(2)]

    def call(self, x):
        return self.more[0](self.inner(x))


@gpunn.register_serializable("held")
class Late(layers.Layer):
    def build(self, input_shape):
        self.inner = layers.Dense(3)
        self.inner.build(input_shape)

    def call(self, x):
        return self.inner(x)


def before_and_after():
    inputs, outer = gpunn.Input((3,)), Outer(3)
    return gpunn.Model(inputs, outer.inner(inputs) * outer(inputs) + outer.more[0](inputs))


def made_in_build():
    inputs, late = gpunn.Input((3,)), Late()
    y = late(inputs)
    return gpunn.Model(inputs, late.inner(y))


def of_a_sequential():
    base = gpunn.Sequential([gpunn.Input((3,)), layers.Dense(4), layers.Dense(3)])
    inputs = gpunn.Input((3,))
    return gpunn.Model(inputs, base(inputs) + base.layers[1](base.layers[0](inputs) ** 2))


@pytest.mark.parametrize("make", [before_and_after, made_in_build, of_a_sequential])
def test_saved_and_cloned_they_stay_shared(make, tmp_path, device):
    model = make()
    model.compile("adam", "mse")
    model.fit(X, X, verbose=0)
    model.save(tmp_path / "m")
    loaded = gpunn.load_model(tmp_path / "m")
    cloned = gpunn.models.clone_model(model)
    cloned.set_weights(model.get_weights())
    expected = model.predict(X, verbose=0)
    for other in (loaded, cloned):
        assert [x.name for x in other.layers] == [x.name for x in model.layers]
        assert len(other.weights) == len(model.weights)
        np.testing.assert_array_equal(other.predict(X, verbose=0), expected)
    for m in (model, loaded):
        m.fit(X, X, verbose=0)
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5)


def test_keras_files_cannot_hold_them():
    with pytest.raises(SerializationError, match="lies inside 'outer"):
        to_keras(json.loads(before_and_after().to_json()))

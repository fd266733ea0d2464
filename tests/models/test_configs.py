"""Configs of values and objects of any kind."""

import json

import numpy as np
import pytest

import gpunn


def test_plain_values_in_configs():
    values = {"parts": [slice(None, 20, 1), ..., b"bytes", 1.5], "array": np.arange(3)}
    again = gpunn.saving.deserialize_keras_object(
        json.loads(json.dumps(gpunn.saving.serialize_keras_object(values))), safe_mode=True
    )
    assert again["parts"] == values["parts"] and (again["array"] == values["array"]).all()
    found = {"class_name": "function", "config": "kl_divergence", "registered_name": "function"}
    assert gpunn.saving.deserialize_keras_object(found) is gpunn.losses.kl_divergence


def test_configs_that_cannot_be():
    for bad in ({"class_name": "Dense", "config": [1]}, {"class_name": "function", "config": [1]}):
        with pytest.raises(TypeError, match="config of a"):
            gpunn.saving.deserialize_keras_object(bad)
    renamed = {"class_name": "Dense", "module": "keras.layers", "config": {"units": 1}}
    assert gpunn.saving.deserialize_keras_object({**renamed, "registered_name": "Dense"}).units == 1
    with pytest.raises(ValueError, match=r"subprocess\.Popen.* is not known"):
        gpunn.saving.deserialize_keras_object({**renamed, "registered_name": "subprocess.Popen"})
    with pytest.raises(ValueError, match="get_config"):
        gpunn.saving.register_keras_serializable()(type("Nothing", (), {}))
    with pytest.raises(ValueError, match="no file"):
        gpunn.load_model("no/such.keras")


def test_objects_in_configs_are_written_as_configs():
    @gpunn.register_serializable("nest")
    class Inner(gpunn.layers.Layer):
        def __init__(self, factor, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def get_config(self):
            return {"factor": self.factor}

    @gpunn.register_serializable("nest")
    class Outer(gpunn.layers.Layer):
        def __init__(self, inner, **kwargs):
            super().__init__(**kwargs)
            self.inner = gpunn.saving.deserialize_keras_object(inner)

        def get_config(self):
            return {"inner": self.inner}

    text = json.dumps(gpunn.saving.serialize_keras_object(Outer(Inner(3))))
    assert gpunn.saving.deserialize_keras_object(json.loads(text)).inner.factor == 3


def test_a_list_that_holds_itself_is_searched_once():
    layer = gpunn.layers.Dense(2)
    layer.notes = [1]
    layer.notes.append(layer.notes)
    layer.build((None, 3))
    assert len(layer.weights) == 2

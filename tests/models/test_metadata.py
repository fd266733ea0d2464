"""Metadata of a user's in a model file."""

import json

import numpy as np
import pytest

import gpunn
from gpunn.errors import SerializationError
from gpunn.models import load_model, read_metadata


@pytest.fixture
def model():
    return gpunn.Sequential([gpunn.Input((3,)), gpunn.layers.Dense(2)])


def test_metadata_come_back(model, tmp_path):
    path = tmp_path / "m.gpunn"
    given = {"classes": ["a", "b"], "mean": [0.1, 1e300], "nested": {"none": None, "yes": True}}
    model.save(path, metadata=given)
    assert read_metadata(path) == given
    assert load_model(path).count_params() == 8
    model.save(path)
    assert read_metadata(path) == {}


def test_what_json_cannot_hold_is_refused_and_nothing_is_written(model, tmp_path):
    path = tmp_path / "m.gpunn"
    with pytest.raises(SerializationError, match=r"metadata\.thing"):
        model.save(path, metadata={"thing": object()})
    assert not path.exists()


def test_a_file_without_a_header_of_ours(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "other.safetensors"
    save_file({"x": np.zeros(2)}, path)
    with pytest.raises(SerializationError, match="not one that gpunn wrote"):
        read_metadata(path)
    save_file({"x": np.zeros(2)}, path, {"gpunn": json.dumps({"format": 99})})
    with pytest.raises(SerializationError, match="pip install -U gpunn"):
        read_metadata(path)
    with pytest.raises(FileNotFoundError):
        read_metadata(tmp_path / "none")


def test_the_optimizer_of_a_trained_model_comes_back(model, tmp_path, device):
    path = tmp_path / "m.gpunn"
    with gpunn.device(device):
        model = gpunn.Sequential([gpunn.Input((3,)), gpunn.layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(np.ones((8, 3), "float32"), np.ones(8, "float32"), epochs=2, verbose=0)
        model.save(path)
        again = load_model(path)
    assert again.optimizer.iterations.numpy() == model.optimizer.iterations.numpy() == 2
    assert again.optimizer.iterations.shape == ()

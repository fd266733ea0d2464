"""Weights of a file in Keras' old format (tests/golden/make_legacy_h5.py)."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import ArgumentError, SerializationError
from tests.harness import GOLDEN, golden

h5py = pytest.importorskip("h5py")
OLD = GOLDEN / "legacy_of_keras.h5"


def model(conv="conv", norm="norm", head="head"):
    inputs = gpunn.Input((5, 5, 2))
    x = layers.BatchNormalization(name=norm)(layers.Conv2D(3, 3, name=conv)(inputs))
    inner = [layers.Dense(4), layers.BatchNormalization(), layers.Dense(3)]
    return gpunn.Model(inputs, gpunn.Sequential(inner, name=head)(layers.Flatten()(x)))


def weights_alone(path, cut=None):
    """The file with the weights alone, its list of layers in pieces if `cut` is said."""
    with h5py.File(OLD) as old, h5py.File(path, "w") as new:
        for name in old["model_weights"]:
            old.copy(old["model_weights"][name], new, name)
        names = old["model_weights"].attrs["layer_names"]
        for i, part in enumerate([names] if cut is None else [names[:cut], names[cut:]]):
            new.attrs["layer_names" if cut is None else f"layer_names{i}"] = part
    return path


@pytest.mark.parametrize("kind", ["whole", "weights", "pieces"])
@pytest.mark.parametrize("by_name", [False, True])
def test_weights_by_order_and_by_name(kind, by_name, tmp_path, device):
    wanted = golden("legacy_h5")
    path = OLD if kind == "whole" else tmp_path / "old.h5"
    if kind != "whole":
        weights_alone(path, cut=2 if kind == "pieces" else None)
    with gpunn.device(device):
        new = model() if by_name else model("c", "n", "h")
    new.load_weights(path, by_name=by_name)
    y = new.predict(wanted["images"], verbose=0)
    np.testing.assert_allclose(y, wanted["y"], rtol=1e-4, atol=1e-4)


def test_other_names_keep_their_weights():
    new = model(norm="another")
    before = new.get_weights()
    new.load_weights(OLD, by_name=True)
    changed = [v.path for v, a in zip(new.weights, before, strict=True) if (a != v.numpy()).any()]
    assert len(changed) == 2 + 8 and not any("another" in path for path in changed)


def test_what_does_not_fit(tmp_path):
    dense = gpunn.Sequential([gpunn.Input((3,)), layers.Dense(4, name="conv")])
    before = dense.get_weights()
    with pytest.raises(SerializationError, match="the file has 3 layers with weights, the model 1"):
        dense.load_weights(OLD)
    said = (
        r"conv: the file has \[\(3, 3, 2, 3\), \(3,\)\] for 'conv', the layer \[\(3, 4\), \(4,\)\]"
    )
    with pytest.raises(SerializationError, match=said):
        dense.load_weights(OLD, by_name=True)
    with pytest.warns(UserWarning, match=said):
        dense.load_weights(OLD, by_name=True, skip_mismatch=True)
    for a, b in zip(before, dense.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_by_name_is_for_old_files(tmp_path):
    dense = gpunn.Sequential([gpunn.Input((3,)), layers.Dense(4)])
    for name in ("own.weights", "new.weights.h5"):
        path = tmp_path / name
        if name.endswith("h5"):
            gpunn.saving.save_keras(dense, path)
        else:
            dense.save_weights(path)
        with pytest.raises(ArgumentError, match="by_name=True is for"):
            dense.load_weights(path, by_name=True)

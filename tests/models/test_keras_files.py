"""Files that Keras 3 wrote (tests/golden/make_keras_files.py), read, and written again."""

import io
import json
import shutil
import zipfile

import numpy as np
import pytest

import gpunn
from gpunn import layers, ops
from gpunn.errors import MissingDependencyError, SerializationError
from gpunn.models.keras_config import from_keras, to_keras
from tests.harness import GOLDEN, golden

h5py = pytest.importorskip("h5py")
SEQUENTIAL = GOLDEN / "sequential_of_keras.keras"
FUNCTIONAL = GOLDEN / "functional_of_keras.keras"
WEIGHTS = GOLDEN / "functional_of_keras.weights.h5"


@gpunn.register_serializable("golden")
class Scale(layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.shift = self.add_weight(shape=input_shape[-1:], initializer="ones", name="shift")

    def call(self, x):
        return x * self.factor + self.shift

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@pytest.fixture
def wanted():
    return golden("keras_files")


def agree(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_a_sequential_model(wanted, device):
    model = gpunn.load_model(SEQUENTIAL, device=device)
    images = wanted["images"]
    agree(model.predict(images, verbose=0), wanted["scores"])
    assert model.name == "sequential_of_keras" and model.metrics_names[0] == "loss"
    assert int(model.optimizer.iterations) == 3
    loss = model.train_on_batch(images, np.arange(4) % 3)[0]
    agree(loss, wanted["again"])
    np.testing.assert_allclose(  # the optimizer went on where Keras' was
        model.predict(images, verbose=0), wanted["after"], rtol=1e-3, atol=1e-4
    )


def test_a_functional_model(wanted, device):
    model = gpunn.load_model(FUNCTIONAL, device=device)
    given = [wanted["words"], wanted["more"]]
    for got, expected in zip(model.predict(given, verbose=0), [wanted["a"], wanted["b"]]):
        agree(got, expected)
    assert model.input_names == ["words", "more"] and model.output_names == ("a", "b")
    assert type(model.optimizer).__name__ == "AdamW" and int(model.optimizer.iterations) == 2
    scores = model.evaluate(
        given, [np.zeros((4, 3)), np.zeros((4, 1))], verbose=0, return_dict=True
    )
    assert scores.keys() == {"loss", "a_loss", "b_loss", "a_mae"}


@pytest.mark.parametrize("path", [FUNCTIONAL, WEIGHTS])
def test_weights_alone(wanted, path):
    model = gpunn.models.clone_model(gpunn.load_model(FUNCTIONAL))
    model.load_weights(path)
    agree(model.predict([wanted["words"], wanted["more"]], verbose=0)[0], wanted["a"])


def test_without_how_it_is_trained(wanted):
    model = gpunn.load_model(SEQUENTIAL, compile=False)
    assert not model.compiled
    agree(model.predict(wanted["images"], verbose=0), wanted["scores"])


def datasets(file) -> dict:
    """The arrays of an HDF5 file by name, without the states of random generators."""
    found = {}
    file.visititems(lambda name, x: found.update({name: x}) if hasattr(x, "shape") else None)
    return {n: np.asarray(x) for n, x in found.items() if "seed_generator" not in n}


def opened(path):
    with zipfile.ZipFile(path) as archive:
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
        return json.loads(archive.read("config.json")), datasets(weights)


@pytest.mark.parametrize("path", [SEQUENTIAL, FUNCTIONAL])
def test_what_is_written_is_what_keras_writes(path, tmp_path):
    model = gpunn.load_model(path)
    gpunn.saving.save_keras(model, tmp_path / "again.keras")
    (config, arrays), (expected, others) = map(opened, (tmp_path / "again.keras", path))
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name])
    assert _like(config, expected) > 100  # entries
    gpunn.saving.save_keras(model, tmp_path / "again.weights.h5")
    with h5py.File(tmp_path / "again.weights.h5") as file:
        written = datasets(file)
    assert written.keys() == {n for n in others if not n.startswith("optimizer")}
    again = gpunn.load_model(tmp_path / "again.keras")
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def _like(ours, theirs, where="") -> int:
    """Check that what both configs say of modules, classes and arguments is the same."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if theirs.get("class_name") == "DTypePolicy":
            return 0
        both = ours.keys() & theirs.keys() - {"jit_compile", "build_config"}
        if theirs.get("registered_name") == theirs.get("class_name"):  # of use to no reader
            both -= {"registered_name"}
        return sum(_like(ours[k], theirs[k], f"{where}.{k}") for k in both)
    if isinstance(ours, list) and isinstance(theirs, list):
        assert len(ours) == len(theirs), where
        pairs = enumerate(zip(ours, theirs, strict=True))
        return sum(_like(a, b, f"{where}[{i}]") for i, (a, b) in pairs)
    if isinstance(theirs, dict) and theirs.get("class_name") == "DTypePolicy":
        theirs = theirs["config"]["name"]
    assert ours == theirs or (isinstance(ours, float) and ours == pytest.approx(theirs)), where
    return 1


def test_ops_between_layers():
    i = gpunn.Input((6,))
    x = ops.concatenate([ops.relu(i)[:, 1:4], 1 - i], axis=-1)
    x = ops.sum(ops.reshape(x, (-1, 3, 3)), 1, keepdims=True) / (1 + ops.max(ops.abs(x)))
    model = gpunn.Model(i, ops.transpose(x, (0, 2, 1)))
    config = to_keras(json.loads(model.to_json()))
    entries = [e for e in config["config"]["layers"] if ".ops." in e["module"]]
    assert [(e["module"].rpartition(".")[2], e["class_name"]) for e in entries][:3] == [
        ("nn", "Relu"),
        ("numpy", "GetItem"),
        ("numpy", "Subtract"),
    ]
    (total,) = [e for e in entries if e["class_name"] == "Sum"]
    assert total["config"]["axis"] == 1 and total["config"]["keepdims"] is True
    again = gpunn.serialization.deserialize_value(from_keras(config))
    data = np.random.default_rng(0).normal(size=(2, 6)).astype("float32")
    np.testing.assert_array_equal(again(data).numpy(), model(data).numpy())


def test_errors(tmp_path, monkeypatch):
    model = gpunn.Sequential([gpunn.Input((3,)), layers.Dense(2)])
    with pytest.raises(SerializationError, match=r"\*\.keras and \*\.weights\.h5"):
        gpunn.saving.save_keras(model, tmp_path / "model.h5")
    path = tmp_path / "model.keras"
    gpunn.saving.save_keras(model, path)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        gpunn.saving.save_keras(model, path, overwrite=False)
    other = gpunn.Sequential([gpunn.Input((3,)), layers.Dense(4)])
    before = other.get_weights()
    with pytest.raises(SerializationError, match=r"layers/dense .*\(3, 2\).*\(3, 4\)"):
        other.load_weights(path)
    with pytest.warns(UserWarning, match="layers/dense"):
        other.load_weights(path, skip_mismatch=True)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)

    def edited(name, change):
        config, _ = opened(path)
        change(config["config"]["layers"][1])
        with zipfile.ZipFile(tmp_path / name, "w") as archive, zipfile.ZipFile(path) as old:
            archive.writestr("config.json", json.dumps(config))
            archive.writestr("model.weights.h5", old.read("model.weights.h5"))
        return tmp_path / name

    unknown = edited("unknown.keras", lambda layer: layer.update(class_name="Denser"))
    with pytest.raises(SerializationError, match=r"gpunn has no keras\.layers\.Denser"):
        gpunn.load_model(unknown)
    code = {"class_name": "__lambda__", "config": {"value": "4w=="}}
    with_code = edited("code.keras", lambda layer: layer["config"].update(activation=code))
    with pytest.raises(SerializationError, match="does not run such code"):
        gpunn.load_model(with_code)
    damaged = tmp_path / "damaged.keras"
    damaged.write_bytes(path.read_bytes()[:900])
    with pytest.raises(SerializationError, match="damaged"):
        gpunn.load_model(damaged)
    shutil.copy(WEIGHTS, tmp_path / "cut.weights.h5")
    (tmp_path / "cut.weights.h5").write_bytes(WEIGHTS.read_bytes()[:500])
    with pytest.raises(SerializationError, match="damaged"):
        other.load_weights(tmp_path / "cut.weights.h5")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r"pip install gpunn\[keras\]"):
        gpunn.load_model(path)

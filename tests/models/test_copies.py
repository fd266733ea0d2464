"""Copies, pickles and files of models in training go on exactly as the original would."""

import copy
import pickle

import numpy as np
import pytest

import gpunn
from gpunn import layers

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = X[:, :2] * 2 - 1


class Net(gpunn.Model):
    def __init__(self):
        super().__init__()
        self.hidden = [layers.Dense(5, activation="tanh"), layers.BatchNormalization()]
        self.out = layers.Dense(2)

    def call(self, x, training=False):
        for layer in self.hidden:
            x = layer(x)
        return self.out(x)


def sequential():
    return gpunn.Sequential([layers.Dense(5, activation="tanh"), layers.Dense(2)])


def saved(model, tmp_path):
    model.save(tmp_path / "model.gpunn")
    return gpunn.load_model(tmp_path / "model.gpunn", custom_objects={"Net": Net})


WAYS = {
    "deepcopy": lambda model, tmp_path: copy.deepcopy(model),
    "pickle": lambda model, tmp_path: pickle.loads(pickle.dumps(model)),
    "file": saved,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [sequential, Net])
def test_copy_trains_on_alike_and_apart(make, way, tmp_path, device):
    model = make()
    model.compile(gpunn.optimizers.Adam(0.01, weight_decay=0.1), "mse", metrics=["mae"])
    if way != "file":  # exclusions are no argument of the constructor
        model.optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.fit(X, Y, verbose=0, shuffle=False)
    twin = WAYS[way](model, tmp_path)
    before = model.get_weights()
    losses = twin.fit(X, Y, epochs=2, verbose=0, shuffle=False).history
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # the original did not move
    assert model.fit(X, Y, epochs=2, verbose=0, shuffle=False).history == losses
    np.testing.assert_array_equal(model.predict(X), twin.predict(X))


def test_unknown_metric_is_refused_by_compile():
    with pytest.raises(ValueError, match="accuracy"):
        sequential().compile("adam", "mse", metrics=["acuracy"])


def test_metrics_of_one_name_are_numbered():
    model = sequential()
    model.compile("adam", "mse", metrics=["mae", gpunn.metrics.MeanAbsoluteError(name="mae")])
    assert list(model.fit(X, Y, verbose=0).history) == ["loss", "mae", "mae_1"]


def test_epochs_must_be_a_number():
    model = sequential()
    model.compile("adam", "mse")
    with pytest.raises(TypeError, match="epochs"):
        model.fit(X, Y, epochs="3")


def test_a_diverging_fit_does_not_warn():
    model = sequential()
    model.compile(gpunn.optimizers.SGD(1e30), "mse")
    losses = model.fit(X, Y, epochs=3, batch_size=8, verbose=0).history["loss"]
    assert not np.isfinite(losses[-1])


def test_nested_models_are_saved_and_cloned(tmp_path):
    inner = gpunn.Sequential([layers.Dense(3, activation="relu")], name="inner")
    model = gpunn.Sequential([gpunn.Input((4,)), inner, layers.Dense(2)])
    model.save(tmp_path / "model.gpunn")
    loaded = gpunn.load_model(tmp_path / "model.gpunn")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert gpunn.models.clone_model(model).count_params() == model.count_params()


@pytest.mark.parametrize("kind", ["sequential", "graph", "subclass"])
def test_a_clone_is_compiled_alike_with_an_optimizer_of_its_own(kind):
    x = gpunn.Input((4,))
    graph = gpunn.Model(x, layers.Dense(2)(x))
    model = {"sequential": sequential(), "graph": graph, "subclass": Net()}[kind]
    model.compile(gpunn.optimizers.SGD(0.25), "mae", metrics=["mse"])
    model.fit(X, Y, verbose=0)
    clone = gpunn.models.clone_model(model)
    assert clone.get_compile_config() == model.get_compile_config()
    assert clone.optimizer is not model.optimizer and int(clone.optimizer.iterations) == 0
    assert set(clone.fit(X, Y, verbose=0).history) == {"loss", "mse"}

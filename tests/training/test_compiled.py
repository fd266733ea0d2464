"""Names of metrics in the logs, as Keras gives them."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentError, DataError, UnknownOutputError
from gpunn.layers import Dense
from gpunn.tree import flatten

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


def test_metrics_of_one_name():
    model = gpunn.Sequential([Dense(1)])
    model.compile("sgd", "mse", metrics=["mae", "mae"], weighted_metrics=["mae", "mse"])
    logs = model.fit(X, X[:, :1], verbose=0).history
    assert set(logs) == {"loss", "mae", "mae_1", "weighted_mae", "mse"}


def test_weighted_metrics_of_several_outputs():
    x = gpunn.Input((3,))
    outputs = [Dense(1, name="a")(x), Dense(1, name="b")(x)]
    model = gpunn.Model(x, outputs)
    given = {"a": ["mae"], "b": ["mae"]}
    model.compile("sgd", "mse", metrics=given, weighted_metrics=given)
    logs = model.fit(X, [X[:, :1]] * 2, sample_weight=np.ones(8), verbose=0).history
    names = {"a_mae", "b_mae", "a_weighted_mae", "b_weighted_mae"}
    assert set(logs) == {"loss", "a_loss", "b_loss", *names}


def test_positions_of_arguments_are_keras(device):
    model = gpunn.Sequential([gpunn.Input((2,)), gpunn.layers.Dense(1)])
    model.compile("sgd", "mse", [0.5], ["mae"])
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(found["mae"] ** 2 / 2)
    with pytest.raises(ArgumentError, match=r"loss_weights must be numbers.*metrics="):
        model.compile("adam", "mse", ["accuracy"])
    assert model.evaluate(x, y, verbose=0, return_dict=True) == found


def two_outputs(**options):
    x = gpunn.Input((3,))
    a, b = Dense(1, name="a")(x), Dense(1, name="b")(x)
    return gpunn.Model(x, {"first": a, "rest": [b, a]}, **options)


def distance(y_true, y_pred):
    return sum(ops.sum(ops.abs(t - p), -1) for t, p in zip(flatten(y_true), flatten(y_pred)))


def test_losses_nested_like_the_outputs_and_of_several(device):
    with gpunn.device(device):
        model = two_outputs()
        loss = {"first": "mae", "rest": (distance, ["mse", None])}
        model.compile("sgd", loss, loss_weights={"first": 2.0, "rest": (0.5, [3.0, None])})
        x = X.astype("float32")
        y = {"first": X[:, :1], "rest": [X[:, 1:2], X[:, 2:]]}
        logs = model.evaluate(x, y, verbose=0, return_dict=True)
        p = model.predict(x, verbose=0)
    mae = np.abs(p["first"] - y["first"]).mean()
    several = sum(np.abs(a - b)[:, 0] for a, b in zip(p["rest"], y["rest"])).mean()
    mse = ((p["rest"][0] - y["rest"][0]) ** 2).mean()
    expected = {
        "loss": 2 * mae + 0.5 * several + 3 * mse,
        "first_loss": mae, "rest_loss": several, "rest/b_loss": mse,
    }  # fmt: skip
    assert logs == pytest.approx(expected, rel=1e-5)


def test_a_list_of_losses_for_one_output():
    model = gpunn.Sequential([gpunn.Input((3,)), Dense(1)])
    model.compile("sgd", ["mse", "mae"])
    p = model.predict(X, verbose=0)
    expected = ((p - X[:, :1]) ** 2).mean() + np.abs(p - X[:, :1]).mean()
    logs = model.evaluate(X, X[:, :1], verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_targets_only_where_there_is_a_loss():
    x = gpunn.Input((3,))
    outputs = [Dense(1, name="a")(x), Dense(2, name="b")(x), Dense(3, name="c")(x)]
    model = gpunn.Model(x, outputs)
    model.compile("sgd", [None, "mse", None], metrics=[None, "mae", None])
    alone = gpunn.Model(x, outputs[1])
    alone.compile("sgd", "mse", metrics=["mae"])
    one = model.evaluate(X, X[:, :2], verbose=0)
    assert one == pytest.approx(alone.evaluate(X, X[:, :2], verbose=0))
    with pytest.raises(DataError, match="nested like the outputs"):
        model.evaluate(X, [X[:, :2], X[:, :2]], verbose=0)


def test_a_loss_of_an_output_that_is_not_there():
    model = two_outputs()
    model.compile("sgd", {"second": "mse"})
    with pytest.raises(KeyError, match="no output") as found:
        model.fit(X, {"first": X[:, :1], "rest": [X[:, :1]] * 2}, verbose=0)
    assert isinstance(found.value, ArgumentError)


def test_metrics_nested_like_the_outputs():
    model = two_outputs()
    model.compile("sgd", "mse", metrics={"first": "mae", "rest": [["mse", "mae"], None]})
    y = {"first": X[:, :1], "rest": [X[:, 1:2], X[:, 2:]]}
    logs = model.evaluate(X, y, verbose=0, return_dict=True)
    assert {"a_mae", "b_mse", "b_mae"} <= set(logs)
    values = model.evaluate(X, y, verbose=0)
    assert values == [logs[name] for name in model.metrics_names]
    assert model.metrics_names[-3:] == ["a_mae", "b_mae", "b_mse"]


def test_metrics_of_compile_are_one_of_the_models():
    model = gpunn.Sequential([Dense(1)])
    model.compile("sgd", "mse", metrics=["mae", "mse"])
    assert [m.name for m in model.metrics] == ["loss", "compile_metrics"]
    model.evaluate(X, X[:, :1], verbose=0)
    assert len(model.metrics) == 2 and model.metrics_names == ["loss", "mae", "mse"]


@pytest.mark.parametrize("name", ["binary", "categorical", "sparse_categorical"])
def test_a_cross_entropy_has_its_mean_by_one_op_however_it_is_given(device, name):
    y = np.eye(3, dtype="float32")[[0, 2, 1, 1]]
    y = y.argmax(1) if name == "sparse_categorical" else y
    x = np.random.default_rng(0).random((4, 5)).astype("float32")
    function = getattr(gpunn.losses, f"{name}_crossentropy")
    cls = getattr(gpunn.losses, f"{name.title().replace('_', '')}Crossentropy")
    results = []
    for loss in (function.__name__, function, cls()):
        gpunn.set_seed(0)
        model = gpunn.Sequential([gpunn.Input((5,)), gpunn.layers.Dense(3, "softmax")])
        model.compile("sgd", loss)
        results.append(model.fit(x, y, epochs=3, verbose=0).history["loss"])
    assert results[0] == results[1] == results[2]


def test_a_loss_may_be_an_object_that_has_no_hash():
    class Halved:
        __hash__ = None

        def __call__(self, y_true, y_pred):
            return (y_true - y_pred) ** 2 / 2

    model = gpunn.Sequential([gpunn.Input((2,)), gpunn.layers.Dense(1)])
    model.compile("sgd", Halved())
    assert model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0).history["loss"][0] >= 0


def test_losses_by_name_of_outputs_that_have_none():
    model = gpunn.Sequential([gpunn.Input((3,)), Dense(1, name="out")])
    model.compile("sgd", {"out": "mse"})
    with pytest.raises(UnknownOutputError, match="outputs have no names"):
        model.fit(X, X[:, :1], verbose=0)

"""Names of metrics in the logs, as Keras gives them."""

import numpy as np
import pytest

import gpunn
from gpunn.errors import ArgumentError
from gpunn.layers import Dense

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

"""jit_compile="auto": gpunn's own classes are captured, everybody else's code runs call by call."""

import numpy as np
import pytest

import gpunn
from gpunn import layers

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = X[:, :1] * 2 - 1


class Twice(layers.Layer):
    def call(self, x):
        return x * 2


def fitted(parts, loss="mse", **options):
    gpunn.set_seed(1)
    model = gpunn.Sequential([gpunn.Input((4,)), *parts()])
    model.compile("adam", loss, metrics=["mae"], **options)
    history = model.fit(X, Y, batch_size=16, epochs=3, verbose=0).history
    return model, history


def plain():
    return [layers.Dense(8, activation="relu"), layers.BatchNormalization(), layers.Dense(1)]


def test_own_classes_are_captured_with_the_same_bits():
    auto, history = fitted(plain)
    eager, expected = fitted(plain, jit_compile=False)
    assert auto._captured.refused is None and auto._captured._steps
    assert eager._captured is None
    assert history == expected
    for a, b in zip(auto.get_weights(), eager.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


FOREIGN = {
    "a layer": lambda: fitted(lambda: [Twice(), layers.Dense(1)]),
    "an activation": lambda: fitted(lambda: [layers.Dense(1, activation=lambda x: x * 2)]),
    "a lambda": lambda: fitted(lambda: [layers.Lambda(lambda x: x * 2), layers.Dense(1)]),
    "a loss": lambda: fitted(plain, loss=lambda y, p: gpunn.ops.mean((y - p) ** 2, -1)),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_code_of_others_runs_call_by_call(what):
    model, _ = FOREIGN[what]()
    assert "is not gpunn's" in model._captured.refused
    assert not model._captured._steps


def test_jit_compile_true_captures_code_of_others():
    model, _ = fitted(lambda: [Twice(), layers.Dense(1)], jit_compile=True)
    assert model._captured._steps

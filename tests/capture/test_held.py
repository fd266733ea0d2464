"""Tensors that layers hold, and constants of graphs, take part in captured steps."""

import numpy as np
import pytest

import gpunn
from gpunn import layers, ops

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = X[:, :1] * 2 - 1


class Looked(layers.Layer):
    """The rows of a table that it holds, by number, as a network of nodes holds them."""

    def __init__(self, table):
        super().__init__()
        self.table = table
        self.others = [table * 2]
        self.dense = layers.Dense(3, "tanh")

    def call(self, inputs):
        state = self.dense(self.table) + self.others[0][:, :1]
        return ops.take(state, ops.cast(inputs[:, 0] > 0, "int32"), axis=0)


def looking():
    return gpunn.Sequential(
        [gpunn.Input((4,)), Looked(ops.convert_to_tensor(X[:2].copy())), layers.Dense(1)]
    )


def with_constant():
    x = inputs = gpunn.Input((4,))
    column = layers.Embedding(4, 2)(ops.arange(4))
    x = layers.Dense(2)(ops.expand_dims(x, -1) + column)
    return gpunn.Model(inputs, ops.sum(x, axis=(1, 2), keepdims=True)[:, 0])


def made(make, **options):
    gpunn.set_seed(1)
    model = make()
    model.compile("adam", "mse", **options)
    return model


def train(model, epochs=5):
    model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0)


def assert_equal(a, b):
    for v, w in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(v.numpy(), w.numpy())


def change_values(model):
    model.layers[0].table.array[...] = 3


def change_memory(model):
    model.layers[0].table.array = ops.ones((2, 4)).array


def change_tensor(model):
    model.layers[0].table = ops.full((5, 4), 0.5)
    model.layers[0].others[0] = ops.zeros((5, 4))


@pytest.mark.parametrize("make", [looking, with_constant])
def test_they_are_captured(make, device):
    model, eager = made(make, jit_compile=True), made(make, run_eagerly=True)
    train(model), train(eager)
    assert model._captured.refused is None and len(model._captured._steps) == 1
    assert_equal(model, eager)


@pytest.mark.parametrize("change", [change_values, change_memory, change_tensor])
def test_they_may_be_changed(change, device):
    model, eager = made(looking, jit_compile=True), made(looking, run_eagerly=True)
    for m in (model, eager):
        train(m)
        change(m)
        train(m)
    assert model._captured.refused is None and model._captured._steps
    assert_equal(model, eager)

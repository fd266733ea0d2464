"""train_on_batch, test_on_batch: whatever changes between two calls, the bits of eager steps."""

import numpy as np
import pytest

import gpunn
from gpunn import layers

X = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
Y = X[:, :1] * 2 - 1
factor = [1.0]  # what a global holds


def more():
    return factor[0]


class Scales(layers.Layer):
    """By an attribute, and where batches are short by what a list holds as well."""

    by = 2.0

    def call(self, inputs):
        return inputs * (self.by if inputs.shape[0] > 5 else self.by * more())


class Counts(layers.Layer):
    """Has a metric."""

    def __init__(self):
        super().__init__()
        self.seen = gpunn.metrics.Mean(name="seen")

    def call(self, inputs):
        self.seen.update_state(inputs)
        return inputs


def set_attribute(model):
    model.layers[1].by = 0.5


def set_list(model):
    factor[0] = 3.0


def freeze(model):
    model.layers[0].trainable = False


def set_rate(model):
    model.optimizer.learning_rate = 0.3


def set_weights(model):
    model.layers[0].set_weights([np.ones((4, 4)), np.zeros(4)])


def replace_memory(model):
    kernel = model.layers[0].weights[0]
    kernel.array = kernel.array * 2


def add_loss(model):
    model.layers[0].kernel_regularizer = gpunn.regularizers.L2(0.1)
    model.layers[0].weights[0].regularizer = model.layers[0].kernel_regularizer


def hold_a_metric(model):
    model.layers[1].inside = Counts()
    model.layers[1].inside.seen.update_state(7.0)


CHANGES = [
    set_attribute, set_list, freeze, set_rate, set_weights, replace_memory, add_loss, hold_a_metric,
]  # fmt: skip


def outcome(change, jit):
    factor[0] = 1.0
    gpunn.set_seed(1)
    parts = [layers.Dense(4, "relu"), Scales(), Counts(), layers.Dense(1)]
    model = gpunn.Sequential([gpunn.Input((4,)), *parts])
    model.compile("adam", "mse", metrics=["mae"], jit_compile=jit)
    found = []
    for i in range(16):
        if i == 10:
            change(model)
        for rows in (5, 12):  # each by a plan of its own, of which the first sees `factor`
            found.append(model.train_on_batch(X[:rows], Y[:rows], return_dict=True))
            found.append(model.test_on_batch(X[:rows], Y[:rows], return_dict=True))
    return model, found, [w.tobytes() for w in model.get_weights()]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_changes_between_batches_are_seen(change, device):
    _, expected, weights = outcome(change, False)
    model, found, ends = outcome(change, "auto")
    assert found == expected
    assert ends == weights
    for step in (model._captured, model._captured_test):
        assert step.refused is None and len(step._steps) == 2


def test_what_was_found_once_is_not_looked_for_again(monkeypatch):
    model, _, _ = outcome(set_rate, "auto")
    walked = []
    walk = gpunn.Sequential.walk
    monkeypatch.setattr(gpunn.Sequential, "walk", lambda self: walked.append(1) or walk(self))
    for _ in range(3):
        model.train_on_batch(X, Y)
        model.test_on_batch(X, Y)
    assert not walked

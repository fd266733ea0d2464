"""fit, where a step cannot be captured, or what it was made of changes: eager's bits, said once."""

import logging

import numpy as np
import pytest

import gpunn
from gpunn import layers

X = np.random.default_rng(0).normal(size=(48, 5)).astype("float32")
Y = np.random.default_rng(1).normal(size=(48, 2)).astype("float32")


class Reads(layers.Layer):
    """Asks for a value of the device."""

    def call(self, inputs):
        return inputs * (2.0 if inputs.numpy().sum() > -1e9 else 1.0)


class Assigns(gpunn.callbacks.Callback):
    """Gives the first kernel other values after each batch."""

    def on_train_batch_end(self, batch, logs=None):
        kernel = self.model.weights[0]
        kernel.assign(kernel.numpy() * 0.5 + batch)


class Replaces(gpunn.callbacks.Callback):
    """Gives a weight that is not trained other memory after each batch."""

    def on_train_batch_end(self, batch, logs=None):
        moving = self.model.non_trainable_weights[0]
        moving.array = moving.array + 0.25


class Freezes(gpunn.callbacks.Callback):
    """Freezes a layer in the middle of an epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            self.model.layers[0].trainable = not self.model.layers[0].trainable


def sizes():
    """Batches of ever other numbers of rows."""
    for rows in range(3, 25):
        yield X[:rows], Y[:rows]


def plain(model, callbacks):
    return model.fit(X, Y, batch_size=8, epochs=6, verbose=0, callbacks=callbacks)


def of_all_sizes(model, callbacks):
    return model.fit(list(sizes()), epochs=4, verbose=0, callbacks=callbacks)


def averaged():
    return gpunn.callbacks.SwapEMAWeights(swap_on_epoch=True)


CASES = {
    "a layer that reads the device": ((Reads,), "call by call, they are not captured: ", plain, ()),
    "a callback that assigns weights": ((), None, plain, (Assigns,)),
    "a callback that replaces weights": ((), "changes again and again", plain, (Replaces,)),
    "a callback that freezes a layer": ((), None, plain, (Freezes,)),
    "a callback that swaps weights": ((), None, plain, (averaged,)),
    "batches of many shapes": ((), None, of_all_sizes, ()),
}


@pytest.mark.parametrize("case", CASES)
def test_fit_gives_the_bits_of_eager_steps(case, device, caplog):
    more, message, fit, callbacks = CASES[case]
    ends, said = [], []
    for jit in (False, "auto"):
        gpunn.utils.set_random_seed(0)
        parts = [layers.Dense(8, "relu"), *[m() for m in more], layers.BatchNormalization()]
        model = gpunn.Sequential([gpunn.Input((5,)), *parts, layers.Dropout(0.2), layers.Dense(2)])
        optimizer = gpunn.optimizers.Adam(0.01, use_ema=averaged in callbacks)
        model.compile(optimizer, "mse", metrics=["mae"], jit_compile=jit)
        caplog.clear()
        with caplog.at_level(logging.INFO, "gpunn"):
            history = fit(model, [make() for make in callbacks]).history
        said = [r.getMessage() for r in caplog.records if "call by call" in r.getMessage()]
        ends.append((history, model.get_weights()))
    assert ends[0][0] == ends[1][0]
    for a, b in zip(ends[0][1], ends[1][1], strict=True):
        np.testing.assert_array_equal(a, b)
    if message is None:
        assert not said
        assert model._captured._steps, "it was captured nonetheless"
    else:
        assert len(said) == 1 and message in said[0]
        assert model._captured.refused

"""Validation data, watched metrics and files that do not fit are found before an epoch is over."""

import re
import warnings

import numpy as np
import pytest

import gpunn
from gpunn import callbacks, layers

X = np.random.default_rng(0).uniform(size=(40, 3)).astype("float32")
LABELS = np.arange(40) % 3
WRONG = {
    "width": ((X[:, :2], LABELS), "inputs with 3 along axis -1"),
    "labels": ((X, LABELS + 5), "label 5 .*out of range"),
    "weights": ((X, LABELS, np.ones((40, 5))), "sample_weight of shape"),
    "no targets": ((X,), "a compiled loss needs targets"),
    "targets of a metric": ((X, np.ones((40, 2))), "shape"),
}


class Steps(callbacks.Callback):
    def __init__(self):
        self.count = 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1


def classifier(device, built=True):
    with gpunn.device(device):
        start = [gpunn.Input((3,))] if built else []
        model = gpunn.Sequential([*start, layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_validation_data(name, built, device):
    data, message = WRONG[name]
    model, steps = classifier(device, built), Steps()
    before = model.get_weights() if built else None
    with pytest.raises(gpunn.errors.GpunnError, match=message):
        model.fit(X, LABELS, validation_data=data, callbacks=[steps], verbose=0)
    assert steps.count == 0
    for old, new in zip(before or [], model.get_weights(), strict=False):
        np.testing.assert_array_equal(old, new)
    history = model.fit(X, LABELS, validation_data=(X, LABELS), verbose=0)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_a_trial_changes_no_number(device):
    logs = []
    for data in ((X, LABELS), None):
        gpunn.set_seed(3)
        model = classifier(device)
        fitted = model.fit(X, LABELS, validation_data=data, epochs=2, verbose=0)
        logs.append((fitted.history["loss"], fitted.history["accuracy"], model.get_weights()))
    (loss, accuracy, weights), (loss_, accuracy_, weights_) = logs
    assert loss == loss_ and accuracy == accuracy_
    for a, b in zip(weights, weights_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_of_ones_own_is_not_tried():
    calls = []

    class Mine(gpunn.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3, activation="softmax")

        def call(self, inputs):
            calls.append(inputs.shape)
            return self.dense(inputs)

    model = Mine()
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    model.build((None, 3))
    calls.clear()
    model.fit(X, LABELS, validation_data=(X[:7], LABELS[:7]), verbose=0)
    assert calls == [(32, 3), (8, 3), (7, 3)]


MISSING = {
    "no validation": (
        callbacks.EarlyStopping(),
        "'val_loss', which will not .* no validation data",
    ),
    "typo": (callbacks.EarlyStopping("acuracy", mode="max"), "available are: loss, accuracy"),
    "plateau": (callbacks.ReduceLROnPlateau("val_acc", mode="max"), "ReduceLROnPlateau watches"),
    "best": (callbacks.ModelCheckpoint("x.keras", save_best_only=True), "watches 'val_loss'"),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_metric_that_will_not_be_there(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    callback, message = MISSING[name]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        classifier("cpu").fit(X, LABELS, callbacks=[callback], verbose=0)
    first = str(said[0].message)  # before the end of the epoch
    assert "which will not be available" in first and re.search(message, first)


def test_what_may_be_there_is_not_warned_of():
    class Adds(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["mine"] = 1.0

    watching = callbacks.EarlyStopping("mine", mode="max")
    good = callbacks.EarlyStopping("val_accuracy")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier("cpu").fit(X, LABELS, callbacks=[Adds(), watching], verbose=0)
        classifier("cpu").fit(X, LABELS, validation_split=0.2, callbacks=[good], verbose=0)


def test_checkpoints_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    steps = Steps()
    keep = callbacks.ModelCheckpoint(tmp_path / "file" / "{epoch}.keras")
    with pytest.raises(ValueError, match=r"ModelCheckpoint: cannot write .* is not a folder"):
        classifier("cpu").fit(X, LABELS, callbacks=[keep, steps], verbose=0)
    assert steps.count == 0
    with pytest.raises(ValueError, match="cannot be filled in: Unknown format code 'q'"):
        callbacks.ModelCheckpoint("{epoch:q}.keras")

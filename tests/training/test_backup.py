"""BackupAndRestore and SwapEMAWeights: interrupted training goes on; averages in use."""

import os

import numpy as np
import pytest

import gpunn
from gpunn.callbacks import (
    BackupAndRestore,
    Callback,
    EarlyStopping,
    LambdaCallback,
    SwapEMAWeights,
)
from gpunn.errors import ArgumentError, NotBuiltError, SerializationError
from gpunn.layers import Dense, Dropout

X = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


class Killed(Exception):
    """What stands for a machine that goes down."""


def make():
    gpunn.set_seed(3)
    model = gpunn.Sequential([gpunn.Input((4,)), Dense(6, "relu"), Dropout(0.3), Dense(1)])
    model.compile(gpunn.optimizers.Adam(0.01), "mse")
    return model


def run(model, *callbacks, epochs=5):
    history = model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=[*callbacks])
    return history.history["loss"]


def kill_in(epoch, batch=2):
    def hook(self, at, logs=None):
        if at == batch and self.model.optimizer.iterations >= epoch * 5:
            raise Killed

    return type("Kill", (Callback,), {"on_train_batch_end": hook})()


def test_a_killed_training_ends_with_the_same_bits(tmp_path):
    whole = make()
    losses = run(whole)
    model = make()
    with pytest.raises(Killed):
        run(model, BackupAndRestore(tmp_path / "backup"), kill_in(3))
    again = make()
    gpunn.set_seed(99)
    assert run(again, BackupAndRestore(tmp_path / "backup")) == losses[3:]
    for a, b in zip(again.get_weights(), whole.get_weights(), strict=True):
        assert (a == b).all()
    assert not (tmp_path / "backup").exists()


def test_restoring_goes_on_with_the_epoch_of_the_file(tmp_path):
    seen = []
    note = LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch))
    with pytest.raises(Killed):
        run(make(), BackupAndRestore(tmp_path, save_freq=2), kill_in(1, 3))
    run(make(), BackupAndRestore(tmp_path, save_freq=2, delete_checkpoint=False), note)
    assert seen == [1, 2, 3, 4] and os.listdir(tmp_path) == ["training.gpunn"]
    seen.clear()
    run(make(), BackupAndRestore(tmp_path, save_freq=False), note, epochs=6)
    assert seen == [4, 5]  # the last file was written within epoch 4


def test_a_damaged_file_gives_way_to_the_one_before(tmp_path):
    with pytest.raises(Killed):
        run(make(), BackupAndRestore(tmp_path, double_checkpoint=True), kill_in(3))
    assert sorted(os.listdir(tmp_path)) == ["training.gpunn", "training.previous.gpunn"]
    (tmp_path / "training.gpunn").write_bytes(b"damaged")
    assert len(run(make(), BackupAndRestore(tmp_path, delete_checkpoint=False))) == 3
    os.remove(tmp_path / "training.gpunn")
    (tmp_path / "training.previous.gpunn").write_bytes(b"damaged")
    with pytest.raises(SerializationError):
        run(make(), BackupAndRestore(tmp_path))


def test_training_that_a_callback_stopped_is_done(tmp_path):
    stop = EarlyStopping("loss", patience=1, min_delta=10)
    run(make(), BackupAndRestore(tmp_path / "backup"), stop, epochs=9)
    assert not (tmp_path / "backup").exists()


def test_backup_errors(tmp_path):
    for bad in (
        {"backup_dir": ""},
        {"backup_dir": 5},
        {"save_freq": "batch"},
        {"save_freq": 0},
        {"save_freq": True},
    ):
        with pytest.raises(ArgumentError, match="BackupAndRestore"):
            BackupAndRestore(**{"backup_dir": tmp_path, **bad})
    with pytest.raises(Killed):
        run(make(), BackupAndRestore(tmp_path), kill_in(2))
    late = gpunn.Sequential([Dense(1)])
    late.compile("sgd", "mse")
    with pytest.raises(NotBuiltError, match="build"):
        run(late, BackupAndRestore(tmp_path))


# --- averages ---


def averaged(**options):
    gpunn.set_seed(3)
    model = gpunn.Sequential([gpunn.Input((4,)), Dense(1)])
    model.compile(gpunn.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, **options), "mse")
    return model


def test_fit_ends_with_the_averages(device):
    model = averaged()
    seen = []
    note = LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(model.get_weights()[0])
    )
    run(model, note, epochs=1)
    average = seen[0]
    for w in seen[1:]:
        average = 0.5 * average + 0.5 * w
    assert np.allclose(model.get_weights()[0], average, atol=1e-6)


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_averages_are_what_is_tested(swap_on_epoch, device):
    model = averaged()
    seen = {"test": [], "epoch": [], "train": []}

    class Note(Callback):
        def on_test_batch_begin(self, batch, logs=None):
            seen["test"].append(model.get_weights()[0])

        def on_epoch_end(self, epoch, logs=None):
            seen["epoch"].append(model.get_weights()[0])

        def on_train_batch_end(self, batch, logs=None):
            seen["train"].append(model.get_weights()[0])

    swap = SwapEMAWeights(swap_on_epoch)
    history = model.fit(X, Y, batch_size=8, epochs=3, verbose=0, validation_data=(X, Y),
                        validation_batch_size=40, callbacks=[swap, Note()])  # fmt: skip
    plain = averaged()
    plain.fit(X, Y, batch_size=8, epochs=3, verbose=0, shuffle=True)
    assert np.allclose(model.get_weights()[0], plain.get_weights()[0], atol=1e-7)
    average = seen["train"][0]
    for i, w in enumerate(seen["train"]):
        average = 0.5 * average + 0.5 * w if i else w
        if i % 5 == 4:
            assert np.allclose(seen["test"][i // 5], average, atol=1e-6)
            expected = average if swap_on_epoch else w
            assert np.allclose(seen["epoch"][i // 5], expected, atol=1e-6)
    assert len(history.history["val_loss"]) == 3
    before = model.get_weights()
    model.predict(X, callbacks=[swap], verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_swapping_needs_averages():
    model = make()
    with pytest.raises(ArgumentError, match="use_ema=True"):
        model.evaluate(X, Y, callbacks=[SwapEMAWeights()], verbose=0)

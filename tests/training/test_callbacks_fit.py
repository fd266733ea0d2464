"""Callbacks and data at work in `fit`, on both devices."""

import numpy as np
import pytest

import gpunn
from gpunn.callbacks import EarlyStopping, LambdaCallback, ModelCheckpoint, TerminateOnNaN
from gpunn.data import Dataset
from gpunn.errors import InvalidLossError
from gpunn.layers import Dense, Input, Layer

X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


class Log(Layer):
    def call(self, inputs):
        return gpunn.ops.log(inputs)


def model(*hidden, rate=0.1, loss="mse"):
    built = gpunn.Sequential([Input((4,)), *hidden, Dense(1, name="last")])
    built.compile(gpunn.optimizers.SGD(rate), loss)
    return built


def test_a_batch_hook_sees_the_metrics_so_far(device):
    seen = []
    watch = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(dict(logs)))
    history = model().fit(X, Y, batch_size=20, epochs=2, verbose=0, callbacks=[watch])
    assert len(seen) == 6
    assert seen[2]["loss"] == history.history["loss"][0]
    assert seen[3]["loss"] != seen[2]["loss"]


def test_best_weights_and_checkpoint_agree(device, tmp_path):
    net = model(rate=0.9)  # goes up and down
    stop = EarlyStopping("loss", patience=3, restore_best_weights=True)
    keep = ModelCheckpoint(tmp_path / "best", "loss", save_best_only=True, save_weights_only=True)
    net.fit(X, Y, epochs=6, verbose=0, callbacks=[stop, keep])
    best = net.get_weights()
    net.load_weights(tmp_path / "best")
    for a, b in zip(best, net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_terminate_on_nan_names_op_and_layer(device, capsys):
    net = model(Dense(3, name="first"), Log(name="logarithm"))
    with np.errstate(all="ignore"):
        history = net.fit(X, Y, epochs=3, verbose=0, callbacks=[TerminateOnNaN()])
    assert len(history.epoch) == 1
    assert "log in layer 'logarithm' made nan at" in capsys.readouterr().out
    assert net.last_batch is None


def test_terminate_on_nan_raises():
    net = model(Log())
    with np.errstate(all="ignore"), pytest.raises(InvalidLossError, match="loss is nan at batch 0"):
        net.fit(X, Y, epochs=3, verbose=0, callbacks=[TerminateOnNaN(raise_error=True)])
    assert issubclass(InvalidLossError, RuntimeError)


def test_terminate_on_nan_names_weights_that_overflowed(capsys):
    net = model(rate=1e30)
    with np.errstate(all="ignore"):
        net.fit(X, Y, batch_size=20, epochs=9, verbose=0, callbacks=[TerminateOnNaN(locate=False)])
    assert "training stops" in capsys.readouterr().out
    assert net.stop_training


def batches(n):
    for i in range(n):
        yield X[i * 10 : i * 10 + 10], Y[i * 10 : i * 10 + 10]


def test_a_generator_that_ends_ends_training(device):
    with pytest.warns(UserWarning, match="the data ended"):
        history = model().fit(batches(4), epochs=5, steps_per_epoch=2, verbose=0)
    assert len(history.epoch) == 2


def test_every_kind_of_data_gives_the_same(device):
    class Sequence:
        def __len__(self):
            return 6

        def __getitem__(self, i):
            return X[i * 10 : i * 10 + 10], Y[i * 10 : i * 10 + 10]

    def trained(x, y=None, **options):
        with gpunn.seed(3):
            return model().fit(x, y, epochs=2, verbose=0, shuffle=False, **options).history["loss"]

    expected = trained(X, Y, batch_size=10)
    assert trained(X.tolist(), Y.tolist(), batch_size=10) == expected
    assert trained(gpunn.Tensor(X), gpunn.Tensor(Y), batch_size=10) == expected
    assert trained(list(batches(6))) == expected
    assert trained(Sequence()) == expected
    assert trained(Dataset(X, Y).batch(10).prefetch()) == expected
    assert trained((b for _ in range(2) for b in batches(6)), steps_per_epoch=6) == expected


def test_validation_begins_at_the_beginning_each_time():
    net = model(rate=0.0)
    history = net.fit(
        X, Y, epochs=3, verbose=0, validation_data=(X, Y), validation_steps=1, batch_size=20
    )
    assert len(set(history.history["val_loss"])) == 1


def test_averaged_weights_beside_a_scaled_loss():
    model = gpunn.Sequential([gpunn.Input((2,)), gpunn.layers.Dense(1)])
    inner = gpunn.optimizers.SGD(0.1, use_ema=True)
    model.compile(gpunn.optimizers.LossScaleOptimizer(inner), "mse")
    x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
    averaged = gpunn.callbacks.SwapEMAWeights()
    logs = model.fit(x, y, epochs=2, validation_data=(x, y), callbacks=[averaged], verbose=0)
    assert logs.history["val_loss"][-1] == pytest.approx(model.evaluate(x, y, verbose=0))


def test_a_lambda_callback_may_have_more_attributes():
    found = gpunn.callbacks.LambdaCallback(note="mine")
    assert found.note == "mine"
    with pytest.raises(ValueError, match="on_epoch_en"):
        gpunn.callbacks.LambdaCallback(on_epoch_en=print)


def test_monitors_tell_which_way_is_better():
    assert gpunn.callbacks.EarlyStopping(monitor="loss").monitor_op is gpunn.ops.less
    assert gpunn.callbacks.ModelCheckpoint("x", mode="max").monitor_op is gpunn.ops.greater

"""What loops over batches tell callbacks, and when they stop."""

import itertools

import numpy as np
import pytest

import gpunn
from gpunn.callbacks import Callback
from gpunn.errors import ArgumentError
from gpunn.layers import Dense

X = np.random.default_rng(0).normal(size=(14, 3)).astype("float32")


class Told(Callback):
    """Notes what it is told of batches."""

    def __init__(self):
        super().__init__()
        self.hooks = []

    def on_train_batch_begin(self, batch, logs=None):
        self.hooks.append(("begin", batch))

    def on_train_batch_end(self, batch, logs=None):
        self.hooks.append(("end", batch, float(logs["loss"])))

    def on_test_batch_begin(self, batch, logs=None):
        self.hooks.append(("test begin", batch))

    def on_predict_batch_begin(self, batch, logs=None):
        self.hooks.append(("predict begin", batch))

    def on_epoch_end(self, epoch, logs=None):
        self.hooks.append(("epoch", epoch))


def made(**options):
    gpunn.set_seed(0)
    model = gpunn.Sequential([gpunn.Input((3,)), Dense(1)])
    model.compile("sgd", "mse", **options)
    return model


def test_steps_per_execution_tells_callbacks_of_every_so_many_batches(device):
    told, each = Told(), Told()
    with gpunn.device(device):
        options = {"batch_size": 2, "shuffle": False, "verbose": 0}
        model = made(steps_per_execution=3)
        model.fit(X, X[:, :1], callbacks=[told], **options)
        other = made()
        other.fit(X, X[:, :1], callbacks=[each], **options)
    batches = [hook[:2] for hook in told.hooks]
    groups = [[("begin", i), ("end", i + 2)] for i in (0, 3, 6)]
    assert batches == [*itertools.chain(*groups), ("epoch", 0)]
    losses = {hook[1]: hook[2] for hook in each.hooks if hook[0] == "end"}
    seen = [hook[2] for hook in told.hooks if hook[0] == "end"]
    assert seen == [losses[2], losses[5], losses[6]]
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        assert (a == b).all()


def test_steps_per_execution_of_evaluate_and_predict():
    model, told = made(steps_per_execution=4), Told()
    model.evaluate(X, X[:, :1], batch_size=2, callbacks=[told], verbose=0)
    model.predict(X, batch_size=2, callbacks=[told], verbose=0)
    assert told.hooks == [(f"{kind} begin", i) for kind in ("test", "predict") for i in (0, 4)]
    with pytest.raises(ArgumentError, match="steps_per_execution"):
        made(steps_per_execution=0)


class StopsAt(Callback):
    """Stops an evaluation or prediction after a batch."""

    def on_test_batch_end(self, batch, logs=None):
        self.model.stop_evaluating = batch == 1

    def on_predict_batch_end(self, batch, logs=None):
        self.model.stop_predicting = batch == 1


def test_evaluate_and_predict_can_be_stopped():
    model = made()
    stopped = model.evaluate(X, X[:, :1], batch_size=2, callbacks=[StopsAt()], verbose=0)
    assert stopped == pytest.approx(model.evaluate(X[:4], X[:4, :1], batch_size=2, verbose=0))
    assert len(model.predict(X, batch_size=2, callbacks=[StopsAt()], verbose=0)) == 4
    assert len(model.predict(X, batch_size=2, verbose=0)) == 14


def test_numbers_of_a_single_batch_are_of_that_batch_alone(device):
    with gpunn.device(device):
        model = made(metrics=["mae"])
        model.evaluate(X[:5] + 10, X[:5, :1], verbose=0)
        loss, mae = model.test_on_batch(X, X[:, :1])
        assert model.test_on_batch(X, X[:, :1]) == [loss, mae]
        assert model.train_on_batch(X, X[:, :1]) == pytest.approx([loss, mae])
        error = model.predict(X, verbose=0) - X[:, :1]
        after = model.train_on_batch(X, X[:, :1])
    assert after == pytest.approx([(error**2).mean(), np.abs(error).mean()], rel=1e-5)


def test_batches_without_end():
    class Endless(gpunn.utils.PyDataset):
        def __getitem__(self, index):
            return X[:2] + index, X[:2, :1]

    assert Endless().num_batches is None
    history = made().fit(Endless(), steps_per_epoch=3, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2


def test_metrics_of_layers_inside_are_the_models_too():
    class Scored(gpunn.layers.Layer):
        def __init__(self):
            super().__init__()
            self.mean = gpunn.metrics.Mean(name="size")

        def call(self, x):
            self.mean.update_state(gpunn.ops.abs(x))
            return x

    model = gpunn.Sequential([gpunn.Input((3,)), Scored(), Dense(1)])
    model.compile("sgd", "mse")
    logs = model.evaluate(X, X[:, :1], batch_size=4, verbose=0, return_dict=True)
    assert logs["size"] == pytest.approx(np.abs(X).mean(), rel=1e-5)


def test_targets_that_are_not_finite_are_for_losses_of_ones_own():
    def known(y_true, y_pred):
        valid = gpunn.ops.logical_not(gpunn.ops.isnan(y_true))
        return gpunn.ops.where(valid, (gpunn.ops.nan_to_num(y_true) - y_pred) ** 2, 0.0)

    y = X[:, :1].copy()
    y[3] = np.nan
    model = gpunn.Sequential([gpunn.Input((3,)), Dense(1)])
    model.compile("sgd", known)
    assert np.isfinite(model.fit(X, y, verbose=0).history["loss"]).all()
    assert np.isfinite(model.train_on_batch(X, y))
    for loss in ("mse", gpunn.losses.MeanSquaredError()):
        model.compile("sgd", loss)
        with pytest.raises(gpunn.errors.DataError, match=r"y holds 1 value .* row 3"):
            model.fit(X, y, verbose=0)


def test_a_metric_of_one_element_is_a_number():
    model = gpunn.Sequential([gpunn.Input((3,)), Dense(1, activation="sigmoid")])
    model.compile("sgd", "mse", metrics=[gpunn.metrics.F1Score(threshold=0.5)])
    y = (X[:, :1] > 0).astype("float32")
    assert isinstance(model.fit(X, y, verbose=0).history["f1_score"][0], float)

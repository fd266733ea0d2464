"""Models with steps of their own, written as Keras' guides write them."""

import numpy as np
import pytest

import gpunn
from gpunn import layers, ops

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = X[:, :1] * 2 - 1


class Own(gpunn.Sequential):
    """A training step by hand, with a metric that is an attribute."""

    def __init__(self, layers):
        super().__init__(layers)
        self.tracker = gpunn.metrics.Mean(name="own_loss")
        self.seen = []

    @property
    def metrics(self):
        return [self.tracker]

    def train_step(self, data):
        self.seen.append(len(data))
        x, y = data
        loss = gpunn.losses.mean_squared_error(y, self(x, training=True)).mean()
        loss.backward()
        weights = self.trainable_weights
        self.optimizer.apply([v.value.grad for v in weights], weights)
        self.tracker.update_state(loss)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, data):
        x, y = data
        self.tracker.update_state(gpunn.losses.mean_squared_error(y, self(x)).mean())
        return {"own_loss": self.tracker.result()}

    def predict_step(self, data):
        return self(data) + 1


def test_steps_get_what_fit_was_given(device):
    model = Own([gpunn.Input((4,)), layers.Dense(1)])
    model.compile(gpunn.optimizers.SGD(0.1))
    history = model.fit(X, Y, epochs=20, validation_data=(X, Y), verbose=0).history
    assert list(history) == ["own_loss", "val_own_loss"]
    assert history["own_loss"][-1] < 0.1 * history["own_loss"][0]
    assert set(model.seen) == {2}
    assert model.evaluate(X, Y, return_dict=True, verbose=0).keys() == {"own_loss"}
    inner = model(X).numpy()
    np.testing.assert_allclose(model.predict(X), inner + 1, rtol=1e-6)
    np.testing.assert_allclose(model.predict(X, batch_size=5, verbose=0), inner + 1, rtol=1e-5)
    np.testing.assert_allclose(model.predict_on_batch(X), inner + 1, rtol=1e-6)


class ToldOfTraining(gpunn.Sequential):
    def compute_loss(self, x, y, y_pred, sample_weight, training):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        return loss if training else loss + 100


class NotTold(gpunn.Sequential):
    def compute_loss(self, x, y, y_pred, sample_weight):
        return super().compute_loss(x, y, y_pred, sample_weight)


def test_own_losses_are_told_whether_it_is_training_if_they_ask(device):
    for kind, more in ((ToldOfTraining, 100), (NotTold, 0)):
        model = kind([gpunn.Input((4,)), layers.Dense(1)])
        model.compile(gpunn.optimizers.SGD(0.0), "mse", metrics=["mse"])
        fitted = model.fit(X, Y, batch_size=24, epochs=6, validation_data=(X, Y), verbose=0)
        history = fitted.history
        mse = np.mean((model(X).numpy() - Y) ** 2)
        np.testing.assert_allclose(history["loss"], mse, rtol=1e-5)
        np.testing.assert_allclose(history["val_loss"], mse + more, rtol=1e-5)


class Ranking(gpunn.Model):
    """Scores of what was chosen are to be above those of what was not, weighted by the row."""

    def __init__(self):
        super().__init__()
        self.items = layers.Embedding(9, 4)

    def call(self, inputs):
        return {"state": self.items(inputs["last"])}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        margin = self.items(y["chosen"]) - self.items(y["other"])
        scores = ops.sum(margin * y_pred["state"], axis=-1)
        return ops.sum(ops.softplus(-scores) * sample_weight) / ops.sum(sample_weight)


def test_one_array_of_weights_is_what_an_own_loss_gets_of_batches_with_several_targets(device):
    numbers = np.arange(24) % 9
    weights = (numbers > 2).astype("float32")
    batch = {"last": numbers}, {"chosen": (numbers + 1) % 9, "other": (numbers + 5) % 9}, weights
    model = Ranking()
    model.compile(gpunn.optimizers.Adam(0.1))
    losses = model.fit((batch for _ in range(20)), epochs=1, verbose=0).history["loss"]
    first = model.evaluate((batch for _ in range(1)), verbose=0)
    assert first < losses[0] and np.isfinite(first)
    model.fit((batch for _ in range(20)), verbose=0)
    assert model.evaluate((batch for _ in range(1)), verbose=0) < first


class OfADict(gpunn.Model):
    """Its step calls it on parts of the batch, in another nesting."""

    def __init__(self):
        super().__init__()
        self.dense = gpunn.layers.Dense(1)

    def call(self, inputs):
        return self.dense(inputs[0]) + inputs[1]

    def train_step(self, batch):
        loss = gpunn.ops.mean(self([batch["a"], batch["b"]]) ** 2)
        self.zero_grad()
        loss.backward()
        self.optimizer.apply([v.grad for v in self.trainable_variables], self.trainable_variables)
        return {"loss": loss}


def test_a_first_call_that_fails_leaves_a_model_unbuilt():
    batch = {"a": np.ones((4, 2), "float32"), "b": np.ones((4, 1), "float32")}
    model = OfADict()
    model.compile("sgd")
    with pytest.raises(KeyError):
        model(batch)
    assert not model.built
    losses = model.fit(batch, epochs=3, verbose=0).history["loss"]
    assert losses[0] > losses[-1]


class WithoutCall(gpunn.Model):
    """A part of it is built by its first step."""

    def __init__(self):
        super().__init__()
        self.encoder = gpunn.Sequential([gpunn.layers.Dense(4)])
        self.decoder = gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(2)])
        self.cost = gpunn.metrics.Mean("loss")

    def train_step(self, data):
        x, y = data
        loss = gpunn.ops.mean((self.decoder(self.encoder(x)) - y) ** 2)
        weights = self.encoder.trainable_weights + self.decoder.trainable_weights
        self.optimizer.apply_gradients(zip(gpunn.gradients(loss, weights), weights, strict=True))
        self.cost.update_state(loss)
        return {"loss": self.cost.result()}


def test_weights_that_the_first_step_makes_are_trained(device):
    with gpunn.device(device):
        model = WithoutCall()
        model.compile("sgd")
        x = np.ones((8, 3), "float32")
        losses = model.fit(x, np.zeros((8, 2)), epochs=4, batch_size=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert model.optimizer.built and len(model.trainable_weights) == 4

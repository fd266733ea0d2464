"""Models with steps of their own, written as Keras' guides write them."""

import numpy as np

import gpunn
from gpunn import layers

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

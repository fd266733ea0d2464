"""Situations of Keras' guides to training: outputs, losses and their names."""

import numpy as np
import pytest

import gpunn as keras
from gpunn import layers
from tests.harness import assert_close


@pytest.fixture(autouse=True)
def _on(device):
    """Every test here runs on both devices."""


def _two_outputs():
    i = keras.Input((3,))
    return keras.Model(i, [layers.Dense(1, name="score")(i), layers.Dense(2, name="kind")(i)])


@pytest.mark.parametrize("loss", [[None, "mse"], {"kind": "mse"}, {"score": None, "kind": "mse"}])
def test_targets_of_the_outputs_that_have_a_loss(loss):
    model, x, y = _two_outputs(), np.ones((4, 3), "float32"), np.zeros((4, 2), "float32")
    model.compile("sgd", loss, metrics={"kind": ["mae"]})
    kind = model.predict(x, verbose=0)[1]
    for targets in ({"kind": y}, [y], y, [None, y], {"score": np.ones((4, 1)), "kind": y}):
        logs = model.evaluate(x, targets, return_dict=True, verbose=0)
        assert logs == pytest.approx({"loss": (kind**2).mean(), "kind_mae": abs(kind).mean()})
    history = model.fit(x, {"kind": y}, epochs=4, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    with pytest.raises(ValueError, match=r"\{'score': '\*', 'kind': '\*'\}, but are \{'knid'"):
        model.fit(x, {"knid": y}, verbose=0)
    with pytest.raises(ValueError, match="nested like the outputs"):
        model.fit(x, {"score": np.ones((4, 1))}, verbose=0)


def test_one_output_beside_several_labels(device):
    y_true = keras.Tensor(np.arange(6.0).reshape(2, 3), device=device)
    y_pred = keras.Tensor([[1.0], [2.0]], device=device, requires_grad=True)
    loss = keras.losses.MeanSquaredError()
    with pytest.warns(UserWarning, match="each of the 3 labels of a row"):
        value = loss(y_true, y_pred)
    error = y_pred.numpy() - y_true.numpy()
    assert value.item() == pytest.approx((error**2).mean())
    value.backward()
    assert_close(y_pred.grad, 2 * error.sum(-1, keepdims=True) / 6)
    with pytest.warns(UserWarning, match="each of the 3 labels of a row"):
        assert_close(keras.losses.mean_absolute_error(y_true, y_pred), abs(error).mean(-1))
    with pytest.raises(ValueError, match="do not fit"):
        loss(y_true, y_pred.numpy()[:1])


def test_weights_without_a_name_have_paths_of_their_own():
    class Pair(layers.Layer):
        def build(self, shape):
            self.w = self.add_weight((shape[-1], 2))
            self.b = self.add_weight((2,))

    layer = Pair(name="pair")
    layer.build((None, 3))
    assert [v.path for v in layer.weights] == ["pair/variable", "pair/variable_1"]
    assert str(layer.b.numpy()) in repr(layer.b)


def test_variables_of_a_metric_without_a_name_have_paths_of_their_own():
    class Two(keras.metrics.Metric):
        def __init__(self):
            super().__init__(name="two")
            self.a = self.add_variable((), "zeros")
            self.b = self.add_weight(shape=(), initializer="ones")

    assert [v.path for v in Two().variables] == ["two/variable", "two/variable_1"]

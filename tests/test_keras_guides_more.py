"""More situations of Keras' guides and examples, with only the imports changed."""

import numpy as np
import pytest

import gpunn as keras
from gpunn import layers, ops


@pytest.fixture(autouse=True)
def _on(device):
    """Every test here runs on both devices."""


class ActivityRegularization(layers.Layer):
    def __init__(self, rate=1e-2):
        super().__init__()
        self.rate = rate

    def call(self, inputs):
        self.add_loss(self.rate * ops.mean(inputs))
        return inputs


@pytest.mark.parametrize("options", [{}, {"jit_compile": False}])
def test_a_model_without_weights_is_only_measured(options, caplog):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, ActivityRegularization()(inputs))
    x, y = np.full((8, 3), 2.0), np.zeros((8, 3))
    for loss, expected in (("mse", 4.02), (None, 0.02)):
        model.compile(optimizer="adam", loss=loss, **options)
        with caplog.at_level("WARNING", "gpunn"):
            history = model.fit(x, y, batch_size=2, epochs=3, verbose=0).history
        assert caplog.text.count("has no trainable weights") == 1
        caplog.clear()
        np.testing.assert_allclose(history["loss"], [expected] * 3, rtol=1e-5)


def test_a_frozen_model_is_only_measured():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.trainable = False
    model.compile("adam", "mse")
    before = model.get_weights()
    model.fit(np.ones((8, 3)), np.ones((8, 2)), epochs=2, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_variables_by_the_name_of_an_initializer():
    zeros = keras.Variable(initializer="zeros", shape=(2,), trainable=False)
    ones = keras.Variable("ones", (2, 3), "float64", aggregation="mean")
    three = keras.Variable(keras.initializers.Constant(3.0), shape=(2,), dtype="float32")
    assert zeros.numpy().tolist() == [0, 0] and not zeros.trainable
    assert ones.numpy().tolist() == [[1] * 3] * 2 and ones.dtype == "float64"
    assert three.numpy().tolist() == [3, 3]
    with pytest.raises(ValueError, match="unknown initializer 'zeross'"):
        keras.Variable("zeross", (2,))


def test_one_loss_of_several_outputs_has_no_part():
    inputs = keras.Input((3,))
    outputs = [layers.Dense(1, name="a")(inputs), layers.Dense(1, name="b")(inputs)]
    model = keras.Model(inputs, outputs)
    x, y = np.ones((4, 3)), [np.ones((4, 1)), np.ones((4, 1))]
    for loss, names in (([None, "mse"], {"loss"}), (["mse", "mse"], {"loss", "a_loss", "b_loss"})):
        model.compile("sgd", loss)
        assert model.fit(x, y, verbose=0).history.keys() == names


def test_errors_that_keras_users_catch():
    model = keras.Sequential([layers.Dense(2, name="a")])
    with pytest.raises(ValueError, match="not compiled"):
        model.fit(np.ones((2, 2)), np.ones((2, 2)))
    with pytest.raises(ValueError, match="no weights yet"):
        model.count_params()
    with pytest.raises(ValueError, match="a layer named 'a'"):
        model.add(layers.Dense(2, name="a"))


def test_other_homes_of_names():
    from gpunn.preprocessing.image import img_to_array
    from gpunn.preprocessing.sequence import pad_sequences

    assert keras.preprocessing.sequence.pad_sequences is pad_sequences is keras.utils.pad_sequences
    assert img_to_array is keras.utils.img_to_array
    assert ops.nn.sigmoid is ops.sigmoid and ops.numpy.mean is ops.mean
    assert keras.backend.epsilon() == keras.config.epsilon() == 1e-7
    assert keras.backend.image_data_format() == "channels_last"


@pytest.mark.parametrize("nest", [lambda o: [o], lambda o: (o,)])
def test_one_output_in_a_list_comes_without_it(nest):
    inputs = keras.Input((3,))
    model = keras.Model([inputs], nest(layers.Dense(2)(inputs)))
    x, y = np.ones((4, 3)), np.ones((4, 2))
    assert model(x).shape == (4, 2) and model(inputs).shape == (None, 2)
    assert model.predict(x, verbose=0).shape == (4, 2)
    assert isinstance(model.output, list | tuple) and model.compute_output_shape((4, 3)) == (4, 2)
    for loss, targets in (("mse", y), (["mse"], [y])):
        model.compile("sgd", loss, metrics=["mae"])
        assert model.fit(x, targets, verbose=0).history.keys() == {"loss", "mae"}
    again = keras.Model.from_config(model.get_config())
    assert again(x).shape == (4, 2)
    outer = keras.Model(inputs, model(inputs) + 1)
    np.testing.assert_allclose(outer.predict(x, verbose=0), model.predict(x, verbose=0) + 1)


def test_what_compile_was_told():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    assert model.loss is None
    model.compile("sgd", "mse")
    assert model.loss == "mse" and model.layers[0].variable_dtype == "float32"


def test_a_layer_that_divides_by_zero_is_silent():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.Lambda(lambda x: ops.log(x) / ops.sum(x, 1, True))(inputs))
    y = model(np.zeros((2, 3)))  # NumPy's warnings are errors in these tests
    assert np.isinf(y.numpy()).all()

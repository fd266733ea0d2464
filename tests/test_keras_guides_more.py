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


def test_a_layer_may_add_a_loss_for_each_row():
    """Each counts by its sum, and so in the gradients, as an endpoint of alignment costs has it."""

    class Endpoint(layers.Layer):
        def __init__(self):
            super().__init__()
            self.scale = self.add_weight(shape=(), initializer="ones")

        def call(self, truth, given):
            self.add_loss(ops.square(truth - self.scale * given))  # (rows, 1)
            self.add_loss([ops.cast(ops.ones(3), "int32"), 0.5 * ops.sum(given)])
            return given

    x, y = np.array([[1.0], [2.0], [3.0]], "float32"), np.array([[2.0], [0.0], [4.0]], "float32")
    truth, given = keras.Input((1,), name="truth"), keras.Input((1,), name="given")
    model = keras.Model([given, truth], Endpoint()(truth, given))
    model.compile(keras.optimizers.SGD(0.01))
    history = model.fit({"given": x, "truth": y}, epochs=3, shuffle=False, verbose=0).history
    scale, wanted = 1.0, []
    for _ in range(3):
        wanted.append(((y - scale * x) ** 2).sum() + 3 + 0.5 * x.sum())
        scale -= 0.01 * (-2 * x * (y - scale * x)).sum()
    assert history["loss"] == pytest.approx(wanted, rel=1e-5)
    assert float(model.trainable_variables[0]) == pytest.approx(scale, rel=1e-5)


def test_a_model_that_only_holds_others_keeps_and_restores_their_weights(tmp_path):
    class Pair(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
            self.second = keras.Sequential([keras.Input((2,)), layers.Dense(1)])

        def _error(self, batch):
            return ops.mean(ops.square(self.second(self.first(batch[0])) - batch[1]))

        def train_step(self, batch):
            loss = self._error(batch)
            loss.backward()
            self.optimizer.step()
            return {"error": loss}

        def test_step(self, batch):
            return {"error": self._error(batch)}

    random = np.random.default_rng(0)
    x, y = random.random((12, 3), "float32"), random.random((12, 1), "float32")
    path = tmp_path / "best.weights.h5"
    model = Pair()
    model.compile(keras.optimizers.SGD(3.0))  # so large that the first epoch is the best
    saving = keras.callbacks.ModelCheckpoint(path, "val_error", 0, True, True, mode="min")
    stopping = keras.callbacks.EarlyStopping(
        "val_error", patience=2, mode="min", restore_best_weights=True
    )
    history = model.fit(
        x, y, epochs=6, verbose=0, validation_data=(x, y), callbacks=[saving, stopping]
    ).history
    assert len(history["error"]) < 6
    best = min(history["val_error"])
    assert model.evaluate(x, y, verbose=0) == pytest.approx(best, rel=1e-5)
    assert model.count_params() == 11
    again = Pair()
    again.compile()
    again.load_weights(path)
    assert again.evaluate(x, y, verbose=0) == pytest.approx(best, rel=1e-5)
    again.set_weights([np.zeros_like(w) for w in again.get_weights()])
    assert again.evaluate(x, y, verbose=0) == pytest.approx((y**2).mean(), rel=1e-5)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("activation", [None, "relu", keras.activations.log_sigmoid])
def test_convolutions_with_a_kernel_of_ones_own(data_format, activation):
    class Doubled(layers.Conv2D):
        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, 2 * kernel)

    class Called(layers.Conv2D):
        def call(self, inputs):
            y = self.convolution_op(inputs, self.kernel * 2)
            axes = (1, 1) if self.data_format == "channels_first" else ()
            return self.activation(y + ops.reshape(self.bias, (-1, *axes)))

    x = np.random.default_rng(0).standard_normal((2, 6, 6, 6)).astype("float32")
    options = {"activation": activation, "data_format": data_format, "strides": 2}
    plain, *own = (kind(4, 3, **options) for kind in (layers.Conv2D, Doubled, Called))
    kernel, bias = np.random.default_rng(1).standard_normal((3, 3, 6, 4)), np.arange(4.0)
    plain.build(x.shape)
    plain.set_weights([2 * kernel, bias])
    expected = plain(x).numpy()
    for layer in own:
        layer.build(x.shape)
        layer.set_weights([kernel, bias])
        np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-5, atol=1e-5)
        i = keras.Input(x.shape[1:])
        model = keras.Model(i, layer(i))
        model.compile("sgd", "mse")
        before = layer.get_weights()
        model.fit(x, np.zeros_like(expected), epochs=5, verbose=0)
        assert all((a != b).any() for a, b in zip(before, layer.get_weights(), strict=True))


def test_one_array_of_queries_for_a_batch():
    """Latent arrays that attend to every example: a batch of one beside one of many."""
    random = np.random.default_rng(0)
    latent, rows = random.random((1, 3, 4), "float32"), random.random((5, 6, 4), "float32")
    for attention in (layers.Attention(), layers.AdditiveAttention(), layers.Attention(True)):
        expected = attention([np.repeat(latent, 5, 0), rows]).numpy()
        y, scores = attention([latent, rows], return_attention_scores=True)
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5)
        assert scores.shape == (5, 3, 6)
        np.testing.assert_allclose(attention([latent, rows]).numpy(), expected, rtol=1e-5)

    class Latents(keras.Model):
        def __init__(self):
            super().__init__()
            queries, data = keras.Input((3, 4)), keras.Input((6, 4))
            y = layers.Attention(dropout=0.1)([queries, data])
            self.latents = self.add_weight(shape=(3, 4), initializer="random_normal")
            self.block = keras.Model([queries, data], layers.Add()([y, queries]))

        def call(self, x):
            return ops.mean(self.block([ops.expand_dims(self.latents, 0), x]), axis=1)

    model = Latents()
    model.compile("adam", "mse")
    history = model.fit(rows, rows[:, 0], epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert model.predict(rows, verbose=0).shape == (5, 4)


def test_the_name_of_the_backend():
    assert keras.backend.backend() == keras.config.backend() == "gpunn"
    keras.backend.clear_session()
    assert layers.Dense(1).name == "dense"


def test_a_sequential_is_built_by_a_model_with_its_input_in_a_list():
    i = keras.Input((3,), name="digits")
    model = keras.Model(i, layers.Dense(4)(layers.Dense(5)(i)))
    cut = keras.Model(model.inputs, model.layers[-1].input)
    grown = keras.Sequential([cut, layers.Dense(2)])
    assert grown.built and grown.output_shape == (None, 2)
    assert len(grown.weights) == 4


def test_training_without_a_default():
    """Given with the call, or by a call around it."""

    class Dropped(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dropout = layers.Dropout(0.5)

        def build(self, input_shape):
            self.scale = self.add_weight(shape=input_shape[-1:], initializer="ones")

        def call(self, inputs, training):
            return self.dropout(inputs, training=training) * self.scale

    x = np.ones((20, 30), "float32")
    assert (Dropped()(x, training=False).numpy() == 1).all()
    assert (Dropped()(x, training=True).numpy() == 0).any()
    model = keras.Sequential([Dropped(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, np.ones(20), epochs=4, verbose=0)
    assert np.ptp(model.predict(x, verbose=0)) == 0
    with pytest.raises(TypeError, match="'training'"):
        Dropped()(x)


def test_a_step_of_ones_own_calls_an_unbuilt_model_on_what_it_makes_of_the_batch():
    class Translator(keras.Model):
        def __init__(self):
            super().__init__()
            self.embed = layers.Embedding(5, 3)
            self.encode, self.decode = layers.Dense(3), layers.Dense(5)

        def call(self, inputs):
            source, target = inputs[0], inputs[1]
            return self.decode(self.embed(target) + self.encode(source)[:, None])

        def train_step(self, batch):
            target = batch["target"]
            y = self([batch["source"], target[:, :-1]], training=True)
            loss = ops.mean(
                keras.losses.sparse_categorical_crossentropy(target[:, 1:], y, from_logits=True)
            )
            loss.backward()
            variables = self.trainable_variables
            self.optimizer.apply([v.value.grad for v in variables], variables)
            return {"loss": loss}

    random = np.random.default_rng(0)
    data = {
        "source": random.random((8, 4), "float32"),
        "target": np.tile(np.arange(5), (8, 1)),
    }
    model = Translator()
    model.compile(keras.optimizers.Adam(0.1))
    losses = model.fit(data, batch_size=4, epochs=10, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2
    assert len(model.optimizer.variables) == 2 + 2 * 5


def test_what_a_step_of_ones_own_does_wrong_is_said():
    class Wrong(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, inputs):
            return self.dense(inputs["a"])

        def train_step(self, batch):
            return {"loss": ops.mean(self({"b": batch[0]}))}

    model = Wrong()
    model.compile("sgd")
    with pytest.raises(KeyError, match="'a'"):
        model.fit(np.ones((4, 2)), np.ones(4), verbose=0)


def test_a_loop_of_functions_without_state():
    """As one is written with JAX: all variables go in and come out; it is fit's procedure."""

    def make():
        keras.utils.set_random_seed(0)
        inputs = keras.Input((6,))
        x = layers.Dense(8, use_bias=False)(inputs)
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
        return keras.Model(inputs, layers.Dense(3)(x))

    random = np.random.default_rng(0)
    x = random.random((32, 6), "float32")
    y = keras.utils.to_categorical(random.integers(0, 3, 32), 3)
    plain = make()
    loss_fn = keras.losses.CategoricalCrossentropy(from_logits=True)
    plain.compile(keras.optimizers.Adam(0.01), loss_fn, metrics=["acc"])
    expected = plain.fit(x, y, epochs=4, batch_size=32, shuffle=False, verbose=0).history

    model, optimizer = make(), keras.optimizers.Adam(0.01)
    metric = keras.metrics.CategoricalAccuracy()
    before = model.get_weights()

    def loss_and_updates(trained, kept, measured, x, y):
        y_pred, kept = model.stateless_call(trained, kept, x, training=True)
        measured = metric.stateless_update_state(measured, y, y_pred)
        return loss_fn(y, y_pred), (kept, measured)

    optimizer.build(model.trainable_variables)
    trained, kept = model.trainable_variables, model.non_trainable_variables
    state, found = optimizer.variables, {"loss": [], "acc": []}
    step = keras.value_and_grad(loss_and_updates, has_aux=True)
    for _ in range(4):
        (loss, (kept, measured)), grads = step(trained, kept, metric.variables, x, y)
        trained, state = optimizer.stateless_apply(state, grads, trained)
        found["loss"].append(float(loss))
        found["acc"].append(float(metric.stateless_result(measured)))
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-4)
    assert found["acc"] == expected["acc"]
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for variables, values in (
        (model.trainable_variables, trained),
        (model.non_trainable_variables, kept),
    ):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    for a, b in zip(plain.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("targets", ["dict", "list", "alone"])
@pytest.mark.parametrize("loss", ["mse", ["mse"], {"score": "mse"}, {"score": ["mse"]}])
@pytest.mark.parametrize("metrics", [["mae"], {"score": "mae"}, {"score": ["mae"]}])
def test_a_dict_of_one_output(targets, loss, metrics):
    i = keras.Input((3,))
    model = keras.Model({"x": i}, {"score": layers.Dense(1)(i)})
    model.compile("sgd", loss, metrics=metrics)
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")
    y = {"dict": {"score": y}, "list": [y], "alone": y}[targets]
    expected = model.predict({"x": x}, verbose=0)["score"]
    found = model.evaluate({"x": x}, y, verbose=0)
    assert found == pytest.approx([(expected**2).mean(), abs(expected).mean()], rel=1e-5)
    history = model.fit({"x": x}, y, validation_data=({"x": x}, y), epochs=3, verbose=0).history
    assert sorted(history) == ["loss", "mae", "val_loss", "val_mae"]
    assert history["loss"][0] == pytest.approx(found[0], rel=1e-5)


@pytest.mark.parametrize("subclassed", [False, True])
@pytest.mark.parametrize("loss", [{"score": "mse"}, {"score": "mse", "features": None}])
def test_outputs_without_a_loss_need_no_targets(subclassed, loss):
    class Both(keras.Model):
        def __init__(self):
            super().__init__()
            self.features, self.score = layers.Dense(4), layers.Dense(1)

        def call(self, x):
            features = self.features(x)
            return {"score": self.score(features), "features": features}

    model, x, y = Both(), np.ones((6, 3), "float32"), np.zeros((6, 1), "float32")
    if not subclassed:
        i = keras.Input((3,))
        model = keras.Model(i, Both()(i))
    model.compile("sgd", loss, metrics={"score": ["mae"]})
    score = model.predict(x, verbose=0)["score"]
    logs = model.evaluate(x, {"score": y}, return_dict=True, verbose=0)
    assert logs == pytest.approx({"loss": (score**2).mean(), "score_mae": abs(score).mean()})
    history = model.fit(x, {"score": y}, epochs=4, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    with pytest.raises(ValueError, match="nested like the outputs"):
        model.fit(x, {"skore": y}, verbose=0)
    with pytest.raises(ValueError, match="nested like the outputs"):
        model.fit(x, {"features": np.ones((6, 4))}, verbose=0)

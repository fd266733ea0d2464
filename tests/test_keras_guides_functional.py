"""The guide "The functional API", and what other guides build by it, with the imports changed."""

import numpy as np
import pytest

import gpunn as keras
from gpunn import layers, ops

random = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _on(device):
    """Every test here runs on both devices."""


def get_mnist_model():
    inputs = keras.Input(shape=(784,), name="digits")
    x = layers.Dense(16, activation="relu", name="dense_1")(inputs)
    x = layers.Dense(16, activation="relu", name="dense_2")(x)
    outputs = layers.Dense(10, activation="softmax", name="predictions")(x)
    return keras.Model(inputs=inputs, outputs=outputs)


def digits(n=40):
    return random.random((n, 784), dtype="float32"), random.integers(0, 10, n)


class TestFunctionalAPI:
    def test_introduction(self, tmp_path, capsys):
        inputs = keras.Input(shape=(784,))
        assert inputs.shape == (None, 784) and inputs.dtype == "float32"
        dense = layers.Dense(64, activation="relu")
        x = dense(inputs)
        x = layers.Dense(64, activation="relu")(x)
        outputs = layers.Dense(10)(x)
        model = keras.Model(inputs=inputs, outputs=outputs, name="mnist_model")
        model.summary()
        assert "Total params: 55,050" in capsys.readouterr().out
        keras.utils.plot_model(model, tmp_path / "my_first_model.svg")
        keras.utils.plot_model(model, tmp_path / "with_shape_info.svg", show_shapes=True)
        model.compile(
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            optimizer=keras.optimizers.RMSprop(),
            metrics=["accuracy"],
        )
        x_train, y_train = digits()
        model.fit(x_train, y_train, batch_size=16, epochs=2, validation_split=0.2, verbose=0)
        test_scores = model.evaluate(x_train, y_train, verbose=0)
        assert len(test_scores) == 2
        model.save(tmp_path / "my_model.keras")
        again = keras.models.load_model(tmp_path / "my_model.keras")
        assert again.evaluate(x_train, y_train, verbose=0) == test_scores

    def test_all_models_are_callable_just_like_layers(self, capsys):
        encoder_input = keras.Input(shape=(28, 28, 1), name="original_img")
        x = layers.Conv2D(4, 3, activation="relu")(encoder_input)
        x = layers.MaxPooling2D(3)(x)
        x = layers.Conv2D(16, 3, activation="relu")(x)
        encoder_output = layers.GlobalMaxPooling2D()(x)
        encoder = keras.Model(encoder_input, encoder_output, name="encoder")
        decoder_input = keras.Input(shape=(16,), name="encoded_img")
        x = layers.Reshape((4, 4, 1))(decoder_input)
        x = layers.Conv2DTranspose(4, 3, activation="relu")(x)
        x = layers.UpSampling2D(3)(x)
        decoder_output = layers.Conv2DTranspose(1, 11, activation="relu")(x)
        decoder = keras.Model(decoder_input, decoder_output, name="decoder")
        autoencoder_input = keras.Input(shape=(28, 28, 1), name="img")
        encoded_img = encoder(autoencoder_input)
        decoded_img = decoder(encoded_img)
        autoencoder = keras.Model(autoencoder_input, decoded_img, name="autoencoder")
        autoencoder.summary(expand_nested=True)
        assert "encoder (Functional)" in capsys.readouterr().out
        assert autoencoder.predict(np.zeros((2, 28, 28, 1)), verbose=0).shape == (2, 28, 28, 1)
        shared = [w for w in autoencoder.weights if any(w is v for v in encoder.weights)]
        assert len(shared) == len(encoder.weights)

    def test_ensembling(self):
        def get_model():
            inputs = keras.Input(shape=(128,))
            outputs = layers.Dense(1)(inputs)
            return keras.Model(inputs, outputs)

        model1, model2, model3 = get_model(), get_model(), get_model()
        inputs = keras.Input(shape=(128,))
        y1, y2, y3 = model1(inputs), model2(inputs), model3(inputs)
        outputs = layers.average([y1, y2, y3])
        ensemble_model = keras.Model(inputs=inputs, outputs=outputs)
        x = random.random((3, 128), dtype="float32")
        mean = np.mean([m.predict(x) for m in (model1, model2, model3)], axis=0)
        np.testing.assert_allclose(ensemble_model.predict(x), mean, rtol=1e-5, atol=1e-6)

    def test_multiple_inputs_and_outputs(self):
        num_tags, num_words, num_departments = 12, 100, 4
        title_input = keras.Input(shape=(None,), name="title")
        body_input = keras.Input(shape=(None,), name="body")
        tags_input = keras.Input(shape=(num_tags,), name="tags")
        title_features = layers.Embedding(num_words, 8)(title_input)
        body_features = layers.Embedding(num_words, 8)(body_input)
        title_features = layers.LSTM(8)(title_features)
        body_features = layers.LSTM(4)(body_features)
        x = layers.concatenate([title_features, body_features, tags_input])
        priority_pred = layers.Dense(1, name="priority")(x)
        department_pred = layers.Dense(num_departments, name="department")(x)
        model = keras.Model(
            inputs=[title_input, body_input, tags_input],
            outputs={"priority": priority_pred, "department": department_pred},
        )
        model.compile(
            optimizer=keras.optimizers.RMSprop(1e-3),
            loss=[
                keras.losses.BinaryCrossentropy(from_logits=True),
                keras.losses.CategoricalCrossentropy(from_logits=True),
            ],
            loss_weights=[1.0, 0.2],
        )
        model.compile(
            optimizer=keras.optimizers.RMSprop(1e-3),
            loss={
                "priority": keras.losses.BinaryCrossentropy(from_logits=True),
                "department": keras.losses.CategoricalCrossentropy(from_logits=True),
            },
            loss_weights={"priority": 1.0, "department": 0.2},
        )
        n = 40
        title_data = random.integers(num_words, size=(n, 10))
        body_data = random.integers(num_words, size=(n, 20))
        tags_data = random.integers(2, size=(n, num_tags)).astype("float32")
        priority_targets = random.random(size=(n, 1))
        dept_targets = np.eye(num_departments)[random.integers(num_departments, size=n)]
        history = model.fit(
            {"title": title_data, "body": body_data, "tags": tags_data},
            {"priority": priority_targets, "department": dept_targets},
            epochs=2, batch_size=32, verbose=0,
        ).history  # fmt: skip
        assert sorted(history) == ["department_loss", "loss", "priority_loss"]
        total = history["priority_loss"][1] + 0.2 * history["department_loss"][1]
        assert history["loss"][1] == pytest.approx(total, rel=1e-5)

    def test_a_toy_resnet(self):
        inputs = keras.Input(shape=(16, 16, 3), name="img")
        x = layers.Conv2D(4, 3, activation="relu")(inputs)
        x = layers.Conv2D(8, 3, activation="relu")(x)
        block_1_output = layers.MaxPooling2D(3)(x)
        x = layers.Conv2D(8, 3, activation="relu", padding="same")(block_1_output)
        x = layers.Conv2D(8, 3, activation="relu", padding="same")(x)
        block_2_output = layers.add([x, block_1_output])
        x = layers.Conv2D(8, 3, activation="relu")(block_2_output)
        x = layers.GlobalAveragePooling2D()(x)
        x = layers.Dropout(0.5)(layers.Dense(16, activation="relu")(x))
        outputs = layers.Dense(10)(x)
        model = keras.Model(inputs, outputs, name="toy_resnet")
        model.compile(
            optimizer=keras.optimizers.RMSprop(1e-3),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["acc"],
        )
        x_train = random.random((20, 16, 16, 3), dtype="float32")
        y_train = random.integers(0, 10, (20, 1))
        history = model.fit(x_train, y_train, batch_size=8, validation_split=0.2, verbose=0).history
        assert sorted(history) == ["acc", "loss", "val_acc", "val_loss"]

    def test_shared_layers(self):
        shared_embedding = layers.Embedding(100, 8)
        text_input_a = keras.Input(shape=(None,), dtype="int32")
        text_input_b = keras.Input(shape=(None,), dtype="int32")
        encoded_input_a = shared_embedding(text_input_a)
        encoded_input_b = shared_embedding(text_input_b)
        model = keras.Model([text_input_a, text_input_b], [encoded_input_a, encoded_input_b])
        a, b = model.predict([np.ones((2, 3), "int32"), np.ones((2, 3), "int32")])
        assert len(model.weights) == 1 and np.array_equal(a, b)

    def test_extract_and_reuse_nodes(self):
        base = get_mnist_model()
        features_list = [layer.output for layer in base.layers]
        feat_extraction_model = keras.Model(inputs=base.input, outputs=features_list)
        extracted_features = feat_extraction_model(random.random((1, 784), dtype="float32"))
        assert [f.shape[1] for f in extracted_features] == [784, 16, 16, 10]

    def test_custom_layers(self):
        class CustomDense(layers.Layer):
            def __init__(self, units=32):
                super().__init__()
                self.units = units

            def build(self, input_shape):
                self.w = self.add_weight(
                    shape=(input_shape[-1], self.units),
                    initializer="random_normal",
                    trainable=True,
                )
                self.b = self.add_weight(
                    shape=(self.units,), initializer="random_normal", trainable=True
                )

            def call(self, inputs):
                return ops.matmul(inputs, self.w) + self.b

            def get_config(self):
                return {"units": self.units}

        inputs = keras.Input((4,))
        outputs = CustomDense(10)(inputs)
        model = keras.Model(inputs, outputs)
        config = model.get_config()
        new_model = keras.Model.from_config(config, custom_objects={"CustomDense": CustomDense})
        new_model.set_weights(model.get_weights())
        x = random.random((3, 4), dtype="float32")
        np.testing.assert_array_equal(new_model.predict(x), model.predict(x))

    def test_mix_and_match(self):
        units, timesteps, input_dim = 8, 10, 5
        inputs = keras.Input((None, units))
        x = layers.GlobalAveragePooling1D()(inputs)
        model = keras.Model(inputs, layers.Dense(1)(x))

        class CustomRNN(layers.Layer):
            def __init__(self, classifier):
                super().__init__()
                self.units = units
                self.projection_1 = layers.Dense(units=units, activation="tanh")
                self.projection_2 = layers.Dense(units=units, activation="tanh")
                self.classifier = classifier

            def call(self, inputs):
                outputs = []
                state = ops.zeros(shape=(inputs.shape[0], self.units))
                for t in range(inputs.shape[1]):
                    x = inputs[:, t, :]
                    h = self.projection_1(x)
                    y = h + self.projection_2(state)
                    state = y
                    outputs.append(y)
                features = ops.stack(outputs, axis=1)
                return self.classifier(features)

        rnn_model = CustomRNN(model)
        assert rnn_model(ops.zeros((1, timesteps, input_dim))).shape == (1, 1)
        inputs = keras.Input(batch_shape=(16, timesteps, input_dim))
        x = layers.Conv1D(5, 3)(inputs)
        model = keras.Model(inputs, CustomRNN(layers.Dense(1))(x))
        assert model(ops.zeros((16, timesteps, input_dim))).shape == (16, 8, 1)


class TestSubclassing:
    def test_vae_of_functional_parts(self):
        class Sampling(layers.Layer):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                self.seed_generator = keras.random.SeedGenerator(1337)

            def call(self, inputs):
                z_mean, z_log_var = inputs
                batch, dim = ops.shape(z_mean)
                epsilon = keras.random.normal(shape=(batch, dim), seed=self.seed_generator)
                return z_mean + ops.exp(0.5 * z_log_var) * epsilon

        original_dim, intermediate_dim, latent_dim = 784, 16, 4
        original_inputs = keras.Input(shape=(original_dim,), name="encoder_input")
        x = layers.Dense(intermediate_dim, activation="relu")(original_inputs)
        z_mean = layers.Dense(latent_dim, name="z_mean")(x)
        z_log_var = layers.Dense(latent_dim, name="z_log_var")(x)
        z = Sampling()((z_mean, z_log_var))
        encoder = keras.Model(inputs=original_inputs, outputs=z, name="encoder")
        latent_inputs = keras.Input(shape=(latent_dim,), name="z_sampling")
        x = layers.Dense(intermediate_dim, activation="relu")(latent_inputs)
        outputs = layers.Dense(original_dim, activation="sigmoid")(x)
        decoder = keras.Model(inputs=latent_inputs, outputs=outputs, name="decoder")
        outputs = decoder(z)
        vae = keras.Model(inputs=original_inputs, outputs=outputs, name="vae")

        class KLDivergenceLayer(layers.Layer):
            def call(self, inputs):
                z_mean, z_log_var = inputs
                kl = ops.mean(z_log_var - ops.square(z_mean) - ops.exp(z_log_var) + 1)
                self.add_loss(-0.5 * kl)
                return inputs

        a, b = KLDivergenceLayer(name="kl")((z_mean, z_log_var))
        with_loss = keras.Model(original_inputs, decoder(Sampling()((a, b))))
        x, _ = digits()
        for model, losses in ((vae, 0), (with_loss, 1)):
            model.compile(keras.optimizers.Adam(1e-3), loss=keras.losses.MeanSquaredError())
            history = model.fit(x, x, epochs=2, batch_size=16, verbose=0).history
            assert np.isfinite(history["loss"]).all()
            assert len(model.losses) == losses
        assert encoder.predict(x).shape == (40, 4)

    def test_a_loss_of_an_activity_inside_a_graph(self):
        class ActivityRegularizationLayer(layers.Layer):
            def call(self, inputs):
                self.add_loss(ops.sum(inputs) * 0.1)
                return inputs

        inputs = keras.Input(shape=(784,), name="digits")
        x = layers.Dense(16, activation="relu", name="dense_1")(inputs)
        x = ActivityRegularizationLayer()(x)
        model = keras.Model(inputs, layers.Dense(10, name="predictions")(x))
        assert model.losses == []
        x, y = digits(8)
        model.compile(optimizer="sgd", loss=keras.losses.SparseCategoricalCrossentropy(True))
        with_extra = model.evaluate(x, y, verbose=0)
        hidden = keras.Model(inputs, model.layers[1].output).predict(x)
        plain = keras.losses.SparseCategoricalCrossentropy(True)(y, model.predict(x))
        assert with_extra == pytest.approx(float(plain) + 0.1 * hidden.sum(), rel=1e-4)


class TestBuiltInMethods:
    def test_passing_data_to_multi_input_multi_output_models(self):
        image_input = keras.Input(shape=(8, 8, 3), name="img_input")
        timeseries_input = keras.Input(shape=(None, 10), name="ts_input")
        x1 = layers.GlobalMaxPooling2D()(layers.Conv2D(3, 3)(image_input))
        x2 = layers.GlobalMaxPooling1D()(layers.Conv1D(3, 3)(timeseries_input))
        x = layers.concatenate([x1, x2])
        score_output = layers.Dense(1, name="score_output")(x)
        class_output = layers.Dense(5, name="class_output")(x)
        model = keras.Model(
            inputs=[image_input, timeseries_input], outputs=[score_output, class_output]
        )
        img_data = random.random(size=(20, 8, 8, 3), dtype="float32")
        ts_data = random.random(size=(20, 20, 10), dtype="float32")
        score_targets = random.random(size=(20, 1))
        class_targets = random.random(size=(20, 5))
        mse, cce = keras.losses.MeanSquaredError(), keras.losses.CategoricalCrossentropy()
        both = {"score_output": mse, "class_output": cce}
        metrics = [
            [keras.metrics.MeanAbsolutePercentageError(), keras.metrics.MeanAbsoluteError()],
            [keras.metrics.CategoricalAccuracy()],
        ]
        named = dict(zip(both, metrics, strict=True))
        weights = {"score_output": 2.0, "class_output": 1.0}
        for loss, measured, scale in (
            ([mse, cce], None, None), ([mse, cce], metrics, None), (both, named, weights),
            ([None, cce], None, None), ({"class_output": cce}, None, None),
        ):  # fmt: skip
            model.compile("rmsprop", loss=loss, metrics=measured, loss_weights=scale)
            for x, y in (
                ([img_data, ts_data], [score_targets, class_targets]),
                (
                    {"img_input": img_data, "ts_input": ts_data},
                    {"score_output": score_targets, "class_output": class_targets},
                ),
            ):
                history = model.fit(x, y, batch_size=10, epochs=1, verbose=0).history
                assert np.isfinite(history["loss"]).all()
        names = {"class_output_loss", "loss", "score_output_loss"}
        model.compile("rmsprop", loss=[mse, cce], metrics=metrics)
        history = model.fit(x, y, epochs=1, verbose=0).history
        assert set(history) == names | {
            "score_output_mean_absolute_percentage_error",
            "score_output_mean_absolute_error",
            "class_output_categorical_accuracy",
        }

    def test_an_own_compute_loss(self):
        class Doubled(keras.Model):
            def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
                return 2 * super().compute_loss(x, y, y_pred, sample_weight)

        inputs = keras.Input((784,))
        model = Doubled(inputs=inputs, outputs=layers.Dense(1)(inputs))
        model.compile(keras.optimizers.SGD(0.0), "mse")
        x, y = digits(8)
        before = model.get_weights()
        assert np.isfinite(model.train_on_batch(x, y))
        assert all(map(np.array_equal, before, model.get_weights()))


class TestTransferLearning:
    def test_fine_tuning(self):
        i = keras.Input(shape=(12, 12, 3))
        x = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(i))
        base_model = keras.Model(i, x, name="base")
        base_model.trainable = False
        inputs = keras.Input(shape=(12, 12, 3))
        x = layers.Rescaling(scale=1 / 127.5, offset=-1)(inputs)
        x = base_model(x, training=False)
        x = layers.GlobalAveragePooling2D()(x)
        x = layers.Dropout(0.2)(x)
        outputs = layers.Dense(1)(x)
        model = keras.Model(inputs, outputs)
        assert len(model.trainable_weights) == 2 and len(model.non_trainable_weights) == 6
        images = random.integers(0, 256, (16, 12, 12, 3)).astype("float32")
        labels = random.integers(0, 2, (16, 1))
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(), loss, metrics=[keras.metrics.BinaryAccuracy()])
        before = base_model.get_weights()
        model.fit(images, labels, epochs=2, verbose=0)
        assert all(map(np.array_equal, before, base_model.get_weights()))
        base_model.trainable = True  # its batch normalization still runs in inference mode
        model.compile(keras.optimizers.Adam(1e-3), loss)
        model.fit(images, labels, epochs=2, verbose=0)
        after = base_model.get_weights()
        assert not np.array_equal(before[0], after[0])
        statistics = base_model.non_trainable_weights
        assert len(statistics) == 2
        assert all(map(np.array_equal, before[-2:], [w.numpy() for w in statistics]))

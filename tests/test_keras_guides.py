"""The situations of Keras' guides, with nothing but the imports changed.

Models of the functional API are in test_keras_guides_functional.py.
"""

import math

import numpy as np
import pandas as pd
import pytest

import gpunn as keras
from gpunn import layers, ops

CLASSES = 10


@pytest.fixture(autouse=True)
def _on(device):
    """Every test here runs on both devices."""


@pytest.fixture
def data():
    """Rows whose class is told by their largest entry, as (x_train, y_train, x_val, y_val)."""
    random = np.random.default_rng(0)
    x = random.random((240, CLASSES), dtype="float32")
    y = x.argmax(1).astype("float32")
    return x[:200], y[:200], x[200:], y[200:]


def get_uncompiled_model():
    return keras.Sequential(
        [
            keras.Input(shape=(CLASSES,), name="digits"),
            layers.Dense(16, activation="relu", name="dense_1"),
            layers.Dense(16, activation="relu", name="dense_2"),
            layers.Dense(CLASSES, activation="softmax", name="predictions"),
        ]
    )


def get_compiled_model():
    model = get_uncompiled_model()
    model.compile(
        optimizer="rmsprop",
        loss="sparse_categorical_crossentropy",
        metrics=["sparse_categorical_accuracy"],
    )
    return model


# --- The Sequential model ---


class TestSequential:
    def test_list_and_add_are_the_same(self):
        model = keras.Sequential(
            [
                layers.Dense(2, activation="relu", name="layer1"),
                layers.Dense(3, activation="relu", name="layer2"),
                layers.Dense(4, name="layer3"),
            ]
        )
        x = ops.ones((3, 3))
        y = model(x)
        assert y.shape == (3, 4)
        grown = keras.Sequential(name="my_sequential")
        for layer in model.layers:
            grown.add(layer)
        assert np.array_equal(grown(x).numpy(), y.numpy())
        grown.pop()
        assert len(grown.layers) == 2
        assert grown.name == "my_sequential"

    def test_weights_come_with_the_first_input(self):
        layer = layers.Dense(3)
        assert layer.weights == []
        layer(ops.ones((1, 4)))
        assert [tuple(w.shape) for w in layer.weights] == [(4, 3), (3,)]
        model = keras.Sequential(
            [
                layers.Dense(2, activation="relu"),
                layers.Dense(3, activation="relu"),
                layers.Dense(4),
            ]
        )
        assert not model.built
        said = []
        model.summary(print_fn=said.append)
        assert said[0].count("0 (unbuilt)") == 3
        model(ops.ones((1, 4)))
        assert len(model.weights) == 6

    def test_input_first_and_summary(self, capsys):
        model = keras.Sequential()
        model.add(keras.Input(shape=(4,)))
        model.add(layers.Dense(2, activation="relu"))
        assert [layer.name for layer in model.layers] == ["dense"] or len(model.layers) == 1
        model.summary()
        assert "Total params: 10" in capsys.readouterr().out

    def test_freezing_all_but_the_last(self, data):
        x, y, *_ = data
        model = get_uncompiled_model()
        for layer in model.layers[:-1]:
            layer.trainable = False
        before = model.get_weights()
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=1, verbose=0)
        after = model.get_weights()
        changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
        assert changed == [False, False, False, False, True, True]

    def test_a_model_within_a_model(self):
        base_model = keras.Sequential([keras.Input((6,)), layers.Dense(5, activation="relu")])
        base_model.trainable = False
        model = keras.Sequential([base_model, layers.Dense(3)])
        assert model(ops.ones((2, 6))).shape == (2, 3)
        assert len(model.trainable_weights) == 2
        assert len(model.weights) == 4


# --- Training & evaluation with the built-in methods ---


class TestBuiltIn:
    def test_end_to_end(self, data):
        x_train, y_train, x_val, y_val = data
        model = get_uncompiled_model()
        model.compile(
            optimizer=keras.optimizers.RMSprop(),
            loss=keras.losses.SparseCategoricalCrossentropy(),
            metrics=[keras.metrics.SparseCategoricalAccuracy()],
        )
        history = model.fit(
            x_train, y_train, batch_size=64, epochs=2, validation_data=(x_val, y_val), verbose=0
        )
        assert sorted(history.history) == [
            "loss",
            "sparse_categorical_accuracy",
            "val_loss",
            "val_sparse_categorical_accuracy",
        ]
        results = model.evaluate(x_val, y_val, batch_size=128, verbose=0)
        assert results == pytest.approx(
            [
                history.history["val_loss"][-1],
                history.history["val_sparse_categorical_accuracy"][-1],
            ]
        )
        assert model.predict(x_val[:3], verbose=0).shape == (3, CLASSES)

    def test_strings_and_objects_are_the_same(self, data):
        x, y, *_ = data
        losses = []
        for optimizer, loss, metric in (
            (
                "rmsprop",
                "sparse_categorical_crossentropy",
                "sparse_categorical_accuracy",
            ),
            (
                keras.optimizers.RMSprop(learning_rate=1e-3),
                keras.losses.SparseCategoricalCrossentropy(),
                keras.metrics.SparseCategoricalAccuracy(),
            ),
            (
                keras.optimizers.get("rmsprop"),
                keras.losses.sparse_categorical_crossentropy,
                keras.metrics.sparse_categorical_accuracy,
            ),
        ):
            keras.utils.set_random_seed(1)
            model = get_uncompiled_model()
            model.compile(optimizer=optimizer, loss=loss, metrics=[metric])
            history = model.fit(x, y, epochs=1, verbose=0).history
            losses.append(history["loss"] + history["sparse_categorical_accuracy"])
        assert losses[0] == losses[1] == losses[2]

    def test_custom_loss_function(self, data):
        x, y, *_ = data

        def custom_mean_squared_error(y_true, y_pred):
            return ops.mean(ops.square(y_true - y_pred), axis=-1)

        model = get_uncompiled_model()
        model.compile(optimizer=keras.optimizers.Adam(), loss=custom_mean_squared_error)
        y_one_hot = ops.one_hot(y.astype("int32"), num_classes=10)
        history = model.fit(x, y_one_hot, batch_size=64, epochs=2, verbose=0)
        assert history.history["loss"][1] < history.history["loss"][0]

    def test_custom_loss_class(self, data):
        x, y, *_ = data

        class CustomMSE(keras.losses.Loss):
            def __init__(self, regularization_factor=0.1, name="custom_mse"):
                super().__init__(name=name)
                self.regularization_factor = regularization_factor

            def call(self, y_true, y_pred):
                mse = ops.mean(ops.square(y_true - y_pred), axis=-1)
                reg = ops.mean(ops.square(0.5 - y_pred), axis=-1)
                return mse + reg * self.regularization_factor

        model = get_uncompiled_model()
        model.compile(optimizer=keras.optimizers.Adam(), loss=CustomMSE())
        y_one_hot = keras.utils.to_categorical(y, 10)
        model.fit(x, y_one_hot, batch_size=64, epochs=1, verbose=0)

    def test_custom_metric_class(self, data):
        x, y, *_ = data

        class CategoricalTruePositives(keras.metrics.Metric):
            def __init__(self, name="categorical_true_positives", **kwargs):
                super().__init__(name=name, **kwargs)
                self.true_positives = self.add_variable(shape=(), name="ctp", initializer="zeros")

            def update_state(self, y_true, y_pred, sample_weight=None):
                y_pred = ops.reshape(ops.argmax(y_pred, axis=1), (-1, 1))
                values = ops.cast(y_true, "int32") == ops.cast(y_pred, "int32")
                values = ops.cast(values, "float32")
                if sample_weight is not None:
                    sample_weight = ops.cast(sample_weight, "float32")
                    values = ops.multiply(values, sample_weight)
                self.true_positives.assign_add(ops.sum(values))

            def result(self):
                return self.true_positives.value

            def reset_state(self):
                self.true_positives.assign(0.0)

        model = get_uncompiled_model()
        model.compile(
            optimizer=keras.optimizers.RMSprop(learning_rate=1e-3),
            loss=keras.losses.SparseCategoricalCrossentropy(),
            metrics=[CategoricalTruePositives(), "accuracy"],
        )
        y = y[:, None]
        model.fit(x, y, batch_size=64, epochs=2, verbose=0)
        found = model.evaluate(x, y, return_dict=True, verbose=0)
        assert found["categorical_true_positives"] == pytest.approx(found["accuracy"] * 200)

    def test_add_loss_and_metrics_in_layers(self, data):
        x, y, *_ = data

        class ActivityRegularizationLayer(layers.Layer):
            def call(self, inputs):
                self.add_loss(ops.sum(inputs) * 0.1)
                return inputs

        model = keras.Sequential(
            [
                keras.Input((CLASSES,)),
                layers.Dense(16, activation="relu"),
                ActivityRegularizationLayer(),
                layers.Dense(10),
            ]
        )
        model.compile(
            optimizer=keras.optimizers.RMSprop(learning_rate=1e-3),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        history = model.fit(x, y, batch_size=64, epochs=1, verbose=0)
        assert history.history["loss"][0] > 3  # the cross-entropy alone is about 2.3

    def test_logistic_endpoint(self):
        class LogisticEndpoint(keras.layers.Layer):
            def __init__(self, name=None):
                super().__init__(name=name)
                self.loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)

            def call(self, targets, logits, sample_weights=None):
                loss = self.loss_fn(targets, logits, sample_weights)
                self.add_loss(loss)
                return ops.softmax(logits)

        class Model(keras.Model):
            def __init__(self):
                super().__init__()
                self.dense = layers.Dense(10)
                self.predictions = LogisticEndpoint(name="predictions")

            def call(self, inputs):
                return self.predictions(inputs["targets"], self.dense(inputs["inputs"]))

        model = Model()
        model.compile(optimizer="adam")  # no loss argument
        random = np.random.default_rng(0)
        data = {"inputs": random.random((3, 3)), "targets": random.random((3, 10))}
        history = model.fit(data, epochs=2, verbose=0)
        assert history.history["loss"][1] < history.history["loss"][0]

    def test_validation_split(self, data):
        x, y, *_ = data
        history = get_compiled_model().fit(
            x, y, batch_size=64, validation_split=0.2, epochs=1, verbose=0
        )
        assert "val_loss" in history.history

    def test_class_weight_and_sample_weight(self, data):
        x, y, *_ = data
        class_weight = dict.fromkeys(range(10), 1.0)
        class_weight[5] = 2.0
        sample_weight = np.ones(shape=(len(y),))
        sample_weight[y == 5] = 2.0
        histories = []
        for weights in ({"class_weight": class_weight}, {"sample_weight": sample_weight}):
            keras.utils.set_random_seed(0)
            model = get_compiled_model()
            histories.append(model.fit(x, y, batch_size=64, epochs=1, verbose=0, **weights).history)
        assert histories[0]["loss"] == pytest.approx(histories[1]["loss"])

    def test_weighted_metrics_and_validation_weights(self, data):
        x, y, x_val, y_val = data
        model = get_uncompiled_model()
        model.compile("adam", "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
        weights = np.linspace(0, 1, len(y_val))
        history = model.fit(x, y, validation_data=(x_val, y_val, weights), verbose=0)
        assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]

    def test_pydataset(self, data):
        x, y, *_ = data

        class ExamplePyDataset(keras.utils.PyDataset):
            def __init__(self, x, y, batch_size, **kwargs):
                super().__init__(**kwargs)
                self.x, self.y, self.batch_size = x, y, batch_size
                self.ends = 0

            def __len__(self):
                return math.ceil(len(self.x) / self.batch_size)

            def __getitem__(self, idx):
                rows = slice(idx * self.batch_size, (idx + 1) * self.batch_size)
                return self.x[rows], self.y[rows]

            def on_epoch_end(self):
                self.ends += 1

        train_py_dataset = ExamplePyDataset(x, y, batch_size=32, workers=1)
        model = get_compiled_model()
        model.fit(train_py_dataset, epochs=2, verbose=0)
        assert train_py_dataset.ends == 2
        by_dataset = model.evaluate(ExamplePyDataset(x, y, batch_size=32), verbose=0)
        assert by_dataset == pytest.approx(model.evaluate(x, y, batch_size=32, verbose=0))
        assert model.predict(ExamplePyDataset(x, y, batch_size=32), verbose=0).shape == (200, 10)

    def test_generator(self, data):
        x, y, *_ = data

        def batches():
            while True:
                for i in range(0, 160, 32):
                    yield x[i : i + 32], y[i : i + 32], np.ones(32)

        model = get_compiled_model()
        history = model.fit(batches(), steps_per_epoch=5, epochs=2, verbose=0)
        assert len(history.history["loss"]) == 2

    def test_pandas(self, data):
        x, y, *_ = data
        frame = pd.DataFrame(x, columns=[f"c{i}" for i in range(CLASSES)])
        keras.utils.set_random_seed(0)
        by_frame = get_compiled_model().fit(frame, pd.Series(y), epochs=1, verbose=0).history
        keras.utils.set_random_seed(0)
        by_array = get_compiled_model().fit(x, y, epochs=1, verbose=0).history
        assert by_frame == by_array

    def test_early_stopping_and_checkpoints(self, data, tmp_path):
        x, y, *_ = data
        callbacks = [
            keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=10, patience=2, verbose=1),
            keras.callbacks.ModelCheckpoint(
                filepath=str(tmp_path / "mymodel_{epoch}.keras"),
                save_best_only=True,
                monitor="val_loss",
                verbose=1,
            ),
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        ]
        model = get_compiled_model()
        history = model.fit(
            x,
            y,
            epochs=20,
            batch_size=64,
            callbacks=callbacks,
            validation_split=0.2,
            verbose=0,
        )
        assert len(history.epoch) == 3
        last = sorted(tmp_path.glob("*.keras"))[-1]
        again = keras.models.load_model(last)
        assert again.predict(x[:4], verbose=0).shape == (4, 10)

    def test_schedules(self, data):
        x, y, *_ = data
        lr_schedule = keras.optimizers.schedules.ExponentialDecay(
            0.1, decay_steps=100000, decay_rate=0.96, staircase=True
        )
        model = get_uncompiled_model()
        model.compile(
            keras.optimizers.RMSprop(learning_rate=lr_schedule), "sparse_categorical_crossentropy"
        )
        model.fit(x, y, epochs=1, verbose=0)
        assert float(model.optimizer.learning_rate) == pytest.approx(0.1)


# --- Writing your own callbacks ---


class TestOwnCallbacks:
    def test_every_hook(self, data):
        x, y, *_ = data
        said = []

        class CustomCallback(keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                said.append(f"train begin {list(logs.keys())}")

            def on_train_end(self, logs=None):
                said.append(f"train end {sorted(logs.keys())}")

            def on_epoch_begin(self, epoch, logs=None):
                said.append(f"epoch {epoch} begin {list(logs.keys())}")

            def on_epoch_end(self, epoch, logs=None):
                said.append(f"epoch {epoch} end {sorted(logs.keys())}")

            def on_test_begin(self, logs=None):
                said.append(f"test begin {list(logs.keys())}")

            def on_test_end(self, logs=None):
                said.append(f"test end {sorted(logs.keys())}")

            def on_predict_begin(self, logs=None):
                said.append(f"predict begin {list(logs.keys())}")

            def on_predict_end(self, logs=None):
                said.append(f"predict end {list(logs.keys())}")

            def on_train_batch_end(self, batch, logs=None):
                said.append(f"batch {batch} {sorted(logs.keys())}")

            def on_predict_batch_end(self, batch, logs=None):
                said.append(f"predicted {batch} {sorted(logs.keys())}")

        model = get_uncompiled_model()
        model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
        callback = CustomCallback()
        model.fit(x, y, batch_size=100, epochs=1, verbose=0, callbacks=[callback])
        assert said == [
            "train begin []",
            "epoch 0 begin []",
            "batch 0 ['accuracy', 'loss']",
            "batch 1 ['accuracy', 'loss']",
            "epoch 0 end ['accuracy', 'loss']",
            "train end ['accuracy', 'loss']",
        ]
        said.clear()
        model.evaluate(x, y, verbose=0, callbacks=[callback])
        assert said == ["test begin []", "test end ['accuracy', 'loss']"]
        said.clear()
        model.predict(x, batch_size=200, verbose=0, callbacks=[callback])
        assert said == ["predict begin []", "predicted 0 ['outputs']", "predict end []"]

    def test_early_stopping_at_min_loss(self, data):
        x, y, *_ = data

        class EarlyStoppingAtMinLoss(keras.callbacks.Callback):
            def __init__(self, patience=0):
                super().__init__()
                self.patience = patience
                self.best_weights = None

            def on_train_begin(self, logs=None):
                self.wait = 0
                self.stopped_epoch = 0
                self.best = np.inf

            def on_epoch_end(self, epoch, logs=None):
                current = logs.get("loss")
                if np.less(current, self.best):
                    self.best = current
                    self.wait = 0
                    self.best_weights = self.model.get_weights()
                else:
                    self.wait += 1
                    if self.wait >= self.patience:
                        self.stopped_epoch = epoch
                        self.model.stop_training = True
                        self.model.set_weights(self.best_weights)

        model = keras.Sequential([keras.Input((CLASSES,)), layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.RMSprop(learning_rate=0.1), loss="mse")
        stop = EarlyStoppingAtMinLoss()
        history = model.fit(x, y, batch_size=64, epochs=60, verbose=0, callbacks=[stop])
        assert stop.stopped_epoch == len(history.epoch) - 1
        assert len(history.epoch) < 60

    def test_learning_rate_scheduler(self, data):
        x, y, *_ = data

        class CustomLearningRateScheduler(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                lr = self.model.optimizer.learning_rate
                assert float(lr) == pytest.approx(0.1 / 2**epoch)
                self.model.optimizer.learning_rate = lr * 0.5
                assert float(self.model.optimizer.learning_rate) == pytest.approx(0.05 / 2**epoch)

        model = keras.Sequential([keras.Input((CLASSES,)), layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.RMSprop(learning_rate=0.1), loss="mse")
        callbacks = [CustomLearningRateScheduler()]
        model.fit(x, y, epochs=2, steps_per_epoch=2, verbose=0, callbacks=callbacks)


# --- Making new layers and models via subclassing ---


class TestSubclassing:
    def test_layer_with_state(self):
        class Linear(keras.layers.Layer):
            def __init__(self, units=32, input_dim=32):
                super().__init__()
                self.w = self.add_weight(
                    shape=(input_dim, units), initializer="random_normal", trainable=True
                )
                self.b = self.add_weight(shape=(units,), initializer="zeros", trainable=True)

            def call(self, inputs):
                return ops.matmul(inputs, self.w) + self.b

        linear_layer = Linear(4, 2)
        assert linear_layer(ops.ones((2, 2))).shape == (2, 4)
        assert linear_layer.weights == [linear_layer.w, linear_layer.b]

    def test_weights_that_are_not_trained(self):
        class ComputeSum(keras.layers.Layer):
            def __init__(self, input_dim):
                super().__init__()
                self.total = self.add_weight(
                    initializer="zeros", shape=(input_dim,), trainable=False
                )

            def call(self, inputs):
                self.total.assign_add(ops.sum(inputs, axis=0))
                return self.total

        my_sum = ComputeSum(2)
        x = ops.ones((2, 2))
        assert my_sum(x).numpy().tolist() == [2, 2]
        assert my_sum(x).numpy().tolist() == [4, 4]
        assert len(my_sum.weights) == len(my_sum.non_trainable_weights) == 1
        assert my_sum.trainable_weights == []

    def test_layers_of_layers_are_built_late(self):
        class Linear(keras.layers.Layer):
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

        class MLPBlock(keras.layers.Layer):
            def __init__(self):
                super().__init__()
                self.linear_1 = Linear(32)
                self.linear_2 = Linear(32)
                self.linear_3 = Linear(1)

            def call(self, inputs):
                x = self.linear_1(inputs)
                x = keras.activations.relu(x)
                x = self.linear_2(x)
                x = keras.activations.relu(x)
                return self.linear_3(x)

        mlp = MLPBlock()
        assert mlp(ops.ones(shape=(3, 64))).shape == (3, 1)
        assert len(mlp.weights) == 6
        assert len(mlp.trainable_weights) == 6

    def test_add_loss_is_of_the_last_call(self):
        class ActivityRegularizationLayer(keras.layers.Layer):
            def __init__(self, rate=1e-2):
                super().__init__()
                self.rate = rate

            def call(self, inputs):
                self.add_loss(self.rate * ops.mean(inputs))
                return inputs

        class OuterLayer(keras.layers.Layer):
            def __init__(self):
                super().__init__()
                self.activity_reg = ActivityRegularizationLayer(1e-2)

            def call(self, inputs):
                return self.activity_reg(inputs)

        layer = OuterLayer()
        assert len(layer.losses) == 0
        layer(ops.zeros((1, 1)))
        assert len(layer.losses) == 1
        layer(ops.zeros((1, 1)))
        assert len(layer.losses) == 1

    def test_regularization_losses(self):
        class OuterLayerWithKernelRegularizer(keras.layers.Layer):
            def __init__(self):
                super().__init__()
                self.dense = keras.layers.Dense(32, kernel_regularizer=keras.regularizers.l2(1e-3))

            def call(self, inputs):
                return self.dense(inputs)

        layer = OuterLayerWithKernelRegularizer()
        layer(ops.zeros((1, 1)))
        expected = 1e-3 * (layer.dense.kernel.numpy() ** 2).sum()
        assert [float(loss) for loss in layer.losses] == pytest.approx([expected])

    def test_config(self):
        class Linear(keras.layers.Layer):
            def __init__(self, units=32, **kwargs):
                super().__init__(**kwargs)
                self.units = units

            def build(self, input_shape):
                self.w = self.add_weight(shape=(input_shape[-1], self.units))

            def call(self, inputs):
                return ops.matmul(inputs, self.w)

            def get_config(self):
                config = super().get_config()
                config.update({"units": self.units})
                return config

        layer = Linear(64, name="it")
        config = layer.get_config()
        assert config["units"] == 64
        new_layer = Linear.from_config(config)
        assert new_layer.units == 64 and new_layer.name == "it"

    def test_training_argument(self):
        class CustomDropout(keras.layers.Layer):
            def __init__(self, rate, **kwargs):
                super().__init__(**kwargs)
                self.rate = rate
                self.seed_generator = keras.random.SeedGenerator(1337)

            def call(self, inputs, training=None):
                if training:
                    return keras.random.dropout(inputs, rate=self.rate, seed=self.seed_generator)
                return inputs

        layer = CustomDropout(0.5)
        x = ops.ones((20, 20))
        assert (layer(x).numpy() == 1).all()
        assert (layer(x, training=True).numpy() == 0).any()

    def test_variational_autoencoder(self, data):
        class Sampling(layers.Layer):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                self.seed_generator = keras.random.SeedGenerator(1337)

            def call(self, inputs):
                z_mean, z_log_var = inputs
                batch = ops.shape(z_mean)[0]
                dim = ops.shape(z_mean)[1]
                epsilon = keras.random.normal(shape=(batch, dim), seed=self.seed_generator)
                return z_mean + ops.exp(0.5 * z_log_var) * epsilon

        class Encoder(layers.Layer):
            def __init__(self, latent_dim=4, intermediate_dim=8, name="encoder", **kwargs):
                super().__init__(name=name, **kwargs)
                self.dense_proj = layers.Dense(intermediate_dim, activation="relu")
                self.dense_mean = layers.Dense(latent_dim)
                self.dense_log_var = layers.Dense(latent_dim)
                self.sampling = Sampling()

            def call(self, inputs):
                x = self.dense_proj(inputs)
                z_mean = self.dense_mean(x)
                z_log_var = self.dense_log_var(x)
                z = self.sampling((z_mean, z_log_var))
                return z_mean, z_log_var, z

        class Decoder(layers.Layer):
            def __init__(self, original_dim, intermediate_dim=8, name="decoder", **kwargs):
                super().__init__(name=name, **kwargs)
                self.dense_proj = layers.Dense(intermediate_dim, activation="relu")
                self.dense_output = layers.Dense(original_dim, activation="sigmoid")

            def call(self, inputs):
                return self.dense_output(self.dense_proj(inputs))

        class VariationalAutoEncoder(keras.Model):
            def __init__(self, original_dim, name="autoencoder", **kwargs):
                super().__init__(name=name, **kwargs)
                self.original_dim = original_dim
                self.encoder = Encoder()
                self.decoder = Decoder(original_dim)

            def call(self, inputs):
                z_mean, z_log_var, z = self.encoder(inputs)
                reconstructed = self.decoder(z)
                kl_loss = -0.5 * ops.mean(z_log_var - ops.square(z_mean) - ops.exp(z_log_var) + 1)
                self.add_loss(kl_loss)
                return reconstructed

        x, *_ = data
        vae = VariationalAutoEncoder(CLASSES)
        optimizer = keras.optimizers.Adam(learning_rate=1e-2)
        vae.compile(optimizer, loss=keras.losses.MeanSquaredError())
        history = vae.fit(x, x, epochs=2, batch_size=64, verbose=0)
        assert history.history["loss"][1] < history.history["loss"][0]


# --- Customizing what happens in fit() with PyTorch ---


class Regression(keras.Model):
    """Its base is what the guides make of functional inputs and outputs."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(1)

    def call(self, inputs):
        return self.dense(inputs)


class TestOwnTrainStep:
    x = np.random.default_rng(0).random((100, 4), dtype="float32")
    y = np.random.default_rng(1).random((100, 1), dtype="float32")

    def test_a_first_simple_example(self):
        class CustomModel(Regression):
            def train_step(self, data):
                x, y = data
                self.zero_grad()
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred)
                loss.backward()
                trainable_weights = list(self.trainable_weights)
                gradients = [v.value.grad for v in trainable_weights]
                self.optimizer.apply(gradients, trainable_weights)
                for metric in self.metrics:
                    if metric.name == "loss":
                        metric.update_state(loss)
                    else:
                        metric.update_state(y, y_pred)
                return {m.name: m.result() for m in self.metrics}

        results = []
        for kind in (Regression, CustomModel):
            keras.utils.set_random_seed(3)
            model = kind()
            model.compile(optimizer="adam", loss="mse", metrics=["mae"])
            results.append(model.fit(self.x, self.y, epochs=2, verbose=0, shuffle=False).history)
        assert sorted(results[1]) == ["loss", "mae"]
        assert results[1]["mae"] == pytest.approx(results[0]["mae"], rel=1e-4)

    def test_going_lower_level(self):
        class CustomModel(Regression):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                self.loss_tracker = keras.metrics.Mean(name="loss")
                self.mae_metric = keras.metrics.MeanAbsoluteError(name="mae")
                self.loss_fn = keras.losses.MeanSquaredError()

            def train_step(self, data):
                x, y = data
                self.zero_grad()
                y_pred = self(x, training=True)
                loss = self.loss_fn(y, y_pred)
                loss.backward()
                trainable_weights = list(self.trainable_weights)
                gradients = [v.value.grad for v in trainable_weights]
                self.optimizer.apply(gradients, trainable_weights)
                self.loss_tracker.update_state(loss)
                self.mae_metric.update_state(y, y_pred)
                return {
                    "loss": self.loss_tracker.result(),
                    "mae": self.mae_metric.result(),
                }

            @property
            def metrics(self):
                return [self.loss_tracker, self.mae_metric]

        model = CustomModel()
        model.compile(optimizer="adam")  # no loss or metrics here
        history = model.fit(self.x, self.y, batch_size=100, epochs=3, verbose=0)
        assert sorted(history.history) == ["loss", "mae"]
        assert history.history["loss"][2] < history.history["loss"][0]

    def test_metrics_that_are_attributes_start_anew_each_epoch(self):
        class CustomModel(Regression):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                self.count = keras.metrics.Sum(name="count")

            def train_step(self, data):
                self.count.update_state(1.0)
                return {"count": self.count.result()}

        model = CustomModel()
        model.compile(optimizer="adam")
        history = model.fit(self.x, self.y, batch_size=25, epochs=2, verbose=0)
        assert history.history == {"count": [4.0, 4.0]}
        assert [m.name for m in model.metrics] == ["loss", "count"]

    def test_a_model_that_only_holds_others_needs_no_call(self):
        class Pair(keras.Model):
            def __init__(self, first, second):
                super().__init__()
                self.first, self.second = first, second

            def train_step(self, data):
                loss = ops.mean(ops.square(self.second(self.first(data[0])) - data[1]))
                loss.backward()
                self.optimizer.step()
                return {"error": loss}

        first, second = keras.Sequential([layers.Dense(3)]), keras.Sequential([layers.Dense(1)])
        first.build((None, 4)), second.build((None, 3))
        before = first.get_weights()[0]
        model = Pair(first, second)
        model.compile(optimizer="adam")
        assert list(model.fit(self.x, self.y, verbose=0).history) == ["error"]
        assert (first.get_weights()[0] != before).any()

    def test_sample_weights_and_own_test_step(self):
        class CustomModel(Regression):
            def train_step(self, data):
                if len(data) == 3:
                    x, y, sample_weight = data
                else:
                    sample_weight = None
                    x, y = data
                self.zero_grad()
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=sample_weight)
                loss.backward()
                trainable_weights = list(self.trainable_weights)
                gradients = [v.value.grad for v in trainable_weights]
                self.optimizer.apply(gradients, trainable_weights)
                for metric in self.metrics:
                    if metric.name == "loss":
                        metric.update_state(loss)
                    else:
                        metric.update_state(y, y_pred, sample_weight=sample_weight)
                return {m.name: m.result() for m in self.metrics}

            def test_step(self, data):
                x, y = data
                y_pred = self(x, training=False)
                loss = self.compute_loss(y=y, y_pred=y_pred)
                for metric in self.metrics:
                    if metric.name == "loss":
                        metric.update_state(loss)
                    else:
                        metric.update_state(y, y_pred)
                return {m.name: m.result() for m in self.metrics}

        model = CustomModel()
        model.compile(optimizer="adam", loss="mse", metrics=["mae"])
        sw = np.random.default_rng(0).random((100, 1))
        model.fit(self.x, self.y, sample_weight=sw, epochs=1, verbose=0)
        expected = ((model.predict(self.x, verbose=0) - self.y) ** 2).mean()
        loss, _ = model.evaluate(self.x, self.y, batch_size=100, verbose=0)
        assert loss == pytest.approx(expected, rel=1e-4)


# --- Writing a training loop from scratch ---


def test_training_loop_from_scratch(data):
    x_train, y_train, x_val, y_val = data
    model = keras.Sequential(
        [keras.Input((CLASSES,)), layers.Dense(16, activation="relu"), layers.Dense(CLASSES)]
    )
    optimizer = keras.optimizers.Adam(learning_rate=1e-2)
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    train_acc_metric = keras.metrics.SparseCategoricalAccuracy()
    val_acc_metric = keras.metrics.SparseCategoricalAccuracy()
    train_dataset = keras.data.Dataset(x_train, y_train).shuffle(0).batch(32)
    losses = []
    for _epoch in range(3):
        for inputs, targets in train_dataset:
            logits = model(inputs, training=True)
            loss = loss_fn(targets, logits)
            model.zero_grad()
            trainable_weights = list(model.trainable_weights)
            loss.backward()
            gradients = [v.value.grad for v in trainable_weights]
            with keras.no_grad():
                optimizer.apply(gradients, trainable_weights)
            train_acc_metric.update_state(targets, logits)
            losses.append(float(loss))
        assert 0 <= float(train_acc_metric.result()) <= 1
        train_acc_metric.reset_state()
    val_acc_metric.update_state(y_val, model(x_val, training=False))
    assert float(val_acc_metric.result()) > 0.1
    assert losses[-1] < losses[0]


# --- Saving ---


def test_saving_a_model_with_custom_objects(data, tmp_path):
    x, *_ = data

    @keras.saving.register_keras_serializable(package="guides")
    class Scaled(layers.Layer):
        def __init__(self, factor, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, x):
            return x * self.factor

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    @keras.saving.register_keras_serializable(package="guides", name="custom_fn")
    def custom_fn(x):
        return x**2

    model = keras.Sequential(
        [keras.Input((CLASSES,)), Scaled(2.0), layers.Dense(4, activation=custom_fn)]
    )
    model.compile(optimizer="adam", loss="mse")
    model.fit(x, np.zeros((200, 4)), epochs=1, verbose=0)
    path = tmp_path / "custom_model.keras"
    model.save(path)
    reconstructed = keras.models.load_model(path)
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(reconstructed.predict(x, verbose=0), expected)
    model.save_weights(tmp_path / "my.weights.h5")
    clone = keras.models.clone_model(model)
    clone.load_weights(tmp_path / "my.weights.h5")
    np.testing.assert_allclose(clone.predict(x, verbose=0), expected)


# --- Transfer learning ---


def test_fine_tuning(data):
    x, y, *_ = data
    base = keras.Sequential(
        [keras.Input((CLASSES,)), layers.Dense(16), layers.BatchNormalization()]
    )
    assert len(base.layers[1].non_trainable_weights) == 2
    base.trainable = False
    model = keras.Sequential([base, layers.Dropout(0.2), layers.Dense(CLASSES)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.Adam(), loss, metrics=[keras.metrics.SparseCategoricalAccuracy()]
    )
    before = base.get_weights()
    model.fit(x, y, epochs=1, verbose=0)
    for old, new in zip(before, base.get_weights(), strict=True):
        assert np.array_equal(old, new)  # a frozen BatchNormalization does not move either
    base.trainable = True
    model.compile(keras.optimizers.Adam(1e-5), loss)
    model.fit(x, y, epochs=1, verbose=0)
    assert not np.array_equal(before[0], base.get_weights()[0])


def test_module_names():
    for name in (
        "layers losses metrics optimizers callbacks regularizers constraints initializers "
        "activations ops random utils models datasets saving Sequential Input Model Layer Variable "
        "Loss Metric Optimizer Initializer Regularizer DTypePolicy InputSpec"
    ).split():
        assert hasattr(keras, name), name
    assert keras.optimizers.schedules.CosineDecay
    assert keras.losses.get("mse") and keras.metrics.get("mse")

"""The situations of Keras' guides on saving, with only the imports changed."""

import json
import os

import numpy as np
import pytest

import gpunn as keras
from gpunn import layers, ops
from gpunn.errors import SerializationError
from gpunn.training import files


def same(a, b, x):
    np.testing.assert_array_equal(a.predict(x, verbose=0), b.predict(x, verbose=0))


class Scaling(layers.Layer):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {"factor": self.factor}


def squared(x):
    return x**2


def mean_pred(y_true, y_pred):
    return ops.mean(y_pred)


def test_custom_objects_are_named_at_loading(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1, activation=squared)(Scaling(0.5)(inputs)))
    model.compile("rmsprop", "mse", metrics=[mean_pred])
    x = np.random.default_rng(0).random((8, 4))
    model.fit(x, np.ones((8, 1)), verbose=0)
    path = tmp_path / "custom.keras"
    model.save(path)
    names = {"Scaling": Scaling, "squared": squared, "mean_pred": mean_pred}
    loaded = keras.models.load_model(path, custom_objects=names)
    same(model, loaded, x)
    assert loaded.evaluate(x, np.ones((8, 1)), verbose=0, return_dict=True).keys() == {
        "loss",
        "mean_pred",
    }
    with keras.saving.custom_object_scope(names):
        with keras.saving.custom_object_scope(None):
            same(model, keras.models.load_model(path), x)
    with pytest.raises(SerializationError, match="'Scaling' is not known"):
        keras.models.load_model(path)
    del names["mean_pred"]
    with pytest.raises(SerializationError, match="'mean_pred' is not known") as error:
        keras.models.load_model(path, custom_objects=names)
    assert "compile=False" in error.value.__notes__[0]
    same(model, keras.models.load_model(path, custom_objects=names, compile=False), x)


@keras.saving.register_keras_serializable(package="saving_guide")
class WithVariables(layers.Dense):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        values = np.random.default_rng(1).random(units)
        self.extra = keras.Variable(values, name="extra", dtype="float32")

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["variables"] = self.extra.numpy() + 1

    def load_own_variables(self, store):
        for i, v in enumerate(self.weights):
            v.assign(store[f"{i}"])
        self.extra.assign(store["variables"])

    def call(self, inputs):
        return super().call(inputs) + self.extra


@pytest.mark.parametrize("whole", [True, False])
def test_own_variables(tmp_path, whole):
    model = keras.Sequential([keras.Input((10,)), WithVariables(1), layers.Dense(2)])
    path = tmp_path / "own.weights.h5"
    if whole:
        model.save(path)
        other = keras.models.load_model(path)
    else:
        model.save_weights(path)
        other = keras.models.clone_model(model)
        other.load_weights(path)
    first, second = model.layers[0], other.layers[0]
    np.testing.assert_array_equal(second.extra.numpy(), first.extra.numpy() + 1)
    np.testing.assert_array_equal(second.kernel.numpy(), first.kernel.numpy())
    np.testing.assert_array_equal(other.layers[1].kernel.numpy(), model.layers[1].kernel.numpy())


@keras.saving.register_keras_serializable(package="saving_guide")
class WithAssets(layers.Dense):
    def __init__(self, vocab=None, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.vocab = vocab

    def save_assets(self, inner_path):
        os.mkdir(os.path.join(inner_path, "words"))
        with open(os.path.join(inner_path, "words", "vocabulary.txt"), "w") as f:
            f.write(self.vocab)

    def load_assets(self, inner_path):
        with open(os.path.join(inner_path, "words", "vocabulary.txt")) as f:
            self.vocab = f.read().replace("<unk>", "little")


def test_assets(tmp_path):
    model = keras.Sequential([WithAssets(vocab="Mary had a <unk> lamb.", units=5)])
    x = np.ones((3, 4))
    model(x)
    model.save(tmp_path / "assets.keras")
    restored = keras.models.load_model(tmp_path / "assets.keras")
    assert restored.layers[0].vocab == "Mary had a little lamb."
    same(model, restored, x)


def test_assets_stay_in_their_folder(tmp_path):
    model = keras.Sequential([keras.Input((4,)), WithAssets(vocab="x", units=5)])
    path, outside = tmp_path / "evil.keras", tmp_path / "outside.txt"
    model.save(path)
    tensors, header = files.read(path)
    tensors[f"layers.0{files.ASSETS}{outside}"] = np.zeros(3, np.uint8)
    del header["format"]
    files.write(path, tensors, header)
    with pytest.raises(SerializationError, match="no name of an asset"):
        keras.models.load_model(path)
    assert not outside.exists()


@keras.saving.register_keras_serializable(package="saving_guide")
class WithBuild(layers.Layer):
    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b

    def get_config(self):
        return dict(units=self.units, **super().get_config())

    def build(self, input_shape, layer_init):
        super().build(input_shape)
        shape = (input_shape[-1], self.units)
        self.w = self.add_weight(shape=shape, initializer=layer_init, trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer=layer_init, trainable=True)
        self.layer_init = layer_init

    def get_build_config(self):
        build_config = super().get_build_config()
        build_config.update({"layer_init": self.layer_init})
        return build_config

    def build_from_config(self, config):
        self.build(config["input_shape"], config["layer_init"])


@pytest.mark.parametrize("functional", [True, False])
def test_build_config(tmp_path, functional):
    layer = WithBuild(units=16)
    layer.build(input_shape=(8,), layer_init="random_normal")
    x = np.random.default_rng(0).random((16, 8))
    model = keras.Sequential([layer, layers.Dense(1, activation="sigmoid")])
    if functional:
        inputs = keras.Input((8,))
        model = keras.Model(inputs, model.layers[1](layer(inputs)))
    model(x)
    model.save(tmp_path / "build.keras")
    restored = keras.models.load_model(tmp_path / "build.keras")
    assert restored.layers[-2].layer_init == "random_normal"
    same(model, restored, x)


@keras.saving.register_keras_serializable(package="saving_guide")
def small_square_sum_loss(y_true, y_pred):
    return ops.sum(ops.square(y_pred - y_true) / 10.0, axis=1)


@keras.saving.register_keras_serializable(package="saving_guide")
class WithCompile(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense1 = layers.Dense(8, activation="relu")
        self.dense2 = layers.Dense(4, activation="softmax")

    def call(self, inputs):
        return self.dense2(self.dense1(inputs))

    def compile(self, optimizer, loss_fn, metrics):
        super().compile(optimizer=optimizer, loss=loss_fn, metrics=metrics)
        self.model_optimizer = optimizer
        self.loss_fn = loss_fn
        self.loss_metrics = metrics

    def get_compile_config(self):
        return {
            "model_optimizer": self.model_optimizer,
            "loss_fn": self.loss_fn,
            "metric": self.loss_metrics,
        }

    def compile_from_config(self, config):
        optimizer = keras.utils.deserialize_keras_object(config["model_optimizer"])
        loss_fn = keras.utils.deserialize_keras_object(config["loss_fn"])
        metrics = keras.utils.deserialize_keras_object(config["metric"])
        self.compile(optimizer=optimizer, loss_fn=loss_fn, metrics=metrics)


def test_compile_config(tmp_path):
    model = WithCompile()
    model.compile(optimizer="SGD", loss_fn=small_square_sum_loss, metrics=["accuracy"])
    x, y = np.random.default_rng(0).random((4, 8)), np.eye(4)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "compile.keras")
    restored = keras.models.load_model(tmp_path / "compile.keras")
    assert restored.model_optimizer == "SGD"
    assert restored.loss_fn is small_square_sum_loss
    assert restored.loss_metrics == ["accuracy"]
    same(model, restored, x)


def test_how_steps_are_done_is_saved(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.compile("adam", "mse", run_eagerly=True, jit_compile=False)
    model.save(tmp_path / "m.keras")
    config = keras.models.load_model(tmp_path / "m.keras").get_compile_config()
    assert config["run_eagerly"] is True and config["jit_compile"] is False


def test_weights_that_do_not_fit_are_left_out(tmp_path):
    def net(units):
        return keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(units)])

    pretrained, model = net(2), net(5)
    before = model.layers[1].get_weights()
    pretrained.save_weights(tmp_path / "p.weights.h5")
    with pytest.raises(SerializationError, match=r"layers\.1\.kernel"):
        model.load_weights(tmp_path / "p.weights.h5")
    with pytest.warns(UserWarning, match=r"layers\.1\.kernel"):
        model.load_weights(tmp_path / "p.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(*(m.layers[0].get_weights()[0] for m in (pretrained, model)))
    for old, new in zip(before, model.layers[1].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_get_config_adds_to_the_base_alone():
    class Linear(layers.Layer):
        def __init__(self, units=32, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def get_config(self):
            config = super().get_config()
            assert config.keys() == {"name", "trainable", "dtype"}
            return {**config, "units": self.units}

    class Wide(layers.Dense):
        def __init__(self, units, factor=2, **kwargs):
            super().__init__(units * factor, **kwargs)
            self.factor = factor

        def get_config(self):
            config = super().get_config()
            assert "factor" not in config
            return {**config, "units": config["units"] // self.factor, "factor": self.factor}

    assert Linear.from_config(Linear(3, name="a").get_config()).units == 3
    wide = Wide.from_config(Wide(3, 4, name="b").get_config())
    assert (wide.units, wide.factor, wide.name) == (12, 4, "b")


def test_weights_go_from_a_sequential_to_a_functional_model_and_back(tmp_path):
    stack = [layers.Dense(4), layers.Dropout(0.5), layers.Dense(2)]
    sequential = keras.Sequential([keras.Input((3,)), *stack])
    inputs = x = keras.Input((3,))
    for units in (4, 2):
        x = layers.Dense(units)(x if units == 4 else layers.Dropout(0.5)(x))
    functional = keras.Model(inputs, x)
    assert [type(x).__name__ for x in functional.layers][:2] == ["InputLayer", "Dense"]
    data = np.random.default_rng(0).random((5, 3))
    sequential.save_weights(tmp_path / "a.weights.h5")
    functional.load_weights(tmp_path / "a.weights.h5")
    same(sequential, functional, data)
    functional.layers[1].kernel.assign(np.ones((3, 4)))
    functional.save_weights(tmp_path / "b.weights.h5")
    sequential.load_weights(tmp_path / "b.weights.h5")
    same(sequential, functional, data)


def test_what_a_layer_holds_is_serialized_with_it():
    """get_config may give objects; serialize makes JSON of them, and from_config objects again."""

    class Holder(layers.Layer):
        def __init__(self, units, inner=None, initializer=None, **kwargs):
            super().__init__(**kwargs)
            self.units, self.inner, self.initializer = units, inner, initializer

        def get_config(self):
            own = {"units": self.units, "inner": self.inner, "initializer": self.initializer}
            return {**super().get_config(), **own}

        @classmethod
        def from_config(cls, config):
            for name in ("inner", "initializer"):
                config[name] = keras.saving.deserialize_keras_object(config[name])
            return cls(**config)

    inner = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    layer = Holder(4, inner, keras.initializers.RandomNormal(stddev=0.5))
    config = json.loads(json.dumps(keras.layers.serialize(layer)))
    again = keras.layers.deserialize(config, custom_objects={"Holder": Holder})
    assert again.units == 4 and again.inner.count_params() == 9
    assert again.initializer.stddev == 0.5
    regularizer = keras.regularizers.serialize(keras.regularizers.L1(0.25))
    assert regularizer["config"] == {"l1": 0.25}


def test_what_is_registered_is_serialized_without_a_module():
    class Own(layers.Layer):
        pass

    @keras.saving.register_keras_serializable("guides", "Named")
    class Registered(layers.Layer):
        def __init__(self, inner=None, **kwargs):
            super().__init__(**kwargs)
            self.inner = inner

        def get_config(self):
            return {**super().get_config(), "inner": self.inner}

    config = keras.layers.serialize(Registered(Registered()))
    inner = config["config"]["inner"]
    for found in (config, inner):
        assert found["module"] is None and found["class_name"] == "Registered"
        assert found["registered_name"] == "guides>Named"
    assert isinstance(keras.layers.deserialize(config), Registered)
    assert keras.layers.serialize(Own())["module"] == __name__
    assert keras.layers.serialize(layers.Dense(1))["module"] == "gpunn.layers"


def test_a_factor_of_its_own_for_each_of_several_outputs(device):
    class Scaled(keras.layers.Dense):
        def __init__(self, units, **kwargs):
            super().__init__(units, **kwargs)
            self.factors = keras.Variable(np.arange(10.0), dtype="float32")

        def call(self, inputs):
            return super().call(inputs) * self.factors

    model = keras.Sequential([Scaled(1)])
    model.compile(optimizer="adam", loss="mean_squared_error")
    rng = np.random.default_rng(0)
    x, y = rng.random((8, 10)), rng.random(8)
    with pytest.warns(UserWarning, match="each of the 10 outputs"):
        history = model.fit(x, y, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    with pytest.warns(UserWarning, match="each of the 10 outputs"):
        loss = model.evaluate(x, y, verbose=0)
    errors = (model.predict(x, verbose=0) - y[:, None]) ** 2
    assert loss == pytest.approx(errors.mean(), rel=1e-4)

"""Symbolic tensors, and models made of them."""

import copy
import json
import pickle

import numpy as np
import pytest

import gpunn
from gpunn import layers, ops
from gpunn.errors import ArgumentError, ArgumentTypeError, NotSupportedError, SerializationError
from tests.harness import assert_close

X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


def chain(units=3, **options):
    inputs = gpunn.Input((4,), **options)
    return gpunn.Model(inputs, layers.Dense(units)(layers.Dense(5, activation="relu")(inputs)))


class TestSymbolicTensors:
    x = gpunn.Input((4,), name="x")

    def test_is_like_a_tensor_without_values(self):
        t = gpunn.KerasTensor((None, 2), "int32", name="t")
        assert (t.shape, t.dtype, t.ndim, t.name) == ((None, 2), "int32", 2, "t")
        assert repr(t) == "<KerasTensor shape=(None, 2), dtype=int32, name=t>"
        assert t == t and t != None and t in [t]  # noqa: E711
        assert gpunn.utils.is_keras_tensor(t) and not ops.is_tensor(t)
        assert ops.shape(t) == (None, 2) and ops.ndim(t) == 2 and ops.dtype(t) == "int32"

    @pytest.mark.parametrize(
        "function",
        [
            lambda x: x + 1, lambda x: 2 - x, lambda x: x * x / 3, lambda x: -x, lambda x: x**2,
            lambda x: abs(x) // 2, lambda x: x % 2, lambda x: (x > 0) & (x < 1), lambda x: x != 0,
            lambda x: x @ np.ones((4, 2), "float32"), lambda x: np.ones(4, "float32") * x,
            lambda x: x[:, 1], lambda x: x[..., None, ::2], lambda x: x[:, [0, 2]], lambda x: x.T,
            lambda x: x.mean(axis=1), lambda x: x.sum(), lambda x: x.reshape((-1, 2)),
            lambda x: x.reshape(-1, 2, 2), lambda x: x.astype("int32"), lambda x: round(x),
            lambda x: ops.softmax(x), lambda x: ops.concatenate([x, x], axis=1),
            lambda x: ops.split(x, 2, axis=1)[1], lambda x: ops.where(x > 0, x, 0.0),
            lambda x: ops.stack([x, x], axis=1), lambda x: ops.linalg.norm(x, axis=1),
            lambda x: ops.einsum("bi,bj->bij", x, x), lambda x: ops.top_k(x, k=2)[0],
            lambda x: ops.cast(x, "float64"), lambda x: ops.reshape(x, (-1, 8))[:, 0],
            lambda x: gpunn.activations.gelu(x), lambda x: ops.expand_dims(x, 1),
        ],
    )  # fmt: skip
    def test_every_operator_gives_what_it_gives_of_values(self, function, device):
        symbolic = function(self.x)
        expected = function(gpunn.Tensor(X))
        assert len(symbolic.shape) == expected.ndim and symbolic.dtype == expected.dtype
        for n, m in zip(symbolic.shape, expected.shape, strict=True):
            assert n in (m, None)
        model = gpunn.Model(self.x, symbolic)
        np.testing.assert_array_equal(model(gpunn.Tensor(X)).numpy(), expected.numpy())
        again = gpunn.models.model_from_json(model.to_json())
        np.testing.assert_array_equal(again(gpunn.Tensor(X)).numpy(), expected.numpy())

    @pytest.mark.parametrize(
        "use",
        [bool, int, float, len, list, np.asarray, np.sort, lambda x: 1 in x, lambda x: x.numpy()],
    )
    def test_has_no_values(self, use):
        with pytest.raises(TypeError):
            use(self.x)

    def test_what_does_not_fit_names_the_op_and_the_shapes(self):
        with pytest.raises(ValueError, match="matmul") as error:
            ops.matmul(self.x, self.x)
        assert "(None, 4), (None, 4)" in error.value.__notes__[0]

    def test_an_op_of_ones_own(self, device):
        @gpunn.register_serializable("functional")
        @gpunn.primitive
        def cube(be, x, /):
            return x * x * x, lambda dy, needs: (3 * x * x * dy,)

        model = gpunn.Model(self.x, cube(self.x))
        np.testing.assert_array_equal(model.predict(X), X * X * X)
        again = gpunn.models.model_from_json(model.to_json())
        np.testing.assert_array_equal(again.predict(X), X * X * X)
        trained = gpunn.Model(self.x, layers.Dense(1)(cube(self.x)))
        trained.compile("sgd", "mse")
        trained.fit(X, X[:, :1], epochs=4, batch_size=6, verbose=0)
        assert trained._captured.refused is None and trained._captured._steps


class TestLayers:
    def test_a_layer_knows_what_it_was_called_on(self):
        x = gpunn.Input((4,))
        layer = layers.Dense(3)
        with pytest.raises(RuntimeError, match="not called on an Input"):
            layer.output  # noqa: B018
        y = layer(x)
        assert layer.built and layer.input is x and layer.output is y and y.shape == (None, 3)
        assert layer.get_build_config() == {"input_shape": (None, 4)}
        twin = layers.Dense(3)
        twin.build_from_config(layer.get_build_config())
        assert twin.built and twin.kernel.shape == (4, 3)

    def test_wrong_shapes_name_the_layer(self):
        layer = layers.Dense(3, name="narrow")
        layer(gpunn.Input((4,)))
        with pytest.raises(ValueError, match="narrow"):
            layer(gpunn.Input((5,)))
        with pytest.raises(ValueError, match="joined"):
            layers.Concatenate(name="joined", axis=1)([gpunn.Input((4, 2)), gpunn.Input((4, 3))])

    def test_own_layers_need_no_rule_for_shapes(self):
        class Pair(layers.Layer):
            def build(self, first_shape, second_shape):
                self.w = self.add_weight((first_shape[-1], second_shape[-1]), "ones", name="w")

            def call(self, first, second, training=False):
                return {"product": first @ self.w + second, "mean": ops.mean(first, axis=1)}

        pair = Pair()
        y = pair(gpunn.Input((4,)), second=gpunn.Input((3,)))
        assert y["product"].shape == (None, 3) and y["mean"].shape == (None,)
        assert pair.w.shape == (4, 3) and not pair.losses

    def test_own_compute_output_spec(self):
        class Rounded(layers.Layer):
            def call(self, x):
                return ops.cast(x, "int32")

            def compute_output_spec(self, x):
                return gpunn.KerasTensor(x.shape, "int32")

        assert Rounded()(gpunn.Input((4,))).dtype == "int32"

    def test_integers_stay_what_they_are(self):
        x = gpunn.Input((2, 3), dtype="int32")
        assert layers.Flatten()(x).dtype == "int32"
        assert layers.Embedding(5, 2)(x).dtype == "float32"


class TestStructures:
    def test_inputs_by_name_in_a_list_and_alone(self):
        a, b = gpunn.Input((4,), name="a"), gpunn.Input((4,), name="b")
        model = gpunn.Model([a, b], a - b)
        expected = X - 2 * X
        for given in ([X, 2 * X], (X, 2 * X), {"b": 2 * X, "a": X, "unused": X}):
            np.testing.assert_allclose(model.predict(given), expected)
        alone = gpunn.Model(a, a * 2)
        np.testing.assert_allclose(alone.predict({"a": X}), 2 * X)
        np.testing.assert_allclose(alone([X]).numpy(), 2 * X)
        with pytest.raises(ValueError, match="'b' is missing"):
            model({"a": X})
        with pytest.raises(ValueError, match="2 inputs"):
            model(X)
        with pytest.raises(ValueError, match=r"input 'b' .*\(None, 4\).*\(6, 3\)"):
            model([X, X[:, :3]])

    def test_nested_inputs_and_outputs(self):
        a, b, c = (gpunn.Input((4,), name=n) for n in "abc")
        model = gpunn.Model([a, {"b": b, "c": c}], {"sum": a + b, "both": (c, [a])})
        y = model([X, {"b": X, "c": 3 * X}])
        assert sorted(y) == ["both", "sum"] and isinstance(y["both"], tuple)
        np.testing.assert_allclose(y["sum"].numpy(), 2 * X)
        np.testing.assert_allclose(y["both"][0].numpy(), 3 * X)
        np.testing.assert_allclose(y["both"][1][0].numpy(), X)
        again = gpunn.models.clone_model(model)
        assert [x.name for x in again.inputs] == ["a", "b", "c"]

    def test_dtype_and_rank_of_inputs_are_adapted(self):
        model = gpunn.Model(x := gpunn.Input((1,)), x * 1.0)
        assert model(np.ones(5)).shape == (5, 1)
        assert model(np.ones((5, 1), "int64")).dtype == "float32"
        flat = gpunn.Model(x := gpunn.Input(()), x * 1.0)
        assert flat(np.ones((5, 1))).shape == (5,)

    def test_names(self):
        gpunn.clear_session()
        model = chain()
        assert model.name == "functional" and type(model).__name__ == "Functional"
        assert model.input_names == ["input_layer"]
        assert chain().name == "functional_1"
        assert model.get_layer(index=0).name == "input_layer"
        assert model.get_layer("dense") is not model.get_layer("dense_1")
        with pytest.raises(ValueError, match="did you mean 'dense'"):
            model.get_layer("dens")


class TestGraphs:
    def test_intermediate_outputs(self):
        model = chain()
        features = gpunn.Model(model.inputs, [layer.output for layer in model.layers])
        assert [y.shape for y in features(X)] == [(6, 4), (6, 5), (6, 3)]
        sequential = gpunn.Sequential([gpunn.Input((4,)), layers.Dense(3), layers.Dense(2)])
        features = gpunn.Model(sequential.inputs, sequential.layers[0].output)
        np.testing.assert_array_equal(features(X).numpy(), sequential.layers[0](X).numpy())
        assert sequential.outputs[0] is sequential.layers[-1].output

    def test_sequential_on_a_symbolic_tensor_and_grown_later(self):
        sequential = gpunn.Sequential([layers.Dense(3)])
        with pytest.raises(RuntimeError, match="input's shape"):
            sequential.output  # noqa: B018
        y = sequential(gpunn.Input((4,)))
        assert y.shape == (None, 3) and sequential.output_shape == (None, 3)
        sequential.add(layers.Dense(2))
        assert sequential.output_shape == (None, 2) and sequential.predict(X).shape == (6, 2)
        sequential.pop()
        assert sequential.output_shape == (None, 3)

    def test_layers_are_shared(self):
        model = chain()
        tail = gpunn.Model(model.layers[1].output, model.output)
        assert tail.layers[-1] is model.layers[-1]
        middle = gpunn.Model(model.input, model.layers[1].output)
        np.testing.assert_array_equal(tail(middle(X)).numpy(), model(X).numpy())

    def test_a_model_on_another_shape(self):
        inputs = gpunn.Input((None, 3))
        model = gpunn.Model(inputs, layers.LSTM(2, return_sequences=True)(inputs) * 2)
        assert model(gpunn.Input((7, 3))).shape == (None, 7, 2)
        assert model.compute_output_shape((5, 7, 3)) == (5, 7, 2)

    def test_what_a_layer_makes_of_values_is_a_constant(self, device):
        column = layers.Embedding(4, 2)(ops.arange(4))  # as an embedding of positions
        x = inputs = gpunn.Input((4,))
        x = layers.Dense(2)(ops.expand_dims(x, -1) + column)
        model = gpunn.Model(inputs, ops.sum(x, axis=(1, 2)))
        model.compile(loss="mse")
        model.fit(X, X[:, 0], epochs=3, batch_size=2, verbose=0)
        assert model.count_params() == 6
        assert_close(model.predict(X[:2]), model(X[:2]))

    def test_very_deep_graphs(self):
        x = inputs = gpunn.Input((4,))
        for _ in range(1100):
            x = x + 1
        model = gpunn.Model(inputs, layers.Dense(2)(x))
        expected = model.predict(X)
        for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            np.testing.assert_array_equal(twin.predict(X), expected)
            assert twin.layers[1].output.shape == (None, 2)

    def test_results_on_the_way_are_let_go(self):
        import weakref

        seen = []

        class Watch(layers.Layer):
            def call(self, x):
                alive = [ref for ref in seen if ref() is not None]
                y = x * 1
                seen.append(weakref.ref(y))
                self.alive = len(alive)
                return y

        watches = [Watch() for _ in range(6)]
        x = inputs = gpunn.Input((4,))
        for watch in watches:
            x = watch(x)
        model = gpunn.Model(inputs, x)
        seen.clear()
        with gpunn.no_grad():
            model(X)
        assert max(watch.alive for watch in watches) <= 2

    def test_errors_name_the_layer(self):
        a, b = gpunn.Input((4,), name="a"), gpunn.Input((4,), name="b")
        y = layers.Add(name="sum")([a, b])
        with pytest.raises(ArgumentError, match=r"layer 'sum' needs the Input 'b'.*inputs: 'a'"):
            gpunn.Model(a, y)
        with pytest.raises(ArgumentTypeError, match="the layer 'd' itself"):
            gpunn.Model(a, layers.Dense(2, name="d"))
        with pytest.raises(ArgumentTypeError, match="an input of model"):
            gpunn.Model(np.ones((2, 4)), y)
        with pytest.raises(ArgumentError, match="both inputs and outputs"):
            gpunn.Model(inputs=a)
        x = layers.Dense(2, name="twin")(a)
        with pytest.raises(ArgumentError, match="2 layers named 'twin'"):
            gpunn.Model(a, layers.Dense(2, name="twin")(x))
        with pytest.raises(ArgumentError, match="disconnected"):
            gpunn.Model(a, gpunn.KerasTensor((None, 4)))

    def test_broken_configs(self):
        config = json.loads(chain().to_json())
        del config["config"]["layers"][1]
        with pytest.raises(SerializationError, match="in the air: dense"):
            gpunn.models.model_from_json(json.dumps(config))
        with pytest.raises(SerializationError, match="JSON"):
            gpunn.models.model_from_json("{")

    def test_export_and_missing_call(self, tmp_path):
        with pytest.raises(NotSupportedError, match="save"):
            chain().export(tmp_path / "m")
        with pytest.raises(NotImplementedError, match="call"):
            gpunn.Model()(X)


@gpunn.register_serializable("functional")
class Halved(gpunn.Model):
    """A graph with a loss of its own."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return super().compute_loss(x, y, y_pred, sample_weight) / 2


@gpunn.register_serializable("functional")
class Wide(gpunn.Model):
    """Makes its graph of its own arguments, and has a layer beside it."""

    def __init__(self, units, **kwargs):
        inputs = gpunn.Input((4,))
        x = layers.Dense(units, activation="relu")(inputs)
        super().__init__(inputs=inputs, outputs=layers.Dense(1)(x), **kwargs)
        self.beside = layers.Dense(2)
        self.beside.build((None, 4))


class TestSubclasses:
    def test_a_class_of_ones_own_for_a_graph(self, tmp_path, device):
        inputs = gpunn.Input((4,))
        model = Halved(inputs, layers.Dense(1)(inputs), name="h")
        assert type(model) is Halved and model.name == "h" and isinstance(model, gpunn.Model)
        model.compile("sgd", "mse")
        y = X[:, :1]
        loss = model.evaluate(X, y, verbose=0)
        assert loss == pytest.approx(((model.predict(X) - y) ** 2).mean() / 2, rel=1e-5)
        model.save(tmp_path / "m.gpunn")
        again = gpunn.load_model(tmp_path / "m.gpunn")
        assert type(again) is Halved and again.evaluate(X, y, verbose=0) == loss
        assert type(gpunn.models.clone_model(model)) is Halved

    def test_a_constructor_that_makes_the_graph(self, tmp_path, device):
        model = Wide(5, name="w")
        assert model.get_config()["units"] == 5 and len(model.weights) == 6
        assert model.layers[-1] is model.beside
        model.save(tmp_path / "m.gpunn")
        for twin in (gpunn.load_model(tmp_path / "m.gpunn"), copy.deepcopy(model)):
            np.testing.assert_array_equal(twin.predict(X), model.predict(X))
            assert len(twin.weights) == 6 and twin.get_config() == model.get_config()

    def test_a_subclass_without_a_graph_has_the_config_of_its_constructor(self):
        class Plain(gpunn.Model):
            def __init__(self, units, **kwargs):
                super().__init__(**kwargs)
                self.units = units

        config = Plain(3, name="p").get_config()
        assert config == {"units": 3, "name": "p", "trainable": True, "dtype": "float32"}
        assert Plain.from_config(config).units == 3

    def test_cloning_with_functions(self):
        model = chain()

        def widened(layer):
            config = layer.get_config()
            return type(layer).from_config({**config, "name": f"new_{layer.name}"})

        def with_noise(layer, *args, **kwargs):
            y = layer(*args, **kwargs)
            return layers.GaussianNoise(0.1)(y) if isinstance(layer, layers.Dense) else y

        clone = gpunn.models.clone_model(model, clone_function=widened, call_function=with_noise)
        names = [layer.name for layer in clone.layers if isinstance(layer, layers.Dense)]
        assert len(clone.layers) == 5 and all(name.startswith("new_") for name in names)
        clone.set_weights(model.get_weights())
        np.testing.assert_array_equal(clone.predict(X), model.predict(X))
        shared = gpunn.models.clone_model(model, clone_function=lambda layer: layer)
        assert shared.weights[0] is model.weights[0]
        on = gpunn.Input((4,), name="given")
        assert gpunn.models.clone_model(model, input_tensors=on).inputs[0] is on
        inner = gpunn.Sequential([gpunn.Input((4,)), layers.Dense(2, name="inside")])
        outer = gpunn.Model(on, inner(on))
        deep = gpunn.models.clone_model(outer, clone_function=widened, recursive=True)
        assert deep.layers[1].layers[0].name == "new_inside"
        with pytest.raises(ArgumentError, match="Sequential"):
            gpunn.models.clone_model(inner, call_function=with_noise)

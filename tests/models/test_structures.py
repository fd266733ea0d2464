"""Nested inputs and outputs, and what a model tells of itself."""

import json
from collections import namedtuple

import numpy as np
import pytest

import gpunn
from gpunn.errors import ArgumentError, SerializationError


def test_a_dict_with_more_entries_or_a_list_for_a_dict_warns():
    a, b = gpunn.Input((2,), name="a"), gpunn.Input((2,), name="b")
    model = gpunn.Model({"a": a, "b": b}, a + b)
    x = np.ones((3, 2), "float32")
    for given in ({"a": x, "b": x, "c": x}, [x, x]):
        with pytest.warns(UserWarning, match="structure of `inputs`"):
            assert model(given).shape == (3, 2)


def test_tuples_of_outputs_survive_a_config():
    x = gpunn.Input((2,))
    model = gpunn.Model(x, (gpunn.layers.Dense(1)(x), [x]))
    again = gpunn.Model.from_config(json.loads(json.dumps(model.get_config())))
    y = again(np.ones((3, 2), "float32"))
    assert isinstance(y, tuple) and isinstance(y[1], list)


def test_operations_are_layers_and_ops():
    x = gpunn.Input((2,))
    model = gpunn.Model(x, gpunn.layers.Dense(1, name="last")(x * 2))
    assert [type(o).__name__ for o in model.operations] == ["InputLayer", "Operation", "Dense"]
    with pytest.raises(ArgumentError, match="nested like"):
        gpunn.models.clone_model(gpunn.Model({"x": x}, x * 2), input_tensors=[x])


def test_optional_inputs_named_tuples_and_nothing_at_all_as_data():
    Pair = namedtuple("Pair", "one two")
    a, b = gpunn.Input((2,), name="a"), gpunn.Input((2,), name="b", optional=True)

    class First(gpunn.layers.Layer):
        def call(self, x, y=None):
            return x if y is None else x + y

    model = gpunn.Model({"a": a, "b": b}, gpunn.layers.Dense(1)(First()(a, b)))
    model.compile("sgd", "mse")
    x, y = np.ones((3, 2), "float32"), np.ones((3, 1), "float32")
    assert np.isfinite(model.fit({"a": x, "b": None}, y, verbose=0).history["loss"])
    assert model.predict({"a": x, "b": None}, verbose=0).shape == (3, 1)
    out = gpunn.Model(a, Pair(gpunn.layers.Dense(1)(a), a))
    out.compile("sgd", "mse")
    out.fit(x, Pair(y, x), verbose=0)
    assert type(out.predict(x, verbose=0)) is Pair
    with pytest.raises(ValueError, match="no array"):
        out.fit([None], Pair(y, x), verbose=0)


def test_a_sequential_after_a_model_knows_its_input(device):
    with gpunn.device(device):
        x = gpunn.Input((4,))
        first = gpunn.Model(x, gpunn.layers.Dense(3)(x))
        for start in (first, gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(3)])):
            model = gpunn.Sequential([start, gpunn.layers.Dense(2)])
            assert model.built and model.input_shape == (None, 4)
            assert model(np.ones((5, 4), "float32")).shape == (5, 2)
    empty = gpunn.Sequential()
    assert not hasattr(empty, "input_shape") and not hasattr(empty, "outputs")


def test_a_sequential_of_nested_inputs_and_of_layers_that_tell_no_shapes():
    class Swap(gpunn.layers.Layer):
        def call(self, inputs):
            return {"a": inputs["b"], "b": inputs["a"]}

    class Unknown(gpunn.layers.Layer):
        def call(self, inputs):
            return inputs + 1.0

        def compute_output_spec(self, *args, **kwargs):
            raise NotImplementedError

    given = {"a": np.ones((3, 2), "float32"), "b": np.zeros((3, 2), "float32")}
    assert gpunn.Sequential([Swap()])(given)["a"].numpy().sum() == 0
    model = gpunn.Sequential([Unknown(), gpunn.layers.Dense(1)])
    assert model(given["a"]).shape == (3, 1) and not hasattr(model, "input")
    model.summary(print_fn=lambda text: None)


def test_state_trees(device):
    with gpunn.device(device):
        layers = [gpunn.Input((2,)), gpunn.layers.Dense(1, name="out")]
        model = gpunn.Sequential(layers, name="net")
        model.compile("adam", "mse")
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
        tree = model.get_state_tree(value_format="numpy_array")
        assert (tree["trainable_variables"]["net"]["out"]["kernel"] == model.get_weights()[0]).all()
        assert tree["non_trainable_variables"] == {}
        assert tree["optimizer_variables"]["adam"]["iteration"] == 1
        assert tree["metrics_variables"]["loss"]["count"] == 4
        other = gpunn.models.clone_model(model)
        other.fit(np.zeros((4, 2)), np.zeros((4, 1)), verbose=0)
        other.set_state_tree(tree)
        for x, y in (np.ones((4, 2)), np.ones((4, 1))), (np.eye(2), np.ones((2, 1))):
            one, two = (m.train_on_batch(x, y) for m in (model, other))
            assert one == pytest.approx(two, rel=1e-6)
    with pytest.raises(ArgumentError, match="path in trainable_variables"):
        model.set_state_tree({"trainable_variables": {"in": {"kernel": [[1.0]]}}})
    twice = gpunn.Sequential([gpunn.layers.Dense(1), gpunn.layers.Dense(1)])
    twice.build((None, 2))
    twice.layers[0].kernel.path = twice.layers[1].kernel.path
    with pytest.raises(SerializationError, match="two variables"):
        twice.get_state_tree()


# What subclasses of Keras' users call things of their own.
OWN_NAMES = (
    "_loss _graph _batch _train _test _predict _fit _prepare _source _sources _stream _cast _held "
    "_step _build _call _encode _decode _forward _model _state _name _mask _shape _dtype _config "
    "_inputs _outputs _init _data _history _loss_fn _optimizer _metrics _weights _kernel _layer "
    "encode decode sample generate step state graph batch stream source encoder decoder backbone"
).split()


@pytest.mark.parametrize("name", OWN_NAMES)
@pytest.mark.parametrize("as_method", [False, True])
def test_names_that_subclasses_may_use(name, as_method):
    def of_its_own(self, *args, **kwargs):
        raise AssertionError("what belongs to the user was called")

    def dense_in(base):
        class Own(base):
            def __init__(self):
                super().__init__()
                self.dense = gpunn.layers.Dense(2)
                if not as_method:
                    setattr(self, name, {"a": 1})

            def call(self, x):
                return self.dense(x)

        if as_method:
            setattr(Own, name, of_its_own)
        return Own()

    x, y = np.ones((8, 3), "float32"), np.zeros((8, 2), "float32")
    inputs = gpunn.Input((3,))
    layer = dense_in(gpunn.layers.Layer)
    for model in (dense_in(gpunn.Model), gpunn.Model(inputs, layer(inputs))):
        model.compile("adam", "mse", metrics=["mae"])
        model.fit(x, y, epochs=2, batch_size=4, validation_data=(x, y), verbose=0)
        model.train_on_batch(x, y)
        model.evaluate(x, y, verbose=0)
        model.predict(x, verbose=0)
        assert len(model.get_weights()) == 2

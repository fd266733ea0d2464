"""The Layer base: weights, nesting, calls, losses, configs, and its errors."""

import copy

import numpy as np
import pytest

import gpunn
from gpunn import layers, ops
from gpunn.errors import ArgumentError, ArgumentTypeError, DTypeError, NotBuiltError, ShapeError
from tests.harness import assert_close, rand


class Linear(layers.Layer):
    """In the style of Keras' guide."""

    def __init__(self, units=2, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(
            shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True
        )
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b


class Block(layers.Layer):
    """Layers in an attribute, a list and a dict, one of them twice."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(3)
        self.middle = [layers.Dense(3, name="a"), layers.Dropout(0.5)]
        self.ends = {"out": layers.Dense(2), "again": self.first}
        self.scale = gpunn.Variable([1.0], name="scale")
        self.seen = gpunn.Variable([0.0], name="seen", trainable=False)

    def call(self, inputs):
        x = self.first(inputs)
        for layer in self.middle:
            x = layer(x)
        return self.ends["out"](self.ends["again"](x)) * self.scale


class Doubled(layers.Layer):
    def call(self, inputs):
        return inputs * 2


class Flag(layers.Layer):
    """Says what it was told about training."""

    def call(self, inputs, training=None):
        self.told = training
        return inputs


class Outer(layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner = Flag()

    def call(self, inputs):
        return self.inner(inputs)


def test_a_custom_layer(device):
    layer = Linear(4)
    x = rand(3, 5).astype("float32")
    y = layer(x)
    assert y.shape == (3, 4) and layer.built and layer.name.startswith("linear")
    assert [w.shape for w in layer.weights] == [(5, 4), (4,)]
    assert [w.path for w in layer.weights] == [f"{layer.name}/variable", f"{layer.name}/variable_1"]
    assert list(layer.named_weights()) == ["w", "b"]
    assert_close(y, x @ layer.w.numpy() + layer.b.numpy())
    y.sum().backward()
    assert_close(layer.b.grad, np.full(4, 3.0))
    assert type(layer.w.array).__module__.split(".")[0] == ("numpy" if device == "cpu" else "cupy")


def test_a_layer_with_only_call():
    assert Doubled()([1.0, 2.0]).numpy().tolist() == [2.0, 4.0]
    assert Doubled().compute_output_shape((None, 3)) == (None, 3)


def test_a_layer_without_call():
    with pytest.raises(NotImplementedError, match="no call"):
        layers.Layer()([1.0])


def test_weights_found_in_lists_and_dicts():
    block = Block()
    block(np.ones((2, 3), "float32"))
    assert list(block.named_weights()) == [
        "scale", "seen", "first.kernel", "first.bias", "middle.0.kernel", "middle.0.bias",
        "ends.out.kernel", "ends.out.bias",
    ]  # fmt: skip
    assert [w.name for w in block.weights][:4] == ["scale", "seen", "kernel", "bias"]
    assert len(block.trainable_weights) == 7 and block.non_trainable_weights == [block.seen]
    assert block.count_params() == 2 + 12 + 12 + 8
    assert block.sublayers() == [block.first, *block.middle, block.ends["out"]]


def test_a_shared_layer_gets_both_gradients():
    class Twice(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, use_bias=False, kernel_initializer="identity")

        def call(self, inputs):
            return self.dense(self.dense(inputs))

    layer = Twice()
    layer(np.ones((1, 2), "float32")).sum().backward()
    assert len(layer.weights) == 1
    assert_close(layer.dense.kernel.grad, np.full((2, 2), 2.0))


def test_weights_come_in_the_order_of_creation():
    layer = layers.Dense(2)
    layer.build((None, 3))
    assert [w.name for w in layer.weights] == ["kernel", "bias"]
    norm = layers.BatchNormalization()
    norm.build((None, 3))
    names = ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [w.name for w in norm.weights] == names and list(norm.named_weights()) == names


def test_unnamed_weights_have_paths_of_their_own():
    class Loose(layers.Layer):
        def build(self, input_shape):
            for _ in range(3):
                self.add_weight(())

        def call(self, inputs):
            return inputs

    layer = Loose()
    layer([1.0])
    assert list(layer.named_weights()) == ["variable", "variable_1", "variable_2"]


def test_trainable_flips_leave_state_alone():
    class Model(layers.Layer):
        def __init__(self):
            super().__init__()
            self.norm = layers.BatchNormalization()
            self.steps = gpunn.Variable([0.0], trainable=False)

        def call(self, inputs):
            return self.norm(inputs)

    model = Model()
    x = np.ones((2, 3), "float32")
    model(x)
    assert len(model.trainable_weights) == 2 and len(model.non_trainable_weights) == 3
    model.trainable = False
    assert not model.trainable_weights and not model.norm.trainable
    assert not model(x, training=True).requires_grad
    assert model.norm.moving_mean.numpy().tolist() == [0, 0, 0]
    model.trainable = True
    assert [w.name for w in model.trainable_weights] == ["gamma", "beta"]
    assert model(x, training=True).requires_grad


def test_frozen_before_it_is_built():
    layer = layers.Dense(2, trainable=False)
    assert not layer(np.ones((1, 3), "float32")).requires_grad
    assert layer.trainable_weights == [] and len(layer.non_trainable_weights) == 2
    layer.trainable = True
    assert len(layer.trainable_weights) == 2


def test_set_weights(device):
    layer = layers.Dense(2)
    layer.build((None, 3))
    new = [rand(3, 2).astype("float32"), rand(2, seed=1).astype("float32")]
    layer.set_weights(new)
    for got, wanted in zip(layer.get_weights(), new, strict=True):
        assert type(got) is np.ndarray and (got == wanted).all()
    with pytest.raises(ShapeError, match=r"kernel: expected \(3, 2\).*bias: expected \(2,\)"):
        layer.set_weights([np.zeros((2, 3)), np.zeros(3)])
    with pytest.raises(ShapeError, match="expected 2 arrays, got 1"):
        layer.set_weights(new[:1])
    assert (layer.kernel.numpy() == new[0]).all()
    with pytest.raises(NotBuiltError, match="no weights yet"):
        layers.Dense(2).set_weights(new)


def test_got_weights_are_copies():
    layer = layers.Dense(2)
    layer.build((None, 3))
    layer.get_weights()[1][:] = 7
    assert layer.bias.numpy().tolist() == [0, 0]


def test_build_is_done_once():
    layer = layers.Dense(2)
    layer.build((None, 3))
    kernel = layer.kernel
    layer.build((None, 3))
    assert layer.kernel is kernel and len(layer.weights) == 2


def test_a_build_that_fails_leaves_nothing():
    class Fails(layers.Layer):
        wrong = True

        def build(self, input_shape):
            self.w = self.add_weight((2,))
            if self.wrong:
                raise RuntimeError("no")

        def call(self, inputs):
            return inputs

    layer = Fails()
    with pytest.raises(RuntimeError, match="no"):
        layer([1.0])
    assert not layer.built and layer._added_weights == []
    layer.wrong = False
    layer([1.0])
    assert len(layer.weights) == 1


def test_super_build():
    class Child(Linear):
        def build(self, input_shape):
            super().build(input_shape)
            self.extra = self.add_weight((3,), "ones")

    layer = Child()
    layer(np.ones((1, 4), "float32"))
    assert [w.shape for w in layer.weights] == [(4, 2), (2,), (3,)] and layer.built


@pytest.mark.parametrize("use", [lambda x: x([1.0]), lambda x: x.weights, lambda x: x.build((1,))])
def test_forgotten_super_init(use):
    class Forgetful(layers.Layer):
        def __init__(self):
            self.units = 3

        def build(self, input_shape):
            pass

        def call(self, inputs):
            return inputs

    with pytest.raises(NotBuiltError, match=r"Forgetful.*super\(\).__init__\(\)"):
        use(Forgetful())


def test_unknown_arguments():
    with pytest.raises(ArgumentTypeError, match="Dense got unknown arguments: unit"):
        layers.Dense(3, unit=4)


# --- calls ---


def test_training_is_inherited():
    outer = Outer()
    outer([1.0])
    assert outer.inner.told is None
    for flag in (True, False):
        outer([1.0], training=flag)
        assert outer.inner.told is flag
    outer.inner([1.0], training=True)
    assert outer.inner.told is True
    outer.inner(gpunn.Tensor([1.0]), False)  # by position
    assert outer.inner.told is False
    outer([1.0])
    assert outer.inner.told is None


def test_a_default_of_training_holds():
    class On(Flag):
        def call(self, inputs, training=True):
            return super().call(inputs, training)

    layer = On()
    layer([1.0])
    assert layer.told is True
    layer([1.0], training=False)
    assert layer.told is False


def test_floats_are_cast(device):
    layer = layers.Dense(2)
    assert layer(np.ones((1, 3))).dtype == "float32"
    assert layer(np.ones((1, 3), "int32")).dtype == "float32"
    x = gpunn.Tensor(np.ones((1, 3)), requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.dtype == "float64"
    wide = layers.Dense(2, dtype="float64")
    assert wide(np.ones((1, 3), "float32")).dtype == "float64"
    assert wide.kernel.dtype == "float64" and wide.dtype == wide.compute_dtype == "float64"
    assert Doubled(autocast=False)(np.ones(2)).dtype == "float64"


def test_a_global_policy():
    gpunn.set_dtype_policy("float64")
    try:
        assert gpunn.dtype_policy() == gpunn.DTypePolicy("float64")
        assert layers.Dense(2)([[1.0]]).dtype == "float64"
    finally:
        gpunn.set_dtype_policy(None)
    with pytest.raises(ArgumentError, match="unknown dtype policy"):
        layers.Dense(2, dtype="float8")


def test_inputs_of_many_kinds():
    layer = layers.Dense(2, kernel_initializer="ones")
    wanted = [[6.0, 6.0]]
    x = np.array([[1, 2, 3]])
    for given in ([[1, 2, 3]], x, x.astype("float16"), gpunn.Tensor(x), ((1, 2, 3),)):
        assert layer(given).numpy().tolist() == wanted


def test_several_inputs():
    class Sum(layers.Layer):
        def build(self, input_shape):
            self.shapes = input_shape

        def call(self, inputs):
            return sum(inputs.values()) if isinstance(inputs, dict) else inputs[0] + inputs[1]

    layer, a = Sum(), np.ones((2, 3))
    assert layer([a, a]).shape == (2, 3) and layer.shapes == [(None, 3), (None, 3)]
    named = Sum()
    assert named({"a": a, "b": a}).shape == (2, 3)
    assert named.shapes == {"a": (None, 3), "b": (None, 3)}
    assert layer.compute_output_shape([(None, 3), (None, 3)]) == (None, 3)

    class Scaled(layers.Layer):
        def call(self, inputs, factor, shift=0):
            return inputs * factor + shift

    assert Scaled()(a, 3.0, shift=1).numpy()[0, 0] == 4.0
    assert Scaled()(a, a * 3, shift=a).dtype == "float32"


@pytest.mark.parametrize("shape", [(None, 3), ["kernel"], (2.5,), (-1,)])
def test_a_weight_of_unknown_shape(shape):
    with pytest.raises(ShapeError, match=r"weight 'w' of layer .* must be known sizes"):
        Doubled().add_weight(shape, name="w")


def test_an_error_says_in_which_layers():
    class Model(layers.Layer):
        def __init__(self):
            super().__init__(name="model")
            self.dense = layers.Dense(2, name="last")

        def call(self, inputs):
            return self.dense(inputs)

    model = Model()
    model(np.ones((1, 3)))
    with pytest.raises(ShapeError, match="'last' was built for inputs with 3") as error:
        model(np.ones((1, 4)))
    notes = ["in layer 'last' (Dense)", "in layer 'model' (Model)"]
    assert error.value.__notes__ == notes


def test_probed_shapes():
    block = Block()
    assert block.compute_output_shape((None, 3)) == (None, 2)
    assert block.compute_output_shape((7, 3)) == (7, 2)

    class Pair(layers.Layer):
        def call(self, inputs):
            return inputs[:, 0], {"all": inputs}

    assert Pair().compute_output_shape((None, None, 4)) == (
        (None, 4),
        {"all": (None, None, 4)},
    )


# --- losses ---


class Penalty(layers.Layer):
    def call(self, inputs):
        self.add_loss(ops.sum(inputs))
        self.add_loss([ops.sum(inputs) * 2])
        return inputs


def test_added_losses_are_those_of_the_last_call():
    class Model(layers.Layer):
        def __init__(self):
            super().__init__()
            self.penalty = Penalty()
            self.dense = layers.Dense(1, kernel_regularizer="l2", activity_regularizer="l1")

        def call(self, inputs, deep=True):
            return self.dense(self.penalty(self.penalty(inputs)) if deep else inputs)

    model = Model()
    x = np.ones((2, 3), "float32")
    for _ in range(3):
        model(x)
        assert len(model.losses) == 6  # twice two, activity, regularizer
    model(x, deep=False)
    assert len(model.losses) == 2
    model.dense(x)
    assert len(model.dense.losses) == 2
    model(x)
    sum(model.losses[1:], start=model.losses[0]).backward()
    assert model.dense.kernel.grad is not None
    model.clear_losses()
    assert len(model.losses) == 1


def test_activity_is_over_the_batch():
    layer = layers.Activation("linear", activity_regularizer=gpunn.regularizers.L2(0.5))
    layer([[1.0, 2.0], [3.0, 0.0]])
    assert [loss.item() for loss in layer.losses] == [3.5]


def test_probing_leaves_no_loss():
    layer = Penalty()
    assert layers.Layer.compute_output_shape(layer, (None, 3)) == (None, 3)
    assert layer.losses == []


def test_frozen_weights_are_not_regularized():
    layer = layers.Dense(2, kernel_regularizer="l2")
    layer.build((None, 3))
    assert len(layer.losses) == 1
    layer.trainable = False
    assert layer.losses == []


# --- configs and copies ---


def test_configs_of_custom_layers():
    layer = Linear(7, name="mine", dtype="float64", trainable=False)
    config = layer.get_config()
    assert config == {"name": "mine", "trainable": False, "dtype": "float64", "units": 7}
    assert Linear.from_config(config).get_config() == config
    assert layers.deserialize(layers.serialize(layer), {"Linear": Linear}).units == 7
    with pytest.raises(ArgumentError, match="Linear cannot be made of its config"):
        Linear.from_config({"unit": 3})


def test_registered_and_scoped_layers():
    class Own(layers.Flatten):
        pass

    config = layers.serialize(Own())
    with pytest.raises(ArgumentError, match="unknown layer 'Own'"):
        layers.deserialize(config)
    assert type(layers.deserialize(config, {"Own": Own})) is Own
    gpunn.register_serializable("tests")(Own)
    config = layers.serialize(Own())
    assert config["registered_name"] == "tests>Own"
    assert type(layers.deserialize(config)) is Own
    # a class of the same name as one of gpunn's is found by its registered name alone
    flatten = gpunn.register_serializable("tests", "Flatten")(type("Flatten", (Own,), {}))
    assert type(layers.deserialize(layers.serialize(layers.Flatten()))) is layers.Flatten
    assert type(layers.deserialize(layers.serialize(flatten()))) is flatten


def test_config_of_a_constructor_that_takes_less():
    class Fixed(layers.Dense):
        def __init__(self, units):
            super().__init__(units, activation="relu")

    config = Fixed(3).get_config()
    assert config == {"units": 3} and Fixed.from_config(config).units == 3


def test_get():
    layer = layers.Flatten()
    assert layers.get(layer) is layer and type(layers.get("ReLU")) is layers.ReLU
    with pytest.raises(ArgumentError, match="unknown layer 'Dens'; did you mean 'Dense'"):
        layers.deserialize({"class_name": "Dens", "config": {}})


def test_deepcopy(device):
    block = Block()
    x = np.ones((2, 3), "float32")
    y = block(x)
    other = copy.deepcopy(block)
    assert_close(other(x), y)
    assert other.ends["again"] is other.first
    other.first.kernel.assign(np.zeros((3, 3)))
    assert_close(block(x), y)
    other(x).sum().backward()
    assert block.scale.grad is None and other.scale.grad is not None


def test_to(cuda):
    layer = layers.Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    assert layer.to("cuda") is layer and layer.kernel.device == "cuda:0"
    assert layer(gpunn.Tensor(np.ones((1, 3)), device="cuda")).device == "cuda:0"
    layer.set_weights(before)
    layer.to("cpu")
    for a, b in zip(layer.get_weights(), before, strict=True):
        assert (a == b).all()


def test_built_on_the_device_of_the_inputs(cuda):
    layer = Block()
    layer(gpunn.Tensor(np.ones((1, 3), "float32"), device="cuda").to("cuda").cpu())
    assert {str(v.device) for v in layer.weights} == {"cpu"}
    dense = layers.Dense(2)
    dense(gpunn.Tensor(np.ones((1, 3), "float32"), device="cuda"))
    assert {str(v.device) for v in dense.weights} == {"cuda:0"}


def test_names():
    gpunn.clear_session()
    assert [layers.Dense(1).name for _ in range(2)] == ["dense", "dense_1"]
    assert layers.BatchNormalization().name == "batch_normalization"
    assert layers.ReLU(name="r").name == "r"
    assert repr(layers.Dense(1, name="d")) == "<Dense name=d, built=False>"


def test_input_shapes_are_kept():
    assert layers.Dense(1, input_dim=20).batch_input_shape == (None, 20)
    assert layers.Dense(1, input_shape=(4, 2)).batch_input_shape == (None, 4, 2)
    assert layers.Dense(1).batch_input_shape is None


def test_input():
    symbolic = gpunn.Input((3, None), batch_size=2, dtype="int32", name="i")
    assert symbolic.shape == (2, 3, None) and symbolic.dtype == "int32" and symbolic.name == "i"
    layer = layers.InputLayer(input_tensor=symbolic)
    assert layer.output.shape == layer.compute_output_shape(None) == symbolic.shape
    assert layer.dtype == layer.input_dtype == "int32"
    again = layers.InputLayer.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    for wrong in ({}, {"shape": (2,), "batch_shape": (1, 2)}, {"shape": (-1,)}, {"shape": ("a",)}):
        with pytest.raises(ArgumentError):
            gpunn.Input(**wrong)


def test_input_spec():
    spec = layers.InputSpec(shape=(None, 3, None))
    spec.check((2, 3, 9), "x")
    for shape in ((2, 3), (2, 4, 1)):
        with pytest.raises(ShapeError, match="layer 'x'"):
            spec.check(shape, "x")
    with pytest.raises(ShapeError, match="rank <= 2"):
        layers.InputSpec(max_ndim=2).check((1, 2, 3), "x")
    with pytest.raises(ShapeError, match="rank >= 3"):
        layers.InputSpec(axes={-3: 4}).check((4,), "x")


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.MultiHeadAttention(2, 2, trainable=False),
        lambda: layers.Bidirectional(layers.GRU(2), trainable=False),
        lambda: layers.TimeDistributed(layers.Dense(2), trainable=False),
        lambda: layers.RNN(layers.LSTMCell(2), trainable=False),
        lambda: gpunn.Sequential([layers.Dense(2)], trainable=False),
    ],
)
def test_layers_within_a_layer_made_frozen_are_frozen(make):
    inputs = gpunn.Input((3, 4))
    layer = make()
    takes_two = isinstance(layer, layers.MultiHeadAttention)
    model = gpunn.Model(inputs, layer(inputs, inputs) if takes_two else layer(inputs))
    assert layer.weights and not layer.trainable_weights and not model.trainable_weights
    assert len(layer.non_trainable_weights) == len(layer.weights)
    layer.trainable = True
    assert len(model.trainable_weights) == len(layer.weights)


def test_a_frozen_layer_shows_no_weights_to_train_whatever_it_holds():
    layer = Linear()
    layer.build((None, 3))
    layer.trainable = False
    layer.inner = layers.Dense(2)
    layer.inner.build((None, 2))
    assert layer.trainable_weights == [] and len(layer.non_trainable_weights) == 4
    assert len(layer.inner.trainable_weights) == 2


def test_leaky_relu_takes_its_older_argument():
    layer = layers.LeakyReLU(alpha=0.5)
    assert layer.negative_slope == 0.5
    assert layers.LeakyReLU.from_config(layer.get_config()).negative_slope == 0.5


def test_positions_of_the_arguments_of_simple_rnn():
    import inspect

    names = list(inspect.signature(layers.SimpleRNN).parameters)
    assert names.index("return_sequences") < names.index("unroll") < names.index("seed")


def test_an_argument_of_a_wrong_type_is_a_value_error_too():
    for make in (
        lambda: layers.Dense(2, bogus=1),
        lambda: layers.ReLU(threshold=None),
        lambda: gpunn.losses.get(3),
        lambda: gpunn.Sequential().add(3),
    ):
        with pytest.raises(ValueError):
            make()
        with pytest.raises(TypeError):
            make()


def from_keras(class_name, module="keras.layers", /, **config):
    """A config as Keras writes it."""
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def test_configs_that_keras_wrote():
    dtype = from_keras("DTypePolicy", "keras", name="float32")
    kernel = from_keras("GlorotUniform", "keras.initializers", seed=None)
    dense = from_keras(
        "Dense",
        name="d",
        trainable=True,
        dtype=dtype,
        units=2,
        activation="relu",
        kernel_initializer=kernel,
        quantization_config=None,
    )
    layer = layers.deserialize(dense)
    assert layer.units == 2 and layer.dtype == "float32" and layer.name == "d"
    wrapped = layers.deserialize(from_keras("TimeDistributed", name="t", dtype=dtype, layer=dense))
    assert wrapped.layer.units == 2
    given = layers.deserialize(
        from_keras(
            "InputLayer",
            batch_shape=[None, 3],
            dtype="float32",
            sparse=False,
            ragged=False,
            name="i",
            optional=False,
        )
    )
    assert given.batch_shape == (None, 3) and not given.optional
    with pytest.raises(ArgumentError):
        layers.Dense.from_config({"units": 2, "quantization_config": {"class_name": "Int8"}})


def test_without_weights_to_make_it_is_built_at_once():
    class Unbuilt(layers.Dropout):
        def build(self, input_shape):
            pass

    class Inherited(layers.Dropout):
        pass

    assert layers.ReLU().built and layers.MaxPooling2D().built and Inherited(0.5).built
    assert layers.Dropout(0.5).count_params() == 0
    assert not Unbuilt(0.5).built and not Linear().built and not layers.Dense(1).built


def test_configs_keep_tuples():
    config = layers.Conv2D(2, 3).get_config()
    assert config["kernel_size"] == (3, 3) and config["strides"] == (1, 1)
    assert layers.InputLayer((3,)).get_config()["batch_shape"] == (None, 3)
    assert layers.ZeroPadding2D(((1, 1), (2, 2))).get_config()["padding"] == ((1, 1), (2, 2))


def test_a_config_that_makes_no_layer():
    for wrong in ({"units": 2.5}, {"units": -1}, {"unitz": 1}):
        with pytest.raises(ArgumentTypeError, match="Dense cannot be made of its config"):
            layers.Dense.from_config(wrong)


def test_what_an_uncalled_layer_lacks():
    layer = layers.Dense(2)
    assert not hasattr(layer, "input") and not hasattr(layer, "output")
    layer(gpunn.Input((3,)))
    assert layer.output.shape == (None, 2)


def test_specs_of_several_inputs():
    class Pair(layers.Layer):
        def __init__(self, spec):
            super().__init__()
            self.input_spec = spec

        def call(self, inputs):
            return inputs

    spec, x, y = layers.InputSpec, rand(2, 3), rand(2, 3, 4)
    Pair([spec(ndim=2), spec(ndim=3)])([x, y])
    Pair([spec(ndim=2, name="a"), spec(ndim=3, name="b")])({"b": y, "a": x})
    Pair([None, spec(ndim=3)])([y, y])
    Pair({"a": spec(shape=(None, 3))})({"a": x})
    Pair([spec(dtype="int32")])(np.ones(2, "int32"))
    for wrong, given in (
        ([spec(ndim=2), spec(ndim=3)], [x, x]),
        ([spec(ndim=2), spec(ndim=2)], [x]),
        ({"a": spec(shape=(None, 4))}, {"a": x}),
    ):
        with pytest.raises(ShapeError, match=r"'pair.*' (expects|was built for)"):
            Pair(wrong)(given)
    with pytest.raises(DTypeError, match="expects dtype int32, got int64"):
        Pair(spec("int32"))(np.ones(2, "int64"))


def test_a_last_axis_that_may_be_left_out():
    spec = layers.InputSpec(shape=(None, 28, 1), allow_last_axis_squeeze=True)
    spec.check((5, 28), "a")
    spec.check((5, 28, 1), "a")
    with pytest.raises(ShapeError):
        spec.check((5, 27), "a")
    again = layers.InputSpec.from_config(layers.InputSpec("int32", (None, 3)).get_config())
    assert again.dtype == "int32" and again.shape == (None, 3) and again.ndim == 2


def test_stateless_call(device):
    with gpunn.device(device):
        layer = gpunn.Sequential([gpunn.layers.BatchNormalization(), gpunn.layers.Dense(2)])
        x = gpunn.Tensor(np.random.default_rng(0).normal(size=(6, 3)).astype("float32"))
        layer(x)
        before = layer.get_weights()
        trained = [v.numpy() * 2 + 0.5 for v in layer.trainable_variables]
        state = [v.numpy() + 1 for v in layer.non_trainable_variables]
        y, updated = layer.stateless_call(trained, state, x, training=True)
        for a, b in zip(layer.get_weights(), before, strict=True):
            assert (a == b).all()

        def loss(*values):
            return ops.sum(layer.stateless_call(values, state, x, training=True)[0] ** 2)

        slopes = gpunn.grad(loss, argnums=tuple(range(4)))(*map(gpunn.Tensor, trained))
        for v, value in zip(layer.trainable_variables, trained, strict=True):
            v.assign(value)
        for v, value in zip(layer.non_trainable_variables, state, strict=True):
            v.assign(value)
        expected = layer(x, training=True)
        ops.sum(expected**2).backward()
        assert (expected.numpy() == y.numpy()).all()
        for v, value in zip(layer.non_trainable_variables, updated, strict=True):
            assert (v.numpy() == value.numpy()).all()
        for v, dx in zip(layer.trainable_variables, slopes, strict=True):
            np.testing.assert_allclose(dx.numpy(), v.grad.numpy(), rtol=1e-5, atol=1e-5)
    with pytest.raises(ArgumentError, match="must be 4 values"):
        layer.stateless_call(trained[:1], state, x)


def test_a_policy_can_be_set():
    layer = gpunn.layers.Dense(2)
    layer.dtype_policy = "mixed_bfloat16"
    assert layer.dtype_policy.name == "mixed_bfloat16" and layer.compute_dtype == "bfloat16"
    y = layer(np.ones((1, 2), "float32"))
    assert y.dtype.name == "bfloat16" and layer.kernel.dtype.name == "float32"
    with pytest.raises(ValueError, match="True or False"):
        gpunn.layers.Dense(2, trainable="yes")


def test_paths_of_weights_name_the_layers_around():
    class Inside(gpunn.Model):
        def __init__(self):
            super().__init__(name="outer")
            self.blocks = [gpunn.Sequential([layers.Dense(2, name="d")], name="s")]

        def call(self, inputs):
            return self.blocks[0](inputs)

    called, built = Inside(), Inside()
    called(rand(1, 3)), built.build((None, 3))
    for model in (called, built):
        assert [v.path for v in model.weights] == ["outer/s/d/kernel", "outer/s/d/bias"]
    model.blocks[0].layers[0].enable_lora(1)
    assert model.weights[-1].path == "outer/s/d/lora_kernel_b"
    inputs = gpunn.Input((3,))
    functional = gpunn.Model(inputs, layers.Dense(2, name="d")(inputs), name="outer")
    assert functional.weights[0].path == "d/kernel"
    known = gpunn.Sequential([gpunn.Input((3,)), layers.Dense(2, name="d")], name="s")
    assert known.weights[0].path == "s/d/kernel"


class Counting(layers.Layer):
    """Counts its calls, in a weight and in a metric."""

    def build(self, input_shape):
        self.calls = self.add_weight((), "zeros", dtype="int32", trainable=False, name="calls")
        self.kernel = self.add_weight((input_shape[-1], 1), name="kernel")
        self.seen = gpunn.metrics.Sum(name="seen")

    def call(self, inputs):
        self.calls.assign_add(1)
        self.seen.update_state(1.0)
        return inputs @ self.kernel


class CountingModel(gpunn.Model):
    def __init__(self):
        super().__init__()
        self.counting = Counting()

    def call(self, inputs):
        return self.counting(inputs)


def graph_of_counting():
    x, counting = gpunn.Input((3,)), Counting()
    y = counting(x)
    assert int(counting.calls) == 0
    return gpunn.Model(x, y)


@pytest.mark.parametrize(
    "make", [CountingModel, graph_of_counting, lambda: gpunn.Sequential([Counting()])]
)
def test_no_call_is_counted_that_only_finds_shapes(make, device):
    with gpunn.device(device):
        model = make()
    model.compile("sgd", "mse")
    logs = model.fit(np.ones((8, 3)), np.ones((8, 1)), batch_size=4, verbose=0).history
    counting = next(x for x in model.walk() if isinstance(x, Counting))
    assert int(counting.calls) == 2 and logs["seen"] == [2.0]
    model.predict(np.ones((4, 3)))
    assert int(counting.calls) == 3


def test_a_build_that_call_cannot_be_matched_with():
    class Other(layers.Layer):
        def build(self, foo_shape, bar):
            pass

        def call(self, foo, bar):
            return foo + bar

    x = np.ones((2, 4))
    for call in (lambda: Other()(x, x), lambda: Other()(gpunn.Input((4,)), gpunn.Input((4,)))):
        with pytest.raises(ValueError, match=r"build\(foo_shape, bar\) .* argument: 'bar'"):
            call()


def test_shapes_for_build_by_name():
    class Crossed(layers.Layer):
        def build(self, bar_shape, foo_shape):
            self.shapes = foo_shape, bar_shape

        def call(self, foo, bar=None, baz=None):
            return foo + ops.sum(bar)

    for call in (lambda x: x(np.ones((2, 4)), np.ones((2, 3))), lambda x: x(
        gpunn.Input((4,)), bar=gpunn.Input((3,)))):  # fmt: skip
        layer = Crossed()
        call(layer)
        assert layer.shapes == ((None, 4), (None, 3))


def test_a_weight_whose_name_comes_first():
    with pytest.raises(ValueError, match=r"add_weight\('kernel'\) .* given by name='kernel'"):
        layers.Layer().add_weight("kernel")

"""Every layer on symbolic tensors: the shapes and dtypes it foretells, and the graph it makes."""

import numpy as np
import pytest

import gpunn
from gpunn import layers, regularizers, tree
from gpunn.errors import ShapeError
from tests.golden import (
    cases_attention,
    cases_conv_lstm,
    cases_convolution,
    cases_image_layers,
    cases_layers,
    cases_merging,
    cases_normalization,
    cases_recurrent,
)


def found() -> dict:
    """By name: a function that makes the layer, and the keywords of a call."""
    cases: dict = {}
    for module in (cases_layers, cases_convolution, cases_normalization):
        for name, (cls, options, kind) in module.CASES.items():
            options = cases_layers.arguments(options, regularizers.L1L2)
            cases[name] = (_maker(cls, options), [cases_layers.inputs(kind)], {})
    for name, (cls, options, shapes) in cases_merging.CASES.items():
        xs = cases_merging.inputs(name)
        several = isinstance(shapes, list)
        cases[f"merging_{name}"] = (_maker(cls, options), [xs if several else xs[0]], {})
    for name, (make, *_) in cases_recurrent.CASES.items():
        cases[name] = (lambda make=make: make(layers), [cases_recurrent.sequences()], {})
    for name, (make, kinds, more) in cases_attention.CASES.items():
        if not any(isinstance(x, np.ndarray) for x in more.values()):
            given = cases_attention.inputs(kinds)
            cases[name] = (lambda make=make: make(layers), [], {**given, **more})
    for name, (cls, options, *_) in cases_conv_lstm.CASES.items():
        cases[f"conv_lstm_{name}"] = (_maker(cls, options), [cases_conv_lstm.sequences(name)], {})
    still = {"training": False}  # else they draw at random
    for name, (cls, options, _) in cases_image_layers.CASES.items():
        cases[f"image_{name}"] = (_maker(cls, options), [cases_image_layers.IMAGES], still)
    return cases


def _maker(cls, options):
    return lambda: getattr(layers, cls)(**options)


CASES = found()


@pytest.mark.parametrize("case", CASES)
def test_the_graph_of_a_layer_does_what_the_layer_does(case):
    make, args, kwargs = CASES[case]
    layer = make()
    if getattr(layer, "stateful", False):
        pytest.skip("zeros would become its states")
    leaves = tree.flatten((args, kwargs))
    arrays = [x for x in leaves if isinstance(x, np.ndarray)]
    inputs = [gpunn.Input(x.shape[1:], dtype=x.dtype) for x in arrays]
    rest = iter(inputs)
    symbolic = [next(rest) if isinstance(x, np.ndarray) else x for x in leaves]
    symbolic_args, symbolic_kwargs = tree.pack((args, kwargs), symbolic)
    outputs = layer(*symbolic_args, **symbolic_kwargs)
    direct = layer(*args, **kwargs)
    for x, y in zip(tree.flatten(outputs), tree.flatten(direct), strict=True):
        assert x.dtype == y.dtype
        assert len(x.shape) == y.ndim
        assert all(n in (None, m) for n, m in zip(x.shape, y.shape, strict=True))
        assert x.shape[1:] == y.shape[1:] or None in (x.shape[0], *y.shape)
    model = gpunn.Model(inputs, outputs)
    again = gpunn.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    for way in (model, again):
        results = tree.flatten(way(arrays))
        for x, y in zip(results, tree.flatten(direct), strict=True):
            np.testing.assert_array_equal(x.numpy(), y.numpy())


class OfFiftyRows(gpunn.Layer):
    """Reshapes to numbers of rows that only batches of 50 have."""

    def call(self, x):
        rows = gpunn.ops.reshape(x, [50 * 4, 3])
        return gpunn.ops.reshape(rows * 2, [gpunn.ops.shape(x)[0], 4, 3])


def test_a_layer_for_batches_of_one_size():
    inputs = gpunn.Input((4, 3))
    model = gpunn.Model(inputs, gpunn.layers.Flatten()(OfFiftyRows()(inputs)))
    assert model.output_shape == (None, 12)
    x = np.arange(600.0, dtype="float32").reshape(50, 4, 3)
    np.testing.assert_array_equal(model.predict(x, batch_size=50, verbose=0), x.reshape(50, 12) * 2)
    with pytest.raises(ShapeError, match="reshape"):
        model.predict(x[:7], verbose=0)
    with pytest.raises(ShapeError, match="reshape"):
        OfFiftyRows()(gpunn.Input((7, 3)))  # 50 * 4 rows are no whole number of these


class Positions(gpunn.layers.Layer):
    """Says its shape, and holds a layer that its first call builds."""

    def __init__(self):
        super().__init__()
        self.inner = gpunn.layers.Embedding(6, 4)

    def call(self, x):
        return x + self.inner(gpunn.ops.arange(6))

    def compute_output_shape(self, input_shape):
        return input_shape


def test_layers_inside_are_built_before_training_though_the_shape_is_known():
    x = gpunn.Input((6, 4))
    model = gpunn.Model(x, gpunn.layers.Dense(1)(Positions()(x)))
    assert len(model.trainable_variables) == 3
    before = model.get_weights()[0]
    model.compile("sgd", "mse")
    for _ in range(2):
        model.fit(np.ones((8, 6, 4)), np.ones((8, 6, 1)), verbose=0)
    assert (model.get_weights()[0] != before).any()


class Noted(gpunn.layers.Layer):
    """Adds a loss, and gives nothing."""

    def call(self, x):
        self.add_loss(gpunn.ops.sum(x))


def test_a_layer_that_gives_none_is_no_part_of_a_graph():
    x = gpunn.Input((3,))
    layer = Noted()
    assert layer(x) is None
    assert layer(np.ones((2, 3), "float32")) is None
    assert layer.losses[0].item() == 6
    model = gpunn.Model(x, gpunn.layers.Dense(1)(x))
    assert layer not in model.layers


class Nodes(gpunn.layers.Layer):
    """The sums of edges at nodes, whose number is known."""

    def call(self, edges, at):
        return gpunn.ops.segment_sum(edges, at, num_segments=6)


class Masked(gpunn.layers.Layer):
    def call(self, x, mask_of_nodes):
        return x * gpunn.ops.expand_dims(mask_of_nodes, -1)


def test_inputs_of_an_unknown_batch_beside_one_of_a_known_size():
    edges, at, counts = gpunn.Input((2,)), gpunn.Input((), dtype="int32"), gpunn.Input(())
    nodes = Nodes()(edges, at)
    assert nodes.shape == (6, 2)
    kept = Masked()(nodes, counts)
    assert kept.shape == (6, 2)
    model = gpunn.Model([edges, at, counts], kept)
    x = np.arange(8.0, dtype="float32").reshape(4, 2)
    y = model([x, np.array([0, 1, 1, 5]), np.array([1, 1, 1, 1, 1, 0], "float32")])
    np.testing.assert_array_equal(y.numpy(), [[0, 1], [6, 8], [0, 0], [0, 0], [0, 0], [0, 0]])


def test_a_lambda_layer_is_run_on_the_dtypes_that_it_is_given():
    x, at = gpunn.Input((5,)), gpunn.Input((2,), dtype="int32")
    taken = gpunn.layers.Lambda(lambda xs: gpunn.ops.take_along_axis(*xs, axis=1))([x, at])
    assert (taken.shape, taken.dtype) == ((None, 2), "float32")
    largest = gpunn.layers.Lambda(lambda x: gpunn.ops.argmax(x, axis=-1))(x)
    assert (largest.shape, largest.dtype) == ((None,), "int32")

"""Recurrent layers against Keras, against their own cells step by step, and what else is asked."""

import numpy as np
import pytest

import gpunn
from gpunn import layers, tree
from gpunn.errors import ArgumentTypeError, GpunnError, ShapeError
from tests.capture.steps import train
from tests.golden.cases_recurrent import CASES, MASK, first_states, sequences, values, weights
from tests.harness import assert_close, golden, rand

GOLDEN = golden("recurrent")
HALF = "mixed_float16"


def found(prefix):
    """The golden arrays whose names go on with a number, in order."""
    names = [name for name in GOLDEN if name.startswith(prefix) and name[len(prefix) :].isdigit()]
    return [GOLDEN[f"{prefix}{i}"] for i in range(len(names))]


def build(case, **options):
    """The layer of a case with its weights, its inputs, and its other arguments."""
    make, masked, sizes = CASES[case]
    layer = make(layers)
    x = gpunn.Tensor(sequences()).requires_grad_()
    layer.build(x.shape)
    layer.set_weights(weights(layer))
    if masked:
        options["mask"] = MASK
    if sizes:
        options["initial_state"] = [gpunn.Tensor(s).requires_grad_() for s in first_states(sizes)]
    return layer, x, options


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case, device):
    layer, x, options = build(case)
    ys = tree.flatten(layer(x, training=True, **options))
    for y, expected in zip(ys, found(f"{case}/y"), strict=True):
        assert_close(y, expected, rtol=2e-5, atol=2e-6)
        assert y.device.kind == device
    sum((y * values(y.shape, 50 + i)).sum() for i, y in enumerate(ys)).backward()
    assert_close(x.grad, GOLDEN[f"{case}/dx0"], "gradient", label="inputs")
    for v, dw in zip(layer.trainable_weights, found(f"{case}/dw"), strict=True):
        assert_close(v.grad, dw, "gradient", label=v.path)
    states = options.get("initial_state", [])
    for s, ds in zip(states, found(f"{case}/ds"), strict=True):
        assert_close(s.grad, ds, "gradient", label="initial state")


@pytest.mark.parametrize("case", CASES)
def test_shapes_and_config(case):
    layer, x, options = build(case)
    shape = tree.flatten(layer.compute_output_shape((None, *x.shape[1:])))
    if case != "bidirectional_none":  # Keras takes both layers' shapes to be the same
        assert [-1 if n is None else n for n in shape] == GOLDEN[f"{case}/shape"].tolist()
    ys = layer(x, **options)
    assert tree.flatten(layer.compute_output_shape(x.shape)) == [
        n for y in tree.flatten(ys) for n in y.shape
    ]
    config = layer.get_config()
    assert set(GOLDEN[f"{case}/config"].tolist()) <= set(config)
    again = layers.deserialize(layers.serialize(layer))
    assert type(again) is type(layer) and again.get_config() == config
    again.build(x.shape)
    again.set_weights(layer.get_weights())
    for a, b in zip(tree.flatten(again(x, **options)), tree.flatten(ys), strict=True):
        assert_close(a, b.numpy(), rtol=0, atol=0)


# --- the ops against the cells, step by step ---

LAYERS = {
    "SimpleRNN": {},
    "LSTM": {},
    "GRU": {},
    "GRU before": {"reset_after": False},
}


def like_its_cell(name, dtype="float64", **options):
    """A layer, and an RNN over a cell of the same weights."""
    layer = getattr(layers, name.split()[0])(4, dtype=dtype, **LAYERS[name], **options)
    layer.build((None, None, 3))
    layer.set_weights([rand(*v.shape, low=-0.8, high=0.8, seed=i + 1).astype(dtype)
                       for i, v in enumerate(layer.weights)])  # fmt: skip
    flags = {k: v for k, v in options.items() if k.startswith(("return", "go"))}
    return layer, layers.RNN(layer.cell, dtype=dtype, **flags)


@pytest.mark.parametrize("name", LAYERS)
def test_an_op_is_its_cell_step_by_step(name, device):
    layer, steps = like_its_cell(name, return_sequences=True, return_state=True)
    x, mask = rand(3, 5, 3), MASK
    for a, b in zip(layer(x, mask=mask), steps(x, mask=mask), strict=True):
        assert_close(a, b, rtol=1e-10, atol=1e-12)
    assert layer(x[:0]).__len__() == len(layer.state_size) + 1
    assert layer(x[:0])[0].shape == (0, 5, 4)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_in_float64(name):
    layer, _ = like_its_cell(name, return_sequences=True, return_state=True)
    states = [rand(3, 4, seed=i) for i in range(len(layer.state_size))]

    def f(x, *states):
        return sum(y.sum() for y in layer(x, list(states), mask=MASK))

    gpunn.autograd.check_gradients(f, rand(3, 5, 3), *states)


@pytest.mark.parametrize("name", LAYERS)
def test_products_in_blocks(name, request):
    """They are what the whole products are."""
    options = {"dtype": "float64", "return_sequences": True, **LAYERS[name]}
    layer = getattr(layers, name.split()[0])(24, **options)
    x = gpunn.Tensor(rand(8, 6, 16)).requires_grad_()

    def results():
        y = layer(x)
        return [y, *gpunn.autograd.gradients((y * y).sum(), [x, *layer.trainable_variables])]

    whole = results()
    most = request.getfixturevalue("small_blocks")
    assert 24 * 24 * 8 > most
    for a, b in zip(results(), whole, strict=True):
        assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_float16(name, device):
    layer, _ = like_its_cell(name, dtype="float16")
    wide, _ = like_its_cell(name)
    wide.set_weights(layer.get_weights())
    x = rand(3, 5, 3).astype("float16")
    y = layer(x)
    assert y.dtype == "float16"
    assert_close(y, wide(x).numpy().astype("float16"), rtol=1e-2, atol=1e-3)


# --- first weights ---


def test_first_weights():
    layer = layers.LSTM(4)
    layer.build((None, None, 3))
    kernel, recurrent, bias = layer.get_weights()
    assert kernel.shape == (3, 16) and bias.tolist() == [0] * 4 + [1] * 4 + [0] * 8
    assert_close(recurrent @ recurrent.T, np.eye(4, dtype="float32"), atol=1e-5)
    plain = layers.LSTM(4, unit_forget_bias=False)
    plain.build((None, None, 3))
    assert not plain.get_weights()[2].any()
    assert [v.name for v in layer.weights] == ["kernel", "recurrent_kernel", "bias"]
    assert layer.units == 4 and layer.activation is gpunn.activations.tanh


# --- dropout ---


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("which", ["dropout", "recurrent_dropout"])
def test_dropout(name, which, device):
    cls, options = getattr(layers, name.split()[0]), LAYERS[name]
    layer = cls(6, seed=3, return_sequences=True, **{which: 0.5}, **options)
    x = rand(2, 4, 5).astype("float32")
    calm = layer(x).numpy()
    assert_close(layer(x, training=False), calm, rtol=0, atol=0)
    a, b = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    assert (a != calm).any() and (a != b).any()
    again = cls(6, seed=3, return_sequences=True, **{which: 0.5}, **options)
    again.build(x.shape)
    again.set_weights(layer.get_weights())
    assert_close(again(x, training=True), a, rtol=0, atol=0)


def test_the_same_inputs_are_dropped_at_all_steps():
    layer = layers.SimpleRNN(
        8, None, False, "identity", "zeros", dropout=0.5, seed=1, return_sequences=True
    )
    y = layer(np.ones((3, 6, 8), "float32"), training=True).numpy()
    assert (y == y[:, :1]).all() and set(np.unique(y)) == {0, 2}


# --- state ---


@pytest.mark.parametrize("make", [layers.LSTM, layers.GRU, layers.SimpleRNN])
def test_stateful_goes_on_where_it_was(make, device):
    layer = make(4, stateful=True)
    x = rand(2, 6, 3).astype("float32")
    layer(x[:, :2])
    y = layer(x[:, 2:])
    whole = make(4)
    whole.build(x.shape)
    whole.set_weights(layer.get_weights())
    assert_close(y, whole(x).numpy(), rtol=1e-5)
    assert len(layer.weights) == 3
    layer.reset_states()
    assert_close(layer(x), whole(x).numpy(), rtol=0, atol=0)
    kept = [s.numpy() for s in layer.states]
    with pytest.raises(ShapeError, match=rf"'{layer.name}'.*reset_states\(\)"):
        layer(x[:1])
    for s, before in zip(layer.states, kept, strict=True):
        assert_close(s, before, rtol=0, atol=0)


def test_stateful_in_both_directions(device):
    layer = layers.Bidirectional(layers.GRU(3, stateful=True))
    x = rand(2, 4, 3).astype("float32")
    first = layer(x).numpy()
    assert len(layer.states) == 2 and (layer(x).numpy() != first).any()
    layer.reset_states()
    assert not any(s.numpy().any() for s in layer.states)
    assert_close(layer(x), first, rtol=0, atol=0)


def test_a_last_state_begins_another_layer(device):
    x = rand(2, 4, 3).astype("float32")
    _, *states = layers.LSTM(5, return_state=True)(x)
    y = layers.LSTM(5, return_sequences=True)(x, initial_state=states)
    assert y.shape == (2, 4, 5)


# --- cells of the user's own ---


class Sum:
    """A cell that is no layer: the sum of what it was given."""

    state_size = 3

    def call(self, inputs, states):
        y = states[0] + inputs
        return y, [y]


@gpunn.register_serializable("tests")
class Mean(layers.Layer):
    """A cell with two states, one of them a count."""

    state_size = [3, 1]

    def call(self, inputs, states):
        total, n = states[0] + inputs, states[1] + 1
        return total / n, [total, n]


def test_cells_of_ones_own(device):
    x = rand(2, 4, 3).astype("float32")
    assert_close(layers.RNN(Sum())(x), x.sum(1), rtol=1e-5, atol=1e-6)
    layer = layers.RNN(Mean(), return_sequences=True)
    assert_close(layer(x)[:, -1], x.mean(1), rtol=1e-5, atol=1e-6)
    again = layers.RNN.from_config(layer.get_config())
    assert type(again.cell) is Mean


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.SimpleRNNCell(3),
        lambda: layers.GRUCell(3),
        lambda: layers.GRUCell(3, reset_after=False, recurrent_dropout=0.5),
    ],
)
def test_one_state_without_a_list(make, device):
    x, h = rand(2, 4).astype("float32"), rand(2, 3).astype("float32")
    with gpunn.device(device):
        cell = make()
        y, (listed,) = cell(x, [h])
        z, state = cell(x, gpunn.Tensor(h, device=device))
    assert_close(z, y.numpy())
    assert state.shape == (2, 3)
    assert_close(state, listed.numpy())


def test_the_states_of_an_lstm_are_a_list():
    x = rand(2, 4).astype("float32")
    with pytest.raises(ArgumentTypeError, match=r"takes states \[h, c\] in a list"):
        layers.LSTMCell(3)(x, gpunn.Tensor(rand(2, 3)))


def test_the_state_of_a_stacked_cell_with_one_is_no_list():
    x = rand(2, 4, 3).astype("float32")
    y, first, second = layers.RNN([Sum(), Sum()], return_state=True)(x)
    assert first.shape == second.shape == (2, 3)
    assert_close(first, x.sum(1), rtol=1e-5, atol=1e-6)
    assert_close(second, y.numpy())


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.RNN([layers.SimpleRNNCell(3), layers.SimpleRNNCell(2)], dtype=HALF),
        lambda: layers.RNN(layers.LSTMCell(3), return_state=True, dtype=HALF),
        lambda: layers.Bidirectional(layers.GRU(3), dtype=HALF),
        lambda: layers.TimeDistributed(layers.Dense(3), dtype=HALF),
    ],
)
def test_outputs_have_the_dtype_of_the_outer_layer(make, device):
    found = tree.flatten(make()(rand(2, 4, 3)))
    assert {y.dtype.name for y in found} == {"float16"}


def test_weights_given_to_bidirectional():
    like = layers.Bidirectional(layers.LSTM(2))
    like.build((None, None, 3))
    given = [rand(*w.shape, seed=i).astype("float32") for i, w in enumerate(like.get_weights())]
    layer = layers.Bidirectional(layers.LSTM(2), weights=given)
    layer(np.ones((1, 2, 3)))
    for a, b in zip(layer.get_weights(), given, strict=True):
        assert (a == b).all()


def test_steps_are_passed_their_masks(device):
    layer = layers.TimeDistributed(layers.Softmax())
    mask = np.array([[[True, True, False]] * 2])
    y = layer(np.ones((1, 2, 3)), mask=mask).numpy()
    assert_close(y[0, 1], np.array([0.5, 0.5, 0], "float32"))


def test_in_a_model(device):
    gpunn.set_seed(0)
    x = rand(64, 6, 2).astype("float32")
    y = (x.sum((1, 2)) > 0).astype("float32")
    model = gpunn.Sequential([
        layers.Bidirectional(layers.LSTM(6, return_sequences=True)),
        layers.GRU(6),
        layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    model.compile(gpunn.optimizers.Adam(0.02), "binary_crossentropy")
    losses = model.fit(x, y, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


RECORDED = {
    "ops": lambda: [
        layers.SimpleRNN(5, "relu", return_sequences=True),
        layers.LSTM(4, dropout=0.3),
    ],
    "both ways": lambda: [
        layers.Bidirectional(layers.GRU(2, return_sequences=True)),
        layers.GRU(4),
    ],
    "cells": lambda: [layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)])],
    "recurrent dropout": lambda: [layers.LSTM(4, recurrent_dropout=0.3)],
    "steps": lambda: [layers.TimeDistributed(layers.Dense(3)), layers.GRU(4, reset_after=False)],
}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_step_changes_no_bit(name):
    x, y = rand(24, 4, 3).astype("float32"), rand(24, 4).astype("float32")
    found = []
    for jit_compile in (False, True):
        gpunn.set_seed(1)
        model = gpunn.Sequential(RECORDED[name]())
        model.compile("adam", "mse", jit_compile=jit_compile)
        model.fit(x, y, epochs=2, batch_size=8, verbose=0)
        found.append(model.get_weights())
    for a, b in zip(*found, strict=True):
        assert (a == b).all()


STATEFUL = {
    "lstm": lambda: [layers.LSTM(4, stateful=True)],
    "gru in both directions": lambda: [layers.Bidirectional(layers.GRU(3, stateful=True))],
    "stacked cells": lambda: [
        layers.RNN([layers.GRUCell(3), layers.LSTMCell(4)], stateful=True),
    ],
}


@pytest.mark.parametrize("name", STATEFUL)
def test_kept_states_in_recorded_steps(name):
    def make():
        model = gpunn.Sequential([*STATEFUL[name](), layers.Dense(1)])
        model.compile("adam", "mse", jit_compile=True)
        return model

    data = [(rand(6, 4, 3, seed=i).astype("float32"), rand(6, 1, seed=i)) for i in range(6)]
    captured = train(make, data)
    assert captured.refused is None and len(captured._steps) == 1


def test_kept_states_of_an_epoch_that_are_forgotten(device):
    x, y = rand(24, 4, 3).astype("float32"), rand(24, 1).astype("float32")
    found = []
    for jit_compile in (True, False):
        gpunn.set_seed(1)
        model = gpunn.Sequential([layers.LSTM(4, stateful=True), layers.Dense(1)])
        model.compile("adam", "mse", jit_compile=jit_compile)
        forget = gpunn.callbacks.LambdaCallback(
            on_epoch_begin=lambda *_, of=model: of.layers[0].reset_states()
        )
        model.fit(x, y, epochs=3, batch_size=6, shuffle=False, verbose=0, callbacks=[forget])
        first = model.predict(x[:6], batch_size=6, verbose=0)
        assert (model.predict(x[:6], batch_size=6, verbose=0) != first).any()
        model.layers[0].reset_states()
        found.append([*model.get_weights(), first, model.predict(x[:1], verbose=0)])
    for a, b in zip(*found, strict=True):
        assert (a == b).all()


# --- errors ---


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.LSTM(0), "units must be a positive integer, got 0"),
        (lambda: layers.LSTM(3, "than"), "unknown activation 'than'"),
        (lambda: layers.GRU(3, dropout=2), "dropout must be"),
        (lambda: layers.GRU(3, use_cudnn="yes"), "use_cudnn must be"),
        (lambda: layers.RNN(layers.Dense(3)), "has no state_size"),
        (lambda: layers.StackedRNNCells([3]), "has no call"),
        (lambda: layers.Bidirectional(layers.Dense(3)), "expected a recurrent layer"),
        (lambda: layers.Bidirectional(layers.GRU(3), merge_mode="max"), "merge_mode must be"),
        (
            lambda: layers.Bidirectional(layers.GRU(3), backward_layer=layers.GRU(3)),
            "go_backwards=True",
        ),
        (lambda: layers.TimeDistributed(3), "expected a layer, got 3"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(GpunnError) as error:
        make()
    assert message in str(error.value)


X = np.ones((2, 4, 3), "float32")


@pytest.mark.parametrize(
    ("layer", "call", "message"),
    [
        (lambda: layers.LSTM(3), lambda f: f(X[0]), "(batch, steps, features)"),
        (lambda: layers.LSTM(3), lambda f: f(X[:, :0]), "at least one step"),
        (lambda: layers.GRU(3), lambda f: f(X, mask=X[:, :, 0] > 0), None),
        (lambda: layers.GRU(3), lambda f: f(X, mask=X[:, :2, 0] > 0), "a mask of shape (2, 4)"),
        (lambda: layers.LSTM(3), lambda f: f(X, [X[:, 0]]), "states of shapes [(2, 3), (2, 3)]"),
        (lambda: layers.GRU(3), lambda f: f(X, X[:, 0, :2]), "states of shapes [(2, 3)]"),
        (
            lambda: layers.Bidirectional(layers.GRU(3)),
            lambda f: f(X, [X[:, 0]]),
            "as many of the backward layer",
        ),
        (lambda: layers.TimeDistributed(layers.Dense(2)), lambda f: f(X[0]), "(batch, steps, ...)"),
        (
            lambda: layers.TimeDistributed(layers.Softmax()),
            lambda f: f(X, mask=X[:1] > 0),
            "a mask of shape (2, 4)",
        ),
    ],
)
def test_wrong_inputs(layer, call, message):
    layer = layer()
    if message is None:
        call(layer)
        return
    with pytest.raises(GpunnError) as error:
        call(layer)
    assert message in str(error.value) and layer.name in str(error.value)

"""Random small graphs: the same predictions from files, clones, copies, and the other device."""

import copy

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import gpunn
from gpunn import layers, ops, tree
from tests.harness import cuda_problem

WIDTH = 3
# Each makes (batch, WIDTH) of one or two such tensors.
ONE = [
    lambda x: layers.Dense(WIDTH, activation="tanh")(x),
    lambda x: layers.LayerNormalization()(x),
    lambda x: layers.BatchNormalization()(x),
    lambda x: layers.Dropout(0.4)(x),
    lambda x: layers.Reshape((WIDTH,))(layers.Dense(WIDTH)(layers.Reshape((1, WIDTH))(x))),
    lambda x: gpunn.Sequential([layers.Dense(2), layers.Dense(WIDTH)])(x),
    lambda x: ops.softmax(x, axis=-1),
    lambda x: ops.mean(x, axis=1, keepdims=True) - 0.5 * x,
    lambda x: x[:, ::-1] ** 2,
    lambda x: ops.concatenate([x[:, 1:], x[:, :1]], axis=1),
    lambda x: layers.GRU(WIDTH)(ops.stack([x, -x], axis=1)),
    lambda x: ops.relu(layers.Conv1D(WIDTH, 2)(ops.stack([x, 1.0 - x], axis=1))[:, 0]),
]
TWO = [
    lambda a, b: layers.Add()([a, b]),
    lambda a, b: layers.Dense(WIDTH)(layers.Concatenate()([a, b])),
    lambda a, b: a * b,
    lambda a, b: ops.where(a > b, a, 2.0 * b),
    lambda a, b: ops.maximum(a, b) / 2,
]


@st.composite
def graphs(draw):
    """A model of one or two inputs, a few steps of the above, some layers shared."""
    gpunn.clear_session()
    gpunn.set_seed(draw(st.integers(0, 99)))
    inputs = [gpunn.Input((WIDTH,), name=f"x{i}") for i in range(draw(st.integers(1, 2)))]
    shared = layers.Dense(WIDTH, name="shared")
    tensors = list(inputs)
    pick = st.integers(0, 99).map(lambda i: tensors[i % len(tensors)])
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.integers(0, 5))
        if kind == 0:
            tensors.append(shared(draw(pick)))
        elif kind < 4:
            tensors.append(draw(st.sampled_from(ONE))(draw(pick)))
        else:
            tensors.append(draw(st.sampled_from(TWO))(draw(pick), draw(pick)))
    made = tensors[len(inputs) :]
    outputs = made[-draw(st.integers(1, min(2, len(made)))) :]
    if draw(st.booleans()):  # inside another model
        model = gpunn.Model(inputs, outputs)
        outer = [gpunn.Input((WIDTH,), name=f"y{i}") for i in range(len(inputs))]
        y = model(outer)
        inputs, outputs = outer, {f"out{i}": x for i, x in enumerate(tree.flatten(y))}
    return gpunn.Model(inputs, outputs)


def predictions(model, x) -> list:
    return tree.flatten(model.predict(x))


@settings(max_examples=12)
@given(model=graphs(), seed=st.integers(0, 99))
def test_copies_predict_the_same(model, seed, tmp_path_factory, device):
    random = np.random.default_rng(seed)
    x = [random.normal(size=(5, WIDTH)).astype("float32") for _ in model.inputs]
    model.set_weights([0.5 * random.normal(size=w.shape) ** 2 for w in model.weights])
    if model.trainable_weights:
        y = tree.map_structure(lambda t: np.zeros((5, WIDTH)), model.output)
        loss = tree.map_structure(lambda _: "mse", model.output)
        eager = copy.deepcopy(model)
        for each in (model, eager):
            each.compile(gpunn.optimizers.SGD(0.01), loss, run_eagerly=each is eager)
            each.fit(x, y, epochs=4, batch_size=5, shuffle=False, verbose=0)
        assert device == "cuda" or model._captured.refused is None
        for a, b in zip(model.get_weights(), eager.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    expected = predictions(model, x)
    path = tmp_path_factory.mktemp("graph") / "model.gpunn"
    model.save(path)
    clone = gpunn.models.clone_model(model)
    clone.set_weights(model.get_weights())
    alike = type(model).from_config(model.get_config())
    alike.set_weights(model.get_weights())
    for twin in (gpunn.load_model(path), clone, alike, copy.deepcopy(model)):
        for a, b in zip(predictions(twin, x), expected, strict=True):
            np.testing.assert_array_equal(a, b)
    if device == "cpu" and not cuda_problem():
        other = copy.deepcopy(model).to("cuda")
    else:
        other = copy.deepcopy(model).to("cpu")
    for a, b in zip(predictions(other, x), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

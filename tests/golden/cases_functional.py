"""Graph models, built alike by Keras and gpunn: `CASES[name](keras)` gives a model."""

import numpy as np


def values(shape, k: int) -> np.ndarray:
    """Numbers in (-1, 1) that differ from place to place and from array to array."""
    n = int(np.prod(shape))
    return np.sin(np.arange(1, n + 1) * (1.3 + 0.17 * k)).reshape(shape).astype("float32")


def weights(model) -> list:
    return [0.5 * values(w.shape, i) for i, w in enumerate(model.weights)]


def data(shapes, k: int) -> list:
    return [values([5 if i == 0 else n or 6 for i, n in enumerate(s)], k + j)
            for j, s in enumerate(shapes)]  # fmt: skip


def two_inputs(keras):
    layers = keras.layers
    a, b = keras.Input((8,), name="a"), keras.Input((3,), name="b")
    x = layers.Dense(4, activation="tanh")(a)
    z = layers.concatenate([layers.Dense(3)(x), b])
    first = layers.Dense(2, name="first")(z)
    second = layers.Dense(2, name="second")(layers.Dense(2, name="before")(z) + first)
    return keras.Model([a, b], [first, second])


def shared_at_different_depths(keras):
    layers = keras.layers
    a, b = keras.Input((4,)), keras.Input((4,))
    shared, other = layers.Dense(4, activation="tanh"), layers.Dense(4)
    x = shared(shared(other(a)))
    y = shared(b)
    return keras.Model([b, a], layers.Dense(3)(layers.add([x, y, other(b)])))


def branches(keras):
    layers = keras.layers
    x = keras.Input((5,))
    many = [layers.Dense(3)(layers.Dense(3)(x)) if i % 2 else layers.Dense(3)(x) for i in range(5)]
    joined = layers.average([many[3], many[0], layers.Dense(3)(many[4]), many[1], many[2]])
    return keras.Model(x, joined)


def residual_blocks(keras):
    layers = keras.layers
    inputs = keras.Input((9, 9, 2))
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    first = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(4, 3, activation="relu", padding="same")(first)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(4, 3, padding="same")(x)
    x = layers.Activation("relu")(layers.add([x, first]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3)(layers.Dropout(0.5)(x)))


def nested(keras):
    layers = keras.layers
    a = keras.Input((6,))
    encoder = keras.Model(a, layers.Dense(3)(layers.Dense(5, activation="relu")(a)))
    decoder = keras.Sequential([layers.Dense(4, activation="tanh"), layers.Dense(6)])
    inputs = keras.Input((6,))
    code = encoder(inputs)
    return keras.Model(inputs, [decoder(code), code * 2.0, encoder(decoder(code))])


def ops_between(keras):
    layers, ops = keras.layers, keras.ops
    x = keras.Input((4, 6))
    a, b = ops.split(layers.Dense(6)(x), 2, axis=-1)
    scores = ops.softmax(ops.matmul(a, ops.transpose(b, (0, 2, 1))) / 3.0, axis=-1)
    y = ops.matmul(scores, x) - 0.5 * x
    y = ops.where(y > 0, y, 0.1 * y) * 2 + ops.mean(x, axis=1, keepdims=True)
    y = ops.concatenate([y[:, 0], y[:, -1, ::2], ops.max(y, axis=1)], axis=-1)
    y = 1.0 - layers.Dense(4)(y) / 2.0
    return keras.Model(x, ops.reshape(ops.stack([y, -y], axis=1), (-1, 8)))


def named_structures(keras):
    layers = keras.layers
    inputs = {"b": keras.Input((3,), name="b"), "a": keras.Input((2,), name="a")}
    x = layers.Concatenate()([inputs["b"], inputs["a"]])
    outputs = {"y": layers.Dense(2)(x), "x": layers.Dense(1)(inputs["a"])}
    return keras.Model(inputs, outputs)


def states(keras):
    layers = keras.layers
    a, b = keras.Input((None, 3)), keras.Input((None, 2))
    _, *state = layers.LSTM(4, return_state=True)(a)
    y = layers.LSTM(4, return_sequences=True)(b, initial_state=state)
    return keras.Model([a, b], layers.TimeDistributed(layers.Dense(2))(y))


def from_within(keras):
    """From a tensor in the middle of another graph, with an op's result among the outputs."""
    layers = keras.layers
    inputs = keras.Input((4,))
    middle = layers.Dense(3, activation="relu")(inputs)
    y = layers.Dense(2)(middle)
    return keras.Model(middle, [y, y + 1.0])


def embedded(keras):
    layers = keras.layers
    a, b = keras.Input((6,), dtype="int32"), keras.Input((6,), dtype="int32")
    embedding = layers.Embedding(9, 4)
    x = layers.Dot(axes=2)([embedding(a), embedding(b)])
    return keras.Model([a, b], layers.Dense(2)(layers.Flatten()(x)))


CASES = {f.__name__: f for f in (
    two_inputs, shared_at_different_depths, branches, residual_blocks, nested, ops_between,
    named_structures, states, from_within, embedded,
)}  # fmt: skip


def inputs_of(name: str, model) -> list:
    """Arrays for the flat inputs."""
    xs = data([x.shape for x in model.inputs], 3)
    return [np.abs(x * 8).astype("int32") for x in xs] if name == "embedded" else xs


def packed(model, xs):
    """The arrays as the model takes them: by name, in a list, or alone."""
    if isinstance(model.input, dict):
        return dict(zip([x.name for x in model.inputs], xs, strict=True))
    return xs if len(xs) > 1 else xs[0]


def targets_of(model, shapes):
    ys = data([(5, *shape[1:]) for shape in shapes], 11)
    if isinstance(model.output, dict):
        return dict(zip(sorted(model.output), ys, strict=True))
    return ys if len(ys) > 1 else ys[0]

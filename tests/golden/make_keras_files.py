"""Models that Keras saves, and what they predict.

KERAS_BACKEND=jax python tests/golden/make_keras_files.py
"""

from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

HERE = Path(__file__).parent


@keras.saving.register_keras_serializable("golden")
class Scale(layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.shift = self.add_weight(shape=input_shape[-1:], initializer="ones", name="shift")

    def call(self, x):
        return x * self.factor + self.shift

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def sequential():
    model = keras.Sequential(
        [
            keras.Input((6, 6, 4)),
            layers.Conv2D(4, 3, groups=2, padding="same", activation="relu"),
            layers.BatchNormalization(momentum=0.5),
            layers.SeparableConv2D(3, 2),
            layers.Dropout(0.0),
            layers.Reshape((-1, 3)),
            layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode="sum"),
            layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_sequences=True),
            layers.TimeDistributed(keras.Sequential([layers.Dense(2), layers.PReLU()])),
            layers.Conv1D(2, 3, padding="causal"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", kernel_regularizer="l2"),
        ],
        name="sequential_of_keras",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def functional():
    words = keras.Input((None,), dtype="int32", name="words")
    more = keras.Input((5,), name="more")
    x = layers.Embedding(9, 6, mask_zero=True)(words)
    x = layers.LSTM(6, return_sequences=True)(x)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 3)(x, x))
    x = layers.GroupQueryAttention(3, 4, 2)(x, x)
    x, h, c = layers.LSTM(5, return_state=True)(x)
    shared = layers.Dense(5, name="shared")
    y = ops.relu(shared(more)) * 2 - shared(h)[:, :1] + ops.mean(c, axis=1, keepdims=True)
    inside = keras.Input((5,))
    nested = keras.Model(inside, layers.Dense(5, name="k")(layers.Dense(3)(inside)), name="nested")
    y = layers.Concatenate()([nested(x), Scale(3.0)(y), ops.exp(-ops.square(y))])
    a, b = layers.Dense(3, activation="gelu", name="a")(y), layers.Dense(1, name="b")(y)
    model = keras.Model([words, more], [a, b], name="functional_of_keras")
    model.compile(
        keras.optimizers.AdamW(1e-3), loss={"a": "mse", "b": "mae"}, metrics={"a": ["mae"]}
    )
    return model


def main():
    random = np.random.default_rng(0)
    images = random.normal(size=(4, 6, 6, 4)).astype("float32")
    words = random.integers(0, 9, (4, 5)).astype("int32")
    more = random.normal(size=(4, 5)).astype("float32")
    one, two = sequential(), functional()
    one.fit(images, np.arange(4) % 3, epochs=3, verbose=0)
    two.fit([words, more], [np.zeros((4, 3)), np.zeros((4, 1))], epochs=2, verbose=0)
    for model in (one, two):
        model.save(HERE / f"{model.name}.keras")
    two.save_weights(HERE / "functional_of_keras.weights.h5")
    a, b = two.predict([words, more], verbose=0)
    given = {"images": images, "words": words, "more": more}
    scores = one.predict(images, verbose=0)
    again = one.train_on_batch(images, np.arange(4) % 3)[0]  # with the optimizer's state
    after = one.predict(images, verbose=0)
    np.savez_compressed(
        HERE / "keras_files.npz", **given, scores=scores, a=a, b=b, again=again, after=after
    )


if __name__ == "__main__":
    main()

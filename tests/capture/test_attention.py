"""A captured step of the layers of transformers gives the bits of the eager one."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.ops import attention_tiles
from tests.capture.steps import batches, train
from tests.capture.test_steps import assert_captured

STEPS, WIDTH = 5, 6


class ToItself(layers.Layer):
    """A layer of two inputs on one."""

    supports_masking = True

    def __init__(self, layer, **options):
        super().__init__()
        self.layer = layer
        self.options = options

    def call(self, x):
        return self.layer(x, x, **self.options)


class Pair(ToItself):
    def call(self, x):
        return self.layer([x, x], **self.options)


class Added(ToItself):
    def call(self, x):
        return x + self.layer(x)


class Scores(ToItself):
    def call(self, x):
        return self.layer(x, x, return_attention_scores=True)[0]


CAUSAL = {"use_causal_mask": True}
LAYERS = {
    "mha": lambda: [ToItself(layers.MultiHeadAttention(2, 3))],
    "causal": lambda: [ToItself(layers.MultiHeadAttention(2, 3), **CAUSAL)],
    "dropout": lambda: [ToItself(layers.MultiHeadAttention(2, 3, dropout=0.3))],
    "window": lambda: [ToItself(layers.MultiHeadAttention(2, 3, sliding_window=2, use_gate=True))],
    "grouped": lambda: [ToItself(layers.GroupQueryAttention(3, 4, 2), **CAUSAL)],
    "scores": lambda: [Scores(layers.MultiHeadAttention(2, 3))],
    "two axes": lambda: [
        layers.Reshape((STEPS, 2, WIDTH // 2)),
        ToItself(layers.MultiHeadAttention(1, 2, attention_axes=(1, 2))),
    ],
    "attention": lambda: [Pair(layers.Attention(use_scale=True), **CAUSAL)],
    "additive": lambda: [Pair(layers.AdditiveAttention(), **CAUSAL)],
    "encoder": lambda: [layers.TransformerEncoder(7, 2, dropout=0.2)],
    "decoder": lambda: [layers.TransformerDecoder(7, 2, activation="gelu", normalize_first=True)],
    "crossing": lambda: [ToItself(layers.TransformerDecoder(7, 2))],
    "rotary": lambda: [layers.RotaryEmbedding()],
    "sines": lambda: [Added(layers.SinePositionEncoding())],
    "positions": lambda: [Added(layers.PositionEmbedding(STEPS))],
    "masked": lambda: [layers.Masking(0.0), ToItself(layers.MultiHeadAttention(2, 3))],
}


def model_of(parts):
    def make():
        first = [] if parts is LAYERS["masked"] else [layers.Dense(WIDTH)]
        inputs = gpunn.Input((STEPS, WIDTH))
        last = [layers.GlobalAveragePooling1D(), layers.Dense(3)]
        last = last if parts is not LAYERS["two axes"] else [layers.Flatten(), layers.Dense(3)]
        model = gpunn.Sequential([inputs, *first, *parts(), *last])
        model.compile("adam", "mse")
        return model

    return make


class LanguageModel(gpunn.Model):
    def __init__(self, tied):
        super().__init__()
        self.embedding = layers.TokenAndPositionEmbedding(9, STEPS, WIDTH, tie_weights=tied)
        self.blocks = [
            layers.TransformerDecoder(8, 2, dropout=0.1, normalize_first=True) for _ in range(2)
        ]
        self.norm = layers.LayerNormalization()

    def call(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.embedding.token_embedding(self.norm(x), reverse=True)


def data(dtype="float32"):
    found = [
        (x.reshape(-1, STEPS, WIDTH), y)
        for x, y in batches(4, 3, STEPS * WIDTH, target=3, dtype=dtype)
    ]
    for x, _ in found:
        x[0, 3:] = 0  # what Masking hides
    return found


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    assert_captured(train(model_of(LAYERS[name]), data()))


@pytest.mark.parametrize("name", ["mha", "causal", "grouped", "masked"])
def test_tiles(name, monkeypatch):
    monkeypatch.setattr("gpunn.ops.attention.LARGEST", 0)
    monkeypatch.setattr(attention_tiles, "SHORTEST", 2)
    monkeypatch.setattr(attention_tiles, "TILE", {"cpu": 1})
    assert_captured(train(model_of(LAYERS[name]), data()))


def test_float64():
    gpunn.backend.set_floatx("float64")
    assert_captured(train(model_of(LAYERS["decoder"]), data("float64")))


@pytest.mark.parametrize("tied", [True, False], ids=["tied", ""])
def test_language_model(tied):
    def make():
        model = LanguageModel(tied)
        model(np.zeros((1, STEPS), "int32"))
        loss = gpunn.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(gpunn.optimizers.AdamW(), loss, metrics=["accuracy"])
        return model

    random = np.random.default_rng(0)
    texts = [random.integers(0, 9, (4, STEPS + 1)).astype("int32") for _ in range(5)]
    assert_captured(train(make, [(t[:, :-1], t[:, 1:]) for t in texts]))

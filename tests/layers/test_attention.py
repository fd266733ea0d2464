"""The layers of transformers against Keras and Keras-hub, and what else is asked of them."""

from types import SimpleNamespace

import numpy as np
import pytest

import gpunn
from gpunn import layers, tree
from tests.golden.cases_attention import CASES, inputs, mask, on_masked, values, weights
from tests.harness import assert_close, golden, rand

GOLDEN = golden("attention")
LAYERS = SimpleNamespace(**{name: getattr(layers, name) for name in layers.__all__})


def found(prefix):
    """The golden arrays whose names go on with a number, in order."""
    names = [n for n in GOLDEN if n.startswith(prefix) and n[len(prefix) :].isdigit()]
    return [GOLDEN[f"{prefix}{i}"] for i in range(len(names))]


def tensors(given, dtype="float32"):
    """The inputs as tensors; floats require gradients."""
    made = tree.map_structure(
        lambda x: gpunn.Tensor(x if x.dtype == "int32" else x.astype(dtype)), given
    )
    floats = [x.requires_grad_() for x in tree.flatten(made) if x.dtype == dtype]
    return made, floats


def build(case, **options):
    make, kinds, more = CASES[case]
    layer = make(LAYERS)
    if options:
        layer = type(layer).from_config({**layer.get_config(), **options})
    given = inputs(kinds)
    layer(**given, **more)
    layer.set_weights(weights(layer))
    return layer, given, more


@pytest.mark.parametrize("case", CASES)
def test_against_keras(case, device):
    layer, given, more = build(case)
    given, floats = tensors(given)
    ys = tree.flatten(layer(**given, **more))
    expected = found(f"{case}/y")
    assert len(ys) == len(expected)
    for y, e in zip(ys, expected, strict=True):
        assert_close(y, e, rtol=2e-5, atol=2e-6)
        assert y.device.kind == device
    loss = sum((y * values(y.shape, 50 + i)).sum() for i, y in enumerate(ys))
    assert len(layer.trainable_weights) == len(found(f"{case}/dw"))
    if not loss.requires_grad:  # of sines
        return
    loss.backward()
    for x, dx in zip(floats, found(f"{case}/dx"), strict=True):
        assert_close(np.zeros(x.shape) if x.grad is None else x.grad, dx, "gradient", "float32")
    for v, dw in zip(layer.trainable_weights, found(f"{case}/dw"), strict=True):
        grad = np.zeros(v.shape) if v.grad is None else v.grad
        assert_close(grad, dw, "gradient", "float32", label=v.path)


@pytest.mark.parametrize("case", CASES)
def test_names_config_and_copies(case):
    layer, given, more = build(case)
    assert [v.name for v in layer.weights] == GOLDEN[f"{case}/names"].tolist()
    config = layer.get_config()
    theirs, ours = set(GOLDEN[f"{case}/config"].tolist()), set(config)
    assert ours <= theirs and theirs - ours <= {"activity_regularizer", "quantization_config"}
    again = type(layer).from_config(config)
    assert again.get_config() == config
    expected = tree.flatten(layer(**given, **more))
    again(**given, **more)
    again.set_weights(layer.get_weights())
    for y, e in zip(tree.flatten(again(**given, **more)), expected, strict=True):
        assert_close(y, e.numpy(), rtol=0, atol=0)
    same = layers.deserialize(layers.serialize(layer))
    assert type(same) is type(layer) and same.get_config() == config


FLOAT64 = ["mha_pairs", "mha_two_axes_scores", "gqa_causal_scores", "attention_concat", "additive",
           "rotary_heads", "encoder_first", "decoder_cross"]  # fmt: skip


@pytest.mark.parametrize("case", FLOAT64)
def test_gradients_in_float64(case):
    layer, given, more = build(case, dtype="float64")
    names = list(given)
    leaves = tree.flatten(given)

    def run(*arrays):
        ys = tree.flatten(layer(**tree.pack(dict(zip(names, given.values(), strict=True)), arrays),
                                **more))  # fmt: skip
        return tuple(ys) if len(ys) > 1 else ys[0]

    gpunn.autograd.check_gradients(run, *[x.astype("float64") for x in leaves])


@pytest.mark.parametrize("case", CASES)
def test_shapes(case):
    layer, given, more = build(case)
    symbols = tree.map_structure(
        lambda x: gpunn.autograd.KerasTensor((None, *x.shape[1:]), x.dtype.name), given
    )
    ys = tree.flatten(layer(**given, **more))
    if any(hasattr(m, "shape") for m in tree.flatten(more)):  # arrays of one batch size
        symbols = tree.map_structure(
            lambda x: gpunn.autograd.KerasTensor(x.shape, x.dtype.name), given
        )
    found = tree.flatten(layer(**symbols, **more))
    for y, s in zip(ys, found, strict=False):
        assert len(s.shape) == y.ndim
        assert all(n in (None, m) for n, m in zip(s.shape, y.shape, strict=True))
        assert s.dtype == y.dtype


def test_masks_of_embeddings(device):
    models = on_masked(LAYERS, gpunn.Model)
    for name, (model, given) in models.items():
        y = model.predict(given, verbose=0)
        assert_close(y, GOLDEN[f"masked/{name}"], rtol=1e-5, atol=5e-6, label=name)


def test_masks_that_inputs_carry(device):
    x = values((2, 4, 6), 1)
    steps = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    masked = gpunn.autograd.with_mask(x, steps)
    mha = layers.MultiHeadAttention(2, 3)
    y = mha(masked, masked)
    assert_close(y, mha(masked, x, value_mask=steps).numpy())  # its projections are made one by one
    assert_close(y.numpy()[steps], mha(x, x, value_mask=steps).numpy()[steps])
    assert_close(y._keras_mask, steps)
    plain = layers.Attention()
    y = plain([masked, masked])
    assert_close(y, plain([x, x], mask=[steps, steps]).numpy(), rtol=0, atol=0)
    encoder = layers.TransformerEncoder(5, 2)
    y = encoder(masked)
    assert_close(y.numpy()[steps], encoder(x, padding_mask=steps).numpy()[steps])
    assert_close(y._keras_mask, steps)
    changed = x.copy()
    changed[~steps] = 9.0
    again = encoder(gpunn.autograd.with_mask(changed, steps))
    assert_close(again.numpy()[steps], y.numpy()[steps])
    decoder = layers.TransformerDecoder(5, 2)
    y = decoder(masked, masked)
    explicit = decoder(x, x, decoder_padding_mask=steps, encoder_padding_mask=steps)
    assert_close(y.numpy(), explicit.numpy())
    tokens = layers.TokenAndPositionEmbedding(9, 4, 6, mask_zero=True)
    y = tokens(np.array([[1, 2, 0, 0]]))
    assert_close(y._keras_mask, [[True, True, False, False]])
    assert_close(encoder(y)._keras_mask, [[True, True, False, False]])


def test_in_models(tmp_path):
    source, target = gpunn.Input((5, 6)), gpunn.Input((4,), dtype="int32")
    embedding = layers.ReversibleEmbedding(9, 6)
    x = embedding(target)
    x = x + layers.PositionEmbedding(4)(x)
    x = layers.TransformerDecoder(7, 2)(x, layers.TransformerEncoder(7, 2)(source))
    model = gpunn.Model([source, target], embedding(x, reverse=True))
    loss = gpunn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    tokens = np.random.default_rng(0).integers(0, 9, (8, 5)).astype("int32")
    given = [values((8, 5, 6), 1), tokens[:, :-1]]
    history = model.fit(given, tokens[:, 1:], epochs=3, verbose=0).history["loss"]
    assert history[2] < history[0]
    expected = model.predict(given, verbose=0)
    assert expected.shape == (8, 4, 9)
    model.save(tmp_path / "model.gpunn")
    again = gpunn.load_model(tmp_path / "model.gpunn")
    assert_close(again.predict(given, verbose=0), expected, rtol=0, atol=0)
    copy = gpunn.models.clone_model(model)
    copy.set_weights(model.get_weights())
    assert_close(copy.predict(given, verbose=0), expected, rtol=0, atol=0)


def test_halves(device):
    x = values((2, 4, 6), 1)
    full, half = (layers.TransformerDecoder(5, 2, dtype=d) for d in ("float32", "float16"))
    y = full(x)
    half(x)
    half.set_weights(full.get_weights())
    assert half(x).dtype == "float16"
    assert_close(half(x), y.numpy(), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("make", [
    lambda: layers.MultiHeadAttention(2, 3, dropout=0.4, seed=1),
    lambda: layers.GroupQueryAttention(3, 4, 2, dropout=0.4, seed=1),
])  # fmt: skip
def test_dropout(make, device):
    x = values((2, 4, 6), 1)
    layer, again = make(), make()
    a, b = layer(x, x, training=True), layer(x, x, training=True)
    assert (a.numpy() != b.numpy()).any() and (a.numpy() != layer(x, x).numpy()).any()
    again(x, x)
    again.set_weights(layer.get_weights())
    assert_close(again(x, x, training=True), a.numpy(), rtol=0, atol=0)
    _, scores = layer(x, x, training=True, return_attention_scores=True)
    assert_close(scores.numpy().sum(-1), np.ones(scores.shape[:-1], "float32"))


@pytest.mark.parametrize("make", [
    lambda flash: layers.MultiHeadAttention(2, 3, flash_attention=flash),
    lambda flash: layers.GroupQueryAttention(3, 4, 2, sliding_window=2, flash_attention=flash),
])  # fmt: skip
def test_flash_attention(make, monkeypatch):
    monkeypatch.setattr("gpunn.ops.attention_tiles.SHORTEST", 2)
    monkeypatch.setattr("gpunn.ops.attention_tiles.TILE", {"cpu": 1})
    x = values((2, 7, 6), 1)
    plain, tiles = make(False), make(True)
    for options in ({}, {"use_causal_mask": True}, {"attention_mask": mask((2, 7, 7), 3)}):
        expected = plain(x, x, **options)
        tiles(x, x, **options)
        tiles.set_weights(plain.get_weights())
        assert_close(tiles(x, x, **options), expected.numpy(), atol=2e-6)


def test_dropout_of_attention():
    x = values((2, 4, 6), 1)
    layer = layers.Attention(dropout=0.4, seed=1)
    assert (layer([x, x], training=True).numpy() != layer([x, x]).numpy()).any()
    y, scores = layer([x, x], training=True, return_attention_scores=True)
    assert (scores.numpy() == 0).any()
    assert_close(y, scores.numpy() @ x, atol=1e-6)
    layer = layers.AdditiveAttention(dropout=0.4, seed=1)
    y, scores = layer([x, x], training=True, return_attention_scores=True)
    assert (scores.numpy() == 0).any()


def test_regularizers_belong_to_the_projections():
    layer = layers.MultiHeadAttention(2, 3, kernel_regularizer="l2", activity_regularizer="l1")
    x = values((2, 4, 6), 1)
    layer(x, x)
    assert len(layer.losses) == 8  # of four kernels and of what four projections give
    assert layer.query_dense.name == "query" and layer.output_dense.built
    assert layer.key_dense.kernel.shape == layer.value_dense.kernel.shape == (6, 2, 3)


X, Y = np.ones((2, 4, 6), "float32"), np.ones((2, 5, 6), "float32")


def built_without_source():
    layer = layers.TransformerDecoder(4, 2)
    layer(X)
    return layer


@pytest.mark.parametrize(("run", "match"), [
    (lambda: layers.MultiHeadAttention(0, 3), "num_heads must be a positive integer"),
    (lambda: layers.MultiHeadAttention(2, 3, dropout=2.0), "dropout"),
    (lambda: layers.MultiHeadAttention(2, 3, attention_axes=0.5), "attention_axes must be"),
    (lambda: layers.MultiHeadAttention(2, 3, attention_axes=3)(X, X), "neither the first"),
    (lambda: layers.MultiHeadAttention(2, 3, flash_attention=True, dropout=0.1), "dropout"),
    (lambda: layers.MultiHeadAttention(2, 3, flash_attention=True)(
        X, X, return_attention_scores=True), "gives no scores"),
    (lambda: layers.MultiHeadAttention(2, 3, sliding_window=0), "sliding_window"),
    (lambda: layers.MultiHeadAttention(2, 3)(X, X, Y), "must be alike but for the last axis"),
    (lambda: layers.Attention()([np.ones((2, 3, 4)), np.ones((3, 5, 4))]), "differ in batch size"),
    (lambda: layers.MultiHeadAttention(2, 3)(X[0], X[0]), "at least \\(batch, length, size\\)"),
    (lambda: layers.MultiHeadAttention(2, 3)(X, X, attention_mask=X[0, 0] > 0), "does not fit"),
    (lambda: layers.MultiHeadAttention(2, 3)(X), "query, value; value is missing"),
    (lambda: layers.MultiHeadAttention(2, 3)(gpunn.Input((3, 4))), "value is missing"),
    (lambda: layers.SinePositionEncoding()(X[0, 0]), "rank >= 2"),
    (lambda: layers.PositionEmbedding(3)(X[0, 0]), "must be known sizes"),
    (lambda: layers.GroupQueryAttention(3, 4, 3), "must divide num_query_heads"),
    (lambda: layers.Attention(score_mode="sum"), "score_mode"),
    (lambda: layers.Attention()(X), "on a list"),
    (lambda: layers.AdditiveAttention()(X), "on a list"),
    (lambda: layers.Attention()([X, X], mask=[None]), "mask must be a list"),
    (lambda: layers.RotaryEmbedding()(X[..., :5]), "must be even"),
    (lambda: layers.RotaryEmbedding(sequence_axis=-1)(X), "two axes"),
    (lambda: layers.RotaryEmbedding(rope_type="odd"), "rope_type"),
    (lambda: layers.PositionEmbedding(3)(X), "positions 0 to 3"),
    (lambda: layers.TokenAndPositionEmbedding(9, 0, 4), "sequence_length"),
    (lambda: layers.TransformerEncoder(4, 7)(X), "fewer features than there are heads"),
    (lambda: layers.TransformerEncoder(4, 2)(X, padding_mask=X > 0), "padding mask must have 2"),
    (lambda: built_without_source()(X, X), "built without an encoder_sequence"),
    (lambda: layers.CachedMultiHeadAttention(2, 3)(X, X, cache_update_index=1), "needs a cache"),
])  # fmt: skip
def test_errors(run, match):
    with pytest.raises(gpunn.errors.GpunnError, match=match):
        run()


class Adapted(layers.Layer):
    """A dense layer with a product of low rank beside it, in the way of Keras' example."""

    def __init__(self, dense):
        super().__init__()
        self.dense = dense
        self.a = layers.Dense(2, use_bias=False)
        self.b = layers.EinsumDense("abc,cde->abde", (None, *dense.output_shape[-2:]))

    def call(self, x):
        return self.dense(x) + self.b(self.a(x))


@pytest.mark.parametrize("which", ["_query_dense", "_key_dense", "_value_dense"])
def test_a_projection_may_be_replaced_by_another_layer(which, device):
    with gpunn.device(device):
        layer = layers.MultiHeadAttention(2, 4)
        x = gpunn.Tensor(rand(2, 3, 8).astype("float32"), device=device)
        before = layer(x, x)
        setattr(layer, which, Adapted(getattr(layer, which)))
        layer(x, x)
        getattr(layer, which).b.kernel.assign(np.zeros((2, 2, 4)))
    np.testing.assert_allclose(layer(x, x).numpy(), before.numpy(), rtol=1e-5, atol=1e-6)

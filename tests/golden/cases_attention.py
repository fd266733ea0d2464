"""The layers of transformers compared with Keras and Keras-hub, and what they are given."""

import numpy as np

B, T, S = 2, 4, 5


def values(shape, seed, low=-1.0, high=1.0):
    """Uniform float32 values, no two of them alike in different seeds."""
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def inputs(kinds):
    """The tensors of a call by name: of shapes for floats, or ("int", shape, n)."""
    return {name: _made(kind, 7 + 10 * i) for i, (name, kind) in enumerate(kinds.items())}


def _made(kind, seed):
    if isinstance(kind, list):
        return [_made(k, seed + j) for j, k in enumerate(kind)]
    if kind[0] == "int":
        return np.random.default_rng(seed).integers(0, kind[2], kind[1]).astype(np.int32)
    return values(kind, seed, -1.5, 1.5)


def weights(layer):
    """Values for the weights."""
    return [values(v.shape, 20 + i, -0.9, 0.9) for i, v in enumerate(layer.weights)]


def mask(shape, seed, empty=False):
    """Booleans, about two of three True; with a row of False alone if `empty`."""
    found = np.random.default_rng(seed).random(shape) < 0.67
    found[..., 0] = True
    if empty:
        found[(0,) * (len(shape) - 1)] = False
    return found


SELF = {"query": (B, T, 6), "value": (B, T, 6)}
CROSS = {"query": (B, T, 6), "value": (B, S, 4)}
THREE = {**CROSS, "key": (B, S, 3)}
PAIR = [(B, T, 3), (B, S, 3)]
CAUSAL, SCORES = {"use_causal_mask": True}, {"return_attention_scores": True}
STEPS = {
    "query_mask": mask((B, T), 1, True),
    "value_mask": mask((B, S), 2),
    "key_mask": mask((B, S), 3),
}
PAIRS = {"attention_mask": mask((B, T, S), 4, True)}
SQUARE = {"attention_mask": mask((B, T, T), 5)}
FRAMES = {"query": (B, 3, T, 6), "value": (B, 3, T, 6)}
SOURCE = {"decoder_sequence": (B, T, 6), "encoder_sequence": (B, S, 4)}
BLOCK = {"intermediate_dim": 5, "num_heads": 2}
SELF_CACHE, CROSS_CACHE = values((B, 2, T, 2, 3), 60), values((B, 2, S, 2, 3), 61)
STEP = {"decoder_sequence": (B, 1, 6)}
AT = {"self_attention_cache": SELF_CACHE, "self_attention_cache_update_index": 2}
SOURCE_AT = {**AT, "cross_attention_cache": CROSS_CACHE}
POSITIONS = np.array([[3, 1, 4, 1], [5, 9, 2, 6]], np.int32)


def mha(**options):
    return lambda k: k.MultiHeadAttention(2, 3, **options)


def gqa(**options):
    return lambda k: k.GroupQueryAttention(3, 4, 2, **options)


# name: (what makes the layer of a module, the tensors, other arguments of the call)
CASES = {
    "mha": (mha(), SELF, {}),
    "mha_cross": (mha(), CROSS, {}),
    "mha_three": (mha(use_bias=False, output_shape=7), THREE, {}),
    "mha_causal": (mha(), SELF, CAUSAL),
    "mha_causal_cross": (mha(), CROSS, CAUSAL),
    "mha_scores": (mha(value_dim=5), CROSS, SCORES),
    "mha_causal_scores": (mha(), SELF, {**CAUSAL, **SCORES}),
    "mha_steps": (mha(), THREE, STEPS),
    "mha_pairs": (mha(), CROSS, PAIRS),
    "mha_pairs_scores": (mha(), CROSS, {**PAIRS, **SCORES}),
    "mha_all": (mha(use_gate=True, value_dim=4, dropout=0.1), THREE, {**STEPS, **PAIRS, **CAUSAL}),
    "mha_dropout": (mha(dropout=0.5), CROSS, PAIRS),
    "mha_dropout_causal": (mha(dropout=0.5), SELF, CAUSAL),
    "mha_window": (mha(sliding_window=2), SELF, {}),
    "mha_window_causal": (mha(sliding_window=2), SELF, CAUSAL),
    "mha_gate": (mha(use_gate=True), SELF, {}),
    "mha_shapes": (mha(output_shape=(2, 4)), SELF, {}),
    "mha_one_head": (lambda k: k.MultiHeadAttention(1, 1), SELF, {}),
    "mha_two_axes": (mha(attention_axes=(1, 2)), FRAMES, {}),
    "mha_two_axes_scores": (mha(attention_axes=(1, 2)), FRAMES, SCORES),
    "mha_second_axis": (mha(attention_axes=2, value_dim=4), FRAMES, SCORES),
    "mha_last_axis_mask": (
        mha(attention_axes=-2),
        FRAMES,
        {"attention_mask": mask((B, 3, T, T), 6)},
    ),
    "mha_default_axes": (
        mha(), FRAMES, {"attention_mask": mask((B, 3, T, 3, T), 6, True), **SCORES}
    ),
    "gqa": (gqa(), SELF, {}),
    "gqa_cross": (gqa(use_bias=False), {"query": (B, T, 6), "value": (B, S, 6)}, PAIRS),
    "gqa_causal_scores": (gqa(), SELF, {**CAUSAL, **SCORES}),
    "gqa_steps": (gqa(use_gate=True), SELF, {"query_mask": STEPS["query_mask"], **CAUSAL}),
    "gqa_window": (gqa(sliding_window=2, dropout=0.3), SELF, SQUARE),
    "gqa_one": (lambda k: k.GroupQueryAttention(3, 4, 1), SELF, CAUSAL),
    "attention": (lambda k: k.Attention(), {"inputs": PAIR}, {}),
    "attention_key": (
        lambda k: k.Attention(use_scale=True), {"inputs": [*PAIR[:1], (B, S, 4), (B, S, 3)]}, SCORES
    ),
    "attention_concat": (
        lambda k: k.Attention(use_scale=True, score_mode="concat"), {"inputs": PAIR}, SCORES
    ),
    "attention_concat_causal": (
        lambda k: k.Attention(score_mode="concat"),
        {"inputs": PAIR},
        {**CAUSAL, "mask": [None, STEPS["value_mask"]]},
    ),
    "attention_masks": (
        lambda k: k.Attention(),
        {"inputs": PAIR},
        {"mask": [STEPS["query_mask"], STEPS["value_mask"]], **SCORES},
    ),
    "attention_causal": (lambda k: k.Attention(dropout=0.5), {"inputs": PAIR}, CAUSAL),
    "additive": (lambda k: k.AdditiveAttention(), {"inputs": PAIR}, SCORES),
    "additive_plain": (
        lambda k: k.AdditiveAttention(use_scale=False),
        {"inputs": PAIR},
        {"mask": [STEPS["query_mask"], STEPS["value_mask"]], **CAUSAL},
    ),
    "rotary": (lambda k: k.RotaryEmbedding(), {"inputs": (B, T, 6)}, {}),
    "rotary_heads": (lambda k: k.RotaryEmbedding(), {"inputs": (B, T, 2, 6)}, {"start_index": 3}),
    "rotary_axes": (
        lambda k: k.RotaryEmbedding(100, 2.0, sequence_axis=2, feature_axis=1),
        {"inputs": (B, 4, 3)},
        {},
    ),
    "rotary_positions": (
        lambda k: k.RotaryEmbedding(), {"inputs": (B, T, 2, 6)}, {"positions": POSITIONS}
    ),
    "rotary_dynamic": (
        lambda k: k.RotaryEmbedding(rope_type="dynamic", scaling_factor=4.0),
        {"inputs": (B, T, 6)},
        {},
    ),
    "rotary_yarn": (
        lambda k: k.RotaryEmbedding(rope_type="yarn", scaling_factor=4.0, beta_fast=4.0),
        {"inputs": (B, T, 12)},
        {},
    ),
    "rotary_denominator": (
        lambda k: k.RotaryEmbedding(denominator_dim=8), {"inputs": (B, T, 6)}, {}
    ),
    "sines": (lambda k: k.SinePositionEncoding(), {"inputs": (B, T, 6)}, {}),
    "sines_odd": (lambda k: k.SinePositionEncoding(50), {"inputs": (B, T, 5)}, {"start_index": 2}),
    "position": (lambda k: k.PositionEmbedding(9), {"inputs": (B, T, 6)}, {}),
    "position_start": (lambda k: k.PositionEmbedding(9), {"inputs": (B, T, 6)}, {"start_index": 3}),
    "position_given": (
        lambda k: k.PositionEmbedding(10), {"inputs": (B, T, 6)}, {"positions": POSITIONS}
    ),
    "reversible": (lambda k: k.ReversibleEmbedding(9, 4), {"inputs": ("int", (B, T), 9)}, {}),
    "reversible_back": (
        lambda k: k.ReversibleEmbedding(9, 4, logit_soft_cap=0.5),
        {"inputs": (B, T, 4)},
        {"reverse": True},
    ),
    "reversible_untied": (
        lambda k: k.ReversibleEmbedding(9, 4, tie_weights=False),
        {"inputs": (B, T, 4)},
        {"reverse": True},
    ),
    "tokens": (
        lambda k: k.TokenAndPositionEmbedding(9, 7, 4), {"inputs": ("int", (B, T), 9)}, {}
    ),
    "tokens_start": (
        lambda k: k.TokenAndPositionEmbedding(9, 7, 4, tie_weights=False),
        {"inputs": ("int", (B, T), 9)},
        {"start_index": 2},
    ),
    "cached": (
        lambda k: k.CachedMultiHeadAttention(2, 3),
        {"query": (B, 1, 6), "value": (B, 1, 6)},
        {"cache": SELF_CACHE, "cache_update_index": 1, "attention_mask": mask((B, 1, T), 8)},
    ),
    "cached_static": (
        lambda k: k.CachedMultiHeadAttention(2, 3),
        {"query": (B, T, 6), "value": (B, 1, 6)},
        {"cache": SELF_CACHE, **SCORES},
    ),
    "encoder": (lambda k: k.TransformerEncoder(**BLOCK), {"inputs": (B, T, 6)}, {}),
    "encoder_first": (
        lambda k: k.TransformerEncoder(activation="gelu", normalize_first=True, **BLOCK),
        {"inputs": (B, T, 6)},
        {"padding_mask": mask((B, T), 9), **SQUARE},
    ),
    "encoder_scores": (
        lambda k: k.TransformerEncoder(dropout=0.2, **BLOCK),
        {"inputs": (B, T, 6)},
        {"padding_mask": mask((B, T), 9), **SCORES},
    ),
    "decoder": (lambda k: k.TransformerDecoder(**BLOCK), {"decoder_sequence": (B, T, 6)}, {}),
    "decoder_first": (
        lambda k: k.TransformerDecoder(normalize_first=True, layer_norm_epsilon=0.01, **BLOCK),
        {"decoder_sequence": (B, T, 6)},
        {"decoder_padding_mask": mask((B, T), 10), "decoder_attention_mask": mask((B, T, T), 11)},
    ),
    "decoder_not_causal": (
        lambda k: k.TransformerDecoder(**BLOCK),
        {"decoder_sequence": (B, T, 6)},
        {"use_causal_mask": False},
    ),
    "decoder_cross": (
        lambda k: k.TransformerDecoder(**BLOCK),
        SOURCE,
        {"encoder_padding_mask": mask((B, S), 12), "encoder_attention_mask": mask((B, T, S), 13)},
    ),
    "decoder_cached": (lambda k: k.TransformerDecoder(**BLOCK), STEP, AT),
    "decoder_cached_static": (
        lambda k: k.TransformerDecoder(**BLOCK), STEP, {"self_attention_cache": SELF_CACHE}
    ),
    "decoder_cached_cross": (
        lambda k: k.TransformerDecoder(normalize_first=True, **BLOCK),
        {**STEP, "encoder_sequence": (B, S, 4)},
        {**SOURCE_AT, "cross_attention_cache_update_index": 0},
    ),
    "decoder_cached_cross_static": (
        lambda k: k.TransformerDecoder(**BLOCK),
        {**STEP, "encoder_sequence": (B, S, 4)},
        SOURCE_AT,
    ),
}  # fmt: skip

TOKENS = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0]], np.int32)
OTHERS = np.array([[3, 1, 0, 0], [2, 2, 2, 0]], np.int32)
ON_MASKED = {
    "mha": lambda k, x: k.MultiHeadAttention(2, 3)(x, x),
    "gqa": lambda k, x: k.GroupQueryAttention(3, 4, 2)(x, x),
    "attention": lambda k, x: k.Attention()([x, x]),
    "encoder": lambda k, x: k.TransformerEncoder(16, 2)(x),
    "encoder_first": lambda k, x: k.TransformerEncoder(16, 2, normalize_first=True)(x),
}


def on_masked(k, model):
    """Models of tokens with padding by name, and what they are given."""
    found = {}
    for name, run in ON_MASKED.items():
        tokens = k.Input((5,), dtype="int32")
        found[name] = model(tokens, run(k, k.Embedding(9, 8, mask_zero=True)(tokens))), TOKENS
    for first in (False, True):
        source, target = k.Input((5,), dtype="int32"), k.Input((4,), dtype="int32")
        decoder = k.TransformerDecoder(16, 2, normalize_first=first)
        x, y = (k.Embedding(9, 8, mask_zero=True)(t) for t in (source, target))
        name = "decoder_first" if first else "decoder"
        found[name] = model([source, target], decoder(y, x)), [TOKENS, OTHERS]
    for made, _ in found.values():
        made.set_weights(weights(made))
    return found

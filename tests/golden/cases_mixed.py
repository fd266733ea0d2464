"""Layers with mixed dtype policies, and the losses' gradients that a loss scale meets."""

import numpy as np

POLICIES = ("mixed_float16", "mixed_bfloat16")
CASES = {
    "dense": ("Dense", {"units": 5, "activation": "tanh"}, (4, 7)),
    "conv": ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "same"}, (2, 6, 5, 3)),
    "lstm": ("LSTM", {"units": 4, "return_sequences": True}, (3, 5, 4)),
    "layer_norm": ("LayerNormalization", {}, (4, 9)),
    "batch_norm": ("BatchNormalization", {}, (4, 9)),
    "softmax": ("Softmax", {}, (4, 9)),
}
# one gradient per step, of a scale that starts at 8 and is doubled after 3 steps
GRADIENTS = (8.0, 4.0, np.inf, 2.0, -6.0, 3.0, 5.0, np.nan, 1.0)


def inputs(name: str) -> np.ndarray:
    """Inputs of a layer; those of normalizations overflow float16 when they are squared."""
    _, _, shape = CASES[name]
    x = np.random.default_rng(len(name)).normal(size=shape).astype(np.float32)
    return 500 * x if name.endswith("norm") else x


def cotangent(shape) -> np.ndarray:
    """What the gradients of a layer's outputs are."""
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def values(shape, seed: int) -> np.ndarray:
    """The values of a weight."""
    return np.random.default_rng(seed).uniform(0.1, 0.6, shape).astype(np.float32)

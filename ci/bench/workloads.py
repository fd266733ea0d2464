"""The rows of the comparison: models, data and weights, the same for every contender.

NumPy only, so that each contender's interpreter can import it.
"""

from math import prod
from typing import NamedTuple

import numpy as np


class Workload(NamedTuple):
    """One row.

    A `net` is a list of layers as words: "dense 512", "conv 64 same" (3 x 3), "norm" (batch
    normalization), "pool" (the largest of 2 x 2), "flatten", "embed 64 32" (vocabulary, width),
    "lstm 256" and "gru 256" (all steps' outputs), "tokens 64 32 128" (vocabulary, positions,
    width), "block 4 512" (a decoder as in GPT: heads, inner width), "layernorm", "relu", "sigmoid".
    `kind` is what is timed: a training "step", a whole "fit", or "predict" of the batch.
    """

    title: str
    shape: tuple[int, ...]  # of one example
    net: list[str]
    loss: str  # "mse" and "bce" of sigmoid outputs, "ce" of logits and integer labels
    optimizer: str  # "adam" or "sgd"
    rows: int
    batch: int
    kind: str = "step"
    rate: float = 0.001

    @property
    def layers(self) -> list[tuple]:
        """The layers with weights or shapes of their own, as (name, *arguments)."""
        words = [layer.split() for layer in self.net]
        return [tuple([int(w) if w.isdigit() else w for w in layer]) for layer in words]


def dense(*sizes: int, top: str | None = None) -> list[str]:
    """Dense layers with relu between them."""
    net = [part for n in sizes for part in (f"dense {n}", "relu")]
    return net[:-1] if top is None else [*net[:-1], top]


def blocks(*filters: int) -> list[str]:
    """Pairs of convolutions with batch normalization, and a pooling after each."""
    conv = [[f"conv {n} same", "norm", "relu"] * 2 + ["pool"] for n in filters]
    return [part for block in conv for part in block]


def gpt(context: int) -> list[str]:
    """A language model of four blocks."""
    return [f"tokens 64 {context} 128", *["block 4 512"] * 4, "layernorm", "dense 64"]


DIGITS = ((784,), dense(512, 256, 10), "ce", "adam")
TABLE = ((20,), dense(64, 1, top="sigmoid"), "bce", "adam")
LENET = ["conv 32", "relu", "conv 64", "relu", "pool", "flatten", *dense(128, 10)]
WORKLOADS = {
    "neuron": Workload(
        "7x3, 1 sigmoid unit", (3,), ["dense 1", "sigmoid"], "mse", "sgd", 7, 7, rate=0.05
    ),
    "small": Workload(
        "2-8-8-1, 200 points", (2,), dense(8, 8, 1, top="sigmoid"), "bce", "adam", 200, 200
    ),
    "beginner": Workload("20-64-1, batch 32", *TABLE, 800, 32),
    "fit": Workload("20-64-1, fit of 10 epochs", *TABLE, 1000, 32, "fit"),
    "mlp64": Workload("784-512-256-10, batch 64", *DIGITS, 2048, 64),
    "mlp128": Workload("784-512-256-10, batch 128", *DIGITS, 2048, 128),
    "mlp1024": Workload("784-512-256-10, batch 1024", *DIGITS, 4096, 1024),
    "autoencoder": Workload(
        "784-128-32-128-784, batch 256",
        (784,), dense(128, 32, 128, 784, top="sigmoid"), "mse", "adam", 2048, 256,
    ),
    "lenet": Workload("LeNet-like 28x28, batch 64", (28, 28, 1), LENET, "ce", "adam", 256, 64),
    "vgg": Workload(
        "VGG-like 32x32x3, batch 64",
        (32, 32, 3), [*blocks(64, 128, 256), "flatten", "dense 10"], "ce", "adam", 128, 64,
        rate=1e-5,  # with a larger one the losses jump, and what rounding did to them with them
    ),
    "lstm": Workload(
        "LSTM 256, 64 steps, batch 32",
        (64,), ["embed 64 64", "lstm 256", "dense 64"], "ce", "adam", 128, 32,
    ),
    "gru": Workload(
        "GRU 256, 64 steps, batch 32",
        (64,), ["embed 64 64", "gru 256", "dense 64"], "ce", "adam", 128, 32,
    ),
    "gpt64": Workload("GPT, context 64, batch 12", (64,), gpt(64), "ce", "adam", 48, 12),
    "gpt128": Workload("GPT, context 128, batch 12", (128,), gpt(128), "ce", "adam", 48, 12),
    "predict": Workload("20-64-1, predict 1 row", *TABLE, 1, 1, "predict"),
    "predict784": Workload("784-512-256-10, predict 1 row", *DIGITS, 1, 1, "predict"),
}  # fmt: skip
EPSILON = 1e-12  # of Adam: Keras adds it elsewhere than PyTorch, which must not tell in the losses
NORM = {"momentum": 0.9, "epsilon": 1e-3}
EPOCHS = 10  # of a fit
VALIDATION = 0.2  # the part of a fit's rows that is kept for validation


def data(workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets, made of a fixed seed."""
    rng = np.random.default_rng(7)
    shape = (workload.rows, *workload.shape)
    sized = [layer for layer in workload.layers if len(layer) > 1]
    first, last = sized[0], sized[-1]
    if first[0] in ("embed", "tokens"):  # texts: the next character is to be told
        text = rng.integers(0, first[1], (shape[0], shape[1] + 1))
        return text[:, :-1].astype(np.int32), text[:, 1:].copy()
    x = rng.random(shape, dtype=np.float32)
    if workload.loss == "ce":
        return x, rng.integers(0, last[1], workload.rows)
    if workload.loss == "mse" and workload.shape == (last[1],):
        return x, x
    labels = (x.sum(1, keepdims=True) > workload.shape[0] / 2).astype(np.float32)
    return x, labels


def weights(workload: Workload) -> list[np.ndarray]:
    """The weights in Keras' order and layout, made of a fixed seed."""
    rng = np.random.default_rng(11)
    made: list[np.ndarray] = []

    def add(*shape, vectors=1):
        """A matrix or kernel of random numbers, and as many zeros as it has columns."""
        limit = (6 / (prod(shape[:-1]) + shape[-1])) ** 0.5
        made.append(rng.uniform(-limit, limit, shape).astype(np.float32))
        if vectors:
            made.append(np.zeros(shape[-1:] if vectors == 1 else (vectors, shape[-1]), np.float32))

    shape = workload.shape
    for name, *args in workload.layers:
        if name == "dense":
            add(shape[-1], args[0])
            shape = (*shape[:-1], args[0])
        elif name == "conv":
            add(3, 3, shape[-1], args[0])
            cut = 0 if args[1:] == ["same"] else 2
            shape = (shape[0] - cut, shape[1] - cut, args[0])
        elif name == "norm":
            made += [*scales(shape[-1]), *scales(shape[-1])[::-1]]
        elif name == "pool":
            shape = (shape[0] // 2, shape[1] // 2, shape[2])
        elif name == "flatten":
            shape = (prod(shape),)
        elif name == "embed":
            add(*args, vectors=0)
            shape = (*shape, args[1])
        elif name == "tokens":
            add(args[0], args[2], vectors=0)
            add(args[1], args[2], vectors=0)
            shape = (*shape, args[2])
        elif name == "layernorm":
            made += scales(shape[-1])
        elif name == "block":
            n, (heads, inner) = shape[-1], args
            for _ in range(3):  # queries, keys, values
                add(n, n)
                made[-2:] = [w.reshape(*w.shape[:-1], heads, n // heads) for w in made[-2:]]
            add(n, n)
            made[-2] = made[-2].reshape(heads, n // heads, n)
            made += scales(n)
            add(n, inner)
            add(inner, n)
            made += scales(n)
        elif name in ("lstm", "gru"):
            n, gates = args[0], 4 if name == "lstm" else 3
            add(shape[-1], gates * n, vectors=0)
            add(n, gates * n, vectors=1 if name == "lstm" else 2)
            shape = (shape[0], n)
    return made


def scales(n: int) -> list[np.ndarray]:
    """The factors and offsets of a normalization."""
    return [np.ones(n, np.float32), np.zeros(n, np.float32)]


def batches(x, y, size: int) -> list:
    """The full batches in order."""
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x) - size + 1, size)]


def split(x, y):
    """Rows for training and rows for validation, the end of the data."""
    at = int(len(x) * (1 - VALIDATION))
    return (x[:at], y[:at]), (x[at:], y[at:])

"""The rows of the comparison: models, data and weights, the same for every contender.

NumPy only, so that each contender's interpreter can import it.
"""

from typing import NamedTuple

import numpy as np


class Workload(NamedTuple):
    """One row.

    `kind` is what is timed: a training "step", a whole "fit", or "predict" of the batch.
    """

    title: str
    sizes: tuple[int, ...]  # of the inputs and of each dense layer's outputs
    hidden: str  # activation between layers: "relu" or "sigmoid"
    loss: str  # "mse" and "bce" of sigmoid outputs, "ce" of logits and integer labels
    optimizer: str  # "adam" (0.001) or "sgd" (0.05)
    rows: int
    batch: int
    kind: str = "step"


DIGITS = (784, 512, 256, 10)
WORKLOADS = {
    "neuron": Workload("7x3, 1 sigmoid unit", (3, 1), "relu", "mse", "sgd", 7, 7),
    "small": Workload("2-8-8-1, 200 points", (2, 8, 8, 1), "relu", "bce", "adam", 200, 200),
    "beginner": Workload("20-64-1, batch 32", (20, 64, 1), "relu", "bce", "adam", 800, 32),
    "fit": Workload(
        "20-64-1, fit of 10 epochs", (20, 64, 1), "relu", "bce", "adam", 1000, 32, "fit"
    ),
    "mlp64": Workload("784-512-256-10, batch 64", DIGITS, "relu", "ce", "adam", 2048, 64),
    "mlp128": Workload("784-512-256-10, batch 128", DIGITS, "relu", "ce", "adam", 2048, 128),
    "mlp1024": Workload("784-512-256-10, batch 1024", DIGITS, "relu", "ce", "adam", 4096, 1024),
    "autoencoder": Workload(
        "784-128-32-128-784, batch 256", (784, 128, 32, 128, 784), "relu", "mse", "adam", 2048, 256
    ),
    "predict": Workload(
        "20-64-1, predict 1 row", (20, 64, 1), "relu", "bce", "adam", 1, 1, "predict"
    ),
}
RATES = {"adam": 0.001, "sgd": 0.05}
EPSILON = 1e-12  # of Adam: Keras adds it elsewhere than PyTorch, which must not tell in the losses
EPOCHS = 10  # of a fit
VALIDATION = 0.2  # the part of a fit's rows that is kept for validation


def data(workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets, made of a fixed seed."""
    rng = np.random.default_rng(7)
    x = rng.random((workload.rows, workload.sizes[0]), dtype=np.float32)
    if workload.loss == "ce":
        return x, rng.integers(0, workload.sizes[-1], workload.rows)
    if workload.loss == "mse" and workload.sizes[0] == workload.sizes[-1]:
        return x, x
    labels = (x.sum(1, keepdims=True) > workload.sizes[0] / 2).astype(np.float32)
    return x, labels


def weights(workload: Workload) -> list[np.ndarray]:
    """Kernels (inputs, outputs) and biases in turn, made of a fixed seed."""
    rng = np.random.default_rng(11)
    made = []
    for n, m in zip(workload.sizes, workload.sizes[1:], strict=False):
        limit = (6 / (n + m)) ** 0.5
        made += [rng.uniform(-limit, limit, (n, m)).astype(np.float32), np.zeros(m, np.float32)]
    return made


def batches(x, y, size: int) -> list:
    """The full batches in order."""
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x) - size + 1, size)]


def split(x, y):
    """Rows for training and rows for validation, the end of the data."""
    at = int(len(x) * (1 - VALIDATION))
    return (x[:at], y[:at]), (x[at:], y[at:])

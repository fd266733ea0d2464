"""A captured step of layers, losses and metrics under masks gives the bits of the eager one."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from tests.capture.steps import train

ALL = {"return_sequences": True}
AFTER = {
    "last state": lambda: [layers.LSTM(3)],
    "all states": lambda: [layers.LSTM(3, **ALL)],
    "GRU": lambda: [layers.GRU(3, **ALL), layers.GRU(3)],
    "SimpleRNN": lambda: [layers.SimpleRNN(3, **ALL), layers.Dense(2)],
    "Bidirectional": lambda: [layers.Bidirectional(layers.GRU(3, **ALL)), layers.LSTM(2)],
    "cell": lambda: [layers.RNN(layers.GRUCell(3), zero_output_for_mask=True, **ALL)],
    "mean": lambda: [layers.LSTM(3, **ALL), layers.GlobalAveragePooling1D()],
    "batch norm": lambda: [layers.BatchNormalization(), layers.Dense(2)],
    "TimeDistributed": lambda: [layers.TimeDistributed(layers.Dense(3))],
}


def indices(i):
    """Sequences with zeros at the end, at the front, and one of zeros alone."""
    ids = np.random.default_rng(i).integers(1, 6, (5, 4)).astype("int32")
    ids[0, 2:] = ids[1, :2] = ids[2, 1:3] = 0
    if i % 2:
        ids[3] = 0
    return ids


@pytest.mark.parametrize("first", ["Embedding", "Masking"])
@pytest.mark.parametrize("name", AFTER)
def test_layers_under_masks(name, first):
    def make():
        if first == "Embedding":
            start = [gpunn.Input((4,), dtype="int32"), layers.Embedding(6, 3, mask_zero=True)]
        else:
            start = [gpunn.Input((4, 3)), layers.Masking()]
        model = gpunn.Sequential([*start, *AFTER[name]()])
        model.compile("adam", "mse", metrics=["mae"], weighted_metrics=["mse"])
        return model

    gpunn.set_seed(0)
    shape = make().output_shape[1:]
    data = []
    for i in range(4):
        rng = np.random.default_rng(i)
        ids = indices(i if name != "mean" else 0)  # the mean of no step is NaN
        if name == "mean":
            ids[3] = 1
        x = ids if first == "Embedding" else rng.normal(size=(5, 4, 3)) * (ids != 0)[..., None]
        y = rng.normal(size=(5, *shape)).astype("float32")
        x = x.astype("int32" if first == "Embedding" else "float32")
        data.append((x, y, rng.uniform(0.5, 2, 5).astype("float32")))
    captured = train(make, data)
    assert captured.refused is None and len(captured._steps) == 1


def test_a_graph_that_merges_masked_branches():
    def make():
        ids = gpunn.Input((4,), dtype="int32")
        x = layers.Embedding(6, 3, mask_zero=True)(ids)
        branches = [layers.LSTM(3, **ALL)(x), layers.Dense(3)(x)]
        merged = [merge(branches) for merge in (layers.Multiply(), layers.Maximum(), layers.Add())]
        y = layers.GRU(2, name="steps", **ALL)(layers.Concatenate()(merged))
        model = gpunn.Model(ids, [y, layers.GlobalAveragePooling1D(name="mean")(y)])
        model.compile("adam", ["mse", "mae"])
        return model

    rng = np.random.default_rng(0)
    data = []
    for _ in range(4):
        y = [rng.normal(size=size).astype("float32") for size in ((5, 4, 2), (5, 2))]
        data.append((indices(0), y))
    captured = train(make, data)
    assert captured.refused is None and len(captured._steps) == 1


def test_metrics_beside_one_that_cannot_be_recorded():
    class Read(gpunn.metrics.Metric):
        def __init__(self):
            super().__init__(name="read")
            self.total = self.add_variable((), name="total")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign_add(float(np.asarray(y_pred).sum()))

        def result(self):
            return self.total

    def make():
        model = gpunn.Sequential([gpunn.Input((4, 3)), layers.Masking(), layers.Dense(2)])
        model.compile("adam", "mse", metrics=["mae", Read()])
        return model

    rng = np.random.default_rng(0)
    data = [
        ((rng.normal(size=(5, 4, 3)) * (indices(1) != 0)[..., None]).astype("float32"),
         rng.normal(size=(5, 4, 2)).astype("float32"))
        for _ in range(4)
    ]  # fmt: skip
    train(make, data)

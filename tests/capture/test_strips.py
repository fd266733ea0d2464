"""Ops that work strip by strip give a captured step the same bits, with one strip and with many."""

import pytest

import gpunn
from gpunn import layers
from gpunn.ops import batch_statistics, columns, pooling, winograd
from tests.capture.steps import rows, train


def network():
    """Convolutions of all kinds with what goes between them."""
    model = gpunn.Sequential(
        [
            gpunn.Input((9, 8, 3)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2D(6, 3, activation="relu"),
            layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
            layers.MaxPooling2D(3, strides=2),
            layers.Conv2D(4, 2, strides=2, padding="same"),
            layers.Conv2D(5, 1),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize("strip", [1 << 20, 1500])
@pytest.mark.parametrize("pays", [False, True])
def test_convolutions(strip, pays, monkeypatch):
    for module in (batch_statistics, columns, pooling, winograd):
        monkeypatch.setitem(module.STRIP, "cpu", strip)
    monkeypatch.setattr(winograd, "REREAD", 1 << 30)
    if pays:
        monkeypatch.setattr(winograd, "pays", lambda win, *_: _is_3_by_3(win))
    batches = [
        (rows(n, 9 * 8 * 3, i).reshape(n, 9, 8, 3), rows(n, 2, i)) for i, n in enumerate([5, 3] * 4)
    ]
    assert train(network, batches)._steps


def _is_3_by_3(win):
    return win.taps == (3, 3) and set(win.strides) == set(win.dilation) == {1}

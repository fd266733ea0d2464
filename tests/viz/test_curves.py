"""Pictures of a training."""

import sys

import pytest

from gpunn.errors import ArgumentError, ArgumentTypeError, MissingDependencyError
from gpunn.training.callbacks import History
from gpunn.viz import plot_history


@pytest.fixture
def curves():
    return {"loss": [1.0, 0.5, 0.4, 0.3], "val_loss": [1.1, 0.6], "accuracy": [0.5, 0.7, 0.8, 0.9]}


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_formats(curves, tmp_path, ending):
    path = tmp_path / f"curve.{ending}"
    plot_history(curves, path, "a title")
    assert path.stat().st_size > 1000


def test_a_history_and_a_single_epoch(tmp_path):
    history = History()
    history.on_epoch_end(0, {"loss": 0.5, "learning_rate": 0.1, "matrix": [[1, 2]]})
    plot_history(history, tmp_path / "c.png")


def test_what_is_drawn(curves, tmp_path):
    path = tmp_path / "c.svg"
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none"}):
        plot_history(curves, path, "gpunn train")
    text = path.read_text()
    for said in ("loss", "accuracy", "training", "validation", "epoch", "gpunn train"):
        assert said in text


def test_errors(curves, tmp_path, monkeypatch):
    with pytest.raises(ArgumentError, match="no epoch"):
        plot_history({}, tmp_path / "c.png")
    with pytest.raises(ArgumentTypeError, match="what fit"):
        plot_history([1, 2], tmp_path / "c.png")
    with pytest.raises(ArgumentError, match="cannot write"):
        plot_history(curves, tmp_path / "no" / "c.png")
    with pytest.raises(ArgumentError, match="cannot write"):
        plot_history(curves, tmp_path / "c.strange")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"gpunn\[plot\]"):
        plot_history(curves, tmp_path / "c.png")

"""The border that a classifier draws, as it learns."""

import sys

import numpy as np
import pytest

import gpunn
from gpunn.errors import ArgumentError, MissingDependencyError, ShapeError
from gpunn.viz import DecisionBoundary

X = np.random.default_rng(0).uniform(-1, 1, (40, 2)).astype("float32")
Y = (X[:, 0] > X[:, 1]).astype("int32")


def fit(border, epochs=4, units=1, y=Y):
    model = gpunn.Sequential(
        [
            gpunn.Input((2,)),
            gpunn.layers.Dense(units, activation="sigmoid" if units == 1 else "softmax"),
        ]
    )
    model.compile("adam", "mse" if units == 1 else "sparse_categorical_crossentropy")
    model.fit(X, y, batch_size=40, epochs=epochs, verbose=0, callbacks=[border])
    return model


def test_one_file_drawn_anew(device, tmp_path, monkeypatch):
    path = tmp_path / "border.png"
    border = DecisionBoundary(X, Y[:, None], path, every=2, title="a title")
    asked = []
    model = fit(border, epochs=0)
    ask = type(model).predict_on_batch
    monkeypatch.setattr(
        type(model), "predict_on_batch", lambda self, x: asked.append(len(x)) or ask(self, x)
    )
    fit(border, epochs=5)
    assert asked == [2500, 2500, 2500]  # after 2 and 4 epochs, and at the end
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in tmp_path.iterdir()] == ["border.png"]
    assert len(border.losses) == 5


def test_a_file_per_picture_and_classes(tmp_path):
    y = Y + (X[:, 0] > 0.5)
    fit(DecisionBoundary(X, y, tmp_path / "b{epoch:02d}.svg", every=2, grid=10), units=3, y=y)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b02.svg", "b04.svg"]


def test_what_is_drawn(tmp_path):
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none"}):
        fit(DecisionBoundary(X, Y, tmp_path / "b.svg", title="rings"), epochs=1)
    text = (tmp_path / "b.svg").read_text()
    for said in ("rings", "epoch 1", "class 0", "class 1", "loss", "epoch"):
        assert said in text


def test_errors(tmp_path, monkeypatch):
    path = tmp_path / "b.png"
    with pytest.raises(ShapeError, match=r"\(n, 2\)"):
        DecisionBoundary(X[:, :1], Y, path)
    with pytest.raises(ShapeError, match="class for each of 40 points"):
        DecisionBoundary(X, Y[:3], path)
    with pytest.raises(ArgumentError, match="at least"):
        DecisionBoundary(X, Y, path, every=0)
    with pytest.raises(ArgumentError, match="cannot write"):
        fit(DecisionBoundary(X, Y, tmp_path / "no" / "b.png"))
    with pytest.raises(ArgumentError, match="cannot write"):
        fit(DecisionBoundary(X, Y, tmp_path / "b.strange"))
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"gpunn\[plot\]"):
        DecisionBoundary(X, Y, path)

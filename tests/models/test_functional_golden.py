"""Graph models against Keras: order of layers and weights, outputs, three steps of training."""

import copy
import json
import sys

import numpy as np
import pytest

import gpunn
from gpunn import tree
from tests.harness import GOLDEN, assert_close, golden

sys.path.insert(0, str(GOLDEN))
from cases_functional import CASES, inputs_of, packed, targets_of, weights


@pytest.fixture(params=CASES)
def case(request, device):
    """The model with the reference's weights, its data, and what Keras made of them."""
    name = request.param
    gpunn.clear_session()
    model = CASES[name](gpunn)
    model.set_weights(weights(model))
    wanted = {k.partition("/")[2]: v for k, v in golden("functional").items()
              if k.startswith(f"{name}/")}  # fmt: skip
    return name, model, packed(model, inputs_of(name, model)), wanted


def test_layers_and_outputs(case):
    _, model, x, wanted = case
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == wanted["layers"].tolist()
    for i, y in enumerate(tree.flatten(model.predict(x))):
        assert_close(y, wanted[f"y{i}"], label=f"output {i}")


def test_training(case):
    _, model, x, wanted = case
    for layer in model.layers:
        if hasattr(layer, "rate"):
            layer.rate = 0.0
    shapes = [(None, *y.shape[1:]) for y in tree.flatten(model.predict(x))]
    per_output = ["mse" for _ in shapes]
    if isinstance(model.output, dict):
        per_output = dict(zip(model.output, per_output, strict=True))
    metrics = tree.map_structure(lambda _: "mae", per_output)
    model.compile(gpunn.optimizers.SGD(0.01), per_output, metrics=metrics)
    y = targets_of(model, shapes)
    history = model.fit(x, y, epochs=3, batch_size=5, shuffle=False, verbose=0).history
    expected = json.loads(str(wanted["history"]))
    assert sorted(history) == sorted(expected)
    for name, numbers in expected.items():
        assert history[name] == pytest.approx(numbers, rel=1e-4), name
    for i, w in enumerate(model.get_weights()):
        assert_close(w, wanted[f"w{i}"], rtol=2e-4, label=f"weight {i}")


def test_copies_give_the_same(case, tmp_path):
    _, model, x, _ = case
    expected = tree.flatten(model.predict(x))
    again = gpunn.models.clone_model(model)
    again.set_weights(model.get_weights())
    model.save(tmp_path / "model.gpunn")
    copies = {
        "clone_model": again,
        "file": gpunn.load_model(tmp_path / "model.gpunn"),
        "deepcopy": copy.deepcopy(model),
    }
    for way, twin in copies.items():
        assert twin is not model and twin.get_config() == model.get_config(), way
        for a, b in zip(tree.flatten(twin.predict(x)), expected, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=way)

"""The numbers of the programs that examples/ retells."""

import importlib.util
import inspect
from pathlib import Path

import numpy as np
import pytest

import gpunn

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- keras_quickstart ---


def test_quickstart_differs_from_keras_in_three_imports():
    program = inspect.getsource(load("keras_quickstart").program)
    lines = [line.strip() for line in program.splitlines() if "gpunn" in line]
    assert lines == [
        "from gpunn.layers import Dense",
        "from gpunn.models import Sequential",
        "from gpunn.optimizers import Adam",
    ]


def test_quickstart_accuracy():
    program = load("keras_quickstart").program
    for seed in range(5):
        gpunn.set_seed(seed)
        model, history, accuracy = program()
        assert accuracy >= 0.90, f"seed {seed}"
        assert model.count_params() == 1409
        assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
        assert all(len(values) == 10 for values in history.history.values())


def test_quickstart_is_the_same_on_both_devices(cuda):
    program = load("keras_quickstart").program
    results = []
    for device in ("cpu", "cuda"):
        gpunn.set_seed(1)
        with gpunn.device(device):
            results.append(program(epochs=1)[1].history)
    for name, values in results[0].items():
        np.testing.assert_allclose(results[1][name], values, rtol=1e-4, err_msg=name)


# --- ann_from_scratch ---


def by_hand(epochs, slope):
    """The article's program in NumPy, with the slope of the sigmoid as a parameter."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    x = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 1, 1], [0, 1, 0]])
    labels = np.array([[1, 0, 0, 1, 1, 0, 1]]).T
    random = np.random.RandomState(42)
    weights, bias = random.rand(3, 1), random.rand(1)
    for _ in range(epochs):
        z = sigmoid(x @ weights + bias)
        delta = (z - labels) * slope(z, sigmoid)
        weights = weights - 0.05 * x.T @ delta
        for row in delta:
            bias = bias - 0.05 * row
    return weights, bias


def right_slope(z, sigmoid):
    return z * (1 - z)


def article_slope(z, sigmoid):
    return sigmoid(z) * (1 - sigmoid(z))


@pytest.mark.parametrize("slope", [right_slope, article_slope])
def test_neuron_is_the_program_by_hand(slope, device):
    example = load("ann_from_scratch")
    sigmoid = gpunn.ops.sigmoid if slope is right_slope else example.article_sigmoid
    neuron = example.Neuron(sigmoid)
    epochs = 500 if device == "cpu" else 30
    example.train(neuron, epochs)
    weights, bias = by_hand(epochs, slope)
    np.testing.assert_allclose(neuron.weights.numpy(), weights, rtol=1e-6)
    np.testing.assert_allclose(neuron.bias.numpy(), bias, rtol=1e-6)


def test_neuron_after_25_000_epochs():
    example = load("ann_from_scratch")
    neuron = example.Neuron()
    example.train(neuron, 25_000)
    assert neuron.predict(1, 0, 0) == pytest.approx(0.05930351, abs=1e-6)
    assert neuron.predict(0, 1, 0) == pytest.approx(0.96175397, abs=1e-6)
    expected = [[5.13587816], [11.12454896], [-5.73726977]]
    np.testing.assert_allclose(neuron.weights.numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(neuron.bias.numpy(), [-7.89983014], atol=1e-6)


def test_article_after_25_000_and_55_000_epochs():
    example = load("ann_from_scratch")
    neuron = example.Neuron(example.article_sigmoid)
    example.train(neuron, 25_000)
    assert neuron.predict(1, 0, 0) == pytest.approx(0.02262959, abs=1e-6)
    assert neuron.predict(0, 1, 0) == pytest.approx(0.98778682, abs=1e-6)
    example.train(neuron, 30_000)
    assert neuron.predict(1, 0, 0) == pytest.approx(0.01031463, abs=1e-6)
    assert neuron.predict(0, 1, 0) == pytest.approx(0.99440207, abs=1e-6)


def test_the_articles_slope_is_found_out(device):
    example = load("ann_from_scratch")
    assert example.check(gpunn.ops.sigmoid) == "right"
    assert example.check(example.article_sigmoid).startswith("WRONG")


# --- circles ---


def test_circles_are_told_apart():
    example = load("circles")
    for seed in range(10):
        x, y = example.make_data(seed)
        assert x.shape == (1600, 2) and x.min() == -1 and x.max() == 1
        assert example.best_of(3, x, y, "bce", 100, enough=0.99) >= 0.99, f"data seed {seed}"


def test_circles_with_the_squared_error():
    example = load("circles")
    x, y = example.make_data(0)
    model, accuracy = example.train(x, y, "mse", 0, 60)
    assert accuracy >= 0.99
    assert [layer.units for layer in model.layers] == [12, 6, 1]
    assert model.count_params() == 36 + 78 + 7


# --- mnist_mlp ---


def test_mnist_mlp_is_the_network_it_says():
    model = load("mnist_mlp").make_model((28, 28), 255)
    assert model.count_params() == 784 * 512 + 512 + 512 * 256 + 256 + 256 * 10 + 10

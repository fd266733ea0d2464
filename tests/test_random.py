"""Random tensors: the same on both devices, repeatable, and distributed as they should be."""

import numpy as np
import pytest

import gpunn
from gpunn import random
from gpunn.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from tests.harness import assert_close

N = 20000
DRAWS = {
    "uniform": lambda n, s: random.uniform((n,), -1, 3, seed=s),
    "normal": lambda n, s: random.normal((n,), 1, 2, seed=s),
    "truncated_normal": lambda n, s: random.truncated_normal((n,), seed=s),
    "randint": lambda n, s: random.randint((n,), -2, 3, seed=s),
    "gamma": lambda n, s: random.gamma((n,), 2.0, seed=s),
    "beta": lambda n, s: random.beta((n,), 2.0, 3.0, seed=s),
    "binomial": lambda n, s: random.binomial((n,), 10, 0.3, seed=s),
    "categorical": lambda n, s: random.categorical(np.log([[0.2, 0.8]]), n, seed=s)[0],
    "dropout": lambda n, s: random.dropout(np.ones(n, "float32"), 0.25, seed=s),
    "shuffle": lambda n, s: random.shuffle(np.arange(n, dtype="int32"), seed=s),
}
# mean and variance
MOMENTS = {
    "uniform": (1, 16 / 12), "normal": (1, 4), "truncated_normal": (0, 0.7737), "randint": (0, 2),
    "gamma": (2, 2), "beta": (0.4, 0.04), "binomial": (3, 2.1), "categorical": (0.8, 0.16),
    "dropout": (1, 1 / 3),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
def test_same_on_both_devices(name, device):
    with gpunn.device("cpu"):
        wanted = DRAWS[name](100, 5).numpy()
    drawn = DRAWS[name](100, 5)
    assert drawn.device == device
    assert np.array_equal(drawn.numpy(), wanted)


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name):
    mean, variance = MOMENTS[name]
    y = DRAWS[name](N, 1).numpy().astype(float)
    assert abs(y.mean() - mean) < 5 * np.sqrt(variance / N)
    assert abs(y.var() - variance) < 0.1 * variance


@pytest.mark.parametrize("name", DRAWS)
def test_seeds(name):
    draw = DRAWS[name]

    def equal(a, b):
        return np.array_equal(draw(50, a).numpy(), draw(50, b).numpy())

    assert equal(3, 3)
    assert not equal(3, 4)
    assert equal(3, random.SeedGenerator(3))
    generator = random.SeedGenerator(3)
    assert not equal(generator, generator)
    assert not equal(None, None)
    random.set_seed(8)
    first = draw(50, None).numpy()
    random.set_seed(8)
    assert np.array_equal(first, draw(50, None).numpy())


def test_ranges():
    y = random.uniform((N,), 1, 1 + 2**-20).numpy()
    assert y.min() >= 1 and y.max() < np.float32(1 + 2**-20)
    assert random.uniform((N,), dtype="float16", seed=1).numpy().max() < 1
    assert abs(random.truncated_normal((N,), seed=1).numpy()).max() <= 2
    assert set(DRAWS["randint"](N, 1).tolist()) == {-2, -1, 0, 1, 2}
    assert random.randint((3,), 0, 255, "uint8").dtype == "uint8"


def test_shuffle_keeps_slices():
    x = np.arange(12).reshape(3, 4)
    y = random.shuffle(x, axis=1, seed=1).numpy()
    assert sorted(map(tuple, y.T)) == sorted(map(tuple, x.T))


def test_dropout():
    x = gpunn.Tensor(np.ones((4, 5), "float32"), requires_grad=True)
    y = random.dropout(x, 0.5, noise_shape=(None, 1), seed=2)
    assert all(len(set(row)) == 1 for row in y.tolist())
    y.sum().backward()
    assert np.array_equal(x.grad.numpy(), y.numpy())
    assert random.dropout(x, 0.0) is x
    assert not random.dropout(x, 1.0).numpy().any()


def test_seed_generator_config():
    generator = random.SeedGenerator(7, name="mine")
    again = random.SeedGenerator.from_config(generator.get_config())
    assert (again.name, again.stream.seed) == ("mine", 7)
    assert again.next().position == 0 and again.stream.position == 1


def test_refusals():
    for call, error in [
        (lambda: random.normal((2,), seed="a"), ArgumentTypeError),
        (lambda: random.normal((2,), dtype="int32"), DTypeError),
        (lambda: random.randint((2,), 0, 5, "float32"), DTypeError),
        (lambda: random.randint((2,), 0, 5, "float32"), ValueError),  # what Keras raises
        (lambda: random.randint((2,), 5, 5), ArgumentError),
        (lambda: random.uniform((2,), 1, 0), ArgumentError),
        (lambda: random.uniform((-2,)), ShapeError),
        (lambda: random.categorical([0.0], 1), ShapeError),
        (lambda: random.dropout([1.0], 1.5), ArgumentError),
    ]:
        with pytest.raises(error):
            call()


@pytest.mark.parametrize("draw", [random.normal, random.truncated_normal, random.uniform])
def test_parameters_that_are_tensors(draw, device):
    first = gpunn.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    second = gpunn.Tensor([2.0, 4.0, 8.0], requires_grad=True)
    y = draw((4, 3), first, second, seed=1)
    unit = draw((4, 3), seed=1).numpy()
    scale = second - first if draw is random.uniform else second
    assert_close(y, unit * scale.numpy() + first.numpy(), rtol=1e-5, atol=1e-6)
    y.sum().backward()
    assert_close(second.grad, unit.sum(0), rtol=1e-5, atol=1e-5)
    wanted = (1 - unit).sum(0) if draw is random.uniform else [4.0] * 3
    assert_close(first.grad, wanted, rtol=1e-5, atol=1e-5)
    assert draw((4, 3), np.zeros(3), np.ones(3), seed=1).dtype == "float32"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_one_number_is_an_array_too(device, dtype):
    for draw in (random.uniform, random.normal, random.truncated_normal):
        x = draw((), seed=3, dtype=dtype)
        assert x.shape == () and x.dtype == dtype and x.device == device
        assert x.numpy().item() == draw((1,), seed=3, dtype=dtype)[0].item()
    assert -1 <= random.uniform((), -1, gpunn.Tensor(1.0), dtype=dtype).item() < 1
    number = random.randint((), 2, 5)
    assert number.shape == () and number.numpy() in (2, 3, 4)
    assert bool(random.uniform(()) > 0.5) in (True, False)

"""Sums that wait on a GPU: nobody can tell but by counting launches."""

import numpy as np
import pytest

import gpunn
from gpunn import layers, ops
from gpunn.autograd.late import LateTensor
from gpunn.backend import Stream
from gpunn.ops.noise import dropout
from tests.harness import assert_close

NORMS = {
    "layer": lambda x: ops.layer_normalization(x, epsilon=1e-3),
    "of two axes": lambda x: ops.layer_normalization(x, axis=(-1, -2)),
    "rms": lambda x: ops.rms_normalization(x),
    "rms by variance": lambda x: ops.layer_normalization(x, rms_scaling=True),
    "of columns": lambda x: ops.layer_normalization(x, axis=0),
}
SUMS = {
    "two": lambda a, b, drop: a + b,
    "twice the same": lambda a, b, drop: a + a,
    "three": lambda a, b, drop: a + b + a * b,
    "one dropped": lambda a, b, drop: a + drop(b),
    "the first dropped": lambda a, b, drop: drop(a) + b,
    "both dropped": lambda a, b, drop: drop(a) + drop(b),
    "the same dropped": lambda a, b, drop: next(d + d for d in [drop(a)]),
    "dropped twice": lambda a, b, drop: drop(drop(a)) + b,
    "dropped alone": lambda a, b, drop: drop(a),
    "a sum dropped": lambda a, b, drop: drop(a + b),
}


def operands(shape=(6, 8), dtype="float32"):
    """Two leaves, and what an op made of each."""
    rng = np.random.default_rng(0)
    leaves = [gpunn.Tensor(rng.normal(size=shape), dtype=dtype, requires_grad=True) for _ in "ab"]
    return leaves, [ops.tanh(leaves[0]), ops.sin(leaves[1])]


def normalized(norm, sum_of, dtype, shape, read):
    """The normalization of a sum, the sum, and gradients; `read`: the sum is read before."""
    leaves, (a, b) = operands(shape, dtype)
    stream = Stream(3, "dropout")
    x = sum_of(a, b, lambda x: dropout(x, 0.4, stream))
    assert type(x) is LateTensor
    if read:
        assert x.numpy().shape == shape
    y = norm(x)
    (y * ops.cos(y) + x).sum().backward()
    return [y, x, *[leaf.grad for leaf in leaves if leaf.grad is not None]]


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("sum_of", SUMS)
@pytest.mark.parametrize("norm", NORMS)
def test_bits_do_not_depend_on_who_makes_it(norm, sum_of, dtype, cuda):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    with gpunn.device("cuda"):
        for shape in ((6, 8), (2, 3, 521)):
            found, expected = (
                normalized(NORMS[norm], SUMS[sum_of], dtype, shape, read) for read in (False, True)
            )
            for x, e in zip(found, expected, strict=True):
                np.testing.assert_array_equal(x.numpy(), e.numpy())


def test_values(cuda):
    with gpunn.device("cuda"):
        _, (a, b) = operands()
        x = a + b
        y = ops.layer_normalization(x)
        e = a.numpy() + b.numpy()
        assert_close(x, e)
        e -= e.mean(-1, keepdims=True)
        assert_close(y, e / np.sqrt((e * e).mean(-1, keepdims=True) + 1e-7))


def test_launches(cuda):
    cudaemu = pytest.importorskip("cudaemu")
    with gpunn.device("cuda"):
        _, (a, b) = operands()
        norm, drop, add = layers.LayerNormalization(), layers.Dropout(0.5), layers.Add()
        norm(a + b), (a + b).numpy(), drop(a, training=True).numpy(), add([a, b])
        for make, count in (
            (lambda: a + b, 0),
            (lambda: drop(a, training=True), 0),
            (lambda: (a + b).array, 1),
            (lambda: (a + drop(b, training=True)).array, 2),
            (lambda: norm(a + b), 1),
            (lambda: norm(add([a, b])), 1),
            (lambda: norm(a + drop(b, training=True)), 1),
            (lambda: norm(add([drop(a, training=True), drop(b, training=True)])), 1),
        ):
            with cudaemu.log() as operations:
                kept = make()
            assert len(operations) == count, operations
            del kept


def test_a_tensor_like_any_other(cuda):
    with gpunn.device("cuda"):
        _, (a, b) = operands()
        e = a.numpy() + b.numpy()
        x = a + b
        assert (x.shape, x.ndim, x.size, x.dtype) == ((6, 8), 2, 48, np.dtype("float32"))
        assert type(x) is LateTensor
        assert_close(x, e)
        assert type(x) is gpunn.Tensor
        for read in (
            lambda x: x.detach(),
            lambda x: x.clone(),
            lambda x: x.cpu(),
            lambda x: x.to("float64"),
            lambda x: x[:],
            lambda x: gpunn.Tensor(x),
            lambda x: x.array,
            lambda x: gpunn.autograd.with_mask(x, np.ones(6, bool)),
            lambda x: ops.stack([x])[0],
        ):
            assert_close(gpunn.Tensor(read(a + b)), e)


def test_what_may_change_does_not_wait(cuda):
    """Leaves can be changed, and so can what lies where they do."""
    with gpunn.device("cuda"):
        _, (a, b) = operands((4, 2))
        v = gpunn.Variable(np.ones((4, 2), "float32"))
        e = b.numpy() + 1
        assert type(v + b) is gpunn.Tensor
        with gpunn.no_grad():
            assert type(a + b) is gpunn.Tensor
        x = ops.reshape(gpunn.ops.reshape(v, (2, 4)), (4, 2)) + b
        v.assign(np.zeros((4, 2), "float32"))
        assert_close(x, e)


def test_beside_a_captured_step(cuda):
    """A sum that was asked for before a step is recorded is no part of the recording."""
    with gpunn.device("cuda"):
        leaves, (a, b) = operands()
        x = a + b
        model = gpunn.Sequential([gpunn.Input((8,)), layers.Dense(3)])
        model.compile("sgd", "mse", jit_compile=True)
        model.fit(np.ones((6, 8), "float32"), np.ones((6, 3), "float32"), epochs=8, verbose=0)
        assert_close(x, a.numpy() + b.numpy())
        ops.layer_normalization(x).sum().backward()
        assert all(np.isfinite(leaf.grad.numpy()).all() for leaf in leaves)


def test_second_derivative(cuda):
    def f(a):
        return (ops.layer_normalization(ops.tanh(a) + ops.sin(a)) ** 3).sum()

    x = np.random.default_rng(0).normal(size=(3, 5))
    slope = gpunn.grad(lambda a: (gpunn.grad(f)(a) ** 2).sum())
    found = slope(gpunn.Tensor(x, device="cuda"))
    assert_close(found.cpu(), slope(gpunn.Tensor(x, device="cpu")), "gradient")


@pytest.mark.parametrize("first", [False, True])
def test_captured_blocks(first, cuda):
    """Blocks as one writes them have the bits of steps run call by call."""

    def trained(jit_compile):
        gpunn.set_seed(0)
        x = given = layers.Input((5, 8))
        for _ in range(2):
            norm = layers.LayerNormalization()
            y = norm(x) if first else x
            y = layers.Dropout(0.3)(layers.MultiHeadAttention(2, 4, dropout=0.2)(y, y))
            x = x + y if first else norm(x + y)
            norm = layers.LayerNormalization()
            y = layers.Dense(8)(layers.Dense(12, "relu")(norm(x) if first else x))
            y = layers.Add()([x, layers.Dropout(0.3)(y)])
            x = y if first else norm(y)
        model = gpunn.Model(given, layers.Dense(3)(x))
        model.compile("adam", "mse", jit_compile=jit_compile)
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(24, 5, 8)), rng.normal(size=(24, 5, 3))
        model.fit(x.astype("float32"), y.astype("float32"), batch_size=4, epochs=2, verbose=0)
        return model.get_weights()

    with gpunn.device("cuda"):
        for a, b in zip(trained(True), trained(False), strict=True):
            np.testing.assert_array_equal(a, b)

"""Products in blocks: the values of products as a whole, whatever the layouts."""

from itertools import product

import numpy as np
import pytest

import gpunn
from gpunn.backend import CPU_BACKEND, blocks
from tests.capture.steps import batches, train
from tests.harness import assert_close


def numbers(*shape, dtype="float32", turned=False, seed=0):
    if turned:
        return numbers(*shape[:-2], shape[-1], shape[-2], dtype=dtype, seed=seed).swapaxes(-1, -2)
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def noted(monkeypatch) -> list:
    """The shapes of operands that np.matmul is called with, from now on."""
    shapes, matmul = [], np.matmul

    def note(a, b, *args, **options):
        shapes.append((a.shape, b.shape))
        return matmul(a, b, *args, **options)

    monkeypatch.setattr(np, "matmul", note)
    return shapes


LAYOUTS = list(product((False, True), repeat=2))
SIZES = [(32, 24, 48), (28, 16, 64), (30, 10, 100), (31, 50, 32), (7, 64, 33), (64, 256, 16)]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("turned", LAYOUTS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_values(small_blocks, sizes, turned, dtype):
    m, k, n = sizes
    a = numbers(m, k, dtype=dtype, turned=turned[0])
    b = numbers(k, n, dtype=dtype, turned=turned[1], seed=1)
    expected = (a.astype("float64") @ b.astype("float64")).astype(dtype)
    assert_close(CPU_BACKEND.dot(a, b), expected, atol=1e-2 if dtype == "float16" else 1e-4)
    out = np.full((m, n), np.nan, dtype)
    assert CPU_BACKEND.matmul(a, b, out) is out
    assert_close(out, expected, atol=1e-2 if dtype == "float16" else 1e-4)


@pytest.mark.parametrize("turned", LAYOUTS)
def test_stacks(small_blocks, turned):
    """Leading axes, broadcast too; the result of every matrix is in its place."""
    for leading in [((3,), (3,)), ((2, 1), (3,)), ((), (3,)), ((3,), ()), ((2, 3), (1, 1))]:
        a = numbers(*leading[0], 32, 24, turned=turned[0])
        b = numbers(*leading[1], 24, 48, turned=turned[1], seed=1)
        assert_close(
            CPU_BACKEND.matmul(a, b), (a.astype("float64") @ b).astype("float32"), atol=1e-4
        )


@pytest.mark.parametrize("turned", LAYOUTS)
def test_stacks_of_small_products(small_blocks, turned, monkeypatch):
    """Their right operands are copied if they are turned, once for all that share them."""
    a, b = numbers(2, 3, 16, 8, turned=turned[0]), numbers(2, 1, 8, 24, turned=turned[1], seed=1)
    copies, copy = [], type(CPU_BACKEND).copy
    monkeypatch.setattr(
        type(CPU_BACKEND), "copy", lambda be, x: copies.append(x.shape) or copy(be, x)
    )
    assert_close(CPU_BACKEND.matmul(a, b), (a.astype("float64") @ b).astype("f4"), atol=1e-4)
    assert copies == ([(2, 1, 1, 1, 8, 24)] if turned == (False, True) else [])
    for few, narrow in ((a[..., :4, :], b), (a[..., :8, :], b[..., :8])):
        CPU_BACKEND.matmul(few, narrow)
    assert len(copies) < 2


def test_results_that_lie_otherwise(small_blocks):
    """A part of a larger array, and a transposed one."""
    a, b = numbers(32, 24), numbers(24, 48, seed=1)
    large = np.zeros((40, 60), np.float32)
    CPU_BACKEND.dot(a, b, out=np.ascontiguousarray(large[:32, :48]))
    CPU_BACKEND.matmul(a, b, large[4:36, 6:54])
    assert_close(large[4:36, 6:54], a @ b, atol=1e-4)
    assert not large[:4].any() and not large[36:].any() and not large[:, :6].any()
    turned = np.zeros((48, 32), np.float32).T
    CPU_BACKEND.matmul(a, b, turned)
    assert_close(turned, a @ b, atol=1e-4)


def test_operands_that_lie_otherwise(small_blocks):
    """Every other row or column, rows in reverse, one row for all, mixed dtypes."""
    a, b = numbers(64, 48), numbers(48, 96, seed=1)
    for left, right in [
        (a[::2, :24], b[:24, ::2]), (a[:, ::2], b[:24]), (a[::-1], b), (a[:, ::-1], b[::-1]),
        (np.broadcast_to(a[0], (32, 48)), b), (a, b.astype("float64")),
    ]:  # fmt: skip
        expected = left.astype("float64") @ right.astype("float64")
        assert_close(
            CPU_BACKEND.dot(left, right), expected.astype(np.result_type(left, right)), atol=1e-4
        )


def test_blocks_are_small(small_blocks, monkeypatch):
    """They have at most so many multiplications, and are as large as that allows."""
    shapes = noted(monkeypatch)
    for m, k, n in SIZES[:3]:
        CPU_BACKEND.dot(numbers(m, k), numbers(k, n))
        (*_, rows, terms), (*_, columns) = shapes.pop()
        assert small_blocks / 4 < rows * terms * columns <= small_blocks and terms == k


@pytest.mark.parametrize("turned", LAYOUTS)
def test_narrow_results(small_blocks, turned, monkeypatch):
    """Few columns stay together, however many lanes of a register they leave idle."""
    shapes = noted(monkeypatch)
    for n in (2, 5, 12):
        a = numbers(512, 24, turned=turned[0])
        b = numbers(24, n, turned=turned[1], seed=1)
        assert_close(CPU_BACKEND.dot(a, b), (a.astype("float64") @ b).astype("f4"), atol=1e-4)
        (*_, rows, _), (*_, columns) = shapes.pop()
        assert columns == n and rows * 24 * n <= small_blocks
    CPU_BACKEND.dot(numbers(512, 24), numbers(24, 1))
    assert not shapes


def test_as_a_whole(small_blocks, monkeypatch):
    """Small products, sizes without good divisors, vectors, and what no cache holds."""
    shapes = noted(monkeypatch)
    CPU_BACKEND.dot(numbers(16, 16), numbers(16, 16))
    CPU_BACKEND.dot(numbers(37, 50), numbers(50, 41))
    CPU_BACKEND.dot(numbers(200, 100), numbers(100))
    CPU_BACKEND.dot(numbers(100), numbers(100, 200))
    CPU_BACKEND.dot(numbers(32, 24), numbers(3, 24, 48))
    monkeypatch.setattr(blocks, "CACHED", 1000)
    monkeypatch.setattr(blocks, "MORE", 1000)
    blocks._sizes.cache_clear()
    CPU_BACKEND.dot(numbers(32, 24), numbers(24, 48))
    assert not shapes


@pytest.mark.parametrize("turned", LAYOUTS)
def test_large_products(small_blocks, turned, monkeypatch):
    """Those whose right operand is copied, and those that stay whole."""
    for name, value in {"LARGE": 1000, "CACHED": 1000, "MANY": 32, "FEW": 4}.items():
        monkeypatch.setattr(blocks, name, value)
    for m in (32, 64, 128):
        a = numbers(3, m, 24, turned=turned[0])
        b = numbers(3, 24, 96, turned=turned[1], seed=1)
        assert_close(CPU_BACKEND.matmul(a, b), (a.astype("float64") @ b).astype("f4"), atol=1e-4)
    found = blocks._blocks(np.matmul, a, b)
    assert found is None if turned[0] else found[2]


def test_no_blocks_for_a_blas_without_small_products(monkeypatch):
    monkeypatch.setattr(blocks, "small_products", lambda: 0)
    shapes = noted(monkeypatch)
    CPU_BACKEND.dot(numbers(64, 256), numbers(256, 512))
    assert not shapes


def test_sizes_that_do_not_fit(small_blocks):
    with pytest.raises(ValueError, match=r"not aligned|mismatch"):
        CPU_BACKEND.dot(numbers(32, 24), numbers(25, 48))


def test_recorded_steps_have_the_same_blocks(small_blocks):
    """The bits of eager steps, gradients in their places."""

    def net():
        layers = [gpunn.layers.Dense(n, "relu") for n in (32, 48)]
        model = gpunn.Sequential([gpunn.Input((20,)), *layers, gpunn.layers.Dense(1)])
        model.compile(gpunn.optimizers.Adam(0.01), "mse", jit_compile=True)
        return model

    (step,) = train(net, batches(5, n=32, width=20))._steps.values()
    shapes = [args[0].shape for function, args in step.plan.calls if function is np.matmul]
    assert len(shapes) >= 4 and {len(shape) for shape in shapes} == {4}

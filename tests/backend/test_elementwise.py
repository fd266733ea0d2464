"""Elementwise kernels on CUDA: arrays packed, unaligned, broadcast or strided, and numbers."""

import numpy as np
import pytest

from gpunn.backend import get_backend
from tests.harness import to_numpy


@pytest.fixture
def be(cuda):
    return get_backend("cuda")


def kernel(dtypes, text="out_y = a * b + (out_type)s;", result=None):
    from gpunn.backend.elementwise import Elementwise
    from gpunn.backend.expressions import TYPES

    a, b = (np.dtype(d) for d in dtypes)
    result = np.dtype(result or dtypes[0])
    reads = (("a", a), ("b", b), ("s", None))
    return Elementwise(
        "test", reads, (("out_y", result),), text.replace("out_type", TYPES[result.name])
    )


@pytest.mark.parametrize("dtype", ("float16", "float32", "float64"))
@pytest.mark.parametrize("offset", (0, 1, 2, 3))
def test_arrays_of_any_length_from_any_address(be, dtype, offset):
    run = kernel((dtype, dtype), "out_y = (float)a * (float)b + (float)s;")
    for n in (0, 1, 3, 4, 8, 9, 257, 5003):
        x, y = (np.random.default_rng(i).integers(-9, 9, n + offset) for i in range(2))
        a, b = (be.asarray(v, dtype)[offset:] for v in (x, y))
        out = be.full((n + 2 * offset,), -99, dtype)
        run(a, b, 2.0, out[offset : offset + n])
        wanted = np.full(n + 2 * offset, -99.0)
        wanted[offset : offset + n] = (x * y + 2)[offset:]
        np.testing.assert_array_equal(to_numpy(out), wanted)


@pytest.mark.parametrize("number", (3, True, 1.5, np.float64(2.5)))
def test_numbers_of_any_type(be, number):
    x = be.asarray(np.arange(6.0), "float32")
    out = be.empty((6,), "float32")
    kernel(("float32", "float32"))(x, x, number, out)
    np.testing.assert_array_equal(to_numpy(out), np.arange(6.0) ** 2 + float(number))


def test_one_element_for_all_and_what_is_left_to_cupy(be):
    rng = np.random.default_rng(1)
    x, y = (rng.integers(-9, 9, (6, 5)).astype("f4") for _ in range(2))
    a, b = be.asarray(x), be.asarray(y)
    run = kernel(("float32", "float32"))
    for left, right, wanted in (
        (a, b[0, 0], x * y[0, 0]),  # 0-d, as the slots of a graph are
        (a, b[:1, :1], x * y[0, 0]),
        (a, b[0], x * y[0]),
        (a, b[:, :1], x * y[:, :1]),
        (a, be.asarray(y.T.copy()).T, x * y),
    ):
        out = be.empty((6, 5), "float32")
        run(left, right, 0.0, out)
        np.testing.assert_array_equal(to_numpy(out), wanted)
    strided = be.zeros((6, 10), "float32")
    run(a, b, 0.0, strided[:, ::2])
    np.testing.assert_array_equal(to_numpy(strided)[:, ::2], x * y)
    assert not to_numpy(strided)[:, 1::2].any()


def test_results_may_lie_where_it_reads(be):
    x = be.asarray(np.arange(1000.0), "float32")
    kernel(("float32", "float32"))(x, x, 1.0, x)
    np.testing.assert_array_equal(to_numpy(x), np.arange(1000.0, dtype="f4") ** 2 + 1)


def test_dtypes_of_several_sizes(be):
    x, m = np.arange(-500.0, 500), np.arange(1000) % 3 == 0
    for dtype in ("float16", "float32", "float64"):
        out = be.empty((1000,), dtype)
        run = kernel((dtype, "bool"), "out_y = b ? (float)a : (float)s;")
        run(be.asarray(x, dtype), be.asarray(m), -1.0, out)
        np.testing.assert_array_equal(to_numpy(out), np.where(m, x, -1))

"""New tensors, diagonals and windows on both devices, against NumPy."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentError, ShapeError
from tests.harness import assert_close, check_op, rand

X = rand(3, 4, 5)


def test_filled(device):
    for make, values in {
        lambda: ops.zeros((2, 3)): np.zeros((2, 3), "float32"),
        lambda: ops.ones(3, "int32"): np.ones(3, "int32"),
        lambda: ops.full((2, 2), 3): np.full((2, 2), 3, "float32"),
        lambda: ops.full((2, 2), [1, 2], "int8"): np.full((2, 2), [1, 2], "int8"),
        lambda: ops.array([1, 2]): np.array([1, 2], "int32"),
        lambda: ops.eye(2, 3, 1): np.eye(2, 3, 1, dtype="float32"),
        lambda: ops.identity(2, "bool"): np.eye(2, dtype=bool),
        lambda: ops.tri(2, 3, -1): np.tri(2, 3, -1, dtype="float32"),
    }.items():
        y = make()
        assert (y.device, y.dtype) == (device, values.dtype)
        assert_close(y, values)
    assert ops.empty((2, 3), "float64").dtype == "float64"


def test_like(device):
    x = gpunn.Tensor(np.array([[1, 2]], "int32"))
    assert_close(ops.zeros_like(x), np.zeros((1, 2), "int32"))
    assert_close(ops.ones_like(x, "float32"), np.ones((1, 2), "float32"))
    assert_close(ops.full_like(x, 2.5), np.full((1, 2), 2, "int32"))
    y = ops.empty_like(x)
    assert (y.shape, y.dtype, y.device) == ((1, 2), "int32", device)


def test_array_is_a_copy():
    x = np.zeros(2)
    assert not np.shares_memory(ops.array(x).array, x)


def test_arange(device):
    for given in ((5,), (2, 7), (7, 2, -2), (0.0, 1.0, 0.25), (0, 1, 0.25)):
        y, wanted = ops.arange(*given), np.arange(*given)
        assert y.dtype == ("int32" if wanted.dtype.kind == "i" else "float32")
        assert_close(y, wanted.astype(y.dtype))
    assert ops.arange(3, dtype="float16").dtype == "float16"
    assert ops.arange(gpunn.Tensor(np.int32(3))).numpy().tolist() == [0, 1, 2]
    with pytest.raises(ArgumentError, match="must not be 0"):
        ops.arange(0, 3, 0)


def test_linspace(device):
    for options in ({}, {"endpoint": False}, {"num": 1}, {"num": 0}):
        assert_close(
            ops.linspace(-1, 2, **options), np.linspace(-1, 2, **options).astype("float32")
        )
    y = ops.linspace(0, 10, 11, dtype="int32")
    assert y.numpy().tolist() == list(range(11))
    check_op(lambda a, b: ops.linspace(a, b, 4, axis=-1), X[0], X[1], device=device,
             reference=lambda a, b: np.linspace(a, b, 4, axis=-1))  # fmt: skip
    assert float(ops.linspace(0, 1, 5, retstep=True)[1]) == 0.25
    with pytest.raises(ArgumentError, match="at least 0"):
        ops.linspace(0, 1, -1)


def test_logspace_geomspace(device):
    assert_close(ops.logspace(0, 2, 5, base=2), np.logspace(0, 2, 5, base=2).astype("float32"))
    assert_close(ops.geomspace(-1, -8, 4), np.geomspace(-1, -8, 4).astype("float32"))
    check_op(lambda a, b: ops.geomspace(a, b, 4, axis=1), abs(X[0]) + 1, abs(X[1]) + 1, twice=False,
             reference=lambda a, b: np.geomspace(a, b, 4, axis=1), device=device, edges=False,
             dtypes=("float32",))  # fmt: skip


def test_vander(device):
    for options in ({}, {"N": 2}, {"N": 6, "increasing": True}):
        check_op(lambda x, o=options: ops.vander(x, **o), rand(4), device=device, edges=False,
                 reference=lambda x, o=options: np.vander(x, **o))  # fmt: skip
    with pytest.raises(ShapeError, match="vector"):
        ops.vander(X)


@pytest.mark.parametrize("k", [-4, -1, 0, 2, 5])
def test_diagonals(k, device):
    dtypes = {"device": device, "dtypes": ("float32",)}
    for axes in ((0, 1), (2, 0), (-1, 1)):
        check_op(lambda x, a=axes: ops.diagonal(x, k, *a), X, **dtypes, edges=False,
                 reference=lambda x, a=axes: np.diagonal(x, k, *a))  # fmt: skip
    check_op(lambda x: ops.trace(x, k, 2, 1), X, reference=lambda x: np.trace(x, k, 2, 1),
             **dtypes, edges=False)  # fmt: skip
    check_op(lambda x: ops.diag(x, k), X[0], reference=lambda x: np.diag(x, k), **dtypes,
             edges=False)  # fmt: skip
    check_op(lambda x: ops.diag(x, k), X[0, 0], reference=lambda x: np.diag(x, k), **dtypes)
    check_op(lambda x: ops.diagflat(x, k), X[0], reference=lambda x: np.diagflat(x, k), **dtypes)
    check_op(lambda x: ops.tril(x, k), X, reference=lambda x: np.tril(x, k), **dtypes)
    check_op(lambda x: ops.triu(x, k), X, reference=lambda x: np.triu(x, k), **dtypes)


def test_triangles_drop_nan(device):
    x = gpunn.Tensor(np.full((2, 2), np.nan, "float32"))
    assert_close(ops.tril(x), np.array([[np.nan, 0], [np.nan, np.nan]], "float32"))
    with pytest.raises(ShapeError, match="at least 2 dimensions"):
        ops.triu(rand(3))


@pytest.mark.parametrize("op", [ops.tril, ops.triu])
def test_triangles_of_booleans(device, op):
    x = np.ones((2, 3), bool)
    y = op(x)
    assert y.dtype == bool and y.tolist() == getattr(np, op.__name__)(x).tolist()
    assert op(gpunn.KerasTensor((2, 3), "bool")).dtype == bool
    with pytest.raises(ShapeError, match="vector or a matrix"):
        ops.diag(X)


def test_windows(device):
    for name in ("bartlett", "blackman", "hamming", "hanning"):
        assert_close(getattr(ops, name)(6), getattr(np, name)(6).astype("float32"))
    assert_close(ops.kaiser(6, 2.5), np.kaiser(6, 2.5).astype("float32"))

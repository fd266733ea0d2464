"""Order, counts and distinct values on both devices, against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentError, DTypeError, ShapeError
from tests.harness import assert_close, check_op, rand

X = rand(3, 4, 5)
J = np.array([2, 0, 2, 4, 1, 2], "int32")


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_sort_and_argsort(axis, device):
    check_op(lambda x: ops.sort(x, axis), X, reference=lambda x: np.sort(x, axis), device=device)
    y = ops.argsort(gpunn.Tensor(X), axis)
    assert y.dtype == "int32"
    assert np.array_equal(y.numpy(), np.argsort(X, axis, kind="stable"))


def test_equal_values_stay_in_order(device):
    assert ops.argsort(J).numpy().tolist() == [1, 4, 0, 2, 5, 3]
    values, places = ops.top_k(gpunn.Tensor(J), 4)
    assert (values.numpy().tolist(), places.numpy().tolist()) == ([4, 2, 2, 2], [3, 0, 2, 5])
    y = ops.sort(gpunn.Tensor(np.array([np.nan, 1, -np.inf], "float32")))
    assert_close(y, np.array([-np.inf, 1, np.nan], "float32"))


def test_argpartition(device):
    for axis in (0, 1, None):
        y = ops.argpartition(gpunn.Tensor(X), 2, axis).numpy()
        sorted_ = np.take_along_axis(X if axis is not None else X.ravel(), y, axis)
        wanted = np.sort(X, axis)
        assert np.array_equal(np.take(sorted_, 2, axis), np.take(wanted, 2, axis))
    with pytest.raises(ArgumentError, match="no place 9"):
        ops.argpartition(X, 9)


def test_top_k(device):
    check_op(lambda x: ops.top_k(x, 3)[0], X, device=device, edges=False,
             reference=lambda x: np.sort(x, -1)[..., :-4:-1])  # fmt: skip
    with pytest.raises(ArgumentError, match="6 largest of 5"):
        ops.top_k(X, 6)
    with pytest.raises(ShapeError, match="scalar"):
        ops.top_k(1.0, 1)


def test_in_top_k(device):
    scores = np.array([[0.1, 0.9, 0.5], [0.4, 0.4, 0.2], [0.1, np.nan, 0.2], [1, 2, 3]], "float32")
    y = ops.in_top_k(gpunn.Tensor(np.array([2, 1, 1, 7], "int32")), gpunn.Tensor(scores), 1)
    assert y.numpy().tolist() == [False, True, False, False]
    with pytest.raises(ShapeError, match="do not fit"):
        ops.in_top_k([1], scores, 1)


def test_searchsorted_digitize(device):
    edges = np.array([-1, 0, 0, 1], "float32")
    values = gpunn.Tensor(X.astype("float32"))
    for side in ("left", "right"):
        y = ops.searchsorted(gpunn.Tensor(edges), values, side)
        assert y.dtype == "int32"
        assert np.array_equal(y.numpy(), np.searchsorted(edges, X, side))
    assert np.array_equal(ops.digitize(values, gpunn.Tensor(edges)).numpy(), np.digitize(X, edges))
    with pytest.raises(ArgumentError, match="did you mean"):
        ops.searchsorted(edges, X, "lefft")
    with pytest.raises(ShapeError, match="vectorized_map"):
        ops.searchsorted(X, X)
    with pytest.raises(ShapeError, match="vector of edges"):
        ops.digitize(X, X)


def test_bincount(device):
    x, w = gpunn.Tensor(J), gpunn.Tensor(rand(6).astype("float32"))
    assert_close(ops.bincount(x), np.bincount(J).astype("int32"))
    assert_close(ops.bincount(x, w, minlength=7), np.bincount(J, rand(6), 7).astype("float32"))
    rows = ops.bincount(ops.reshape(x, (2, 3)), minlength=3).numpy()
    assert rows.tolist() == [[1, 0, 2, 0, 0], [0, 1, 1, 0, 1]]
    assert ops.bincount(np.zeros(0, "int32"), minlength=2).numpy().tolist() == [0, 0]
    for bad, error in ((np.array([-1]), ArgumentError), (X[0], DTypeError), (3, ShapeError)):
        with pytest.raises(error, match="bincount"):
            ops.bincount(bad)
    with pytest.raises(ShapeError, match="weights of shape"):
        ops.bincount(J, [1.0])


def test_histogram(device):
    for options in ({"bins": 4}, {"bins": 3, "range": (-1, 1)}):
        counts, edges = ops.histogram(gpunn.Tensor(X.astype("float32")), **options)
        wanted = np.histogram(X.astype("float32"), **options)
        assert_close(counts, wanted[0].astype("float32"))
        assert_close(edges, wanted[1].astype("float32"))
    assert ops.histogram(np.ones(3, "float32"), 2)[0].numpy().tolist() == [0, 3]
    assert ops.histogram(np.zeros(0, "float32"), 2)[0].numpy().tolist() == [0, 0]
    with pytest.raises(ArgumentError, match="positive integer"):
        ops.histogram(X, 0)
    with pytest.raises(ArgumentError, match="rising range"):
        ops.histogram(X, 2, (1, 0))


def test_unique(device):
    found = ops.unique(gpunn.Tensor(J), return_index=True, return_inverse=True, return_counts=True)
    wanted = np.unique(J, return_index=True, return_inverse=True, return_counts=True)
    for y, e in zip(found, wanted, strict=True):
        assert np.array_equal(y.numpy(), e)
    assert ops.unique(gpunn.Tensor(J), size=2).numpy().tolist() == [0, 1]
    assert ops.unique(gpunn.Tensor(J), size=6, fill_value=-1).numpy().tolist() == [
        0,
        1,
        2,
        4,
        -1,
        -1,
    ]


def test_unique_slices():
    x = np.array([[1, 2], [0, 1], [1, 2]])
    assert ops.unique(x, axis=0).numpy().tolist() == [[0, 1], [1, 2]]


def test_unravel_index(device):
    y = ops.unravel_index(gpunn.Tensor(np.array([5, 0, -1, 30], "int32")), (3, 4))
    assert [i.numpy().tolist() for i in y] == [[1, 0, 2, 2], [1, 0, 3, 3]]
    with pytest.raises(DTypeError, match="integers"):
        ops.unravel_index([0.5], (3, 4))


@given(
    hnp.arrays(
        "float32", hnp.array_shapes(max_dims=3, max_side=5), elements=st.floats(-2, 2, width=16)
    )
)
def test_order_like_numpy(x):
    assert np.array_equal(ops.argsort(x).numpy(), np.argsort(x, kind="stable"))
    values, places = ops.top_k(x, x.shape[-1])
    assert np.array_equal(places.numpy(), np.argsort(-x, kind="stable"))
    assert np.array_equal(values.numpy(), np.take_along_axis(x, places.numpy(), -1))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_sorted(dtype, device):
    x = gpunn.Tensor([[2.0, -1.0, 2.0, 0.5], [3.0, np.nan, -2.0, 1.0]], True, dtype=dtype)
    y = ops.sort(x)
    assert y.dtype == dtype
    assert_close(y, np.array([[-1, 0.5, 2, 2], [-2, 1, 3, np.nan]]))
    y.backward(gpunn.Tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]], dtype=dtype))
    assert x.grad.dtype == dtype
    assert_close(x.grad, np.array([[3.0, 1, 4, 2], [7, 8, 5, 6]]))
    assert ops.argsort(x).numpy().tolist() == [[1, 3, 0, 2], [2, 3, 0, 1]]
    assert ops.argpartition(x[0], 1).numpy()[1] == 3
    assert ops.top_k(x[0], 2)[1].numpy().tolist() == [0, 2]

"""Reading and writing by position, on both devices, against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from tests.harness import assert_close, check_op, rand

X = rand(4, 5, 6)
S = slice

KEYS = [
    0, -1, (0, 1), (S(1, 3),), (..., 2), (None, 1), (S(None, None, -2), ..., 0),
    [0, 2, 0], (S(None), [1, 1, 3]), (0, [1, 2]), (0, S(None), [1, 2]), ([[0], [1]], [1, 2]),
    (S(None), [1, 2], [0, 5]), ([0, 1], S(None), [2, 3]), X[:, 0, 0] > 0, X > 0,
    (S(None), X[0, :, 0] > 0, 1), (None, [1, 2], ..., 0), (..., [1, 2], None), [],
    np.array(2), (S(None, None, -2), ..., [-3, 3, 3]), (np.int64(1), S(1, None)),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=lambda key: str(key)[:20])
def test_get_item(key, device):
    empty = isinstance(key, list) and not key
    key_of_numpy = key if isinstance(key, tuple) else (np.zeros(0, int) if empty else key,)
    check_op(
        lambda x: x[key],
        X,
        reference=lambda x: x[key_of_numpy],
        device=device,
        edges=False,
        dtypes=("float32",),
    )


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_get_item_with_tensors(dtype, device):
    i, mask = gpunn.Tensor(np.array([2, 0, 2], dtype)), gpunn.Tensor(X[:, :, 0] > 0)
    check_op(lambda x: x[:, i], X, reference=lambda x: x[:, [2, 0, 2]], device=device, edges=False)
    check_op(lambda x: x[mask], X, reference=lambda x: x[X[:, :, 0] > 0], device=device,
             edges=False, dtypes=("float32",))  # fmt: skip


@given(st.data())
def test_basic_keys_like_numpy(data):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    assert np.array_equal(gpunn.Tensor(x)[key].numpy(), x[key])


@given(st.data())
def test_keys_with_arrays_like_numpy(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
    common = data.draw(hnp.array_shapes(min_dims=1, max_dims=2, max_side=3))
    key = []
    for n in shape:
        part = data.draw(st.sampled_from(["int", "slice", "array", "none"]))
        if part == "none":
            key.append(None)
        elif part == "int":
            key.append(data.draw(st.integers(-n, n - 1)))
        elif part == "slice":
            key.append(data.draw(st.slices(n)))
        else:
            key.append(data.draw(hnp.arrays(np.int64, common, elements=st.integers(-n, n - 1))))
    key = tuple(key)
    x = np.arange(np.prod(shape)).reshape(shape)
    assert np.array_equal(gpunn.Tensor(x)[key].numpy(), x[key])


@pytest.mark.parametrize(
    "key,error,said",
    [
        (9, IndexError, "out of bounds"),
        ([9], IndexError, "index 9 is out of range for an axis of size 4"),
        ((0, [-7]), IndexError, "index -7 is out of range for an axis of size 5"),
        ((0, 0, 0, 0), IndexError, "too many indices"),
        ((..., [0], ...), IndexError, "2 '...'"),
        (X[0] > 0, IndexError, "a mask of shape (5, 6) does not fit"),
        (1.5, TypeError, "integers or booleans"),
        ([0.5], DTypeError, "float"),
        (True, ArgumentTypeError, "lone bool"),
    ],
    ids=str,
)
def test_get_item_refuses(key, error, said, device):
    with pytest.raises(error) as caught:
        gpunn.Tensor(X)[key]
    assert said in str(caught.value)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_take(axis, device):
    index = np.array([[0, 2], [-1, 2]], "int32")
    check_op(lambda x: ops.take(x, index, axis), X, reference=lambda x: np.take(x, index, axis),
             device=device, edges=False)  # fmt: skip
    assert_close(ops.take(X.astype("float32"), 3, axis), np.take(X.astype("float32"), 3, axis))


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_take_along_axis(axis, device):
    random = np.random.default_rng(3)
    index = random.integers(-120, 120, 50) if axis is None else random.integers(-4, 4, X.shape)
    check_op(lambda x: ops.take_along_axis(x, index, axis), X, device=device, edges=False,
             reference=lambda x: np.take_along_axis(x, index, axis))  # fmt: skip


def test_take_along_axis_broadcasts(device):
    index = np.array([[[1], [0]]])
    check_op(lambda x: ops.take_along_axis(x, index, 1), X, device=device, edges=False,
             reference=lambda x: x[:, [1, 0]])  # fmt: skip


def test_indices_on_the_device(device):
    """Out of range: an error, on a GPU when values are read; NaN and no gradient there."""
    x = gpunn.Tensor(rand(3, 2).astype("float32"), requires_grad=True)
    bad = gpunn.Tensor(np.array([0, 5, -1, -9], "int32"))
    if device == "cpu":
        for call in (lambda: ops.take(x, bad, 0), lambda: x[bad], lambda: x[:, 0][bad]):
            with pytest.raises(IndexError, match="out of"):
                call()
        return
    y = ops.take(x, bad, 0)
    with pytest.raises(IndexError, match=r"index -9 is out of range: expected -3 \.\.\. 2"):
        y.numpy()
    assert np.isnan(y.numpy()).all(1).tolist() == [False, True, False, True]
    y.sum().backward()
    assert x.grad.numpy().tolist() == [[1, 1], [0, 0], [1, 1]]
    y = x[bad, bad]
    with pytest.raises(IndexError, match="index -9, of one of several axes, is out of range"):
        x.numpy()  # any read
    y = x[bad[[0, 2, 2, 2]], bad[[0, 1, 2, 2]]]
    with pytest.raises(IndexError, match="index 5, of one of several axes, is out of range"):
        x.numpy()
    y = x[bad, bad]
    with pytest.raises(IndexError, match="index -9"):
        y.numpy()
    assert np.isnan(y.numpy()).tolist() == [False, True, False, True]
    y = ops.take(ops.cast(x, "int32"), bad, 0)
    along = ops.take_along_axis(x, ops.reshape(bad[:3], (3, 1)), 1)
    with pytest.raises(IndexError):
        along.numpy()
    assert y.numpy()[1, 0] == np.iinfo("int32").min
    assert np.isnan(along.numpy())[:, 0].tolist() == [False, True, False]


def test_host_indices_are_checked_everywhere(device):
    x = gpunn.Tensor(X)
    for call in (
        lambda: ops.take(x, [0, 4], 0),
        lambda: ops.take_along_axis(x, np.full((4, 5, 1), 6), 2),
        lambda: ops.scatter([[4]], [1.0], (4,)),
        lambda: ops.scatter_update(x, [[0, -6]], np.zeros((1, 6))),
    ):
        with pytest.raises(IndexError, match="out of"):
            call()
    with pytest.raises(DTypeError, match="integers"):
        ops.take(x, [0.5], 0)
    with pytest.raises(ShapeError, match="as many dimensions"):
        ops.take_along_axis(x, [0, 1], 0)


def test_gradients_of_a_row_read_twice_are_summed(device):
    x = gpunn.Tensor(np.zeros((3, 2), "float32"), requires_grad=True)
    weights = gpunn.Tensor(np.array([[1], [2], [4]], "float32"))
    (x[[1, 1, 0]] * weights).sum().backward()
    assert x.grad.numpy().tolist() == [[4, 4], [3, 3], [0, 0]]


def test_where(device):
    mask = rand(4, 5, 6, seed=9) > 0
    check_op(lambda x, y: ops.where(mask[: x.shape[0], : x.shape[1], : x.shape[2]], x, y), X, X[0],
             reference=lambda x, y: np.where(mask[: len(x), : x.shape[1], : x.shape[2]], x, y),
             device=device)  # fmt: skip
    check_op(lambda x: ops.where(mask, x, 0.5), X, edges=False, device=device,
             reference=lambda x: np.where(mask, x, 0.5))  # fmt: skip
    with pytest.raises(ArgumentError, match="both"):
        ops.where(mask, 1.0)


def test_where_keeps_nan_out_of_the_gradient(device):
    x = gpunn.Tensor(np.array([np.inf, 2], "float32"), requires_grad=True)
    ops.where([False, True], x, 0.0).sum().backward()
    assert x.grad.numpy().tolist() == [0, 1]


def test_select(device):
    check_op(lambda x, y: ops.select([x > 1, x < -1], [x, y], 3.0), X, X + 1, device=device,
             reference=lambda x, y: np.select([x > 1, x < -1], [x, y], 3.0))  # fmt: skip
    with pytest.raises(ArgumentError, match="as many conditions"):
        ops.select([X > 0], [])


def test_slice_and_slice_update(device):
    block = rand(2, 1, 3)
    check_op(lambda x: ops.slice(x, [1, 0, 2], [2, -1, 3]), X, edges=False, device=device,
             reference=lambda x: x[1:3, :, 2:5])  # fmt: skip

    def update(x, u):
        x = x.copy()
        x[1:3, 4:, 2:5] = u
        return x

    check_op(lambda x, u: ops.slice_update(x, [1, 4, 2], u), X, block, edges=False, device=device,
             reference=update)  # fmt: skip
    with pytest.raises(ShapeError, match="does not lie within"):
        ops.slice(X, [3, 0, 0], [2, 1, 1])
    with pytest.raises(ShapeError, match="does not lie within"):
        ops.slice_update(X, [3, 0, 0], block)


def test_nonzero_argwhere(device):
    mask = gpunn.Tensor(X > 0)
    for mine, theirs in zip(ops.nonzero(mask), np.nonzero(X > 0), strict=True):
        assert mine.dtype == "int32"
        assert np.array_equal(mine.numpy(), theirs)
    assert np.array_equal(ops.argwhere(mask).numpy(), np.argwhere(X > 0))
    assert ops.nonzero(gpunn.Tensor(3.0))[0].shape == (1,)


def test_scatter(device):
    index = np.array([[0, 1], [2, 2], [0, 1]])

    def reference(v):
        y = np.zeros((3, 4))
        np.add.at(y, tuple(index.T), v)
        return y

    check_op(lambda v: ops.scatter(index, v, (3, 4)), rand(3), reference=reference, edges=False,
             device=device)  # fmt: skip
    with pytest.raises(ShapeError, match="values of shape"):
        ops.scatter(index, [1.0], (3, 4))
    with pytest.raises(ShapeError, match="no positions"):
        ops.scatter([[0, 0, 0]], [1.0], (3, 4))


REDUCTIONS = {None: None, "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_scatter_update(reduction, device):
    index = np.array([[0], [3], [0], [-4]])

    def reference(x, u):
        x = x.copy()
        if reduction is None:
            x[index[:, 0]] = u
        else:
            REDUCTIONS[reduction].at(x, index[:, 0], u)
        return x

    check_op(lambda x, u: ops.scatter_update(x, index, u, reduction), rand(5, 3),
             rand(4, 3, seed=5), reference=reference, device=device, edges=False)  # fmt: skip
    with pytest.raises(ArgumentError, match="did you mean"):
        ops.scatter_update(X, index, X[0], "maxx")


def test_scatter_update_drops_what_lies_out_of_range_on_a_gpu(cuda):
    with gpunn.device("cuda"):
        index = gpunn.Tensor(np.array([[0], [7]]))
        y = ops.scatter_update(np.zeros(3, "float32"), index, [1.0, 2.0])
        assert y.numpy().tolist() == [1, 0, 0]
        assert ops.scatter(index, [1.0, 2.0], (3,)).numpy().tolist() == [1, 0, 0]


def test_one_hot_multi_hot(device):
    labels = np.array([[1, -1, 3], [0, 2, 2]])
    for dtype in ("int32", "uint8", "float32"):
        given = gpunn.Tensor(labels.astype(dtype))
        wanted = labels.astype(dtype)[..., None] == np.arange(3).astype(dtype)
        assert_close(ops.one_hot(given, 3), wanted.astype("float32"))
        assert_close(ops.multi_hot(given, 3), wanted.any(1).astype("float32"))
        assert_close(ops.one_hot(given, 3, axis=0, dtype="bool"), np.moveaxis(wanted, -1, 0))
    for bad in (0, 2.0, True):
        with pytest.raises(ArgumentError, match="positive integer"):
            ops.one_hot(labels, bad)
    with pytest.raises(ArgumentError, match="sparse"):
        ops.multi_hot(labels, 3, sparse=True)


def test_segments(device):
    ids = np.array([0, 2, 0, 1, 2, 0])
    parts = [ids == s for s in range(3)]
    for name, reduce in {"sum": np.sum, "max": np.max, "min": np.min, "prod": np.prod}.items():
        op = getattr(ops, f"segment_{name}")
        check_op(lambda x, op=op: op(x, ids, 3), rand(6, 2), edges=False, device=device,
                 reference=lambda x, r=reduce: np.stack([r(x[p], axis=0) for p in parts]),
                 )  # fmt: skip
        assert op(rand(6), ids).shape == (3,)
        assert op(np.zeros((0, 2), "float32"), np.zeros(0, "int32"), 2).shape == (2, 2)
        with pytest.raises(ShapeError, match="one segment number"):
            op(rand(6), ids[:5])
        with pytest.raises(DTypeError, match="integers"):
            op(rand(6), rand(6))


def test_segment_gradients_at_zeros_and_ties(device):
    x = gpunn.Tensor(np.array([2.0, 0, 3, 0, 0, 5]), requires_grad=True)
    ops.segment_prod(x, [0, 0, 0, 1, 1, 2], 3).sum().backward()
    assert x.grad.numpy().tolist() == [0, 6, 0, 0, 0, 1]
    x = gpunn.Tensor(np.array([1.0, 3, 3, -1]), requires_grad=True)
    ops.segment_max(x, [0, 0, 0, -1], 2).sum().backward()
    assert x.grad.numpy().tolist() == [0, 0.5, 0.5, 0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(("name", "expected"), [("max", [3, 4]), ("min", [2, 4]), ("prod", [6, 4])])
def test_segments_of_halves_stay_half(name, expected, dtype, device):
    x = gpunn.Tensor([2.0, 4, 3], True, dtype=dtype)
    y = getattr(ops, f"segment_{name}")(x, [0, 1, 0], 2)
    assert y.dtype == dtype
    assert_close(y, np.array(expected))
    assert ops.scatter_update(x, [[0]], [5.0], name.replace("prod", "mul")).dtype == dtype

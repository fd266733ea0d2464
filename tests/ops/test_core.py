"""Tensors in and out, casts, gradients by hand and control flow."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentError, DTypeError, GradientError, ShapeError
from tests.harness import assert_close, check_op, rand

X = rand(3, 4)


def test_what_a_tensor_is(device):
    x = ops.convert_to_tensor([[1, 2.5]])
    assert (ops.shape(x), ops.ndim(x), ops.size(x), ops.dtype(x)) == ((1, 2), 2, 2, "float32")
    assert (ops.shape([[1, 2]]), ops.dtype(3)) == ((1, 2), "int32")
    assert ops.is_tensor(x) and not ops.is_tensor(X)
    assert ops.convert_to_tensor(x) is x
    assert ops.convert_to_tensor(x, "int32").dtype == "int32"
    with pytest.raises(ArgumentError, match="sparse"):
        ops.convert_to_tensor(x, sparse=True)


def test_convert_to_numpy_copies():
    x = gpunn.Tensor(np.zeros(2))
    y = ops.convert_to_numpy(x)
    y[0] = 1
    assert x.numpy().tolist() == [0, 0]
    assert ops.convert_to_numpy([1, 2]).dtype == "int32"


def test_cast_and_view(device):
    x = gpunn.Tensor(X.astype("float32"), requires_grad=True)
    ops.cast(x, "float64").sum().backward()
    assert x.grad.dtype == "float32"
    assert ops.cast(x, "bool").numpy().all()
    assert np.array_equal(ops.view(x, "int32").numpy(), X.astype("float32").view("int32"))
    with pytest.raises(DTypeError, match="unknown dtype"):
        ops.cast(x, "float31")


def test_saturate_cast(device):
    for values, dtype, wanted in [
        ([-1.0, 256.0, np.nan], "uint8", [0, 255, 0]),
        ([3e9, -3e9, np.inf], "int32", [2147483520, -2147483648, 2147483520]),
        ([1e10, -5.0], "float16", [65504, -5]),
    ]:
        y = ops.saturate_cast(gpunn.Tensor(np.array(values, "float32")), dtype)
        assert (y.dtype, y.numpy().tolist()) == (dtype, wanted)
    assert ops.saturate_cast(np.array([300, -5]), "int8").numpy().tolist() == [127, -5]


def test_stop_gradient(device):
    x = gpunn.Tensor([3.0], requires_grad=True)
    (ops.stop_gradient(x) * x).backward()
    assert x.grad.numpy() == 3


def test_custom_gradient(device):
    @ops.custom_gradient
    def clipped(pair, scale):
        a, b = pair["a"], pair["b"]

        def gradient(first, second):
            return first * 10, second * 100, None

        return (a * b, a + b), gradient

    a, b = (gpunn.Tensor([v], requires_grad=True) for v in (2.0, 3.0))
    product, total = clipped({"a": a, "b": b}, gpunn.Tensor([1.0]))
    (product + total).backward()
    assert [product.item(), total.item(), a.grad.item(), b.grad.item()] == [6, 5, 10, 100]

    wrong = ops.custom_gradient(lambda x: (x * 2, lambda dy: (dy, dy)))
    with pytest.raises(GradientError, match="2 gradients for 1"):
        wrong(a).backward()


def test_control_flow(device):
    x = gpunn.Tensor([2.0], requires_grad=True)
    ops.fori_loop(0, 3, lambda i, y: y * x, x).backward()
    assert x.grad.item() == 32
    assert ops.cond(x > 1, lambda: "yes", lambda: "no") == "yes"
    assert [ops.switch(i, [lambda: 0, lambda: 1]) for i in (-3, 1, 9)] == [0, 1, 1]
    assert ops.while_loop(lambda i: i < 100, lambda i: i + 1, 0, maximum_iterations=7) == 7
    assert ops.while_loop(lambda i, j: i < 2, lambda i, j: (i + 1, j), [0, 5]) == (2, 5)
    with pytest.raises(ArgumentError, match="branch"):
        ops.switch(0, [])


def test_map_scan(device):
    check_op(lambda x: ops.map(lambda r: r * r, x), X, reference=lambda x: x * x, edges=False,
             device=device)  # fmt: skip
    y = ops.vectorized_map(lambda pair: pair[0] + pair[1], [X, X])
    assert_close(y, X + X)
    y = ops.map(lambda r: {"twice": r["x"] * 2}, {"x": X})
    assert_close(y["twice"], X * 2)
    check_op(lambda x: ops.scan(lambda c, r: (c + r, c * r), 1.0, x)[1], X[0], edges=False,
             reference=lambda x: (1 + np.r_[0, np.cumsum(x)[:-1]]) * x, device=device)  # fmt: skip
    carry, results = ops.scan(lambda c, _: (c + 1, None), 0, length=3)
    assert (carry, results) == (3, None)
    for call in (lambda: ops.scan(lambda c, _: (c, c), 0), lambda: ops.scan(None, 0, X, unroll=0)):
        with pytest.raises(ArgumentError, match="scan"):
            call()
    with pytest.raises(ShapeError, match="one length"):
        ops.map(lambda p: p[0], [X, X[:1]])
    with pytest.raises(ArgumentError, match="no slices"):
        ops.map(lambda r: r, X[:0])


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7])
def test_associative_scan(n, device):
    x = rand(2, n)
    for reverse in (False, True):
        order = slice(None, None, -1 if reverse else 1)
        check_op(
            lambda x, r=reverse: ops.associative_scan(lambda a, b: a * b, x, r, axis=1), x,
            reference=lambda x, o=order: np.cumprod(x[:, o], 1)[:, o], device=device, edges=False,
            dtypes=("float32",),
        )  # fmt: skip
    total = ops.associative_scan(lambda a, b: [a[0] + b[0], a[1] + b[1]], [x[0], x[1]])
    assert_close(total[1], np.cumsum(x[1]))


def test_vectorize():
    larger = ops.vectorize(lambda a, b: a if a > b else b)
    assert larger([[1], [5]], [3, 4]).numpy().tolist() == [[3, 4], [5, 5]]
    with pytest.raises(ArgumentError, match="signature"):
        ops.vectorize(larger, signature="()->()")


def test_tree():
    structure = {"b": (1, [2]), "a": None}
    assert gpunn.tree.flatten(structure) == [None, 1, 2]
    assert gpunn.tree.map_structure(lambda x: x, structure) == structure


def test_the_size_of_symbolic_tensors():
    assert ops.size(gpunn.KerasTensor((2, 3))) == 6
    assert ops.size(gpunn.KerasTensor((None, 3))) is None

"""Python's operators and NumPy's methods on tensors: each is the op of `gpunn.ops`."""

import operator

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentTypeError, ShapeError
from tests.harness import assert_close, rand

X = rand(3, 4, low=0.5).astype("float32")
Y = rand(3, 4, low=0.5, seed=1).astype("float32")
I = np.array([[12, 7, 3], [1, 2, 9]], "int32")  # noqa: E741
J = np.array([[2, 3, 1], [1, 4, 2]], "int32")

BINARY = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv),
    *(operator.mod, operator.pow, operator.lt, operator.le, operator.gt, operator.ge),
    *(operator.eq, operator.ne),
]
BITWISE = [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]


def tensor(x, device, requires_grad=False):
    return gpunn.Tensor(x, requires_grad=requires_grad, device=device)


@pytest.mark.parametrize("op", BINARY, ids=lambda op: op.__name__)
def test_operators_of_floats(op, device):
    x, y = tensor(X, device), tensor(Y, device)
    expected = op(X, Y)
    assert_close(op(x, y), expected)
    assert op(x, y).dtype == expected.dtype
    assert_close(op(x, Y), expected)  # with an array on either side
    if device == "cpu":
        assert_close(op(X, y), expected)
    for number in (2, 1.5):
        assert_close(op(x, number), op(X, np.float32(number)))
        assert_close(op(number, x), op(np.float32(number), X))
        assert op(x, number).dtype == op(X, np.float32(number)).dtype


@pytest.mark.parametrize("op", BITWISE, ids=lambda op: op.__name__)
def test_operators_of_integers(op, device):
    x, y = tensor(I, device), tensor(J, device)
    assert_close(op(x, y), op(I, J))
    assert_close(op(x, 2), op(I, 2))
    assert_close(op(2, y), op(2, J))


def test_operators_of_truth(device):
    a, b = np.array([True, True, False]), np.array([True, False, False])
    x, y = tensor(a, device), tensor(b, device)
    for op in (operator.and_, operator.or_, operator.xor):
        assert op(x, y).dtype == bool
        assert_close(op(x, y), op(a, b))
    assert_close(~x, ~a)


@pytest.mark.parametrize("name", ["exp", "tanh", "negative", "sqrt", "isfinite", "remainder"])
def test_functions_of_numpy(name, device):
    function = getattr(np, name)
    arrays, op = [X, Y][: function.nin], getattr(ops, {"remainder": "mod"}.get(name, name))
    x = tensor(X, device, requires_grad=True)
    y = function(x, *[tensor(a, device) for a in arrays[1:]])
    assert type(y) is gpunn.Tensor and y.device == x.device
    assert_close(y, function(*arrays))
    if y.requires_grad:
        y.sum().backward()
        (expected,) = gpunn.grad(lambda *xs: op(*xs).sum(), (0,))(*arrays)
        assert_close(x.grad, expected)
    else:
        assert name == "isfinite"


def test_array_of_the_device_on_the_left(device):
    x = tensor(Y, device, requires_grad=True)
    array = tensor(X, device).array
    for op in (*BINARY, operator.matmul):
        y = op(array, x.T if op is operator.matmul else x)
        assert type(y) is gpunn.Tensor
        assert_close(y, op(X, Y.T if op is operator.matmul else Y))
    (array * x).sum().backward()
    assert_close(x.grad, X)


def test_functions_of_numpy_into_arrays(device):
    x = tensor(Y, device, requires_grad=True)
    array = tensor(X, device).array.copy()
    given = array
    array += x
    assert array is given
    assert_close(gpunn.Tensor(array), X + Y)
    with pytest.raises(TypeError):
        np.add(X, x, out=x)


def test_functions_of_numpy_that_gpunn_has_not(device):
    x = tensor(X, device)
    for name, call in {
        "spacing": lambda: np.spacing(x),
        "add.reduce": lambda: np.add.reduce(x),
        "add": lambda: np.add(x, 1, out=x),
    }.items():
        with pytest.raises(TypeError, match=rf"np\.{name} of a tensor is no op, .* x\.numpy\(\)"):
            call()


def test_functions_of_numpy_on_symbolic_tensors():
    x = gpunn.Input((4,))
    model = gpunn.Model(x, np.exp(x) + X[0] * x)
    assert_close(model(X), np.exp(X) + X[0] * X)
    with pytest.raises(TypeError):
        np.add(X, x, out=X)


def test_unary_operators(device):
    x = tensor(X - 1, device)
    assert_close(-x, -(X - 1))
    assert_close(abs(x), abs(X - 1))
    assert_close(round(x), (X - 1).round())
    assert_close(round(x, 1), (X - 1).round(1))
    assert +x is x


def test_matmul(device):
    assert_close(tensor(X, device) @ tensor(Y.T.copy(), device), X @ Y.T)
    assert_close(tensor(X, device) @ Y.T, X @ Y.T)
    if device == "cpu":
        assert_close(X @ tensor(Y.T, device), X @ Y.T)


def test_equality_with_other_things(device):
    x = tensor(X, device)
    assert (x == None) is False  # noqa: E711
    assert (x != None) is True  # noqa: E711
    assert (x == "x") is False
    assert x in [1, x][1:]
    assert len({x, x}) == 1


METHODS = {  # method: arguments
    "sum": (0,), "mean": (1,), "max": (0,), "min": (0,), "prod": (1,), "var": (0,), "std": (0,),
    "argmax": (1,), "argmin": (1,), "clip": (0.6, 1.2), "round": (1,), "any": (1,), "all": (1,),
    "cumsum": (0,), "cumprod": (1,), "flatten": (), "ravel": (), "squeeze": (), "repeat": (2, 0),
    "argsort": (1,), "take": ([0, 2], 1), "copy": (), "swapaxes": (0, 1), "astype": ("float64",),
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_methods(name, device):
    arguments = METHODS[name]
    y = getattr(tensor(X, device), name)(*arguments)
    expected = getattr(X, name)(*arguments)
    assert y.shape == expected.shape
    assert_close(y, expected)


def test_methods_that_differ_from_numpys(device):
    x = tensor(X, device)
    assert_close(x.sort(axis=0), np.sort(X, 0))
    assert_close(x.ptp(1), np.ptp(X, 1))
    assert_close(x.dot(tensor(Y.T.copy(), device)), X.dot(Y.T))
    assert_close(x.T, X.T)
    assert_close(x.reshape(2, 6), X.reshape(2, 6))
    assert_close(x.reshape((2, -1)), X.reshape(2, -1))
    assert_close(x.reshape(-1), X.reshape(-1))
    three = rand(2, 3, 4).astype("float32")
    t = tensor(three, device)
    assert_close(t.transpose(), three.transpose())
    assert_close(t.transpose(0, 2, 1), three.transpose(0, 2, 1))
    assert_close(t.transpose((2, 0, 1)), three.transpose(2, 0, 1))
    rows, columns = (i.numpy() for i in tensor(np.eye(2, dtype="float32"), device).nonzero())
    assert rows.tolist() == columns.tolist() == [0, 1]


def test_indexing(device):
    x = tensor(X, device, requires_grad=True)
    assert_close(x[1, ::2], X[1, ::2])
    assert [row.shape for row in x] == [(4,)] * 3
    x[0].sum().backward()
    assert x.grad.numpy().sum() == 4


def test_gradients_flow_through_operators(device):
    x, y = tensor(X, device, True), tensor(Y, device, True)
    z = (2 - x) * y / (1 + x**2) - np.float32(3) * abs(-x)
    z.sum().backward()
    slope = -Y / (1 + X**2) - (2 - X) * Y * 2 * X / (1 + X**2) ** 2 - 3
    assert_close(x.grad, slope, "gradient")
    assert_close(y.grad, (2 - X) / (1 + X**2), "gradient")


def test_in_place_operators_make_new_tensors(device):
    x = tensor(X, device)
    before = x
    x += 1
    assert x is not before
    assert_close(before, X)
    assert_close(x, X + 1)


def test_the_operators_are_the_ops():
    assert gpunn.Tensor.__add__ is ops.add
    assert gpunn.Tensor.sum.__wrapped__ is ops.sum and gpunn.Tensor.cumsum is ops.cumsum


def test_bad_shapes_name_the_op(device):
    with pytest.raises(ShapeError, match="multiply"):
        tensor(X, device) * tensor(X[:, :3].copy(), device)


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "max", "min", "any", "all", "std", "var"])
def test_numpys_reductions_take_tensors(device, name):
    x = rand(3, 4)
    reduction = getattr(np, name)
    assert_close(reduction(gpunn.Tensor(x, device=device), axis=0), reduction(x, axis=0))
    with pytest.raises(ArgumentTypeError, match="out"):
        reduction(gpunn.Tensor(x, device=device), out=np.zeros(()))

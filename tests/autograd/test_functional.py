import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.autograd import check_gradients, gradients
from gpunn.errors import ArgumentError, DTypeError, GradientError, ShapeError


def f(x, y, power=2):
    return (x**power * y).sum()


def test_grad(device):
    dx = gpunn.grad(f)([1.0, 2.0], [3.0, 4.0])
    assert dx.numpy().tolist() == [6.0, 16.0] and dx.device == device
    assert gpunn.grad(f)([1.0, 2.0], [3.0, 4.0], power=1).numpy().tolist() == [3.0, 4.0]


def test_value_and_grad_of_several_arguments(device):
    value, (dy, dx) = gpunn.value_and_grad(f, argnums=(1, 0))([1.0, 2.0], [3.0, 4.0])
    assert value.item() == 19 and not value.requires_grad
    assert dy.numpy().tolist() == [1.0, 4.0] and dx.numpy().tolist() == [6.0, 16.0]


def test_arguments_of_several_tensors_have_gradients_nested_alike(device):
    weights = {"a": np.float32([1, 2]), "b": [gpunn.Variable([3.0]), (np.float64([4.0]),)]}

    def f(w, x):
        return (w["a"] * x).sum() * w["b"][0] + (w["b"][1][0] ** 2).sum()

    value, (dw, dx) = gpunn.value_and_grad(f, (0, 1), create_graph=False)(weights, [5.0, 6.0])
    assert value.item() == 67
    assert dw["a"].numpy().tolist() == [15, 18] and dw["a"].device == device
    assert dw["b"][0].numpy().tolist() == [17]
    assert dw["b"][1][0].numpy().tolist() == [8] and dw["b"][1][0].dtype == "float64"
    assert dx.numpy().tolist() == [3, 6]
    assert gpunn.grad(lambda w: (w[1] * 2).sum())([np.ones(2), np.ones(3)])[0].numpy().sum() == 0
    with pytest.raises(DTypeError, match="argument 0 has dtype int32"):
        gpunn.grad(lambda w: w["a"].sum())({"a": np.int32([1])})


def test_what_a_function_gives_beside_its_value(device):
    def f(x):
        return (x * x).sum(), {"twice": 2 * x, "name": "f"}

    (value, rest), dx = gpunn.value_and_grad(f, has_aux=True)([1.0, 2.0])
    assert value.item() == 5 and dx.numpy().tolist() == [2, 4]
    assert rest["twice"].numpy().tolist() == [2, 4] and rest["name"] == "f"
    assert not rest["twice"].requires_grad
    dx, rest = gpunn.grad(f, has_aux=True)([1.0, 2.0])
    assert dx.numpy().tolist() == [2, 4] and rest["name"] == "f"
    (_, rest), _ = gpunn.value_and_grad(f, create_graph=True, has_aux=True)([1.0, 2.0])
    assert rest["twice"].requires_grad
    with pytest.raises(TypeError, match="must give a pair, got Tensor"):
        gpunn.value_and_grad(lambda x: x * x, has_aux=True)(1.0)


def test_the_arguments_own_gradients_are_left_alone():
    x = gpunn.Tensor([1.0, 2.0], requires_grad=True)
    (x * 5.0).sum().backward()
    gpunn.grad(lambda z: (z * z).sum())(x)
    assert x.grad.numpy().tolist() == [5.0, 5.0]


def test_grad_works_under_no_grad_and_names_the_function():
    with gpunn.no_grad():
        assert gpunn.grad(lambda x: x * x)(3.0).item() == 6
    assert gpunn.grad(f).__name__ == "f"


def test_what_the_value_does_not_depend_on_has_gradient_zero():
    assert gpunn.grad(f, 0)(np.float32([1, 2]), [0.0, 0.0]).numpy().tolist() == [0.0, 0.0]
    assert gpunn.grad(lambda x: gpunn.Variable([1.0]).sum())([1.0, 2.0]).numpy().tolist() == [
        0.0,
        0.0,
    ]
    assert gpunn.grad(lambda x: gpunn.Tensor(1.0))([1.0]).numpy().tolist() == [0.0]


def test_grad_refuses():
    with pytest.raises(ShapeError, match=r"a function that gives one number, got shape \(2,\)"):
        gpunn.grad(lambda x: x * 2.0)([1.0, 2.0])
    with pytest.raises(ShapeError, match="got float"):
        gpunn.grad(lambda x: 1.0)([1.0, 2.0])
    with pytest.raises(DTypeError, match="argument 0 has dtype int32"):
        gpunn.grad(lambda x: x.sum())([1, 2])


def test_gradients(device):
    w, b = gpunn.Variable([2.0]), gpunn.Variable([1.0])
    unused = gpunn.Variable([1.0])
    dw, db, none = gradients((w * w + b).sum(), [w, b, unused])
    assert (dw.item(), db.item(), none) == (4.0, 1.0, None)
    assert w.grad is None and b.grad is None
    (dw,) = gradients(w * 3.0, [w], [10.0])
    assert dw.item() == 30
    with pytest.raises(GradientError, match="depends on nothing"):
        gradients(gpunn.Tensor([1.0]), [w])
    with pytest.raises(ShapeError, match="needs its gradient"):
        gradients(w * gpunn.Tensor([1.0, 2.0]), [w])
    with pytest.raises(ShapeError):
        gradients(w * 1.0, [w], [1.0, 2.0])


def test_check_gradients_passes_what_is_right(device):
    check_gradients(lambda x, y: ops.tanh(x @ y), np.ones((2, 3)), np.ones((3, 2)))
    check_gradients(lambda x, i: (x * i, x + 1.0), [1.0, 2.0], np.array([1, 2]))


def test_check_gradients_finds_what_is_wrong(device):
    @gpunn.primitive
    def wrong_square(be, x, /):
        return x * x, lambda dy, needs: (dy * x,)

    with pytest.raises(GradientError, match="along a random direction it gives"):
        check_gradients(wrong_square, [1.0, 2.0])

    @gpunn.primitive
    def one_wrong_operand(be, x, y, /):
        return x * y, lambda dy, needs: (dy * y, dy * x * 1.001)

    with pytest.raises(GradientError):
        check_gradients(one_wrong_operand, [1.0, 2.0], [3.0, 4.0])


def test_argnums_of_no_argument():
    with pytest.raises(ArgumentError, match="argnums 3 of a call with 1"):
        gpunn.grad(lambda x: x, 3)(1.0)

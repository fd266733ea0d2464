"""The harness finds the faults that it is there to find."""

import numpy as np
import pytest

import gpunn
from gpunn.autograd import primitive
from tests.harness import assert_close, check_op, rand, scattered, to_numpy

X, Y = rand(3, 4, seed=1), rand(3, 4, seed=2)


def op(forward, back):
    """A primitive of one operand, from y = forward(be, x) and dx = back(be, x, y, dy)."""

    @primitive
    def made(be, x, /):
        y = forward(be, x)
        return y, lambda dy, needs: (back(be, x, y, dy),)

    return made


square = op(lambda be, x: x * x, lambda be, x, y, dy: 2 * x * dy)


@primitive
def multiply(be, a, b, /):
    def pullback(dy, needs):
        return dy * b if needs[0] else None, dy * a if needs[1] else None

    return a * b, pullback


@primitive
def sum_and_top(be, x, /):
    xp = be.xp

    def pullback(ds, needs):
        dsum, _ = ds
        return (xp.broadcast_to(dsum[..., None], x.shape),)

    return (xp.sum(x, -1), xp.argmax(x, -1)), pullback


def test_good_ops_pass(device):
    check_op(square, X, reference=np.square, device=device)
    check_op(multiply, X, Y, reference=np.multiply, device=device)
    check_op(multiply, X, Y[0], reference=np.multiply, device=device)
    check_op(square, X, device=device)
    check_op(
        sum_and_top,
        X,
        reference=lambda x: (x.sum(-1), x.argmax(-1)),
        device=device,
    )


def in_place(be, x):
    x *= x
    return x


FAULTS = {
    "Not equal to tolerance|not the reference's": op(
        lambda be, x: x * x * 1.001, lambda be, x, y, dy: 2.002 * x * dy
    ),
    "central difference": op(lambda be, x: x * x, lambda be, x, y, dy: 2.001 * x * dy),
    "gradient .*changed in place|was changed in place": op(
        in_place, lambda be, x, y, dy: 2 * x * dy
    ),
    "the result is float64, expected float32": op(
        lambda be, x: x.astype("float64") ** 2, lambda be, x, y, dy: 2 * x * dy
    ),
    "non-contiguous": op(
        lambda be, x: be.xp.square(x) if x.flags.c_contiguous else be.xp.square(x[::-1]),
        lambda be, x, y, dy: 2 * x * dy,
    ),
    "gradient .float64, non-contiguous": op(
        lambda be, x: x * x,
        lambda be, x, y, dy: 2 * (x if x.flags.c_contiguous else x[::-1]) * dy,
    ),
    "size 1": op(lambda be, x: x * x if x.size != 1 else x, lambda be, x, y, dy: 2 * x * dy),
    "size 0": op(
        lambda be, x: x * x if x.size else x.astype("float64"), lambda be, x, y, dy: 2 * x * dy
    ),
}


@pytest.mark.parametrize("message", FAULTS)
def test_faults_are_found(message):
    with pytest.raises(AssertionError, match=message):
        check_op(FAULTS[message], X, reference=np.square)


def test_a_fault_with_the_same_tensor_twice_is_found():
    @primitive
    def wrong(be, a, b, /):
        def pullback(dy, needs):
            return dy * b if needs[0] else None, dy * a if needs[1] and a is not b else None

        return a * b, pullback

    with pytest.raises(AssertionError, match="same tensor twice"):
        check_op(wrong, X, Y, reference=np.multiply)


def test_the_wrong_operand_is_named():
    @primitive
    def wrong(be, a, b, /):
        return a * b, lambda dy, needs: (dy * b, dy * b)

    with pytest.raises(AssertionError, match="operand 0: ok\n  operand 1: analytic"):
        check_op(wrong, X, Y, reference=np.multiply)


def test_an_op_without_a_gradient():
    @primitive
    def sign(be, x, /):
        return be.xp.sign(x), None

    check_op(sign, X, reference=np.sign, grad=False)
    with pytest.raises(AssertionError, match="no result requires a gradient"):
        check_op(sign, X, reference=np.sign)
    with pytest.raises(AssertionError, match="requires a gradient, and should not"):
        check_op(square, X, reference=np.square, grad=False)


def test_scattered(device):
    for x in (X, X[0], rand(2, 3, 4), np.arange(6).reshape(2, 3), np.float64(3.0)):
        tensor = scattered(x, device)
        assert str(tensor.device).startswith(device)
        np.testing.assert_array_equal(to_numpy(tensor), x)
        assert x.ndim == 0 or not tensor.array.flags.c_contiguous


def test_assert_close():
    assert_close(np.array([np.nan, np.inf, 1.0]), [np.nan, np.inf, 1.0])
    assert_close(gpunn.Tensor([1.0]), np.float32([1.0000001]))
    for wrong in ([np.nan, np.inf, 1.1], [np.nan, -np.inf, 1.0], [0.0, np.inf, 1.0]):
        with pytest.raises(AssertionError):
            assert_close(np.array([np.nan, np.inf, 1.0]), wrong)
    with pytest.raises(AssertionError, match="shape"):
        assert_close(np.ones((2, 1)), np.ones(2))
    with pytest.raises(AssertionError):
        assert_close(np.array([1, 2]), np.array([1, 3]))

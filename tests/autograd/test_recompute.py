"""checkpoint: the same numbers as without it, from less memory."""

import gc
import tracemalloc

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.autograd import check_gradients, gradients
from gpunn.autograd.node import Node
from gpunn.errors import ArgumentTypeError, GradientError
from tests.harness import assert_close, rand


def block(w, b):
    return lambda x: ops.tanh(ops.linear(x, w, b)) * x


def test_gradients_are_the_same(device):
    x = gpunn.Tensor(rand(4, 3), device=device).requires_grad_()
    w, b = gpunn.Variable(rand(3, 3, seed=1)), gpunn.Variable(rand(3, seed=2))
    found = []
    for run in (lambda f, x: f(x), gpunn.checkpoint, lambda f, x: gpunn.remat(f)(x)):
        for v in (x, w, b):
            v.grad = None
        h = x * 2.0  # what is computed before is not computed again
        y = run(block(w, b), run(block(w, b), h))
        (y * y).sum().backward()
        found.append([y.numpy(), x.grad.numpy(), w.grad.numpy(), b.grad.numpy()])
    for other in found[1:]:
        for one, expected in zip(other, found[0], strict=True):
            assert np.array_equal(one, expected)


def test_the_intermediate_values_are_not_kept():
    kept = []
    for run in (lambda f, x: f(x), gpunn.checkpoint):
        x = gpunn.Tensor(rand(2, 2), requires_grad=True)
        gc.collect()
        before = sum(type(o) is Node for o in gc.get_objects())
        y = run(lambda x: ops.exp(ops.sin(ops.tanh(ops.exp(x)))), x)
        kept.append(sum(type(o) is Node for o in gc.get_objects()) - before)
        del y
    assert kept == [4, 2]  # the part, and its result


def test_less_memory():
    """A chain of 16 blocks of six ops, each with a result of 80 kB."""
    peaks = []
    for run in (lambda f, x: f(x), gpunn.checkpoint):
        x = gpunn.Tensor(np.full(10_000, 0.1), requires_grad=True)
        tracemalloc.start()
        y = x
        for _ in range(16):
            y = run(lambda x: ops.exp(ops.sin(ops.tanh(ops.exp(ops.cos(ops.tanh(x)))))), y)
        y.sum().backward()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] / 2.5, peaks


def test_nested_structures_and_several_results():
    x, y = gpunn.Tensor(rand(3), requires_grad=True), gpunn.Tensor(rand(3, seed=1))

    def f(pair, *, scale, flag):
        x, y = pair["x"], pair["y"]
        assert flag == "yes"
        return {"sum": x + y, "all": [x * scale, y, (x * y).sum()], "count": 3}

    out = gpunn.checkpoint(f, {"x": x, "y": y}, scale=gpunn.Tensor(2.0), flag="yes")
    assert out["count"] == 3 and not out["all"][1].requires_grad
    (out["sum"].sum() * 10.0 + out["all"][2]).backward()
    assert_close(x.grad, 10 + y.numpy())
    assert gpunn.checkpoint(lambda x: x + 1, gpunn.Tensor([1.0])).tolist() == [2.0]
    assert gpunn.checkpoint(lambda x: x, x) is x
    with gpunn.no_grad():
        assert not gpunn.checkpoint(lambda x: x + 1, x).requires_grad


def test_what_was_computed_before_and_is_used_inside():
    x = gpunn.Tensor(rand(3), requires_grad=True)
    h = ops.exp(x)
    y = gpunn.checkpoint(lambda z: z * h * ops.sin(x), h * 2.0).sum()
    expected = gpunn.grad(lambda x: (2 * ops.exp(x) ** 2 * ops.sin(x)).sum())(x)
    assert_close(gradients(y, [x])[0], expected.numpy())


def test_random_numbers_are_drawn_again_and_the_streams_stay():
    stream = gpunn.backend.Stream(1, "test")
    x = gpunn.Tensor(np.ones(50), requires_grad=True)
    with gpunn.seed(3):
        y = gpunn.checkpoint(
            lambda x: ops.noise.dropout(x, 0.5, stream) * gpunn.random.uniform((50,)) * x, x
        )
        ops.noise.dropout(x, 0.5, stream)
        assert stream.position == 2
        y.sum().backward()
        after = gpunn.random.uniform((3,)).numpy()
    assert stream.position == 2
    assert_close(x.grad, 2 * y.numpy(), dtype="float32")
    with gpunn.seed(3):
        gpunn.random.uniform((50,))
        assert np.array_equal(gpunn.random.uniform((3,)).numpy(), after)


def test_moving_statistics_move_once(device):
    x = gpunn.Tensor(rand(8, 3).astype("float32"), device=device).requires_grad_()
    states = []
    for run in (lambda f, x: f(x), gpunn.checkpoint):
        x.grad = None
        layer = gpunn.layers.BatchNormalization()
        layer.build((None, 3))
        calls = gpunn.Variable(0.0, trainable=False)

        def f(x, layer=layer, calls=calls):
            calls.assign_add(1.0)
            return layer(x, training=True) * calls * x

        run(f, x).sum().backward()
        states.append([x.grad.numpy(), calls.numpy(), *layer.get_weights()])
    for one, other in zip(*states, strict=True):
        assert np.array_equal(one, other)


def test_second_derivatives_through_a_part():
    w = gpunn.Variable(rand(3, 3))
    b = gpunn.Variable(rand(3))
    check_gradients(lambda x: gpunn.checkpoint(block(w, b), x * x), rand(2, 3), order=3, rtol=1e-4)
    x = gpunn.Tensor(rand(2, 3), requires_grad=True)
    found = []
    for run in (gpunn.checkpoint, lambda f, x: f(x)):
        (dx,) = gradients(run(block(w, b), x).sum(), [x], create_graph=True)
        found.append(gradients((dx * dx).sum(), [x, w, b]))
    for one, other in zip(*found, strict=True):
        assert_close(one, other.numpy())


def test_parts_in_parts():
    x = gpunn.Tensor(rand(4), requires_grad=True)
    stream = gpunn.backend.Stream(2, "test")

    def inner(x):
        return ops.noise.dropout(ops.exp(x), 0.5, stream)

    def outer(x):
        return gpunn.checkpoint(inner, ops.sin(x)) * gpunn.checkpoint(inner, x)

    y = gpunn.checkpoint(outer, x)
    (dx,) = gradients(y.sum(), [x])
    stream.position = 0
    (expected,) = gradients((inner(ops.sin(x)) * inner(x)).sum(), [x])
    assert_close(dx, expected.numpy())


def test_the_graph_is_used_up():
    x = gpunn.Tensor(rand(3), requires_grad=True)
    y = gpunn.checkpoint(ops.exp, x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert_close(x.grad, 2 * np.exp(x.numpy()))
    with pytest.raises(GradientError, match="used up"):
        y.backward()


def test_what_is_no_function_is_refused():
    with pytest.raises(ArgumentTypeError, match="expected a function or a layer, got 3"):
        gpunn.checkpoint(3, 4)

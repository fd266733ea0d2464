"""Deep and wide graphs, and what is left of a graph when it is done."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import gpunn
from gpunn import ops

DEPTH = 100_000


def chain(x, depth=DEPTH):
    for _ in range(depth):
        x = x + 1.0
    return x


def test_chain_of_100_000_ops():
    x = gpunn.Tensor([1.0], requires_grad=True)
    y = chain(x)
    assert y.item() == 1 + DEPTH
    y.backward()
    assert x.grad.item() == 1
    del y


def test_a_long_chain_that_is_never_walked_can_be_dropped():
    x = gpunn.Tensor([1.0], requires_grad=True)
    end = chain(x)
    alive = weakref.ref(end)
    del end
    assert alive() is None


def test_a_graph_is_freed_on_the_way():
    x = gpunn.Tensor([1.0], requires_grad=True)
    y = chain(x, 100)
    first = y.node
    while first.parents[0] is not x:
        first = first.parents[0]
    y.backward()
    assert y.node.parents == () and first.parents == ()


def test_25_doublings_are_25_steps():
    x = gpunn.Tensor([1.0], requires_grad=True)
    y = x
    for _ in range(25):
        y = y + y
    y.backward()
    assert x.grad.item() == 2**25


def test_a_wide_sum():
    x = gpunn.Tensor([1.0], requires_grad=True)
    total = x * 0.0
    for _ in range(5000):
        total = total + x
    total.backward()
    assert x.grad.item() == 5000


def training_step(w, b, x):
    h = ops.tanh(x @ w + b)
    loss = (h * h).sum()
    w.grad = b.grad = None
    loss.backward()
    w.assign_sub(w.grad * 0.01)
    b.assign_sub(b.grad * 0.01)


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_steps_leave_no_cycles(no_collector):
    w, b = gpunn.Variable(np.ones((3, 2), "float32")), gpunn.Variable([0.0, 0.0])
    x = gpunn.Tensor(np.ones((4, 3), "float32"))
    training_step(w, b, x)
    gc.collect()
    for _ in range(20):
        training_step(w, b, x)
    y = ops.tanh(x @ w)  # never walked
    del y
    assert gc.collect() == 0


def test_memory_is_flat_over_10_000_steps(no_collector):
    w, b = gpunn.Variable(np.ones((3, 2), "float32")), gpunn.Variable([0.0, 0.0])
    x = gpunn.Tensor(np.ones((4, 3), "float32"))
    for _ in range(3000):  # Python keeps up to 2000 tuples of a length for reuse
        training_step(w, b, x)
    objects = len(gc.get_objects())
    tracemalloc.start()
    try:
        training_step(w, b, x)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            training_step(w, b, x)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    for _ in range(6000):
        training_step(w, b, x)
    assert grown < 5_000
    assert len(gc.get_objects()) - objects < 50


def test_buffers_go_as_backward_goes():
    """Peak memory of a backward walk is far below one gradient per op."""
    n = 250_000  # 1 MB
    x = gpunn.Tensor(np.ones(n, "float32"), requires_grad=True)
    y = x
    for _ in range(30):
        y = y * 1.5
    tracemalloc.start()
    try:
        y.backward(np.ones(n, "float32"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * 4 * n


def test_kept_results_do_not_keep_a_walked_graph():
    x = gpunn.Tensor([1.0], requires_grad=True)
    h = x * 2.0
    losses = []
    for _ in range(3):
        h = x * 2.0
        loss = (h * h).sum()
        loss.backward()
        losses.append(loss)
    assert all(loss.node.parents == () for loss in losses)

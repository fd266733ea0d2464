"""Gradient mode, device and seed belong to a thread; results do not depend on their number."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import gpunn
from gpunn import ops
from gpunn.autograd import enable_grad, is_grad_enabled
from tests.harness import rand


def in_thread(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def network(device):
    w1 = gpunn.Variable(rand(16, 32, seed=1).astype("float32"))
    w2 = gpunn.Variable(rand(32, 4, seed=2).astype("float32"))

    def call(x):
        with gpunn.device(device):
            return ops.tanh(gpunn.Tensor(x) @ w1) @ w2

    return call, [w1, w2]


def test_gradient_mode_belongs_to_the_thread():
    with gpunn.no_grad():
        assert in_thread(is_grad_enabled) and not is_grad_enabled()
        with enable_grad():
            assert is_grad_enabled()
        assert not is_grad_enabled()
    assert is_grad_enabled()

    @gpunn.no_grad()
    def quiet():
        return is_grad_enabled()

    assert not quiet() and is_grad_enabled()


def test_gradient_mode_comes_back_after_an_exception():
    try:
        with gpunn.no_grad():
            raise KeyError
    except KeyError:
        pass
    assert is_grad_enabled()


def test_device_and_seed_contexts_belong_to_the_thread(device):
    assert in_thread(lambda: str(gpunn.current_device())) == "cpu"
    assert gpunn.current_device() == device
    with gpunn.seed(5):
        inner = gpunn.backend.current_seed()
        assert inner.value == 5
        assert in_thread(gpunn.backend.current_seed) is not inner


def test_a_tensor_made_in_another_thread_is_on_its_device(device):
    t = in_thread(lambda: gpunn.Tensor([1.0]))
    assert t.device == "cpu"


def test_inference_in_8_threads_gives_the_same_numbers(device):
    call, _ = network(device)
    batches = [rand(8, 16, seed=i).astype("float32") for i in range(40)]
    with gpunn.no_grad():
        alone = [call(x).numpy() for x in batches]

    def predict(x):
        with gpunn.no_grad():
            return call(x).numpy()

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(predict, batches))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_backward_in_8_threads_adds_up_in_shared_leaves(device):
    call, weights = network(device)
    batches = [np.full((2, 16), i % 5, "float32") for i in range(40)]

    def step(x):
        call(x).sum().backward()

    for x in batches:
        step(x)
    alone = [w.grad.numpy().copy() for w in weights]
    for w in weights:
        w.grad = None
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(step, batches))
    for w, expected in zip(weights, alone, strict=True):
        np.testing.assert_allclose(w.grad.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_large_gradients_of_many_threads_are_not_lost():
    """Adding to a large gradient lets other threads run in between."""
    w = gpunn.Variable(np.zeros(300_000, "float32"))
    ready = threading.Barrier(4)

    def work():
        ready.wait()
        for _ in range(10):
            w.accumulate(np.ones(300_000, "float32"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert (w.grad.numpy() == 40).all()

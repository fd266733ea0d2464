"""The host: threads of BLAS, memory, and what the allocator keeps."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import gpunn
from gpunn.backend import host, threads
from gpunn.errors import ArgumentError, DeviceError


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.fixture
def blas():
    if threads._function("set") is None:
        pytest.skip(f"the threads of {threads.blas_name()} cannot be set")
    before, chosen = threads._function("get")(), threads._chosen
    yield
    gpunn.set_num_threads(before)
    threads._chosen = chosen


def test_threads_can_be_set(blas):
    for n in (1, 2, np.int64(1)):
        gpunn.set_num_threads(n)
        assert gpunn.get_num_threads() == n
    a = np.random.default_rng(0).normal(size=(200, 200))
    np.testing.assert_allclose(a @ a, np.einsum("ij,jk->ik", a, a), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", None, True])
def test_a_number_of_threads_is_positive(n):
    before = gpunn.get_num_threads()
    with pytest.raises(ArgumentError, match="integer of at least 1"):
        gpunn.set_num_threads(n)
    assert gpunn.get_num_threads() == before


def test_the_number_of_threads_at_first(monkeypatch):
    monkeypatch.setattr(threads, "_chosen", None)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    if hasattr(os, "sched_getaffinity"):
        assert gpunn.get_num_threads() == len(os.sched_getaffinity(0))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert gpunn.get_num_threads() == 3
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    assert gpunn.get_num_threads() == 2
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "many")
    assert gpunn.get_num_threads() == 3


def blas_threads():
    return threads._function("get")()


def test_steps_multiply_with_one_blas_thread(blas):
    gpunn.set_num_threads(2)
    seen = []

    class Look(gpunn.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(blas_threads())

        on_test_batch_end = on_predict_batch_end = on_train_batch_end

    class Looks(gpunn.layers.Layer):
        def call(self, x):
            seen.append(blas_threads())
            return x

    x, y = np.ones((8, 3), "float32"), np.ones((8, 2), "float32")
    for jit in (True, False):
        model = gpunn.Sequential([gpunn.Input((3,)), gpunn.layers.Dense(2), Looks()])
        model.compile("sgd", "mse", jit_compile=jit)
        seen.clear()
        model.fit(x, y, batch_size=2, verbose=0, callbacks=[Look()], validation_data=(x, y))
        model.evaluate(x, y, batch_size=2, verbose=0, callbacks=[Look()])
        model.predict(x, batch_size=2, verbose=0, callbacks=[Look()])
        model.predict(x, verbose=0)
        model.train_on_batch(x, y)
        model.test_on_batch(x, y)
        model.predict_on_batch(x)
        assert len(seen) > 15
        assert set(seen) == {1}
        assert blas_threads() == 2


def test_a_step_that_fails_puts_the_threads_back(blas):
    gpunn.set_num_threads(2)
    model = gpunn.Sequential([gpunn.Input((3,)), gpunn.layers.Dense(2)])
    model.compile("sgd", lambda y, z: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0)
    assert blas_threads() == 2


def test_single_ops_multiply_with_one_blas_thread(blas, monkeypatch):
    gpunn.set_num_threads(2)
    seen = []

    def watched(product):
        def run(*args, **options):
            seen.append(blas_threads())
            return product(*args, **options)

        return run

    for name in ("dot", "matmul"):
        monkeypatch.setattr(np, name, watched(getattr(np, name)))
    x = gpunn.Tensor(np.ones((100, 100), "float32"), requires_grad=True)
    gpunn.ops.matmul(x, x).sum().backward()
    gpunn.ops.dot(x, x)
    assert len(seen) >= 4
    assert set(seen) == {1}
    assert blas_threads() == 2


def test_contexts_of_several_threads(blas):
    gpunn.set_num_threads(2)
    inside, leave = threading.Event(), threading.Event()

    def other():
        with threads.one_blas_thread:
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with threads.one_blas_thread:
        thread.start()
        inside.wait(10)
    assert blas_threads() == 1
    gpunn.set_num_threads(3)
    assert blas_threads() == 1
    leave.set()
    thread.join()
    assert blas_threads() == 3


def test_a_blas_that_cannot_be_told(monkeypatch):
    monkeypatch.setattr(threads, "_function", lambda what: None)
    with threads.one_blas_thread:
        pass
    with pytest.raises(DeviceError, match="set OMP_NUM_THREADS"):
        gpunn.set_num_threads(2)


def test_blas_is_named():
    assert len(threads.blas_name()) > 3
    assert threads.small_products() == (10**6 if threads._core() == "SkylakeX" else 0)


def test_memory_of_the_host():
    host.trim()  # or the block may lie in what other tests left
    total, free, used = host.memory()
    assert total > free > 0 and total > used > 1 << 20
    block = np.ones(64 << 20, "uint8")
    assert host.memory()[2] - used > len(block) // 2


def test_freed_memory_is_kept_unless_told_otherwise():
    code = (
        "import resource, numpy as np, gpunn.backend\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(3): np.ones(1 << 22, 'float32')\n"
        "before = faults()\n"
        "for _ in range(20): np.ones(1 << 22, 'float32')\n"
        "print(gpunn.backend.keep_freed_memory(), faults() - before)"
    )
    if host._glibc() is None:
        assert run(code)[0] == "False"
        return
    kept, faults = run(code)
    assert kept == "True" and int(faults) < 5_000
    kept, faults = run(code, GPUNN_MALLOC="system")
    assert kept == "False"

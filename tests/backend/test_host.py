"""The host: threads of BLAS, memory, and what the allocator keeps."""

import subprocess
import sys

import numpy as np
import pytest

import gpunn
from gpunn.backend import host, threads
from gpunn.errors import ArgumentError, DeviceError


def run(code, **environment):
    import os

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
    before = gpunn.get_num_threads()
    yield
    gpunn.set_num_threads(before)


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


def test_a_blas_that_cannot_be_told(monkeypatch):
    monkeypatch.setattr(threads, "_function", lambda what: None)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert gpunn.get_num_threads() == 3
    with pytest.raises(DeviceError, match="set OMP_NUM_THREADS"):
        gpunn.set_num_threads(2)


def test_blas_is_named():
    assert len(threads.blas_name()) > 3


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

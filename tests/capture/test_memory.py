"""What a plan's memory is, and what recording one takes."""

import gc
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

import gpunn
from gpunn.backend.memory import asked_for
from gpunn.backend.pages import HUGE, fresh, zeros
from gpunn.capture import Plan, Recorder
from gpunn.capture.arena import LARGE, arena, lifetimes
from gpunn.capture.ir import Call, Storage, View
from gpunn.capture.pages import SIZE, Pages

MEASURE = """
import numpy as np, gpunn
from gpunn.backend import host

def used():
    return host.memory()[2] / 2**20

gpunn.set_seed(0)
model = gpunn.Sequential([gpunn.Input((64,))] + [gpunn.layers.Dense(64, "gelu") for _ in range(8)])
model.compile("sgd", "mse")
x = np.ones((1 << 14, 64), "float32")
model.optimizer.build(model.trainable_variables)
batch = (gpunn.Tensor(x), gpunn.Tensor(x))
model.train_step(batch)
held = [np.ones(1 << 19, "float32") for _ in range(250)]
del held[:-1]  # kept by the C library, with the last one behind it
before = used()
model._run_train_step(batch)
(step,) = model._captured._steps.values()
print(before, used(), step.plan.arena.nbytes / 2**20)
"""


def test_what_eager_steps_kept_is_given_back_for_a_plan():
    if not os.path.exists("/proc/self/statm") or os.confstr("CS_GNU_LIBC_VERSION") is None:
        pytest.skip("the C library is not glibc")
    run = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True)
    assert not run.returncode, run.stderr
    before, planned, arena = map(float, run.stdout.split())
    assert before > 300 and arena > 40
    assert planned < before - 300 + arena


PEAK = """
import resource
import numpy as np, gpunn

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

gpunn.set_seed(0)
hidden = [gpunn.layers.Dense(64, "gelu") for _ in range(8)]
model = gpunn.Sequential([gpunn.Input((64,)), *hidden, gpunn.layers.Dense(64)])
model.compile("sgd", "mse", metrics=["mae"])
x = np.ones((1 << 15, 64), "float32")
model.train_on_batch(x[:32], x[:32])
before = most()
model.train_on_batch(x, x)
(step,) = model._captured._steps.values()
print(before, most(), step.plan.arena.nbytes / 2**20)
"""


def test_the_first_step_takes_no_more_memory_than_its_plan():
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("the most memory is counted in other units")
    plain = {**os.environ, "GPUNN_FAST": "0"}  # LLVM takes memory too
    run = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, env=plain)
    assert not run.returncode, run.stderr
    before, most, arena = map(float, run.stdout.split())
    assert 8 * 2 * 8 < arena < 8 * 2 * 8 + 30  # a result and a slope of each layer, of 8 MB
    assert most < before + arena + 40  # the batch, twice, and the recording


def test_nothing_is_kept_of_a_recording_but_its_plan():
    gc.collect()
    before = sum(type(x) is Call for x in gc.get_objects())
    model = gpunn.Sequential([gpunn.Input((3,)), gpunn.layers.Dense(2)])
    model.compile("adam", "mse")
    x, y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
    for _ in range(4):
        model.train_on_batch(x, y)
    assert model._captured._steps
    gc.collect()
    assert sum(type(x) is Call for x in gc.get_objects()) == before


def test_nothing_is_kept_of_a_recording_that_began_anew(cuda):
    """The first one finds kernels that are not loaded; no graph of it waits for the collector."""
    from gpunn.backend import get_backend

    graphs = get_backend("cuda")._graphs
    gc.collect()
    before = len(graphs)
    gc.disable()
    try:
        with gpunn.device("cuda"):
            parts = [gpunn.layers.Dense(20, "relu"), gpunn.layers.BatchNormalization()]
            model = gpunn.Sequential([gpunn.Input((3,)), *parts, gpunn.layers.Dense(2)])
            model.compile(gpunn.optimizers.Adam(clipnorm=1.0), "mse", jit_compile=True)
            for _ in range(4):
                model.train_on_batch(np.ones((4, 3), "float32"), np.ones((4, 2), "float32"))
        assert len(graphs) == before + 1
    finally:
        gc.enable()


@pytest.mark.parametrize("nbytes", [0, 1, 63, 4096, HUGE - 1, HUGE, HUGE + 1, 3 * HUGE + 77])
def test_fresh_memory(nbytes):
    memory = fresh(nbytes)
    assert memory.shape == (nbytes,) and memory.flags.writeable and not memory.any()
    assert memory.ctypes.data % (64 if nbytes < HUGE else HUGE) == 0
    memory.fill(255)
    assert zeros(nbytes, "float64").sum() == 0


def test_fresh_memory_that_there_is_not():
    with pytest.raises(MemoryError) as refused:
        fresh(1 << 50)
    assert asked_for(refused.value) == 1 << 50


def test_weights_and_slots_lie_in_fresh_memory():
    model = gpunn.Sequential([gpunn.Input((800,)), gpunn.layers.Dense(800)])
    optimizer = gpunn.optimizers.Adagrad()
    optimizer.build(model.trainable_variables)
    (slot,) = optimizer._parts[0].buffers.values()
    for memory in (*optimizer._parts[0].flat[1:], slot):
        assert memory.ctypes.data % HUGE == 0
    assert (slot == np.float32(0.1)).all()


def test_pages_overlap_nowhere_and_are_zero():
    pages = Pages()
    found = [pages.zeros((n, 3), np.dtype("float32")) for n in (1, 5, SIZE // 12, 7, SIZE, 0, 2)]
    found += [pages.zeros(n, np.dtype("int8")) for n in (1, 64, 65)]
    for x in found[:2] + found[3:4] + found[5:]:
        assert not x.any()
        assert not x.size or x.ctypes.data % 64 == 0
    bounds = sorted(np.lib.array_utils.byte_bounds(x) for x in found if x.size)
    assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(bounds))


@pytest.mark.parametrize("shape", [(5, 1, 3), (0, 2), ()])
def test_pages_keep_layouts(shape):
    pages = Pages()
    x = np.zeros(shape).transpose()
    found = pages.zeros_like(x, np.dtype("int32"))
    assert found.shape == x.shape and found.dtype == "int32"
    assert found.strides == np.zeros_like(x, "int32").strides


def test_a_recording_takes_no_memory_for_its_arrays():
    recorder = Recorder()
    x = np.ones((1 << 20, 4), np.float32)
    used = _used()
    with recorder:
        y = recorder.external(x)
        for _ in range(20):
            y = np.concatenate([y * 2])
    assert _used() - used < 100


def _used() -> float:
    """MB of memory that this process has."""
    from gpunn.backend import host

    return host.memory()[2] / 2**20


@pytest.mark.parametrize("seed", range(8))
def test_what_is_needed_at_once_lies_apart(seed):
    rng = np.random.default_rng(seed)
    n, pages = 60, Pages()
    sizes = (LARGE ** rng.uniform(0.2, 1.1, n)).astype(int).tolist()
    storages = [Storage("temp", pages.zeros(size, np.dtype("int8"))) for size in sizes]
    calls: list = [[] for _ in range(100)]
    for storage in storages:
        first = int(rng.integers(100))
        for i in {first, min(first + int(rng.integers(30)), 99)}:
            calls[i].append(View(storage, 0, (storage.nbytes,), (1,), np.dtype("int8")))
    calls = [Call("do", print, (), {}, tuple(views), None) for views in calls]
    places, size = arena(calls)
    lives = lifetimes(calls)
    assert places.keys() == lives.keys() == set(storages)
    for a, b in itertools.combinations(storages, 2):
        together = lives[a][0] <= lives[b][1] and lives[b][0] <= lives[a][1]
        apart = places[a] + a.nbytes <= places[b] or places[b] + b.nbytes <= places[a]
        assert apart or not together
    needed = max(
        sum(s.nbytes for s, (first, last) in lives.items() if first <= i <= last)
        for i in range(100)
    )
    assert needed <= size < 1.2 * needed
    assert all(place % 64 == 0 for place in places.values())
    assert arena(calls, shared=False)[1] >= sum(sizes)


def test_a_plans_memory_begins_where_a_line_of_the_cache_does():
    recorder = Recorder()
    x = np.ones(1000, np.float32)
    with recorder:
        y = recorder.external(x)
        y += np.exp(y + 1)
    plan = Plan(recorder, passes=("arena",))
    assert plan.arena.ctypes.data % 64 == 0
    plan.run()
    assert np.allclose(x, 1 + np.exp(2))

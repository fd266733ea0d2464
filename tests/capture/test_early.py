"""Calls that are made sooner: what waits for the backward pass takes less memory, the bits stay."""

import numpy as np
import pytest

from gpunn.capture import Plan, Recorder, early
from gpunn.capture.arena import arena
from gpunn.capture.early import GAP

N = 1 << 19  # elements, 2 MB of float32
X = np.random.default_rng(0).normal(size=N).astype("float32")


def recorded(step):
    """The calls of a step on x, and its result."""
    recorder = Recorder()
    with recorder:
        y = step(recorder.external(X))
    return recorder, y


def others(y):
    """As many calls that have nothing to do with what waits."""
    for _ in range(GAP + 1):
        y = np.cos(y[:8])
    return y


def relu_and_mask(x):
    y = np.maximum(x * 2, np.float32(0))
    total = np.add.reduce(y)
    between = others(x)
    return y.dtype.type(1) * between[0] * ((y > 0) * total)


def slope(x):
    """Two arrays wait, and are read by the first and the last of several calls."""
    x = x * 2
    s = np.tanh(x)
    y = x * s
    total = np.add.reduce(y)
    between = others(y)
    factor = x * x
    factor *= 1 - s
    factor += s
    return factor * total * between[0]


def bytes_of(calls):
    return arena(calls)[1]


@pytest.mark.parametrize("step", [relu_and_mask, slope])
def test_what_waits_is_smaller_and_the_bits_are_equal(step):
    recorder, _ = recorded(step)
    calls = early.early(list(recorder.calls))
    assert sorted(map(id, calls)) == sorted(map(id, recorder.calls))
    assert calls != recorder.calls
    found = {}
    for passes in ((), ("early",), ("early", "in_place", "arena"), ("in_place", "arena")):
        plan = Plan(*wanted(step), passes=passes)
        plan.poison()
        plan.run()
        found[passes] = plan.results[0].tobytes()
    assert len(set(found.values())) == 1


def wanted(step):
    recorder, y = recorded(step)
    return recorder, [y]


def test_how_much_is_saved():
    """Between both uses y waits as a mask of a byte each; x and s as one array."""
    for step, before, after in ((relu_and_mask, 4, 1), (slope, 8, 4)):
        recorder, _ = recorded(step)
        calls = early.early(list(recorder.calls))
        assert waiting(recorder.calls) == before * N
        assert waiting(calls) == after * N


def waiting(calls):
    """The bytes of large temps that are there while the other calls are made, in multiples of N."""
    (*_, at) = [i for i, c in enumerate(calls) if c.fn is np.cos and c.out.shape == (8,)]
    uses = early.uses_of(calls)
    there = [s for s, u in uses.items() if s.kind == "temp" and u[0] < at < u[-1]]
    return sum(s.nbytes for s in there) // N * N


def test_nothing_is_made_before_what_it_reads_is_there():
    def step(x):
        y = np.maximum(x, np.float32(0))
        between = others(x)
        y += between[0]
        return (y > 0) * x

    recorder, _ = recorded(step)
    assert early.early(list(recorder.calls)) == recorder.calls


def test_nothing_is_made_before_another_call_has_read_what_it_overwrites():
    def step(x):
        y = np.maximum(x, np.float32(0))
        z = x * 3
        between = np.add.reduce(z) * others(x)[0]
        np.negative(y, z)  # z is read, and only then y may lie there
        return z * between

    eager = step(X.copy())
    plan = Plan(*wanted(step), passes=("early", "arena"))
    plan.run()
    assert plan.results[0].tobytes() == eager.tobytes()


def test_what_saves_nothing_stays_where_it_is():
    def step(x):
        y = np.tanh(x)
        between = others(x)
        return (1 - y) * between[0]  # as large as y

    recorder, _ = recorded(step)
    assert early.early(list(recorder.calls)) == recorder.calls

"""Runs of elementwise calls go through long arrays strip by strip, with equal bits."""

import numpy as np
import pytest

from gpunn.backend import native
from gpunn.capture import Plan, Recorder, strips
from gpunn.capture.arena import arena

X = np.random.default_rng(0).normal(size=(9, 77, 401)).astype("float32")


@pytest.fixture(autouse=True)
def no_loops(monkeypatch):
    monkeypatch.setattr(native, "available", lambda: False)


def gelu(x, other):
    s = x * x
    s *= 0.03567741
    s += 0.7978846
    s *= x
    s = np.tanh(s)
    s *= 0.5
    s += 0.5
    return x * s


def with_masks(x, other):
    return (x > 0) * other + np.where(x > 1, x, other) * (other > x).astype("float32")


def of_other_shapes(x, other):
    y = (x * 2 + 1).reshape(-1) * other.reshape(-1)
    return np.exp(-y).reshape(77, 9, 401) + 1


def with_vectors(x, other):
    return np.tanh(x + other[:1, :1]) * other.sum(axis=0) * 2 + 1


def with_one_number(x, other):
    return (x * other[:1, :1, :1] + 1) * 3


def in_place(x, other):
    y = x + other
    y += 1
    y *= y
    y -= other
    return np.sqrt(np.abs(y), y)


def half_by_half(x, other):
    """The second half is made of the first: strips must not mix."""
    y = (x + other).reshape(-1)
    low, high = y[: y.size // 2], y[y.size // 2 : y.size // 2 * 2]
    high += low
    high *= 2
    low -= high
    return y


STEPS = [gelu, with_masks, of_other_shapes, with_vectors, with_one_number, in_place, half_by_half]


def planned(step, passes):
    recorder = Recorder()
    other = X[::-1].copy()
    with recorder:
        result = step(recorder.external(X), recorder.external(other))
    return recorder, Plan(recorder, [result], passes=passes)


@pytest.mark.parametrize("size", [1000, 4096, 1 << 16])
@pytest.mark.parametrize("step", STEPS)
def test_equal_bits(step, size, monkeypatch):
    monkeypatch.setattr(strips, "STRIP", size)
    expected = step(X, X[::-1].copy())
    for passes in (("strips",), ("in_place", "strips", "arena"), ("early", "strips", "arena")):
        _, plan = planned(step, passes)
        for _ in range(2):
            plan.poison()
            plan.run()
            assert plan.results[0].tobytes() == expected.tobytes(), passes


def test_what_is_handed_on_takes_one_strip():
    recorder = Recorder()
    with recorder:
        gelu(recorder.external(X), None)
    calls = recorder.calls
    cut = strips.in_strips(calls)
    assert len(cut) == len(calls) * -(-X.size // strips.STRIP)
    assert arena(cut)[1] <= X.nbytes / 4 + 2 * 4 * strips.STRIP  # s twice
    assert arena(calls)[1] == 2 * arena(calls[:1])[1]


def test_what_is_short_or_alone_stays_whole():
    def short(x, other):
        return gelu(x[:2], other)

    for step in (short, lambda x, other: (x + other) * 2):
        recorder = Recorder()
        with recorder:
            step(recorder.external(X), recorder.external(X.copy()))
        assert strips.in_strips(recorder.calls) == recorder.calls

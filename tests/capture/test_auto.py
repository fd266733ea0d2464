"""jit_compile="auto": what is captured, and when; `test_others.py` has code of every kind."""

import logging
import sys

import numpy as np
import pytest

import gpunn
from gpunn import layers

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = X[:, :1] * 2 - 1


class Twice(layers.Layer):
    def call(self, x):
        return x * 2


def fitted(parts, loss="mse", **options):
    gpunn.set_seed(1)
    model = gpunn.Sequential([gpunn.Input((4,)), *parts()])
    model.compile("adam", loss, metrics=["mae"], **options)
    history = model.fit(X, Y, batch_size=16, epochs=3, verbose=0).history
    return model, history


def plain():
    return [layers.Dense(8, activation="relu"), layers.BatchNormalization(), layers.Dense(1)]


def test_own_classes_are_captured_with_the_same_bits():
    auto, history = fitted(plain)
    eager, expected = fitted(plain, jit_compile=False)
    assert auto._captured.refused is None and auto._captured._steps
    assert eager._captured is None
    assert history == expected
    for a, b in zip(auto.get_weights(), eager.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_own_classes_are_not_watched():
    model, _ = fitted(plain)
    assert set(model._captured._user_code.values()) <= {None}


def test_code_of_others_is_captured_in_every_kind_of_step():
    model, _ = fitted(lambda: [Twice(), layers.Dense(1)])
    for _ in range(6):
        model.evaluate(X[:30], Y[:30], batch_size=16, verbose=0)
        model.predict(X[:30], batch_size=16, verbose=0)
    for captured in (model._captured, model._captured_test, model._captured_predict):
        assert captured.refused is None and captured._steps
    assert len(model._captured_test._steps) == len(model._captured_predict._steps) == 2


def test_why_a_step_is_not_captured_is_said_once(caplog):
    with caplog.at_level(logging.INFO, "gpunn"):
        fitted(lambda: [layers.Lambda(lambda x: print("here") or x), layers.Dense(1)])
    (said,) = [r.getMessage() for r in caplog.records if "call by call" in r.getMessage()]
    assert "<lambda> (line " in said and said.endswith("it calls print")


def test_what_is_traced_runs_call_by_call():
    """A debugger must see every line: so a step is captured once it has gone."""
    seen = []

    def trace(frame, event, arg):
        if frame.f_code is Twice.call.__code__:
            seen.append(event)
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        model, _ = fitted(lambda: [Twice(), layers.Dense(1)])
        assert sys.gettrace() is trace
    finally:
        sys.settrace(before)
    assert len(seen) >= 12 and not model._captured._steps and model._captured.refused is None
    model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    assert model._captured._steps or before is not None


@pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="Python 3.12 has it")
def test_so_does_what_a_debugger_watches_without_tracing():
    sys.monitoring.use_tool_id(sys.monitoring.DEBUGGER_ID, "a debugger")
    try:
        model, _ = fitted(lambda: [Twice(), layers.Dense(1)])
    finally:
        sys.monitoring.free_tool_id(sys.monitoring.DEBUGGER_ID)
    assert not model._captured._steps and model._captured.refused is None


def test_jit_compile_true_captures_code_that_nobody_can_watch():
    called = []
    model, _ = fitted(
        lambda: [layers.Lambda(lambda x: called.append(1) or x), layers.Dense(1)], jit_compile=True
    )
    assert model._captured._steps
    assert len(called) < 12

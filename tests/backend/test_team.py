"""The team: lists of calls side by side, whatever goes wrong in one of them."""

import _thread
import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest

from gpunn.backend.team import TEAM, Team

HOLD = 0.05  # seconds that a list takes, where it must not be left behind


@pytest.fixture
def team():
    return Team()


@pytest.fixture
def interruptible():
    """Ctrl-C raises KeyboardInterrupt: it is ignored where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def call(function, *args):
    return [(function, args)]


def slow(done: list):
    """A list that notes when it begins and when it ends."""
    begun = threading.Event()

    def work():
        begun.set()
        time.sleep(HOLD)
        done.append(1)

    return begun, call(work)


def test_lists_of_a_section_are_made_at_the_same_time(team):
    barrier = threading.Barrier(3, timeout=10)
    for _ in range(20):
        assert team.run([[call(barrier.wait)] * 3])


def test_sections_come_one_after_the_other(team):
    seen = []
    sections = [[call(seen.append, i)] * (1 + i % 3) for i in range(30)]
    assert team.run(sections)
    assert seen == [i for i in range(30) for _ in range(1 + i % 3)]


def test_nobody_waits_for_a_thread_that_does_not_wake_up(team, monkeypatch):
    monkeypatch.setattr(team, "_start", lambda: team._busy.append(threading.Lock()))
    seen = []
    assert team.run([[call(seen.append, i) for i in range(3)]])
    assert sorted(seen) == [0, 1, 2]


def test_a_failure_of_another_thread_is_raised_here(team):
    begun, done = threading.Event(), []

    def fails():
        begun.set()
        raise ValueError("of the other thread")

    own = [(begun.wait, (10,)), (done.append, (1,))]
    for _ in range(3):
        begun.clear()
        with pytest.raises(ValueError, match="of the other thread"):
            team.run([[own, call(fails)], [call(done.append, "later")]])
    assert done == [1, 1, 1]
    assert team.run([[call(done.append, 2), call(done.append, 2)]])
    assert done == [1, 1, 1, 2, 2]


def test_a_failure_here_waits_for_the_others(team):
    done: list = []
    begun, other = slow(done)
    with pytest.raises(ZeroDivisionError):
        team.run([[[(begun.wait, (10,)), (divmod, (1, 0))], other]])
    assert done == [1]


def test_an_interrupt_waits_for_the_others(team, interruptible):
    done: list = []
    begun, other = slow(done)
    own = [(begun.wait, (10,)), (signal.raise_signal, (signal.SIGINT,)), (done.append, (2,))]
    with pytest.raises(KeyboardInterrupt):
        team.run([[own, other]])
    assert done == [1]
    assert team.run([[call(done.append, 3)] * 2])


def test_an_interrupt_while_it_waits_for_the_others(team, interruptible):
    done: list = []
    begun = threading.Event()

    def interrupts():
        begun.set()
        time.sleep(HOLD)  # the caller waits by now
        _thread.interrupt_main()
        time.sleep(HOLD)
        done.append(1)

    with pytest.raises(KeyboardInterrupt):
        team.run([[call(begun.wait, 10), call(interrupts)]])
        time.sleep(HOLD)  # where it is raised at the latest
    assert done == [1]


def test_it_works_for_one_caller_at_a_time(team):
    answers = []
    own = call(lambda: answers.append(team.run([[call(answers.append, "done twice")]])))
    assert team.run([[own]])
    assert answers == [False]


def test_the_callers_error_state_holds_for_all(team):
    zeros, out = np.zeros(4), [np.empty(4) for _ in range(2)]
    barrier = threading.Barrier(2, timeout=10)
    lists = [[(barrier.wait, ()), (np.divide, (zeros, zeros, x))] for x in out]
    with np.errstate(all="ignore"):
        team.run([lists])
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        team.run([lists])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_threads_of_its_own():
    barrier = threading.Barrier(2, timeout=10)
    lists = [call(barrier.wait)] * 2
    assert TEAM.run([lists])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are threads: this is the test
        child = os.fork()
    if not child:
        code = 1
        try:
            threading.Thread(target=lambda: (time.sleep(10), os._exit(2)), daemon=True).start()
            barrier = threading.Barrier(2, timeout=5)
            code = 0 if TEAM.run([[call(barrier.wait)] * 2]) else 1
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert TEAM.run([lists])

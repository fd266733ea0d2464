"""Pace: the quicker of two ways is found, kept, and given up when the other becomes quicker."""

from gpunn.capture.pace import FIRST, LONGEST, TRIES, Pace

COMPARED = 2 * (TRIES + 1)  # runs of a comparison


def run(pace, seconds, runs):
    """The ways that are taken, if each takes so many seconds: {several: seconds}."""
    taken = []
    for _ in range(runs):
        taken.append(pace.several)
        pace.took(seconds[pace.several])
    return taken


def test_the_quicker_way_is_taken():
    for several in (True, False):
        pace = Pace()
        run(pace, {several: 1.0, not several: 2.0}, COMPARED)
        assert run(pace, {several: 1.0, not several: 2.0}, FIRST) == [several] * FIRST


def test_the_first_run_of_each_way_does_not_count():
    pace = Pace()
    run(pace, {True: 100.0, False: 1.0}, 1)
    assert run(pace, {True: 1.0, False: 2.0}, COMPARED)[-1] is True
    assert pace.several


def test_a_way_is_taken_several_times_in_a_row():
    assert run(Pace(), {True: 1.0, False: 2.0}, COMPARED) == [True] * 6 + [False] * 6


def test_one_disturbed_run_does_not_count():
    for disturbed in range(1, COMPARED):
        pace = Pace()
        for i in range(COMPARED):
            pace.took((1.0 if pace.several else 1.5) + 9.0 * (i == disturbed))
        assert pace.several


def test_another_process_that_takes_turns_is_no_reason_to_give_up_a_choice():
    pace, taken = Pace(), []
    for i in range(2000):  # it disturbs four runs of 45: threads of its own still wait for work
        slow = 3.0 if i % 45 < 4 else 1.0
        taken.append(pace.several)
        pace.took(1.65 * slow if pace.several else 2.4)
    assert taken[500:].count(True) > 0.8 * 1500


def test_it_looks_again_and_again_less_often():
    taken = run(Pace(), {True: 2.0, False: 1.0}, 20000)
    assert taken[:200].count(True) > 2 * TRIES
    assert taken[-LONGEST - COMPARED :].count(True) == TRIES + 1
    assert sum(taken) / len(taken) < 0.01


def test_a_choice_is_given_up_when_something_else_runs():
    pace = Pace()
    run(pace, {True: 1.0, False: 1.8}, 1000)
    taken = run(pace, {True: 9.0, False: 2.0}, 200)
    assert taken.count(True) <= FIRST // 2 + 4 * TRIES
    assert run(pace, {True: 1.0, False: 1.8}, 3 * LONGEST)[-1] is True


def test_runs_of_one_thread_that_take_long_are_no_reason_to_look():
    pace = Pace()
    run(pace, {True: 9.0, False: 1.0}, COMPARED)
    taken = []
    for i in range(1000):
        taken.append(pace.several)
        pace.took(9.0 if pace.several else 1.0 + i % 3)
    assert taken.count(True) < 1000 * 0.04

"""Learning rate schedules against Keras; arrays of steps, configs, bad arguments."""

import numpy as np
import pytest

import gpunn
from gpunn.errors import ArgumentError
from gpunn.optimizers import schedules
from tests.golden.cases_optimizers import SCHEDULE_STEPS, SCHEDULES
from tests.harness import golden

CASES = [pytest.param(i, *c, id=f"{c[0]}-{i}") for i, c in enumerate(SCHEDULES)]


def test_every_schedule_is_compared():
    assert {c[0] for c in SCHEDULES} == {c.__name__ for c in schedules.REGISTRY.classes}


@pytest.mark.parametrize("i, name, args, options", CASES)
def test_as_keras(i, name, args, options):
    schedule = getattr(schedules, name)(*args, **options)
    ours = np.array([schedule(step) for step in SCHEDULE_STEPS])
    np.testing.assert_allclose(ours, golden("optimizers")[f"schedule/{i}"], rtol=1e-5, atol=1e-8)
    assert isinstance(schedule(3), float)


@pytest.mark.parametrize("i, name, args, options", CASES)
def test_arrays_and_tensors_of_steps(i, name, args, options):
    schedule = getattr(schedules, name)(*args, **options)
    steps = np.array(SCHEDULE_STEPS)
    one_by_one = [schedule(step) for step in SCHEDULE_STEPS]
    # NumPy's vectorized functions may differ from the scalar ones in the last bit
    np.testing.assert_allclose(schedule(steps), one_by_one, rtol=1e-14)
    assert schedule(gpunn.Tensor(3)) == schedule(3)


@pytest.mark.parametrize("i, name, args, options", CASES)
def test_config_round_trip(i, name, args, options):
    schedule = getattr(schedules, name)(*args, **options)
    again = schedules.deserialize(schedules.serialize(schedule))
    assert again.get_config() == schedule.get_config() and again(7) == schedule(7)


def test_restarts_start_high_on_the_step_itself():
    schedule = schedules.CosineDecayRestarts(1.0, 10, t_mul=2.0)
    assert [schedule(10 * (2**k - 1)) for k in range(1, 16)] == [1.0] * 15


def test_bad_arguments():
    for bad in (
        lambda: schedules.ExponentialDecay(0.1, 0, 0.5),
        lambda: schedules.PolynomialDecay(0.1, -1),
        lambda: schedules.InverseTimeDecay(0.1, 0, 0.5),
        lambda: schedules.CosineDecay(0.1, 0),
        lambda: schedules.CosineDecayRestarts(0.1, 0),
        lambda: schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2]),
        lambda: schedules.PiecewiseConstantDecay([2, 1], [0.1, 0.2, 0.3]),
        lambda: schedules.deserialize({"class_name": "CosinDecay", "config": {}}),
    ):
        with pytest.raises(ArgumentError):
            bad()


def test_an_own_schedule():
    class Halving(schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.5**step

    w = gpunn.Variable([0.0])
    optimizer = gpunn.optimizers.SGD(Halving())
    for _ in range(3):
        optimizer.apply([np.ones(1)], [w])
    assert w.item() == -1.75
    with pytest.raises(NotImplementedError, match="get_config"):
        optimizer.get_config()
    with pytest.raises(NotImplementedError, match="__call__"):
        schedules.LearningRateSchedule()(1)


def test_a_schedule_may_begin_at_an_optimizers_rate():
    optimizer = gpunn.optimizers.Adam(0.5)
    optimizer.learning_rate = schedules.PolynomialDecay(optimizer.learning_rate, 4)
    assert optimizer.learning_rate.item() == 0.5
    assert schedules.PolynomialDecay.from_config(optimizer._learning_rate.get_config())(0) == 0.5

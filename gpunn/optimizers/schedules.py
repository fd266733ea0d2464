"""Learning rate schedules: functions from the step's number to a learning rate.

A schedule called with a number gives a float, with an array of steps an array, so that
`plt.plot(schedule(np.arange(1000)))` shows it.
"""

import itertools
import math

import numpy as np

from gpunn.autograd import Tensor
from gpunn.checks import check_number
from gpunn.errors import ArgumentError
from gpunn.serialization import Registry


class LearningRateSchedule:
    """A learning rate that depends on the step (Keras: `schedules.LearningRateSchedule`).

    To write one, derive from it and define `__call__(self, step)`; define `get_config` too if it
    is to be saved.

    >>> class Halving(gpunn.optimizers.schedules.LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 * 0.5**step
    >>> optimizer = gpunn.optimizers.SGD(learning_rate=Halving())
    >>> float(optimizer.learning_rate)
    0.10000000149011612
    """

    def __call__(self, step):
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, step)")

    def get_config(self) -> dict:
        """The arguments that make a schedule like this one."""
        raise NotImplementedError(f"{type(self).__name__} must define get_config() to be saved")

    @classmethod
    def from_config(cls, config: dict):
        """A schedule of a config that `get_config` made."""
        return cls(**config)


def _first_rate(rate) -> float:
    """The rate at step 0: a number, or what an optimizer's `learning_rate` is."""
    rate = rate.item() if isinstance(rate, Tensor) else rate
    check_number("initial_learning_rate", rate)
    return rate


class Formula(LearningRateSchedule):
    """A schedule that is a formula of the step: derived classes define `rate(step)` on float64."""

    arguments: tuple[str, ...] = ()

    def __call__(self, step):
        steps = np.asarray(step.numpy() if isinstance(step, Tensor) else step, np.float64)
        rate = self.rate(steps)
        return rate if steps.ndim else float(rate)

    def rate(self, step: np.ndarray):
        """The learning rate at float64 steps."""
        raise NotImplementedError

    def get_config(self) -> dict:
        return {name: getattr(self, name) for name in (*self.arguments, "name")}


class ExponentialDecay(Formula):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: steps in which the rate falls by `decay_rate`; positive.
        decay_rate: the factor.
        staircase: round `step / decay_steps` down.
        name: a name.

    Raises:
        ArgumentError: if decay_steps is not positive.

    >>> gpunn.optimizers.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
    0.025
    """

    arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase")

    def __init__(
        self,
        initial_learning_rate,
        decay_steps,
        decay_rate,
        staircase=False,
        name="ExponentialDecay",
    ):
        check_number("decay_steps", decay_steps, above=0)
        check_number("decay_rate", decay_rate)
        self.initial_learning_rate = _first_rate(initial_learning_rate)
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def rate(self, step):
        power = step / self.decay_steps
        if self.staircase:
            power = np.floor(power)
        return self.initial_learning_rate * np.power(float(self.decay_rate), power)


class PiecewiseConstantDecay(Formula):
    """values[0] up to and at boundaries[0], values[1] up to and at boundaries[1], and so on.

    Args:
        boundaries: rising steps.
        values: learning rates, one more than boundaries.
        name: a name.

    Raises:
        ArgumentError: if the lengths do not fit, or boundaries do not rise.

    >>> rate = gpunn.optimizers.schedules.PiecewiseConstantDecay([100, 110], [1.0, 0.5, 0.1])
    >>> rate(100), rate(101), rate(111)
    (1.0, 0.5, 0.1)
    """

    arguments = ("boundaries", "values")

    def __init__(self, boundaries, values, name="PiecewiseConstant"):
        boundaries, values = list(boundaries), list(values)
        if not boundaries or len(boundaries) != len(values) - 1:
            raise ArgumentError(
                f"expected one value more than boundaries, got {len(values)} values and "
                f"{len(boundaries)} boundaries"
            )
        if any(a >= b for a, b in itertools.pairwise(boundaries)):
            raise ArgumentError(f"boundaries must rise, got {boundaries}")
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def rate(self, step):
        return np.asarray(self.values)[np.searchsorted(self.boundaries, step, side="left")]


class PolynomialDecay(Formula):
    """`(initial - end) * (1 - min(step, decay_steps) / decay_steps) ** power + end`

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: steps until `end_learning_rate`; positive.
        end_learning_rate: the last rate.
        power: 1 for a straight line.
        cycle: instead of stopping, go on with the next multiple of decay_steps as the end.
        name: a name.

    Raises:
        ArgumentError: if decay_steps is not positive.

    >>> gpunn.optimizers.schedules.PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)(5)
    0.05
    """

    arguments = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle")

    def __init__(
        self,
        initial_learning_rate,
        decay_steps,
        end_learning_rate=0.0001,
        power=1.0,
        cycle=False,
        name="PolynomialDecay",
    ):
        check_number("decay_steps", decay_steps, above=0)
        check_number("end_learning_rate", end_learning_rate)
        check_number("power", power)
        self.initial_learning_rate = _first_rate(initial_learning_rate)
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def rate(self, step):
        total = float(self.decay_steps)
        if self.cycle:
            total = total * np.maximum(1.0, np.ceil(step / total))
        done = np.minimum(step, total) / total
        span = self.initial_learning_rate - self.end_learning_rate
        return span * np.power(1 - done, self.power) + self.end_learning_rate


class InverseTimeDecay(Formula):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the unit of time; positive.
        decay_rate: how fast it falls.
        staircase: round `step / decay_steps` down.
        name: a name.

    Raises:
        ArgumentError: if decay_steps is not positive.

    >>> gpunn.optimizers.schedules.InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)(30)
    0.025
    """

    arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase")

    def __init__(
        self,
        initial_learning_rate,
        decay_steps,
        decay_rate,
        staircase=False,
        name="InverseTimeDecay",
    ):
        check_number("decay_steps", decay_steps, above=0)
        check_number("decay_rate", decay_rate)
        self.initial_learning_rate = _first_rate(initial_learning_rate)
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def rate(self, step):
        time = step / self.decay_steps
        if self.staircase:
            time = np.floor(time)
        return self.initial_learning_rate / (1 + self.decay_rate * time)


class CosineDecay(Formula):
    """`start * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha)`, after a warmup.

    Without `warmup_target`, start is `initial_learning_rate`. With it, the rate first rises in a
    straight line from `initial_learning_rate` to `warmup_target` in `warmup_steps` steps, which is
    then the start of the cosine.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: steps of the cosine; positive.
        alpha: the last rate, as a fraction of the start.
        name: a name.
        warmup_target: where the warmup ends; None for no warmup.
        warmup_steps: steps of the warmup.

    Raises:
        ArgumentError: if decay_steps is not positive or warmup_steps is negative.

    Source: Loshchilov and Hutter, SGDR, 2016 (arXiv 1608.03983).

    >>> gpunn.optimizers.schedules.CosineDecay(0.1, decay_steps=100)(50)
    0.05
    """

    arguments = ("initial_learning_rate", "decay_steps", "alpha", "warmup_target", "warmup_steps")

    def __init__(
        self,
        initial_learning_rate,
        decay_steps,
        alpha=0.0,
        name="CosineDecay",
        warmup_target=None,
        warmup_steps=0,
    ):
        check_number("decay_steps", decay_steps, above=0)
        check_number("alpha", alpha)
        check_number("warmup_steps", warmup_steps, low=0)
        if warmup_target is not None:
            check_number("warmup_target", warmup_target)
        self.initial_learning_rate = _first_rate(initial_learning_rate)
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def rate(self, step):
        initial, target, warmup = self.initial_learning_rate, self.warmup_target, self.warmup_steps
        if target is None:
            return initial * self._cosine(step)
        rising = initial + (target - initial) * step / max(warmup, 1)
        return np.where(step < warmup, rising, target * self._cosine(step - warmup))

    def _cosine(self, step):
        done = np.minimum(step, self.decay_steps) / self.decay_steps
        return (1 - self.alpha) * 0.5 * (1 + np.cos(math.pi * done)) + self.alpha


class CosineDecayRestarts(Formula):
    """Cosine decays in a row, each `t_mul` times as long and starting `m_mul` times as high.

    Args:
        initial_learning_rate: the rate at step 0.
        first_decay_steps: steps of the first decay; positive.
        t_mul: the factor of the lengths; at least 1.
        m_mul: the factor of the starts.
        alpha: the lowest rate, as a fraction of `initial_learning_rate`.
        name: a name.

    Raises:
        ArgumentError: if first_decay_steps is not positive or t_mul is below 1.

    Source: Loshchilov and Hutter, SGDR, 2016 (arXiv 1608.03983).

    >>> rate = gpunn.optimizers.schedules.CosineDecayRestarts(0.1, first_decay_steps=10)
    >>> rate(5), rate(10), rate(20)
    (0.05, 0.1, 0.05)
    """

    arguments = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha")

    def __init__(
        self,
        initial_learning_rate,
        first_decay_steps,
        t_mul=2.0,
        m_mul=1.0,
        alpha=0.0,
        name="SGDRDecay",
    ):
        check_number("first_decay_steps", first_decay_steps, above=0)
        check_number("t_mul", t_mul, low=1)
        check_number("m_mul", m_mul)
        check_number("alpha", alpha)
        self.initial_learning_rate = _first_rate(initial_learning_rate)
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def rate(self, step):
        done = step / self.first_decay_steps
        if self.t_mul == 1:
            restart = np.floor(done)
            done = done - restart
        else:
            ratio = float(self.t_mul)
            # a restart's own step must not fall a rounding short of it
            restart = np.floor(np.log(1 + done * (ratio - 1)) / math.log(ratio) + 1e-9)
            done = (done - (1 - ratio**restart) / (1 - ratio)) / ratio**restart
        height = 0.5 * np.power(float(self.m_mul), restart) * (1 + np.cos(math.pi * done))
        return self.initial_learning_rate * ((1 - self.alpha) * height + self.alpha)


REGISTRY = Registry(
    "learning rate schedule",
    LearningRateSchedule,
    [
        ExponentialDecay,
        PiecewiseConstantDecay,
        PolynomialDecay,
        InverseTimeDecay,
        CosineDecay,
        CosineDecayRestarts,
    ],
    module="gpunn.optimizers.schedules",
)


def serialize(learning_rate_schedule) -> dict | str | None:
    """The config of a schedule (Keras: `optimizers.schedules.serialize`).

    >>> rate = gpunn.optimizers.schedules.InverseTimeDecay(0.1, 10, 0.5)
    >>> gpunn.optimizers.schedules.serialize(rate)["class_name"]
    'InverseTimeDecay'
    """
    return REGISTRY.serialize(learning_rate_schedule)


def deserialize(config, custom_objects: dict | None = None) -> LearningRateSchedule:
    """The schedule of a config (Keras: `optimizers.schedules.deserialize`).

    >>> rate = gpunn.optimizers.schedules.InverseTimeDecay(0.1, 10, 0.5)
    >>> gpunn.optimizers.schedules.deserialize(gpunn.optimizers.schedules.serialize(rate))(0)
    0.1
    """
    return REGISTRY.deserialize(config, custom_objects)


__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]

"""Callbacks that change the optimizer's learning rate between epochs."""

import inspect

import numpy as np

from gpunn.checks import check_callable, check_integer
from gpunn.errors import ArgumentError, NotBuiltError
from gpunn.naming import free_name
from gpunn.training.callback import Callback
from gpunn.training.monitor import MonitorCallback


def optimizers_of(callback) -> list:
    """The model's optimizer, or those that it holds."""
    optimizer = getattr(callback.model, "optimizer", None)
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales losses
    found = getattr(inner, "optimizers", [optimizer])
    if not all(hasattr(o, "learning_rate") for o in found):
        raise NotBuiltError(
            f"{type(callback).__name__} needs a compiled model: its optimizer has no learning_rate"
        )
    return found


def rates_of(callback) -> dict[str, float]:
    """What logs say of the learning rate: "learning_rate", or one of each optimizer by its name."""
    found = optimizers_of(callback)
    if len(found) == 1:
        return {"learning_rate": float(found[0].learning_rate)}
    rates: dict[str, float] = {}
    for optimizer in found:
        rates[free_name(f"learning_rate_{optimizer.name}", rates)] = float(optimizer.learning_rate)
    return rates


class LearningRateScheduler(Callback):
    """Set the learning rate before each epoch.

    Args:
        schedule: `schedule(epoch, learning_rate)` or `schedule(epoch)`, epochs counted from 0;
            gives the new rate.
        verbose: 1: say it.

    Raises:
        ArgumentError: if the schedule gives no number.

    Source: keras.callbacks.LearningRateScheduler.

    >>> halve = gpunn.training.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    """

    def __init__(self, schedule, verbose=0):
        check_callable("schedule", schedule)
        self.schedule = schedule
        self.verbose = verbose
        self._takes_rate = _positional(schedule) > 1

    def on_epoch_begin(self, epoch, logs=None):
        for optimizer in optimizers_of(self):
            rate = (float(optimizer.learning_rate),) if self._takes_rate else ()
            new = self.schedule(epoch, *rate)
            try:
                new = float(new)
            except (TypeError, ValueError) as e:
                raise ArgumentError(f"the schedule must give a number, not {new!r}") from e
            optimizer.learning_rate = new
            if self.verbose:
                print(f"Epoch {epoch + 1}: LearningRateScheduler sets the learning rate to {new:g}")

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs.update(rates_of(self))


class ReduceLROnPlateau(MonitorCallback):
    """Multiply the learning rate by `factor` when a metric has got no better for a while.

    Args:
        monitor: the metric's name in the logs.
        factor: in (0, 1).
        patience: epochs without improvement until the rate is reduced.
        verbose: 1: say it.
        mode: "min", "max" or "auto".
        min_delta: how much better counts as better.
        cooldown: epochs to wait after a reduction before watching again.
        min_lr: the lowest rate.

    Raises:
        ArgumentError: if `factor` is not below 1.

    Source: keras.callbacks.ReduceLROnPlateau.

    >>> reduce = gpunn.training.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2)
    """

    def __init__(
        self,
        monitor="val_loss",
        factor=0.1,
        patience=10,
        verbose=0,
        mode="auto",
        min_delta=1e-4,
        cooldown=0,
        min_lr=0.0,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        if not 0 <= factor < 1:
            raise ArgumentError(f"factor must be in [0, 1), got {factor}")
        check_integer("patience", patience, low=0)
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.on_train_begin()

    def on_train_begin(self, logs=None):
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether it still waits after a reduction."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        logs.update(rates_of(self))
        current = self.watched(logs)
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        for optimizer in optimizers_of(self):
            rate = float(optimizer.learning_rate)
            if rate <= np.float32(self.min_lr):
                continue
            rate = max(rate * self.factor, self.min_lr)
            optimizer.learning_rate = rate
            self.cooldown_counter = self.cooldown
            self.wait = 0
            if self.verbose:
                print(f"Epoch {epoch + 1}: ReduceLROnPlateau reduces the learning rate to {rate:g}")


def _positional(function) -> int:
    """How many positional arguments a function takes; 2 if that cannot be known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 2
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 2
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)

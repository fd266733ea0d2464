"""Callbacks that watch one metric: whether it got better, and which way that is."""

import warnings

from gpunn import ops
from gpunn.checks import check_number
from gpunn.errors import ArgumentError, unknown
from gpunn.origin import from_gpunn
from gpunn.training.callback import Callback
from gpunn.training.lambda_callback import LambdaCallback

# Parts of the names of metrics that shall rise, and of those that shall fall.
RISING = (
    *("acc", "auc", "precision", "recall", "f1", "fbeta", "iou", "r2", "similarity"),
    *("sensitivity", "specificity", "dice", "correlation"),
)
FALLING = (
    "loss",
    "error",
    "mse",
    "mae",
    "mape",
    "msle",
    "entropy",
    "divergence",
    "hinge",
    "logcosh",
)

# Methods of a model that tell what its logs hold.
REPORTING = ("train_step", "test_step", "compute_metrics", "get_metrics_result")


class MonitorCallback(Callback):
    """Base class of callbacks that watch a metric.

    Args:
        monitor: the metric's name in the logs.
        mode: "min", "max", or "auto": by what the metric is.
        baseline: the value to be better than at first.
        min_delta: how much better is better.

    Raises:
        ArgumentError: for another mode.

    Source: keras.callbacks.MonitorCallback.
    """

    def __init__(self, monitor="val_loss", mode="auto", baseline=None, min_delta=0):
        if mode not in ("auto", "min", "max"):
            raise unknown("mode", mode, ("auto", "min", "max"))
        check_number("min_delta", min_delta)
        self.monitor = monitor
        self.mode = mode
        self.best = baseline
        self.min_delta = abs(min_delta)

    def is_better(self, value, than) -> bool:
        """Whether a value is better than another by more than `min_delta`; NaN never is."""
        if value != value:
            return False
        if than is None or than != than:
            return True
        if self._rises():
            return value - self.min_delta > than
        return value + self.min_delta < than

    @property
    def monitor_op(self):
        """What tells a better value from the best so far: `ops.greater` or `ops.less`."""
        return ops.greater if self._rises() else ops.less

    def watched(self, logs):
        """The metric's value, or None with a warning that names those there are."""
        self._rises()  # if nobody can tell, it is an error even where the metric is not there
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"{type(self).__name__} watches {self.monitor!r}, which is not available; "
                f"available are: {', '.join(logs or {})}",
                stacklevel=4,
            )
        return value

    def watches(self) -> list[str]:
        """The names in the logs that it does nothing without."""
        return [self.monitor]

    def _rises(self) -> bool:
        """Whether the metric shall rise."""
        if self.mode == "auto":
            self.mode = self._direction()
        return self.mode == "max"

    def _direction(self) -> str:
        name = self.monitor.removeprefix("val_")
        if name == "loss":
            return "min"
        for metric in getattr(self.model, "metrics", None) or ():
            direction = getattr(metric, "_direction", None)
            if metric.name == name and direction:
                return "max" if direction == "up" else "min"
        lower = name.lower()
        rises, falls = (any(part in lower for part in parts) for parts in (RISING, FALLING))
        if rises != falls:
            return "max" if rises else "min"
        raise ArgumentError(
            f"{type(self).__name__}: cannot tell whether {self.monitor!r} shall rise or fall: "
            "say mode='max' or mode='min'"
        )


def warn_of_missing(calls, model, validated: bool) -> None:
    """Say which metrics are watched that no epoch will have, where that can be known by now.

    Args:
        calls: the callbacks; one of the user's own may add to the logs.
        model: whose first step has been made.
        validated: whether there are validation data.
    """
    watched = [(c, name) for c in calls if isinstance(c, MonitorCallback) for name in c.watches()]
    if not watched or model.own_steps(REPORTING) or not all(map(_adds_nothing, calls)):
        return
    names = list(model.get_metrics_result())
    names += [f"val_{name}" for name in names if validated]
    why = "" if validated else "; fit() was given no validation data"
    for callback, name in watched:
        if name not in (*names, "learning_rate"):
            warnings.warn(
                f"{type(callback).__name__} watches {name!r}, which will not be available; "
                f"available are: {', '.join(names)}{why}",
                stacklevel=4,
            )


def _adds_nothing(callback) -> bool:
    return from_gpunn(type(callback)) and not isinstance(callback, LambdaCallback)

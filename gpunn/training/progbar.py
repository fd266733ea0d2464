"""Progbar: a progress bar for loops of one's own (Keras: `utils.Progbar`)."""

import sys
import time

import numpy as np

from gpunn.errors import ArgumentError, ArgumentTypeError
from gpunn.training.progress import duration, in_terminal, metrics_text


class Progbar:
    """A bar on the standard output, with the time that is left and with numbers.

    Args:
        target: how many steps there are; None: unknown.
        width: of the bar, in characters. Default: 20.
        verbose: 1 (default): redrawn as steps go by; 2: a line at the end; 0: nothing.
        interval: seconds between two drawings. Default: 0.05.
        stateful_metrics: the names of numbers that are shown as they are; others are averaged over
            the steps. Default: none.
        stateless_metrics: the other way round: the names of those that are averaged.
        unit_name: what a step is called. Default: "step".

    Raises:
        ArgumentError: if both lists of names are given.
        ArgumentTypeError: if the target is no whole number.

    Source: keras.utils.Progbar.

    >>> bar = gpunn.utils.Progbar(4, verbose=2)
    >>> for step in range(4):
    ...     bar.update(step + 1, [("loss", 1.0 / (step + 1))])  # doctest: +ELLIPSIS
    4/4 - 0.0s - ...us/step - loss: 0.2500
    """

    def __init__(
        self,
        target,
        width=20,
        verbose=1,
        interval=0.05,
        stateful_metrics=None,
        stateless_metrics=None,
        unit_name="step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ArgumentError("Progbar: give stateful_metrics or stateless_metrics, not both")
        if not (target is None or hasattr(target, "__index__")):
            raise ArgumentTypeError(f"Progbar: target must be a number of steps, not {target!r}")
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.stateful_metrics = stateful_metrics or ()
        self.stateless_metrics = stateless_metrics
        self._sums: dict = {}  # name: (sum, steps)
        self._seen = 0
        self._started = time.perf_counter()
        self._drawn = 0.0  # when
        self._length = 0  # of what stands in the terminal's line

    def update(self, current: int, values=None, finalize: bool | None = None) -> None:
        """Show that `current` steps are done.

        Args:
            current: number of steps.
            values: pairs of a name and the number of the last step, whose last ones are shown at
                the end.
            finalize: whether this is the end. Default: if all steps are done.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            value = np.mean(value) if isinstance(value, list | tuple) else value
            if finalize or not self._averages(name):
                self._sums[name] = value, 1
            else:
                steps = max(current - self._seen, 1)
                total, count = self._sums.get(name, (0, 0))
                self._sums[name] = total + value * steps, count + steps
        self._seen = current
        now = time.perf_counter()
        if finalize if self.verbose == 2 else finalize or now - self._drawn >= self.interval:
            self._show(current, now - self._started, finalize)
            self._drawn = now

    def add(self, n: int, values=None) -> None:
        """Show that `n` more steps are done."""
        self.update(self._seen + n, values)

    def _averages(self, name: str) -> bool:
        if self.stateless_metrics is not None:
            return name in self.stateless_metrics
        return name not in self.stateful_metrics

    def _show(self, current, took, finalize) -> None:
        if not self.verbose:
            return
        redraws = self.verbose == 1 and in_terminal()
        text = self._text(current, took, finalize)
        start = "\r" if redraws else ""
        end = "\n" if finalize or not redraws else ""
        sys.stdout.write(f"{start}{text.ljust(self._length)}{end}")
        sys.stdout.flush()
        self._length = len(text) if redraws and not finalize else 0

    def _text(self, current, took, finalize) -> str:
        done = f"{current}/{self.target}" if self.target else f"{current}"
        if self.target and self.verbose == 1:
            full = int(self.width * min(current / self.target, 1))
            done += f" [{'=' * full}{'.' * (self.width - full)}]"
        each = took / max(current, 1)
        left = 0 if finalize or not self.target else each * (self.target - current)
        parts = [done, f"{duration(left)} left" if left else duration(took), self._pace(each)]
        means = {name: float(total / count) for name, (total, count) in self._sums.items()}
        return " - ".join(filter(None, [*parts, metrics_text(means, " - ")]))

    def _pace(self, seconds: float) -> str:
        """The time of a step."""
        for unit, factor in (("s", 1), ("ms", 1e3)):
            if seconds * factor >= 1:
                return f"{seconds * factor:.0f}{unit}/{self.unit_name}"
        return f"{seconds * 1e6:.0f}us/{self.unit_name}"

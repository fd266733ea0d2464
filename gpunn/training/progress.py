"""ProgbarLogger: a bar in a terminal while an epoch runs, and a line once it is done."""

import logging
import shutil
import sys
import time

from gpunn.training.callback import Callback

INTERVAL = 0.1  # seconds between two looks at the metrics, which read the device
WITH_TOTAL = "{desc} {bar} {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}"
WITHOUT_TOTAL = "{desc} {n_fmt} batches [{elapsed}]{postfix}"
log = logging.getLogger("gpunn")
_interactive = True


def enable_interactive_logging() -> None:
    """Show progress on the standard output, as when gpunn is imported.

    Source: keras.config.enable_interactive_logging.

    >>> gpunn.config.enable_interactive_logging()
    """
    global _interactive
    _interactive = True


def disable_interactive_logging() -> None:
    """Give the lines of progress to the logger "gpunn" (as information), and show no bars.

    Source: keras.config.disable_interactive_logging.

    >>> gpunn.config.disable_interactive_logging()
    >>> gpunn.config.is_interactive_logging_enabled()
    False
    >>> gpunn.config.enable_interactive_logging()
    """
    global _interactive
    _interactive = False


def is_interactive_logging_enabled() -> bool:
    """Whether progress is shown on the standard output.

    Source: keras.config.is_interactive_logging_enabled.

    >>> gpunn.config.is_interactive_logging_enabled()
    True
    """
    return _interactive


class ProgbarLogger(Callback):
    """Show the progress of training, evaluation and prediction on the standard output.

    In a terminal, a bar with the metrics so far, redrawn at most ten times a second, becomes a line
    with the metrics of the epoch. Elsewhere (a log, a notebook), and with verbose=2, there is the
    line alone.

    Source: keras.callbacks.ProgbarLogger.

    >>> bar = gpunn.training.callbacks.ProgbarLogger()
    >>> bar.set_params({"verbose": 2, "epochs": 3, "steps": 10})
    >>> bar.on_epoch_begin(0)
    >>> bar.on_epoch_end(0, {"loss": 0.25})
    Epoch 1/3 - 0.0s - loss: 0.2500
    """

    def __init__(self):
        self._width = 0  # of the bar that is shown
        self._next = float("inf")  # when to draw again
        self._training = False
        self._label = ""
        self._total: int | None = None
        self._started = 0.0

    def set_params(self, params):
        self.params = params
        verbose = params.get("verbose", "auto")
        self._lines = verbose != 0
        self._bars = _interactive and verbose in (1, True, "auto") and in_terminal()

    # --- what is shown when ---

    def on_train_begin(self, logs=None):
        self._training = True

    def on_epoch_begin(self, epoch, logs=None):
        self._start(f"Epoch {epoch + 1}/{self.params['epochs']}")

    def on_train_batch_end(self, batch, logs=None):
        if time.perf_counter() >= self._next:
            self._draw(batch + 1, logs)

    def on_epoch_end(self, epoch, logs=None):
        self._finish(logs)

    def on_train_end(self, logs=None):
        self._training = False
        self.clear()

    def on_test_begin(self, logs=None):
        if not self._training:  # the validation of an epoch is part of its line
            self._start("Evaluation")

    def on_test_batch_end(self, batch, logs=None):
        if not self._training and time.perf_counter() >= self._next:
            self._draw(batch + 1, logs)

    def on_test_end(self, logs=None):
        if not self._training:
            self._finish(logs)

    def on_predict_begin(self, logs=None):
        self._start("Prediction")

    def on_predict_batch_end(self, batch, logs=None):
        if time.perf_counter() >= self._next:
            self._draw(batch + 1, None)

    def on_predict_end(self, logs=None):
        self.clear()  # a prediction has nothing to report

    # --- drawing ---

    def _start(self, label: str) -> None:
        self.clear()
        self._label = label
        self._total = self.params.get("steps")
        self._started = time.perf_counter()
        self._next = self._started + INTERVAL if self._bars else float("inf")

    def _draw(self, done: int, logs) -> None:
        from tqdm import tqdm

        stream, now = sys.stdout, time.perf_counter()
        columns = shutil.get_terminal_size().columns
        bar = "{bar:24}" if columns >= 100 else "{bar:10}"
        text = tqdm.format_meter(
            done,
            self._total,
            now - self._started,
            ncols=columns - 1,
            prefix=self._label,
            postfix=metrics_text(logs),
            ascii="utf" not in (stream.encoding or "").lower(),
            bar_format=(WITH_TOTAL if self._total else WITHOUT_TOTAL).replace("{bar}", bar),
        )
        stream.write("\r" + text.ljust(self._width))
        stream.flush()
        self._width = len(text)
        self._next = time.perf_counter() + INTERVAL

    def clear(self) -> None:
        """Take the bar away, so that lines can be printed."""
        self._next = float("inf")
        if self._width:
            sys.stdout.write("\r" + " " * self._width + "\r")
            sys.stdout.flush()
            self._width = 0

    def _finish(self, logs) -> None:
        self.clear()
        if self._lines:
            took = duration(time.perf_counter() - self._started)
            line = " - ".join(filter(None, [self._label, took, metrics_text(logs, " - ")]))
            print(line, flush=True) if _interactive else log.info(line)


def in_terminal() -> bool:
    """Whether standard output is a terminal that can redraw a line."""
    stream = sys.stdout
    return stream is not None and hasattr(stream, "isatty") and stream.isatty()


def metrics_text(logs, separator: str = ", ") -> str:
    return separator.join(f"{name}: {_number(value)}" for name, value in (logs or {}).items())


def _number(value) -> str:
    """Four decimals; small numbers in scientific notation, as Keras shows them."""
    if not isinstance(value, float | int):
        return str(value)
    return f"{value:.4f}" if abs(value) > 1e-3 or value == 0 else f"{value:.4e}"


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f}s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{seconds:02d}s"

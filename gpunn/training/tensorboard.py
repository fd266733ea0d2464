"""TensorBoard: the metrics of training and validation as curves."""

import warnings
from pathlib import Path

from gpunn.checks import as_path
from gpunn.errors import ArgumentError
from gpunn.training.callback import Callback
from gpunn.training.events import EventWriter
from gpunn.training.learning_rate import rates_of

NOT_WRITTEN = ("histogram_freq", "write_images", "embeddings_freq")


class TensorBoard(Callback):
    """Write the metrics to files that `tensorboard --logdir logs` shows.

    The metrics of an epoch are in log_dir/train and log_dir/validation as "epoch_loss" and so on,
    those of batches as "batch_loss", and those of `evaluate` as "evaluation_loss_vs_iterations".
    No TensorFlow is needed. Numbers only: no graph, no histograms and images of weights.

    Args:
        log_dir: the folder.
        histogram_freq, write_images, embeddings_freq: not supported; a warning says so.
        write_graph, write_steps_per_second, profile_batch, embeddings_metadata: taken for Keras'
            sake.
        update_freq: "epoch", or "batch" or a number of batches to write those too.

    Raises:
        ArgumentError: for another `update_freq`.

    Source: keras.callbacks.TensorBoard.

    >>> curves = gpunn.training.callbacks.TensorBoard("logs", update_freq=100)
    """

    def __init__(
        self,
        log_dir="logs",
        histogram_freq=0,
        write_graph=True,
        write_images=False,
        write_steps_per_second=False,
        update_freq="epoch",
        profile_batch=0,
        embeddings_freq=0,
        embeddings_metadata=None,
    ):
        given = (histogram_freq, write_images, embeddings_freq)
        if missing := [name for name, value in zip(NOT_WRITTEN, given, strict=True) if value]:
            warnings.warn(f"TensorBoard: {', '.join(missing)}: not supported", stacklevel=2)
        every = {"epoch": 0, "batch": 1}.get(update_freq, update_freq)
        if isinstance(every, bool) or not isinstance(every, int) or every < 0:
            raise ArgumentError(
                f"update_freq must be 'epoch', 'batch' or a number of batches, not {update_freq!r}"
            )
        self.log_dir = str(as_path("log_dir", log_dir))
        self.update_freq = update_freq
        self._every = every
        self._writers: dict[str, EventWriter] = {}
        self._batches = 0
        self._trains = False

    def on_train_begin(self, logs=None):
        self._trains = True
        self._batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self._batches += 1
        if self._every and self._batches % self._every == 0:
            self._write("train", "batch_", logs, self._batches)

    def on_epoch_end(self, epoch, logs=None):
        logs = dict(logs or {})
        plain = {name: v for name, v in logs.items() if not name.startswith("val_")}
        plain = {**rates_of(self), **plain}
        self._write("train", "epoch_", plain, epoch)
        tested = {n.removeprefix("val_"): v for n, v in logs.items() if n.startswith("val_")}
        self._write("validation", "epoch_", tested, epoch)

    def on_test_end(self, logs=None):
        named = {f"{name}_vs_iterations": v for name, v in (logs or {}).items()}
        step = int(self.model.optimizer.iterations)
        self._write("validation", "evaluation_", named, step)
        if not self._trains:
            self._close()

    def on_train_end(self, logs=None):
        self._trains = False
        self._close()

    def _write(self, folder: str, prefix: str, values, step: int) -> None:
        numbers = {prefix + n: float(v) for n, v in (values or {}).items() if _is_number(v)}
        if numbers:
            if folder not in self._writers:
                self._writers[folder] = EventWriter(Path(self.log_dir, folder))
            self._writers[folder].scalars(numbers, step)

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}


def _is_number(value) -> bool:
    return not isinstance(value, str) and getattr(value, "ndim", 0) == 0

"""ModelCheckpoint: the model on disk, at every epoch or whenever it got better."""

from pathlib import Path
from string import Formatter

from gpunn.checks import as_path, check_writable
from gpunn.errors import ArgumentError
from gpunn.training.monitor import MonitorCallback


class ModelCheckpoint(MonitorCallback):
    """Save the model while it is trained.

    A file is complete or not there: it is written beside its place and moved over it.

    Args:
        filepath: where to; may hold fields such as "{epoch:02d}-{val_loss:.2f}.gpunn" (epochs
            counted from 1, metrics by name, `batch` with a numeric `save_freq`).
        monitor: the metric's name in the logs, for `save_best_only`.
        verbose: 1: say what is done.
        save_best_only: only save when the metric got better.
        save_weights_only: `model.save_weights` instead of `model.save`.
        mode: "min", "max" or "auto".
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: the value to be better than at first.

    Raises:
        ArgumentError: for another `save_freq`, or a field that the logs do not have.

    Source: keras.callbacks.ModelCheckpoint.

    >>> keep = gpunn.training.callbacks.ModelCheckpoint("best.gpunn", save_best_only=True)
    """

    def __init__(
        self,
        filepath,
        monitor="val_loss",
        verbose=0,
        save_best_only=False,
        save_weights_only=False,
        mode="auto",
        save_freq="epoch",
        initial_value_threshold=None,
    ):
        super().__init__(monitor, mode, initial_value_threshold)
        if save_freq != "epoch" and not (
            isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
        ):
            raise ArgumentError(
                f"save_freq must be 'epoch' or a number of batches, not {save_freq!r}"
            )
        self.filepath = str(as_path("filepath", filepath))
        try:
            self.filepath.format_map(_AnyField())
        except (ValueError, IndexError, AttributeError) as e:
            raise ArgumentError(
                f"ModelCheckpoint: filepath {self.filepath!r} cannot be filled in: {e}"
            ) from None
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self._epoch = 0
        self._batches = 0  # since the last time

    def watches(self) -> list[str]:
        fields = [name for _, name, _, _ in Formatter().parse(self.filepath) if name]
        fields = [name for name in fields if name not in ("epoch", "batch")]
        return [self.monitor, *fields] if self.save_best_only else fields

    def on_train_begin(self, logs=None):
        check_writable("ModelCheckpoint", self.filepath.partition("{")[0] + "_")

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        if self.save_freq == "epoch":
            self._save(epoch, None, logs or {})

    def on_train_batch_end(self, batch, logs=None):
        if self.save_freq == "epoch":
            return
        self._batches += 1
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save(self._epoch, batch, logs or {})

    def _save(self, epoch: int, batch: int | None, logs) -> None:
        path = Path(self._path(epoch, batch, logs))
        if path.is_dir():
            raise ArgumentError(f"ModelCheckpoint: {path} is a folder, expected the name of a file")
        said = f"Epoch {epoch + 1}: saving model to {path}"
        if self.save_best_only:
            current = self.watched(logs)
            if current is not None:
                if not self.is_better(current, self.best):
                    self._say(f"Epoch {epoch + 1}: {self.monitor} did not improve from {self.best}")
                    return
                before = "" if self.best is None else f" from {self.best:.5f}"
                said = (
                    f"Epoch {epoch + 1}: {self.monitor} improved{before} to {current:.5f}, "
                    f"saving model to {path}"
                )
                self.best = current
        self._say(said)
        path.parent.mkdir(parents=True, exist_ok=True)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)

    def _path(self, epoch: int, batch: int | None, logs) -> str:
        fields = {"epoch": epoch + 1} if batch is None else {"epoch": epoch + 1, "batch": batch + 1}
        if "{" not in self.filepath:
            return self.filepath
        try:
            return self.filepath.format(**fields, **logs)
        except KeyError as e:
            raise ArgumentError(
                f"ModelCheckpoint: filepath {self.filepath!r} has the field {e}; there are "
                f"{', '.join([*fields, *logs])}"
            ) from e

    def _say(self, text: str) -> None:
        if self.verbose:
            print(text)


class _AnyField(dict):
    """Fields of every name, all numbers: whether a text can be filled in at all."""

    def __missing__(self, name):
        return 1

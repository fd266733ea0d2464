"""CSVLogger: a line of numbers per epoch in a file."""

import csv
import os
from pathlib import Path

from gpunn.checks import as_path
from gpunn.errors import MissingFileError
from gpunn.training.callback import Callback


class CSVLogger(Callback):
    """Write the metrics of each epoch to a CSV file, at once.

    Args:
        filename: where to.
        separator: between the columns.
        append: go on with an existing file instead of replacing it.

    Source: keras.callbacks.CSVLogger.

    >>> log = gpunn.training.callbacks.CSVLogger("training.csv", append=True)
    """

    def __init__(self, filename, separator=",", append=False):
        self.filename = str(as_path("filename", filename))
        self.separator = separator
        self.append = append
        self._file = None
        self._columns: list[str] | None = None

    def on_train_begin(self, logs=None):
        self._close()
        self._columns = None
        folder = Path(self.filename).parent
        if not folder.is_dir():
            raise MissingFileError(f"CSVLogger: there is no folder {str(folder)!r}")
        if not self.append:
            Path(self.filename).write_text("")

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        if self._columns is None:
            self._open(logs)
        row = [_cell(logs.get(name, "NA")) for name in self._columns]
        self._writer.writerow([epoch, *row])
        self._file.flush()

    def _open(self, logs) -> None:
        """Open the file, and decide the columns: those it has already, or those of the logs."""
        path = Path(self.filename)
        with open(path, newline="") if path.exists() else open(os.devnull) as f:
            header = next(csv.reader(f, delimiter=self.separator), None)
        self._file = open(path, "a", newline="")
        self._writer = csv.writer(self._file, delimiter=self.separator)
        if header:
            self._columns = header[1:]
            return
        names = sorted(logs)
        if not any(name.startswith("val_") for name in names):
            names += [f"val_{name}" for name in names]  # validation may begin at a later epoch
        self._columns = names
        self._writer.writerow(["epoch", *names])

    def on_train_end(self, logs=None):
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _cell(value):
    if isinstance(value, str) or getattr(value, "ndim", 0) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'

"""Files that a command writes, and model files as the commands use them."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpunn.cli.console import count
from gpunn.data import Features, Table, Target
from gpunn.data.features import numbers
from gpunn.errors import ArgumentError, DataError
from gpunn.models import Model, load_model, read_metadata


@dataclass(frozen=True)
class SavedModel:
    """A model and what its file says about the data it is for.

    Args:
        path: the file.
        model: ready to predict.
        metadata: what `gpunn train` wrote; {} for a model that something else saved.
        target, features: of the metadata, None where it has none.
    """

    path: str
    model: Model
    metadata: dict
    target: Target | None
    features: Features | None

    @classmethod
    def load(cls, path: str, compile: bool = False) -> "SavedModel":
        """Read a file, the model onto the current device, compiled as it was if that is wanted."""
        model, metadata = load_model(path, compile=compile), read_metadata(path)
        target, features = metadata.get("target"), metadata.get("features")
        return cls(
            path,
            model,
            metadata,
            target and Target.from_config(target),
            features and Features.from_config(features),
        )

    @property
    def row_shape(self) -> tuple | None:
        """The shape of one input; None where the model does not tell."""
        shape = getattr(self.model, "input_shape", None)
        return shape and shape[1:]

    def inputs(self, table: Table) -> np.ndarray:
        """The rows of a table as the model takes them.

        A model of named columns finds them by name. One of images or of arrays takes all columns
        but the target's, in order: as many numbers as its input has.

        Raises:
            DataError: the columns do not fit.
        """
        if self.features:
            return self.features.encode(table)
        names = [n for n in table.columns if self.target is None or n != self.target.name]
        shape = self.row_shape or (len(names),)
        if len(names) != np.prod(shape):
            raise DataError(
                f"the columns of {table.path} do not fit the model: it takes "
                f"{count(int(np.prod(shape)), 'number')} a row (shape {shape}), "
                f"not {count(len(names), 'column')}"
            )
        x = np.stack([numbers(table, name) for name in names], axis=1)
        if np.isnan(x).any():
            row, column = np.argwhere(np.isnan(x))[0]
            raise DataError(f"{table.path}, line {table.lines[row]}: {names[column]} is missing")
        return x.astype(np.float32).reshape(-1, *shape)

    def remarks(self, table: Table) -> list[str]:
        """What had to be done about missing and unknown cells of a table."""
        return self.features.remarks(table) if self.features else []


def check_writable(path: str | None, option: str) -> None:
    """Raise ArgumentError, before any work, if no file can be written at `path`."""
    if path is None:
        return
    folder = Path(path).parent
    if not folder.is_dir():
        raise ArgumentError(f"{option} {path}: there is no folder {folder}")
    if Path(path).is_dir():
        raise ArgumentError(f"{option} {path}: it is a folder")
    if not os.access(path if Path(path).exists() else folder, os.W_OK):
        raise ArgumentError(f"{option} {path}: it may not be written to")

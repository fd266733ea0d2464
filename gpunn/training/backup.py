"""BackupAndRestore: training that goes on where it was interrupted."""

import os
import shutil
from pathlib import Path

from gpunn.backend import Stream
from gpunn.errors import ArgumentError, NotBuiltError, SerializationError
from gpunn.training import files
from gpunn.training.callback import Callback


class BackupAndRestore(Callback):
    """Keep the state of training in a folder, and go on from there if `fit` finds one.

    The state is that of the model, the optimizer and the random streams, and the number of the
    epoch: on the CPU, a `fit` that was killed between two epochs ends with the same bits as one
    that was not. A file is complete or not there.

    Args:
        backup_dir: the folder, for one training only.
        save_freq: "epoch" (default), or a number of batches; the epoch that was interrupted is done
            again from its beginning. False: nothing is written.
        double_checkpoint: whether the file before the last is kept as well, for the case that the
            last is damaged. Default: False.
        delete_checkpoint: whether the folder is deleted when training is done. Default: True.

    Raises:
        ArgumentError: for a `backup_dir` that names no folder or another `save_freq`.
        NotBuiltError: by `fit`, if there is a state and the model has no weights to take it.
        SerializationError: by `fit`, if the state is damaged, or that of another model.

    Source: keras.callbacks.BackupAndRestore.

    >>> safe = gpunn.callbacks.BackupAndRestore("backup")
    """

    def __init__(
        self, backup_dir, save_freq="epoch", double_checkpoint=False, delete_checkpoint=True
    ):
        if not isinstance(backup_dir, str | os.PathLike) or not os.fspath(backup_dir):
            raise ArgumentError(
                f"BackupAndRestore: backup_dir must be the name of a folder, got {backup_dir!r}"
            )
        number = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
        if save_freq != "epoch" and save_freq is not False and not number:
            raise ArgumentError(
                "BackupAndRestore: save_freq must be 'epoch', a number of batches or False, got "
                f"{save_freq!r}"
            )
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._path = Path(backup_dir) / "training.gpunn"
        self._previous = Path(backup_dir) / "training.previous.gpunn"
        self._epoch = 0  # how many are done
        self._batches = 0  # since the last time

    def on_train_begin(self, logs=None):
        self._epoch = self._batches = 0
        if self._path.exists() or self._previous.exists():
            if not self.model.knows_weights:
                raise NotBuiltError(
                    f"{self.model.name!r} has no weights for the state in {self.backup_dir}: build "
                    "it, or call it on data, before fit()"
                )
            self._restore(*self._read())

    def on_train_batch_end(self, batch, logs=None):
        if self.save_freq in ("epoch", False):
            return
        self._batches += 1
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save()

    def on_epoch_end(self, epoch, logs=None):
        self._epoch = epoch + 1
        if self.save_freq == "epoch":
            self._save()

    def on_train_end(self, logs=None):
        model = self.model
        stopped = model.stop_training and not model._interrupted  # by a callback, not by the user
        done = self._epoch >= self.params["epochs"] or stopped
        if done and self.delete_checkpoint and os.path.isdir(self.backup_dir):
            shutil.rmtree(self.backup_dir)

    def _read(self) -> tuple:
        """The last state, or the one before if that is damaged and there is another."""
        if not self._path.exists():
            return files.read(self._previous)
        try:
            return files.read(self._path)
        except SerializationError:
            if not self._previous.exists():
                raise
            return files.read(self._previous)

    def _save(self) -> None:
        model, optimizer = self.model, self.model.optimizer
        tensors = files.state_of(model)
        state = optimizer.state_dict(files.names_of(model))
        tensors.update({files.OPTIMIZER + name: a for name, a in state.items()})
        header = {
            "kind": "training",
            "epoch": self._epoch,
            "streams": [[s.seed, s.name, s.position] for s in self._streams()],
        }
        os.makedirs(self.backup_dir, exist_ok=True)
        if self.double_checkpoint and self._path.exists():
            os.replace(self._path, self._previous)
        files.write(self._path, tensors, header)

    def _restore(self, tensors, header) -> None:
        model, optimizer = self.model, self.model.optimizer
        weights = {n: a for n, a in tensors.items() if not n.startswith(files.OPTIMIZER)}
        state = {n: a for n, a in tensors.items() if n.startswith(files.OPTIMIZER)}
        files.restore(model, weights, self._path)
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        optimizer.load_state_dict(
            {n.removeprefix(files.OPTIMIZER): a for n, a in state.items()}, files.names_of(model)
        )
        for stream, kept in zip(self._streams(), header["streams"]):
            again = Stream(*kept)
            for name in Stream.__slots__:
                setattr(stream, name, getattr(again, name))
        self._epoch = model._first_epoch = header["epoch"]

    def _streams(self) -> list[Stream]:
        """The random streams that training draws from: the shuffling, and those of layers."""
        layers = [getattr(layer, "seed_generator", None) for layer in self.model.walk()]
        return [s for s in (self.model._shuffle_stream, *layers) if isinstance(s, Stream)]

"""Callbacks: what may happen while a model is trained (Keras: `keras.callbacks`)."""

from gpunn.errors import ArgumentError
from gpunn.guard import guard_classes
from gpunn.training.backup import BackupAndRestore
from gpunn.training.callback import Callback, CallbackList, flatten
from gpunn.training.checkpoint import ModelCheckpoint
from gpunn.training.csv_logger import CSVLogger
from gpunn.training.early_stopping import EarlyStopping
from gpunn.training.history import History
from gpunn.training.lambda_callback import LambdaCallback
from gpunn.training.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from gpunn.training.monitor import MonitorCallback
from gpunn.training.progress import ProgbarLogger
from gpunn.training.remote_monitor import RemoteMonitor
from gpunn.training.spaced_callbacks import SpacedCallbackList
from gpunn.training.swap_weights import SwapEMAWeights
from gpunn.training.tensorboard import TensorBoard
from gpunn.training.terminate_on_nan import TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
guard_classes([globals()[name] for name in __all__])


def default_callbacks(callbacks, history: History | None, verbose) -> list[Callback]:
    """The user's callbacks, then a history and a bar, which see what those add to the logs.

    >>> [type(c).__name__ for c in default_callbacks(None, History(), 1)]
    ['History', 'ProgbarLogger']
    """
    chosen = flatten(callbacks)
    if history is not None:
        chosen.append(history)
    if verbose and not any(isinstance(c, ProgbarLogger) for c in chosen):
        chosen.append(ProgbarLogger())
    return chosen


def callbacks_for(model, callbacks, history: History | None, verbose, **params) -> CallbackList:
    """The callbacks of a loop over batches of a model; see `CallbackList`."""
    if isinstance(verbose, str) and verbose != "auto":
        raise ArgumentError(f"verbose must be 'auto', 0, 1 or 2, got {verbose!r}")
    chosen = default_callbacks(callbacks, history, verbose)
    params["verbose"] = verbose
    if model.steps_per_execution == 1:
        return CallbackList(chosen, model, **params)
    return SpacedCallbackList(chosen, model, model.steps_per_execution, **params)

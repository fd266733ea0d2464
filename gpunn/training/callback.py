"""Callback: what may be hooked into training, and the list that calls the hooks."""

from typing import Any

from gpunn.errors import ArgumentTypeError
from gpunn.training.logs import Logs


class Callback:
    """Base class of what is called while a model is trained, evaluated or used.

    Override the hooks you need; those you do not override cost nothing.

    Attributes:
        model: the model at work.
        params: a dict with "epochs", "steps" (None if not known) and "verbose".

    Source: keras.callbacks.Callback.

    >>> class Last(gpunn.training.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         self.loss = logs["loss"]
    """

    model: Any = None
    params: Any = None

    def set_model(self, model) -> None:
        """Take note of the model."""
        self.model = model

    def set_params(self, params: dict) -> None:
        """Take note of the parameters."""
        self.params = params

    def on_train_begin(self, logs=None):
        """Before the first epoch; logs: empty, as in every hook but the ends."""

    def on_train_end(self, logs=None):
        """After the last epoch, also if training was stopped or failed; logs: the last epoch's."""

    def on_epoch_begin(self, epoch, logs=None):
        """Before each epoch, counted from 0."""

    def on_epoch_end(self, epoch, logs=None):
        """After each epoch and its validation; logs: a dict of all metrics."""

    def on_batch_begin(self, batch, logs=None):
        """Another name of `on_train_batch_begin`."""

    def on_batch_end(self, batch, logs=None):
        """Another name of `on_train_batch_end`."""

    def on_train_batch_begin(self, batch, logs=None):
        """Before each training batch, counted from 0 in each epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        """After each training batch; logs: the metrics so far, computed when they are read."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs=None):
        """Before an evaluation, that of `fit` as well."""

    def on_test_end(self, logs=None):
        """After an evaluation; logs: a dict of all metrics."""

    def on_test_batch_begin(self, batch, logs=None):
        """Before each batch of an evaluation."""

    def on_test_batch_end(self, batch, logs=None):
        """After each batch of an evaluation; logs: the metrics so far."""

    def on_predict_begin(self, logs=None):
        """Before a prediction."""

    def on_predict_end(self, logs=None):
        """After a prediction."""

    def on_predict_batch_begin(self, batch, logs=None):
        """Before each batch of a prediction."""

    def on_predict_batch_end(self, batch, logs=None):
        """After each batch of a prediction; logs: {"outputs": tensors}."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
OLD_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


def overrides(callback, hook: str) -> bool:
    """Whether a callback has a hook of its own."""
    own = getattr(callback, hook, None)
    if own is None:
        return False
    if getattr(own, "__func__", own) is not getattr(Callback, hook):
        return True
    return hook in OLD_NAMES and overrides(callback, OLD_NAMES[hook])


class CallbackList:
    """Several callbacks as one; calls the hooks that they override, in their order.

    Args:
        callbacks: callbacks, in lists if you like.
        model: the model they are told of.
        **params: what they get as `params`: epochs, steps, verbose.

    Raises:
        ArgumentTypeError: for what is no callback.

    Source: keras.callbacks.CallbackList.
    """

    def __init__(self, callbacks=None, model=None, **params):
        self.callbacks = flatten(callbacks)
        self.params = params
        self.model = model
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)
        self._calls = {
            hook: [getattr(c, hook) for c in self.callbacks if overrides(c, hook)] for hook in HOOKS
        }
        self._clear = [c.clear for c in self.callbacks if hasattr(c, "clear")]
        self._previous: Logs | None = None

    def __iter__(self):
        return iter(self.callbacks)

    def hears(self, *hooks: str) -> bool:
        """Whether a callback overrides one of the hooks."""
        return any(self._calls[hook] for hook in hooks)

    def _call(self, hook: str, *arguments) -> None:
        *where, logs = arguments
        for call in self._calls[hook]:
            call(*where, {} if logs is None else logs)

    def _call_batch_end(self, hook: str, batch, logs) -> None:
        calls = self._calls[hook]
        if not calls:
            return
        if self._previous is not None:
            self._previous.close()
        self._previous = logs if isinstance(logs, Logs) else None
        for call in calls:
            call(batch, logs)

    def on_train_begin(self, logs=None):
        self._call("on_train_begin", logs)

    def on_train_end(self, logs=None):
        self._call("on_train_end", logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._call("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        for clear in self._clear:  # the bar goes first: the other callbacks may print
            clear()
        self._call("on_epoch_end", epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._call_batch_end("on_train_batch_end", batch, logs)

    def on_test_begin(self, logs=None):
        self._call("on_test_begin", logs)

    def on_test_end(self, logs=None):
        self._call("on_test_end", logs)

    def on_test_batch_begin(self, batch, logs=None):
        self._call("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        self._call_batch_end("on_test_batch_end", batch, logs)

    def on_predict_begin(self, logs=None):
        self._call("on_predict_begin", logs)

    def on_predict_end(self, logs=None):
        self._call("on_predict_end", logs)

    def on_predict_batch_begin(self, batch, logs=None):
        self._call("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch, logs=None):
        self._call_batch_end("on_predict_batch_end", batch, logs)


def flatten(callbacks) -> list:
    """Nested lists of callbacks as one list."""
    if callbacks is None:
        return []
    if isinstance(callbacks, list | tuple):
        return [c for entry in callbacks for c in flatten(entry)]
    if isinstance(callbacks, CallbackList):
        return list(callbacks)
    if isinstance(callbacks, type):
        raise ArgumentTypeError(
            f"callbacks must be objects, got the class {callbacks.__name__}: "
            f"write {callbacks.__name__}(...)"
        )
    if not hasattr(callbacks, "set_model") or not hasattr(callbacks, "set_params"):
        raise ArgumentTypeError(
            f"expected a Callback, got {callbacks!r}: derive its class from Callback, or use "
            "LambdaCallback(on_epoch_end=function)"
        )
    return [callbacks]

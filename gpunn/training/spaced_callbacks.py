"""Callbacks that are told of every so many batches."""

from gpunn.training.callback import CallbackList


class SpacedCallbackList(CallbackList):
    """Tells its callbacks of the first batch of every so many, and of their last.

    Args:
        every: how many; where an epoch ends in between, they hear of what was left of it.

    Source: `steps_per_execution` of keras.Model.compile.
    """

    def __init__(self, callbacks=None, model=None, every: int = 1, **params):
        super().__init__(callbacks, model, **params)
        self._every = every
        self._late: tuple | None = None  # the end of a batch that they have not heard of

    def _call(self, hook: str, *arguments) -> None:
        if hook.endswith("_batch_begin") and arguments[0] % self._every:
            return
        if self._late is not None:
            hook_then, batch, logs = self._late
            last = batch - batch % self._every + self._every - 1
            self._call_batch_end(hook_then, last, logs)
        super()._call(hook, *arguments)

    def _call_batch_end(self, hook: str, batch, logs) -> None:
        if (batch + 1) % self._every:
            self._late = hook, batch, logs
        else:
            self._late = None
            super()._call_batch_end(hook, batch, logs)

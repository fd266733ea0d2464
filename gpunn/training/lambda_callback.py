"""LambdaCallback: hooks without a class."""

from gpunn.checks import check_callable
from gpunn.errors import unknown
from gpunn.training.callback import HOOKS, Callback


class LambdaCallback(Callback):
    """A callback of functions.

    Args:
        on_epoch_begin, on_epoch_end: functions of (epoch, logs).
        on_train_begin, on_train_end: functions of (logs).
        on_train_batch_begin, on_train_batch_end: functions of (batch, logs).
        **hooks: the other hooks of `Callback`; what does not begin with "on_" is an attribute.

    Raises:
        ArgumentError: for a hook that `Callback` does not have.

    Source: keras.callbacks.LambdaCallback.

    >>> say = gpunn.training.callbacks.LambdaCallback(
    ...     on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"])
    ... )
    """

    def __init__(
        self,
        on_epoch_begin=None,
        on_epoch_end=None,
        on_train_begin=None,
        on_train_end=None,
        on_train_batch_begin=None,
        on_train_batch_end=None,
        **hooks,
    ):
        for hook in hooks:
            if hook.startswith("on_") and hook not in HOOKS:
                raise unknown("hook", hook, HOOKS)
        hooks.update(
            on_epoch_begin=on_epoch_begin,
            on_epoch_end=on_epoch_end,
            on_train_begin=on_train_begin,
            on_train_end=on_train_end,
            on_train_batch_begin=on_train_batch_begin,
            on_train_batch_end=on_train_batch_end,
        )
        for hook, function in hooks.items():
            if function is not None:
                if hook in HOOKS:
                    check_callable(hook, function)
                setattr(self, hook, function)

"""History: what each epoch reached."""

from gpunn.training.callback import Callback


class History(Callback):
    """Keeps the metrics of every epoch; `fit` returns it.

    Attributes:
        epoch: the numbers of the epochs.
        history: a dict from metric names to lists with one number per epoch.
        skipped_steps: with a `LossScaleOptimizer`, how many steps of each epoch changed nothing,
            for a gradient was Inf or NaN; else empty.

    Source: keras.callbacks.History.

    >>> history = gpunn.training.callbacks.History()
    >>> history.on_train_begin()
    >>> history.on_epoch_end(0, {"loss": 0.5})
    >>> history.history
    {'loss': [0.5]}
    """

    def __init__(self):
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}
        self.skipped_steps: list[int] = []
        self._skipped_before = 0

    def on_train_begin(self, logs=None):
        self.epoch = []
        self._skipped_before = self._skipped() or 0

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        skipped = self._skipped()
        if skipped is not None:
            self.skipped_steps.append(skipped - self._skipped_before)
            self._skipped_before = skipped
        if self.model is not None:
            self.model.history = self

    def _skipped(self) -> int | None:
        """The steps that the optimizer has skipped so far; None if it skips none."""
        return getattr(getattr(self.model, "optimizer", None), "skipped_steps", None)

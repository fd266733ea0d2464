"""History: what each epoch reached."""

from gpunn.training.callback import Callback


class History(Callback):
    """Keeps the metrics of every epoch; `fit` returns it.

    Attributes:
        epoch: the numbers of the epochs.
        history: a dict from metric names to lists with one number per epoch.

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

    def on_train_begin(self, logs=None):
        self.epoch = []

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self.model is not None:
            self.model.history = self

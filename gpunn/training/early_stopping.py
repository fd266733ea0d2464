"""EarlyStopping: no more epochs once a metric gets no better."""

from gpunn.checks import check_integer
from gpunn.training.monitor import MonitorCallback


class EarlyStopping(MonitorCallback):
    """Stop training when a metric has not become better for `patience` epochs.

    Args:
        monitor: the metric's name in the logs.
        min_delta: how much better counts as better.
        patience: epochs without improvement until training stops.
        verbose: 1: say so.
        mode: "min", "max" or "auto".
        baseline: an epoch counts only if it is better than this too.
        restore_best_weights: end with the weights of the best epoch, not of the last.
        start_from_epoch: how many epochs to wait before watching.

    Source: keras.callbacks.EarlyStopping.

    >>> stop = gpunn.training.callbacks.EarlyStopping("loss", patience=3)
    """

    def __init__(
        self,
        monitor="val_loss",
        min_delta=0,
        patience=0,
        verbose=0,
        mode="auto",
        baseline=None,
        restore_best_weights=False,
        start_from_epoch=0,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        check_integer("patience", patience, low=0)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_epoch = 0
        self.best_weights = None

    def on_train_begin(self, logs=None):
        self._reset()

    def on_epoch_end(self, epoch, logs=None):
        current = self.watched(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._keep(epoch)
        self.wait += 1
        if self.is_better(current, self.best):
            self.best = current
            self._keep(epoch)
            if self.baseline is None or self.is_better(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs=None):
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                print(f"Restoring model weights from the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)

"""SwapEMAWeights: models are tested with the moving averages of their weights."""

from gpunn.backend import backend_of
from gpunn.errors import ArgumentError
from gpunn.training.callback import Callback


class SwapEMAWeights(Callback):
    """Put the optimizer's moving averages in the weights' place while the model is tested or used.

    For an optimizer with `use_ema=True`.

    Args:
        swap_on_epoch: whether the averages are there from the end of an epoch to the beginning of
            the next, too, for callbacks such as `ModelCheckpoint` that come later in the list.

    Raises:
        ArgumentError: if the optimizer has no averages.

    Source: keras.callbacks.SwapEMAWeights.

    >>> model = gpunn.Sequential([gpunn.Input((1,)), gpunn.layers.Dense(1)])
    >>> model.compile(gpunn.optimizers.SGD(use_ema=True), "mse")
    >>> averaged = gpunn.callbacks.SwapEMAWeights()
    >>> x = np.ones((4, 1))
    >>> _ = model.fit(x, x, validation_data=(x, x), callbacks=[averaged], verbose=0)
    """

    def __init__(self, swap_on_epoch=False):
        self.swap_on_epoch = swap_on_epoch
        self._kept = None  # the weights, while the averages are in their place

    def _swap_in(self) -> None:
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales losses
        if not getattr(optimizer, "use_ema", False):
            raise ArgumentError(
                f"SwapEMAWeights needs an optimizer with use_ema=True, got {optimizer!r}"
            )
        if self._kept is None and optimizer.built and int(optimizer.iterations):
            arrays = [v.array for v in self.model.trainable_variables]
            self._kept = [backend_of(a).copy(a) for a in arrays]
            optimizer.finalize_variable_values()

    def _swap_out(self) -> None:
        if self._kept is not None:
            for v, array in zip(self.model.trainable_variables, self._kept, strict=True):
                v.assign(array)
            self._kept = None

    def on_epoch_begin(self, epoch, logs=None):
        self._swap_out()

    def on_epoch_end(self, epoch, logs=None):
        if self.swap_on_epoch:
            self._swap_in()

    def on_train_end(self, logs=None):
        self._kept = None  # `fit` ends with the averages in place

    def on_test_begin(self, logs=None):
        self._swap_in()

    def on_test_end(self, logs=None):
        self._swap_out()

    def on_predict_begin(self, logs=None):
        self._swap_in()

    def on_predict_end(self, logs=None):
        self._swap_out()

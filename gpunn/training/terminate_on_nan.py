"""TerminateOnNaN: stop at the first loss that is not a number, and say where it came from."""

import math

from gpunn.autograd import detect_anomaly
from gpunn.backend import backend_of
from gpunn.errors import AnomalyError, GpunnError, InvalidLossError
from gpunn.training.callback import Callback


class TerminateOnNaN(Callback):
    """Stop training when the loss is NaN or Inf, and name the op and layer that made it.

    It reads the loss after each batch. To find the culprit it keeps a copy of the weights as they
    were before the batch, and runs the batch again in anomaly mode.

    Args:
        raise_error: raise InvalidLossError instead of stopping after this batch.
        locate: look for the op and layer; False: no copy of the weights is kept.

    Raises:
        InvalidLossError: with `raise_error`, at the first loss that is NaN or Inf.

    Source: keras.callbacks.TerminateOnNaN.

    >>> guard = gpunn.training.callbacks.TerminateOnNaN()
    """

    def __init__(self, raise_error: bool = False, locate: bool = True):
        self.raise_error = raise_error
        self.locate = locate
        self._weights: dict = {}
        self._before: dict = {}  # copies of them

    def on_train_batch_begin(self, batch, logs=None):
        if not self.locate:
            return
        if batch == 0:
            self._weights = self.model.named_weights()
            self._before = {name: v.array.copy() for name, v in self._weights.items()}
        for name, kept in self._before.items():
            backend_of(kept).copyto(kept, self._weights[name].array)

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        said = f"the loss is {loss} at batch {batch}" + self._explanation()
        if self.raise_error:
            raise InvalidLossError(said)
        print(f"{said}; training stops")
        self.model.stop_training = True

    def on_train_end(self, logs=None):
        self._weights, self._before = {}, {}

    def _explanation(self) -> str:
        """What made the loss bad, as far as it can be found out."""
        bad = [name for name, kept in self._before.items() if not _finite(kept)]
        if bad:
            return (
                f": the step before made {_some(bad)} NaN or Inf (its learning rate is too high?)"
            )
        found = self._run_again() if self._before else ""
        if found:
            return f": {found}"
        weights = self.model.named_weights()
        bad = [name for name, v in weights.items() if not _finite(v.array)]
        return f"; NaN or Inf in {_some(bad)} after it" if bad else ""

    def _run_again(self) -> str:
        """The error of the batch at hand in anomaly mode, with the weights as they were."""
        batch = getattr(self.model, "last_batch", None)
        if batch is None:
            return ""
        x, y, sample_weight = batch
        now = {name: v.array.copy() for name, v in self._weights.items()}
        try:
            self._put(self._before)
            with detect_anomaly():
                y_pred = self.model(x, training=True)
                self.model._computed_loss(x, y, y_pred, sample_weight, training=True).backward()
        except AnomalyError as e:
            return str(e)
        except GpunnError:
            return ""
        finally:
            self._put(now)
            for v in self._weights.values():
                v.grad = None
        return ""

    def _put(self, values: dict) -> None:
        for name, v in self._weights.items():
            v.assign(values[name])


def _finite(array) -> bool:
    return bool(backend_of(array).xp.isfinite(array).all())


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more

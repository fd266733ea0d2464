"""Prediction: a model's outputs for data, batch after batch."""

from gpunn.autograd import Tensor, convert, no_grad
from gpunn.backend import backend_of, is_array, quiet
from gpunn.data import pack_x_y_sample_weight
from gpunn.errors import DataError
from gpunn.layers import tree
from gpunn.training.callbacks import CallbackList, default_callbacks
from gpunn.training.out_of_memory import out_of_memory_explained
from gpunn.training.steps import Steps


class Predictor(Steps):
    """What makes a model predict."""

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """The outputs for x, batch after batch.

        Args:
            x: as for `fit`; batch_size, steps, verbose, callbacks likewise.

        Returns:
            NumPy arrays nested like the outputs; CuPy arrays where x is of CuPy arrays.

        Source: keras.Model.predict.
        """
        on_device = _is_device_array(x)
        if callbacks is None and steps is None and _rows(x) <= (batch_size or 32):
            explained = out_of_memory_explained(self, "predict", _rows(x))
            with no_grad(), quiet(), explained:  # one batch: nothing to be organised
                y = self._predict_one(x)
            return tree.map(lambda t: _out(t, on_device), y)
        source = self._source(x, None, None, batch_size, steps=steps, check_finite=False)
        calls = CallbackList(
            default_callbacks(callbacks, None, verbose),
            model=self,
            epochs=1,
            steps=source.num_batches,
            verbose=verbose,
        )
        parts = []
        heard = calls.hears("on_predict_batch_begin", "on_predict_batch_end")
        unchanged = False
        calls.on_predict_begin()
        with no_grad(), quiet(), out_of_memory_explained(self, "predict", source.batch_size):
            for step, batch in enumerate(source.epoch()):
                if heard:
                    calls.on_predict_batch_begin(step)
                y = self._predict(pack_x_y_sample_weight(*batch), unchanged)
                parts.append(tree.map(lambda t: t.array, y))
                if heard:
                    calls.on_predict_batch_end(step, {"outputs": y})
                unchanged = not heard and source.is_own
        calls.on_predict_end()
        if not parts:
            raise DataError("the data gave no batch at all")
        return tree.map(
            lambda *rows: _out(convert(backend_of(rows[0]).xp.concatenate(rows)), on_device), *parts
        )

    def predict_proba(self, x, batch_size=None, verbose="auto"):
        """The outputs for x; another name of `predict`."""
        return self.predict(x, batch_size, verbose)

    def predict_classes(self, x, batch_size=None, verbose="auto"):
        """The most probable class per row, int32: argmax, or p > 0.5 for a single unit.

        Returns:
            (n,), or (n, 1) for a single unit.
        """
        p = self.predict(x, batch_size, verbose)
        if p.shape[-1] > 1:
            return p.argmax(-1).astype("int32")
        return (p > 0.5).astype("int32")

    def predict_on_batch(self, x):
        """The outputs for one batch."""
        with no_grad():
            y = self._predict_one(x)
        return tree.map(lambda t: _out(t, _is_device_array(x)), y)

    def _predict_one(self, x):
        """The outputs, as tensors, for one batch of data of any kind."""
        captured = self._captured_predict
        step = None if captured is None else captured.last()
        device = self.device if step is None else step.be.device  # a plan knows it sooner
        dtype = None if self.accepts_integers else self.compute_dtype
        x = tree.map(lambda a: convert(a, dtype, device), x)
        return self._predict(pack_x_y_sample_weight(x), unchanged=step is not None)


def _rows(x) -> int:
    """The rows of array data; a large number for anything else."""
    first = next(iter(x.values())) if isinstance(x, dict) and x else x
    shape = getattr(first, "shape", None)
    return shape[0] if shape else 1 << 62


def _is_device_array(x) -> bool:
    first = next(iter(x.values())) if isinstance(x, dict) and x else x
    first = first[0] if isinstance(first, list | tuple) and first else first
    if isinstance(first, Tensor):
        return first.device.kind != "cpu"
    return is_array(first) and backend_of(first).kind != "cpu"


def _out(t: Tensor, on_device: bool):
    return t.array if on_device else t.numpy()

"""Prediction: a model's outputs for data, batch after batch."""

from gpunn.autograd import Tensor, convert, no_grad, wrap
from gpunn.backend import backend_of, get_backend, is_array, one_blas_thread, quiet
from gpunn.checks import check_integer
from gpunn.data import pack_x_y_sample_weight
from gpunn.errors import ArgumentError, DataError
from gpunn.layers import tree
from gpunn.training.callbacks import callbacks_for
from gpunn.training.out_of_memory import out_of_memory_explained
from gpunn.training.plans.inference import InferenceStep
from gpunn.training.steps import Steps
from gpunn.tree import flatten, map_structure


class Predictor(Steps):
    """What makes a model predict."""

    stop_predicting = False  # a callback may set it

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """The outputs for x, batch after batch.

        Args:
            x: as for `fit`.
            batch_size: rows at a time; default: 32.
            verbose: as for `fit`.
            steps: how many batches; default: all.
            callbacks: a list of `gpunn.callbacks.Callback`.

        Returns:
            NumPy arrays nested like the outputs; CuPy arrays where x is of CuPy arrays.

        Source: keras.Model.predict.
        """
        if batch_size is not None:
            check_integer("batch_size", batch_size, low=1)
        on_device = _is_device_array(x)
        if callbacks is None and steps is None and _rows(x) <= (batch_size or 32):
            # one batch: there is nothing to be organised
            explained = out_of_memory_explained(self, "predict", _rows(x))
            with no_grad(), quiet(), one_blas_thread, explained:
                y = self._predict_one(x)
            return tree.map(lambda t: _out(t, on_device), y)
        source = self._data_source(x, None, None, batch_size, steps=steps, check_finite=False)
        calls = callbacks_for(self, callbacks, None, verbose, epochs=1, steps=source.num_batches)
        parts = []
        heard = calls.hears("on_predict_batch_begin", "on_predict_batch_end")
        unchanged = False
        self.stop_predicting = False
        calls.on_predict_begin()
        explained = out_of_memory_explained(self, "predict", source)
        with no_grad(), quiet(), one_blas_thread, explained:
            for step, batch in enumerate(source.epoch()):
                if heard:
                    calls.on_predict_batch_begin(step)
                y = self._run_predict_step(pack_x_y_sample_weight(*batch), unchanged)
                parts.append(tree.map(_array, y))
                if heard:
                    calls.on_predict_batch_end(step, {"outputs": y})
                if self.stop_predicting:
                    break
                unchanged = not heard and source.is_gpunns
        calls.on_predict_end()
        if not parts:
            raise DataError("the data gave no batch at all")
        return tree.map(
            lambda *rows: _out(wrap(backend_of(rows[0]).xp.concatenate(rows)), on_device), *parts
        )

    def compile_inference(self, batch_sizes=(1, 32), pad: bool = False, x=None) -> None:
        """Make ready now for predictions of batches of these sizes: the first is as fast as any.

        For each size the model's step is recorded, on a GPU as a CUDA graph; `predict` and
        `predict_on_batch` replay it, with the same bits. (Otherwise that is done after a few
        batches of a size.) Call it when the model is trained or loaded: layers that are added,
        or frozen weights, undo it; so does `compile`. New values of weights do not.

        Args:
            batch_sizes: numbers of rows, at most 16.
            pad: whether a batch of another size is filled up with rows of zeros to the next of
                these. Only for models that treat each row alone, as most do; the last bits of
                results may depend on it. Default: such batches run as ever.
            x: rows (any number) to take shapes and dtypes from. Default: the model's inputs.

        Raises:
            NotBuiltError: if the model is not built, and there is no x.
            ArgumentError: for other sizes, or if a size beside the rows is open and there is no x.
            CaptureError: if the step cannot be recorded, with the reason.

        >>> model = gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(3)])
        >>> model.compile_inference(batch_sizes=[1, 8])
        >>> model.predict(np.zeros((8, 4), "float32"), verbose=0).shape
        (8, 3)
        """
        step = InferenceStep(batch_sizes, pad)
        be = get_backend(self.device)
        like = self.input if x is None else x
        if x is not None:
            dtype = None if self.accepts_integers else self.compute_dtype
            like = tree.map(lambda a: convert(a, dtype, self.device), x)
        elif any(None in t.shape[1:] for t in flatten(like)):
            raise ArgumentError("a size of the inputs beside the rows is open: give x, some rows")

        def rows(n: int):
            return map_structure(lambda t: wrap(be.zeros((n, *t.shape[1:]), t.dtype)), like)

        step.make_plans(self, rows)
        self._captured_predict = step

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
        with no_grad(), one_blas_thread:
            y = self._predict_one(x)
        return tree.map(lambda t: _out(t, _is_device_array(x)), y)

    def _predict_one(self, x):
        """The outputs, as tensors, for one batch of data of any kind."""
        captured = self._captured_predict
        step = None if captured is None else captured.last()
        device = self.device if step is None else step.be.device  # a plan knows it sooner
        dtype = None if self.accepts_integers else self.compute_dtype
        x = tree.map(lambda a: None if a is None else self._to_given(a, dtype, device), x)
        return self._run_predict_step(pack_x_y_sample_weight(x), unchanged=step is not None)


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


def _array(y):
    """The raw array of an output; a layer that gives words gives one itself."""
    return y.array if isinstance(y, Tensor) else y


def _out(y, on_device: bool):
    return _array(y) if on_device or not isinstance(y, Tensor) else y.numpy()

"""The training loop: compile, fit, evaluate, predict, and the steps they are made of."""

import signal
import threading
import time
from contextlib import contextmanager

from gpunn import data, metrics, optimizers
from gpunn.autograd import Tensor, convert, no_grad
from gpunn.backend import Device, backend_of, current_device, current_seed, is_array
from gpunn.data import unpack_x_y_sample_weight
from gpunn.errors import ArgumentError, DataError, NotBuiltError
from gpunn.layers import tree
from gpunn.training.callbacks import CallbackList, History, default_callbacks
from gpunn.training.compiled import CompiledLoss, CompiledMetrics, outputs_of
from gpunn.training.logs import Logs, to_floats

JIT = ("auto", True, False)


class Trainer:
    """What makes a layer a model that can be trained; mixed into `Model`."""

    optimizer = None
    stop_training = False
    output_names: tuple[str, ...] = ()
    _loss = None
    _metrics = None
    _stream = None
    _loss_sources = None  # found once per epoch: walking the layers costs more than a small step
    last_batch = None

    # --- compile ---

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        metrics=None,
        loss_weights=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
    ) -> None:
        """Say how to train.

        Args:
            optimizer: an optimizer or its name.
            loss: a loss, its name or a function `(y_true, y_pred) -> tensor`; for several outputs
                a list, or a dict by output name.
            metrics: a list of metrics, names or functions, or a dict by output name.
            loss_weights: factors of the losses of several outputs.
            weighted_metrics: like `metrics`; these see the sample weights.
            run_eagerly, steps_per_execution, jit_compile: taken for Keras' sake; every step runs
                eagerly.

        Raises:
            ArgumentError: for an unknown name, with the nearest known ones.

        Source: keras.Model.compile.
        """
        if jit_compile not in JIT:
            raise ArgumentError(f"jit_compile must be 'auto', True or False, not {jit_compile!r}")
        optimizer = optimizers.get(optimizer)
        loss_object = CompiledLoss(loss, loss_weights) if loss is not None else None
        metric_object = CompiledMetrics(metrics, weighted_metrics)
        self.optimizer = optimizer
        self._loss = loss_object
        self._metrics = metric_object
        self._compile_arguments = {
            "optimizer": optimizer,
            "loss": loss,
            "metrics": metrics,
            "loss_weights": loss_weights,
            "weighted_metrics": weighted_metrics,
        }
        self._loss_tracker = _mean("loss")
        self._part_trackers = {}
        self.stop_training = False

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._metrics is not None

    @property
    def metrics(self) -> list:
        """The metrics that training updates, the mean of the loss first."""
        if not self.compiled:
            return []
        return [self._loss_tracker, *self._part_trackers.values(), *self._metrics.metrics]

    @property
    def metrics_names(self) -> list[str]:
        """Names of the numbers that `evaluate` returns, in its order."""
        return [m.name for m in self.metrics]

    def reset_metrics(self) -> None:
        """Start every metric anew."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict:
        """The metrics' values by name, as tensors or dicts of them."""
        results = {}
        for metric in self.metrics:
            value = metric.result()
            results.update(value if isinstance(value, dict) else {metric.name: value})
        return results

    # --- steps, to be overridden ---

    def train_step(self, batch) -> dict:
        """One step of training on `batch` = (x, y, sample_weight); y and weight may be None.

        Returns the logs: a mapping of names to tensors or numbers. Override it for a procedure of
        your own: `loss.backward()` fills the gradients, `self.optimizer.step()` applies them.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        y_pred = self(x, training=True)
        loss = self.compute_loss(x, y, y_pred, sample_weight)
        loss.backward()
        self.optimizer.step()
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, batch) -> dict:
        """One step of evaluation; see `train_step`."""
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        y_pred = self(x, training=False)
        self.compute_loss(x, y, y_pred, sample_weight)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, batch):
        """The predictions for a batch."""
        return self(unpack_x_y_sample_weight(batch)[0], training=False)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None) -> Tensor:
        """The loss to minimise: of the outputs, plus regularization and `add_loss` terms."""
        total = None
        size = 1
        if self._loss is not None:
            if y is None:
                raise DataError("a compiled loss needs targets: give y")
            outputs = outputs_of(y_pred, self.output_names)
            targets = outputs_of(y, tuple(outputs))
            weights = _weights_by_output(sample_weight, outputs)
            total, parts = self._loss(targets, outputs, weights)
            size = next(iter(outputs.values())).shape[0]
            if len(outputs) > 1:
                self._track_parts(parts, size)
        for extra in self.losses_among(*(self._loss_sources or self.sources_of_losses())):
            total = extra if total is None else total + extra
        if total is None:
            raise ArgumentError(
                f"{self.name!r} has nothing to minimise: compile(loss=...) or add_loss()"
            )
        self._loss_tracker.update_state(total, sample_weight=size)
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None) -> dict:
        """Update the metrics with a batch; the values are only computed when somebody reads them."""
        if y is not None:
            outputs = outputs_of(y_pred, self.output_names)
            targets = outputs_of(y, tuple(outputs))
            with no_grad():
                self._metrics.update(targets, outputs, _weights_by_output(sample_weight, outputs))
        return Logs(self.get_metrics_result)

    def _track_parts(self, parts: dict, size: int) -> None:
        for name, value in parts.items():
            if name not in self._part_trackers:
                self._part_trackers[name] = _mean(f"{name}_loss")
            self._part_trackers[name].update_state(value, sample_weight=size)

    # --- fit ---

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ) -> History:
        """Train for a number of epochs.

        Args:
            x: arrays (n, ...), a dict or list of them for several inputs, a `gpunn.data.Dataset`, a
                generator, or anything that can be iterated over for batches (x, y) or
                (x, y, sample_weight).
            y: targets, like x; None where x gives them.
            batch_size: default 32.
            epochs: the epoch to stop before, counted from 0.
            verbose: 0: silent; 1: a progress bar; 2: a line per epoch; "auto": 1 in a terminal,
                else 2.
            callbacks: a list of `gpunn.callbacks.Callback`.
            validation_split: the fraction of the data, its end, that is kept for validation.
            validation_data: (x, y) or (x, y, sample_weight), or a data set.
            shuffle: whether rows are shuffled before each epoch.
            class_weight: a dict from class to the weight of its samples.
            sample_weight: (n,) weights.
            initial_epoch: the epoch to start from.
            steps_per_epoch: batches per epoch; default: all.
            validation_steps, validation_batch_size: the same for validation.
            validation_freq: validate every so many epochs, or after the epochs of a list.

        Returns:
            The History: `history.history["loss"]` and so on, one number per epoch. Ctrl-C ends the
            epoch after the batch at hand and returns as well; a second Ctrl-C raises.

        Raises:
            NotBuiltError: if the model is not compiled.
            DataError, ShapeError: if the data do not fit; nothing is trained then.

        Source: keras.Model.fit.
        """
        self._require_compiled()
        if not 0.0 <= validation_split < 1.0:
            raise ArgumentError(f"validation_split must be in [0, 1), got {validation_split}")
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = data.train_validation_split(
                (x, y, sample_weight), validation_split
            )
        if self._stream is None:
            self._stream = current_seed().stream("shuffle")
        source = self._source(
            x, y, sample_weight, batch_size, shuffle=shuffle, steps=steps_per_epoch,
            class_weight=class_weight, stream=self._stream,
        )  # fmt: skip
        validation = None
        if validation_data is not None:
            vx, vy, vw = unpack_x_y_sample_weight(validation_data)
            validation = self._source(
                vx, vy, vw, validation_batch_size or batch_size, steps=validation_steps
            )
        history = History()
        calls = CallbackList(
            default_callbacks(callbacks, history, verbose),
            model=self,
            epochs=epochs,
            steps=source.num_batches,
            verbose=verbose,
        )
        self.stop_training = False
        self.history = history
        with _interruptible(self):
            calls.on_train_begin()
            try:
                for epoch in range(initial_epoch, epochs):
                    if not source.ready():
                        break
                    self._train_epoch(epoch, source, validation, validation_freq, calls)
                    if self.stop_training:
                        break
            finally:
                self.last_batch = None
                calls.on_train_end()
        return history

    def _train_epoch(self, epoch, source, validation, validation_freq, calls) -> None:
        self.reset_metrics()
        calls.on_epoch_begin(epoch)
        logs = None
        for step, batch in enumerate(source.epoch()):
            if step == 0:
                self._prepare(batch)
            calls.on_train_batch_begin(step)
            self.last_batch = batch  # for a callback that looks into what went wrong
            logs = self.train_step(batch)
            calls.on_train_batch_end(step, logs)
            if self.stop_training:
                break
        self._loss_sources = None
        if logs is None:
            raise DataError("the data gave no batch at all")
        epoch_logs = to_floats(logs)
        if validation is not None and _due(epoch, validation_freq) and not self._interrupted:
            results = self._evaluate_source(validation, calls)
            epoch_logs.update({f"val_{name}": value for name, value in results.items()})
        calls.on_epoch_end(epoch, epoch_logs)

    def _prepare(self, batch) -> None:
        """Make the weights, if the first batch is what tells their shapes, and the optimizer's."""
        if not self.built:
            with no_grad():
                self(batch[0], training=False)
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        self._loss_sources = self.sources_of_losses()

    # --- evaluate and predict ---

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
    ):
        """Loss and metrics on data.

        Args:
            x, y, batch_size, sample_weight, verbose, callbacks: as for `fit`.
            steps: how many batches; default: all.
            return_dict: give a dict by name instead of a list.

        Returns:
            The loss if there are no metrics, else a list in the order of `metrics_names`, or a dict.

        Source: keras.Model.evaluate.
        """
        self._require_compiled()
        source = self._source(x, y, sample_weight, batch_size, steps=steps)
        calls = CallbackList(
            default_callbacks(callbacks, None, verbose),
            model=self,
            epochs=1,
            steps=source.num_batches,
            verbose=verbose,
        )
        results = self._evaluate_source(source, calls)
        if return_dict:
            return results
        names = [m for m in self.metrics_names if m in results]
        values = [results[n] for n in names + [n for n in results if n not in names]]
        return values[0] if len(values) == 1 else values

    def _evaluate_source(self, source, calls) -> dict[str, float]:
        self.reset_metrics()
        source.reset()
        calls.on_test_begin()
        logs = None
        with no_grad():
            for step, batch in enumerate(source.epoch()):
                calls.on_test_batch_begin(step)
                logs = self.test_step(batch)
                calls.on_test_batch_end(step, logs)
        if logs is None:
            raise DataError("the data gave no batch at all")
        results = to_floats(logs)
        calls.on_test_end(results)
        return results

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
            with no_grad():  # one batch: nothing to be organised
                y = self.predict_step((self._one_batch(x), None, None))
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
        calls.on_predict_begin()
        with no_grad():
            for step, batch in enumerate(source.epoch()):
                calls.on_predict_batch_begin(step)
                y = self.predict_step(batch)
                parts.append(tree.map(lambda t: t.array, y))
                calls.on_predict_batch_end(step, {"outputs": y})
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

    # --- single batches ---

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One training step on one batch; returns loss and metrics so far, like `evaluate`."""
        self._require_compiled()
        batch = self._batch(x, y, sample_weight, class_weight)
        self._prepare(batch)
        return self._batch_results(self.train_step(batch), return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Evaluate one batch; returns loss and metrics so far, like `evaluate`."""
        self._require_compiled()
        batch = self._batch(x, y, sample_weight)
        with no_grad():
            return self._batch_results(self.test_step(batch), return_dict)

    def predict_on_batch(self, x):
        """The outputs for one batch."""
        with no_grad():
            y = self.predict_step((self._one_batch(x), None, None))
        return tree.map(lambda t: _out(t, _is_device_array(x)), y)

    def _batch(self, x, y, sample_weight, class_weight=None):
        rows = max(_rows(x), 1)
        source = self._source(x, y, sample_weight, rows, class_weight=class_weight)
        return next(iter(source.epoch()))

    def _batch_results(self, logs, return_dict):
        results = to_floats(logs)
        if return_dict:
            return results
        values = [results[n] for n in self.metrics_names if n in results]
        return values[0] if len(values) == 1 else values

    # --- helpers ---

    @property
    def device(self) -> Device:
        """Where the weights lie; the current device as long as there are none."""
        weights = self.weights
        return weights[0].device if weights else current_device()

    def _source(self, x, y, sample_weight, batch_size, **options):
        """The batches of data given to fit, evaluate or predict, on the model's device."""
        return data.make_source(
            x, y, sample_weight, batch_size=batch_size, device=self.device,
            x_dtype=None if self.accepts_integers else self.compute_dtype, **options,
        )  # fmt: skip

    def _one_batch(self, x):
        """x as tensors on the model's device."""
        device = self.device
        return tree.map(lambda a: a if isinstance(a, Tensor) else convert(a, device=device), x)

    def _require_compiled(self) -> None:
        if not self.compiled:
            raise NotBuiltError(f"{self.name!r} is not compiled: call compile() first")


def _mean(name: str):
    return metrics.Mean(name=name)


def _weights_by_output(sample_weight, outputs: dict) -> dict:
    if sample_weight is None:
        return {}
    if isinstance(sample_weight, dict | list | tuple):
        return outputs_of(sample_weight, tuple(outputs))
    return dict.fromkeys(outputs, sample_weight)


def _due(epoch: int, frequency) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


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


@contextmanager
def _interruptible(model):
    """Turn the first Ctrl-C into a clean stop after the batch at hand."""
    model._interrupted = False
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGINT)
    if previous is not signal.default_int_handler:  # somebody else's handler stays in charge
        yield
        return

    def stop(signum, frame):
        if model._interrupted:
            raise KeyboardInterrupt
        model._interrupted = time.monotonic()
        model.stop_training = True

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)

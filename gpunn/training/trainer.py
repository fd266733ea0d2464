"""The training loop: fit, evaluate, and single batches of both."""

import logging
from collections.abc import Iterable

from gpunn import data
from gpunn.autograd import no_grad, values_kept
from gpunn.backend import current_seed, one_blas_thread, quiet
from gpunn.checks import check_integer, check_number
from gpunn.data import pack_x_y_sample_weight, unpack_x_y_sample_weight
from gpunn.errors import DataError
from gpunn.training.callbacks import History, callbacks_for
from gpunn.training.interrupt import interruptible
from gpunn.training.logs import to_floats
from gpunn.training.monitor import warn_of_missing
from gpunn.training.out_of_memory import out_of_memory_explained
from gpunn.training.predictor import Predictor
from gpunn.training.trial import try_validation

log = logging.getLogger("gpunn")


class Trainer(Predictor):
    """What makes a layer a model that can be trained."""

    stop_training = False  # a callback may set it, and the one below
    stop_evaluating = False
    last_batch = None
    _shuffle_stream = None
    _interrupted = False

    @property
    def has_call(self) -> bool:
        """Whether it can be called."""
        return True

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
            epochs: how many epochs, or with `initial_epoch` the number of the epoch to stop before.
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
            validation_steps: batches of each validation; default: all.
            validation_batch_size: default: `batch_size`.
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
        for name, value in (("epochs", epochs), ("initial_epoch", initial_epoch)):
            check_integer(name, value, low=0)
        check_number("validation_split", validation_split, low=0.0, below=1.0)
        if not isinstance(validation_freq, Iterable) or isinstance(validation_freq, str):
            check_integer("validation_freq", validation_freq, low=1)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = data.train_validation_split(
                (x, y, sample_weight), validation_split
            )
        if self.optimizer.built and not self.own_steps(("train_step",)):
            self.optimizer.build(self.trainable_variables)  # refuses those it was not built for
        if self._shuffle_stream is None:
            self._shuffle_stream = current_seed().stream("shuffle")
        source = self._data_source(
            x, y, sample_weight, batch_size, shuffle=shuffle, steps=steps_per_epoch,
            class_weight=class_weight, stream=self._shuffle_stream,
        )  # fmt: skip
        validation = None
        if validation_data is not None:
            rows = batch_size if validation_batch_size is None else validation_batch_size
            vx, vy, vw = unpack_x_y_sample_weight(validation_data)
            validation = self._data_source(vx, vy, vw, rows, steps=validation_steps)
        history = History()
        calls = callbacks_for(
            self, callbacks, history, verbose, epochs=epochs, steps=source.num_batches
        )
        self.stop_training = False
        self._first_epoch = initial_epoch  # a callback that restores a state may set it
        self.history = history
        logs = None
        with (
            interruptible(self),
            quiet(),
            one_blas_thread,
            out_of_memory_explained(self, "fit", source, trains=True),
        ):
            calls.on_train_begin()
            try:
                for epoch in range(self._first_epoch, epochs):
                    if not source.ready():
                        break
                    logs = self._train_epoch(epoch, source, validation, validation_freq, calls)
                    if self.stop_training:
                        break
                if logs is not None:
                    self.optimizer.finalize_variable_values()
            finally:
                self.last_batch = None
                calls.on_train_end(logs)
        return history

    def _train_epoch(self, epoch, source, validation, validation_freq, calls) -> dict:
        logs = None
        heard = calls.hears("on_train_batch_begin", "on_train_batch_end")
        # whether only steps can have changed the model since the last one: plans need no check then
        unchanged = False
        with self._sources_kept():
            self.reset_metrics()
            calls.on_epoch_begin(epoch)
            for step, batch in enumerate(source.epoch()):
                if step == 0:
                    self._prepare_for_batch(batch)
                    if epoch == self._first_epoch and validation is not None:
                        try_validation(self, validation, batch)
                if heard:
                    calls.on_train_batch_begin(step)
                self.last_batch = batch  # for a callback that looks into what went wrong
                logs = self._run_train_step(pack_x_y_sample_weight(*batch), unchanged)
                if step == 0 and epoch == self._first_epoch:
                    warn_of_missing(calls, self, validation is not None)
                if heard:
                    calls.on_train_batch_end(step, logs)
                if self.stop_training:
                    break
                unchanged = not heard and source.is_gpunns
            if logs is None:
                raise DataError("the data gave no batch at all")
            epoch_logs = to_floats(logs)
            if validation is not None and _due(epoch, validation_freq) and not self._interrupted:
                results = self._evaluate_source(validation, calls)
                epoch_logs.update({f"val_{name}": value for name, value in results.items()})
        calls.on_epoch_end(epoch, epoch_logs)
        return epoch_logs

    @property
    def knows_weights(self) -> bool:
        """Whether its weights are made; what only holds other models has theirs."""
        return self.built or (not self.has_call and bool(self.weights))

    def _prepare_for_batch(self, batch) -> None:
        """Make the weights, if the first batch is what tells their shapes, and the optimizer's."""
        if not self.built and (self.has_call or not self.own_steps(("train_step", "test_step"))):
            try:
                with no_grad(), values_kept():  # a counter in `call` starts with the training
                    self(batch[0], training=False)
            except Exception:
                if not self.own_steps(("train_step",)):
                    raise
                self.built = False  # a step of one's own may call it on something else
                return
            finally:
                self.reset_metrics()
        if self.optimizer.built:
            return
        if not self.has_call and any(not x.built for x in self.walk() if x is not self):
            return  # its own step makes weights yet, and gives them to the optimizer
        self.optimizer.build(trained := self.trainable_variables)
        if not trained:
            log.warning("%r has no trainable weights: it is only measured", self.name)

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
            The loss if there are no metrics, else a list in the order of `metrics_names`.

        Source: keras.Model.evaluate.
        """
        self._require_compiled()
        source = self._data_source(x, y, sample_weight, batch_size, steps=steps)
        calls = callbacks_for(self, callbacks, None, verbose, epochs=1, steps=source.num_batches)
        results = self._evaluate_source(source, calls)
        if return_dict:
            return results
        names = [m for m in self.metrics_names if m in results]
        values = [results[n] for n in names + [n for n in results if n not in names]]
        return values[0] if len(values) == 1 else values

    def _evaluate_source(self, source, calls) -> dict[str, float]:
        source.reset()
        self.stop_evaluating = False
        logs = None
        heard = calls.hears("on_test_batch_begin", "on_test_batch_end")
        unchanged = False
        explained = out_of_memory_explained(self, "evaluate", source)
        with no_grad(), quiet(), one_blas_thread, self._sources_kept(), explained:
            self.reset_metrics()
            calls.on_test_begin()
            for step, batch in enumerate(source.epoch()):
                if heard:
                    calls.on_test_batch_begin(step)
                logs = self._run_test_step(pack_x_y_sample_weight(*batch), unchanged)
                if heard:
                    calls.on_test_batch_end(step, logs)
                if self.stop_evaluating:
                    break
                unchanged = not heard and source.is_gpunns
            if logs is None:
                raise DataError("the data gave no batch at all")
            results = to_floats(logs)
        calls.on_test_end(results)
        return results

    # --- single batches ---

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One training step on one batch; returns its loss and metrics, like `evaluate`."""
        self._require_compiled()
        plan = None if self._captured is None else self._captured.last()
        batch = self._tensors_of_batch(x, y, sample_weight, class_weight, plan)
        with one_blas_thread, self._sources_kept(plan):
            self._prepare_for_batch(batch)
            self.reset_metrics()
            logs = self._run_train_step(pack_x_y_sample_weight(*batch), unchanged=plan is not None)
            return self._batch_results(logs, return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """The loss and metrics of one batch, like `evaluate`."""
        self._require_compiled()
        plan = None if self._captured_test is None else self._captured_test.last()
        batch = self._tensors_of_batch(x, y, sample_weight, plan=plan)
        with no_grad(), one_blas_thread, self._sources_kept(plan):
            self.reset_metrics()
            logs = self._run_test_step(pack_x_y_sample_weight(*batch), unchanged=plan is not None)
            return self._batch_results(logs, return_dict)

    def _tensors_of_batch(self, x, y, sample_weight, class_weight=None, plan=None):
        return data.make_batch(
            x, y, sample_weight, class_weight=class_weight,
            device=self.device if plan is None else plan.be.device,
            x_dtype=None if self.accepts_integers else self.compute_dtype,
            check_targets=self._needs_finite_targets(), takes_words=self.takes_words,
        )  # fmt: skip

    def _batch_results(self, logs, return_dict):
        results = to_floats(logs)
        if return_dict:
            return results
        values = [results[n] for n in self.metrics_names if n in results]
        return values[0] if len(values) == 1 else values


def _due(epoch: int, frequency) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency

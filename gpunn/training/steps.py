"""Steps: what `compile` is told, and the steps of training and prediction that users override."""

from collections.abc import Mapping
from contextlib import contextmanager
from functools import lru_cache
from inspect import signature
from numbers import Real
from typing import Any

from gpunn import data, ops, optimizers
from gpunn.autograd import Tensor, no_grad
from gpunn.data import unpack_x_y_sample_weight
from gpunn.errors import ArgumentError, ArgumentTypeError, DataError, NotBuiltError
from gpunn.layers import Layer, tree
from gpunn.metrics import Mean, Metric
from gpunn.origin import from_gpunn
from gpunn.training.compiled_loss import CompiledLoss
from gpunn.training.compiled_metrics import CompiledMetrics
from gpunn.training.logs import Logs
from gpunn.training.plans.captured import CapturedStep
from gpunn.training.words import TakesWords
from gpunn.tree import flatten

JIT = ("auto", True, False)


class Steps(TakesWords):
    """A model's losses, metrics and optimizer, and single steps with them."""

    optimizer: Any = None
    loss: Any = None  # what `compile` was given
    accepts_integers = True  # integers reach `call` as they are
    output_names: tuple[str, ...] = ()
    _compile_loss: CompiledLoss | None = None
    _compile_metrics: Any = None
    steps_per_execution = 1
    _captured: CapturedStep | None = None
    _captured_test: CapturedStep | None = None
    _captured_predict: CapturedStep | None = None
    _kept_sources: tuple | None = None  # of losses, inside `_sources_kept`
    _held_metrics: list | None = None  # likewise
    _keeps_sources = False

    # --- compile ---

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
    ) -> None:
        """Say how to train.

        Args:
            optimizer: an optimizer or its name.
            loss: a loss, its name or a function `(y_true, y_pred) -> tensor`; for several outputs
                a list, or a dict by output name.
            loss_weights: factors of the losses of several outputs.
            metrics: a list of metrics, names or functions, or a dict by output name.
            weighted_metrics: like `metrics`; these see the sample weights.
            run_eagerly: nothing is captured, whatever `jit_compile` says.
            steps_per_execution: callbacks are told of every so many batches only.
            jit_compile: "auto": a step of training, evaluation or prediction is recorded for each
                batch shape, at once or after a few ordinary ones, and replayed from then on, on a
                GPU as a CUDA graph: several times faster for small models, with the same bits.
                Layers, losses, metrics and functions of your own are recorded too, if a replay can
                stand for them: what they read beside tensors (attributes, globals, variables of
                functions around them) is watched, and when it changes the step is recorded again.
                So are steps that you write anew (`train_step`, `test_step`), with all their
                gradients and optimizers. Code that prints, counts, draws numbers by NumPy, or asks
                for the values of a tensor runs call by call; why is logged once
                (`logging.getLogger("gpunn")`, INFO). True: whatever can be recorded is: code of
                which that is not known runs when it is recorded, not when it is replayed. A
                training step that cannot be recorded raises the reason. False: every step runs
                call by call.
            auto_scale_loss: whether the optimizer of a model of the policy "mixed_float16" is
                wrapped in a `LossScaleOptimizer`.

        Raises:
            ArgumentError: for an unknown name, with the nearest known ones, or loss weights that
                are no numbers.

        Source: keras.Model.compile.
        """
        if jit_compile not in JIT:
            raise ArgumentError(f"jit_compile must be 'auto', True or False, not {jit_compile!r}")
        for factor in flatten([] if loss_weights is None else loss_weights):
            if isinstance(factor, bool) or not isinstance(factor, Real | None):
                raise ArgumentError(
                    f"loss_weights must be numbers, not {factor!r}: they are the third argument of "
                    "compile(); write metrics=... for metrics"
                )
        if not isinstance(steps_per_execution, int) or steps_per_execution < 1:
            raise ArgumentError(f"steps_per_execution must be at least 1: {steps_per_execution!r}")
        optimizer = optimizers.get(optimizer)
        if auto_scale_loss and self.dtype_policy.name == "mixed_float16":
            optimizer = _scaling(optimizer)
        loss_object = None
        if loss is not None:
            loss_object = CompiledLoss(loss, loss_weights, self.output_names)
        metric_object = CompiledMetrics(metrics, weighted_metrics, self.output_names)
        self.optimizer = optimizer
        self.loss = loss
        self._compile_loss = loss_object
        self._compile_metrics = metric_object
        self.steps_per_execution = steps_per_execution
        self._captured = self._captured_test = self._captured_predict = None
        if jit_compile is not False and not run_eagerly:
            strict = jit_compile is True
            self._captured = CapturedStep(strict, safe=not strict)
            self._captured_test = CapturedStep(safe=not strict, kind="test")
            self._captured_predict = CapturedStep(safe=not strict, kind="predict")
        self._compile_arguments = {
            "optimizer": optimizer,
            "loss": loss,
            "metrics": metrics,
            "loss_weights": loss_weights,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        self._loss_tracker = Mean(name="loss")
        self._part_trackers = {}

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compile_metrics is not None

    @property
    def metrics(self) -> list:
        """The metrics that training updates: the mean of the loss, those of `compile`, attributes.

        Those of `compile` are one metric: before the first batch nobody knows which ones a name
        such as "accuracy" stands for.
        """
        found = []
        if self.compiled:
            found = [self._loss_tracker]
            found += [] if self._compile_metrics.empty else [self._compile_metrics]
            found += self._part_trackers.values()
        return list({id(m): m for m in [*found, *self._metrics_held()]}.values())

    def _metrics_held(self) -> list:
        """The metrics that are attributes, of layers inside as well; gpunn's own have none."""
        if self._held_metrics is not None:
            return self._held_metrics
        inner = [x for x in self.walk() if not from_gpunn(x) and not isinstance(x, Steps)]
        held = [m for x in (self, *inner) for _, m in tree.find(x, Metric, Layer)]
        if self._keeps_sources and self.built:  # before, layers may still be made
            self._held_metrics = held
        return held

    @property
    def metrics_variables(self) -> list:
        """The state of the metrics."""
        return [v for metric in self.metrics for v in metric.variables]

    @property
    def metrics_names(self) -> list[str]:
        """Names of the numbers that `evaluate` returns, in its order.

        Metrics of several outputs come last, by name, as in Keras.
        """
        compiled = self._compile_metrics
        several = compiled is not None and compiled.of_several
        names = []
        for metric in self.metrics:
            if metric is not compiled:
                names.append(metric.name)
            elif not several:
                names += [m.name for m in metric.metrics]
        return names + (sorted(m.name for m in compiled.metrics) if several else [])

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

    def train_step(self, batch) -> Mapping:
        """One step of training on a batch: x, (x, y) or (x, y, sample_weight).

        Returns the logs: a mapping of names to tensors or numbers. Override it for a procedure of
        your own: `loss.backward()` fills the gradients, `self.optimizer.step()` applies them.
        With a `LossScaleOptimizer` it is `self.optimizer.scale_loss(loss).backward()`. What the
        step needs beside the batch it should find at the model, optimizers as well: then it can be
        captured (see `compile`).
        """
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        y_pred = self(x, training=True)
        loss = self._tracked_loss(x, y, y_pred, sample_weight, training=True)
        if loss.requires_grad or self.trainable_weights:
            self.optimizer.scale_loss(loss).backward()
            self.optimizer.step()
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, batch) -> Mapping:
        """One step of evaluation; see `train_step`."""
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        y_pred = self(x, training=False)
        self._tracked_loss(x, y, y_pred, sample_weight, training=False)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, batch):
        """The predictions for a batch."""
        return self(unpack_x_y_sample_weight(batch)[0], training=False)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ) -> Tensor:
        """The loss to minimise: of the outputs, plus regularization and `add_loss` terms.

        An override that has no `training` is called without it.
        """
        total = None
        if self._compile_loss is not None:
            self.require_targets(y)
            total, parts = self._compile_loss(y, y_pred, sample_weight)
            if len(parts) > 1:
                self._track_parts(parts, next(tree.leaves(y_pred)).shape[0])
        for extra in self.losses_among(*self._loss_sources()):
            extra = ops.sum(extra) if extra.ndim else extra
            total = extra if total is None else total + extra
        if total is None:
            raise ArgumentError(
                f"{self.name!r} has nothing to minimise: compile(loss=...) or add_loss()"
            )
        return total

    def require_targets(self, y) -> None:
        """Refuse data without targets where a loss was compiled."""
        if self._compile_loss is not None and y is None:
            raise DataError("a compiled loss needs targets: give y")

    def _computed_loss(self, x, y, y_pred, sample_weight, training: bool) -> Tensor:
        """What `compute_loss` gives, or an override of it, which may have no `training`."""
        asks = _asks_for_training(getattr(self.compute_loss, "__func__", self.compute_loss))
        given = {"training": training} if asks else {}
        loss = self.compute_loss(x, y, y_pred, sample_weight, **given)
        if not isinstance(loss, Tensor):
            raise ArgumentTypeError(
                f"{self.name!r}.compute_loss() must return a tensor, got {loss!r}"
            )
        return loss

    def _tracked_loss(self, x, y, y_pred, sample_weight, training: bool) -> Tensor:
        """The loss of a batch, which counts towards the mean in the logs."""
        loss = self._computed_loss(x, y, y_pred, sample_weight, training)
        size = next(tree.leaves(x)).shape[0]
        self._loss_tracker.update_state(loss, sample_weight=size)
        return loss

    def compute_metrics(self, x, y, y_pred, sample_weight=None) -> Mapping:
        """Update the metrics with a batch; values are only computed when somebody reads them."""
        if y is not None and not self._compile_metrics.empty:
            if self._compile_loss is not None:
                y = self._compile_loss.targets(y, y_pred)
            with no_grad():
                self._compile_metrics.update_state(y, y_pred, sample_weight)
        return Logs(self.get_metrics_result)

    def _track_parts(self, parts: dict, size: int) -> None:
        self._add_trackers(parts)
        for name, value in parts.items():
            self._part_trackers[name].update_state(value, sample_weight=size)

    def _add_trackers(self, names) -> None:
        """Have means of the parts of the loss, if there are several."""
        for name in names if len(names) > 1 else ():
            if name not in self._part_trackers:
                self._part_trackers[name] = Mean(name=f"{name}_loss")

    # --- helpers ---

    def own_steps(self, names) -> list[str]:
        """Those of the methods that a subclass, or the model itself, has written anew."""
        return [
            n for n in names if n in vars(self) or getattr(type(self), n) is not getattr(Steps, n)
        ]

    def _run_train_step(self, batch, unchanged=False) -> Mapping:
        """`train_step`, as it is or captured.

        `unchanged`: nobody but steps can have changed the model since the last one.
        """
        captured = self._captured
        logs = self.train_step(batch) if captured is None else captured(self, batch, unchanged)
        return Logs.of(logs)

    def _run_test_step(self, batch, unchanged=False) -> Mapping:
        """`test_step`, as it is or captured; see `_run_train_step`."""
        captured = self._captured_test
        logs = self.test_step(batch) if captured is None else captured(self, batch, unchanged)
        return Logs.of(logs)

    def _run_predict_step(self, batch, unchanged=False):
        """`predict_step`, as it is or captured, for a model that is not compiled too."""
        captured = self._captured_predict
        if captured is None:
            if self.compiled:
                return self.predict_step(batch)
            captured = self._captured_predict = CapturedStep(safe=True, kind="predict")
        return captured(self, batch, unchanged)

    @contextmanager
    def _sources_kept(self, plan=None):
        """Find the sources of losses, and metrics, once inside: a walk costs more than a step.

        With a plan that is valid, what was found since it was made is so still.
        """
        outer = self._keeps_sources
        self._keeps_sources = True
        if plan is not None:
            self._kept_sources, self._held_metrics = plan.found
        try:
            yield
        finally:
            self._keeps_sources = outer
            if plan is not None:
                plan.found = self._kept_sources, self._held_metrics
            if not outer:
                self._kept_sources = self._held_metrics = None

    def _loss_sources(self) -> tuple:
        sources = self._kept_sources or self.sources_of_losses()
        if self._keeps_sources:
            self._kept_sources = sources
        return sources

    def _data_source(self, x, y, sample_weight, batch_size, **options):
        """The batches of data given to fit, evaluate or predict, on the model's device."""
        return data.make_source(
            x, y, sample_weight, batch_size=batch_size, device=self.device,
            x_dtype=None if self.accepts_integers else self.compute_dtype,
            check_targets=self._needs_finite_targets(), takes_words=self.takes_words, **options,
        )  # fmt: skip

    def _needs_finite_targets(self) -> bool:
        """Whether every loss is gpunn's: one of the user's own may know what to do with NaN."""
        own = self.own_steps(("train_step", "test_step", "compute_loss"))
        return not own and all(
            loss is None or from_gpunn(loss) or isinstance(loss, str) for loss in flatten(self.loss)
        )

    def _bind(self, batch) -> None:
        """Find losses and metrics for the outputs, before there are any: by their symbolic shapes.

        Raises:
            NoInputError: if the model does not know them yet.
        """
        loss, metrics = self._compile_loss, self._compile_metrics
        _, y, _ = unpack_x_y_sample_weight(batch)
        if y is None or ((loss is None or loss.terms) and (metrics.empty or metrics.bound)):
            return
        y_pred = self.output
        if isinstance(y_pred, list | tuple) and len(y_pred) == 1:
            (y_pred,) = y_pred  # as a call gives it
        if loss is not None:
            y = loss.targets(y, y_pred)
            if not loss.terms:
                loss.bind(y, y_pred)
            self._add_trackers({term.name for term in loss.terms})
        if not metrics.bound:
            metrics.bind(y, y_pred)

    def _require_compiled(self) -> None:
        if not self.compiled:
            raise NotBuiltError(f"{self.name!r} is not compiled: call compile() first")


def _scaling(optimizer):
    """The optimizer, wrapped in one that scales the loss; None stays None."""
    if optimizer is None or isinstance(optimizer, optimizers.LossScaleOptimizer):
        return optimizer
    return optimizers.LossScaleOptimizer(optimizer)


@lru_cache(maxsize=64)
def _asks_for_training(function) -> bool:
    return "training" in signature(function).parameters

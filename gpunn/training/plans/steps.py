"""The plans of a model's steps of training, evaluation and prediction, for batches of one shape."""

import logging
import threading
from contextlib import contextmanager
from typing import Any

from gpunn.autograd import Tensor, mask_of, no_grad, with_mask, wrap
from gpunn.backend import get_backend
from gpunn.backend.host import trim
from gpunn.backend.rows import Rows
from gpunn.backend.words import is_words
from gpunn.capture import plan_of, recorder_for
from gpunn.data import unpack_x_y_sample_weight
from gpunn.data.gathered import Gathered, lying
from gpunn.errors import CaptureError, DeviceError, NotLoadedError
from gpunn.layers import tree
from gpunn.origin import from_gpunn
from gpunn.training.logs import Logs
from gpunn.training.plans.stand_in import StandIn
from gpunn.training.plans.watch import (
    PASSING,
    Watch,
    layers_and_losses,
    metrics_of,
    optimizers_of,
)

log = logging.getLogger("gpunn")
ALL = ("optimizer", "metrics")  # the parts of a step that may be done call by call


class StepPlan:
    """A plan, and what it depends on; subclasses say what a step is.

    Args:
        model: the model.
        batch: one like those that it is for.
        user_code: what is known of the code in it that is not gpunn's, which is watched then.
            Default: such code is taken for what it is while it is recorded.
        passes: see `gpunn.capture.Plan`.
        beside: another plan for steps of this kind.
        whole: no step went before; do without a plan rather than have a part done call by call.

    Raises:
        CaptureError: if the step cannot be recorded; the model is as it was, whatever happens.
    """

    step = ""  # the name of the model's method
    inside: tuple[str, ...] = ()  # parts that are done call by call if they cannot be recorded
    eager_steps = 2  # steps before a plan is made: they build what is built late
    one_at_a_time = True  # so that all plans work in the same memory
    keeps_gradients = False  # whether the step may find gradients of the one before, and leave some

    def __init__(self, model, batch, user_code=None, passes=None, beside=None, whole: bool = False):
        self._beside = beside if self.one_at_a_time else None
        self.model = model
        self.be = get_backend(model.device)
        self.runs = 0
        self.checked: Any = None  # when it was last known to be valid
        self.found: tuple = (None, None)  # by `Steps._sources_kept`, since it was made
        self.busy = threading.Lock() if self._beside is None else self._beside.busy
        self._user_code = user_code
        if whole:
            self._bind(batch)
        self.variables = list({id(v): v for v in self._variables()}.values())
        self.inside = tuple(n for n in self.inside if self._takes(n))
        arrays, self._nesting = arrays_of(batch)
        if any(map(is_words, arrays)):
            raise CaptureError("words are looked up on the host")
        while True:
            self.inputs = [self.be.empty(a.shape, a.dtype) for a in arrays]
            try:
                self._contents = None
                watched = self.objects(model, self.inside)
                if user_code is not None:
                    self._contents = user_code.contents(self.inside, watched)
                self._watch = Watch(self.variables, watched, self._contents)
                self._record(batch, passes)
                self._beside = None
                trim()  # the plan's memory must not come on top of what was needed here
                return
            except NotLoadedError:
                continue
            except CaptureError as e:
                if whole or self._stage not in self.inside:
                    raise
                log.info("%s: its %s is done call by call: %s", model.name, self._stage, e)
                self.inside = tuple(n for n in self.inside if n != self._stage)

    def valid(self) -> bool:
        """Whether all that the plan was made of is still what it was."""
        return self._watch.unchanged()

    def takes(self, batch) -> bool:
        """Whether it is surely for batches like this one: tensors that are not nested."""
        parts = batch if type(batch) is tuple else (batch,)
        if self._nesting != len(parts) or len(parts) != len(self.inputs):
            return False
        for tensor, buffer in zip(parts, self.inputs):
            if type(tensor) is not Tensor and type(tensor) is not Gathered:
                return False
            array = tensor.array if type(tensor) is Tensor else lying(tensor)
            if array.shape != buffer.shape or array.dtype != buffer.dtype:
                return False
        return True

    def run(self, batch):
        """Do the step; returns what the model's own step returns."""
        arrays = arrays_of(batch)[0]
        for array in arrays:  # bits may depend on the order
            if type(array) is not Rows and not array.flags.c_contiguous:
                return getattr(self.model, self.step)(batch)
        if self.be.kind == "cuda":
            self.plan.sources = arrays  # the graph fetches them
        else:
            copyto = self.be.copyto
            for buffer, array in zip(self.inputs, arrays):
                copyto(buffer, array)
        self.plan.run()
        self.runs += 1
        return self._finished(batch)

    def _finished(self, batch):
        """What is left to do after the calls, and what the step returns."""
        raise NotImplementedError

    def _rehearse(self, model, stand_in, recorder, batch) -> Any:
        """Do the step with what stands for the model; returns the results to keep, or None."""
        raise NotImplementedError

    def _record(self, batch, passes) -> None:
        """Rehearse the step on copies, without calculating anything."""
        recorder = recorder_for(self.be, self.inputs)
        recorder.takes_arrays = self._user_code is not None
        stand_in = StandIn(recorder, self.be, self.keeps_gradients)
        self._stage = self.step
        try:
            with self._watched_recording(), recorder:
                buffers = iter(self.inputs)
                rehearsed = tree.map(
                    lambda x: wrap(recorder.external(next(buffers))) if _is_tensor(x) else x, batch
                )
                results = self._rehearse(stand_in.of(self.model), stand_in, recorder, rehearsed)
                self._require_unchanged(stand_in)
        except DeviceError as e:  # of a recorded array and a real one
            raise CaptureError(
                "an array that was made outside the primitives takes part, and would never change "
                "again: make it a Variable or an input"
            ) from e
        finally:
            stand_in.forget()
        recorder.require_same_arrays()
        known = {id(v) for v in self.variables}
        more = [v for v, _ in stand_in.variables if id(v) not in known]
        self._watch.also(more, stand_in.held)
        leaves = list(tree.leaves(results))
        masks = [mask_of(x) for x in leaves]
        leaves += [m for m in masks if m is not None]
        other = None if self._beside is None else self._beside.plan
        self.plan = plan_of(recorder, [x.array for x in leaves], passes, other)
        kept = iter(self.plan.results)
        self._outputs = tree.map(lambda x: wrap(next(kept)) if _is_tensor(x) else x, results)
        self._masks = [None if m is None else wrap(next(kept)) for m in masks]

    @contextmanager
    def _watched_recording(self):
        """See to it that code that is not gpunn's does nothing that is not known of it."""
        if self._user_code is None:
            yield
            return
        with self._user_code.recording(self.inside):
            yield
        changed = self._contents.changed()
        if changed is not None:
            raise CaptureError(f"{changed} is changed while it is recorded")

    def outputs(self):
        """Copies of the results that are kept, with their masks."""
        masks = iter(self._masks)

        def copied(y):
            if not _is_tensor(y):
                return y
            mask = next(masks)
            return y.clone() if mask is None else with_mask(y.clone(), mask.clone())

        return tree.map(copied, self._outputs)

    def _require_unchanged(self, stand_in) -> None:
        changed = stand_in.changed() - PASSING
        if changed:
            raise CaptureError(f"attributes are set while it runs: {', '.join(sorted(changed))}")

    def _bind(self, batch) -> None:
        """Make what else the first step would make."""

    def _takes(self, part: str) -> bool:
        """Whether a part of the step is to be recorded."""
        if part == "metrics" and self.model.own_steps(("compute_metrics",)):
            return False  # it may give other logs
        reason = None if self._user_code is None else self._user_code.reasons.get(part)
        if reason is not None:
            log.info("%s: its %s is done call by call: %s", self.model.name, part, reason)
        return reason is None

    @classmethod
    def objects(cls, model, inside=ALL) -> list:
        """What has attributes that the step, with these parts inside, may read."""
        return [*layers_and_losses(model), *metrics_of(model, "metrics" in inside)]

    def _variables(self):
        yield from self.model.weights
        yield from self.model.metrics_variables


class TrainPlan(StepPlan):
    """A training step."""

    step = "train_step"
    inside = ALL

    def run(self, batch):
        """Do the step; returns the logs."""
        for v in self.trained:
            if v._grad is not None:  # a gradient of the user's, to be added to
                return self.model.train_step(batch)
        return super().run(batch)

    def _finished(self, batch):
        model = self.model
        if "optimizer" not in self.inside:
            for v in self.trained:
                v._grad = v._grad_slot
            model.optimizer.step()
        return _logs(self, batch)

    def _rehearse(self, model, stand_in, recorder, batch):
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        y_pred = model(x, training=True)
        loss = model._tracked_loss(x, y, y_pred, sample_weight, training=True)
        if not loss.requires_grad:
            raise CaptureError("there are no trainable weights")
        model.optimizer.scale_loss(loss).backward()
        self._require_unchanged(stand_in)
        self.trained = [v for v, made in stand_in.variables if made._grad is not None]
        if "optimizer" in self.inside:
            self._stage = "optimizer"
            model.optimizer.step()
        return _metrics_or_outputs(self, model, batch, y_pred)

    def _bind(self, batch) -> None:
        self.model._bind(batch)

    def _takes(self, part: str) -> bool:
        watched = self._user_code is not None and part == "optimizer"
        if watched and not all(from_gpunn(type(o)) for o in optimizers_of([self.model.optimizer])):
            return False
        return super()._takes(part)

    @classmethod
    def objects(cls, model, inside=ALL) -> list:
        """What has attributes that the step, with these parts inside, may read."""
        optimizers = optimizers_of([model.optimizer]) if "optimizer" in inside else ()
        return [*super().objects(model, inside), *optimizers]


class TestPlan(StepPlan):
    """A step of evaluation."""

    step = "test_step"
    inside = ("metrics",)

    def _finished(self, batch):
        return _logs(self, batch)

    def _rehearse(self, model, stand_in, recorder, batch):
        with no_grad():
            x, y, sample_weight = unpack_x_y_sample_weight(batch)
            y_pred = model(x, training=False)
            model._tracked_loss(x, y, y_pred, sample_weight, training=False)
            self._require_unchanged(stand_in)
            return _metrics_or_outputs(self, model, batch, y_pred)


class PredictPlan(StepPlan):
    """A step of prediction."""

    step = "predict_step"
    eager_steps = 4  # a plan saves less of a step that has no gradients
    one_at_a_time = False  # several threads may predict

    def _finished(self, batch):
        return self.outputs()

    def _rehearse(self, model, stand_in, recorder, batch):
        with no_grad():
            return model(unpack_x_y_sample_weight(batch)[0], training=False)

    @classmethod
    def objects(cls, model, inside=ALL) -> list:
        """What has attributes that the step may read."""
        return list(model.walk())

    def _variables(self):
        return self.model.weights


def _metrics_or_outputs(plan, model, batch, y_pred):
    """Rehearse the metrics; the outputs if that is left to be done call by call."""
    if "metrics" not in plan.inside:
        return y_pred
    plan._stage = "metrics"
    x, y, sample_weight = unpack_x_y_sample_weight(batch)
    model.compute_metrics(x, y, y_pred, sample_weight)
    return None


def _logs(plan, batch):
    model = plan.model
    if "metrics" in plan.inside:
        return Logs(model.get_metrics_result)
    x, y, sample_weight = unpack_x_y_sample_weight(batch)
    return model.compute_metrics(x, y, plan.outputs(), sample_weight)


def arrays_of(batch) -> tuple[list, object]:
    """The arrays of a batch, or their rows (`Gathered`), and what tells how they are nested."""
    parts = batch if type(batch) is tuple else (batch,)
    for part in parts:
        if type(part) is not Tensor and type(part) is not Gathered:
            break
    else:
        return [p.array if type(p) is Tensor else lying(p) for p in parts], len(parts)
    return [lying(x) for x in tree.leaves(unpack_x_y_sample_weight(batch))], _nesting(batch)


def _is_tensor(x) -> bool:
    return isinstance(x, Tensor)


def _nesting(batch):
    """What tells how the tensors of a batch are nested."""
    if isinstance(batch, Tensor):
        return None
    if isinstance(batch, dict):
        return tuple([(k, _nesting(v)) for k, v in batch.items()])
    if isinstance(batch, list | tuple):
        return tuple([_nesting(v) for v in batch])
    return type(batch)

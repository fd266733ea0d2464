"""CapturedStep: the training step of a model as plans, one for each kind of batch."""

import logging
from collections.abc import Iterator
from operator import itemgetter

from gpunn.autograd import Tensor, wrap
from gpunn.autograd.mode import grad_enabled, observers
from gpunn.backend import get_backend, standardize
from gpunn.capture import plan_of, recorder_for
from gpunn.data import unpack_x_y_sample_weight
from gpunn.errors import CaptureError, DeviceError
from gpunn.layers import tree
from gpunn.metrics import Metric
from gpunn.training.logs import Logs

log = logging.getLogger("gpunn")

EAGER_STEPS = 2  # before a plan is made: they build what is built late
MOST_PLANS = 16
FEW = 10  # steps of a plan: it was not worth making,
MOST_DROPS = 8  # and after so many of those none is made any more
# What a step and the loop around it set all the time, and no step depends on.
PASSING = {
    "last_batch", "history", "stop_training", "_stream", "_interrupted", "_sources",
    "_keeps_sources", "_last_call", "_losses_of", "_added_losses", "_captured", "_be",
}  # fmt: skip


class CapturedStep:
    """Does `train_step` by plans: the first two steps of a kind call by call, then recorded.

    A step that cannot be recorded stays as it is. A plan is dropped when something that it was
    made of is another thing: a weight's memory, `trainable`, an attribute of a layer or loss.

    Args:
        strict: raise the reason why a step cannot be recorded, instead of logging it once.
        own_only: capture only models made of gpunn's own classes and functions: what Python code
            of others reads or does besides, a plan would not see.
        passes: see `gpunn.capture.Plan`.
    """

    def __init__(self, strict: bool = False, own_only: bool = False, passes=None):
        self.strict = strict
        self.own_only = own_only
        self.passes = passes
        self.refused: str | None = None  # why steps stay as they are
        self._steps: dict[tuple, _Step] = {}
        self._seen: dict[tuple, int] = {}
        self._drops = 0

    def __reduce__(self):
        return CapturedStep, (self.strict, self.own_only, self.passes)

    def __call__(self, model, batch):
        """One step of training; returns the logs."""
        if self.refused is not None or observers or not grad_enabled.get():
            return model.train_step(batch)
        arrays, nesting = _arrays(batch)
        key = (nesting, standardize(None).num, *[(a.shape, a.dtype.num) for a in arrays])
        step = self._steps.get(key)
        if step is not None:
            if step.valid():
                return step(arrays, batch)
            self._steps.clear()
            self._seen.clear()
            self._drops = self._drops + 1 if step.runs < FEW else 0
            if self._drops > MOST_DROPS:
                self._refuse(model, "what it depends on changes again and again")
        if len(self._seen) > 256:  # shapes that are new all the time
            self._seen.clear()
        seen = self._seen[key] = self._seen.get(key, 0) + 1
        if seen > EAGER_STEPS and len(self._steps) < MOST_PLANS:
            try:
                if self.own_only:
                    _require_own(model)
                self._steps[key] = step = _Step(model, batch, self.passes)
            except Exception as e:  # whatever the rehearsal met, the step itself can still run
                if self.strict:
                    raise
                self._refuse(model, str(e))
            else:
                return step(arrays, batch)
        return model.train_step(batch)

    def _refuse(self, model, reason: str) -> None:
        self.refused = reason
        log.info("%s: steps run call by call, they are not captured: %s", model.name, reason)


class _Step:
    """A plan for batches like one, and what it depends on."""

    def __init__(self, model, batch, passes):
        _require_plain(model)
        self.model = model
        self.be = get_backend(model.device)
        self.runs = 0
        self.variables = list({id(v): v for v in _variables(model)}.values())
        self.places = [(v, v.array, v._grad_slot, v.requires_grad) for v in self.variables]
        objects = [*_objects(model), *_metrics(model)]
        try:
            self._record(batch, passes, with_metrics=True)
        except CaptureError as e:
            log.info("%s: its metrics are updated call by call: %s", model.name, e)
            self._record(batch, passes, with_metrics=False)
            objects = list(_objects(model))
        self.watched = [_Watched(o) for o in objects]

    def valid(self) -> bool:
        """Whether all that the plan was made of is still what it was."""
        for v, array, slot, trained in self.places:
            if v.array is not array or v._grad_slot is not slot or v.requires_grad is not trained:
                return False
        for watched in self.watched:
            if not watched.unchanged():
                return False
        return True

    def __call__(self, arrays, batch):
        """One step of training; returns the logs."""
        model = self.model
        for v in self.trained:
            if v._grad is not None:  # a gradient of the user's, to be added to
                return model.train_step(batch)
        for buffer, array in zip(self.inputs, arrays):
            if not array.flags.c_contiguous:  # bits may depend on the order
                return model.train_step(batch)
            self.be.copyto(buffer, array)
        self.plan.run()
        self.runs += 1
        for v in self.trained:
            v._grad = v._grad_slot
        model.optimizer.step()
        if self.outputs is None:
            return Logs(model.get_metrics_result)
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        y_pred = tree.map(Tensor.clone, self.outputs)
        return model.compute_metrics(x, y, y_pred, sample_weight)

    def _record(self, batch, passes, with_metrics: bool) -> None:
        """Rehearse the step without calculating anything; all is then as it was."""
        model, recorder = self.model, recorder_for(self.be)
        before = [_Attributes(o) for o in (*_objects(model), *_metrics(model))]
        kept = [(v, v.array, v._grad, v._grad_slot) for v in self.variables]
        self.inputs = [self.be.empty(a.shape, a.dtype) for a in _arrays(batch)[0]]
        try:
            with recorder:
                buffers = iter(self.inputs)
                rehearsed = tree.map(
                    lambda x: x if x is None else wrap(recorder.external(next(buffers))),
                    unpack_x_y_sample_weight(batch),
                )
                for v in self.variables:
                    v.array, v._grad = recorder.external(v.array), None
                    if v.requires_grad:
                        v._grad_slot = recorder.external(v._grad_slot)
                for metric in _metrics(model):
                    metric._be = recorder.backend
                x, y, sample_weight = unpack_x_y_sample_weight(rehearsed)
                y_pred = model(x, training=True)
                model.compute_loss(x, y, y_pred, sample_weight).backward()
                if with_metrics:
                    model.compute_metrics(x, y, y_pred, sample_weight)
                self.trained = [v for v in self.variables if v._grad is not None]
        except DeviceError as e:  # of a recorded array and a real one
            raise CaptureError(
                "an array that was made outside the primitives takes part, and would never change "
                "again: make it a Variable or an input"
            ) from e
        finally:
            for v, array, grad, slot in kept:
                v.array, v._grad, v._grad_slot = array, grad, slot
            changed = {name for attributes in before for name in attributes.restore()}
        if changed:
            raise CaptureError(f"attributes are set while it runs: {', '.join(sorted(changed))}")
        if with_metrics:
            self.plan, self.outputs = plan_of(recorder, (), passes), None
            return
        self.plan = plan_of(recorder, [x.array for x in tree.leaves(y_pred)], passes)
        results = iter(self.plan.results)
        self.outputs = tree.map(lambda _: wrap(next(results)), y_pred)


class _Watched:
    """The attributes of an object, to be compared with what they were."""

    def __init__(self, of):
        self._now = vars(of)
        names = [n for n in self._now if n not in PASSING]
        self._get = itemgetter(*names) if names else lambda attributes: None
        values = self._get(self._now)
        self._then = tuple(map(_copied, values)) if len(names) > 1 else _copied(values)

    def unchanged(self) -> bool:
        """Whether every attribute is what it was."""
        try:
            return bool(self._get(self._now) == self._then)
        except (KeyError, ValueError):  # it is gone, or an array is another one
            return False


def _copied(value):
    return value.copy() if type(value) in (list, dict) else value


class _Attributes:
    """The attributes of an object, to be given back."""

    def __init__(self, of):
        self._now = vars(of)
        self._then = dict(self._now)
        self._contents = {n: _copied(v) for n, v in self._now.items() if type(v) in (list, dict)}

    def restore(self) -> set[str]:
        """Give them back; returns the names of those that were set or changed in place."""
        now, then = self._now, self._then
        changed = {n for n in now if n not in then or now[n] is not then[n]}
        now.clear()
        now.update(then)
        for name, content in self._contents.items():
            value = then[name]
            if len(value) != len(content) or any(
                a is not b for a, b in zip(_flat(value), _flat(content), strict=True)
            ):
                changed.add(name)
                value.clear()
                (value.update if type(value) is dict else value.extend)(content)
        return changed - PASSING


def _flat(value) -> list:
    return [*value, *value.values()] if type(value) is dict else value


def _require_plain(model) -> None:
    """Raise unless the model trains as models do."""
    own = model.own_steps()
    if own:
        raise CaptureError(f"{type(model).__name__} has its own {', '.join(own)}")


def _require_own(model) -> None:
    """Raise if code that is not gpunn's takes part in a step."""
    for o in (*_objects(model), *_metrics(model)):
        for part in (type(o), *vars(o).values()):
            if callable(part) and not _is_own(part):
                name = getattr(part, "__qualname__", type(part).__qualname__)
                raise CaptureError(f"{name} is not gpunn's: jit_compile=True captures it as well")


def _is_own(part) -> bool:
    home = part if hasattr(part, "__qualname__") else type(part)
    return home.__module__.partition(".")[0] == "gpunn"


def _objects(model) -> Iterator:
    """Whatever has attributes that forward and loss may read."""
    yield from model.walk()
    loss = model._loss
    if loss is not None:
        yield loss
        for part, _ in (loss._bound or {}).values():
            yield part
    for v in model.trainable_weights:
        if hasattr(v.regularizer, "__dict__"):
            yield v.regularizer


def _metrics(model) -> Iterator:
    """The metrics, and those that are attributes of others."""
    todo = list(model.metrics)
    while todo:
        metric = todo.pop()
        yield metric
        todo += [value for value in vars(metric).values() if isinstance(value, Metric)]


def _variables(model) -> Iterator:
    yield from model.weights
    for metric in model.metrics:
        yield from metric.variables


def _arrays(batch) -> tuple[list, object]:
    """The arrays of a batch, and what tells how they are nested."""
    parts = batch if type(batch) is tuple else (batch,)
    if set(map(type, parts)) == {Tensor}:
        return [part.array for part in parts], len(parts)
    return [x.array for x in tree.leaves(unpack_x_y_sample_weight(batch))], _nesting(batch)


def _nesting(batch):
    """What tells how the tensors of a batch are nested."""
    if isinstance(batch, Tensor):
        return None
    if isinstance(batch, dict):
        return tuple([(k, _nesting(v)) for k, v in batch.items()])
    if isinstance(batch, list | tuple):
        return tuple([_nesting(v) for v in batch])
    return type(batch)

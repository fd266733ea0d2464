"""Rehearsal: what stands for an optimizer in a recording, where its steps become calls."""

import numpy as np

from gpunn.autograd import mutated_span
from gpunn.errors import CaptureError
from gpunn.optimizers.guarded import Guard, change, overwrites
from gpunn.optimizers.loss_scale import LossScaleOptimizer, scaled_loss
from gpunn.optimizers.optimizer import Optimizer

UNLIKE = ("gradient_accumulation_steps", "ema_overwrite_frequency")  # not all steps are alike


class Rehearsal:
    """Notes the calls of an optimizer's steps; neither it nor any memory changes.

    It can do what a training step asks of an optimizer; whatever else is asked of it is another
    thing at the next step (how many steps there were, the learning rate).

    Args:
        optimizer: a built one.
        stand_ins: `of(variable)` gives what stands for it, and `recorder` is the recording.
    """

    def __init__(self, optimizer: Optimizer, stand_ins):
        self._scale: LossScaleOptimizer | None = None
        if isinstance(optimizer, LossScaleOptimizer):
            self._scale, optimizer = optimizer, optimizer.inner_optimizer
        self._optimizer = optimizer
        self._stand_ins = stand_ins
        self._steps = 0

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        raise CaptureError(f"{type(self._optimizer).__name__}.{name} is read while it runs")

    @property  # type: ignore[misc]
    def __class__(self):
        """For `isinstance`, which is to give what it gives of the optimizer."""
        return type(self._scale or self._optimizer)

    @property
    def built(self) -> bool:
        """Whether it has variables."""
        return self._optimizer.built

    def step(self) -> None:
        """As `Optimizer.step`."""
        self._twin().step()

    def apply(self, grads, trainable_variables=None) -> None:
        """As `Optimizer.apply`."""
        self._twin().apply(grads, trainable_variables)

    def apply_gradients(self, grads_and_vars) -> None:
        """As `Optimizer.apply_gradients`, but for what that returns."""
        self._twin().apply_gradients(grads_and_vars)

    def zero_grad(self) -> None:
        """As `Optimizer.zero_grad`."""
        self._twin().zero_grad()

    def scale_loss(self, loss):
        """As `Optimizer.scale_loss`."""
        if self._scale is not None:
            return scaled_loss(loss, self._stand_ins.of(self._scale.dynamic_scale))
        return self._optimizer.scale_loss(loss)

    def _twin(self) -> Optimizer:
        """A copy of the optimizer on recorded arrays, which notes its next step.

        Raises:
            CaptureError: if steps differ from each other in more than numbers.
        """
        optimizer, recorder = self._optimizer, self._stand_ins.recorder
        if not optimizer.built:
            raise CaptureError(f"{type(optimizer).__name__} has no variables yet")
        some = [n for n in UNLIKE if getattr(optimizer, n)]
        if some and optimizer._parts[0].be.kind == "cpu":  # which had to do all of them each time
            raise CaptureError(f"with {some[0]} not all steps are alike")
        if optimizer.has_update_step:
            raise CaptureError(f"{type(optimizer).__name__} is written as an update_step")
        for name in ("step", "apply", "_advance"):
            if getattr(type(optimizer), name) is not getattr(Optimizer, name):
                raise CaptureError(f"{type(optimizer).__name__} has its own {name}")
        if any(v.array is not a or v._grad_slot is not slot for v, a, slot in optimizer._watch):
            raise CaptureError("another optimizer has moved the variables: each needs its own")
        twin = object.__new__(type(optimizer))
        vars(twin).update(vars(optimizer))
        stand_ins = {id(v): self._stand_ins.of(v) for v in optimizer._trainable_variables}
        twin._trainable_variables = list(stand_ins.values())
        twin._index = {id(v): i for i, v in enumerate(twin._trainable_variables)}
        twin._parts = [part.as_seen_by(recorder, stand_ins) for part in optimizer._parts]
        twin._watch = [(v, v.array, v._grad_slot) for v in twin._trainable_variables]
        twin._plans = {}  # so that each step of a recording has numbers of its own
        twin._whole = twin._plan(range(len(twin._watch)))
        twin._advance = lambda plan: self._note(twin, plan)  # type: ignore[method-assign]
        return twin

    def _note(self, twin: Optimizer, plan) -> None:
        """Note a step of the twin.

        The first call computes the step's numbers (learning rate, corrections) into memory that the
        others read.
        """
        optimizer, recorder, scale = self._optimizer, self._stand_ins.recorder, self._scale
        self._steps += 1
        before, spans = dict(vars(twin)), optimizer._plan(plan.positions).spans
        if scale is not None:
            scaled = scale.recorded_step(plan)
            if scaled is None:
                raise CaptureError("whether the step is skipped is decided on the host")
            if self._steps > 1:  # the host would be several steps ahead of the device
                raise CaptureError("an optimizer that scales the loss takes several steps")
            recorder.note("do", scaled.begin, (plan.positions, spans), lasting=True)
            return scaled.change(twin, plan)
        twin._set_numbers(plan, 1, 1.0)
        if twin.use_ema:
            twin._whole.set_momentum(0.0)
        some = any(getattr(optimizer, n) for n in UNLIKE)
        flags = np.zeros(2, np.bool_) if some else None  # updates wait, averages do not overwrite
        recorder.note("do", _begin, (optimizer, plan, twin._whole, spans, flags), lasting=True)
        if flags is None:
            twin._change(plan, plan)
        else:
            be, factor = optimizer._parts[0].be, optimizer.loss_scale_factor
            waits, keeps = (be.external(flags[i : i + 1].reshape(())) for i in range(2))
            change(twin, plan, Guard(waits, keeps, scale=None if factor is None else float(factor)))
        changed = {n for n, value in vars(twin).items() if before.get(n, twin) is not value}
        if changed - {"_product"}:
            raise CaptureError(f"attributes are set while it runs: {', '.join(sorted(changed))}")


def _begin(optimizer, plan, whole, spans, flags) -> None:
    """What a recorded step does on the host."""
    counter = optimizer._iterations.array
    count = counter.item()
    steps = optimizer.gradient_accumulation_steps or 1
    optimizer._set_numbers(plan, count // steps + 1, optimizer._rate_at(count))
    if optimizer.use_ema:
        whole.set_momentum(optimizer.ema_momentum if count >= steps else 0.0)
    if flags is not None:
        flags[:] = (count + 1) % steps != 0, not overwrites(optimizer, count)
        optimizer._pending = set(plan.positions) if flags[0] else set()
    counter[()] = count + 1
    for span in spans:
        mutated_span(span)

"""rehearse: an optimizer's step as calls of a recording."""

import numpy as np

from gpunn.autograd import mutated_span
from gpunn.errors import CaptureError
from gpunn.optimizers.guarded import Guard, change, overwrites
from gpunn.optimizers.loss_scale import LossScaleOptimizer
from gpunn.optimizers.optimizer import Optimizer

UNLIKE = ("gradient_accumulation_steps", "ema_overwrite_frequency")  # not all steps are alike


def rehearse(optimizer: Optimizer, recorder, stand_ins: dict) -> None:
    """Note the calls of a step; neither the optimizer nor any memory changes.

    The first call computes the step's numbers (learning rate, corrections) into memory that the
    others read.

    Args:
        optimizer: a built one.
        recorder: the recording.
        stand_ins: by the variables' ids what stands for them there, with gradients.

    Raises:
        CaptureError: if steps differ from each other in more than numbers.
    """
    scale = optimizer if isinstance(optimizer, LossScaleOptimizer) else None
    if scale is not None:
        optimizer = scale.inner_optimizer
    some = [n for n in UNLIKE if getattr(optimizer, n)]
    if some and optimizer._parts[0].be.kind == "cpu":  # which had to do all of them each time
        raise CaptureError(f"with {some[0]} not all steps are alike")
    if optimizer.has_update_step:
        raise CaptureError(f"{type(optimizer).__name__} is written as an update_step")
    for name in ("step", "_advance"):
        if getattr(type(optimizer), name) is not getattr(Optimizer, name):
            raise CaptureError(f"{type(optimizer).__name__} has its own {name}")
    twin = object.__new__(type(optimizer))
    vars(twin).update(vars(optimizer))
    twin._trainable_variables = [stand_ins[id(v)] for v in optimizer._trainable_variables]
    twin._index = {id(v): i for i, v in enumerate(twin._trainable_variables)}
    twin._parts = [part.as_seen_by(recorder, stand_ins) for part in optimizer._parts]
    twin._watch = [(v, v.array, v._grad_slot) for v in twin._trainable_variables]
    twin._plans = {}
    twin._whole = twin._plan(range(len(twin._watch)))
    plan, before = twin._plan_of_step(), dict(vars(twin))
    spans = optimizer._plan(plan.positions).spans
    if scale is not None:
        scaled = scale.recorded_step(plan)
        if scaled is None:
            raise CaptureError("whether the step is skipped is decided on the host")
        recorder.note("do", scaled.begin, (plan.positions, spans), lasting=True)
        return scaled.change(twin, plan)
    twin._set_numbers(plan, 1, 1.0)
    if twin.use_ema:
        twin._whole.set_momentum(0.0)
    flags = np.zeros(2, np.bool_) if some else None  # an update waits, averages do not overwrite
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

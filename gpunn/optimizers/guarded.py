"""A step of which the device decides what is done: so that all steps are the same launches."""

from typing import Any, NamedTuple


class Guard(NamedTuple):
    """What a step reads on the device.

    Attributes:
        waits: whether no update is made: gradients are only added up, or nothing is to change.
        keeps: whether the averages do not overwrite the variables.
        skip: whether nothing at all is to change; None: never.
        scale: what the gradients are to be divided by; None: they have been.
        numbers: those of the rule; None: those that the plan was told.
        decays: the factors of weight decay, by rate.
        momentum: how much of the averages is kept, and what is added; None: as the plan was told.
    """

    waits: Any
    keeps: Any
    skip: Any = None
    scale: Any = None
    numbers: tuple | None = None
    decays: dict | None = None
    momentum: tuple | None = None


def change(rule, plan, guard: Guard) -> None:
    """`Optimizer._change`, with all that it may do.

    Args:
        rule: the optimizer, or what stands for it.
        plan: of the variables that have a gradient.
        guard: which parts of it count.
    """
    steps = rule.gradient_accumulation_steps
    if steps:
        plan.accumulate_by(guard, steps)
        guard = guard._replace(scale=None)
    plan.update(rule, guard)
    if steps:
        plan.clear_accumulators(guard.waits)
    if rule.use_ema:
        rule._whole.average(guard.momentum, guard.skip)
        if rule.ema_overwrite_frequency:
            rule._whole.overwrite(guard.keeps)
    plan.constrain(guard.skip)


def overwrites(rule, count: int) -> bool:
    """Whether the averages overwrite the variables in the step after `count` others."""
    every = rule.ema_overwrite_frequency
    return bool(every) and (count // (rule.gradient_accumulation_steps or 1) + 1) % every == 0

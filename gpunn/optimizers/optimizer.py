"""Optimizer: everything around an update rule, written once over flat memory.

A rule (`SGD`, `Adam`, ...) says which slots it keeps, which numbers a step needs and how they
change parameters in place. Here the gradients are collected, accumulated, clipped and handed to the
rule in stretches of flat memory; then come moving averages and constraints, in Keras' order.
"""

import warnings
from functools import partial

import numpy as np

from gpunn.autograd import Tensor, Variable
from gpunn.backend import backend_of
from gpunn.backend.dtypes import is_float
from gpunn.backend.random import frozen
from gpunn.checks import as_list
from gpunn.errors import (
    ArgumentError,
    ArgumentTypeError,
    CaptureError,
    GradientError,
    NotBuiltError,
    ShapeError,
)
from gpunn.guard import guarded
from gpunn.optimizers.flat import Part, settle
from gpunn.optimizers.guarded import overwrites
from gpunn.optimizers.update_step import UpdateStep
from gpunn.optimizers.walk import Plan


class Optimizer(UpdateStep):
    """What all optimizers share; derive from it to write one (Keras: `optimizers.Optimizer`).

    A rule sets `slot_names`, `scratch` and `hyperparameters` and writes `numbers` and `update`; or
    it is written in tensors, as in Keras, by `update_step` (then each step runs call by call).

    Args:
        learning_rate: a number, a `LearningRateSchedule`, or a function without arguments.
        weight_decay: the rate of decoupled weight decay, `w -= w * weight_decay * learning_rate`
            before each update; None for none.
        clipnorm: the gradient of each variable is scaled to at most this norm.
        clipvalue: each gradient element is clipped to [-clipvalue, clipvalue].
        global_clipnorm: all gradients together are scaled to at most this norm.
        use_ema: keep an exponential moving average of the variables, which
            `finalize_variable_values` (or `ema_overwrite_frequency`) puts in their place.
        ema_momentum: `average = ema_momentum * average + (1 - ema_momentum) * variable`.
        ema_overwrite_frequency: every that many steps the average overwrites the variables.
        loss_scale_factor: `scale_loss` multiplies the loss by it and a step divides the gradients.
        gradient_accumulation_steps: update once in that many steps, with the mean gradient.
        name: default: the class name in snake_case.

    Raises:
        ArgumentError: for a value out of range, an unknown argument, or more than one clipping.
        ArgumentTypeError: for a value of the wrong type.

    >>> class SignDescent(gpunn.optimizers.Optimizer):
    ...     def update(self, be, p, g, slots, h, scratch):
    ...         (lr,) = h
    ...         p -= lr * be.xp.sign(g)
    >>> w = gpunn.Variable([1.0, 2.0])
    >>> SignDescent(learning_rate=0.5).apply([np.array([3.0, -4.0])], [w])
    >>> w.numpy()
    array([0.5, 2.5], dtype=float32)
    """

    slot_names: tuple[str, ...] = ()
    scratch = 0  # work arrays that `update` is handed
    elementwise = True  # False: `update` gets one variable at a time, in its shape

    # --- the rule ---

    def numbers(self, t: int, lr: float) -> tuple[float, ...]:
        """The numbers that `update` needs in the update t = 1, 2, ... at learning rate lr."""
        return (lr,)

    def update(self, be, p, g, slots, h, scratch) -> None:
        """Change the parameters p and the slots in place, by the gradient g (which stays as it is).

        Args:
            be: the backend; `be.xp` is numpy or cupy.
            p, g: arrays of one shape. A vector of many variables, or one variable's if not
                `elementwise`.
            slots: an array per name of `slot_names` (None where `slot_shape` gave None).
            h: what `numbers` gave, as the backend's scalars.
            scratch: `scratch` arrays of p's shape to work in.
        """
        super().update(be, p, g, slots, h, scratch)

    def slot_shape(self, name: str, variable) -> tuple[int, ...] | None:
        """The shape of a variable's slot; None if it has no such slot."""
        return variable.shape

    def slot_initial(self, name: str) -> float:
        """The value that a slot starts with."""
        return 0.0

    def decay_rate(self, variable) -> float | None:
        """The weight decay of a variable; None for none."""
        return self.weight_decay if self.is_decayed(variable) else None

    # --- building ---

    @guarded
    def build(self, variables) -> None:
        """Lay the variables out in flat memory and make the slots.

        Args:
            variables: the `Variable`s to train. Their arrays become views of one buffer per device
                and dtype, and so do their gradients.

        Raises:
            ArgumentError: if the optimizer was built for other variables.
            ArgumentTypeError: if one of them is no float `Variable`.
        """
        variables = as_list("variables", variables, "gpunn.Variable")
        variables = list({id(v): v for v in variables}.values())
        if self.built:
            self._positions(variables)
            return
        _require_trainable(variables)
        devices = sorted({backend_of(v.array).name for v in variables})
        if self.global_clipnorm is not None and len(devices) > 1:
            raise ArgumentError(
                f"global_clipnorm needs all variables on one device, they are on {devices}"
            )
        self._trainable_variables = variables
        self._index = {id(v): i for i, v in enumerate(variables)}
        self._lay_out()
        self._pending = set()  # positions whose gradients the accumulators hold
        self.built = True

    def _lay_out(self) -> None:
        """Parts, plans and what a step watches, for where the variables are now."""
        settle(self._trainable_variables)
        by_flat = {}
        for v in self._trainable_variables:
            by_flat.setdefault(id(v._home.flat.params), []).append(v)
        slots: list = [
            (n, partial(self.slot_shape, n), self.slot_initial(n)) for n in self.slot_names
        ]
        slots += [(n, shape_of, 0.0) for n in self._common_slots()]
        self._parts = [Part(group, slots) for group in by_flat.values()]
        self._watch = [(v, v.array, v._grad_slot) for v in self._trainable_variables]
        self._plans = {}
        self._whole = self._plan(range(len(self._trainable_variables)))
        self._views = None

    def _common_slots(self) -> list[str]:
        names = ["average"] if self.use_ema else []
        return names + (["gradient_accumulator"] if self.gradient_accumulation_steps else [])

    def _plan(self, positions) -> Plan:
        """How to walk through the memory of the variables at these positions; made once."""
        key = tuple(positions)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= 64:
                self._plans.clear()
            plan = self._plans[key] = Plan(self, [self._trainable_variables[i] for i in key])
        return plan

    def _positions(self, variables) -> list[int]:
        missing = [v for v in variables if id(v) not in self._index]
        if missing:
            names = ", ".join(repr(getattr(v, "path", v)) for v in missing)
            raise ArgumentError(
                f"this {type(self).__name__} was built for {len(self._index)} variables, which do "
                f"not include {names}: make a new optimizer for a new set of variables "
                "(a model: compile() it again)"
            )
        return [self._index[id(v)] for v in variables]

    # --- stepping ---

    def step(self) -> None:
        """Update the variables by their `.grad`, in place, and clear it.

        Variables that are frozen (`trainable=False`) or have no gradient stay as they are.

        Raises:
            NotBuiltError: before `build`.
            GradientError: if no variable has a gradient.
        """
        if not self.built:
            raise NotBuiltError(
                f"step() of a {type(self).__name__} that was not built: "
                "call optimizer.build(model.trainable_variables) first"
            )
        self._advance(self._plan_of_step())
        for v, _, _ in self._watch:
            v._grad = None

    def _plan_of_step(self) -> Plan:
        """The plan of the variables that have a gradient, which is in its slot."""
        for v, array, slot in self._watch:
            if v._grad is not slot or v.array is not array or not v.requires_grad:
                return self._collect()
        return self._whole

    def zero_grad(self) -> None:
        """Forget the gradients; after `step` there are none, so few loops need it."""
        for v in self._trainable_variables if self.built else ():
            v._grad = None

    @guarded
    def apply_gradients(self, grads_and_vars):
        """Update by pairs `(gradient, variable)`; the first call builds. Returns `iterations`."""
        pairs = as_list("grads_and_vars", grads_and_vars, "pairs (gradient, variable)")
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._iterations

    @guarded
    def apply(self, grads, trainable_variables=None) -> None:
        """Update variables by gradients (Keras: `Optimizer.apply`).

        The variables' own `.grad` is used up: it is None afterwards.

        Args:
            grads: a gradient (tensor or array) per variable, of its shape; None leaves it as it is.
            trainable_variables: default: those the optimizer was built for.

        Raises:
            NotBuiltError: without variables, before `build`.
            ArgumentError: if the numbers differ, all gradients are None, or a variable is unknown.
            ShapeError: if a gradient has another shape than its variable. Nothing is changed.
        """
        grads = as_list("grads", grads, "gradients")
        if not grads:
            return
        plan, variables = self._given(grads, trainable_variables)
        self._advance(plan)
        for v in variables:
            v._grad = None

    def _given(self, grads: list, trainable_variables) -> tuple[Plan, list]:
        """The plan of an update by these gradients, brought into their slots; the variables."""
        if trainable_variables is None:
            if not self.built:
                raise NotBuiltError(
                    "apply(grads) without variables needs a built optimizer: "
                    "call optimizer.build(variables) first, or pass the variables"
                )
            variables = self._trainable_variables
        else:
            variables = as_list("trainable_variables", trainable_variables, "gpunn.Variable")
        if len(grads) != len(variables):
            raise ArgumentError(f"got {len(grads)} gradients for {len(variables)} variables")
        if not self.built:
            _require_trainable(variables)
        if len({id(v) for v in variables}) != len(variables):
            raise ArgumentError("a variable is named twice: add its gradients up first")
        missing = [v.path for g, v in zip(grads, variables, strict=True) if g is None]
        if len(missing) == len(grads):
            raise ArgumentError(f"no gradient was given for any of {missing}")
        arrays = [g.array if isinstance(g, Tensor) else g for g in grads]
        for a, v in zip(arrays, variables, strict=True):
            if a is not None and np.shape(a) != v.shape:
                raise ShapeError(
                    f"variable {v.path!r} has shape {v.shape}, its gradient {np.shape(a)}"
                )
        if not self.built:
            self.build(variables)
        chosen = [
            i for i, a in zip(self._positions(variables), arrays, strict=True) if a is not None
        ]
        if missing:
            warnings.warn(f"no gradients for variables {missing}: they stay", stacklevel=3)
        self._follow_moves()
        for a, v in zip(arrays, variables, strict=True):
            if a is not None and a is not v._grad_slot:
                be = backend_of(v._grad_slot)
                be.copyto(v._grad_slot, be.asarray(a, v.dtype))
        return self._plan(sorted(chosen)), variables

    def _collect(self) -> Plan:
        """The plan of those variables that have a gradient, which is brought into its slot."""
        self._follow_moves()
        chosen = []
        for i, (v, _, slot) in enumerate(self._watch):
            if v._grad is None or not v.requires_grad:
                continue
            if v._grad is not slot:
                backend_of(slot).copyto(slot, v._grad)
            chosen.append(i)
        if not chosen:
            raise GradientError(
                "step() found no gradient: call loss.backward() first, on a loss computed of "
                "trainable variables of this optimizer"
            )
        return self._plan(chosen)

    def _follow_moves(self) -> None:
        """Lay out anew if variables were moved to another device; their slots go along."""
        if any(v.array is not array for v, array, _ in self._watch):
            kept = self._slot_arrays()
            self._move_added()
            self._lay_out()
            self._restore_slots(kept)

    def _advance(self, plan: Plan) -> None:
        """One step: its numbers are set, memory is changed by them, and it is counted."""
        if frozen.get():  # its variables are real ones, and their values are not there
            raise CaptureError(f"a {type(self).__name__} that the model does not hold takes a step")
        count = self._iterations.array.item()
        steps = self.gradient_accumulation_steps or 1
        updates = count // steps
        active: Plan | None = plan
        if self.gradient_accumulation_steps:
            active = self._with_pending(plan, is_due=(count + 1) % steps == 0)
        if active is not None:
            self._set_numbers(active, updates + 1, self._rate_at(count))
        if self.use_ema:
            self._whole.set_momentum(self.ema_momentum if updates else 0.0)
        self._change(plan, active, overwrites(self, count))
        self._iterations.array[()] = count + 1

    def _with_pending(self, plan: Plan, is_due: bool) -> Plan | None:
        """The plan of an update by all accumulated gradients, if one is due."""
        self._pending.update(plan.positions)
        if not is_due:
            return None
        active = self._plan(sorted(self._pending))
        self._pending = set()
        return active

    def _set_numbers(self, plan: Plan, t: int, lr: float) -> None:
        """Say what numbers update t is made with."""
        plan.set_numbers(self.numbers(t, lr), lr)

    def _change(self, plan: Plan, active: Plan | None, overwrite: bool = False) -> None:
        """Update, or accumulate; then averages and constraints.

        Args:
            plan: of the variables that have a gradient.
            active: of those that are updated; None if gradients are accumulated only.
            overwrite: whether the averages overwrite the variables.
        """
        steps = self.gradient_accumulation_steps
        if self.loss_scale_factor is not None:
            plan.unscale(self.loss_scale_factor)
        if steps:
            plan.accumulate()
        if active is not None:
            if steps:
                active.divide_accumulators(steps)
            active.update(self)
            if steps:
                for part in self._parts:
                    part.buffers["gradient_accumulator"].fill(0)
        if self.use_ema:
            self._whole.average()
            if overwrite:
                self._whole.overwrite()
        plan.constrain()

    def finalize_variable_values(self, var_list=None) -> None:
        """With `use_ema`, put the moving averages in the variables' place (end of training)."""
        if self.use_ema and self.built:
            plan = self._whole if var_list is None else self._plan(self._positions(list(var_list)))
            plan.overwrite()

    def scale_loss(self, loss):
        """The loss times `loss_scale_factor`, if there is one; a step divides it out again."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor


def shape_of(variable) -> tuple[int, ...]:
    """The variable's shape, which is that of most slots."""
    return variable.shape


def _require_trainable(variables) -> None:
    for v in variables:
        if not isinstance(v, Variable):
            raise ArgumentTypeError(
                f"optimizers train gpunn.Variable, got a {type(v).__name__}: "
                "make it one with gpunn.Variable(values)"
            )
        if not is_float(v.array.dtype):
            raise ArgumentTypeError(
                f"variable {v.path!r} has dtype {v.dtype.name}: only floats can be trained"
            )

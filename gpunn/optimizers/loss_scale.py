"""LossScaleOptimizer: gradients of half floats that neither vanish nor overflow."""

import numpy as np

from gpunn.autograd import Variable, primitive
from gpunn.backend import backend_of
from gpunn.checks import check_integer, check_number
from gpunn.errors import ArgumentError, ArgumentTypeError, SerializationError, unknown
from gpunn.optimizers.optimizer import Optimizer
from gpunn.optimizers.scaled_step import ScaledStep, takes
from gpunn.optimizers.settings import COMMON
from gpunn.optimizers.stateless import stateless_apply
from gpunn.serialization import deserialize_value, serialize_value

OWN = ("step_counter", "dynamic_scale")

# what Keras' older configs say, to no effect
OLD_FILES = {**dict.fromkeys(COMMON), "use_ema": False, "ema_momentum": 0.99, "dynamic": True}


@primitive(promote="same")
def scaled_loss(be, loss, scale, /):
    """The loss times its scale, which is the gradient of it that a step begins with."""

    def pullback(dy, needs):
        begins = dy is be.one(dy.shape, dy.dtype) and dy.shape == scale.shape
        return scale if begins else dy * scale, dy * loss if needs[1] else None

    return loss * scale, pullback


class LossScaleOptimizer(Optimizer):
    """Scale the loss, so that small gradients are not 0 in float16, and find the scale by itself.

    A step divides the gradients by the scale and hands them to the inner optimizer. If one of them
    is Inf or NaN, nothing is updated and the scale is halved; after `dynamic_growth_steps` steps
    in a row without it is doubled. `compile` wraps the optimizer of a "mixed_float16" model so.

    On a GPU the device decides: the host reads nothing in a step, and finds out how many updates
    there were when somebody asks for `iterations`, `learning_rate`, `skipped_steps` or the state.

    Args:
        inner_optimizer: the optimizer to wrap; settings such as clipping are its own.
        initial_scale: the first scale. Default: 2**15.
        dynamic_growth_steps: steps without Inf or NaN until the scale is doubled. Default: 2000.
        name: default: "loss_scale_optimizer".

    Raises:
        ArgumentError: for a value out of range, or a setting that belongs to the inner optimizer.
        ArgumentTypeError: if the inner optimizer is none.

    Source: keras.optimizers.LossScaleOptimizer.

    >>> w = gpunn.Variable([1.0])
    >>> optimizer = gpunn.optimizers.LossScaleOptimizer(gpunn.optimizers.SGD(0.5), initial_scale=8)
    >>> optimizer.apply([np.array([16.0])], [w])
    >>> optimizer.apply([np.array([np.inf])], [w])
    >>> w.numpy(), optimizer.dynamic_scale.item()
    (array([0.], dtype=float32), 4.0)
    """

    def __init__(
        self,
        inner_optimizer,
        initial_scale=2.0**15,
        dynamic_growth_steps=2000,
        name=None,
        **settings,
    ):
        if not isinstance(inner_optimizer, Optimizer):
            raise ArgumentTypeError(
                f"inner_optimizer must be an optimizer, got {inner_optimizer!r}"
            )
        for setting, value in settings.items():
            if value == OLD_FILES.get(setting, ...):
                continue
            if setting in COMMON:
                raise ArgumentError(f"{setting} is a setting of the inner optimizer: set it there")
            known = ("initial_scale", "dynamic_growth_steps", "name")
            raise unknown("argument of LossScaleOptimizer", setting, known)
        check_number("initial_scale", initial_scale, above=0)
        check_integer("dynamic_growth_steps", dynamic_growth_steps, 1)
        super().__init__(0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        self.step_counter = Variable(
            np.int32(0), trainable=False, name="step_counter", device="cpu"
        )
        self.dynamic_scale = Variable(
            initial_scale, dtype="float32", trainable=False, name="dynamic_scale", device="cpu"
        )
        self._scaled: ScaledStep | None = None  # on a GPU, what does the steps
        self._skipped = 0  # steps, before those of `_scaled`
        inner_optimizer.loss_scale_factor = None  # gradients would be divided twice

    def build(self, variables) -> None:
        """Build the inner optimizer for these variables."""
        self.inner_optimizer.build(variables)
        self.built = True

    # --- stepping ---

    def scale_loss(self, loss):
        """The loss times the scale; a step divides it out again."""
        device = getattr(loss, "device", self.dynamic_scale.device)  # a number has none
        if self.dynamic_scale.device != device:
            self._leave_device()
            self.dynamic_scale.move(device)
            self.step_counter.move(device)
        return scaled_loss(loss, self.dynamic_scale)

    def step(self) -> None:
        """Update the variables by their `.grad`, unless one is Inf or NaN; clear it in any case.

        Raises:
            NotBuiltError: before `build`.
            GradientError: if no variable has a gradient.
        """
        inner = self.inner_optimizer
        if not self.built:
            return inner.step()  # which says so
        self._advance(inner._plan_of_step())
        inner.zero_grad()

    def apply(self, grads, trainable_variables=None) -> None:
        """Update variables by gradients of the scaled loss, unless one is Inf or NaN.

        Args:
            grads: a gradient (tensor or array) per variable, of its shape; None leaves it as it is.
            trainable_variables: default: those the optimizer was built for.

        Raises:
            As `Optimizer.apply`; nothing is changed then.
        """
        grads = list(grads)
        if not grads:
            return
        plan, variables = self.inner_optimizer._given(grads, trainable_variables)
        self.built = True
        self._advance(plan)
        for v in variables:
            v._grad = None

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        """As `Optimizer.stateless_apply`, with gradients of the scaled loss."""
        self._leave_device()  # which would go on counting
        skipped, trained = self._skipped, self.inner_optimizer._trainable_variables
        try:
            return stateless_apply(self, trained, optimizer_variables, grads, trainable_variables)
        finally:
            self._leave_device()
            self._skipped = skipped

    def _all_pending(self) -> None:
        self.inner_optimizer._all_pending()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.inner_optimizer.zero_grad()

    def _on_device(self, plan) -> ScaledStep | None:
        """What does the step of a plan without the host, on a GPU; None where the host decides."""
        inner = self.inner_optimizer
        if not takes(inner, plan):
            self._leave_device()
        elif self._scaled is None or self._scaled.be is not inner._parts[0].be:
            self._leave_device()
            self._scaled = ScaledStep(
                inner, self.dynamic_growth_steps, self.dynamic_scale, self.step_counter
            )
        return self._scaled

    def _advance(self, plan) -> None:
        """A step by the gradients of a plan, which are in their slots."""
        scaled = self._on_device(plan)
        if scaled is not None:
            scaled.step(plan)
        elif self._finite(plan):
            for walk in plan.walks:
                for stretch in walk.stretches:
                    stretch.own_grads /= self._scale_beside(stretch.own_grads)
            self.inner_optimizer._advance(plan)
            self._grow()
        else:
            self.step_counter.assign(0)
            self.dynamic_scale.assign(self.dynamic_scale * 0.5)
            self._skipped += 1

    def _scale_beside(self, array):
        """The scale on the device of an array."""
        return backend_of(array).asarray(self.dynamic_scale.array, array.dtype)

    def _finite(self, plan) -> bool:
        """Whether no gradient of a plan is Inf or NaN; one read per device."""
        flags = {}
        for walk in plan.walks:
            for stretch in walk.stretches:
                finite = walk.xp.isfinite(stretch.own_grads).all()
                flags[walk.be] = finite & flags.get(walk.be, True)
        return all(bool(flag) for flag in flags.values())

    def _grow(self) -> None:
        """Count a step that was done; after enough of them the scale is doubled."""
        count = (self.step_counter.item() + 1) % self.dynamic_growth_steps
        self.step_counter.assign(count)
        if not count:
            self.dynamic_scale.assign(self.dynamic_scale * 2.0)

    def recorded_step(self, plan) -> ScaledStep | None:
        """What did steps without the host so far, if it takes that of a plan as well."""
        scaled = self._scaled
        return scaled if scaled is not None and takes(self.inner_optimizer, plan) else None

    def _settle(self) -> None:
        """Read what only the device knows: how many steps were updates."""
        if self._scaled is not None:
            self._scaled.settle()

    def _leave_device(self) -> None:
        """From here on the host decides."""
        self._skipped, left = self.skipped_steps, self._scaled
        self._scaled = None
        if left is not None:
            left.end()

    @property
    def skipped_steps(self) -> int:
        """How many steps changed nothing, for a gradient was Inf or NaN; reads the device."""
        self._settle()
        return self._skipped + (0 if self._scaled is None else self._scaled.skipped)

    # --- what is the inner optimizer's ---

    @property
    def learning_rate(self):
        """The inner optimizer's."""
        self._settle()
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value) -> None:
        self._settle()
        self.inner_optimizer.learning_rate = value

    @property
    def iterations(self):
        """How many updates the inner optimizer made; reads the device."""
        self._settle()
        return self.inner_optimizer.iterations

    def finalize_variable_values(self, var_list=None) -> None:
        """As the inner optimizer does."""
        self.inner_optimizer.finalize_variable_values(var_list)

    # --- state and config ---

    @property
    def variables(self) -> list[Variable]:
        """The step counter and the scale, then the inner optimizer's variables."""
        self._settle()
        return [self.step_counter, self.dynamic_scale, *self.inner_optimizer.variables]

    def state_dict(self, name_of=None) -> dict[str, np.ndarray]:
        """The inner optimizer's state, with "step_counter" and "dynamic_scale"."""
        self._settle()
        own = {name: getattr(self, name).numpy() for name in OWN}
        return own | self.inner_optimizer.state_dict(name_of)

    def load_state_dict(self, state: dict, name_of=None) -> None:
        """Restore a state that `state_dict` gave; raises as `Optimizer.load_state_dict`."""
        missing = [name for name in OWN if name not in state]
        if missing:
            raise SerializationError(
                f"the state is not one of a LossScaleOptimizer, without {', '.join(missing)}; "
                "nothing was changed"
            )
        inner = {name: array for name, array in state.items() if name not in OWN}
        self.inner_optimizer.load_state_dict(inner, name_of)
        for name in OWN:
            getattr(self, name).assign(state[name])

    def get_config(self) -> dict:
        """The arguments that make an optimizer like this one, without its state."""
        return {
            "name": self.name,
            "inner_optimizer": serialize_value(self.inner_optimizer, "inner_optimizer"),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None):
        """An optimizer of a config that `get_config` made."""
        inner = deserialize_value(config["inner_optimizer"], custom_objects)
        return cls(**{**config, "inner_optimizer": inner})

    def __getstate__(self) -> dict:
        return {**vars(self), "_skipped": self.skipped_steps, "_scaled": None}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)

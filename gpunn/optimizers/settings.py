"""Settings: the arguments that all optimizers share, checked, and the learning rate."""

import re
import warnings

import numpy as np

from gpunn.autograd import Tensor, Variable
from gpunn.backend import floatx
from gpunn.checks import check_flag, check_integer, check_number
from gpunn.errors import ArgumentError, ArgumentTypeError, unknown
from gpunn.optimizers.schedules import LearningRateSchedule, deserialize, serialize
from gpunn.serialization import snake_case

COMMON = (
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)


class Settings:
    """The part of an optimizer that knows its arguments (see `Optimizer`)."""

    hyperparameters: tuple[str, ...] = ()  # what get_config adds: attributes named as arguments

    def __init__(
        self,
        learning_rate,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        use_ema=False,
        ema_momentum=0.99,
        ema_overwrite_frequency=None,
        loss_scale_factor=None,
        gradient_accumulation_steps=None,
        name=None,
        **unrecognized,
    ):
        if unrecognized.pop("decay", None) is not None:
            warnings.warn("the argument `decay` is not supported and is ignored", stacklevel=3)
        for argument in unrecognized:
            raise unknown(f"argument of {type(self).__name__}", argument, self._argument_names())
        clips = {
            "clipnorm": clipnorm,
            "clipvalue": clipvalue,
            "global_clipnorm": global_clipnorm,
        }
        for argument, value in clips.items():
            if value is not None:
                check_number(argument, value, above=0)
        if sum(value is not None for value in clips.values()) > 1:
            raise ArgumentError(f"only one of clipnorm, clipvalue and global_clipnorm, got {clips}")
        if weight_decay is not None:
            check_number("weight_decay", weight_decay, low=0)
        if loss_scale_factor is not None:
            check_number("loss_scale_factor", loss_scale_factor, above=0)
        check_flag("use_ema", use_ema)
        if use_ema:
            check_number("ema_momentum", ema_momentum, low=0, high=1)
        if ema_overwrite_frequency is not None:
            check_integer("ema_overwrite_frequency", ema_overwrite_frequency, 1)
        if gradient_accumulation_steps is not None:
            check_integer("gradient_accumulation_steps", gradient_accumulation_steps, 2)
        self.name = name or snake_case(type(self).__name__)
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = bool(use_ema)
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.built = False
        self._iterations = Variable(
            np.int64(0), dtype="int64", trainable=False, name="iteration", device="cpu"
        )
        self._learning_rate = self._as_rate(learning_rate)
        self._undecayed_ids = set()
        self._undecayed_pattern = None

    # --- the learning rate ---

    @property
    def iterations(self):
        """How many updates were made: an int64 `Variable` (with accumulation, a tensor)."""
        if self.gradient_accumulation_steps:
            return Tensor(self._iterations.array // self.gradient_accumulation_steps, device="cpu")
        return self._iterations

    @property
    def learning_rate(self):
        """The learning rate of the next step: a `Variable`, or a tensor if it is scheduled."""
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        return Tensor(self._rate_at(self._iterations.array.item()), dtype=floatx(), device="cpu")

    @learning_rate.setter
    def learning_rate(self, value) -> None:
        scheduled = isinstance(self._learning_rate, LearningRateSchedule)
        if scheduled and not callable(value):
            raise ArgumentTypeError(
                f"this optimizer's learning rate follows a {type(self._learning_rate).__name__}: "
                "it cannot be set; make the optimizer with a number to set it later"
            )
        rate = self._as_rate(value)
        if isinstance(rate, Variable) and isinstance(self._learning_rate, Variable):
            self._learning_rate.assign(rate)
        else:
            self._learning_rate = rate

    def _as_rate(self, value):
        if isinstance(value, dict):
            return deserialize(value)
        if isinstance(value, Tensor):
            value = value.item()
        if callable(value):
            return value
        check_number("learning_rate", value, low=0)
        return Variable(
            float(value), dtype=floatx(), trainable=False, name="learning_rate", device="cpu"
        )

    def _rate_at(self, count: int) -> float:
        rate = self._learning_rate
        if type(rate) is Variable:
            return rate.array.item()
        return float(rate(count) if isinstance(rate, LearningRateSchedule) else rate())

    # --- weight decay ---

    def exclude_from_weight_decay(self, var_list=None, var_names=None) -> None:
        """Exclude variables from weight decay; call it before `build`.

        Args:
            var_list: variables.
            var_names: words; a variable whose name contains one (as a regular expression) is out.

        Raises:
            ArgumentError: after `build`.
        """
        if self.built:
            raise ArgumentError("exclude_from_weight_decay() must come before build()")
        self._undecayed_ids = {id(v) for v in var_list or ()}
        self._undecayed_pattern = (
            re.compile("|".join(sorted(set(var_names)))) if var_names else None
        )

    def is_decayed(self, variable) -> bool:
        """Whether a variable was not excluded from weight decay."""
        words = self._undecayed_pattern
        return id(variable) not in self._undecayed_ids and not (
            words and words.search(variable.name)
        )

    # --- configuration ---

    def get_config(self) -> dict:
        """The arguments that make an optimizer like this one, without its state."""
        rate = self._learning_rate
        if isinstance(rate, Variable):
            rate = float(str(rate.array[()]))  # 0.001, not the nearest float32 written in full
        elif isinstance(rate, LearningRateSchedule):
            rate = serialize(rate)
        config = {"name": self.name, "learning_rate": rate}
        for name in (*COMMON, *self.hyperparameters):
            config[name] = getattr(self, name)
        return config

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None):
        """An optimizer of a config that `get_config` made."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = deserialize(config["learning_rate"], custom_objects)
        return cls(**config)

    def _argument_names(self):
        return ("name", "learning_rate", *COMMON, *self.hyperparameters)

    def __repr__(self) -> str:
        changed = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items() if v is not None)
        return f"{type(self).__name__}({changed})"

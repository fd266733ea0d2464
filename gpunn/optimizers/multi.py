"""MultiOptimizer: several optimizers in one, each for variables of its own."""

import re
from collections.abc import MutableMapping
from itertools import chain

from gpunn.checks import as_list
from gpunn.errors import ArgumentError, ArgumentTypeError, GradientError, MissingAttributeError
from gpunn.optimizers.loss_scale import LossScaleOptimizer
from gpunn.optimizers.optimizer import Optimizer
from gpunn.serialization import deserialize_value, serialize_value


class OptimizerMap(MutableMapping):
    """Which optimizer trains a variable, by the variable's path: a dict for `MultiOptimizer`.

    Args:
        default_optimizer: that of variables whose path nothing fits.
        optimizer_map: a dict from a path, or a regular expression that fits whole paths, to an
            optimizer. A path is the layer's name and the variable's: "dense/kernel".

    Raises:
        ArgumentTypeError: if an optimizer is none.
        ArgumentError: if a key is there twice or is no regular expression, or, when looked up,
            several fit a path.

    Source: keras.optimizers.OptimizerMap.

    >>> sgd, adam = gpunn.optimizers.SGD(), gpunn.optimizers.Adam()
    >>> which = gpunn.optimizers.OptimizerMap(sgd, {"head/.*": adam})
    >>> which["head/kernel"].name, which["dense/kernel"].name
    ('adam', 'sgd')
    """

    def __init__(self, default_optimizer, optimizer_map=None):
        _require_optimizer(default_optimizer)
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise ArgumentTypeError(f"optimizer_map must be a dict, got {optimizer_map!r}")
        self.default_optimizer = default_optimizer
        self._by_path: dict = {}
        for path, optimizer in (optimizer_map or {}).items():
            self[path] = optimizer

    def __getitem__(self, path):
        if path in self._by_path:
            return self._by_path[path]
        fits = [pattern for pattern in self._by_path if re.fullmatch(pattern, path)]
        if len(fits) > 1:
            raise ArgumentError(f"several optimizers fit {path!r}: those of {', '.join(fits)}")
        return self._by_path[fits[0]] if fits else self.default_optimizer

    def __setitem__(self, path, optimizer):
        if path in self._by_path:
            raise ArgumentError(f"{path!r} has an optimizer already: {self._by_path[path]!r}")
        if not isinstance(path, str):
            raise ArgumentTypeError(f"a path is a string, got {path!r}")
        try:
            re.compile(path)
        except re.error as e:
            raise ArgumentError(f"{path!r} is no regular expression: {e}") from None
        _require_optimizer(optimizer)
        self._by_path[path] = optimizer

    def __delitem__(self, path):
        del self._by_path[path]

    def __iter__(self):
        return iter(self._by_path)

    def __len__(self):
        return len(self._by_path)

    def __call__(self, variable):
        return self[variable.path]


class MultiOptimizer(Optimizer):
    """An optimizer that leaves each variable to one of several others.

    Args:
        optimizer_map: an `OptimizerMap`, or a function from a variable to its optimizer (it must
            give the same object for all variables of one optimizer).
        loss_scale_factor: as for `Optimizer`; it takes the place of theirs.
        name: default: "multi_optimizer".

    It has no learning rate: each of `optimizers` has its own, which callbacks change one by one.

    Raises:
        ArgumentTypeError: if an optimizer is none, or one that holds others.

    Source: keras.optimizers.MultiOptimizer.

    >>> optimizers = gpunn.optimizers
    >>> slow, fast = optimizers.SGD(0.1), optimizers.SGD(1.0)
    >>> optimizer = optimizers.MultiOptimizer(optimizers.OptimizerMap(slow, {"head/.*": fast}))
    >>> body, head = gpunn.Variable([1.0]), gpunn.Variable([1.0])
    >>> head.path = "head/kernel"
    >>> optimizer.apply([np.ones(1), np.ones(1)], [body, head])
    >>> body.numpy(), head.numpy()
    (array([0.9], dtype=float32), array([0.], dtype=float32))
    """

    def __init__(self, optimizer_map, loss_scale_factor=None, name=None):
        if not callable(optimizer_map):
            raise ArgumentTypeError(
                f"optimizer_map must be an OptimizerMap or a function, got {optimizer_map!r}"
            )
        self.optimizers: list[Optimizer] = []
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_map = optimizer_map
        if isinstance(optimizer_map, OptimizerMap):
            for optimizer in (*optimizer_map.values(), optimizer_map.default_optimizer):
                self._number_of(optimizer)

    def _number_of(self, optimizer) -> int:
        """Its position among the optimizers, of which it becomes one."""
        _require_optimizer(optimizer)
        for number, known in enumerate(self.optimizers):
            if known is optimizer:
                return number
        optimizer.loss_scale_factor = self.loss_scale_factor
        self.optimizers.append(optimizer)
        return len(self.optimizers) - 1

    def build(self, variables) -> None:
        """Build each optimizer for its variables."""
        variables = as_list("variables", variables, "gpunn.Variable")
        variables = list({id(v): v for v in variables}.values())
        if self.built:
            self._positions(variables)
            return
        numbers = [self._number_of(self._optimizer_map(v)) for v in variables]
        for number, optimizer in enumerate(self.optimizers):
            mine = [v for v, n in zip(variables, numbers, strict=True) if n == number]
            if mine:
                optimizer.build(mine)
        self._trainable_variables, self._numbers = variables, numbers
        self._index = {id(v): i for i, v in enumerate(variables)}
        self.built = True

    # --- stepping: a step is one of each optimizer ---

    def _built(self) -> list[Optimizer]:
        return [optimizer for optimizer in self.optimizers if optimizer.built]

    @property
    def _watch(self):
        return [*chain.from_iterable(optimizer._watch for optimizer in self._built())]

    def _plan_of_step(self):
        parts = []
        for optimizer in self._built():
            try:
                parts.append((optimizer, optimizer._plan_of_step()))
            except GradientError as e:  # none for its variables
                error = e
        if not parts:
            raise error
        return _Together(parts)

    def _given(self, grads, trainable_variables):
        if trainable_variables is None and self.built:
            trainable_variables = self._trainable_variables
        variables = None if trainable_variables is None else list(trainable_variables)
        if variables is None or len(grads) != len(variables):
            return super()._given(grads, variables)  # which says what is wrong
        self.build(variables) if not self.built else self._positions(variables)
        parts = []
        for number, optimizer in enumerate(self.optimizers):
            pairs = zip(grads, variables, strict=True)
            mine = [(g, v) for g, v in pairs if self._numbers[self._index[id(v)]] == number]
            if any(g is not None for g, _ in mine):
                plan, _ = optimizer._given([g for g, _ in mine], [v for _, v in mine])
                parts.append((optimizer, plan))
        if not parts:
            raise ArgumentError("no gradient was given for any of the variables")
        return _Together(parts), variables

    def _advance(self, plan) -> None:
        for optimizer, own in plan.parts:
            optimizer._advance(own)
        self._iterations.array[()] += 1

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def finalize_variable_values(self, var_list=None) -> None:
        """As each optimizer does with its own variables."""
        for optimizer in self._built():
            mine = None
            if var_list is not None:
                mine = [v for v in var_list if id(v) in optimizer._index]
            optimizer.finalize_variable_values(mine)

    def _all_pending(self) -> None:
        for optimizer in self._built():
            optimizer._all_pending()

    # --- settings ---

    @property
    def use_ema(self) -> bool:
        """Whether one of the optimizers keeps averages."""
        return any(optimizer.use_ema for optimizer in self.optimizers)

    @use_ema.setter
    def use_ema(self, value) -> None:
        """It is a setting of each."""

    @property
    def loss_scale_factor(self):
        """What losses are multiplied by, and the gradients of all optimizers divided by."""
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value) -> None:
        self._loss_scale_factor = value
        for optimizer in self.optimizers:
            optimizer.loss_scale_factor = value

    @property
    def learning_rate(self):
        """There is none.

        Raises:
            MissingAttributeError: always.
        """
        raise MissingAttributeError(
            "a MultiOptimizer has no learning_rate: each of its `optimizers` has one"
        )

    @learning_rate.setter
    def learning_rate(self, value) -> None:
        raise MissingAttributeError(
            "a MultiOptimizer has no learning_rate: set that of each of its `optimizers`"
        )

    # --- state and config ---

    @property
    def variables(self) -> list:
        """The iteration, then each optimizer's variables."""
        self._iterations.path = f"{self.name}/iteration"
        return [self._iterations, *chain.from_iterable(o.variables for o in self.optimizers)]

    def state_dict(self, name_of=None) -> dict:
        """The optimizers' states, each under its number."""
        state = {"iterations": self._iterations.array.copy()}
        for number, optimizer in enumerate(self.optimizers):
            own = optimizer.state_dict(name_of)
            state |= {f"{number}/{name}": value for name, value in own.items()}
        return state

    def _restore(self, state: dict, name_of=None) -> None:
        for number, optimizer in enumerate(self.optimizers):
            start = f"{number}/"
            mine = {n.removeprefix(start): x for n, x in state.items() if n.startswith(start)}
            optimizer._restore(mine, name_of)
        self._iterations.assign(state["iterations"])

    def get_config(self) -> dict:
        """The arguments that make an optimizer like this one, without its state."""
        which = self._optimizer_map
        if isinstance(which, OptimizerMap):
            default = self._number_of(which.default_optimizer)
            config = {
                "optimizers": [serialize_value(o, "optimizers") for o in self.optimizers],
                "default": default,
                "paths": {path: self._number_of(o) for path, o in which._by_path.items()},
            }
        else:
            config = {"function": serialize_value(which, "optimizer_map")}
        return {
            "name": self.name,
            "optimizer_map": config,
            "loss_scale_factor": self.loss_scale_factor,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None):
        """An optimizer of a config that `get_config` made."""
        which = config["optimizer_map"]
        if "function" in which:
            made = deserialize_value(which["function"], custom_objects)
        else:
            of = [deserialize_value(o, custom_objects) for o in which["optimizers"]]
            made = OptimizerMap(
                of[which["default"]], {path: of[number] for path, number in which["paths"].items()}
            )
        return cls(**{**config, "optimizer_map": made})

    def __getstate__(self) -> dict:
        return {name: value for name, value in vars(self).items() if name != "_index"}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        if self.built:
            self._index = {id(v): i for i, v in enumerate(self._trainable_variables)}


class _Together:
    """The plans of a step: of each optimizer one."""

    def __init__(self, parts):
        self.parts = parts

    @property
    def walks(self):
        return [*chain.from_iterable(plan.walks for _, plan in self.parts)]


def _require_optimizer(optimizer) -> None:
    if not isinstance(optimizer, Optimizer):
        raise ArgumentTypeError(f"expected an optimizer, got {optimizer!r}")
    if isinstance(optimizer, LossScaleOptimizer | MultiOptimizer):
        raise ArgumentTypeError(
            f"expected an optimizer that holds no others, got a {type(optimizer).__name__}"
        )

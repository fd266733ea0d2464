"""Watch: whether what a plan was made of is still what it was."""

from collections.abc import Iterator
from enum import Enum
from operator import itemgetter

import numpy as np

from gpunn.metrics import Metric
from gpunn.origin import from_gpunn
from gpunn.training.compiled_metrics import CompiledMetrics

# What steps and the loop around them set all the time, and no step depends on.
PASSING = {
    # of models, layers and metrics
    "last_batch", "history", "stop_training", "stop_evaluating", "stop_predicting",
    "_shuffle_stream", "_interrupted", "_kept_sources", "_keeps_sources",
    "_held_metrics", "_last_call", "_losses_of", "_added_losses", "_captured",
    "_captured_test", "_captured_predict", "_be",
    # of optimizers: the numbers of a step are asked of the optimizer itself
    "_plans", "_views", "_pending", "_product", "_learning_rate",
}  # fmt: skip


class Watch:
    """Variables and objects as they are now.

    Args:
        variables: their memory and `trainable` are watched, not their values.
        objects: their attributes are watched.
        contents: what code that is not gpunn's reads beside them.
    """

    def __init__(self, variables, objects, contents=None):
        self._places: list[tuple] = []
        self._held: list[tuple] = []
        self.also(variables)
        self._objects = [_Watched(o) for o in objects]
        self._contents = contents

    def also(self, variables, tensors=()) -> None:
        """Watch more variables, and the memory of tensors."""
        self._places += [(v, v.array, v._grad_slot, v.requires_grad) for v in variables]
        self._held += [(x, x.array) for x in tensors]

    def unchanged(self) -> bool:
        """Whether all is what it was."""
        for v, array, slot, trained in self._places:
            if v.array is not array or v._grad_slot is not slot or v.requires_grad is not trained:
                return False
        for x, array in self._held:
            if x.array is not array:
                return False
        for watched in self._objects:
            if not watched.unchanged():
                return False
        return self._contents is None or self._contents.changed() is None


class _Watched:
    """The attributes of an object, to be compared with what they were."""

    def __init__(self, of):
        self._now = vars(of)
        names = [n for n in self._now if n not in PASSING]
        self._names, self._size = set(names), len(self._now)
        self._get = itemgetter(*names) if names else lambda attributes: None
        values = self._get(self._now)
        self._then = tuple(map(_copied, values)) if len(names) > 1 else _copied(values)

    def unchanged(self) -> bool:
        """Whether every attribute is what it was."""
        if len(self._now) != self._size and self._now.keys() - PASSING != self._names:
            return False  # a new one may hide one of the class
        try:
            return bool(self._get(self._now) == self._then)
        except (KeyError, ValueError):  # it is gone, or an array is another one
            return False


def _copied(value):
    return value.copy() if type(value) in (list, dict) else value


def layers_and_losses(model) -> Iterator:
    """Whatever has attributes that forward and loss may read."""
    for layer in model.walk():
        yield layer
        if (graph := getattr(layer, "_call_graph", None)) is not None:
            yield from graph.ops
    loss = model._compile_loss
    if loss is not None:
        yield loss
        yield from (term.loss for term in loss.terms)
    for v in model.trainable_weights:
        for asked in (v.regularizer, v.constraint):
            if hasattr(asked, "__dict__"):
                yield asked


def metrics_of(model, compiled: bool = True) -> Iterator:
    """The metrics, with or without those of `compile`, and those that are attributes of others."""
    todo = [m for m in model.metrics if compiled or m is not model._compile_metrics]
    while todo:
        metric = todo.pop()
        yield metric
        todo += metric.metrics if isinstance(metric, CompiledMetrics) else []
        todo += [value for value in vars(metric).values() if isinstance(value, Metric)]


def optimizers_of(optimizers) -> Iterator:
    """Optimizers, and those that they wrap."""
    for optimizer in optimizers:
        yield optimizer
        if (inner := getattr(optimizer, "inner_optimizer", None)) is not None:
            yield inner


def all_from_gpunn(objects) -> bool:
    """Whether the classes of objects, and what can be called in their attributes, are gpunn's."""
    parts = (part for o in objects for part in (type(o), *vars(o).values()) if callable(part))
    return all(map(from_gpunn, parts))


SIMPLE = {
    *(type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented)),
    *(range, slice),
}


def equal(a, b) -> bool:
    """Whether two values are the same, or equal for sure."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if type(a) is tuple:
        return len(a) == len(b) and all(map(equal, a, b))
    if type(a) is float:  # -0.0 is another number
        return repr(a) == repr(b)
    return (is_simple(a) or type(a) is frozenset) and bool(a == b)


def is_simple(x) -> bool:
    """Whether it is a number, a text or the like, which cannot change."""
    if isinstance(x, Enum):
        return type(x._value_) in SIMPLE
    return type(x) in SIMPLE or isinstance(x, np.dtype | np.generic)

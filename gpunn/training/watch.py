"""Watch: whether what a plan was made of is still what it was."""

from collections.abc import Iterator
from operator import itemgetter

from gpunn.errors import CaptureError
from gpunn.metrics import Metric
from gpunn.training.compiled_metrics import CompiledMetrics

# What steps and the loop around them set all the time, and no step depends on.
PASSING = {
    # of models, layers and metrics
    "last_batch", "history", "stop_training", "stop_evaluating", "stop_predicting", "_stream",
    "_interrupted", "_sources",
    "_keeps_sources", "_held_metrics", "_last_call", "_losses_of", "_added_losses", "_captured",
    "_captured_test", "_captured_predict", "_be",
    # of optimizers: the numbers of a step are asked of the optimizer itself
    "_plans", "_views", "_pending", "_product", "_learning_rate",
}  # fmt: skip


class Watch:
    """Variables and objects as they are now.

    Args:
        variables: their memory and `trainable` are watched, not their values.
        objects: their attributes are watched.
    """

    def __init__(self, variables, objects):
        self._places = [(v, v.array, v._grad_slot, v.requires_grad) for v in variables]
        self._objects = [_Watched(o) for o in objects]
        self._held: list = []

    def also(self, tensors) -> None:
        """Watch the memory of tensors too."""
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
        return True


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


def layers_and_losses(model) -> Iterator:
    """Whatever has attributes that forward and loss may read."""
    for layer in model.walk():
        yield layer
        if (graph := getattr(layer, "_graph", None)) is not None:
            yield from graph.ops
    loss = model._loss
    if loss is not None:
        yield loss
        yield from (term.loss for term in loss.terms)
    for v in model.trainable_weights:
        if hasattr(v.regularizer, "__dict__"):
            yield v.regularizer


def metrics_of(model) -> Iterator:
    """The metrics, and those that are attributes of others."""
    todo = list(model.metrics)
    while todo:
        metric = todo.pop()
        yield metric
        todo += metric.metrics if isinstance(metric, CompiledMetrics) else []
        todo += [value for value in vars(metric).values() if isinstance(value, Metric)]


def require_own(objects) -> None:
    """Raise if code that is not gpunn's takes part."""
    for o in objects:
        for part in (type(o), *vars(o).values()):
            if callable(part) and not is_own(part):
                name = getattr(part, "__qualname__", type(part).__qualname__)
                raise CaptureError(f"{name} is not gpunn's: jit_compile=True captures it as well")


def is_own(part) -> bool:
    """Whether a class, a function or an object is of gpunn's own making."""
    home = part if hasattr(part, "__qualname__") else type(part)
    return home.__module__.partition(".")[0] == "gpunn"

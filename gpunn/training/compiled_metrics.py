"""The metrics that `compile` was given, bound to the model's outputs."""

from typing import Any

from gpunn import losses, metrics
from gpunn.errors import ArgumentError, ArgumentTypeError
from gpunn.training.outputs import aligned, names_of, part
from gpunn.tree import flatten, flatten_with_path, is_nested

# Names whose meaning depends on the shapes of labels and predictions.
BY_SHAPE = {"accuracy", "acc", "crossentropy", "ce"}


class CompiledMetrics:
    """The metrics of each output, the unweighted ones and those that see the sample weights.

    To a `train_step` of the user's own it is one metric, whose result is a dict.

    Args:
        plain: a list of metrics, their names or functions; for several outputs one entry (or a list
            of them) per output, a dict by output name, or nested like the outputs.
        weighted: the same, for metrics that see the sample weights.
        output_names: names of the outputs, in the order of `gpunn.tree.flatten`.
    """

    name = "compile_metrics"

    def __init__(self, plain=None, weighted=None, output_names=()):
        for name, given in (("metrics", plain), ("weighted_metrics", weighted)):
            if given is not None and not isinstance(given, list | tuple | dict):
                raise ArgumentTypeError(f"{name} must be a list or a dict, got {given!r}")
            for identifier in flatten(given):
                if isinstance(identifier, str) and identifier.lower() not in BY_SHAPE:
                    metrics.get(identifier)  # an unknown name is an error now
        self._given = (plain or [], weighted or [])
        self._output_names = tuple(output_names or ())
        self.empty = not (plain or weighted)
        self._bound: Any = None

    @property
    def metrics(self) -> list:
        """The metrics, once the first batch has been seen."""
        return [m for _, m, _ in self._bound or ()]

    @property
    def given(self) -> tuple:
        """The plain and the weighted metrics, as they were given."""
        return self._given

    @property
    def bound(self) -> bool:
        """Whether it is known which metrics they are."""
        return self._bound is not None

    @property
    def of_several(self) -> bool:
        """Whether they are of several outputs."""
        return len({path for path, _, _ in self._bound or ()}) > 1

    def bind(self, y, y_pred) -> None:
        """Make the metrics for outputs of these shapes; y is nested like them."""
        if is_nested(y) or is_nested(y_pred):
            y = aligned(y, y_pred, self._output_names)
        bound: list = []
        outputs = _outputs(y_pred, self._output_names)
        for given, weighted in zip(self._given, (False, True), strict=True):
            if not given:
                continue
            for path, name, identifiers in _spread(given, y_pred, outputs):
                target = part(y, path)
                if target is None:
                    continue
                for identifier in flatten(identifiers):
                    if identifier is None:
                        continue
                    metric = _metric(identifier, target, part(y_pred, path))
                    own = vars(metric).setdefault("_own_name", metric.name)  # compiled before?
                    taken = [m.name for _, m, _ in bound]
                    prefix = "" if name is None else f"{name}_"
                    metric.name = _free(prefix, own, weighted, taken)
                    bound.append((path, metric, weighted))
        self._bound = bound

    @property
    def variables(self) -> list:
        """The state of all."""
        return [v for m in self.metrics for v in m.variables]

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        """Take a batch into account; all are nested like the model's outputs."""
        if is_nested(y_true) or is_nested(y_pred):
            y_true = aligned(y_true, y_pred, self._output_names)
        nested_weight = is_nested(sample_weight)
        if nested_weight:
            sample_weight = aligned(sample_weight, y_pred, self._output_names)
        if not self.bound:
            self.bind(y_true, y_pred)
        for path, metric, weighted in self._bound:
            target, output = part(y_true, path), part(y_pred, path)
            weight = part(sample_weight, path) if nested_weight else sample_weight
            if weighted and weight is not None:
                metric.update_state(target, output, sample_weight=weight)
            else:
                metric.update_state(target, output)

    def result(self) -> dict:
        """The values by name."""
        return {m.name: m.result() for m in self.metrics}

    def reset_state(self) -> None:
        """Start every metric anew."""
        for metric in self.metrics:
            metric.reset_state()


def _outputs(y_pred, output_names) -> list:
    """The path of each output and its name, in the order in which their metrics come."""
    if isinstance(y_pred, dict) and not any(map(is_nested, y_pred.values())) and len(y_pred) > 1:
        fit = set(y_pred) == set(output_names)
        return [((key,), key) for key in (output_names if fit else sorted(y_pred))]
    paths = [path for path, _ in flatten_with_path(y_pred)]
    names = [None] if len(paths) == 1 else flatten(names_of(y_pred, output_names))
    return list(zip(paths, names, strict=True))


def _spread(given, y_pred, outputs):
    """The path of each output and its name, with the metrics given for it."""
    names = [name for _, name in outputs]
    flat = all(len(path) == 1 for path, _ in outputs)
    if len(outputs) == 1:
        entries = [given]
    elif flat and isinstance(given, list | tuple) and len(given) == len(outputs):
        entries = list(given)
    elif flat and isinstance(given, dict) and set(given) <= set(names):
        entries = [given.get(name) for name in names]
    elif _fits(given, y_pred):
        entries = [_at(given, path) for path, _ in outputs]
    else:
        raise ArgumentError(
            f"metrics of a model with outputs {', '.join(map(str, names))} are given per output: "
            "a dict by output name, a list with one entry per output, or nested like the outputs; "
            f"got {given!r}"
        )
    return [(*output, entry) for output, entry in zip(outputs, entries, strict=True)]


def _fits(given, y_pred) -> bool:
    """Whether what was given is nested like the outputs, down to them."""
    if given is None or not is_nested(y_pred):
        return True
    if isinstance(y_pred, dict):
        return isinstance(given, dict) and all(
            key in y_pred and _fits(entry, y_pred[key]) for key, entry in given.items()
        )
    return (
        isinstance(given, list | tuple)
        and len(given) == len(y_pred)
        and all(_fits(entry, y) for entry, y in zip(given, y_pred, strict=True))
    )


def _at(given, path):
    for key in path:
        if given is not None:
            given = given.get(key) if isinstance(given, dict) else given[key]
    return given


def _metric(identifier, y, y_pred):
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        return metrics.resolve_accuracy(y.shape, y_pred.shape, identifier)
    if isinstance(identifier, str) and identifier in BY_SHAPE:
        found = metrics.get(losses.resolve_crossentropy(y.shape, y_pred.shape).name)
    else:
        found = metrics.get(identifier)
    if not isinstance(found, metrics.Metric):
        name = getattr(found, "__name__", type(found).__name__)
        found = metrics.MeanMetricWrapper(found, name=name)
    if isinstance(identifier, str):
        found.name = identifier
    return found


def _free(prefix: str, name: str, weighted: bool, taken: list[str]) -> str:
    """The name; if another metric has it, that of a weighted one with "weighted_", or a number."""
    names = [f"{prefix}{name}", *([f"{prefix}weighted_{name}"] if weighted else [])]
    numbered = (f"{names[-1]}_{i}" for i in range(1, len(taken) + 2))
    return next(n for n in (*names, *numbered) if n not in taken and n != "loss")

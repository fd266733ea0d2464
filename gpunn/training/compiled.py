"""What `compile` was told about losses and metrics, bound to the model's outputs."""

from typing import Any

from gpunn import losses, metrics
from gpunn.autograd import Tensor
from gpunn.errors import ArgumentError, ArgumentTypeError, unknown

# Names whose meaning depends on the shapes of labels and predictions.
BY_SHAPE = {"accuracy", "acc", "crossentropy", "ce"}


def outputs_of(structure, names) -> dict:
    """The entries of nested outputs by name: a tensor is one output, lists go by position."""
    if isinstance(structure, Tensor):
        return {names[0] if names else "output": structure}
    if isinstance(structure, dict):
        return dict(structure)
    if isinstance(structure, list | tuple):
        return {names[i] if i < len(names) else f"output_{i}": v for i, v in enumerate(structure)}
    return {names[0] if names else "output": structure}


def weights_by_output(sample_weight, outputs: dict) -> dict:
    """The sample weights of each output by name: the same for all, or nested like them."""
    if sample_weight is None:
        return {}
    if isinstance(sample_weight, dict | list | tuple):
        return outputs_of(sample_weight, tuple(outputs))
    return dict.fromkeys(outputs, sample_weight)


def by_output(given, outputs: dict, what: str) -> dict:
    """What was given per output, as a dict by output name; None for outputs without."""
    keys = list(outputs)
    if isinstance(given, dict):
        for name in given:
            if name not in outputs:
                raise unknown(f"output in {what}", name, keys)
        return {k: given.get(k) for k in keys}
    if isinstance(given, list | tuple):
        if len(given) != len(keys):
            raise ArgumentError(
                f"{what} has {len(given)} entries for {len(keys)} outputs: {', '.join(keys)}"
            )
        return dict(zip(keys, given, strict=True))
    return dict.fromkeys(keys, given)


class CompiledLoss:
    """The sum of the outputs' losses.

    Args:
        loss: a loss, its name or a function, or a list or dict of them, one per output.
        loss_weights: factors, like `loss`.
    """

    def __init__(self, loss, loss_weights=None):
        self._given = loss
        self._weights_given = loss_weights
        self._bound: Any = None
        if isinstance(loss, str) and loss not in BY_SHAPE:
            losses.get(loss)  # an unknown name is an error now, not at the first batch

    def bind(self, y, y_pred) -> None:
        """Find the losses for outputs of these shapes."""
        one = len(y_pred) == 1 and isinstance(self._given, list | tuple) and len(self._given) == 1
        given = by_output(self._given[0] if one else self._given, y_pred, "loss")
        factors = by_output(self._weights_given, y_pred, "loss_weights")
        self._bound = {
            name: (_loss(g, y.get(name), y_pred[name]), factors[name])
            for name, g in given.items()
            if g is not None
        }

    def __call__(self, y: dict, y_pred: dict, sample_weight: dict):
        """The weighted sum of the losses, and each loss by output name."""
        if self._bound is None:
            self.bind(y, y_pred)
        total, parts = None, {}
        for name, (loss, factor) in self._bound.items():
            if y.get(name) is None:
                raise ArgumentError(f"output {name!r} has a loss, but no targets were given")
            value = loss(y[name], y_pred[name], sample_weight.get(name))
            parts[name] = value
            value = value if factor is None else value * factor
            total = value if total is None else total + value
        return total, parts


def _loss(identifier, y, y_pred):
    if isinstance(identifier, str) and identifier in BY_SHAPE:
        return losses.resolve_crossentropy(y.shape, y_pred.shape)
    found = losses.get(identifier)
    if isinstance(found, losses.Loss):
        return found
    name = identifier if isinstance(identifier, str) else getattr(found, "__name__", "loss")
    return losses.LossFunctionWrapper(found, name=name)


class CompiledMetrics:
    """The metrics of each output, the unweighted ones and those that see the sample weights.

    To a `train_step` of the user's own it is one metric, whose result is a dict.
    """

    name = "compile_metrics"

    def __init__(self, plain=None, weighted=None, output_names=()):
        for name, given in (("metrics", plain), ("weighted_metrics", weighted)):
            if given is not None and not isinstance(given, list | tuple | dict):
                raise ArgumentTypeError(f"{name} must be a list or a dict, got {given!r}")
            for identifier in _flat(given):
                if isinstance(identifier, str) and identifier.lower() not in BY_SHAPE:
                    metrics.get(identifier)  # an unknown name is an error now
        self._given = (plain or [], weighted or [])
        self._output_names = output_names
        self.empty = not (plain or weighted)
        self._bound: Any = None

    @property
    def metrics(self) -> list:
        """The metrics, once the first batch has been seen."""
        return [m for _, m, _ in self._bound or ()]

    def bind(self, y: dict, y_pred: dict) -> None:
        """Make the metrics for outputs of these shapes."""
        bound = []
        several = len(y_pred) > 1
        for given, weighted in zip(self._given, (False, True), strict=True):
            if not given:
                continue
            nested = isinstance(given, dict) or any(isinstance(g, list | tuple) for g in given)
            if several and given and not nested and len(given) != len(y_pred):
                raise ArgumentError(
                    f"metrics of a model with outputs {', '.join(y_pred)} are given per output: "
                    "a dict by output name, or a list with one entry per output"
                )
            spread = by_output(given, y_pred, "metrics") if nested or several else None
            if spread is None:
                spread = {next(iter(y_pred)): given}
            for name, identifiers in spread.items():
                if identifiers is None or y.get(name) is None:
                    continue
                entries = identifiers if isinstance(identifiers, list | tuple) else [identifiers]
                for identifier in entries:
                    metric = _metric(identifier, y[name], y_pred[name])
                    own = vars(metric).setdefault("_own_name", metric.name)  # compiled before?
                    taken = [m.name for _, m, _ in bound]
                    metric.name = _free(f"{name}_" if several else "", own, weighted, taken)
                    bound.append((name, metric, weighted))
        self._bound = bound

    @property
    def variables(self) -> list:
        """The state of all."""
        return [v for m in self.metrics for v in m.variables]

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        """Take a batch into account; all are nested like the model's outputs."""
        outputs = outputs_of(y_pred, self._output_names)
        targets = outputs_of(y_true, tuple(outputs))
        weights = weights_by_output(sample_weight, outputs)
        if self._bound is None:
            self.bind(targets, outputs)
        for name, metric, weighted in self._bound:
            if weighted:
                metric.update_state(targets[name], outputs[name], weights.get(name))
            else:
                metric.update_state(targets[name], outputs[name])

    def result(self) -> dict:
        """The values by name."""
        return {m.name: m.result() for m in self.metrics}

    def reset_state(self) -> None:
        """Start every metric anew."""
        for metric in self.metrics:
            metric.reset_state()


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


def _flat(given):
    """The entries of nested lists and dicts."""
    if isinstance(given, list | tuple | dict):
        for entry in given.values() if isinstance(given, dict) else given:
            yield from _flat(entry)
    else:
        yield given


def _free(prefix: str, name: str, weighted: bool, taken: list[str]) -> str:
    """The name; if another metric has it, that of a weighted one with "weighted_", or a number."""
    names = [f"{prefix}{name}", *([f"{prefix}weighted_{name}"] if weighted else [])]
    numbered = (f"{names[-1]}_{i}" for i in range(1, len(taken) + 2))
    return next(n for n in (*names, *numbered) if n not in taken and n != "loss")

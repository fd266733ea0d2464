"""The losses that `compile` was given, bound to the model's outputs."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from gpunn import losses
from gpunn.autograd import convert
from gpunn.errors import DataError, UnknownOutputError, unknown
from gpunn.losses.loss import fitted, reduce_values
from gpunn.training.outputs import aligned, names_of, part
from gpunn.tree import flatten, is_nested, map_structure, pack

# Names whose meaning depends on the shapes of labels and predictions.
BY_SHAPE = {"crossentropy", "ce"}
# Functions whose losses have the mean of all values by one op.
WITH_MEAN = (
    (losses.binary_crossentropy, losses.BinaryCrossentropy),
    (losses.categorical_crossentropy, losses.CategoricalCrossentropy),
    (losses.sparse_categorical_crossentropy, losses.SparseCategoricalCrossentropy),
)


class Term(NamedTuple):
    """One loss of what lies at a path of the nested outputs: of one output, or of several."""

    path: tuple
    loss: losses.Loss
    factor: Any
    name: str


class CompiledLoss:
    """The sum of the outputs' losses.

    Args:
        loss: a loss, its name or a function, for each output; or nested like the outputs, or a
            dict by output name. A list that is not nested like the outputs holds several losses of
            the same outputs; a loss of several outputs is a function of nested targets and outputs.
        loss_weights: factors, like `loss`.
        output_names: names of the outputs, in the order of `gpunn.tree.flatten`.
    """

    def __init__(self, loss, loss_weights=None, output_names=()):
        self._given = loss
        self._weights_given = loss_weights
        self._output_names = tuple(output_names or ())
        self.terms: tuple[Term, ...] = ()  # once the first batch has been seen
        for entry in flatten(loss):
            if isinstance(entry, str) and entry.lower() not in BY_SHAPE:
                losses.get(entry)  # an unknown name is an error now, not at the first batch

    @property
    def given(self) -> tuple:
        """The loss and the loss weights, as they were given."""
        return self._given, self._weights_given

    def bind(self, y, y_pred) -> None:
        """Find the losses for outputs of these shapes; y is nested like them."""
        given, factors = self._given, self._weights_given
        if isinstance(given, dict) and not isinstance(y_pred, dict):
            given, factors = self._by_name(given), self._by_name(factors)  # as lists
            if isinstance(y_pred, tuple):
                given = tuple(given)
            elif not is_nested(y_pred):
                given = given[0]
        elif not is_nested(given):
            given = map_structure(lambda _: self._given, y_pred)
        names = names_of(y_pred, self._output_names)
        weighted = _weighted(given, factors, self._output_names)
        self.terms = tuple(_terms(weighted, y, y_pred, names, ()))

    def __call__(self, y, y_pred, sample_weight=None):
        """The weighted sum of the losses, and each loss by output name."""
        y = self.targets(y, y_pred)
        if not self.terms:
            self.bind(y, y_pred)
        nested_weight = is_nested(sample_weight)
        if nested_weight:
            sample_weight = aligned(sample_weight, y_pred, self._output_names, "sample weights")
        total, parts = None, {}
        for path, loss, factor, name in self.terms:
            target = part(y, path)
            if target is None:
                raise DataError(f"output {name!r} has a loss, but no targets were given")
            weight = part(sample_weight, path) if nested_weight else sample_weight
            value = loss(target, part(y_pred, path), weight)
            parts[name] = value
            value = value if factor is None else value * factor
            total = value if total is None else total + value
        return total, parts

    def _by_name(self, given):
        """What was given by output name, as a list."""
        if not isinstance(given, dict):
            return given
        for name in given:
            if not self._output_names:
                raise UnknownOutputError(
                    f"loss has an entry {name!r}, but outputs have no names here: give the loss"
                )
            if name not in self._output_names:
                raise unknown("output in loss", name, self._output_names)
        return [given.get(name) for name in self._output_names]

    def targets(self, y, y_pred):
        """Targets or weights nested like the outputs: for all, or for those that have a loss."""
        if not is_nested(y) and not is_nested(y_pred):
            return y
        given = self._given if isinstance(y_pred, dict) else self._by_name(self._given)
        if isinstance(y, dict):
            by_name = given if isinstance(given, dict) else {}
            if isinstance(given, list | tuple) and len(given) == len(self._output_names):
                by_name = dict(zip(self._output_names, given, strict=True))
            names = y_pred if isinstance(y_pred, dict) else by_name
            if by_name:
                y = {**y, **{k: None for k in names if k not in y and by_name.get(k) is None}}
        entries, leaves = flatten(given), flatten(y)
        missing = 0 if isinstance(y, dict) else entries.count(None)
        if missing and len(entries) == len(flatten(y_pred)) == len(leaves) + missing:
            given = iter(leaves)
            y = [None if entry is None else next(given) for entry in entries]
        return aligned(y, y_pred, self._output_names)


@dataclass
class _Weighted:
    """A loss and its factor, while both are spread over the outputs."""

    loss: Any
    factor: Any


def _weighted(given, factors, output_names):
    """The losses, nested as they are given, each with its factor; None stays None."""
    if isinstance(factors, dict) and isinstance(given, dict):
        if strange := [name for name in factors if name not in given]:
            raise unknown("output in loss_weights", strange[0], map(str, given))
        factors = {name: factors.get(name) for name in given}
    if not is_nested(factors):
        factors = map_structure(lambda _: factors, given)
    spread = aligned(factors, given, output_names, "loss_weights")
    return map_structure(lambda g, f: None if g is None else _Weighted(g, f), given, spread)


def _terms(given, y, y_pred, names, path):
    """The losses of the outputs at a path, and below it."""
    if isinstance(given, list | tuple) and not any(map(is_nested, given)):
        if len(given) == len(flatten(y_pred)):
            given = pack(y_pred, given)
    if given is None:
        return
    if isinstance(given, _Weighted):
        loss = _loss(given.loss, y, y_pred)
        yield Term(path, loss, given.factor, _name(path, names, loss.name))
    elif isinstance(given, list | tuple) and not isinstance(y_pred, type(given)):
        for entry in given:
            yield from _terms(entry, y, y_pred, names, path)
    else:
        for key, entry in given.items() if isinstance(given, dict) else enumerate(given):
            if entry is None:
                continue
            at = (*path, key)
            if not isinstance(y_pred, type(given)) or not _has(y_pred, key):
                raise UnknownOutputError(f"loss has an entry at {at}, where there is no output")
            yield from _terms(entry, y[key], y_pred[key], names[key], at)


def _has(nested, key) -> bool:
    return key in nested if isinstance(nested, dict) else key < len(nested)


def _name(path, names, loss_name: str) -> str:
    """What a loss is called in the logs: by its output, or by the keys that lead to it."""
    if not is_nested(names):
        own = names or loss_name
        if not path or isinstance(path[-1], int):
            path = (*path[:-1], own)
    elif not path:
        inner = sorted(names) if isinstance(names, dict) else flatten(names)
        return "_".join(map(str, inner))
    return "/".join(map(str, path))


def _loss(identifier, y, y_pred) -> losses.Loss:
    if isinstance(identifier, str) and identifier.lower() in BY_SHAPE:
        return losses.resolve_crossentropy(y.shape, y_pred.shape)
    found = losses.get(identifier)
    if is_nested(y_pred):
        return _LossOfSeveral(found)
    if isinstance(found, losses.Loss):
        return found
    name = identifier if isinstance(identifier, str) else getattr(found, "__name__", "loss")
    for function, cls in WITH_MEAN:
        if found is function:
            return cls(name=name)
    return losses.LossFunctionWrapper(found, name=name)


class _LossOfSeveral(losses.Loss):
    """A loss of nested outputs: a function of nested targets and outputs, or a Loss with such."""

    def __init__(self, of):
        name = getattr(of, "name", None) or getattr(of, "__name__", "loss")
        super().__init__(name, getattr(of, "reduction", "sum_over_batch_size"))
        self.fn = of.call if isinstance(of, losses.Loss) else of

    def __call__(self, y_true, y_pred, sample_weight=None, mask=None):
        values = convert(self.fn(y_true, y_pred))
        if sample_weight is None:
            return reduce_values(values, None, self.reduction)
        weights = fitted(sample_weight, values, "sample_weight")
        return reduce_values(values * weights, weights, self.reduction)

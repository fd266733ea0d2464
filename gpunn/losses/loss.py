"""Loss: from one value per sample to one number, with weights and masks."""

import warnings
from functools import reduce

from gpunn import ops
from gpunn.autograd import KerasTensor, Tensor, cast, convert, mask_of
from gpunn.backend import floatx
from gpunn.backend.asker import asked_by
from gpunn.backend.dtypes import is_float, result_type, standardize
from gpunn.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from gpunn.serialization import snake_case
from gpunn.tree import flatten, is_nested, map_structure

MEANS = ("sum_over_batch_size", "mean")
REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)


class Loss:
    """What a model's predictions cost; subclasses give `call(y_true, y_pred)`.

    Args:
        name: default: the class name in snake_case.
        reduction: "sum_over_batch_size" or "mean" (the sum of all values by their number),
            "mean_with_sample_weight" (by the sum of the weights), "sum", or None: no reduction.
        dtype: to compute in, or a policy that does; default: that of the predictions, at least
            `floatx`.

    Raises:
        ArgumentError: for an unknown reduction.

    Source: Keras, `keras.losses.Loss`.

    >>> class Error(gpunn.losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return gpunn.ops.abs(y_true - y_pred)
    >>> Error()([1.0, 2.0], [2.0, 4.0]).item()
    1.5
    """

    integer_labels = False  # whether call() wants integer labels as they are, not as floats
    takes_structures = True  # whether lists and dicts of tensors are given to call() as such

    def __init__(self, name=None, reduction="sum_over_batch_size", dtype=None):
        if reduction not in REDUCTIONS:
            raise ArgumentError(f"reduction must be one of {REDUCTIONS}, not {reduction!r}")
        self.name = name or snake_case(type(self).__name__)
        self.reduction = reduction
        dtype = getattr(dtype, "compute_dtype", dtype)
        self._dtype = None if dtype is None else standardize(dtype)

    @property
    def dtype(self) -> str:
        """The dtype it was asked to compute in, else `floatx`."""
        return self._dtype.name if self._dtype else floatx()

    def __call__(self, y_true, y_pred, sample_weight=None, mask=None) -> Tensor:
        """The reduced loss.

        Args:
            y_true: the labels.
            y_pred: the predictions; a list or dict of tensors is given to a `call` of one's own as
                it is, with the labels.
            sample_weight: a factor per sample: of the shape of the values, or of their leading
                axes, or with axes of size 1.
            mask: which values count (bool), shaped like sample_weight; a mean is one over those.
                Default: that of the predictions, where layers gave them one.

        Returns:
            One number, or the values themselves with reduction None.

        Raises:
            ShapeError: if the shapes do not fit.
        """
        if self.takes_structures and _holds_tensors(y_pred):
            y_true, y_pred = map_structure(self._float, y_true), map_structure(self._float, y_pred)
            return self._reduced(self.call(y_true, y_pred), None, sample_weight, mask)
        y_pred = convert(y_pred)
        mask = mask_of(y_pred) if mask is None else mask
        y_true = labels_beside(y_true, y_pred)
        dtype = self._dtype or standardize(None)
        if y_pred.dtype is not dtype:
            if y_pred.dtype.kind == "c":
                raise DTypeError(f"loss {self.name!r}: expected real predictions, got complex ones")
            dtype = self._dtype or result_type(y_pred.dtype, dtype)
            y_pred = y_pred.to(dtype)
        if y_true.dtype is not dtype and (not self.integer_labels or is_float(y_true.dtype)):
            y_true = y_true.to(dtype)
        if sample_weight is None and mask is None and self.reduction in MEANS:
            mean = self._mean(y_true, y_pred)
            if mean is not None:
                return mean
        if self.integer_labels:
            with asked_by(f"loss {self.name!r}"):
                values = self.call(y_true, y_pred)
        else:
            values = self.call(y_true, y_pred)
        return self._reduced(values, y_true, sample_weight, mask)

    def _float(self, x) -> Tensor:
        x = convert(x)
        return x.to(self._dtype or result_type(x.dtype, standardize(None)))

    def _reduced(self, values, y_true, sample_weight, mask):
        """The values of `call` as one number, with weights and masks."""
        if not isinstance(values, Tensor | KerasTensor):
            values = self._as_tensor(values)
        valid = None if y_true is None else self.valid(y_true, values)
        if sample_weight is None and mask is None and valid is None:
            return reduce_values(values, None, self.reduction)
        factors = [] if sample_weight is None else [fitted(sample_weight, values, "sample_weight")]
        masks = [fitted(m, values, "mask") for m in (mask, valid) if m is not None]
        if masks:
            factors.append(mask_weights(reduce(ops.multiply, masks), self.reduction))
        weights = reduce(ops.multiply, factors)
        return reduce_values(ops.multiply(values, weights), weights, self.reduction)

    def call(self, y_true, y_pred) -> Tensor:
        """One value per sample; to be written by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no call(y_true, y_pred)")

    def _as_tensor(self, values) -> Tensor:
        if values is None:
            raise ArgumentTypeError(f"loss {self.name!r} gave None, not a value per sample")
        return convert(values)

    def _mean(self, y_true, y_pred):
        """The mean of `call`'s values, where one op gives it; else None."""
        return None

    def valid(self, y_true, values):
        """Which values count at all, as a mask, or None for all of them."""
        return None

    def get_config(self) -> dict:
        """The arguments that make an equal loss."""
        config = {"name": self.name, "reduction": self.reduction}
        if self._dtype is not None:
            config["dtype"] = self._dtype.name
        return config

    @classmethod
    def from_config(cls, config):
        """The loss of a config."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class LossFunctionWrapper(Loss):
    """A loss made of a function of labels and predictions.

    Args:
        fn: `fn(y_true, y_pred, **options)` gives one value per sample.
        reduction, name, dtype: as for `Loss`.
        **options: passed to fn, and attributes of the loss.

    Source: Keras, `keras.losses.LossFunctionWrapper`.

    >>> loss = gpunn.losses.LossFunctionWrapper(gpunn.losses.huber, delta=2.0)
    >>> loss([[0.0]], [[3.0]]).item()
    4.0
    """

    takes_structures = False

    def __init__(self, fn, reduction="sum_over_batch_size", name=None, dtype=None, **options):
        super().__init__(name or getattr(fn, "__name__", None), reduction, dtype)
        self.fn = fn
        self.options = options
        vars(self).update(options)

    def call(self, y_true, y_pred):
        if y_true.ndim != y_pred.ndim:
            y_true, y_pred = same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self.options)

    def get_config(self) -> dict:
        config = {**super().get_config(), **self.options}
        if type(self) is LossFunctionWrapper:
            config["fn"] = self.fn
        return config


def _holds_tensors(x) -> bool:
    """Whether it is a list, tuple or dict with tensors in it."""
    return (
        not isinstance(x, Tensor)
        and is_nested(x)
        and any(isinstance(leaf, Tensor | KerasTensor) for leaf in flatten(x))
    )


# --- labels and weights fitted to predictions ---


def labels_beside(y_true, y_pred: Tensor) -> Tensor:
    """The labels as a tensor; host data that is no Tensor goes to where the predictions lie."""
    return y_true if isinstance(y_true, Tensor) else convert(y_true, device=y_pred.device)


def same_rank(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Squeeze or expand one of two tensors by a last axis of 1, where that makes equal ranks.

    So (n,) against (n, 1) is (n, 1) against (n, 1), and never becomes (n, n).

    >>> from gpunn.losses.loss import same_rank
    >>> [t.shape for t in same_rank(gpunn.Tensor([1, 2]), gpunn.Tensor([[1], [2]]))]
    [(2, 1), (2, 1)]
    """
    if x.ndim == y.ndim + 1 and x.shape[-1] == 1:
        return (x, ops.expand_dims(y, -1)) if y.ndim == 1 else (ops.squeeze(x, -1), y)
    if y.ndim == x.ndim + 1 and y.shape[-1] == 1:
        return (ops.expand_dims(x, -1), y) if x.ndim == 1 else (x, ops.squeeze(y, -1))
    return x, y


def pair(name: str, y_true, y_pred, spread: bool = False) -> tuple[Tensor, Tensor]:
    """Labels and predictions of one float dtype and one shape.

    Args:
        name: of the loss.
        y_true, y_pred: labels and predictions.
        spread: whether one label a row stands for all outputs of the row, and one output a row for
            all its labels, as in Keras; it warns.

    Raises:
        ShapeError: if they do not fit; nothing else but one number for all labels is broadcast.
    """
    y_pred = convert(y_pred)
    if not is_float(y_pred.dtype):
        y_pred = y_pred.to(standardize(None))
    y_true = labels_beside(y_true, y_pred)
    if y_true.dtype is not y_pred.dtype:
        y_true = y_true.to(y_pred.dtype)
    if y_true.ndim == 0 and y_pred.ndim:
        y_true = ops.broadcast_to(y_true, y_pred.shape)  # one number as every label
    if y_true.shape != y_pred.shape:
        before = y_true.shape, y_pred.shape
        y_true, y_pred = same_rank(y_true, y_pred)
        if spread and _one_a_row(y_true, y_pred):
            _warn_of_spread(name, before, f"{y_pred.shape[-1]} outputs", "label")
            y_true = _spread(y_true, y_pred.shape)
        elif spread and y_pred.ndim == y_true.ndim and _one_a_row(y_pred, y_true):
            _warn_of_spread(name, before, f"{y_true.shape[-1]} labels", "output")
            y_pred = _spread(y_pred, y_true.shape)
        if y_true.shape != y_pred.shape:
            raise ShapeError(
                f"{name}: labels of shape {before[0]} do not fit predictions of shape {before[1]}: "
                "they need the same shape, but for a last axis of size 1"
            )
    return y_true, y_pred


def _one_a_row(x: Tensor, many: Tensor) -> bool:
    rows = many.shape[:-1]
    return many.ndim > 1 and x.shape != many.shape and x.shape in (rows, (*rows, 1))


def _spread(x: Tensor, shape) -> Tensor:
    return ops.broadcast_to(ops.reshape(x, (*shape[:-1], 1)), shape)


def _warn_of_spread(name: str, shapes, many: str, one: str) -> None:
    warnings.warn(
        f"{name}: labels of shape {shapes[0]} beside predictions of shape {shapes[1]}: "
        f"each of the {many} of a row is compared with the same {one}",
        stacklevel=3,
    )


def fitted(weights, values: Tensor, name: str) -> Tensor:
    """Weights (or a mask) as a tensor that multiplies the values without changing their shape.

    Raises:
        ShapeError: if they do not fit.
    """
    weights = labels_beside(weights, values).to(values.dtype)
    if values.ndim == 0 or weights.ndim == 0:
        return weights
    shape = weights.shape
    if weights.ndim > values.ndim and shape[-1] == 1:
        weights = ops.squeeze(weights, -1)
    elif weights.ndim < values.ndim:  # a weight per sample counts for all that the sample has
        weights = ops.reshape(weights, shape + (1,) * (values.ndim - weights.ndim))
    if weights.ndim != values.ndim or any(
        w not in (1, n) for w, n in zip(weights.shape, values.shape)
    ):
        raise ShapeError(f"{name} of shape {shape} does not fit loss values of {values.shape}")
    return weights


def mask_weights(mask: Tensor, reduction) -> Tensor:
    """The mask as weights: for a mean over all, scaled up so that it is one over what counts."""
    mask = cast(ops.not_equal(mask, 0), mask.dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        return ops.multiply(mask, ops.divide_no_nan(float(mask.size), ops.sum(mask)))
    return mask


def reduce_values(values: Tensor, weights, reduction) -> Tensor:
    """The values, which are weighted already, reduced."""
    if reduction in (None, "none") or values.shape in ((), (0,)):
        return values
    if reduction == "sum":
        return ops.sum(values)
    if reduction == "mean_with_sample_weight" and weights is not None:
        return ops.divide_no_nan(ops.sum(values), ops.sum(weights))
    return ops.mean(values)

"""Losses of probabilities: cross-entropies and their relatives, as classes."""

from gpunn import ops
from gpunn.backend.asker import asked_by
from gpunn.errors import ArgumentError
from gpunn.losses.loss import LossFunctionWrapper
from gpunn.losses.probabilistic import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from gpunn.losses.terms import MeanOfTerms, divergences, poisson_terms


class BinaryCrossentropy(LossFunctionWrapper):
    """-t log p - (1 - t) log(1 - p), for labels t of 0 and 1.

    Args:
        from_logits: whether predictions are logits, not probabilities.
        label_smoothing: s in [0, 1]: labels t become t (1 - s) + s / 2.
        axis: the axis of the mean.
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.BinaryCrossentropy`.

    >>> gpunn.losses.BinaryCrossentropy()([[0.0], [1.0]], [[0.5], [0.5]]).numpy()
    array(0.6931472, dtype=float32)
    """

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="binary_crossentropy",
        dtype=None,
    ):
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(binary_crossentropy, reduction, name, dtype, **_checked(options))

    def _mean(self, y_true, y_pred):
        return _mean(self, ops.binary_crossentropy, y_true, y_pred, 1)


class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Binary cross-entropy times (1 - probability given to the label)^gamma.

    Args:
        apply_class_balancing: whether to weigh labels 1 by alpha and labels 0 by 1 - alpha.
        alpha: that weight.
        gamma: how much easy samples are discounted.
        from_logits: whether predictions are logits, not probabilities.
        label_smoothing: s in [0, 1]: labels t become t (1 - s) + s / 2.
        axis: the axis of the mean.
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.BinaryFocalCrossentropy`.

    >>> gpunn.losses.BinaryFocalCrossentropy()([[1.0]], [[0.5]]).numpy()
    array(0.1732868, dtype=float32)
    """

    def __init__(
        self,
        apply_class_balancing=False,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="binary_focal_crossentropy",
        dtype=None,
    ):
        options = {
            "from_logits": from_logits,
            "label_smoothing": label_smoothing,
            "axis": axis,
            "apply_class_balancing": apply_class_balancing,
            "alpha": alpha,
            "gamma": gamma,
        }
        super().__init__(binary_focal_crossentropy, reduction, name, dtype, **_checked(options))


class CategoricalCrossentropy(LossFunctionWrapper):
    """-sum(t log p), for one-hot labels or label distributions t.

    Args:
        from_logits: whether predictions are logits, not probabilities.
        label_smoothing: s in [0, 1]: labels t become t (1 - s) + s / classes.
        axis: the axis of the classes.
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.CategoricalCrossentropy`.

    >>> gpunn.losses.CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]]).numpy()
    array(0.6931472, dtype=float32)
    """

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="categorical_crossentropy",
        dtype=None,
    ):
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_crossentropy, reduction, name, dtype, **_checked(options))

    def _mean(self, y_true, y_pred):
        return _mean(self, ops.categorical_crossentropy, y_true, y_pred, 2)


class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """-sum(alpha (1 - p)^gamma t log p), for one-hot labels or label distributions t.

    Args:
        alpha: a weight: one number, or one per class.
        gamma: how much easy samples are discounted.
        from_logits: whether predictions are logits, not probabilities.
        label_smoothing: s in [0, 1]: labels t become t (1 - s) + s / classes.
        axis: the axis of the classes.
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.CategoricalFocalCrossentropy`.

    >>> gpunn.losses.CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]]).numpy()
    array(0.0433217, dtype=float32)
    """

    def __init__(
        self,
        alpha=0.25,
        gamma=2.0,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction="sum_over_batch_size",
        name="categorical_focal_crossentropy",
        dtype=None,
    ):
        options = {
            "from_logits": from_logits,
            "label_smoothing": label_smoothing,
            "axis": axis,
            "alpha": alpha,
            "gamma": gamma,
        }
        super().__init__(
            categorical_focal_crossentropy, reduction, name, dtype, **_checked(options)
        )


class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """(1 - p[label]^q) / q, for integer labels of which some are wrong.

    Args:
        q: in (0, 1); larger is less troubled by wrong labels.
        reduction, name, dtype: as for `Loss`.

    Raises:
        ArgumentError: if q is not in (0, 1).

    Source: Keras, `keras.losses.CategoricalGeneralizedCrossEntropy`.

    >>> gpunn.losses.CategoricalGeneralizedCrossEntropy()([1], [[0.75, 0.25]]).item()
    1.0
    """

    integer_labels = True

    def __init__(
        self,
        q=0.5,
        reduction="sum_over_batch_size",
        name="categorical_generalized_cross_entropy",
        dtype=None,
    ):
        if not 0 < q < 1:
            raise ArgumentError(f"q must be in (0, 1), not {q!r}")
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """-log p[label], for integer labels.

    Args:
        from_logits: whether predictions are logits, not probabilities.
        ignore_class: a label (any number) whose samples do not count, in a mean neither.
        reduction: as for `Loss`.
        axis: the axis of the classes.
        name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.SparseCategoricalCrossentropy`.

    >>> gpunn.losses.SparseCategoricalCrossentropy()([1], [[0.5, 0.5]]).numpy()
    array(0.6931472, dtype=float32)
    """

    integer_labels = True

    def __init__(
        self,
        from_logits=False,
        ignore_class=None,
        reduction="sum_over_batch_size",
        axis=-1,
        name="sparse_categorical_crossentropy",
        dtype=None,
    ):
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(sparse_categorical_crossentropy, reduction, name, dtype, **options)

    def _mean(self, y_true, y_pred):
        overridden = type(self).call is not LossFunctionWrapper.call
        if (
            overridden
            or self.ignore_class is not None
            or not 1 < y_pred.shape[-1:][0] < y_pred.size
        ):
            return None
        with asked_by(f"loss {self.name!r}"):
            return ops.sparse_categorical_crossentropy(
                y_true, y_pred, self.from_logits, self.axis, mean=True
            )

    def valid(self, y_true, values):
        if self.ignore_class is None:
            return None
        return (y_true != self.ignore_class).reshape(values.shape)


class KLDivergence(MeanOfTerms):
    """sum(t log(t / p)), for label distributions t.

    Args:
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.KLDivergence`.

    >>> gpunn.losses.KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]]).item()
    0.0
    """

    _term = staticmethod(divergences)
    _total = True

    def __init__(self, reduction="sum_over_batch_size", name="kl_divergence", dtype=None):
        super().__init__(kl_divergence, reduction, name, dtype)


class Poisson(MeanOfTerms):
    """mean(rate - count log(rate)), for counts.

    Args:
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.Poisson`.

    >>> gpunn.losses.Poisson()([[0.0]], [[2.0]]).item()
    2.0
    """

    _term = staticmethod(poisson_terms)

    def __init__(self, reduction="sum_over_batch_size", name="poisson", dtype=None):
        super().__init__(poisson, reduction, name, dtype)


def _mean(loss, op, y_true, y_pred, columns: int):
    """The mean by the op itself, where labels and predictions fit as they are; else None."""
    shape = y_pred.shape
    fits = len(shape) > 1 and y_true.shape == shape and shape[-1] >= columns and y_pred.size
    if not fits or type(loss).call is not LossFunctionWrapper.call:
        return None
    return op(y_true, y_pred, loss.from_logits, loss.axis, loss.label_smoothing, mean=True)


def _checked(options: dict) -> dict:
    smoothing, axis = options["label_smoothing"], options["axis"]
    if not 0 <= smoothing <= 1:
        raise ArgumentError(f"label_smoothing must be in [0, 1], not {smoothing!r}")
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise ArgumentError(f"axis must be an integer, not {axis!r}")
    return options

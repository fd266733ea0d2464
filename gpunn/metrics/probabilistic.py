"""Losses of probabilities as metrics."""

from gpunn.losses import (
    binary_crossentropy,
    categorical_crossentropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from gpunn.metrics.arrays import raw, raw_weights
from gpunn.metrics.reduction import MeanMetricWrapper


class KLDivergence(MeanMetricWrapper):
    """sum(t log(t / p)), for label distributions t.

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.KLDivergence`.

    >>> gpunn.metrics.KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]]).item()
    0.0
    """

    _direction = "down"

    def __init__(self, name="kl_divergence", dtype=None):
        super().__init__(kl_divergence, name, dtype)


class Poisson(MeanMetricWrapper):
    """mean(rate - count log(rate)), for counts.

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.Poisson`.

    >>> gpunn.metrics.Poisson()([[0.0]], [[2.0]]).item()
    2.0
    """

    _direction = "down"

    def __init__(self, name="poisson", dtype=None):
        super().__init__(poisson, name, dtype)


class BinaryCrossentropy(MeanMetricWrapper):
    """-t log p - (1 - t) log(1 - p), for labels t of 0 and 1.

    Args:
        name, dtype: as for `Metric`.
        from_logits: whether predictions are logits, not probabilities.
        label_smoothing: s in [0, 1]: labels t become t (1 - s) + s / 2.

    Source: Keras, `keras.metrics.BinaryCrossentropy`.

    >>> gpunn.metrics.BinaryCrossentropy()([[0.0], [1.0]], [[0.5], [0.5]]).numpy()
    array(0.6931472, dtype=float32)
    """

    _direction = "down"

    def __init__(
        self, name="binary_crossentropy", dtype=None, from_logits=False, label_smoothing=0.0
    ):
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(binary_crossentropy, name, dtype, **options)


class CategoricalCrossentropy(MeanMetricWrapper):
    """-sum(t log p), for one-hot labels or label distributions t.

    Args:
        name, dtype: as for `Metric`.
        from_logits: whether predictions are logits, not probabilities.
        label_smoothing: s in [0, 1]: labels t become t (1 - s) + s / classes.
        axis: the axis of the classes.

    Source: Keras, `keras.metrics.CategoricalCrossentropy`.

    >>> gpunn.metrics.CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]]).numpy()
    array(0.6931472, dtype=float32)
    """

    _direction = "down"

    def __init__(
        self,
        name="categorical_crossentropy",
        dtype=None,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
    ):
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_crossentropy, name, dtype, **options)


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """-log p[label], for integer labels.

    Args:
        name, dtype: as for `Metric`.
        from_logits: whether predictions are logits, not probabilities.
        ignore_class: a label whose samples cost 0. As in Keras, they count in the mean unless there
            are sample weights.
        axis: the axis of the classes.

    Source: Keras, `keras.metrics.SparseCategoricalCrossentropy`.

    >>> gpunn.metrics.SparseCategoricalCrossentropy()([1], [[0.5, 0.5]]).numpy()
    array(0.6931472, dtype=float32)
    """

    _direction = "down"

    def __init__(
        self,
        name="sparse_categorical_crossentropy",
        dtype=None,
        from_logits=False,
        ignore_class=None,
        axis=-1,
    ):
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(sparse_categorical_crossentropy, name, dtype, **options)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:  # type: ignore[override]
        ignored = self.options["ignore_class"]
        if sample_weight is not None and ignored is not None:
            labels = raw(y_true, beside=raw(y_pred))
            weights = raw_weights(self.name, raw(sample_weight, self._dtype, labels), labels)
            sample_weight = weights * (labels != ignored)
        super().update_state(y_true, y_pred, sample_weight)

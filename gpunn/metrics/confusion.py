"""Counts of right and wrong positives, precision and recall."""

from gpunn.autograd import Tensor
from gpunn.metrics.arrays import ratio
from gpunn.metrics.counts import BELOW_ALL, ThresholdCounts, checked_thresholds


class _Count(ThresholdCounts):
    """One of the four counts."""

    _counted: str

    def __init__(self, thresholds=None, name=None, dtype=None):
        super().__init__((self._counted,), checked_thresholds(thresholds), name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self._make_state((len(self.thresholds),))

    def result(self) -> Tensor:
        """The count: one number, or one per threshold."""
        be, count = self._counts(self._counted)
        return self._tensor(be, _one_or_all(count.copy()))

    def get_config(self) -> dict:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_Count):
    """How many predictions are positive, and rightly so.

    Args:
        thresholds: a number or several in [0, 1]; predictions above are positive. Default: 0.5.
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.TruePositives`.

    >>> gpunn.metrics.TruePositives()([0, 1, 1, 1], [0.0, 1.0, 0.0, 1.0]).item()
    2.0
    """

    _direction = "up"
    _counted = "true_positives"


class TrueNegatives(_Count):
    """How many predictions are negative, and rightly so.

    Args:
        thresholds: a number or several in [0, 1]; predictions above are positive. Default: 0.5.
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.TrueNegatives`.

    >>> gpunn.metrics.TrueNegatives()([0, 1, 0, 0], [1.0, 1.0, 0.0, 0.0]).item()
    2.0
    """

    _direction = "up"
    _counted = "true_negatives"


class FalsePositives(_Count):
    """How many predictions are positive, and wrongly so.

    Args:
        thresholds: a number or several in [0, 1]; predictions above are positive. Default: 0.5.
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.FalsePositives`.

    >>> gpunn.metrics.FalsePositives()([0, 1, 0, 0], [0.0, 0.0, 1.0, 1.0]).item()
    2.0
    """

    _direction = "down"
    _counted = "false_positives"


class FalseNegatives(_Count):
    """How many predictions are negative, and wrongly so.

    Args:
        thresholds: a number or several in [0, 1]; predictions above are positive. Default: 0.5.
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.FalseNegatives`.

    >>> gpunn.metrics.FalseNegatives()([0, 1, 1, 1], [0.0, 1.0, 0.0, 0.0]).item()
    2.0
    """

    _direction = "down"
    _counted = "false_negatives"


class _Share(ThresholdCounts):
    """True positives by true positives and another count."""

    _direction = "up"
    _against: str

    def __init__(self, thresholds=None, top_k=None, class_id=None, name=None, dtype=None):
        super().__init__(
            ("true_positives", self._against),
            checked_thresholds(thresholds, 0.5 if top_k is None else BELOW_ALL),
            top_k,
            class_id,
            name=name,
            dtype=dtype,
        )
        self.init_thresholds = thresholds
        self._make_state((len(self.thresholds),))

    def result(self) -> Tensor:
        """The share: one number, or one per threshold; 0 where there is nothing to share."""
        be, tp, other = self._counts(*self.kept)
        return self._tensor(be, _one_or_all(ratio(be.xp, tp, tp + other)))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


class Precision(_Share):
    """How many of the positive predictions are right: TP / (TP + FP).

    Args:
        thresholds: a number or several in [0, 1]; predictions above are positive. Default: 0.5, or
            all that are among the top k.
        top_k: only the k largest predictions of a row can be positive.
        class_id: only this class counts.
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.Precision`.

    >>> gpunn.metrics.Precision()([0, 1, 1, 1], [1.0, 0.0, 1.0, 0.0]).item()
    0.5
    """

    _against = "false_positives"


class Recall(_Share):
    """How many of the positive labels are found: TP / (TP + FN).

    Args:
        thresholds: a number or several in [0, 1]; predictions above are positive. Default: 0.5, or
            all that are among the top k.
        top_k: only the k largest predictions of a row can be positive.
        class_id: only this class counts.
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.Recall`.

    >>> gpunn.metrics.Recall()([0, 1, 1], [0.0, 1.0, 0.0]).item()
    0.5
    """

    _against = "false_negatives"


def _one_or_all(x):
    return x[0] if len(x) == 1 else x

"""The best of one rate where another is good enough: points on the curves of a classifier."""

import numpy as np

from gpunn.autograd import Tensor
from gpunn.errors import ArgumentError
from gpunn.metrics.arrays import ratio
from gpunn.metrics.counts import COUNTS, ThresholdCounts

# Each rate is (count, the other count): count / (count + other).
RATES = {
    "sensitivity": ("true_positives", "false_negatives"),
    "recall": ("true_positives", "false_negatives"),
    "specificity": ("true_negatives", "false_positives"),
    "precision": ("true_positives", "false_positives"),
}


class _BestWhere(ThresholdCounts):
    """The largest `_wanted` rate over the thresholds at which `_given` is at least a value."""

    _direction = "up"
    _wanted: str
    _given: str

    def __init__(self, value, num_thresholds=200, class_id=None, name=None, dtype=None):
        if not 0 <= value <= 1:
            raise ArgumentError(f"{self._given} must be in [0, 1], not {value!r}")
        if num_thresholds <= 0:
            raise ArgumentError(f"num_thresholds must be positive, not {num_thresholds!r}")
        last = num_thresholds - 1
        thresholds = [i / last for i in range(num_thresholds)] if last else [0.5]
        super().__init__(COUNTS, thresholds, class_id=class_id, name=name, dtype=dtype)
        self.value = value
        self.num_thresholds = num_thresholds
        setattr(self, self._given, value)
        self._make_state((num_thresholds,))

    def result(self) -> Tensor:
        """The rate, or 0 where no threshold is good enough."""
        be = self._counts(*self.kept)[0]
        wanted, given = self._rate(be.xp, self._wanted), self._rate(be.xp, self._given)
        # in float32, as Keras: sums of weights that should give 0.1 are a little above or below it
        given = given.astype("float32")
        best = be.xp.max(be.xp.where(given >= np.float32(self.value), wanted, 0.0))
        return self._tensor(be, best)

    def _rate(self, xp, name):
        count, other = (getattr(self, n).array for n in RATES[name])
        return ratio(xp, count, count + other)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            self._given: self.value,
            "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
        }


class SensitivityAtSpecificity(_BestWhere):
    """The best sensitivity TP / (TP + FN) where the specificity TN / (TN + FP) is good enough.

    Args:
        specificity: good enough, in [0, 1].
        num_thresholds: how many thresholds are tried.
        class_id: only this class counts.
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.SensitivityAtSpecificity`.

    >>> metric = gpunn.metrics.SensitivityAtSpecificity(0.5)
    >>> metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]).item()
    0.5
    """

    _wanted, _given = "sensitivity", "specificity"

    def __init__(self, specificity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)


class SpecificityAtSensitivity(_BestWhere):
    """The best specificity TN / (TN + FP) where the sensitivity TP / (TP + FN) is good enough.

    Args:
        sensitivity: good enough, in [0, 1].
        num_thresholds: how many thresholds are tried.
        class_id: only this class counts.
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.SpecificityAtSensitivity`.

    >>> metric = gpunn.metrics.SpecificityAtSensitivity(1.0)
    >>> metric([0, 0, 1, 1], [0, 0.6, 0.3, 0.8]).item()
    0.5
    """

    _wanted, _given = "specificity", "sensitivity"

    def __init__(self, sensitivity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)


class PrecisionAtRecall(_BestWhere):
    """The best precision TP / (TP + FP) where the recall TP / (TP + FN) is good enough.

    Args:
        recall: good enough, in [0, 1].
        num_thresholds: how many thresholds are tried.
        class_id: only this class counts.
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.PrecisionAtRecall`.

    >>> gpunn.metrics.PrecisionAtRecall(0.5)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]).item()
    1.0
    """

    _wanted, _given = "precision", "recall"

    def __init__(self, recall, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(recall, num_thresholds, class_id, name, dtype)


class RecallAtPrecision(_BestWhere):
    """The best recall TP / (TP + FN) where the precision TP / (TP + FP) is good enough.

    Args:
        precision: good enough, in [0, 1].
        num_thresholds: how many thresholds are tried.
        class_id: only this class counts.
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.RecallAtPrecision`.

    >>> gpunn.metrics.RecallAtPrecision(0.8)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]).item()
    0.5
    """

    _wanted, _given = "recall", "precision"

    def __init__(self, precision, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(precision, num_thresholds, class_id, name, dtype)

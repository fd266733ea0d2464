"""F-scores: the harmonic mean of precision and recall."""

from gpunn.autograd import Tensor, Variable
from gpunn.checks import check_number
from gpunn.errors import ShapeError
from gpunn.metrics.arrays import add_all, checked, parts, raw, raw_weights
from gpunn.metrics.metric import SUM_DTYPE, Metric

EPSILON = 1e-7
STATE = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")


def _largest(be, tp, fp, fn, weights, y, p, largest, w):
    _counted(be, tp, fp, fn, weights, (p >= largest) & (be.xp.absolute(p) > 1e-9), y, w)


def _above(be, tp, fp, fn, weights, y, p, threshold, w):
    _counted(be, tp, fp, fn, weights, p > threshold, y, w)


def _counted(be, tp, fp, fn, weights, chosen, y, w):
    """What each prediction counts for, by whether it is positive."""
    chosen = chosen.astype(y.dtype)
    be.copyto(tp, chosen * y * w)
    be.copyto(fp, chosen * (1.0 - y) * w)
    be.copyto(fn, (1.0 - chosen) * y * w)
    be.copyto(weights, y * w)


class FBetaScore(Metric):
    """(1 + beta²) precision recall / (beta² precision + recall), per class or averaged.

    Args:
        average: None for one score per class, "micro" for one of all counts together, "macro" for
            the mean over the classes, "weighted" for that weighted by how often they occur.
        beta: how much more recall counts than precision, over 0.
        threshold: predictions above it are positive; default: the largest of each row is.
        name, dtype: as for `Metric`.

    Raises:
        ArgumentError: for an unknown average, or a beta or threshold out of range.

    Source: Keras, `keras.metrics.FBetaScore`.

    >>> metric = gpunn.metrics.FBetaScore(beta=2.0, threshold=0.5)
    >>> metric([[1, 1], [1, 0]], [[0.6, 0.9], [0.2, 0.1]]).numpy().round(4)
    array([0.5556, 1.    ], dtype=float32)
    """

    _direction = "up"
    true_positives: Variable  # this and the rest of the state: made with the first batch

    def __init__(self, average=None, beta=1.0, threshold=None, name="fbeta_score", dtype=None):
        super().__init__(dtype, name)
        self.average = checked("average", average, (None, "micro", "macro", "weighted"))
        check_number("beta", beta, above=0)
        if threshold is not None:
            check_number("threshold", threshold, above=0, high=1)
        self.beta = float(beta)
        self.threshold = threshold

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        """Count a batch.

        Args:
            y_true: labels 0 or 1 (samples, classes).
            y_pred: predictions (samples, classes).
            sample_weight: how much each sample counts.

        Raises:
            ShapeError: if labels and predictions are not of one shape with two axes, and that with
                as many classes as before.
        """
        p = raw(y_pred, self._dtype)
        y = raw(y_true, self._dtype, beside=p)
        if p.ndim != 2 or y.shape != p.shape:
            raise ShapeError(
                f"{self.name}: expected labels and predictions (samples, classes), "
                f"got shapes {y.shape} and {p.shape}"
            )
        shape = () if self.average == "micro" else p.shape[1:]
        if not self.variables:
            for name in STATE:
                setattr(self, name, self.add_variable(shape, dtype=SUM_DTYPE, name=name))
        elif self.true_positives.shape != shape:
            raise ShapeError(
                f"{self.name}: {p.shape[1]} classes, before there were {self.true_positives.size}"
            )
        be = self._backend(p)
        if self.threshold is None:
            positive, limit = _largest, be.xp.max(p, -1, keepdims=True)
        else:
            positive, limit = _above, float(self.threshold)
        w = 1.0
        if sample_weight is not None:
            w = raw_weights(self.name, raw(sample_weight, self._dtype, beside=p), p)
        counted = be.empty((len(STATE), *p.shape), p.dtype)
        be.in_one_launch(positive, (*parts(counted), y, p, limit, w))
        sums = be.xp.sum(counted, (1, 2) if self.average == "micro" else 1)
        add_all(be, [getattr(self, name) for name in STATE], sums)

    def result(self) -> Tensor:
        """The score or scores."""
        if not self.variables:
            raise ShapeError(f"{self.name}: no batch has said how many classes there are")
        tp, fp, fn, weights = (getattr(self, name).array for name in STATE)
        be = self._backend(tp)
        precision, recall = tp / (tp + fp + EPSILON), tp / (tp + fn + EPSILON)
        square = self.beta**2
        score = (1 + square) * (precision * recall / (square * precision + recall + EPSILON))
        if self.average == "weighted":
            score = be.xp.sum(score * (weights / (be.xp.sum(weights) + EPSILON)))
        elif self.average is not None:
            score = be.xp.mean(score)
        return self._tensor(be, score)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "average": self.average,
            "beta": self.beta,
            "threshold": self.threshold,
        }


class F1Score(FBetaScore):
    """2 precision recall / (precision + recall), per class or averaged.

    Args:
        average, threshold, name, dtype: as for `FBetaScore`.

    Source: Keras, `keras.metrics.F1Score`.

    >>> metric = gpunn.metrics.F1Score(threshold=0.5)
    >>> metric([[1, 1], [1, 0]], [[0.6, 0.9], [0.2, 0.1]]).numpy().round(4)
    array([0.6667, 1.    ], dtype=float32)
    """

    def __init__(self, average=None, threshold=None, name="f1_score", dtype=None):
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["beta"]
        return config

"""True and false positives and negatives at thresholds: what classification metrics rest on."""

from functools import partial

from gpunn.autograd import primitive, wrap
from gpunn.backend.dtypes import is_float, standardize
from gpunn.errors import ArgumentError, ShapeError
from gpunn.metrics.arrays import raw, raw_pair, raw_weights
from gpunn.metrics.metric import SUM_DTYPE, Metric

COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
BELOW_ALL = -1e10  # lower than any score: what is not among the top k gets it


class ThresholdCounts(Metric):
    """A metric whose state is some of the four counts, one number per threshold.

    Args:
        kept: which counts.
        thresholds: predictions above them are positive.
        top_k: only the k largest predictions of a row can be positive.
        class_id: only this class counts.
        multi_label: whether each column is counted on its own.
        name, dtype: as for `Metric`.
    """

    def __init__(
        self,
        kept,
        thresholds,
        top_k=None,
        class_id=None,
        multi_label=False,
        name=None,
        dtype=None,
    ):
        super().__init__(dtype, name)
        self.kept = kept
        self.thresholds = list(thresholds)
        self.top_k = top_k
        self.class_id = class_id
        self.multi_label = multi_label
        self._even = evenly_spaced(self.thresholds)

    def _make_state(self, shape) -> None:
        for name in self.kept:
            setattr(self, name, self.add_variable(shape, dtype=SUM_DTYPE, name=name))

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        """Count a batch.

        Args:
            y_true: labels; all but 0 is positive.
            y_pred: probabilities, of the shape of `y_true` (but for a last axis of size 1).
            sample_weight: how much each sample counts.

        Raises:
            ShapeError: if the shapes do not fit.
        """
        dtype = self._dtype if is_float(self._dtype) else standardize(None)
        y, p = raw_pair(self.name, y_true, y_pred, dtype)
        be = self._backend(p)
        w = None
        if sample_weight is not None:
            w = raw_weights(self.name, raw(sample_weight, dtype, y), y)
        self._count(be, y, p, w)

    def _count(self, be, y, p, w) -> None:
        if self.top_k is not None:
            p = only_top_k(be, p, self.top_k)
        if self.class_id is not None:
            y, p = one_class(self.name, y, p, self.class_id)
            if w is not None and w.shape[-1] != 1:
                w = w[..., self.class_id, None]
        columns = p.shape[1] if self.multi_label else 1
        w = None if w is None else wrap(w)
        threshold_counts(
            wrap(y), wrap(p), w,
            thresholds=tuple(self.thresholds), even=self._even, columns=columns, kept=self.kept,
            update=self._add,
        )  # fmt: skip

    def _add(self, be, *found) -> None:
        """Count a batch; see `threshold_counts`."""
        state = [getattr(self, name).array for name in self.kept]
        be.in_one_launch(partial(_add_counts, kept=self.kept), (*found, *state))

    def _counts(self, *names):
        """The raw counts, and what computes with them."""
        arrays = [getattr(self, name).array for name in names]
        be = self._backend(arrays[0])
        return be, *arrays


def _add_counts(be, right, wrong, positive, negative, *state, kept):
    for name, count in zip(kept, state, strict=True):
        if name == "true_positives":
            count += right
        elif name == "false_positives":
            count += wrong
        elif name == "false_negatives":
            count += positive - right
        else:
            count += negative - wrong


@primitive
def threshold_counts(be, y, p, w, /, thresholds, even, columns, kept=COUNTS, update=None):
    """The weights of positive labels whose predictions are above each threshold.

    Args:
        y: labels; all but 0 is positive.
        p: predictions, of the shape and dtype of y.
        w: weights that y can be multiplied with, or None.
        thresholds: a tuple of numbers.
        even: whether they are evenly spaced, see `above_even`.
        columns: those of y and p that are counted each on its own; 1: all are counted together.
        kept: which of `COUNTS` `update` needs.
        update: a function `(be, right, wrong, positive, negative)` of what is above each threshold,
            of positive labels and of others, and of all such labels; None for what is not needed.
    """
    y = (y != 0).astype(p.dtype)
    positive = y if w is None else y * w
    negative = 1.0 - y if w is None else (1.0 - y) * w
    if columns == 1:
        positive, negative, p = positive.reshape(-1), negative.reshape(-1), p.reshape(-1)
    above = above_even if even else above_each
    found = above(be, p, thresholds, {"right": positive, "wrong": negative})
    if update is not None:
        sums = [
            be.xp.sum(x.astype(SUM_DTYPE), 0) if name in kept else None
            for name, x in (("false_negatives", positive), ("true_negatives", negative))
        ]
        update(be, found["right"], found["wrong"], *sums)
    return found["right"], None


def above_each(be, p, thresholds, weights):
    """Per threshold, the weights of the predictions above it: one comparison each."""
    key = ("thresholds", tuple(thresholds), p.dtype.char)
    t = be.const(key, lambda be: be.asarray(thresholds, p.dtype))
    if p.ndim == 1:
        above = (p > t[:, None]).astype(p.dtype)
        return {name: be.dot(above, w) for name, w in weights.items()}
    above = (p > t[:, None, None]).astype(p.dtype)
    return {name: be.xp.sum(above * w, 1) for name, w in weights.items()}


def above_even(be, p, thresholds, weights):
    """The same for thresholds evenly spaced in [0, 1], by a histogram of the predictions.

    Bucket i + 1 holds what lies above threshold i and not above the next. Bucket 0 holds what lies
    above none, which are zeros if the first threshold is 0 itself.
    """
    xp, count = be.xp, len(thresholds)
    p = xp.where(p > 0, xp.minimum(p, 1.0), 0.0)  # NaN is nothing
    bucket = xp.ceil(p * (count - 1)).astype("int64")
    if thresholds[0] < 0:  # 0 lies above the first threshold
        bucket = xp.maximum(bucket, 1)
    columns = 1 if p.ndim == 1 else p.shape[1]
    if columns > 1:
        bucket = bucket * columns + be.const(("arange", columns), lambda be: be.xp.arange(columns))
    bucket = bucket.reshape(-1)
    found = {}
    for name, w in weights.items():
        histogram = be.zeros((count + 1) * columns, SUM_DTYPE)
        be.scatter_add(histogram, bucket, w.reshape(-1).astype(SUM_DTYPE))
        above = xp.cumsum(histogram.reshape(count + 1, columns)[:0:-1], 0)[::-1]
        found[name] = above[:, 0] if p.ndim == 1 else above
    return found


def only_top_k(be, p, k):
    """Predictions with all but the k largest of each row set below every threshold."""
    if p.ndim == 0 or not 0 < k <= p.shape[-1]:
        raise ArgumentError(f"top_k={k} of predictions of shape {p.shape}")
    xp = be.xp
    order = xp.argsort(-p, -1, kind="stable")  # of equal ones the first counts, as in Keras
    rank = xp.argsort(order, -1)
    return xp.where(rank < k, p, BELOW_ALL).astype(p.dtype)


def one_class(name, y, p, class_id):
    """The column of a class, as (..., 1)."""
    if p.ndim < 2 or not -p.shape[-1] <= class_id < p.shape[-1]:
        raise ShapeError(
            f"{name}: class_id={class_id} needs predictions (samples, classes) with that class, "
            f"got shape {p.shape}"
        )
    return y[..., class_id, None], p[..., class_id, None]


def checked_thresholds(thresholds, default=0.5) -> list[float]:
    """One threshold or several as a list.

    Raises:
        ArgumentError: if one is not in [0, 1].
    """
    if thresholds is None:
        return [default]
    several = list(thresholds) if isinstance(thresholds, list | tuple) else [thresholds]
    bad = [t for t in several if t is None or not 0 <= t <= 1]
    if bad or not several:
        raise ArgumentError(f"thresholds must be in [0, 1], got {thresholds!r}")
    return several


def evenly_spaced(thresholds) -> bool:
    """Whether thresholds are 0, 1/n, 2/n, ..., 1 (to 1e-7 and a bit)."""
    n = len(thresholds) - 1
    return n >= 2 and all(abs(t - i / n) <= 1e-7 + 1e-5 * i / n for i, t in enumerate(thresholds))

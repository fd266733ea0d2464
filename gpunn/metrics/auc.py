"""AUC: the area under the curves of a classifier."""

from gpunn.autograd import Tensor
from gpunn.errors import ArgumentError, ShapeError
from gpunn.metrics.arrays import checked, ratio
from gpunn.metrics.counts import COUNTS, ThresholdCounts, checked_thresholds, evenly_spaced

EPSILON = 1e-7


class AUC(ThresholdCounts):
    """The area under the ROC curve (or another), from counts at a number of thresholds.

    Args:
        num_thresholds: more are more exact.
        curve: "ROC", "PR" (precision and recall) or "PRGAIN" (gains of both over chance).
        summation_method: "interpolation" (trapezoids; for PR: Davis and Goadrich 2006), "minoring"
            or "majoring" (the lower or upper sum).
        name, dtype: as for `Metric`.
        thresholds: instead of evenly spaced ones; 0 and 1 are added.
        multi_label: whether the area is the mean of those of each column.
        num_labels: how many columns; default: found in the first batch.
        label_weights: how much each column counts.
        from_logits: whether predictions are logits, of which the sigmoid is taken.

    Raises:
        ArgumentError: for an unknown curve or summation method, or thresholds that make no sense.

    Source: Keras, `keras.metrics.AUC`.

    >>> gpunn.metrics.AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]).item()
    0.75
    """

    _direction = "up"

    def __init__(
        self,
        num_thresholds=200,
        curve="ROC",
        summation_method="interpolation",
        name=None,
        dtype=None,
        thresholds=None,
        multi_label=False,
        num_labels=None,
        label_weights=None,
        from_logits=False,
    ):
        if thresholds is None:
            if num_thresholds <= 1:
                raise ArgumentError(f"num_thresholds must be over 1, not {num_thresholds!r}")
            inner = [i / (num_thresholds - 1) for i in range(1, num_thresholds - 1)]
        else:
            inner = sorted(checked_thresholds(list(thresholds)))
        if num_labels and not multi_label:
            raise ArgumentError("num_labels needs multi_label=True")
        around = [-EPSILON, *inner, 1.0 + EPSILON]
        super().__init__(COUNTS, around, multi_label=multi_label, name=name, dtype=dtype)
        self._even = thresholds is None or evenly_spaced([0.0, *inner, 1.0])
        self._given_thresholds = None if thresholds is None else inner
        self.curve = checked("curve", str(curve).upper(), ("ROC", "PR", "PRGAIN"))
        self.summation_method = checked(
            "summation_method",
            str(summation_method).lower(),
            ("interpolation", "minoring", "majoring"),
        )
        self.num_thresholds = len(around)
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else [float(w) for w in label_weights]
        self.from_logits = from_logits
        if not multi_label:
            self._make_state((len(around),))
        elif num_labels:
            self._make_state((len(around), num_labels))

    def _count(self, be, y, p, w) -> None:
        if self.multi_label:
            if p.ndim != 2:
                raise ShapeError(
                    f"{self.name}: multi_label=True needs predictions (samples, labels), "
                    f"got shape {p.shape}"
                )
            if not self.variables:
                self._make_state((self.num_thresholds, p.shape[1]))
                self._backend(p)
        if self.from_logits:
            p = 0.5 + 0.5 * be.xp.tanh(0.5 * p)
        if self.label_weights is not None and not self.multi_label:
            each = self._weights(be, p)
            w = each if w is None else w * each
        super()._count(be, y, p, w)

    def _weights(self, be, like):
        weights = tuple(self.label_weights)
        if like.shape[-1:] != (len(weights),):
            raise ShapeError(
                f"{self.name}: {len(weights)} label_weights do not fit shape {like.shape}"
            )
        key = ("label weights", weights, like.dtype.char)
        return be.const(key, lambda be: be.asarray(weights, like.dtype))

    def result(self) -> Tensor:
        """The area."""
        if not self.variables:
            raise ShapeError(f"{self.name}: no batch has said how many labels there are")
        be, tp, fp, tn, fn = self._counts(*COUNTS)
        xp = be.xp
        if self.curve == "PR" and self.summation_method == "interpolation":
            pieces = interpolated_pr(xp, tp, fp, fn)
        else:
            x, y = self._curve(xp, tp, fp, tn, fn)
            left, right = y[:-1], y[1:]
            height = {
                "interpolation": lambda: (left + right) / 2.0,
                "minoring": lambda: xp.minimum(left, right),
                "majoring": lambda: xp.maximum(left, right),
            }[self.summation_method]()
            pieces = (x[:-1] - x[1:]) * height
        areas = xp.sum(pieces, 0)
        if self.multi_label and self.label_weights is None:
            areas = xp.mean(areas)
        elif self.multi_label:
            weights = self._weights(be, areas)
            areas = ratio(xp, xp.sum(areas * weights), xp.sum(weights))
        return self._tensor(be, areas)

    def _curve(self, xp, tp, fp, tn, fn):
        if self.curve == "ROC":
            return ratio(xp, fp, fp + tn), ratio(xp, tp, tp + fn)
        if self.curve == "PR":
            return ratio(xp, tp, tp + fn), ratio(xp, tp, tp + fp)
        odds = ratio(xp, tp + fn, tn + fp)
        none = tp == 0
        recall_gain = xp.where(none, 0.0, 1.0 - odds * ratio(xp, fn, tp))
        precision_gain = xp.where(none, 1.0, 1.0 - odds * ratio(xp, fp, tp))
        return xp.maximum(recall_gain, 0.0), precision_gain

    def get_config(self) -> dict:
        config = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": self.label_weights,
            "from_logits": self.from_logits,
        }
        if self._given_thresholds is not None:
            config["thresholds"] = self._given_thresholds
        return config


def interpolated_pr(xp, tp, fp, fn):
    """Pieces of the area under precision over recall, with TP and FP linear between thresholds."""
    both = tp + fp
    dtp, dp = tp[:-1] - tp[1:], both[:-1] - both[1:]
    slope = ratio(xp, dtp, xp.maximum(dp, 0.0))
    intercept = tp[1:] - slope * both[1:]
    some = (both[:-1] > 0) & (both[1:] > 0)
    growth = xp.where(some, ratio(xp, both[:-1], xp.maximum(both[1:], 0.0)), 1.0)
    area = slope * (dtp + intercept * xp.log(growth))
    return ratio(xp, area, xp.maximum(tp[1:] + fn[1:], 0.0))

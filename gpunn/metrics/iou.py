"""Intersections over unions, and the confusion matrix they come from."""

import numpy as np

from gpunn.autograd import Tensor, primitive, wrap
from gpunn.backend.asker import asked_by
from gpunn.errors import ArgumentError, ShapeError
from gpunn.metrics.arrays import checked, ratio, raw, raw_weights
from gpunn.metrics.metric import SUM_DTYPE, Metric
from gpunn.ops.losses import check_labels

EPSILON = 1e-7


@primitive
def confusion_cells(be, y, p, w, /, classes, ignore_class=None, strict=False):
    """Where in a flat confusion matrix each sample counts, and how much.

    Args:
        y: labels.
        p: predictions, as many.
        w: weights that y can be multiplied with, or None.
        classes: rows of the matrix.
        ignore_class: a label that counts 0.
        strict: whether one out of range counts NaN, else 0; a GPU notes it then.
    """
    xp, shape = be.xp, y.shape
    y, p = y.reshape(-1).astype("int64"), p.reshape(-1).astype("int64")
    w = be.ones(y.size, SUM_DTYPE) if w is None else xp.broadcast_to(w, shape).reshape(-1)
    known = (y >= 0) & (y < classes) & (p >= 0) & (p < classes)
    w = xp.where(known, w, np.nan if strict else 0.0)
    if ignore_class is not None:
        w = xp.where(y == ignore_class, 0.0, w)
    return (xp.where(known, y * classes + p, 0), w), None


class _Matrix(Metric):
    """A metric whose state is the confusion matrix: labels along the rows.

    Args:
        num_classes: how many classes there are.
        ignore_class: a label whose samples do not count.
        sparse_y_true, sparse_y_pred: whether labels and predictions are class ids; else the largest
            along an axis is.
        axis: that axis.
        name, dtype: as for `Metric`.
    """

    _direction: str | None = "up"
    _strict = False  # whether an id out of range is an error, or left out

    def __init__(
        self,
        num_classes,
        ignore_class=None,
        sparse_y_true=True,
        sparse_y_pred=True,
        axis=-1,
        name=None,
        dtype=None,
    ):
        super().__init__(dtype, name)
        if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 1:
            raise ArgumentError(f"num_classes must be a positive integer, not {num_classes!r}")
        self.num_classes = num_classes
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable(
            (num_classes, num_classes), dtype=SUM_DTYPE, name="total_confusion_matrix"
        )

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        """Count a batch.

        Args:
            y_true: labels.
            y_pred: predictions.
            sample_weight: how much each sample counts.

        Raises:
            ShapeError: if the shapes do not fit.
        """
        p = raw(y_pred)
        y = raw(y_true, beside=p)
        be = self._backend(p)
        xp = be.xp
        if not self.sparse_y_true:
            y = xp.argmax(y, self.axis)
        if not self.sparse_y_pred:
            p = xp.argmax(p, self.axis)
        if y.size != p.size:
            raise ShapeError(
                f"{self.name}: labels of shape {y.shape} do not fit predictions of shape {p.shape}"
            )
        w = None
        if sample_weight is not None:
            w = wrap(raw_weights(self.name, raw(sample_weight, SUM_DTYPE, beside=p), y))
        self._add(be, y, p.reshape(-1), w)

    def _add(self, be, y, p, w) -> None:
        xp, n = be.xp, self.num_classes
        if self._strict:
            ids = y if self.ignore_class is None else xp.where(y == self.ignore_class, 0, y)
            be.look(check_labels, ids, n)
            be.look(check_labels, p, n)
        with asked_by(f"metric {self.name!r}"):
            cell, w = confusion_cells(
                wrap(y), wrap(p), w, classes=n, ignore_class=self.ignore_class, strict=self._strict
            )
        be.scatter_add(self.total_cm.array.reshape(-1), cell.array, w.array)

    def get_config(self) -> dict:
        names = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class ConfusionMatrix(_Matrix):
    """How often each class (row) was predicted as each (column).

    Args:
        num_classes: how many classes there are.
        normalize: "true" divides by the rows' sums, "pred" by the columns', "all" by the sum.
        ignore_class: a label whose samples do not count.
        sparse_y_true: whether labels are class ids, else the largest of a row is.
        sparse_y_pred: whether predictions are class ids; default: scores (..., classes) are.
        axis: the axis of the classes.
        name, dtype: as for `Metric`.

    Raises:
        DataError: for an id out of range: on the CPU at once, on a GPU when values are read next.

    Source: scikit-learn, `sklearn.metrics.confusion_matrix`.

    >>> metric = gpunn.metrics.ConfusionMatrix(2)
    >>> metric([0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]]).numpy()
    array([[1., 0.],
           [1., 1.]], dtype=float32)
    """

    _direction = None
    _strict = True

    def __init__(
        self,
        num_classes,
        normalize=None,
        ignore_class=None,
        sparse_y_true=True,
        sparse_y_pred=False,
        axis=-1,
        name="confusion_matrix",
        dtype=None,
    ):
        super().__init__(num_classes, ignore_class, sparse_y_true, sparse_y_pred, axis, name, dtype)
        self.normalize = checked("normalize", normalize, (None, "true", "pred", "all"))

    def result(self) -> Tensor:
        """The matrix (num_classes, num_classes)."""
        matrix = self.total_cm.array
        be = self._backend(matrix)
        if self.normalize is None:
            return self._tensor(be, matrix.copy())
        axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
        return self._tensor(be, ratio(be.xp, matrix, be.xp.sum(matrix, axis, keepdims=True)))

    def get_config(self) -> dict:
        return {**super().get_config(), "normalize": self.normalize}


class IoU(_Matrix):
    """TP / (TP + FP + FN), the mean over some classes.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes to take the mean over.
        name: as for `Metric`.
        dtype: of the result.
        ignore_class: a label whose samples do not count; ids out of range never count.
        sparse_y_true, sparse_y_pred: whether labels and predictions are class ids; else the largest
            along an axis is.
        axis: that axis.

    Raises:
        ArgumentError: for a target class that does not exist.

    Source: Keras, `keras.metrics.IoU`.

    >>> metric = gpunn.metrics.IoU(num_classes=2, target_class_ids=[0])
    >>> round(metric([0, 0, 1, 1], [0, 1, 0, 1]).item(), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes,
        target_class_ids,
        name=None,
        dtype=None,
        ignore_class=None,
        sparse_y_true=True,
        sparse_y_pred=True,
        axis=-1,
    ):
        super().__init__(num_classes, ignore_class, sparse_y_true, sparse_y_pred, axis, name, dtype)
        bad = [i for i in target_class_ids if not 0 <= i < num_classes]
        if bad:
            raise ArgumentError(f"target_class_ids {bad} are not in 0 ... {num_classes - 1}")
        self.target_class_ids = list(target_class_ids)

    def result(self) -> Tensor:
        """The mean over the target classes that occur."""
        matrix = self.total_cm.array
        be = self._backend(matrix)
        xp, n = be.xp, self.num_classes
        chosen = be.const(
            ("chosen classes", n, tuple(self.target_class_ids)),
            lambda be: be.asarray(np.array([self.target_class_ids.count(i) for i in range(n)])),
        )
        right = xp.diagonal(matrix)
        union = xp.sum(matrix, 0) + xp.sum(matrix, 1) - right
        counts = chosen * (union > 1e-9)
        total = xp.sum(counts * right / (union + EPSILON))
        return self._tensor(be, total / (xp.sum(counts) + EPSILON))

    def get_config(self) -> dict:
        return {**super().get_config(), "target_class_ids": self.target_class_ids}


class BinaryIoU(IoU):
    """The mean IoU of the classes 0 and 1, for probabilities.

    Args:
        target_class_ids: 0, 1 or both.
        threshold: predictions of at least that are 1.
        name, dtype: as for `IoU`.

    Source: Keras, `keras.metrics.BinaryIoU`.

    >>> metric = gpunn.metrics.BinaryIoU(threshold=0.3)
    >>> round(metric([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]).item(), 4)
    0.3333
    """

    def __init__(self, target_class_ids=(0, 1), threshold=0.5, name=None, dtype=None):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        p = raw(y_pred)
        y = raw(y_true, beside=p)
        super().update_state(y, p >= self.threshold, sample_weight)

    def get_config(self) -> dict:
        names = ("name", "dtype", "target_class_ids", "threshold")
        return {name: getattr(self, name) for name in names}


class MeanIoU(IoU):
    """TP / (TP + FP + FN), the mean over all classes that occur.

    Args:
        num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis: as for `IoU`.

    Source: Keras, `keras.metrics.MeanIoU`.

    >>> round(gpunn.metrics.MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1]).item(), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes,
        name=None,
        dtype=None,
        ignore_class=None,
        sparse_y_true=True,
        sparse_y_pred=True,
        axis=-1,
    ):
        classes = range(num_classes)
        super().__init__(
            num_classes, classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        )

    def get_config(self) -> dict:
        return _without(super().get_config(), "target_class_ids")


class OneHotIoU(IoU):
    """The IoU for one-hot labels.

    Args:
        num_classes, target_class_ids, name, dtype, ignore_class, axis: as for `IoU`.
        sparse_y_pred: whether predictions are class ids; default: scores.

    Source: Keras, `keras.metrics.OneHotIoU`.

    >>> metric = gpunn.metrics.OneHotIoU(num_classes=2, target_class_ids=[0])
    >>> round(metric([[1, 0], [0, 1]], [[0.8, 0.2], [0.6, 0.4]]).item(), 4)
    0.5
    """

    def __init__(
        self,
        num_classes,
        target_class_ids,
        name=None,
        dtype=None,
        ignore_class=None,
        sparse_y_pred=False,
        axis=-1,
    ):
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )

    def get_config(self) -> dict:
        return _without(super().get_config(), "sparse_y_true")


class OneHotMeanIoU(MeanIoU):
    """The mean IoU for one-hot labels.

    Args:
        num_classes, name, dtype, ignore_class, axis: as for `IoU`.
        sparse_y_pred: whether predictions are class ids; default: scores.

    Source: Keras, `keras.metrics.OneHotMeanIoU`.

    >>> metric = gpunn.metrics.OneHotMeanIoU(num_classes=2)
    >>> round(metric([[1, 0], [0, 1]], [[0.8, 0.2], [0.6, 0.4]]).item(), 4)
    0.25
    """

    def __init__(
        self, num_classes, name=None, dtype=None, ignore_class=None, sparse_y_pred=False, axis=-1
    ):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict:
        return _without(super().get_config(), "sparse_y_true")


def _without(config: dict, name: str) -> dict:
    return {key: value for key, value in config.items() if key != name}

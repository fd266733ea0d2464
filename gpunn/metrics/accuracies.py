"""Accuracies: how often predictions are right."""

import math
from collections.abc import Callable

from gpunn.autograd import Tensor, convert, primitive, wrap
from gpunn.backend.dtypes import standardize
from gpunn.checks import check_integer
from gpunn.errors import ShapeError
from gpunn.losses.loss import labels_beside
from gpunn.metrics.arrays import raw
from gpunn.metrics.reduction import MeanMetricWrapper
from gpunn.metrics.sums import equal, in_class, right_classes, right_values

# The primitives below have no gradient: they give 1.0 where a prediction is right, 0.0 elsewhere.


@primitive
def _equal(be, y_true, y_pred, /, threshold=None):
    return equal(be, y_true, y_pred, threshold), None


@primitive
def _in_class(be, y_true, y_pred, /, k=None):
    return in_class(be, y_true, y_pred, k), None


def accuracy(y_true, y_pred) -> Tensor:
    """1 where predictions equal labels, 0 elsewhere.

    Args:
        y_true: labels, of the shape of `y_pred` (but for a last axis of size 1).
        y_pred: predicted labels.

    Returns:
        One float per element.

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.metrics.Accuracy`.

    >>> gpunn.metrics.accuracy([1, 2], [1, 3]).numpy()
    array([1., 0.], dtype=float32)
    """
    return _equal(*_elementwise("accuracy", y_true, y_pred))


def binary_accuracy(y_true, y_pred, threshold=0.5) -> Tensor:
    """1 where a probability lies on its label's side of the threshold, 0 elsewhere.

    Args:
        y_true: labels 0 or 1, of the shape of `y_pred` (but for a last axis of size 1).
        y_pred: probabilities.
        threshold: predictions above it are 1.

    Returns:
        One float per element.

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.metrics.binary_accuracy`.

    >>> gpunn.metrics.binary_accuracy([1, 0], [0.7, 0.6]).numpy()
    array([1., 0.], dtype=float32)
    """
    y_true, y_pred = _elementwise("binary_accuracy", y_true, y_pred)
    return _equal(y_true, y_pred, threshold=threshold)


def categorical_accuracy(y_true, y_pred) -> Tensor:
    """1 where the largest prediction is that of the label, 0 elsewhere.

    Args:
        y_true: one-hot labels, of the shape of `y_pred`.
        y_pred: scores or probabilities (..., classes).

    Returns:
        One float per sample, (...).

    Raises:
        ShapeError: if the shapes differ.

    Source: Keras, `keras.metrics.categorical_accuracy`.

    >>> gpunn.metrics.categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.4, 0.6]]).numpy()
    array([1., 0.], dtype=float32)
    """
    return _in_class(*_one_hot("categorical_accuracy", y_true, y_pred))


def sparse_categorical_accuracy(y_true, y_pred) -> Tensor:
    """1 where the largest prediction is that of the label, 0 elsewhere.

    Args:
        y_true: labels 0 ... classes - 1, of shape (...) or (..., 1).
        y_pred: scores or probabilities (..., classes).

    Returns:
        One float per sample, (...).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.metrics.sparse_categorical_accuracy`.

    >>> gpunn.metrics.sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.4, 0.6]]).numpy()
    array([1., 0.], dtype=float32)
    """
    return _in_class(*_sparse("sparse_categorical_accuracy", y_true, y_pred))


def top_k_categorical_accuracy(y_true, y_pred, k=5) -> Tensor:
    """1 where the label is among the k largest predictions, 0 elsewhere.

    Args:
        y_true: one-hot labels, of the shape of `y_pred`.
        y_pred: scores or probabilities (..., classes).
        k: how many.

    Returns:
        One float per sample, (...).

    Raises:
        ShapeError: if the shapes differ.

    Source: Keras, `keras.metrics.top_k_categorical_accuracy`.

    >>> gpunn.metrics.top_k_categorical_accuracy([[0, 0, 1]], [[0.1, 0.6, 0.3]], k=2).numpy()
    array([1.], dtype=float32)
    """
    check_integer("top_k_categorical_accuracy: k", k, low=1)
    return _in_class(*_one_hot("top_k_categorical_accuracy", y_true, y_pred), k=k)


def sparse_top_k_categorical_accuracy(y_true, y_pred, k=5, from_sorted_ids=False) -> Tensor:
    """1 where the label is among the k largest predictions, 0 elsewhere.

    Args:
        y_true: labels 0 ... classes - 1, of shape (...) or (..., 1).
        y_pred: scores or probabilities (..., classes).
        k: how many.
        from_sorted_ids: whether `y_pred` are class ids (..., n), the best first.

    Returns:
        One float per sample, (...).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.metrics.sparse_top_k_categorical_accuracy`.

    >>> gpunn.metrics.sparse_top_k_categorical_accuracy([2], [[0.1, 0.6, 0.3]], k=2).numpy()
    array([1.], dtype=float32)
    """
    y_true, y_pred = _sparse("sparse_top_k_categorical_accuracy", y_true, y_pred)
    check_integer("sparse_top_k_categorical_accuracy: k", k, low=1)
    if from_sorted_ids:
        return _among_first(y_true, y_pred, k=k)
    return _in_class(y_true, y_pred, k=k)


@primitive
def _among_first(be, labels, ids, /, k):
    found = be.xp.any(labels[..., None] == ids[..., :k], -1)
    return found.astype(standardize(None)), None


def _elementwise(name, y_true, y_pred):
    y_pred = convert(y_pred)
    y_true = labels_beside(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        shapes = y_true.shape, y_pred.shape
        if y_true.ndim + 1 == y_pred.ndim and y_pred.shape[-1] == 1:
            y_true = y_true.reshape(y_pred.shape)
        elif y_pred.ndim + 1 == y_true.ndim and y_true.shape[-1] == 1:
            y_pred = y_pred.reshape(y_true.shape)
        if y_true.shape != y_pred.shape:
            raise _misfit(name, *shapes)
    return y_true, y_pred


def _one_hot(name, y_true, y_pred):
    y_pred = convert(y_pred)
    y_true = labels_beside(y_true, y_pred)
    if y_true.shape != y_pred.shape or not y_pred.ndim:
        raise _misfit(name, y_true.shape, y_pred.shape)
    return y_true, y_pred


def _sparse(name, y_true, y_pred):
    y_pred = convert(y_pred)
    y_true = labels_beside(y_true, y_pred)
    shape = y_pred.shape[:-1]
    if y_true.shape != shape:
        column = y_true.shape[-1:] == (1,) and y_true.size == math.prod(shape)
        if not y_pred.ndim or not column:
            raise _misfit(name, y_true.shape, y_pred.shape)
        y_true = y_true.reshape(shape)
    return y_true, y_pred


def _misfit(name, labels, predictions) -> ShapeError:
    return ShapeError(
        f"{name}: labels of shape {labels} do not fit predictions of shape {predictions}"
    )


class _Accuracy(MeanMetricWrapper):
    """The mean of an accuracy: its values and their sum are one op, and on a GPU one launch.

    Subclasses set `_op`, that op, and `_fit`, what fits labels and predictions.
    """

    _direction = "up"
    _op: Callable
    _fit: Callable

    def _count(self, y_true, y_pred, sample_weight) -> None:
        kind = type(self)
        y_true, y_pred = kind._fit(self.name, y_true, y_pred)
        self._backend(y_pred.array)
        if sample_weight is not None:
            sample_weight = wrap(raw(sample_weight, standardize(None), beside=y_pred.array))
        options = {n: v for n, v in self.options.items() if n != "from_sorted_ids"}
        kind._op(y_true, y_pred, sample_weight, **options, name=self.name, update=self._add)


class Accuracy(_Accuracy):
    """How often predictions equal labels.

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.Accuracy`.

    >>> gpunn.metrics.Accuracy()([1, 2, 3, 4], [0, 2, 3, 4]).item()
    0.75
    """

    _op, _fit = staticmethod(right_values), staticmethod(_elementwise)

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(_Accuracy):
    """How often probabilities lie on their labels' side of a threshold.

    Args:
        name, dtype: as for `Metric`.
        threshold: predictions above it are 1.

    Source: Keras, `keras.metrics.BinaryAccuracy`.

    >>> gpunn.metrics.BinaryAccuracy()([[1], [1], [0], [0]], [[0.9], [1], [0.1], [0.6]]).item()
    0.75
    """

    _op, _fit = staticmethod(right_values), staticmethod(_elementwise)

    def __init__(self, name="binary_accuracy", dtype=None, threshold=0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


class CategoricalAccuracy(_Accuracy):
    """How often the largest prediction is that of the one-hot label.

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.CategoricalAccuracy`.

    >>> gpunn.metrics.CategoricalAccuracy()([[0, 1], [1, 0]], [[0.1, 0.9], [0.4, 0.6]]).item()
    0.5
    """

    _op, _fit = staticmethod(right_classes), staticmethod(_one_hot)

    def __init__(self, name="categorical_accuracy", dtype=None):
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(_Accuracy):
    """How often the largest prediction is that of the integer label.

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.SparseCategoricalAccuracy`.

    >>> gpunn.metrics.SparseCategoricalAccuracy()([1, 0], [[0.1, 0.9], [0.4, 0.6]]).item()
    0.5
    """

    _op, _fit = staticmethod(right_classes), staticmethod(_sparse)

    def __init__(self, name="sparse_categorical_accuracy", dtype=None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(_Accuracy):
    """How often the one-hot label is among the k largest predictions.

    Args:
        k: how many.
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.TopKCategoricalAccuracy`.

    >>> gpunn.metrics.TopKCategoricalAccuracy(k=2)([[0, 0, 1]], [[0.1, 0.6, 0.3]]).item()
    1.0
    """

    _op, _fit = staticmethod(right_classes), staticmethod(_one_hot)

    def __init__(self, k=5, name="top_k_categorical_accuracy", dtype=None):
        check_integer("TopKCategoricalAccuracy: k", k, low=1)
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


class SparseTopKCategoricalAccuracy(_Accuracy):
    """How often the integer label is among the k largest predictions.

    Args:
        k: how many.
        name, dtype: as for `Metric`.
        from_sorted_ids: whether predictions are class ids, the best first.

    Source: Keras, `keras.metrics.SparseTopKCategoricalAccuracy`.

    >>> gpunn.metrics.SparseTopKCategoricalAccuracy(k=2)([2], [[0.1, 0.6, 0.3]]).item()
    1.0
    """

    _op, _fit = staticmethod(right_classes), staticmethod(_sparse)

    def __init__(
        self, k=5, name="sparse_top_k_categorical_accuracy", dtype=None, from_sorted_ids=False
    ):
        options = {"k": k, "from_sorted_ids": from_sorted_ids}
        check_integer("SparseTopKCategoricalAccuracy: k", k, low=1)
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, **options)

    def _count(self, y_true, y_pred, sample_weight) -> None:
        if self.options["from_sorted_ids"]:
            MeanMetricWrapper._count(self, y_true, y_pred, sample_weight)
        else:
            super()._count(y_true, y_pred, sample_weight)


def resolve_accuracy(y_true_shape, y_pred_shape, name="accuracy"):
    """The accuracy that "accuracy" and "acc" mean for labels and predictions of a shape.

    Args:
        y_true_shape: with or without the batch axis's true size.
        y_pred_shape: likewise.
        name: of the metric.

    Returns:
        A `BinaryAccuracy` for predictions (..., 1) or (samples,), a `SparseCategoricalAccuracy` for
        labels with fewer axes or a last axis of 1, else a `CategoricalAccuracy`.

    Source: Keras, `compile(metrics=["accuracy"])`.

    >>> type(gpunn.metrics.resolve_accuracy((32,), (32, 10))).__name__
    'SparseCategoricalAccuracy'
    """
    if len(y_pred_shape) < 2 or y_pred_shape[-1] == 1:
        return BinaryAccuracy(name)
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return SparseCategoricalAccuracy(name)
    return CategoricalAccuracy(name)

"""What means are made of: the sum of a batch's values, times their weights, and what these count.

Ops without a gradient: they return the sum and hand it with the count to `update`, which adds them
to a metric's state. A GPU does all of it in one launch.
"""

from gpunn.autograd import primitive
from gpunn.backend import backend_of
from gpunn.backend.dtypes import standardize
from gpunn.errors import ShapeError


@primitive
def mean_sums(be, values, weights, /, name="mean", update=None):
    """The sum of values.

    Args:
        values: one or more floats per sample.
        weights: how much each sample, or each value, counts; None: all the same.
        name: who asks, for the message.
        update: a function `(be, total, count)`.

    Raises:
        ShapeError: if the weights do not fit.
    """
    return summed(be, values, weights, name, update), None


@primitive
def right_values(be, y_true, y_pred, weights, /, threshold=None, name="accuracy", update=None):
    """How many predictions equal their labels, or lie on the label's side of a threshold."""
    values = equal(be, y_true, y_pred, threshold)
    return summed(be, values, weights, name, update), None


@primitive
def right_classes(be, y_true, y_pred, weights, /, k=None, name="accuracy", update=None):
    """How many rows of scores have their label's class as the largest, or among the k largest.

    Args:
        y_true: labels (...), or one-hot labels of the shape of `y_pred`.
        y_pred: scores (..., classes).
        weights, name, update: as for `mean_sums`.
        k: how many.
    """
    values = in_class(be, y_true, y_pred, k)
    return summed(be, values, weights, name, update), None


def equal(be, y_true, y_pred, threshold=None):
    """1 where predictions, or whether they are above a threshold, equal labels; 0 elsewhere."""
    right = y_true == (y_pred if threshold is None else y_pred > threshold)
    return right.astype(standardize(None))


def in_class(be, y_true, y_pred, k=None):
    """1 where the label's class is the largest of a row, or among the k largest; 0 elsewhere."""
    if y_true.ndim == y_pred.ndim:
        y_true = be.xp.argmax(y_true, -1)
    if k is not None:
        return in_top_k(be, y_true, y_pred, k)
    return (y_true == be.xp.argmax(y_pred, -1)).astype(standardize(None))


def in_top_k(be, labels, y_pred, k):
    """1 where the score of the label is among the k largest of its row, 0 elsewhere."""
    xp = be.xp
    rows, classes = y_pred.reshape(-1, y_pred.shape[-1]), y_pred.shape[-1]
    labels, shape = labels.astype("int64").reshape(-1), labels.shape
    known = (labels >= 0) & (labels < classes)
    first = be.const(("row starts", *rows.shape), lambda be: be.xp.arange(len(rows)) * classes)
    score = be.take(rows.reshape(-1), first + xp.where(known, labels, 0))
    better = xp.sum(rows > score[:, None], 1)
    found = (better < k) & known & (score == score)  # a NaN score is no good one
    return found.reshape(shape).astype(standardize(None))


def summed(be, values, weights, name, update):
    """The sum of values; `update` gets it, with what they count for."""
    if weights is not None:
        values, weights = samplewise(name, values, weights, lambda x, axes: be.xp.mean(x, axes))
        total, count = be.xp.sum(values), be.xp.sum(weights)
    else:
        n, size = values.shape[0] if values.ndim else 1, values.size
        total, count = be.dot(values.reshape(-1), be.ones(size, values.dtype)), float(n)
        total = total if n == size or not size else total * (n / size)
    if update is not None:
        update(be, total, count)
    return total


def samplewise(name, values, weights, reduce):
    """Weighted values and weights, both with one number per sample.

    As in Keras: values with more axes than the weights are reduced over those first.

    Args:
        name: who asks, for the message.
        values: raw array.
        weights: raw array.
        reduce: `reduce(x, axes)`, a mean or a sum.

    Raises:
        ShapeError: if the weights do not fit.
    """
    shapes, xp = (weights.shape, values.shape), backend_of(values).xp
    if values.ndim == weights.ndim + 1 and values.shape[-1] == 1:
        values = values.reshape(values.shape[:-1])
    elif weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
        weights = weights.reshape(weights.shape[:-1])
    if values.ndim > weights.ndim:
        values = reduce(values, tuple(range(weights.ndim, values.ndim)))
    try:
        weights = xp.broadcast_to(weights, values.shape)
    except ValueError:
        raise ShapeError(
            f"{name}: sample_weight of shape {shapes[0]} does not fit values of shape {shapes[1]}"
        ) from None
    values = values * weights
    inner = tuple(range(1, values.ndim))
    return (reduce(values, inner), reduce(weights, inner)) if inner else (values, weights)

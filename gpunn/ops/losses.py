"""Cross-entropies, each with its mean over classes and its gradient in one op.

Half-precision operands are computed in float32. Probabilities are kept within [1e-7, 1 - 1e-7], as
in Keras; where that changes one, its gradient is zero.
"""

import numpy as np

from gpunn.autograd import convert, primitive
from gpunn.backend import standardize
from gpunn.errors import DataError, ShapeError
from gpunn.ops.class_rows import (
    EPSILON,
    added_at,
    as_rows,
    from_rows,
    log_softmax_rows,
    one_a_row,
    probabilities,
    without,
)
from gpunn.ops.reduction import mean as mean_of
from gpunn.ops.reduction import wide

__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "sparse_categorical_crossentropy",
]


@primitive(promote="float")
def binary_crossentropy(
    be, target, output, /, from_logits=False, axis=None, label_smoothing=0.0, mean=False
):
    """Cross-entropy of independent yes/no labels: -t log p - (1 - t) log(1 - p).

    Args:
        target: labels in [0, 1], float, of the shape of `output`.
        output: probabilities p, or the logits x of p = sigmoid(x).
        from_logits: whether `output` are logits; no logit is too large then.
        axis: an axis to take the mean over; default: none, one value per element.
        label_smoothing: s in [0, 1): labels t become t (1 - s) + s / 2.
        mean: whether the result is the mean over all.

    Returns:
        One value per element, or the means over `axis`, or over all.

    Raises:
        ShapeError: if the shapes differ.

    Source: Keras, `keras.ops.binary_crossentropy`.

    >>> gpunn.ops.binary_crossentropy([0.0, 1.0], [0.5, 0.5]).numpy()
    array([0.6931472, 0.6931472], dtype=float32)
    """
    xp = be.xp
    _same_shapes("binary_crossentropy", target, output)
    x, t = wide(output), wide(target)
    if label_smoothing:
        t = t * (1.0 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        tail = xp.exp(-xp.abs(x))  # never overflows
        loss = _log1p(xp, tail) + xp.maximum(x, 0) - x * t
    else:
        p = xp.maximum(xp.minimum(x, 1.0 - EPSILON), EPSILON)
        q = 1.0 - p
        loss = -(t * xp.log(p) + (1.0 - t) * xp.log(q))
    n = 1 if axis is None else loss.shape[axis]
    y = loss if axis is None else _mean(be, loss, axis)
    if mean:
        y, spread = mean_of.body(be, y)

    def pullback(dy, needs):
        dt = dx = None
        if mean:
            (dy,) = spread(dy, (True,))
        if axis is not None:
            dy = dy.reshape(without(x.shape, axis, 1))
        if n != 1:
            dy = dy * (1.0 / n)
        if needs[0]:
            log_odds = x if from_logits else xp.log(p) - xp.log(q)
            dt = log_odds * dy * (label_smoothing - 1.0)
        if needs[1]:
            if from_logits:
                dx = (xp.exp(xp.minimum(x, 0)) / (1.0 + tail) - t) * dy
            else:
                dx = (p - t) / (p * q) * (p == x) * dy
        return dt, dx

    return y.astype(output.dtype, copy=False), pullback


@primitive(promote="float")
def categorical_crossentropy(
    be, target, output, /, from_logits=False, axis=-1, label_smoothing=0.0, mean=False
):
    """Cross-entropy of one label distribution per row: -sum(t log p) over the classes.

    Args:
        target: label distributions (one-hot or soft), float, of the shape of `output`.
        output: probabilities (scaled to the sum 1), or the logits x of p = softmax(x).
        from_logits: whether `output` are logits.
        axis: the axis of the classes.
        label_smoothing: s in [0, 1): labels t become t (1 - s) + s / classes.
        mean: whether the result is the mean over all rows.

    Returns:
        One value per row, the shape of `output` without `axis`; or their mean.

    Raises:
        ShapeError: if the shapes differ or have no axis of classes.

    Source: Keras, `keras.ops.categorical_crossentropy`.

    >>> gpunn.ops.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).numpy()
    array([0.6931472], dtype=float32)
    """
    _same_shapes("categorical_crossentropy", target, output)
    t, x = as_rows(be, wide(target), axis), as_rows(be, wide(output), axis)
    whole, classes = output.shape, x.shape[1]
    if label_smoothing:
        t = t * (1.0 - label_smoothing) + label_smoothing / classes
    ones = be.ones(classes, x.dtype)
    if from_logits:
        log_p, _, exp, total = log_softmax_rows(be, x)
        mass = be.dot(t, ones)
    else:
        total = be.dot(x, ones)
        q, p = probabilities(be, x, total)
        log_p = be.xp.log(p)
    y = one_a_row(-be.dot(t * log_p, ones), output, axis)
    if mean:
        y, spread = mean_of.body(be, y)

    def pullback(dy, needs):
        dt = dx = None
        if mean:
            (dy,) = spread(dy, (True,))
        dy = dy.reshape(-1)
        if needs[0]:
            dt = from_rows(be, log_p * (dy * (label_smoothing - 1.0))[:, None], whole, axis)
        if needs[1]:
            if from_logits:
                dx = exp * (mass / total * dy)[:, None] - t * dy[:, None]
            else:
                dq = t / p * (p == q)
                dx = (be.dot(dq * q, ones)[:, None] - dq) * (dy / total)[:, None]
            dx = from_rows(be, dx, whole, axis)
        return dt, dx

    return y, pullback


@primitive
def sparse_categorical_crossentropy(
    be, target, output, /, from_logits=False, axis=-1, ignore_class=None, mean=False
):
    """Cross-entropy of one integer label per row: -log p[label].

    A label that is out of range raises on the CPU. On a GPU, where looking at the labels would stop
    the program until the device is done, the loss and the gradient of its row are NaN, and the
    error comes when values are read next.

    Args:
        target: labels 0 ... classes - 1, of the shape of `output` without `axis` (an axis of
            size 1 may stand in its place).
        output: probabilities (scaled to the sum 1), or the logits x of p = softmax(x).
        from_logits: whether `output` are logits.
        axis: the axis of the classes.
        ignore_class: a label (any number) whose rows count 0 and get no gradient.
        mean: whether the result is the mean over all rows.

    Returns:
        One value per row, or their mean.

    Raises:
        ShapeError: if the shapes do not fit.
        DataError: on the CPU, for a label out of range, with the first such label and its row.

    Source: Keras, `keras.ops.sparse_categorical_crossentropy`.

    >>> gpunn.ops.sparse_categorical_crossentropy([1], [[0.5, 0.5]]).numpy()
    array([0.6931472], dtype=float32)
    """
    xp = be.xp
    if output.dtype.kind in "biu":
        output = output.astype(standardize(None))
    shape = without(output.shape, axis)
    if target.shape != shape and target.shape != without(output.shape, axis, 1):
        raise ShapeError(
            f"sparse_categorical_crossentropy: expected labels of shape {shape} for predictions of "
            f"shape {output.shape} with the classes along axis {axis}, got {target.shape}"
            + ("; one-hot labels go to categorical_crossentropy" * (target.shape == output.shape))
        )
    x, labels = as_rows(be, wide(output), axis), target.reshape(-1)
    whole, (n, classes) = output.shape, x.shape
    counts = None
    if ignore_class is not None:
        counts = labels != ignore_class
        labels = xp.where(counts, labels, 0)
        x = xp.where(counts[:, None], x, 1)
    if be.kind == "cpu":
        be.look(check_labels, labels.reshape(shape), classes)
        labels = labels.astype("int64", copy=False)
    else:  # never a wrong number in silence, and no look at the device
        labels, poison = be.in_range(labels, classes, x.dtype)
        counts = poison if counts is None else counts * poison
    first = be.const(("row starts", n, classes), lambda be: be.xp.arange(n) * classes)
    chosen = first + labels

    if from_logits:
        _, top, exp, total = log_softmax_rows(be, x, False)
        y = xp.log(total) + top - be.take(x.reshape(-1), chosen)
    else:
        total = be.dot(x, be.ones(classes, x.dtype))
        q, p = probabilities(be, be.take(x.reshape(-1), chosen), total)
        y = -xp.log(p)
    if counts is not None:
        y = y * counts
    y = one_a_row(y, output, axis)
    if mean:
        y, spread = mean_of.body(be, y)

    def pullback(dy, needs):
        if not needs[1]:
            return None, None
        if mean:
            (dy,) = spread(dy, (True,))
        dy = dy.reshape(-1)
        if counts is not None:
            dy = dy * counts
        if from_logits:
            dx = exp * (dy / total)[:, None]
            at_label = -dy
        else:
            g = dy / total * (p == q)
            dx = xp.broadcast_to(g[:, None], (n, classes)).copy()
            at_label = -g / p
        dx = added_at(be, dx, labels, chosen, at_label)
        return None, from_rows(be, dx, whole, axis)

    return y, pullback


def sigmoid_cross_entropy(labels, logits):
    """Cross-entropy of yes/no labels from logits, one value per element, stable for any logit.

    max(x, 0) - x t + log(1 + exp(-|x|)), which is -t log p - (1 - t) log(1 - p), p = sigmoid(x)

    Args:
        labels: labels t in [0, 1], of the shape of `logits`.
        logits: the logits x.

    Returns:
        One value per element.

    Raises:
        ShapeError: if the shapes differ.

    >>> gpunn.ops.sigmoid_cross_entropy([1.0, 0.0], [1000.0, 0.0]).numpy()
    array([0.       , 0.6931472], dtype=float32)
    """
    return binary_crossentropy(labels, logits, from_logits=True)


def softmax_cross_entropy(labels, logits, axis=-1):
    """Cross-entropy from logits, of integer labels or label distributions, stable for any logit.

    log(sum(exp(x))) - x[label], or for distributions t: -sum(t log softmax(x))

    Args:
        labels: integers of the shape of `logits` without `axis`, or distributions of its shape.
        logits: the logits x.
        axis: the axis of the classes.

    Returns:
        One value per row.

    Raises:
        ShapeError: if the shapes do not fit.
        DataError: for a label out of range; on a GPU when values are read next.

    >>> gpunn.ops.softmax_cross_entropy([1], [[0.0, 1000.0]]).numpy()
    array([0.], dtype=float32)
    """
    labels, logits = convert(labels), convert(logits)
    dense = labels.ndim == logits.ndim
    op = categorical_crossentropy if dense else sparse_categorical_crossentropy
    return op(labels, logits, from_logits=True, axis=axis)


def check_labels(labels: np.ndarray, classes: int) -> None:
    """Refuse integer labels out of range, on the host.

    Args:
        labels: a NumPy array of any shape and number type.
        classes: how many classes there are.

    Raises:
        DataError: with the first bad label and its row.

    >>> gpunn.ops.losses.check_labels(np.array([0, 3]), 3)
    Traceback (most recent call last):
    gpunn.errors.DataError: label 3 in row 1 of its batch ...
    """
    if labels.size == 0:
        return
    if labels.dtype.kind == "i" and labels.itemsize >= 4:  # negative is huge there: one look
        if labels.view(f"u{labels.itemsize}").max() < classes:
            return
    elif labels.min() >= 0 and labels.max() < classes:  # False for NaN
        return
    row = tuple(int(i) for i in np.argwhere(~((labels >= 0) & (labels < classes)))[0])
    where = row[0] if len(row) == 1 else row
    raise DataError(
        f"label {labels[row]} in row {where} of its batch is out of range: "
        f"expected labels 0 ... {classes - 1} for {classes} classes"
    )


def _same_shapes(name, target, output):
    shape = getattr(target, "shape", ())
    if shape != getattr(output, "shape", ()):
        raise ShapeError(
            f"{name}: labels of shape {shape} do not fit predictions of shape {output.shape}"
        )


def _log1p(xp, x):
    """log(1 + x) to the last bits, x >= 0: five times faster than NumPy's own."""
    y = 1.0 + x
    return xp.log(y) + (x - (y - 1.0)) / y


def _mean(be, x, axis):
    """The mean along an axis: a product with ones where it is the last."""
    n = x.shape[axis]
    if n == 1:
        return x.reshape(without(x.shape, axis))
    if axis in (-1, x.ndim - 1):
        return be.dot(x, be.ones(n, x.dtype)) / n
    return be.xp.sum(x, axis) / n

"""Losses of probabilities: cross-entropies and their relatives, as functions."""

import warnings

from gpunn import ops
from gpunn.autograd import cast, convert
from gpunn.backend import backend_of
from gpunn.losses.loss import labels_beside, pair
from gpunn.losses.terms import divergences, poisson_terms, reduced_terms
from gpunn.ops.class_rows import EPSILON
from gpunn.ops.losses import check_labels


def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """mean(-t log p - (1 - t) log(1 - p)) over an axis.

    Args:
        y_true: labels t in [0, 1], of the shape of `y_pred` (but for a last axis of size 1).
        y_pred: probabilities p, or the logits of p = sigmoid(logits).
        from_logits: whether `y_pred` are logits.
        label_smoothing: s in [0, 1): labels t become t (1 - s) + s / 2.
        axis: the axis of the mean.

    Returns:
        One value per sample.

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.losses.binary_crossentropy`.

    >>> gpunn.losses.binary_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).numpy()
    array([0.6931472], dtype=float32)
    """
    y_true, y_pred = pair("binary_crossentropy", y_true, y_pred)
    return ops.binary_crossentropy(
        y_true, y_pred, from_logits=from_logits, axis=axis, label_smoothing=label_smoothing
    )


def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """-sum(t log p) over the classes.

    Args:
        y_true: one-hot labels or label distributions t, of the shape of `y_pred`.
        y_pred: probabilities p (scaled to the sum 1), or the logits of p = softmax(logits).
        from_logits: whether `y_pred` are logits.
        label_smoothing: s in [0, 1): labels t become t (1 - s) + s / classes.
        axis: the axis of the classes.

    Returns:
        One value per sample.

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.losses.categorical_crossentropy`.

    >>> gpunn.losses.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).numpy()
    array([0.6931472], dtype=float32)
    """
    y_true, y_pred = pair("categorical_crossentropy", y_true, y_pred)
    _warn_if_one_class("categorical_crossentropy", y_pred, axis)
    return ops.categorical_crossentropy(
        y_true, y_pred, from_logits=from_logits, axis=axis, label_smoothing=label_smoothing
    )


def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, ignore_class=None, axis=-1):
    """-log p[label], for integer labels.

    Args:
        y_true: labels 0 ... classes - 1, of the shape of `y_pred` without the axis of the classes
            (or with 1 in its place).
        y_pred: probabilities p (scaled to the sum 1), or the logits of p = softmax(logits).
        from_logits: whether `y_pred` are logits.
        ignore_class: a label (any number) whose samples cost 0.
        axis: the axis of the classes.

    Returns:
        One value per sample.

    Raises:
        ShapeError: if the shapes do not fit.
        DataError: for a label out of range; on a GPU when values are read next.

    Source: Keras, `keras.losses.sparse_categorical_crossentropy`.

    >>> gpunn.losses.sparse_categorical_crossentropy([1], [[0.5, 0.5]]).numpy()
    array([0.6931472], dtype=float32)
    """
    y_pred = convert(y_pred)
    return ops.sparse_categorical_crossentropy(
        labels_beside(y_true, y_pred),
        y_pred,
        from_logits=from_logits,
        axis=axis,
        ignore_class=ignore_class,
    )


def binary_focal_crossentropy(
    y_true,
    y_pred,
    apply_class_balancing=False,
    alpha=0.25,
    gamma=2.0,
    from_logits=False,
    label_smoothing=0.0,
    axis=-1,
):
    """The mean over an axis of (1 - p_t)^gamma times the binary cross-entropy.

    p_t = t p + (1 - t)(1 - p) is the probability given to the label.

    Args:
        y_true: labels t in [0, 1], of the shape of `y_pred` (but for a last axis of size 1).
        y_pred: probabilities p, or the logits of p = sigmoid(logits).
        apply_class_balancing: whether to weigh labels 1 by alpha and labels 0 by 1 - alpha.
        alpha: that weight.
        gamma: how much easy samples are discounted.
        from_logits: whether `y_pred` are logits.
        label_smoothing: s in [0, 1): labels t become t (1 - s) + s / 2.
        axis: the axis of the mean.

    Returns:
        One value per sample.

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Lin et al. 2018, "Focal loss for dense object detection"; Keras,
    `keras.losses.binary_focal_crossentropy`.

    >>> gpunn.losses.binary_focal_crossentropy([[1.0]], [[0.5]]).numpy()
    array([0.1732868], dtype=float32)
    """
    y_true, y_pred = pair("binary_focal_crossentropy", y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        y_pred = ops.sigmoid(y_pred)
    missing = 1.0 - (y_true * y_pred + (1.0 - y_true) * (1.0 - y_pred))
    loss = ops.power(missing, gamma) * ops.binary_crossentropy(y_true, y_pred)
    if apply_class_balancing:
        loss = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * loss
    return ops.mean(loss, axis=axis)


def categorical_focal_crossentropy(
    y_true, y_pred, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1
):
    """-sum(alpha (1 - p)^gamma t log p) over the classes.

    Args:
        y_true: one-hot labels or label distributions t, of the shape of `y_pred`.
        y_pred: probabilities p (scaled to the sum 1), or the logits of p = softmax(logits).
        alpha: a weight: one number, or one per class.
        gamma: how much easy samples are discounted.
        from_logits: whether `y_pred` are logits.
        label_smoothing: s in [0, 1): labels t become t (1 - s) + s / classes.
        axis: the axis of the classes.

    Returns:
        One value per sample.

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Lin et al. 2018, "Focal loss for dense object detection"; Keras,
    `keras.losses.categorical_focal_crossentropy`.

    >>> gpunn.losses.categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).numpy()
    array([0.0433217], dtype=float32)
    """
    y_true, y_pred = pair("categorical_focal_crossentropy", y_true, y_pred)
    _warn_if_one_class("categorical_focal_crossentropy", y_pred, axis)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_pred.shape[axis]
    if from_logits:
        y_pred = ops.softmax(y_pred, axis=axis)
    p = y_pred / ops.sum(y_pred, axis=axis, keepdims=True)
    p = ops.clip(p, EPSILON, 1.0 - EPSILON)
    return -ops.sum(alpha * ops.power(1.0 - p, gamma) * y_true * ops.log(p), axis=axis)


def categorical_generalized_cross_entropy(y_true, y_pred, q):
    """(1 - p[label]^q) / q, for integer labels: between cross-entropy (q -> 0) and MAE (q = 1).

    Args:
        y_true: labels 0 ... classes - 1, of the shape of `y_pred` without its last axis (or with 1
            in its place).
        y_pred: probabilities p (..., classes).
        q: in (0, 1); larger is less troubled by wrong labels.

    Returns:
        One value per sample.

    Raises:
        DataError: for a label out of range; on a GPU when values are read next.

    Source: Zhang and Sabuncu 2018, "Generalized cross entropy loss for training deep neural
    networks with noisy labels"; Keras, `keras.losses.categorical_generalized_cross_entropy`.

    >>> gpunn.losses.categorical_generalized_cross_entropy([1], [[0.75, 0.25]], q=0.5).numpy()
    array([1.], dtype=float32)
    """
    y_pred = convert(y_pred)
    labels = labels_beside(y_true, y_pred)
    if labels.ndim == y_pred.ndim:
        labels = ops.squeeze(labels, -1)
    classes = y_pred.shape[-1]
    be = backend_of(labels.array)
    if y_pred.device.kind == "cpu":
        be.look(check_labels, labels.array, classes)
    else:
        be.in_range(labels.array, classes, "float32")  # notes what is not
    labels = cast(labels, "int32")
    one_hot = ops.one_hot(labels, classes, dtype=y_pred.dtype.name)
    # a label that is out of range is no class at all: NaN, since no device is asked here
    p = ops.sum(y_pred * one_hot, axis=-1) / ops.sum(one_hot, axis=-1)
    return (1.0 - ops.power(p, q)) / q


def kl_divergence(y_true, y_pred):
    """sum(t log(t / p)) over the last axis, of values kept within [1e-7, 1].

    Args:
        y_true: label distributions t, of the shape of `y_pred`.
        y_pred: probabilities p (..., classes).

    Returns:
        One value per sample, (...).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.losses.kl_divergence`.

    >>> gpunn.losses.kl_divergence([[0.5, 0.5]], [[0.5, 0.5]]).numpy()
    array([0.], dtype=float32)
    """
    return reduced_terms(
        *pair("kl_divergence", y_true, y_pred, spread=True), divergences, total=True
    )


def poisson(y_true, y_pred):
    """mean(y_pred - y_true log(y_pred + 1e-7)) over the last axis.

    Args:
        y_true: counts, of the shape of `y_pred` (but for a last axis of size 1).
        y_pred: rates (..., n), not negative.

    Returns:
        One value per sample, (...).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.losses.poisson`.

    >>> gpunn.losses.poisson([[0.0, 2.0]], [[1.0, 1.0]]).numpy()
    array([0.9999999], dtype=float32)
    """
    return reduced_terms(*pair("poisson", y_true, y_pred, spread=True), poisson_terms)


def _warn_if_one_class(name, y_pred, axis):
    if y_pred.shape[axis] == 1:
        warnings.warn(
            f"{name}: predictions of shape {y_pred.shape} have one class, whose loss is always 0; "
            "two classes in one number go to binary_crossentropy",
            SyntaxWarning,
            stacklevel=3,
        )

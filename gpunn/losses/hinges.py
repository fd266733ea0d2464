"""Hinge losses: margins for labels -1 and 1 (or 0 and 1)."""

from gpunn import ops
from gpunn.losses.loss import LossFunctionWrapper, pair
from gpunn.losses.terms import margins, reduced_terms, squared_margins


def _signs(y_true):
    """Labels that are all 0 or 1 as -1 or 1; others as they are. Decided on the device."""
    binary = ops.all(ops.logical_or(y_true == 0, y_true == 1))
    return ops.where(binary, 2.0 * y_true - 1.0, y_true)


def hinge(y_true, y_pred):
    """mean(max(1 - y_true y_pred, 0)) over the last axis.

    Args:
        y_true: labels -1 or 1 (all of them 0 or 1 are read as that), of the shape of `y_pred`.
        y_pred: predictions (..., n).

    Returns:
        One value per sample, (...).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.losses.hinge`.

    >>> gpunn.losses.hinge([[1.0, -1.0]], [[0.5, -2.0]]).numpy()
    array([0.25], dtype=float32)
    """
    y_true, y_pred = pair("hinge", y_true, y_pred, spread=True)
    return reduced_terms(_signs(y_true), y_pred, margins)


def squared_hinge(y_true, y_pred):
    """mean(max(1 - y_true y_pred, 0)²) over the last axis.

    Args:
        y_true: labels -1 or 1 (all of them 0 or 1 are read as that), of the shape of `y_pred`.
        y_pred: predictions (..., n).

    Returns:
        One value per sample, (...).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.losses.squared_hinge`.

    >>> gpunn.losses.squared_hinge([[1.0, -1.0]], [[0.5, -2.0]]).numpy()
    array([0.125], dtype=float32)
    """
    y_true, y_pred = pair("squared_hinge", y_true, y_pred, spread=True)
    return reduced_terms(_signs(y_true), y_pred, squared_margins)


def categorical_hinge(y_true, y_pred):
    """max(neg - pos + 1, 0): pos = sum(y_true y_pred), neg = max((1 - y_true) y_pred).

    Args:
        y_true: one-hot labels, of the shape of `y_pred`.
        y_pred: scores (..., classes).

    Returns:
        One value per sample, (...).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.losses.categorical_hinge`.

    >>> gpunn.losses.categorical_hinge([[0.0, 1.0]], [[0.5, 0.75]]).numpy()
    array([0.75], dtype=float32)
    """
    y_true, y_pred = pair("categorical_hinge", y_true, y_pred)
    right = ops.sum(y_true * y_pred, axis=-1)
    wrong = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)


class Hinge(LossFunctionWrapper):
    """max(1 - y_true y_pred, 0), for labels -1 and 1, or 0 and 1.

    Args:
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.Hinge`.

    >>> gpunn.losses.Hinge()([[1.0]], [[0.5]]).item()
    0.5
    """

    def __init__(self, reduction="sum_over_batch_size", name="hinge", dtype=None):
        super().__init__(hinge, reduction, name, dtype)


class SquaredHinge(LossFunctionWrapper):
    """max(1 - y_true y_pred, 0)², for labels -1 and 1, or 0 and 1.

    Args:
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.SquaredHinge`.

    >>> gpunn.losses.SquaredHinge()([[1.0]], [[0.5]]).item()
    0.25
    """

    def __init__(self, reduction="sum_over_batch_size", name="squared_hinge", dtype=None):
        super().__init__(squared_hinge, reduction, name, dtype)


class CategoricalHinge(LossFunctionWrapper):
    """max(best wrong score - right score + 1, 0), for one-hot labels.

    Args:
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.CategoricalHinge`.

    >>> gpunn.losses.CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.75]]).item()
    0.75
    """

    def __init__(self, reduction="sum_over_batch_size", name="categorical_hinge", dtype=None):
        super().__init__(categorical_hinge, reduction, name, dtype)

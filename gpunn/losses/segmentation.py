"""Losses of overlap, for segmentation."""

from gpunn import ops
from gpunn.losses.loss import LossFunctionWrapper, pair

EPSILON = 1e-7


def dice(y_true, y_pred, axis=None):
    """1 - 2 sum(t p) / (sum(t) + sum(p) + 1e-7).

    Args:
        y_true: labels t in [0, 1], of the shape of `y_pred`.
        y_pred: probabilities p.
        axis: the axes to sum over; default: all, which gives one number for the whole batch.

    Returns:
        One value per what is left of the axes.

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Milletari et al. 2016, "V-Net"; Keras, `keras.losses.dice`.

    >>> gpunn.losses.dice([[1.0, 0.0]], [[0.5, 0.5]]).item()
    0.5
    """
    y_true, y_pred = pair("dice", y_true, y_pred)
    both = ops.sum(y_true * y_pred, axis=axis)
    either = ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis)
    return 1.0 - 2.0 * both / (either + EPSILON)


def tversky(y_true, y_pred, alpha=0.5, beta=0.5, axis=None):
    """1 - TP / (TP + alpha FP + beta FN + 1e-7).

    As in Keras, alpha weighs sum((1 - p) t) and beta sum(p (1 - t)).

    Args:
        y_true: labels t in [0, 1], of the shape of `y_pred`.
        y_pred: probabilities p.
        alpha, beta: what the two kinds of error count; 0.5 each is `dice`.
        axis: the axes to sum over; default: all, which gives one number for the whole batch.

    Returns:
        One value per what is left of the axes.

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Salehi et al. 2017, "Tversky loss function"; Keras, `keras.losses.tversky`.

    >>> round(gpunn.losses.tversky([[1.0, 0.0]], [[0.5, 0.5]]).item(), 4)
    0.5
    """
    y_true, y_pred = pair("tversky", y_true, y_pred)
    both = ops.sum(y_true * y_pred, axis=axis)
    missed = ops.sum((1.0 - y_pred) * y_true, axis=axis)
    invented = ops.sum(y_pred * (1.0 - y_true), axis=axis)
    return 1.0 - both / (both + alpha * missed + beta * invented + EPSILON)


class Dice(LossFunctionWrapper):
    """1 - the Dice coefficient of labels and probabilities.

    Args:
        reduction, name: as for `Loss`.
        axis: the axes to sum over; default: all. `(1, 2, 3)` for one value per image.
        dtype: as for `Loss`.

    Source: Keras, `keras.losses.Dice`.

    >>> gpunn.losses.Dice()([[1.0, 0.0]], [[0.5, 0.5]]).item()
    0.5
    """

    def __init__(self, reduction="sum_over_batch_size", name="dice", axis=None, dtype=None):
        super().__init__(dice, reduction, name, dtype, axis=axis)


class Tversky(LossFunctionWrapper):
    """1 - the Tversky index of labels and probabilities.

    Args:
        alpha, beta: what missed and invented positives count.
        reduction, name: as for `Loss`.
        axis: the axes to sum over; default: all. `(1, 2, 3)` for one value per image.
        dtype: as for `Loss`.

    Source: Keras, `keras.losses.Tversky`.

    >>> round(gpunn.losses.Tversky(alpha=0.3, beta=0.7)([[1.0, 0.0]], [[0.5, 0.5]]).item(), 4)
    0.5
    """

    def __init__(
        self,
        alpha=0.5,
        beta=0.5,
        reduction="sum_over_batch_size",
        name="tversky",
        axis=None,
        dtype=None,
    ):
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)

"""How well predictions go along with labels."""

from gpunn import ops
from gpunn.autograd import Tensor
from gpunn.losses.loss import pair
from gpunn.metrics.reduction import MeanMetricWrapper

EPSILON = 1e-7


def pearson_correlation(y_true, y_pred, axis=-1) -> Tensor:
    """The correlation coefficient along an axis: mean(u v) of both scaled to mean 0 and std 1.

    Args:
        y_true: labels, of the shape of `y_pred`.
        y_pred: predictions.
        axis: the axis of what is compared.

    Returns:
        One value in [-1, 1] per sample; NaN where one of the two is constant.

    Source: Keras, `keras.metrics.pearson_correlation`.

    >>> gpunn.metrics.pearson_correlation([[0.0, 1.0]], [[1.0, 3.0]]).numpy()
    array([1.], dtype=float32)
    """
    y_true, y_pred = pair("pearson_correlation", y_true, y_pred)
    y_true = y_true - ops.mean(y_true, axis=axis, keepdims=True)
    y_pred = y_pred - ops.mean(y_pred, axis=axis, keepdims=True)
    scale = ops.std(y_true, axis=axis, keepdims=True) * ops.std(y_pred, axis=axis, keepdims=True)
    return ops.mean(y_true * y_pred / scale, axis=axis)


def concordance_correlation(y_true, y_pred, axis=-1) -> Tensor:
    """Lin's concordance: 2 covariance / (variances + squared distance of the means + 1e-7).

    Args:
        y_true: labels, of the shape of `y_pred`.
        y_pred: predictions.
        axis: the axis of what is compared.

    Returns:
        One value in [-1, 1] per sample.

    Source: Lin 1989, "A concordance correlation coefficient"; Keras,
    `keras.metrics.concordance_correlation`.

    >>> gpunn.metrics.concordance_correlation([[0.0, 2.0]], [[0.0, 2.0]]).numpy().round(4)
    array([1.], dtype=float32)
    """
    y_true, y_pred = pair("concordance_correlation", y_true, y_pred)
    true_mean = ops.mean(y_true, axis=axis, keepdims=True)
    pred_mean = ops.mean(y_pred, axis=axis, keepdims=True)
    covariance = (y_true - pred_mean) * (y_pred - pred_mean)
    spread = (
        ops.var(y_true, axis=axis, keepdims=True)
        + ops.var(y_pred, axis=axis, keepdims=True)
        + ops.square(true_mean - pred_mean)
    )
    return ops.mean(2.0 * covariance / (spread + EPSILON), axis=axis)


class PearsonCorrelation(MeanMetricWrapper):
    """The correlation coefficient of labels and predictions, the mean over the samples.

    Args:
        name, dtype: as for `Metric`.
        axis: the axis of what is compared.

    Source: Keras, `keras.metrics.PearsonCorrelation`.

    >>> gpunn.metrics.PearsonCorrelation()([[0.0, 1.0]], [[1.0, 3.0]]).item()
    1.0
    """

    _direction = "up"

    def __init__(self, name="pearson_correlation", dtype=None, axis=-1):
        super().__init__(pearson_correlation, name, dtype, axis=axis)


class ConcordanceCorrelation(MeanMetricWrapper):
    """Lin's concordance of labels and predictions, the mean over the samples.

    Args:
        name, dtype: as for `Metric`.
        axis: the axis of what is compared.

    Source: Keras, `keras.metrics.ConcordanceCorrelation`.

    >>> round(gpunn.metrics.ConcordanceCorrelation()([[0.0, 2.0]], [[0.0, 2.0]]).item(), 4)
    1.0
    """

    _direction = "up"

    def __init__(self, name="concordance_correlation", dtype=None, axis=-1):
        super().__init__(concordance_correlation, name, dtype, axis=axis)

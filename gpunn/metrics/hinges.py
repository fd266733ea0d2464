"""Hinge losses as metrics."""

from gpunn.losses import categorical_hinge, hinge, squared_hinge
from gpunn.metrics.reduction import MeanMetricWrapper


class Hinge(MeanMetricWrapper):
    """mean(max(1 - y_true y_pred, 0)), for labels -1 and 1, or 0 and 1.

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.Hinge`.

    >>> gpunn.metrics.Hinge()([[1.0]], [[0.5]]).item()
    0.5
    """

    _direction = "down"

    def __init__(self, name="hinge", dtype=None):
        super().__init__(hinge, name, dtype)


class SquaredHinge(MeanMetricWrapper):
    """mean(max(1 - y_true y_pred, 0)²), for labels -1 and 1, or 0 and 1.

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.SquaredHinge`.

    >>> gpunn.metrics.SquaredHinge()([[1.0]], [[0.5]]).item()
    0.25
    """

    _direction = "down"

    def __init__(self, name="squared_hinge", dtype=None):
        super().__init__(squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """max(best wrong score - right score + 1, 0), for one-hot labels.

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.CategoricalHinge`.

    >>> gpunn.metrics.CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.75]]).item()
    0.75
    """

    _direction = "down"

    def __init__(self, name="categorical_hinge", dtype=None):
        super().__init__(categorical_hinge, name, dtype)

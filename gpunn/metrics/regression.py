"""How far predicted numbers are from the labels."""

from gpunn import ops
from gpunn.autograd import Tensor, Variable, no_grad, wrap
from gpunn.errors import ArgumentError, ShapeError
from gpunn.losses import cosine_similarity as cosine_loss
from gpunn.losses import (
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from gpunn.losses.terms import reduced_terms, squares
from gpunn.metrics.arrays import add, add_all, checked, parts, raw, raw_pair, raw_weights
from gpunn.metrics.metric import SUM_DTYPE, Metric
from gpunn.metrics.reduction import Mean, MeanMetricWrapper


class MeanSquaredError(MeanMetricWrapper):
    """mean((y_true - y_pred)²).

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.MeanSquaredError`.

    >>> gpunn.metrics.MeanSquaredError()([[0.0, 1.0]], [[1.0, 1.0]]).item()
    0.5
    """

    _direction = "down"

    def __init__(self, name="mean_squared_error", dtype=None):
        super().__init__(mean_squared_error, name, dtype)


class RootMeanSquaredError(Mean):
    """sqrt(mean((y_true - y_pred)²)), the mean over all batches.

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.RootMeanSquaredError`.

    >>> gpunn.metrics.RootMeanSquaredError()([[0.0, 1.0]], [[2.0, 3.0]]).item()
    2.0
    """

    _direction = "down"

    def __init__(self, name="root_mean_squared_error", dtype=None):
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:  # type: ignore[override]
        """Count a batch.

        Args:
            y_true: labels, of the shape of `y_pred` (but for a last axis of size 1).
            y_pred: predictions.
            sample_weight: how much each sample counts.
        """
        y, p = (wrap(x[..., None]) for x in raw_pair(self.name, y_true, y_pred, self._dtype))
        with no_grad():
            super().update_state(reduced_terms(y, p, squares), sample_weight)

    def result(self) -> Tensor:
        """The root of the mean."""
        return ops.sqrt(super().result())


class MeanAbsoluteError(MeanMetricWrapper):
    """mean(|y_true - y_pred|).

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.MeanAbsoluteError`.

    >>> gpunn.metrics.MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 1.0]]).item()
    0.5
    """

    _direction = "down"

    def __init__(self, name="mean_absolute_error", dtype=None):
        super().__init__(mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """100 mean(|y_true - y_pred| / |y_true|).

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.MeanAbsolutePercentageError`.

    >>> gpunn.metrics.MeanAbsolutePercentageError()([[2.0]], [[1.0]]).item()
    50.0
    """

    _direction = "down"

    def __init__(self, name="mean_absolute_percentage_error", dtype=None):
        super().__init__(mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """mean((log(y_true + 1) - log(y_pred + 1))²).

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.MeanSquaredLogarithmicError`.

    >>> gpunn.metrics.MeanSquaredLogarithmicError()([[1.0]], [[1.0]]).item()
    0.0
    """

    _direction = "down"

    def __init__(self, name="mean_squared_logarithmic_error", dtype=None):
        super().__init__(mean_squared_logarithmic_error, name, dtype)


class LogCoshError(MeanMetricWrapper):
    """mean(log(cosh(y_pred - y_true))).

    Args:
        name, dtype: as for `Metric`.

    Source: Keras, `keras.metrics.LogCoshError`.

    >>> gpunn.metrics.LogCoshError()([[1.0]], [[1.0]]).item()
    0.0
    """

    _direction = "down"

    def __init__(self, name="logcosh", dtype=None):
        super().__init__(log_cosh, name, dtype)


def cosine_similarity(y_true, y_pred, axis=-1) -> Tensor:
    """sum(u v) of the vectors y_true and y_pred scaled to length 1: 1 is the same direction.

    Args:
        y_true: labels, of the shape of `y_pred`.
        y_pred: predictions.
        axis: the axis of the vectors.

    Returns:
        One value in [-1, 1] per vector: the negative of the loss of this name.

    Source: Keras, `keras.metrics.CosineSimilarity`.

    >>> gpunn.metrics.cosine_similarity([[0.0, 2.0]], [[0.0, 1.0]]).numpy()
    array([1.], dtype=float32)
    """
    return -cosine_loss(y_true, y_pred, axis)


class CosineSimilarity(MeanMetricWrapper):
    """The cosine of the angle between labels and predictions: 1 is the same direction.

    Args:
        name, dtype: as for `Metric`.
        axis: the axis of the vectors.

    Source: Keras, `keras.metrics.CosineSimilarity`.

    >>> gpunn.metrics.CosineSimilarity()([[0.0, 2.0]], [[0.0, 1.0]]).item()
    1.0
    """

    _direction = "up"

    def __init__(self, name="cosine_similarity", dtype=None, axis=-1):
        super().__init__(cosine_similarity, name, dtype, axis=axis)


def _squares(be, squares, values, residuals, counts, y, p, w):
    """What R2Score sums up, for each label."""
    y, p = y.astype(SUM_DTYPE), p.astype(SUM_DTYPE)
    error = y - p
    be.copyto(squares, y * y * w)
    be.copyto(values, y * w)
    be.copyto(residuals, error * error * w)
    be.copyto(counts, w)


class R2Score(Metric):
    """1 - sum((y - p)²) / sum((y - mean(y))²): how much of the labels' variance is explained.

    Args:
        class_aggregation: "uniform_average" of the columns, "variance_weighted_average", or None
            for one score per column.
        num_regressors: how many inputs the adjusted score is for; default 0: not adjusted.
        name, dtype: as for `Metric`.

    Raises:
        ArgumentError: for an unknown aggregation or a negative number of regressors.

    Source: Keras, `keras.metrics.R2Score`.

    >>> gpunn.metrics.R2Score()([[1.0], [2.0], [3.0]], [[1.0], [2.0], [4.0]]).item()
    0.5
    """

    _direction = "up"
    sum: Variable  # this and the next three: made with the first batch
    squared_sum: Variable
    residual: Variable
    count: Variable

    def __init__(
        self, class_aggregation="uniform_average", num_regressors=0, name="r2_score", dtype=None
    ):
        super().__init__(dtype, name)
        self.class_aggregation = checked(
            "class_aggregation",
            class_aggregation,
            (None, "uniform_average", "variance_weighted_average"),
        )
        if num_regressors < 0:
            raise ArgumentError(f"num_regressors must not be negative, got {num_regressors!r}")
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable((), dtype=SUM_DTYPE, name="num_samples")

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        """Count a batch.

        Args:
            y_true: labels (samples, columns) or (samples,).
            y_pred: predictions of that shape (but for a last axis of size 1).
            sample_weight: how much each sample counts.

        Raises:
            ShapeError: if the shapes do not fit.
        """
        y, p = raw_pair(self.name, y_true, y_pred, self._dtype)
        if p.ndim == 1:
            y, p = y[:, None], p[:, None]
        if p.ndim != 2:
            raise ShapeError(
                f"{self.name}: expected predictions (samples, columns), got shape {p.shape}"
            )
        names = ("squared_sum", "sum", "residual", "count")
        if not hasattr(self, "count"):
            for name in names:
                setattr(self, name, self.add_variable(p.shape[1:], dtype=SUM_DTYPE, name=name))
        elif self.count.shape != p.shape[1:]:
            raise ShapeError(
                f"{self.name}: {p.shape[1]} columns, before there were {self.count.size}"
            )
        be = self._backend(p)
        w = 1.0
        if sample_weight is not None:
            w = raw_weights(self.name, raw(sample_weight, beside=p), p)
        counted = be.empty((len(names), *p.shape), SUM_DTYPE)
        be.in_one_launch(_squares, (*parts(counted), y, p, w))
        add_all(be, [getattr(self, name) for name in names], be.xp.sum(counted, 1))
        add(self.num_samples, y.size)

    def result(self) -> Tensor:
        """The score or scores."""
        if not hasattr(self, "count"):
            raise ShapeError(f"{self.name}: no batch has said how many columns there are")
        be = self._backend(self.count.array)
        xp = be.xp
        total = self.squared_sum.array - self.sum.array**2 / self.count.array
        constant = total == 0
        scores = 1.0 - self.residual.array / xp.where(constant, 1.0, total)
        perfect = self.residual.array == 0  # of a constant: all or nothing, as in scikit-learn
        scores = xp.where(constant, xp.where(perfect, 1.0, 0.0), scores)
        if self.class_aggregation == "uniform_average":
            scores = xp.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = xp.sum(total * scores) / xp.sum(total)
        if self.num_regressors:
            # too few samples to adjust for: the plain score
            free = self.num_samples.array - self.num_regressors - 1.0
            adjusted = 1.0 - (1.0 - scores) * (self.num_samples.array - 1.0) / xp.maximum(free, 1.0)
            scores = xp.where(free > 0, adjusted, scores)
        return self._tensor(be, scores)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }

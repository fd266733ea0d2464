"""Losses of numbers: how far predictions are from the labels."""

from gpunn import ops
from gpunn.losses.loss import LossFunctionWrapper, pair
from gpunn.losses.terms import (
    MeanOfTerms,
    distances,
    huber_terms,
    log_cosh_terms,
    percents,
    reduced_terms,
    squared_logarithms,
    squares,
)


def mean_squared_error(y_true, y_pred):
    """mean((y_true - y_pred)²) over the last axis.

    Args:
        y_true: labels, of the shape of `y_pred` (but for a last axis of size 1).
        y_pred: predictions (..., n).

    Returns:
        One value per sample, (...).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.losses.mean_squared_error`.

    >>> gpunn.losses.mean_squared_error([[0.0, 2.0]], [[1.0, 2.0]]).numpy()
    array([0.5], dtype=float32)
    """
    return reduced_terms(*pair("mean_squared_error", y_true, y_pred, spread=True), squares)


def mean_absolute_error(y_true, y_pred):
    """mean(|y_true - y_pred|) over the last axis.

    Args:
        y_true: labels, of the shape of `y_pred` (but for a last axis of size 1).
        y_pred: predictions (..., n).

    Returns:
        One value per sample, (...).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.losses.mean_absolute_error`.

    >>> gpunn.losses.mean_absolute_error([[0.0, 2.0]], [[1.0, 2.0]]).numpy()
    array([0.5], dtype=float32)
    """
    return reduced_terms(*pair("mean_absolute_error", y_true, y_pred, spread=True), distances)


def mean_absolute_percentage_error(y_true, y_pred):
    """100 mean(|y_true - y_pred| / max(|y_true|, 1e-7)) over the last axis.

    Args:
        y_true: labels, of the shape of `y_pred` (but for a last axis of size 1).
        y_pred: predictions (..., n).

    Returns:
        One value per sample, (...).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.losses.mean_absolute_percentage_error`.

    >>> gpunn.losses.mean_absolute_percentage_error([[2.0]], [[1.0]]).numpy()
    array([50.], dtype=float32)
    """
    return reduced_terms(
        *pair("mean_absolute_percentage_error", y_true, y_pred, spread=True), percents
    )


def mean_squared_logarithmic_error(y_true, y_pred):
    """mean((log(y_true + 1) - log(y_pred + 1))²) over the last axis, of values kept above 1e-7.

    Args:
        y_true: labels, of the shape of `y_pred` (but for a last axis of size 1).
        y_pred: predictions (..., n).

    Returns:
        One value per sample, (...).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.losses.mean_squared_logarithmic_error`.

    >>> gpunn.losses.mean_squared_logarithmic_error([[0.0]], [[0.0]]).numpy()
    array([0.], dtype=float32)
    """
    operands = pair("mean_squared_logarithmic_error", y_true, y_pred, spread=True)
    return reduced_terms(*operands, squared_logarithms)


def cosine_similarity(y_true, y_pred, axis=-1):
    """-sum(u v) of the vectors y_true and y_pred scaled to length 1: -1 is the same direction.

    Args:
        y_true: labels, of the shape of `y_pred`.
        y_pred: predictions.
        axis: the axis of the vectors.

    Returns:
        One value in [-1, 1] per vector; 0 where one of the two is zero.

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.losses.cosine_similarity`.

    >>> gpunn.losses.cosine_similarity([[0.0, 2.0]], [[0.0, 1.0]]).numpy()
    array([-1.], dtype=float32)
    """
    y_true, y_pred = pair("cosine_similarity", y_true, y_pred)
    return -ops.sum(ops.normalize(y_true, axis=axis) * ops.normalize(y_pred, axis=axis), axis=axis)


def huber(y_true, y_pred, delta=1.0):
    """The mean over the last axis of e²/2 where |e| <= delta, and delta (|e| - delta/2) beyond.

    Args:
        y_true: labels, of the shape of `y_pred` (but for a last axis of size 1).
        y_pred: predictions (..., n); e = y_pred - y_true.
        delta: where the square turns into a line.

    Returns:
        One value per sample, (...).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Huber 1964, "Robust estimation of a location parameter"; Keras, `keras.losses.huber`.

    >>> gpunn.losses.huber([[0.0]], [[3.0]]).numpy()
    array([2.5], dtype=float32)
    """
    return reduced_terms(*pair("huber", y_true, y_pred, spread=True), huber_terms, (float(delta),))


def log_cosh(y_true, y_pred):
    """mean(log(cosh(y_pred - y_true))) over the last axis: e²/2 when small, |e| - log 2 when large.

    Args:
        y_true: labels, of the shape of `y_pred` (but for a last axis of size 1).
        y_pred: predictions (..., n).

    Returns:
        One value per sample, (...).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Keras, `keras.losses.log_cosh`.

    >>> gpunn.losses.log_cosh([[0.0]], [[100.0]]).numpy().round(2)
    array([99.31], dtype=float32)
    """
    return reduced_terms(*pair("log_cosh", y_true, y_pred, spread=True), log_cosh_terms)


class MeanSquaredError(MeanOfTerms):
    """mean((y_true - y_pred)²).

    Args:
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.MeanSquaredError`.

    >>> gpunn.losses.MeanSquaredError()([[0.0, 1.0]], [[1.0, 1.0]]).item()
    0.5
    """

    _term = staticmethod(squares)

    def __init__(self, reduction="sum_over_batch_size", name="mean_squared_error", dtype=None):
        super().__init__(mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(MeanOfTerms):
    """mean(|y_true - y_pred|).

    Args:
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.MeanAbsoluteError`.

    >>> gpunn.losses.MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 1.0]]).item()
    0.5
    """

    _term = staticmethod(distances)

    def __init__(self, reduction="sum_over_batch_size", name="mean_absolute_error", dtype=None):
        super().__init__(mean_absolute_error, reduction, name, dtype)


class MeanAbsolutePercentageError(MeanOfTerms):
    """100 mean(|y_true - y_pred| / |y_true|).

    Args:
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.MeanAbsolutePercentageError`.

    >>> gpunn.losses.MeanAbsolutePercentageError()([[2.0]], [[1.0]]).item()
    50.0
    """

    _term = staticmethod(percents)

    def __init__(
        self, reduction="sum_over_batch_size", name="mean_absolute_percentage_error", dtype=None
    ):
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(MeanOfTerms):
    """mean((log(y_true + 1) - log(y_pred + 1))²).

    Args:
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.MeanSquaredLogarithmicError`.

    >>> gpunn.losses.MeanSquaredLogarithmicError()([[1.0]], [[1.0]]).item()
    0.0
    """

    _term = staticmethod(squared_logarithms)

    def __init__(
        self, reduction="sum_over_batch_size", name="mean_squared_logarithmic_error", dtype=None
    ):
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


class CosineSimilarity(LossFunctionWrapper):
    """-cos of the angle between y_true and y_pred: -1 is the same direction.

    Args:
        axis: the axis of the vectors.
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.CosineSimilarity`.

    >>> gpunn.losses.CosineSimilarity()([[0.0, 2.0]], [[0.0, 1.0]]).item()
    -1.0
    """

    def __init__(
        self, axis=-1, reduction="sum_over_batch_size", name="cosine_similarity", dtype=None
    ):
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)


class Huber(MeanOfTerms):
    """e²/2 for small errors, a line for those beyond delta.

    Args:
        delta: where the square turns into a line.
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.Huber`.

    >>> gpunn.losses.Huber(delta=2.0)([[0.0]], [[3.0]]).item()
    4.0
    """

    _term = staticmethod(huber_terms)

    def __init__(self, delta=1.0, reduction="sum_over_batch_size", name="huber_loss", dtype=None):
        super().__init__(huber, reduction, name, dtype, delta=delta)


class LogCosh(MeanOfTerms):
    """log(cosh(y_pred - y_true)).

    Args:
        reduction, name, dtype: as for `Loss`.

    Source: Keras, `keras.losses.LogCosh`.

    >>> gpunn.losses.LogCosh()([[1.0]], [[1.0]]).item()
    0.0
    """

    _term = staticmethod(log_cosh_terms)

    def __init__(self, reduction="sum_over_batch_size", name="log_cosh", dtype=None):
        super().__init__(log_cosh, reduction, name, dtype)

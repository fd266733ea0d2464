"""Metrics, as in `keras.metrics`: state on the device, counted batch by batch.

>>> metric = gpunn.metrics.get("mse")
>>> metric.update_state([[0.0]], [[2.0]])
>>> metric.result().item()
4.0
"""

from gpunn.losses import FUNCTIONS as LOSSES
from gpunn.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from gpunn.metrics.accuracies import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    resolve_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from gpunn.metrics.auc import AUC
from gpunn.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from gpunn.metrics.correlation import (
    ConcordanceCorrelation,
    PearsonCorrelation,
    concordance_correlation,
    pearson_correlation,
)
from gpunn.metrics.f_score import F1Score, FBetaScore
from gpunn.metrics.hinges import CategoricalHinge, Hinge, SquaredHinge
from gpunn.metrics.iou import (
    BinaryIoU,
    ConfusionMatrix,
    IoU,
    MeanIoU,
    OneHotIoU,
    OneHotMeanIoU,
)
from gpunn.metrics.metric import Metric
from gpunn.metrics.operating import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from gpunn.metrics.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
)
from gpunn.metrics.reduction import Mean, MeanMetricWrapper, Sum
from gpunn.metrics.regression import (
    CosineSimilarity,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    R2Score,
    RootMeanSquaredError,
    cosine_similarity,
)
from gpunn.serialization import Registry

CLASSES = (
    AUC,
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    BinaryIoU,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    ConfusionMatrix,
    CosineSimilarity,
    F1Score,
    FBetaScore,
    FalseNegatives,
    FalsePositives,
    Hinge,
    IoU,
    KLDivergence,
    LogCoshError,
    Mean,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanIoU,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    OneHotIoU,
    OneHotMeanIoU,
    PearsonCorrelation,
    Poisson,
    Precision,
    PrecisionAtRecall,
    R2Score,
    Recall,
    RecallAtPrecision,
    RootMeanSquaredError,
    SensitivityAtSpecificity,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    SpecificityAtSensitivity,
    SquaredHinge,
    Sum,
    TopKCategoricalAccuracy,
    TrueNegatives,
    TruePositives,
)
FUNCTIONS = (
    accuracy,
    binary_accuracy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_accuracy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    concordance_correlation,
    cosine_similarity,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    pearson_correlation,
    poisson,
    sparse_categorical_accuracy,
    sparse_categorical_crossentropy,
    sparse_top_k_categorical_accuracy,
    squared_hinge,
    top_k_categorical_accuracy,
)
SHORT_NAMES = {
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
    "rmse": RootMeanSquaredError,
}
REGISTRY = Registry(
    "metric",
    Metric,
    (*CLASSES, MeanMetricWrapper),
    {**SHORT_NAMES, **{name.upper(): cls for name, cls in SHORT_NAMES.items()}},
)
_FUNCTION_NAMES = {fn.__name__: fn for fn in (*LOSSES, *FUNCTIONS)}


def get(identifier):
    """The metric that an identifier stands for.

    Args:
        identifier: a name ("mse", "auc", "AUC"), a config, a Metric, any function of labels and
            predictions, or None. What "accuracy" means depends on the shapes: `resolve_accuracy`.

    Raises:
        ArgumentError: for an unknown name, with the nearest that are known.

    Source: Keras, `keras.metrics.get`.

    >>> gpunn.metrics.get("precision")
    <Precision name=precision>
    """
    return deserialize(identifier) if isinstance(identifier, dict) else REGISTRY.get(identifier)


def serialize(metric):
    """The config of a metric, from which `deserialize` makes its like; the name of a function.

    Source: Keras, `keras.metrics.serialize`.

    >>> gpunn.metrics.serialize(gpunn.metrics.Mean())["class_name"]
    'Mean'
    """
    config = REGISTRY.serialize(metric)
    if type(metric) is MeanMetricWrapper:
        config["config"]["fn"] = REGISTRY.serialize(metric.fn)
    return config


def deserialize(config, custom_objects=None):
    """The metric of a config that `serialize` made.

    Args:
        config: such a config, or a name.
        custom_objects: classes and functions of yours by name.

    Raises:
        SerializationError: if it is no such config.
        ArgumentError: for an unknown name.

    Source: Keras, `keras.metrics.deserialize`.

    >>> config = gpunn.metrics.serialize(gpunn.metrics.Precision(top_k=2))
    >>> gpunn.metrics.deserialize(config).top_k
    2
    """
    inner = config.get("config") if isinstance(config, dict) else None
    if isinstance(inner, dict) and isinstance(inner.get("fn"), str | dict):
        known = {**_FUNCTION_NAMES, **(custom_objects or {})}
        fn = REGISTRY.deserialize(inner["fn"], known)
        config = {**config, "config": {**inner, "fn": fn}}
    return REGISTRY.deserialize(config, custom_objects)


__all__ = [
    *sorted(cls.__name__ for cls in CLASSES),
    *sorted(fn.__name__ for fn in FUNCTIONS),
    "MeanMetricWrapper",
    "Metric",
    "deserialize",
    "get",
    "resolve_accuracy",
    "serialize",
]

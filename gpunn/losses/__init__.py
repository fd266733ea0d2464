"""Losses, as in `keras.losses`: classes with a reduction, and functions with one value per sample.

>>> loss = gpunn.losses.get("mse")
>>> loss([[0.0]], [[2.0]]).numpy()
array([4.], dtype=float32)
"""

from gpunn.losses.alignment import CTC, ctc
from gpunn.losses.crossentropy import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
)
from gpunn.losses.embeddings import Circle, circle
from gpunn.losses.hinges import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from gpunn.losses.loss import Loss, LossFunctionWrapper
from gpunn.losses.probabilistic import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from gpunn.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from gpunn.losses.segmentation import Dice, Tversky, dice, tversky
from gpunn.serialization import Registry

CLASSES = (
    CTC,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    Circle,
    CosineSimilarity,
    Dice,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    Tversky,
)
FUNCTIONS = (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    categorical_hinge,
    circle,
    cosine_similarity,
    ctc,
    dice,
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
    tversky,
)
SHORT_NAMES = {
    "bce": binary_crossentropy,
    "kld": kl_divergence,
    "mae": mean_absolute_error,
    "mape": mean_absolute_percentage_error,
    "mse": mean_squared_error,
    "msle": mean_squared_logarithmic_error,
}
REGISTRY = Registry(
    "loss",
    Loss,
    (*CLASSES, LossFunctionWrapper),
    {
        **{fn.__name__: fn for fn in FUNCTIONS},
        **SHORT_NAMES,
        **{name.upper(): fn for name, fn in SHORT_NAMES.items()},
    },
    module="gpunn.losses",
)


def get(identifier):
    """The loss that an identifier stands for.

    Args:
        identifier: a name ("mse", "huber", "Huber"; the names of functions give functions), a
            config, a Loss, any function of labels and predictions, or None.

    Raises:
        ArgumentError: for an unknown name, with the nearest that are known.

    Source: Keras, `keras.losses.get`.

    >>> gpunn.losses.get("Huber")
    <Huber name=huber_loss>
    """
    return deserialize(identifier) if isinstance(identifier, dict) else REGISTRY.get(identifier)


def serialize(loss):
    """The config of a loss, from which `deserialize` makes its like; the name of a function.

    Source: Keras, `keras.losses.serialize`.

    >>> gpunn.losses.serialize(gpunn.losses.huber)
    'huber'
    """
    config = REGISTRY.serialize(loss)
    if type(loss) is LossFunctionWrapper:
        config["config"]["fn"] = REGISTRY.serialize(loss.fn)
    return config


def deserialize(config, custom_objects=None):
    """The loss of a config that `serialize` made.

    Args:
        config: such a config, or a name.
        custom_objects: classes and functions of yours by name.

    Raises:
        SerializationError: if it is no such config.
        ArgumentError: for an unknown name.

    Source: Keras, `keras.losses.deserialize`.

    >>> gpunn.losses.deserialize(gpunn.losses.serialize(gpunn.losses.Huber(delta=2.0))).delta
    2.0
    """
    inner = config.get("config") if isinstance(config, dict) else None
    if isinstance(inner, dict) and isinstance(inner.get("fn"), str | dict):
        fn = REGISTRY.deserialize(inner["fn"], custom_objects)
        config = {**config, "config": {**inner, "fn": fn}}
    return REGISTRY.deserialize(config, custom_objects)


def resolve_crossentropy(y_true_shape, y_pred_shape) -> Loss:
    """The cross-entropy that "crossentropy" and "ce" mean for labels and predictions of a shape.

    >>> gpunn.losses.resolve_crossentropy((32,), (32, 10))
    <SparseCategoricalCrossentropy name=sparse_categorical_crossentropy>
    """
    if len(y_pred_shape) < 2 or y_pred_shape[-1] == 1:
        return BinaryCrossentropy()
    one = len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1
    return SparseCategoricalCrossentropy() if one else CategoricalCrossentropy()


__all__ = [
    *sorted(cls.__name__ for cls in CLASSES),
    *sorted(fn.__name__ for fn in FUNCTIONS),
    "Loss",
    "LossFunctionWrapper",
    "deserialize",
    "get",
    "resolve_crossentropy",
    "serialize",
]

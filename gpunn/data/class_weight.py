"""Weights of samples by their class."""

from numbers import Real

import numpy as np

from gpunn.backend import backend_of
from gpunn.errors import ArgumentError, ArgumentTypeError


def weights_of_classes(y, class_weight: dict, dtype, whole=True) -> np.ndarray:
    """The weight of each row of y by its class; 1 for a class that has none.

    Args:
        y: labels (n,) or (n, 1), or one-hot rows (n, classes).
        class_weight: a dict from class to weight.
        dtype: of the weights.
        whole: whether y holds all labels there are, not only those of a batch.

    Returns:
        (n,), on the host.

    Raises:
        ArgumentError: for a class that one-hot rows do not have, for a weight that is no number,
            or if y has none of the classes.
        ArgumentTypeError: if it is no dict from integers.

    Source: keras' `class_weight`.

    >>> weights_of_classes(np.array([0, 1, 1]), {1: 3.0}, "float32")
    array([1., 3., 3.], dtype=float32)
    """
    if not isinstance(class_weight, dict):
        raise ArgumentTypeError(
            f"class_weight must be a dict from class to weight, got {class_weight!r}"
        )
    for label, weight in class_weight.items():
        if isinstance(label, bool) or not isinstance(label, int | np.integer):
            raise ArgumentTypeError(f"class_weight: classes are integers, got {label!r}")
        if not isinstance(weight, Real) or not np.isfinite(float(weight)):
            raise ArgumentError(f"class_weight: the weight of class {label} is {weight!r}")
    labels = backend_of(y).to_numpy(y)
    if labels.ndim > 1 and labels.shape[-1] != 1:
        classes = labels.shape[-1]
        strange = [label for label in class_weight if not 0 <= label < classes]
        if strange:
            raise ArgumentError(
                f"class_weight: y has the classes 0 to {classes - 1}, not {strange[0]}"
            )
        labels = labels.argmax(-1)
    elif labels.ndim > 1:
        labels = labels[..., 0]
    present, where = np.unique(np.round(labels).astype(np.int64), return_inverse=True)
    if whole and class_weight and not set(present.tolist()) & set(class_weight):
        raise ArgumentError(
            f"class_weight has the classes {sorted(class_weight)}, y none of them: it has "
            f"{present[:8].tolist()}{' ...' if len(present) > 8 else ''}"
        )
    weights = np.array([class_weight.get(label, 1.0) for label in present.tolist()], dtype)
    return weights[where.reshape(labels.shape)]

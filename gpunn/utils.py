"""Small helpers, and others under the name that Keras has for them (`keras.utils`)."""

import random

import numpy as np

from gpunn import backend, ops
from gpunn.autograd import KerasTensor, Tensor
from gpunn.backend import standardize_dtype
from gpunn.data.batch_source import pack_x_y_sample_weight, unpack_x_y_sample_weight
from gpunn.data.directory import image_dataset_from_directory, text_dataset_from_directory
from gpunn.data.pictures import array_to_img, img_to_array, load_img, save_img
from gpunn.data.py_dataset import PyDataset
from gpunn.data.sequences import pad_sequences
from gpunn.data.split import split_dataset
from gpunn.data.timeseries import timeseries_dataset_from_array
from gpunn.datasets.get_file import get_file
from gpunn.errors import ArgumentError, ArgumentTypeError, DTypeError
from gpunn.guard import guard_functions
from gpunn.layers import clear_session
from gpunn.models.drawing import plot_model
from gpunn.models.feature_space import FeatureSpace
from gpunn.serialization import custom_object_scope
from gpunn.serialization import deserialize_value as deserialize_keras_object
from gpunn.serialization import register_serializable as register_keras_serializable
from gpunn.serialization import registered_name as get_registered_name
from gpunn.serialization import registered_object as get_registered_object
from gpunn.serialization import registered_objects as get_custom_objects
from gpunn.serialization import serialize_value as serialize_keras_object
from gpunn.training.progbar import Progbar
from gpunn.training.progress import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)

CustomObjectScope = custom_object_scope
Sequence = PyDataset  # what it was called before Keras 3

__all__ = [
    "CustomObjectScope",
    "FeatureSpace",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "load_img",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]


def to_categorical(x, num_classes=None):
    """Class numbers as rows of zeros with a 1 at their place.

    Args:
        x: integers of any shape; a last axis of size 1 is dropped.
        num_classes: length of the rows. Default: the largest number plus one.

    Returns:
        A float64 NumPy array; of a tensor, a tensor of `floatx`.

    Raises:
        ArgumentError: if a number is not between 0 and num_classes - 1.

    Source: `keras.utils.to_categorical`.

    >>> gpunn.utils.to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    classes = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
    try:
        classes = classes.astype(np.int64)
    except (ValueError, TypeError) as e:
        raise DTypeError(f"to_categorical: expected class numbers, got {x!r}") from e
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    if num_classes is None:
        num_classes = int(classes.max(initial=-1)) + 1
    if classes.size and not (classes.min() >= 0 and classes.max() < num_classes):
        raise ArgumentError(
            f"to_categorical: expected class numbers from 0 to {num_classes - 1}, got "
            f"{classes.min()} to {classes.max()}"
        )
    if isinstance(x, Tensor):
        return ops.one_hot(ops.reshape(x, classes.shape), num_classes)
    return np.eye(num_classes)[classes]


def is_keras_tensor(x) -> bool:
    """Whether x is a symbolic tensor, as `Input` gives them.

    Source: `keras.utils.is_keras_tensor`.

    >>> gpunn.utils.is_keras_tensor(gpunn.Input((3,))), gpunn.utils.is_keras_tensor(np.ones(3))
    (True, False)
    """
    return isinstance(x, KerasTensor)


def get_source_inputs(tensor) -> list:
    """The `Input`s that a symbolic tensor is made of, each once, in the order of the calls.

    Args:
        tensor: what layers or ops made of an `Input`.

    Raises:
        ArgumentTypeError: if it is not symbolic.

    Source: `keras.utils.get_source_inputs`.

    >>> a, b = gpunn.Input((3,)), gpunn.Input((3,))
    >>> [x is y for x, y in zip(gpunn.utils.get_source_inputs(a * b + a), (a, b))]
    [True, True]
    """
    if not isinstance(tensor, KerasTensor):
        raise ArgumentTypeError(
            f"get_source_inputs takes a symbolic tensor, of an Input, not {tensor!r}"
        )
    found: list = []
    seen, waiting = set(), [tensor]
    while waiting:
        x = waiting.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if x.made_by is None or not x.made_by.inputs:
            found.append(x)
        else:
            waiting += reversed(x.made_by.inputs)
    return found


def normalize(x, axis=-1, order=2):
    """The vectors along an axis divided by their norm; those of norm 0 stay.

    Args:
        x: array or tensor.
        axis: Default: the last.
        order: of the norm. Default: 2.

    Returns:
        A NumPy array of an array, a tensor of a tensor.

    Source: `keras.utils.normalize`.

    >>> gpunn.utils.normalize(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    if isinstance(x, Tensor):
        return ops.normalize(x, axis=axis, order=order)
    x = np.asarray(x)
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(norm == 0, 1, norm)


def set_random_seed(seed: int) -> None:
    """Seed gpunn, NumPy's global generator and Python's `random`.

    Args:
        seed: an integer from 0 to 2**32 - 1.

    Raises:
        ArgumentError: if it is not.

    Source: `keras.utils.set_random_seed`.

    >>> gpunn.utils.set_random_seed(42)
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ArgumentError(
            f"set_random_seed: expected an integer from 0 to 2**32 - 1, not {seed!r}"
        )
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the global generator is what is asked for
    backend.set_seed(seed)


guard_functions(globals())

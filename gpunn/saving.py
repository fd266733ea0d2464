"""Saving and loading, under Keras' name (`keras.saving`); it lives in `gpunn.models`."""

from gpunn.guard import guard_functions
from gpunn.models.keras_files import save_keras
from gpunn.models.saving import load_model, save_model
from gpunn.serialization import (
    custom_object_scope,
    deserialize_value,
    register_serializable,
    registered_name,
    registered_object,
    registered_objects,
    serialize_value,
)


def save_weights(model, filepath, overwrite=True) -> None:
    """Write the weights of a model to a file.

    Args:
        model, filepath, overwrite: see `Model.save_weights`, which this calls.

    Source: keras.saving.save_weights.

    >>> import tempfile
    >>> model = gpunn.Sequential([gpunn.Input((2,)), gpunn.layers.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gpunn.saving.save_weights(model, f"{folder}/model.weights.h5")
    ...     gpunn.saving.load_weights(model, f"{folder}/model.weights.h5")
    """
    model.save_weights(filepath, overwrite)


def load_weights(model, filepath, skip_mismatch=False) -> None:
    """Give a model the weights of a file.

    Args:
        model, filepath, skip_mismatch: see `Model.load_weights`, which this calls.

    Source: keras.saving.load_weights.
    """
    model.load_weights(filepath, skip_mismatch)


CustomObjectScope = custom_object_scope
register_keras_serializable = register_serializable
get_registered_name = registered_name
get_registered_object = registered_object
get_custom_objects = registered_objects
serialize_keras_object = serialize_value
deserialize_keras_object = deserialize_value

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "register_serializable",
    "save_keras",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]

guard_functions(globals())

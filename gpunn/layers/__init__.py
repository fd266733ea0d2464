"""Layers: weights, and functions of tensors that use them (Keras: `keras.layers`)."""

from gpunn.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from gpunn.layers.dense import Dense
from gpunn.layers.embedding import Embedding
from gpunn.layers.input import Input, InputLayer
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.layer import Layer
from gpunn.layers.naming import clear_session
from gpunn.layers.normalization import BatchNormalization, LayerNormalization
from gpunn.layers.policy import DTypePolicy, dtype_policy, set_dtype_policy
from gpunn.layers.preprocessing import Normalization, Rescaling
from gpunn.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from gpunn.layers.shaping import Flatten, Permute, RepeatVector, Reshape
from gpunn.serialization import Registry

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "BatchNormalization",
    "DTypePolicy",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "Input",
    "InputLayer",
    "InputSpec",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Normalization",
    "PReLU",
    "Permute",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "clear_session",
    "deserialize",
    "dtype_policy",
    "get",
    "serialize",
    "set_dtype_policy",
]

REGISTRY = Registry(
    "layer",
    Layer,
    [v for v in list(globals().values()) if isinstance(v, type) and Layer in v.__mro__[1:]],
    module="gpunn.layers",
)


def get(identifier):
    """The layer that a class, name or config stands for; a layer itself.

    Raises:
        ArgumentError: for an unknown name.
        ArgumentTypeError: for what is none of these.

    >>> gpunn.layers.get("flatten").name.startswith("flatten")
    True
    """
    return REGISTRY.get(identifier)


def serialize(layer) -> dict | str | None:
    """The config of a layer, from which `deserialize` makes its like, without weights.

    Source: keras.layers.serialize.

    >>> gpunn.layers.serialize(gpunn.layers.Flatten())["class_name"]
    'Flatten'
    """
    return REGISTRY.serialize(layer)


def deserialize(config, custom_objects: dict | None = None):
    """The layer of a config made by `serialize`.

    Args:
        config: `{"class_name": ..., "config": {...}}`.
        custom_objects: classes of yours by name; they win over gpunn's.

    Raises:
        SerializationError: if it is no such config.
        ArgumentError: for an unknown class.

    Source: keras.layers.deserialize.

    >>> config = gpunn.layers.serialize(gpunn.layers.Dense(3))
    >>> gpunn.layers.deserialize(config).units
    3
    """
    return REGISTRY.deserialize(config, custom_objects)

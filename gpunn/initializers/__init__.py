"""Initializers: first values of weights, drawn on the host (Keras: `keras.initializers`)."""

import numpy as np

from gpunn.autograd import Tensor, Variable
from gpunn.backend import is_array
from gpunn.errors import ShapeError
from gpunn.initializers.constant import Constant, Identity, Ones, Zeros
from gpunn.initializers.drawn import (
    Orthogonal,
    RandomInitializer,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
)
from gpunn.initializers.fourier import STFT
from gpunn.initializers.initializer import Initializer
from gpunn.initializers.scaling import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
    compute_fans,
)
from gpunn.serialization import Registry

REGISTRY = Registry(
    "initializer",
    Initializer,
    [
        Constant,
        Zeros,
        Ones,
        Identity,
        RandomNormal,
        RandomUniform,
        TruncatedNormal,
        Orthogonal,
        VarianceScaling,
        GlorotNormal,
        GlorotUniform,
        HeNormal,
        HeUniform,
        LecunNormal,
        LecunUniform,
        STFT,
    ],
    aliases={
        "normal": RandomNormal,
        "uniform": RandomUniform,
        "zero": Zeros,
        "one": Ones,
        "IdentityInitializer": Identity,
        "OrthogonalInitializer": Orthogonal,
        "STFTInitializer": STFT,
    },
)

# Keras' names in snake_case
constant = Constant
zeros = Zeros
ones = Ones
identity = IdentityInitializer = Identity
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
orthogonal = OrthogonalInitializer = Orthogonal
variance_scaling = VarianceScaling
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
stft = STFTInitializer = STFT


def get(identifier):
    """The initializer that a name, config, class, function or array stands for; None is None.

    Args:
        identifier: also a function `(shape, dtype=None) -> values`, or an array or tensor, which
            gives a function that returns it for its own shape.

    Raises:
        ArgumentError: for an unknown name, with the nearest that are known.

    >>> type(gpunn.initializers.get("he_normal")).__name__
    'HeNormal'
    """
    if isinstance(identifier, Tensor | np.generic) or is_array(identifier):
        return _given(identifier)
    return REGISTRY.get(identifier)


Variable.named_initializer = staticmethod(get)


def _given(values):
    def initialize(shape, dtype=None):
        if tuple(shape) != tuple(values.shape):
            raise ShapeError(f"the initial values have shape {values.shape}, not {tuple(shape)}")
        return Constant(values)(shape, dtype)

    return initialize


def serialize(initializer) -> dict | str | None:
    """The config of an initializer.

    >>> gpunn.initializers.serialize(gpunn.initializers.Constant(2.0))["config"]
    {'value': 2.0}
    """
    return REGISTRY.serialize(initializer)


def deserialize(config, custom_objects: dict | None = None):
    """The initializer of a config.

    >>> gpunn.initializers.deserialize({"class_name": "Constant", "config": {"value": 2.0}}).value
    2.0
    """
    return REGISTRY.deserialize(config, custom_objects)


__all__ = [
    "STFT",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "compute_fans",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

"""gpunn: neural networks on NumPy and CuPy, with Keras' API.

>>> model = gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(3, activation="softmax")])
>>> model.count_params()
15
"""

from gpunn import autograd, backend, errors, layers
from gpunn.autograd import (
    Parameter,
    Tensor,
    Variable,
    grad,
    no_grad,
    primitive,
    value_and_grad,
)
from gpunn.backend import current_device, device, seed, set_device, set_seed
from gpunn.layers import Input, InputSpec, Layer
from gpunn.layers.naming import clear_session
from gpunn.layers.policy import DTypePolicy, dtype_policy, set_dtype_policy
from gpunn.serialization import register_serializable

__version__ = "0.1.0"

__all__ = [
    "DTypePolicy",
    "Input",
    "InputSpec",
    "Layer",
    "Parameter",
    "Tensor",
    "Variable",
    "autograd",
    "backend",
    "clear_session",
    "current_device",
    "device",
    "dtype_policy",
    "errors",
    "grad",
    "layers",
    "no_grad",
    "primitive",
    "register_serializable",
    "seed",
    "set_device",
    "set_dtype_policy",
    "set_seed",
    "value_and_grad",
]

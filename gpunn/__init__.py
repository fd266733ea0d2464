"""gpunn: neural networks on NumPy and CuPy, with Keras' API.

>>> model = gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(3, activation="softmax")])
>>> model.count_params()
15
"""

from gpunn import autograd, backend, errors
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

__version__ = "0.1.0"

__all__ = [
    "Parameter",
    "Tensor",
    "Variable",
    "autograd",
    "backend",
    "current_device",
    "device",
    "errors",
    "grad",
    "no_grad",
    "primitive",
    "seed",
    "set_device",
    "set_seed",
    "value_and_grad",
]

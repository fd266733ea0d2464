"""gpunn: neural networks on NumPy and CuPy, with Keras' API.

>>> model = gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(3, activation="softmax")])
>>> model.count_params()
15
"""

from gpunn import (
    activations,
    autograd,
    backend,
    callbacks,
    constraints,
    data,
    datasets,
    errors,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    saving,
    training,
    utils,
)
from gpunn.autograd import (
    Parameter,
    Tensor,
    Variable,
    check_gradients,
    enable_grad,
    grad,
    no_grad,
    primitive,
    value_and_grad,
)
from gpunn.backend import current_device, device, keep_freed_memory, seed, set_device, set_seed
from gpunn.backend.dtypes import floatx, set_floatx
from gpunn.initializers import Initializer
from gpunn.layers import Input, InputSpec, Layer
from gpunn.layers.naming import clear_session
from gpunn.layers.policy import DTypePolicy, dtype_policy, set_dtype_policy
from gpunn.losses import Loss
from gpunn.metrics import Metric
from gpunn.models import Model, Sequential, load_model
from gpunn.optimizers import Optimizer
from gpunn.regularizers import Regularizer
from gpunn.serialization import register_serializable

__version__ = "0.1.0"

keep_freed_memory()

__all__ = [
    "DTypePolicy",
    "Initializer",
    "Input",
    "InputSpec",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Parameter",
    "Regularizer",
    "Sequential",
    "Tensor",
    "Variable",
    "activations",
    "autograd",
    "backend",
    "callbacks",
    "check_gradients",
    "clear_session",
    "constraints",
    "current_device",
    "data",
    "datasets",
    "device",
    "dtype_policy",
    "enable_grad",
    "errors",
    "floatx",
    "grad",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "no_grad",
    "ops",
    "optimizers",
    "primitive",
    "random",
    "register_serializable",
    "regularizers",
    "saving",
    "seed",
    "set_device",
    "set_dtype_policy",
    "set_floatx",
    "set_seed",
    "training",
    "utils",
    "value_and_grad",
]

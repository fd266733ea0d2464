"""gpunn: neural networks on NumPy and CuPy, with Keras' API.

>>> model = gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(3, activation="softmax")])
>>> model.count_params()
15
"""

from importlib import import_module
from typing import TYPE_CHECKING

# ruff: noqa: F401 - the names below are for editors and type checkers
if TYPE_CHECKING:
    from gpunn import (
        activations,
        autograd,
        backend,
        callbacks,
        config,
        constraints,
        cuda,
        data,
        datasets,
        dtype_policies,
        errors,
        initializers,
        layers,
        losses,
        metrics,
        mixed_precision,
        models,
        ops,
        optimizers,
        preprocessing,
        random,
        regularizers,
        samplers,
        saving,
        serialization,
        training,
        tree,
        utils,
        viz,
        wrappers,
    )
    from gpunn.autograd import (
        KerasTensor,
        Parameter,
        Tensor,
        Variable,
        check_gradients,
        checkpoint,
        enable_grad,
        grad,
        gradients,
        hessian,
        hvp,
        jacobian,
        jvp,
        no_grad,
        remat,
        value_and_grad,
    )
    from gpunn.autograd.primitive import primitive
    from gpunn.backend import (
        current_device,
        device,
        floatx,
        get_float32_matmul_precision,
        get_num_threads,
        seed,
        set_device,
        set_float32_matmul_precision,
        set_floatx,
        set_num_threads,
        set_seed,
    )
    from gpunn.dtype_policies import FloatDTypePolicy
    from gpunn.initializers import (
        Initializer,
    )
    from gpunn.layers import (
        DTypePolicy,
        Input,
        InputSpec,
        Layer,
        RematScope,
        clear_session,
        dtype_policy,
        name_scope,
        set_dtype_policy,
    )
    from gpunn.losses import (
        Loss,
    )
    from gpunn.metrics import (
        Metric,
    )
    from gpunn.models import (
        Model,
        Sequential,
        load_model,
    )
    from gpunn.optimizers import (
        Optimizer,
    )
    from gpunn.regularizers import (
        Regularizer,
    )
    from gpunn.serialization import (
        register_serializable,
    )

__version__ = "0.1.0"

# The public modules, and where the public names come from. Each is imported at its first use, so
# that `import gpunn` costs no more than what is used.
_MODULES = (
    "activations",
    "autograd",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "cuda",
    "data",
    "datasets",
    "dtype_policies",
    "errors",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "ops",
    "optimizers",
    "preprocessing",
    "random",
    "regularizers",
    "samplers",
    "saving",
    "serialization",
    "training",
    "tree",
    "utils",
    "viz",
    "wrappers",
)
_NAMES = {
    "KerasTensor": "autograd",
    "Parameter": "autograd",
    "Tensor": "autograd",
    "Variable": "autograd",
    "check_gradients": "autograd",
    "checkpoint": "autograd",
    "enable_grad": "autograd",
    "grad": "autograd",
    "gradients": "autograd",
    "hessian": "autograd",
    "hvp": "autograd",
    "jacobian": "autograd",
    "jvp": "autograd",
    "no_grad": "autograd",
    "primitive": "autograd",
    "remat": "autograd",
    "value_and_grad": "autograd",
    "current_device": "backend",
    "device": "backend",
    "floatx": "backend",
    "get_float32_matmul_precision": "backend",
    "get_num_threads": "backend",
    "seed": "backend",
    "set_device": "backend",
    "set_float32_matmul_precision": "backend",
    "set_floatx": "backend",
    "set_num_threads": "backend",
    "set_seed": "backend",
    "register_serializable": "serialization",
    "Initializer": "initializers",
    "Loss": "losses",
    "Metric": "metrics",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "DTypePolicy": "layers",
    "FloatDTypePolicy": "dtype_policies",
    "Input": "layers",
    "InputSpec": "layers",
    "Layer": "layers",
    "RematScope": "layers",
    "clear_session": "layers",
    "dtype_policy": "layers",
    "name_scope": "layers",
    "set_dtype_policy": "layers",
    "Model": "models",
    "Sequential": "models",
    "load_model": "models",
}

__all__ = [*_MODULES, *_NAMES]


def __getattr__(name: str):
    if "autograd" in (name, _NAMES.get(name)):
        import_module("gpunn.ops")  # it gives tensors their operators,
        import_module("gpunn.initializers")  # and these give variables theirs by name
    if name in _NAMES:
        value = getattr(import_module(f"gpunn.{_NAMES[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"gpunn.{name}")
    else:
        raise AttributeError(f"module 'gpunn' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

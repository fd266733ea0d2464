"""Tensors and reverse-mode differentiation: the engine, which knows no op."""

from gpunn.autograd.anomaly import detect_anomaly
from gpunn.autograd.check import check_gradients
from gpunn.autograd.clock import changing, mutated, mutated_span, values_kept
from gpunn.autograd.functional import grad, gradients, value_and_grad
from gpunn.autograd.jacobians import hessian, hvp, jacobian, jvp
from gpunn.autograd.masked import Masked, mask_of, with_mask
from gpunn.autograd.mode import enable_grad, is_grad_enabled, no_grad
from gpunn.autograd.primitive import primitive, primitives
from gpunn.autograd.recompute import checkpoint, remat
from gpunn.autograd.symbolic import KerasTensor
from gpunn.autograd.tensor import Tensor, cast, convert, wrap
from gpunn.autograd.variable import Parameter, Variable

__all__ = [
    "KerasTensor",
    "Masked",
    "Parameter",
    "Tensor",
    "Variable",
    "cast",
    "changing",
    "check_gradients",
    "checkpoint",
    "convert",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "gradients",
    "hessian",
    "hvp",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "mask_of",
    "mutated",
    "mutated_span",
    "no_grad",
    "primitive",
    "primitives",
    "remat",
    "value_and_grad",
    "values_kept",
    "with_mask",
    "wrap",
]

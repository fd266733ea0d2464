"""autocast: weights take part in ops in the dtype that their layer computes in."""

from contextvars import ContextVar

from gpunn.autograd.variable import Variable
from gpunn.backend.dtypes import is_float

# The dtype that weights are used in by the layer whose call is in progress; None: their own.
weights_dtype: ContextVar = ContextVar("gpunn_weights_dtype", default=None)
in_use: list = []  # not empty once there was a scope: ops look for one from then on


class autocast:
    """Inside, ops use variables of floats in a dtype; None: in their own (Keras: AutocastScope).

    >>> from gpunn.autograd.autocast import autocast
    >>> with autocast(np.dtype("float16")):
    ...     gpunn.ops.exp(gpunn.Variable([0.0])).dtype
    dtype('float16')
    """

    def __init__(self, dtype):
        self.dtype = dtype

    def __enter__(self):
        in_use[:] = [True]
        self._token = weights_dtype.set(self.dtype)

    def __exit__(self, *exc):
        weights_dtype.reset(self._token)


def cast_weights(operands):
    """The operands of an op, variables in the dtype of the scope; gradients are cast back."""
    dtype = weights_dtype.get()
    if dtype is None:
        return operands
    return [x.to(dtype) if isinstance(x, Variable) and _casts(x) else x for x in operands]


def _casts(v: Variable) -> bool:
    return v.autocast and is_float(v.array.dtype)

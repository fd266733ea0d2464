"""Host values that an op takes part in at every call, moved to a device once."""

import math

import numpy as np

from gpunn.autograd import Tensor, wrap
from gpunn.backend import backend_of
from gpunn.backend.dtypes import standardize


def constant(values, like: Tensor, dtype=None) -> Tensor:
    """Values as a tensor on the device of another; a recorded step knows that they stay.

    Args:
        values: a small NumPy array, or what makes one.
        like: a tensor.
        dtype: Default: that of `like`.

    >>> constant([1, 2], gpunn.Tensor([0.5])).numpy().tolist()
    [1.0, 2.0]
    """
    values = np.asarray(values, like.dtype if dtype is None else standardize(dtype))
    key = ("values", values.tobytes(), values.shape, values.dtype.char)
    return wrap(backend_of(like.array).const(key, lambda be: be.asarray(values)))


FEW = 4096  # elements: up to here, a number is compared as an array of the same shape


def to_compare(be, x, value: float):
    """A number to compare an array with: NumPy is faster with many, an array of them or a row."""
    shape = x.shape if x.size <= FEW else x.shape[-1:]
    if not shape or shape[-1] < 32:
        return value
    key = ("full", shape, value, x.dtype.char)
    return be.const(key, lambda be: be.xp.full(shape, value, x.dtype))


def at_least(be, x, value: float):
    """max(x, value); NaN stays NaN. NumPy clips long arrays two to four times as quickly."""
    if be.kind == "cpu" and x.size > FEW and x.dtype.char in "fd":
        return x.clip(value, math.inf)
    return be.xp.maximum(x, to_compare(be, x, value))


def at_most(be, x, value: float):
    """min(x, value), as `at_least` makes max(x, value)."""
    if be.kind == "cpu" and x.size > FEW and x.dtype.char in "fd":
        return x.clip(-math.inf, value)
    return be.xp.minimum(x, to_compare(be, x, value))

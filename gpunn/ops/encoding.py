"""Class numbers as vectors of zeros and ones."""

import numpy as np

from gpunn.autograd import primitive
from gpunn.backend.dtypes import standardize
from gpunn.errors import ArgumentError
from gpunn.ops.shaping import normalize_axis

__all__ = ["multi_hot", "one_hot"]


@primitive
def one_hot(be, x, /, num_classes, axis=-1, dtype=None, sparse=False):
    """Each integer as a vector that is 1 at its place and 0 elsewhere.

    Args:
        x: integers; one outside 0..num_classes-1 gives a vector of zeros.
        num_classes: length of the vectors.
        axis: where their axis stands in the result. Default: last.
        dtype: of the result. Default: `floatx`.
        sparse: must be False; there are no sparse tensors.

    Returns:
        A tensor with one dimension more than x.

    Raises:
        ArgumentError: if `num_classes` is not a positive integer, or `sparse` is asked for.

    Source: `keras.ops.one_hot`.

    >>> gpunn.ops.one_hot([0, 2], 3).numpy().tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    _check("one_hot", num_classes, sparse)
    axis = normalize_axis("one_hot", axis, x.ndim + 1)
    return _equal_classes(be, x, num_classes, axis).astype(standardize(dtype)), None


@primitive
def multi_hot(be, inputs, /, num_classes, axis=-1, dtype=None, sparse=False):
    """Each row of integers as one vector that is 1 at all their places and 0 elsewhere.

    Args:
        inputs: integers of shape (n,) or (batch, n, ...); others than 0..num_classes-1 count
            for nothing.
        num_classes: length of the vectors.
        axis: where their axis stands, before the axis of length n is reduced. Default: last.
        dtype: of the result. Default: `floatx`.
        sparse: must be False; there are no sparse tensors.

    Returns:
        A tensor of shape (num_classes,) or (batch, ..., num_classes).

    Raises:
        ArgumentError: if `num_classes` is not a positive integer, or `sparse` is asked for.

    Source: `keras.ops.multi_hot`.

    >>> gpunn.ops.multi_hot([[0, 2], [1, 1]], 3).numpy().tolist()
    [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    _check("multi_hot", num_classes, sparse)
    axis = normalize_axis("multi_hot", axis, inputs.ndim + 1)
    hot = _equal_classes(be, inputs, num_classes, axis)
    return hot.any(axis=1 if inputs.ndim > 1 else 0).astype(standardize(dtype)), None


def _equal_classes(be, x, num_classes, axis):
    """Booleans: the class numbers along `axis` compared with x."""
    dtype = x.dtype if x.dtype.itemsize >= 4 else np.dtype("int32")
    classes = be.const(
        ("arange", num_classes, dtype.char), lambda be: be.xp.arange(num_classes, dtype=dtype)
    )
    wide = x.reshape(*x.shape[:axis], 1, *x.shape[axis:])
    return wide == classes.reshape((num_classes,) + (1,) * (x.ndim - axis))


def _check(op, num_classes, sparse):
    if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 1:
        raise ArgumentError(f"{op}: num_classes must be a positive integer, not {num_classes!r}")
    if sparse:
        raise ArgumentError(f"{op}: sparse tensors are not supported: use sparse=False")

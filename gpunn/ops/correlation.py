"""How tensors go together: correlate, corrcoef, cdist."""

import numpy as np

from gpunn.autograd import Tensor, convert
from gpunn.backend.dtypes import is_float, result_type, standardize
from gpunn.errors import ShapeError, unknown
from gpunn.ops.arithmetic import divide, subtract
from gpunn.ops.diagonals import diagonal
from gpunn.ops.flipping import flip
from gpunn.ops.indexing import take
from gpunn.ops.norms import norm
from gpunn.ops.products import matmul, outer, together
from gpunn.ops.reduction import mean
from gpunn.ops.repeating import pad
from gpunn.ops.roots import sqrt
from gpunn.ops.shaping import expand_dims, reshape, swapaxes

__all__ = ["cdist", "corrcoef", "correlate"]


def correlate(x1, x2, mode="valid"):
    """The sums of products of two sequences at every shift: y[k] = sum_n x1[n + k] x2[n].

    Args:
        x1: vector.
        x2: vector.
        mode: "valid": where they overlap wholly; "full": where at all; "same": as many as the
            longer one has values, in the middle.

    Returns:
        A vector of the common float dtype; integers become floats.

    Raises:
        ShapeError: if one is not a vector or is empty.
        ArgumentError: if the mode is unknown.

    Source: `keras.ops.correlate`.

    >>> gpunn.ops.correlate([1, 2, 3], [0, 1]).numpy().tolist()
    [2.0, 3.0]
    """
    if mode not in ("valid", "same", "full"):
        raise unknown("correlate mode", mode, ("valid", "same", "full"))
    x1, x2 = together(x1, x2)
    if not is_float(result_type(x1.dtype, x2.dtype)):
        x1 = x1.to(standardize(None))
    if x1.ndim != 1 or x2.ndim != 1 or not x1.size or not x2.size:
        raise ShapeError(f"correlate: expected two vectors, got shapes {x1.shape} and {x2.shape}")
    if x1.size < x2.size:
        return flip(correlate(x2, x1, mode))
    n = x2.size
    before, after = {"valid": (0, 0), "same": (n // 2, n - 1 - n // 2), "full": (n - 1, n - 1)}[
        mode
    ]
    padded = pad(x1, (before, after))
    windows = np.arange(padded.size - n + 1)[:, None] + np.arange(n)
    return matmul(take(padded, windows, 0), x2)


def corrcoef(x):
    """The Pearson correlation of every two rows.

    Args:
        x: tensor of shape (variables, observations), or one variable's observations.

    Returns:
        A matrix of shape (variables, variables), or a scalar.

    Raises:
        ShapeError: if x has more than two dimensions.

    Source: `keras.ops.corrcoef`.

    >>> gpunn.ops.corrcoef([[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]]).numpy().round(4).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    x = x if isinstance(x, Tensor) else convert(x)
    if not is_float(x.dtype):
        x = x.to(standardize(None))
    if x.ndim > 2:
        raise ShapeError(f"corrcoef: expected at most 2 dimensions, got shape {x.shape}")
    rows = reshape(x, newshape=(1, -1)) if x.ndim < 2 else x
    apart = subtract(rows, mean(rows, axis=1, keepdims=True))
    products = matmul(apart, swapaxes(apart, 0, 1))
    spread = sqrt(diagonal(products))
    y = divide(products, outer(spread, spread))
    return reshape(y, newshape=()) if x.ndim < 2 else y


def cdist(x, y):
    """The Euclidean distance of every vector of x to every vector of y.

    Args:
        x: tensor of shape (..., n, d).
        y: tensor of shape (..., m, d).

    Returns:
        A tensor of shape (..., n, m).

    Raises:
        ShapeError: if the shapes do not fit.

    Source: `keras.ops.cdist`.

    >>> gpunn.ops.cdist([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]]).numpy().tolist()
    [[5.0, 1.0]]
    """
    x, y = together(x, y)
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ShapeError(
            f"cdist: expected shapes (..., n, d) and (..., m, d), got {x.shape} and {y.shape}"
        )
    return norm(subtract(expand_dims(x, -2), expand_dims(y, -3)), axis=-1)

"""Norms of vectors and matrices."""

import math

from gpunn.autograd import Tensor, convert, primitive
from gpunn.backend.dtypes import is_float, standardize
from gpunn.errors import ShapeError, unknown
from gpunn.ops.arithmetic import power
from gpunn.ops.choosing import where
from gpunn.ops.extrema import max as max_
from gpunn.ops.extrema import min as min_
from gpunn.ops.factors import svd
from gpunn.ops.magnitude import absolute
from gpunn.ops.reduction import sum as sum_
from gpunn.ops.shaping import expand_dims, moveaxis, normalize_axes, reshape

__all__ = ["norm"]


def norm(x, ord=None, axis=None, keepdims=False):
    """A norm of vectors or matrices.

    Vectors: (sum |x|^ord)^(1/ord); inf, -inf and 0 are the largest, the smallest and the number of
    values that are not 0. Matrices: "fro" (root of the sum of squares), "nuc" (sum of the singular
    values), 2 and -2 (largest and smallest of them), 1, -1, inf and -inf (largest and smallest sum
    of absolute values of columns and of rows).

    Args:
        x: tensor.
        ord: Default: None, the root of the sum of squares of all values.
        axis: one axis for vectors, two for matrices. Default: all, for 1 or 2 dimensions.
        keepdims: whether the axes stay, with size 1. Default: False.

    Returns:
        A tensor without these axes. The gradient of a norm at 0 is 0.

    Raises:
        ShapeError: if the axes do not fit.
        ArgumentError: if the order is unknown.

    Source: `keras.ops.norm`.

    >>> float(gpunn.ops.norm([3.0, 4.0]))
    5.0
    """
    x = x if isinstance(x, Tensor) else convert(x)
    if x.dtype.kind == "c" and ord not in ("nuc", 2, -2):
        x = absolute(x)
    elif not is_float(x.dtype) and x.dtype.kind != "c":
        x = x.to(standardize(None))
    ndim = x.ndim
    if axis is None and ord is None:
        flat = _length(reshape(x, newshape=-1), axis=0)
        return reshape(flat, newshape=(1,) * ndim) if keepdims else flat
    axes = normalize_axes("norm", tuple(range(ndim)) if axis is None else axis, ndim)
    if len(axes) == 1:
        y = _vector_norm(x, ord, axes[0])
    elif len(axes) == 2:
        y = _matrix_norm(moveaxis(x, axes, (-2, -1)), ord)
    else:
        raise ShapeError(f"norm: expected one axis or two, got {len(axes)} of shape {x.shape}")
    return expand_dims(y, sorted(axes)) if keepdims else y


@primitive
def _length(be, x, /, axis):
    y = be.xp.sqrt((x * x).sum(axis))

    def pullback(dy, needs):
        share = be.xp.where(y == 0, 0, dy / be.xp.where(y == 0, 1, y))
        return (x * be.xp.expand_dims(share, axis),)

    return y, pullback


def _vector_norm(x, ord, axis):
    if ord is None or ord == 2:
        return _length(x, axis=axis)
    if isinstance(ord, str):
        raise unknown("order of a vector norm", ord, ("0", "1", "2", "inf", "-inf"))
    if ord == 0:
        return sum_(where(x == 0, 0, 1), axis=axis).to(x.dtype)
    size = absolute(x)
    if ord == math.inf:
        return max_(size, axis=axis)
    if ord == -math.inf:
        return min_(size, axis=axis)
    if ord == 1:
        return sum_(size, axis=axis)
    total = sum_(power(size, ord), axis=axis)
    nothing = total == 0
    return where(nothing, 0, power(where(nothing, 1, total), 1 / ord))


def _matrix_norm(x, ord):
    """A norm of the matrices in the last two axes."""
    if ord is None or ord == "fro":
        return _length(_length(x, axis=-1), axis=-1)
    if ord == "nuc":
        return sum_(svd(x, compute_uv=False), axis=-1)
    if ord in (2, -2):
        return (max_ if ord > 0 else min_)(svd(x, compute_uv=False), axis=-1)
    if ord in (1, -1, math.inf, -math.inf):
        sums = sum_(absolute(x), axis=-2 if abs(ord) == 1 else -1)
        return (max_ if ord > 0 else min_)(sums, axis=-1)
    raise unknown(
        "order of a matrix norm", ord, ("fro", "nuc", "1", "-1", "2", "-2", "inf", "-inf")
    )

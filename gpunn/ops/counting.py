"""Counts and distinct values: bincount, histogram, unique, unravel_index."""

import math

import numpy as np

from gpunn.autograd import convert, primitive
from gpunn.backend.dtypes import is_float
from gpunn.checks import as_shape
from gpunn.errors import ArgumentError, DTypeError, ShapeError
from gpunn.ops.segment import segment_sum
from gpunn.ops.shaping import reshape

__all__ = ["bincount", "histogram", "unique", "unravel_index"]


def bincount(x, weights=None, minlength=0, sparse=False):
    """How often each integer occurs, or the sum of its weights; read on the host.

    Args:
        x: integers of at least 0, of shape (n,) or, counted row by row, (batch, n).
        weights: tensor of the shape of x.
        minlength: at least so many counts. Default: 0.
        sparse: must be False; there are no sparse tensors.

    Returns:
        A tensor of shape (max(x) + 1,) or (batch, max(x) + 1): int32, or the dtype of the weights.

    Raises:
        DTypeError: if x does not hold integers.
        ShapeError: if x has another number of dimensions, or the weights another shape.
        ArgumentError: if an integer is negative.

    Source: `keras.ops.bincount`.

    >>> gpunn.ops.bincount([1, 2, 2]).numpy().tolist()
    [0, 1, 2]
    """
    if sparse:
        raise ArgumentError("bincount: sparse tensors are not supported: use sparse=False")
    x = convert(x)
    if x.dtype.kind not in "iub":
        raise DTypeError(f"bincount: expected integers, got {x.dtype.name}")
    if x.ndim not in (1, 2):
        raise ShapeError(f"bincount: expected 1 or 2 dimensions, got shape {x.shape}")
    x = convert(x, "int32") if x.dtype == bool else x
    smallest, largest = (int(x.array.min()), int(x.array.max())) if x.size else (0, -1)
    if smallest < 0:
        raise ArgumentError(f"bincount: expected integers of at least 0, got {smallest}")
    n = max(largest + 1, minlength)
    if weights is None:
        weights = np.ones(x.shape, np.int32)
    weights = convert(weights, device=None if hasattr(weights, "device") else x.device)
    if weights.shape != x.shape:
        raise ShapeError(f"bincount: weights of shape {weights.shape} for x of shape {x.shape}")
    if x.ndim == 1:
        return segment_sum(weights, x, n)
    rows = np.arange(x.shape[0], dtype=np.int32)[:, None] * n
    place = reshape(_added(x, convert(rows, device=x.device)), newshape=-1)
    counts = segment_sum(reshape(weights, newshape=-1), place, x.shape[0] * n)
    return reshape(counts, newshape=(x.shape[0], n))


@primitive
def _added(be, x1, x2, /):
    return x1 + x2, None


@primitive
def histogram(be, x, /, bins=10, range=None):
    """How many values fall in each of `bins` intervals of equal width.

    Args:
        x: tensor.
        bins: how many intervals. Default: 10.
        range: (lowest, highest); what lies outside is not counted. Default: those of x, read on
            the host.

    Returns:
        The counts, as floats, and the `bins + 1` edges. The last interval holds its upper edge.

    Raises:
        ArgumentError: if `bins` is not a positive integer or the range is not rising.

    Source: `keras.ops.histogram`.

    >>> counts, edges = gpunn.ops.histogram([1.0, 2.0, 2.0, 5.0], bins=2)
    >>> counts.numpy().tolist(), edges.numpy().tolist()
    ([3.0, 1.0], [1.0, 3.0, 5.0])
    """
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise ArgumentError(f"histogram: bins must be a positive integer, not {bins!r}")
    dtype = x.dtype if is_float(x.dtype) else np.dtype("float32")
    x = x.reshape(-1).astype(dtype)
    low, high = range or ((float(x.min()), float(x.max())) if x.size else (0.0, 1.0))
    if not low <= high:
        raise ArgumentError(f"histogram: expected a rising range, got ({low}, {high})")
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = be.asarray(np.linspace(low, high, bins + 1).astype(dtype))
    place = be.xp.searchsorted(edges, x, side="right") - 1
    place = be.xp.where(x == edges[-1], bins - 1, place)
    counted = (place[:, None] == be.xp.arange(bins)).sum(0) if x.size else be.zeros((bins,), dtype)
    return (counted.astype(dtype), edges), None


def unique(
    x,
    sorted=True,
    return_index=False,
    return_inverse=False,
    return_counts=False,
    axis=None,
    size=None,
    fill_value=None,
):
    """The distinct values, in rising order; read on the host, since their number is the shape.

    Args:
        x: tensor.
        sorted: accepted as in Keras; the values are in rising order either way.
        return_index: whether to return where each first occurs.
        return_inverse: whether to return which of them each value of x is.
        return_counts: whether to return how often each occurs.
        axis: take slices along this axis as the values. Default: None, x is made flat.
        size: cut or fill the results to so many.
        fill_value: what to fill with. Default: the smallest value.

    Returns:
        The values, or a tuple of them and of what else was asked for (int32).

    Raises:
        ShapeError: if the axis is out of range.

    Source: `keras.ops.unique`.

    >>> values, counts = gpunn.ops.unique([3, 1, 1], return_counts=True)
    >>> values.numpy().tolist(), counts.numpy().tolist()
    ([1, 3], [2, 1])
    """
    found = _unique(x, axis=axis, size=size, fill_value=fill_value)
    wanted = (True, return_index, return_inverse, return_counts)
    chosen = tuple(y for y, yes in zip(found, wanted, strict=True) if yes)
    return chosen if len(chosen) > 1 else chosen[0]


@primitive
def _unique(be, x, /, axis, size, fill_value):
    values, index, inverse, counts = be.xp.unique(
        x, return_index=True, return_inverse=True, return_counts=True, axis=axis, equal_nan=False
    )
    along = 0 if axis is None else axis % x.ndim
    n = values.shape[along]
    if size is not None and size < n:
        values, index, counts = (
            values[(slice(None),) * along + (slice(size),)],
            index[:size],
            counts[:size],
        )
    elif size is not None and size > n and n:
        filling = [*values.shape]
        filling[along] = size - n
        first = values[(slice(None),) * along + (slice(1),)]
        fill = be.xp.broadcast_to(first if fill_value is None else be.asarray(fill_value), filling)
        values = be.xp.concatenate([values, fill.astype(values.dtype)], axis=along)
        index = be.xp.concatenate([index, be.xp.broadcast_to(index[:1], (size - n,))])
        counts = be.xp.concatenate([counts, be.zeros((size - n,), counts.dtype)])
    return (values, *(i.astype(np.int32) for i in (index, inverse, counts))), None


@primitive
def unravel_index(be, indices, /, shape):
    """Positions in a flat tensor as positions along the axes of a shape.

    Args:
        indices: integers; negative ones count from the end, and what is out of range is the
            nearest end.
        shape: an int or ints.

    Returns:
        A tuple of tensors, one for each axis, of the shape and dtype of `indices`.

    Raises:
        DTypeError: if the indices are not integers.

    Source: `keras.ops.unravel_index`.

    >>> [i.numpy().tolist() for i in gpunn.ops.unravel_index([5, 1], (2, 3))]
    [[1, 0], [2, 1]]
    """
    if indices.dtype.kind not in "iu":
        raise DTypeError(f"unravel_index: expected integers, got {indices.dtype.name}")
    sizes = as_shape("unravel_index", shape)
    n = math.prod(sizes)
    flat = be.xp.where(indices < 0, indices + n, indices)
    flat = be.xp.clip(flat, 0, max(n - 1, 0))
    places = []
    for size in reversed(sizes):
        places.append((flat % size).astype(indices.dtype))
        flat = flat // size
    return tuple(reversed(places)), None

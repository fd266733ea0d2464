"""Writing by position: scatter, scatter_update, slice_update."""

import math

import numpy as np

from gpunn.autograd import Tensor, convert, primitive
from gpunn.checks import as_shape
from gpunn.errors import ShapeError, unknown
from gpunn.ops.arithmetic import add, multiply
from gpunn.ops.choosing import where
from gpunn.ops.comparison import less
from gpunn.ops.indexing import _part, block, get_item, join_index, on_device, take
from gpunn.ops.magnitude import maximum, minimum
from gpunn.ops.segment import segment_max, segment_min, segment_prod, segment_sum
from gpunn.ops.shaping import broadcast_to, reshape

__all__ = ["scatter", "scatter_update", "slice_update"]


def scatter(indices, values, shape):
    """A tensor of zeros with values added at positions.

    Args:
        indices: integers of shape (..., k): positions along the first k axes of the result.
        values: tensor of shape (..., *shape[k:]); those at one position are summed.
        shape: of the result.

    Returns:
        A tensor of that shape, in the dtype of the values.

    Raises:
        IndexError: if an index on the host is out of range (one on a GPU is dropped).
        ShapeError: if the shapes do not fit.

    Source: `keras.ops.scatter`.

    >>> gpunn.ops.scatter([[0, 1], [1, 1]], [1.0, 2.0], (2, 2)).numpy().tolist()
    [[0.0, 1.0], [0.0, 2.0]]
    """
    values = values if isinstance(values, Tensor) else convert(values)
    shape = as_shape("scatter", shape)
    index, width = _positions("scatter", indices, shape, values.device)
    rest = shape[width:]
    if values.shape != index.shape + rest:
        raise ShapeError(
            f"scatter: values of shape {values.shape}, expected {index.shape + rest} for "
            f"positions of shape {index.shape} in shape {shape}"
        )
    rows = math.prod(shape[:width])
    flat = reshape(values, newshape=(index.size, *rest))
    return reshape(segment_sum(flat, reshape(index, newshape=-1), rows), newshape=shape)


def _positions(op, indices, shape, device):
    """The row numbers that positions along the first axes of `shape` name, and how many axes."""
    indices = _part(indices)
    ndim = indices.ndim
    width = indices.shape[-1] if ndim else 0
    if not ndim or width > len(shape):
        raise ShapeError(
            f"{op}: indices of shape {indices.shape} are no positions in shape {shape}: expected "
            f"(..., k) with k at most {len(shape)}"
        )
    rows = 0
    for a, n in enumerate(shape[:width]):
        index = indices[..., a] if isinstance(indices, np.ndarray) else get_item(indices, (..., a))
        rows = join_index(rows, on_device(index, n, device), n=n)
    if not width:
        raise ShapeError(f"{op}: indices of shape {indices.shape} name no axis")
    return rows, width


def scatter_update(inputs, indices, updates, reduction=None):
    """A tensor with the values at some positions replaced, or joined with others.

    Args:
        inputs: tensor.
        indices: integers of shape (n, k): positions along the first k axes.
        updates: tensor of shape (n, *inputs.shape[k:]), or one that broadcasts to it.
        reduction: None replaces (of several at one position the last wins), "add", "mul", "max"
            and "min" join.

    Returns:
        A tensor of the shape and dtype of `inputs`.

    Raises:
        IndexError: if an index on the host is out of range (one on a GPU is dropped).
        ShapeError: if the shapes do not fit.
        ArgumentError: if the reduction is unknown.

    Source: `keras.ops.scatter_update`.

    >>> gpunn.ops.scatter_update([1, 2, 3], [[0], [2]], [7, 9]).numpy().tolist()
    [7, 2, 9]
    """
    if reduction not in (None, "add", "mul", "max", "min"):
        raise unknown("reduction", reduction, ("add", "mul", "max", "min"))
    inputs = inputs if isinstance(inputs, Tensor) else convert(inputs)
    index, width = _positions("scatter_update", indices, inputs.shape, inputs.device)
    if index.ndim != 1:
        raise ShapeError(f"scatter_update: expected indices of shape (n, k), got {index.ndim + 1} "
                         "dimensions")  # fmt: skip
    rest = inputs.shape[width:]
    rows = math.prod(inputs.shape[:width])
    updates = convert(updates, inputs.dtype, None if isinstance(updates, Tensor) else inputs.device)
    updates = broadcast_to(updates, index.shape + rest)
    flat = reshape(inputs, newshape=(rows, *rest))
    if reduction == "add":
        y = add(flat, segment_sum(updates, index, rows))
    elif reduction == "mul":
        y = multiply(flat, segment_prod(updates, index, rows))
    elif reduction == "max":
        y = maximum(flat, segment_max(updates, index, rows))
    elif reduction == "min":
        y = minimum(flat, segment_min(updates, index, rows))
    else:
        y = _replaced(flat, updates, index)
    return reshape(y, newshape=inputs.shape)


def _replaced(flat, updates, index):
    """The rows of `flat`, each replaced by the last update that names it."""
    if not updates.shape[0]:
        return flat
    number = convert(np.arange(len(index)), device=flat.device)
    last = segment_max(number, index, flat.shape[0])
    none = less(last, 0)
    chosen = take(updates, maximum(last, 0), 0)
    return where(reshape(none, newshape=(-1,) + (1,) * (flat.ndim - 1)), flat, chosen)


def slice_update(inputs, start_indices, updates):
    """A tensor with a block replaced.

    Args:
        inputs: tensor.
        start_indices: where the block starts, one integer for each axis (a tensor is read on the
            host).
        updates: the block, with as many dimensions as `inputs`.

    Returns:
        A tensor of the shape and dtype of `inputs`.

    Raises:
        ShapeError: if the block does not lie within the tensor.

    Source: `keras.ops.slice_update`.

    >>> gpunn.ops.slice_update(np.zeros((2, 3)), [0, 1], np.ones((2, 2))).numpy().tolist()
    [[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]
    """
    inputs = inputs if isinstance(inputs, Tensor) else convert(inputs)
    updates = convert(updates, inputs.dtype, None if isinstance(updates, Tensor) else inputs.device)
    key = block("slice_update", inputs.shape, start_indices, updates.shape)
    return _slice_update(inputs, updates, key=key)


@primitive
def _slice_update(be, inputs, updates, /, key):
    key = (*key, ...)
    y = be.copy(inputs)
    be.copyto(y[key], updates)

    def pullback(dy, needs):
        dx = None
        if needs[0]:
            dx = be.copy(dy)
            dx[key] = 0
        return dx, dy[key] if needs[1] else None

    return y, pullback

"""Reductions of rows that share a number: segment_sum, segment_max, segment_min, segment_prod.

The order of each reduction is fixed, so that both devices and every run give the same bits.
"""

import numpy as np

from gpunn.autograd import Tensor, convert, primitive
from gpunn.backend.dtypes import is_float
from gpunn.errors import ArgumentError, DTypeError, ShapeError
from gpunn.ops.reduction import narrow

__all__ = ["segment_max", "segment_min", "segment_prod", "segment_sum"]


def segment_sum(data, segment_ids, num_segments=None, sorted=False):
    """The sum of the rows of each segment.

    Args:
        data: tensor of shape (n, ...).
        segment_ids: n integers: the segment each row belongs to. Rows with a number outside
            0..num_segments-1 count for nothing.
        num_segments: how many segments. Default: the largest number plus one, read on the host.
        sorted: whether the numbers are in rising order; the result is the same.

    Returns:
        A tensor of shape (num_segments, ...); an empty segment is 0.

    Raises:
        ShapeError: if there is not one number for each row.
        DTypeError: if the numbers are not integers.

    Source: `keras.ops.segment_sum`.

    >>> gpunn.ops.segment_sum([1, 2, 4], [0, 2, 0], num_segments=3).numpy().tolist()
    [5, 0, 2]
    """
    data, ids, count = _operands("segment_sum", data, segment_ids, num_segments)
    return _segment_sum(data, ids, count=count)


def segment_max(data, segment_ids, num_segments=None, sorted=False):
    """The largest row values of each segment; among equal ones the gradient is split evenly.

    Args:
        data: tensor of shape (n, ...).
        segment_ids: n integers: the segment each row belongs to. Rows with a number outside
            0..num_segments-1 count for nothing.
        num_segments: how many segments. Default: the largest number plus one, read on the host.
        sorted: whether the numbers are in rising order; the result is the same.

    Returns:
        A tensor of shape (num_segments, ...); an empty segment is -inf (integers: the smallest).

    Raises:
        ShapeError: if there is not one number for each row.
        DTypeError: if the numbers are not integers.

    Source: `keras.ops.segment_max`.

    >>> gpunn.ops.segment_max([1, 2, 4], [0, 1, 0], num_segments=2).numpy().tolist()
    [4, 2]
    """
    data, ids, count = _operands("segment_max", data, segment_ids, num_segments)
    return _segment_extreme(data, ids, count=count, largest=True)


def segment_min(data, segment_ids, num_segments=None, sorted=False):
    """The smallest row values of each segment; among equal ones the gradient is split evenly.

    Args:
        data: tensor of shape (n, ...).
        segment_ids: n integers: the segment each row belongs to. Rows with a number outside
            0..num_segments-1 count for nothing.
        num_segments: how many segments. Default: the largest number plus one, read on the host.
        sorted: whether the numbers are in rising order; the result is the same.

    Returns:
        A tensor of shape (num_segments, ...); an empty segment is inf (integers: the largest).

    Raises:
        ShapeError: if there is not one number for each row.
        DTypeError: if the numbers are not integers.

    Source: `keras.ops.segment_min`.

    >>> gpunn.ops.segment_min([1, 2, 4], [0, 1, 0], num_segments=2).numpy().tolist()
    [1, 2]
    """
    data, ids, count = _operands("segment_min", data, segment_ids, num_segments)
    return _segment_extreme(data, ids, count=count, largest=False)


def segment_prod(data, segment_ids, num_segments=None, sorted=False):
    """The product of the rows of each segment.

    Args:
        data: tensor of shape (n, ...).
        segment_ids: n integers: the segment each row belongs to. Rows with a number outside
            0..num_segments-1 count for nothing.
        num_segments: how many segments. Default: the largest number plus one, read on the host.
        sorted: whether the numbers are in rising order; the result is the same.

    Returns:
        A tensor of shape (num_segments, ...); an empty segment is 1.

    Raises:
        ShapeError: if there is not one number for each row.
        DTypeError: if the numbers are not integers.

    Source: `keras.ops.segment_prod`.

    >>> gpunn.ops.segment_prod([1, 2, 4], [0, 1, 0], num_segments=2).numpy().tolist()
    [4, 2]
    """
    data, ids, count = _operands("segment_prod", data, segment_ids, num_segments)
    return _segment_prod(data, ids, count=count)


def _operands(op, data, ids, count):
    """The data and the numbers as tensors, and how many segments there are."""
    data = data if isinstance(data, Tensor) else convert(data)
    ids = ids if isinstance(ids, Tensor) else convert(ids, device=data.device)
    if ids.dtype.kind not in "iu":
        raise DTypeError(f"{op}: segment_ids must be integers, not {ids.dtype.name}")
    if ids.ndim != 1 or data.shape[:1] != ids.shape:
        raise ShapeError(
            f"{op}: expected one segment number for each row, got data of shape {data.shape} and "
            f"segment_ids of shape {ids.shape}"
        )
    if count is None:
        count = int(ids.array.max()) + 1 if ids.size else 0
    if count < 0:
        raise ArgumentError(f"{op}: num_segments must be at least 0, got {count}")
    return data, ids, count


def _known(be, ids, count):
    """The numbers, with `count` for those that are no segment: the row after the last."""
    return be.xp.where((ids < 0) | (ids >= count), count, ids).astype(np.int64)


def _gather(be, rows, ids, fill):
    """The row of each segment number, and `fill` for the row after the last."""
    more = be.full((len(rows) + 1, *rows.shape[1:]), fill, rows.dtype)
    be.copyto(more[:-1], rows)
    return be.take(more, ids, 0)


def _sums(be, data, ids, count):
    y = be.zeros((count + 1, *data.shape[1:]), data.dtype)
    be.scatter_add(y, ids, data)
    return y[:count]


@primitive
def _segment_sum(be, data, ids, /, count):
    ids = _known(be, ids, count)
    return _sums(be, data, ids, count), lambda dy, needs: (_gather(be, dy, ids, 0), None)


def _reduce(be, data, ids, count, join, fill):
    """Each segment's rows joined, by doubling steps over the rows sorted by segment."""
    if not len(ids) or not count:
        return be.full((count, *data.shape[1:]), fill, data.dtype)
    order = be.xp.argsort(ids, kind="stable")
    ids, rows = be.take(ids, order, 0), be.take(data, order, 0)
    step = 1
    while step < len(ids):
        same = (ids[step:] == ids[:-step]).reshape(-1, *(1,) * (data.ndim - 1))
        wider = be.empty(rows.shape, rows.dtype)
        be.copyto(wider[:step], rows[:step])
        be.copyto(wider[step:], be.xp.where(same, join(rows[step:], rows[:-step]), rows[step:]))
        rows, step = wider, 2 * step
    segments = be.const(("arange", count), lambda be: be.xp.arange(count))
    last = be.xp.searchsorted(ids, segments, side="right") - 1
    last = be.xp.where(last < 0, 0, last)
    found = (be.take(ids, last, 0) == segments).reshape(-1, *(1,) * (data.ndim - 1))
    y = be.xp.where(found, be.take(rows, last, 0), be.full((), fill, data.dtype))
    return narrow(y, data.dtype)


@primitive
def _segment_extreme(be, data, ids, /, count, largest):
    ids = _known(be, ids, count)
    if is_float(data.dtype):
        fill = -np.inf if largest else np.inf
    else:
        limits = np.iinfo(data.dtype)
        fill = limits.min if largest else limits.max
    join = be.xp.maximum if largest else be.xp.minimum
    y = _reduce(be, data, ids, count, join, fill)

    def pullback(dy, needs):
        equal = (data == _gather(be, y, ids, np.nan)).astype(dy.dtype)
        share = dy / be.xp.maximum(_sums(be, equal, ids, count), 1)
        return equal * _gather(be, share, ids, 0), None

    return y, pullback


@primitive
def _segment_prod(be, data, ids, /, count):
    ids = _known(be, ids, count)
    y = _reduce(be, data, ids, count, be.xp.multiply, 1)

    def pullback(dy, needs):
        # the product of the others: y / x, but with one zero in the segment it is not 0 / 0
        zero = data == 0
        filled = be.xp.where(zero, 1, data)
        others = _reduce(be, filled, ids, count, be.xp.multiply, 1)
        zeros = _gather(be, _sums(be, zero.astype(dy.dtype), ids, count), ids, 0)
        rest = _gather(be, others, ids, 1) / filled
        alone = be.xp.where(zero, zeros == 1, zeros == 0)
        return _gather(be, dy, ids, 0) * be.xp.where(alone, rest, 0), None

    return y, pullback

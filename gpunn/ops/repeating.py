"""Ops that repeat, shift or surround values: pad, tile, repeat, roll, meshgrid, diff."""

import math

import numpy as np

from gpunn.autograd import Tensor, primitive
from gpunn.checks import as_integers
from gpunn.errors import ArgumentError, ShapeError, unknown
from gpunn.ops.constants import constant
from gpunn.ops.indexing import get_item, take
from gpunn.ops.shaping import _shape, broadcast_to, normalize_axes, normalize_axis, reshape

__all__ = ["diff", "meshgrid", "pad", "repeat", "roll", "tile"]


@primitive
def _pad_constant(be, x, /, widths, value):
    shape = tuple(a + n + b for n, (a, b) in zip(x.shape, widths, strict=True))
    inner = (*(slice(a, a + n) for n, (a, _) in zip(x.shape, widths, strict=True)), ...)
    y = be.full(shape, value, x.dtype)
    be.copyto(y[inner], x)
    return y, lambda dy, needs: (dy[inner],)


def pad(x, pad_width, mode="constant", constant_values=None):
    """Surround a tensor with more values.

    Args:
        x: tensor of any shape.
        pad_width: how many values before and after: `((before, after), ...)` for each axis,
            `(before, after)` for every axis, or one int for both.
        mode: "constant", "reflect" (mirror without the border), "symmetric" (mirror with it),
            "edge" (the border repeated) or "wrap" (from the other end).
        constant_values: the value of "constant" padding. Default: 0.

    Returns:
        The padded tensor, of the dtype of x.

    Raises:
        ShapeError: if `pad_width` does not fit the shape.
        ArgumentError: if a width is negative, the mode unknown, or a value given to another mode.

    Source: `keras.ops.pad`.

    >>> gpunn.ops.pad([1, 2, 3], (2, 1), mode="reflect").numpy().tolist()
    [3, 2, 1, 2, 3, 2]
    """
    shape = _shape(x)
    widths = _pad_widths(pad_width, shape)
    if mode == "constant":
        return _pad_constant(x, widths, 0 if constant_values is None else constant_values)
    if mode not in ("reflect", "symmetric", "edge", "wrap"):
        raise unknown("padding mode", mode, ("constant", "reflect", "symmetric", "edge", "wrap"))
    if constant_values is not None:
        raise ArgumentError(f"pad: constant_values go with mode 'constant', not {mode!r}")
    y = reshape(x, shape)
    for axis, (width, n) in enumerate(zip(widths, shape, strict=True)):
        if width == (0, 0):
            continue
        if n == 0:
            raise ShapeError(f"pad: axis {axis} of size 0 has nothing to {mode}")
        y = take(y, constant(np.pad(np.arange(n), width, mode=mode), y, "int64"), axis)
    return y


def _pad_widths(pad_width, shape) -> tuple:
    """`pad_width` as one (before, after) for each axis."""
    widths = np.asarray(pad_width)
    try:
        if widths.dtype.kind not in "iu":
            raise ValueError
        widths = np.broadcast_to(widths, (len(shape), 2)).tolist()
    except ValueError:
        raise ShapeError(
            f"pad: pad_width {pad_width} does not fit shape {shape}; "
            "expected one (before, after) of ints for each axis"
        ) from None
    if any(n < 0 for pair in widths for n in pair):
        raise ArgumentError(f"pad: widths must not be negative, got {pad_width}")
    return tuple(map(tuple, widths))


@primitive
def tile(be, x, /, repeats):
    """Repeat a whole tensor along its axes.

    Args:
        x: tensor of any shape.
        repeats: how often, for each axis from the last; more repeats than axes add axes.

    Returns:
        The repeated tensor.

    Raises:
        ArgumentError: if a count is negative.

    Source: `keras.ops.tile`.

    >>> gpunn.ops.tile([1, 2], (2, 2)).numpy().tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    counts = as_integers("tile: repeats", repeats)
    if any(c < 0 for c in counts):
        raise ArgumentError(f"tile: repeats must not be negative, got {counts}")
    ndim = max(x.ndim, len(counts))
    sizes = (1,) * (ndim - x.ndim) + x.shape
    counts = (1,) * (ndim - len(counts)) + counts
    mixed = tuple(n for pair in zip(counts, sizes, strict=True) for n in pair)
    y = be.empty(mixed, x.dtype)
    be.copyto(y, x.reshape(tuple(n for size in sizes for n in (1, size))))

    def pullback(dy, needs):
        return (dy.reshape(mixed).sum(tuple(range(0, 2 * ndim, 2))).reshape(x.shape),)

    return y.reshape(tuple(c * n for c, n in zip(counts, sizes, strict=True))), pullback


@primitive
def _repeat(be, x, /, count, axis):
    before, after = x.shape[:axis], x.shape[axis:]
    mixed = (*before, after[0], count, *after[1:])
    y = be.empty(mixed, x.dtype)
    be.copyto(y, x.reshape((*before, after[0], 1, *after[1:])))

    def pullback(dy, needs):
        return (dy.reshape(mixed).sum(axis + 1),)

    return y.reshape((*before, after[0] * count, *after[1:])), pullback


def repeat(x, repeats, axis=None):
    """Repeat each value along an axis.

    Args:
        x: tensor of any shape.
        repeats: how often: an int, or one count for each value along the axis (read on the host,
            since the shape of the result depends on them).
        axis: the axis. Default: None, x is made flat.

    Returns:
        The tensor with repeated values.

    Raises:
        ShapeError: if there is not one count for each value.
        ArgumentError: if a count is negative.

    Source: `keras.ops.repeat`.

    >>> gpunn.ops.repeat([1, 2], 2).numpy().tolist()
    [1, 1, 2, 2]
    >>> gpunn.ops.repeat([1, 2], [1, 3]).numpy().tolist()
    [1, 2, 2, 2]
    """
    x = reshape(x, -1 if axis is None or not _shape(x) else _shape(x))
    axis = 0 if axis is None else normalize_axis("repeat", axis, x.ndim)
    counts = np.asarray(repeats.numpy() if isinstance(repeats, Tensor) else repeats)
    if counts.dtype.kind not in "iu" or (counts < 0).any():
        raise ArgumentError(f"repeat: repeats must be integers of at least 0, got {repeats}")
    if counts.size == 1:
        return _repeat(x, count=int(counts.reshape(())), axis=axis)
    if counts.shape != (x.shape[axis],):
        raise ShapeError(
            f"repeat: {x.shape[axis]} values along axis {axis}, but repeats of shape {counts.shape}"
        )
    return take(x, np.repeat(np.arange(len(counts)), counts), axis)


def _shifted(be, x, shift, axis):
    """x rolled by 0 <= shift < size along one axis, in new memory."""
    y = be.empty(x.shape, x.dtype)
    before = (slice(None),) * axis
    cut = x.shape[axis] - shift
    be.copyto(y[(*before, slice(shift, None))], x[(*before, slice(None, cut))])
    be.copyto(y[(*before, slice(None, shift))], x[(*before, slice(cut, None))])
    return y


@primitive
def _roll(be, x, /, shift, axis):
    n = x.shape[axis]
    if n == 0:
        return be.copy(x), lambda dy, needs: (dy,)
    shift %= n

    def pullback(dy, needs):
        return (_shifted(be, dy, -shift % n, axis),)

    return _shifted(be, x, shift, axis), pullback


def roll(x, shift, axis=None):
    """Shift values along axes; what falls off one end comes back at the other.

    Args:
        x: tensor of any shape.
        shift: by how many places: an int, or one for each axis named.
        axis: the axis or axes. Default: None, x is made flat and brought back into its shape.

    Returns:
        The shifted tensor, of the same shape.

    Raises:
        ShapeError: if an axis is out of range, or shifts and axes are not equally many.

    Source: `keras.ops.roll`.

    >>> gpunn.ops.roll([1, 2, 3], 1).numpy().tolist()
    [3, 1, 2]
    """
    shape = _shape(x)
    if axis is None:
        return reshape(roll(reshape(x, -1), shift, 0), shape)
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    shifts = tuple(shift) if isinstance(shift, (tuple, list)) else (shift,) * len(axes)
    axes *= len(shifts) if len(axes) == 1 else 1
    if len(shifts) != len(axes):
        raise ShapeError(f"roll: {len(shifts)} shifts for {len(axes)} axes")
    y = reshape(x, shape)
    for s, a in zip(shifts, axes, strict=True):
        y = _roll(y, shift=int(s), axis=normalize_axis("roll", a, len(shape)))
    return y


def meshgrid(*x, indexing="xy"):
    """Coordinate grids of coordinate vectors.

    Args:
        *x: vectors, one for each dimension; others are flattened.
        indexing: "xy" (the first two axes exchanged) or "ij".

    Returns:
        A list of views, one for each vector, all of the grid's shape.

    Raises:
        ArgumentError: if `indexing` is neither.

    Source: `keras.ops.meshgrid`.

    >>> a, b = gpunn.ops.meshgrid([1, 2], [3, 4, 5])
    >>> a.numpy().tolist(), b.shape
    ([[1, 2], [1, 2], [1, 2]], (3, 2))
    """
    if indexing not in ("xy", "ij"):
        raise unknown("indexing", indexing, ("xy", "ij"))
    places = list(range(len(x)))
    if indexing == "xy" and len(x) > 1:
        places[:2] = 1, 0
    shape = [0] * len(x)
    for v, place in zip(x, places, strict=True):
        shape[place] = math.prod(_shape(v))
    grids = []
    for v, place in zip(x, places, strict=True):
        along = reshape(v, (1,) * place + (-1,) + (1,) * (len(x) - 1 - place))
        grids.append(broadcast_to(along, tuple(shape)))
    return grids


def diff(a, n=1, axis=-1):
    """Differences of neighbours along an axis, n times over.

    Args:
        a: tensor of at least one dimension.
        n: how often. Default: 1.
        axis: the axis. Default: the last.

    Returns:
        A tensor with n values less along the axis; of booleans, whether neighbours differ.

    Raises:
        ShapeError: if the axis is out of range.
        ArgumentError: if n is negative.

    Source: `keras.ops.diff`.

    >>> gpunn.ops.diff([1, 4, 9, 16]).numpy().tolist()
    [3, 5, 7]
    """
    if n < 0:
        raise ArgumentError(f"diff: n must be at least 0, got {n}")
    a = reshape(a, _shape(a))
    before = (slice(None),) * normalize_axes("diff", axis, a.ndim)[0]
    for _ in range(n):
        later = get_item(a, (*before, slice(1, None)))
        earlier = get_item(a, (*before, slice(None, -1)))
        a = _difference(later, earlier)
    return a


@primitive
def _difference(be, x1, x2, /):
    if x1.dtype == bool:
        return x1 != x2, None
    return x1 - x2, lambda dy, needs: (dy, -dy)

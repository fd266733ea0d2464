"""Reading by position: `x[key]`, take, take_along_axis, slice.

Out of range: an index in a list or NumPy array, and any index on the CPU, raises an IndexError. An
index that lies on a GPU cannot be looked at without waiting for the GPU: it reads NaN (integers:
the smallest value) and its gradient is dropped, and the error comes when values are read next.
"""

import math
import operator

import numpy as np

from gpunn.autograd import Tensor, convert, primitive
from gpunn.backend.base import FAR, NOWHERE
from gpunn.checks import as_integers
from gpunn.errors import ArgumentTypeError, DTypeError, OutOfRangeError, ShapeError
from gpunn.ops.choosing import nonzero
from gpunn.ops.shaping import normalize_axis, reshape, transpose

__all__ = [
    "get_item",
    "slice",
    "take",
    "take_along_axis",
]

_slice = slice  # the builtin; this module's `slice` is Keras'


# --- x[key] ---


def get_item(x, key):
    """x[key]: NumPy's indexing, with gradients.

    Ints, slices, None and Ellipsis give views. Integer arrays gather (an element read twice gets
    both gradients, summed in a fixed order); boolean masks select, which reads the mask on the
    host, since the shape of the result depends on it.

    Args:
        x: tensor.
        key: an int, slice, None, Ellipsis, integer or boolean array or tensor, or a tuple of them.

    Returns:
        The selected values.

    Raises:
        IndexError: if the key has too many indices or one is out of range.
        TypeError: if something else is used as an index.

    Source: `keras.ops.get_item`.

    >>> gpunn.ops.get_item(np.arange(12).reshape(3, 4), (..., [0, -1])).numpy().tolist()
    [[0, 3], [4, 7], [8, 11]]
    """
    if not isinstance(x, Tensor):
        x = convert(x)
    if type(key) is not tuple:
        key = (key,)
    ellipsis = False
    for k in key:
        if k is ...:
            ellipsis = True
        elif not (k is None or type(k) is int or type(k) is _slice):
            return _any_item(x, key)
    return _basic_item(x, key=key if ellipsis else (*key, ...))


@primitive
def _basic_item(be, x, /, key):
    y, shape = x[key], x.shape

    def pullback(dy, needs):
        dx = be.zeros(shape, dy.dtype)
        be.copyto(dx[key], dy)
        return (dx,)

    return y, pullback


def _any_item(x, key):
    """x[key] where the key may hold arrays: views of the rest, then one gather of rows.

    An int beside an array counts as an array, as in NumPy; the axes of the arrays' common shape
    stand where the arrays stood if those were neighbours, else first.
    """
    parts = _expand(x.shape, [_part(k) for k in key])
    if not any(isinstance(p, (np.ndarray, Tensor)) for p in parts):
        return get_item(x, tuple(parts))
    places = [i for i, p in enumerate(parts) if isinstance(p, (int, np.ndarray, Tensor))]
    # every part stands for one axis now, so part i is axis i of this view
    view = get_item(x, tuple(_slice(None) if i in places else p for i, p in enumerate(parts)))
    sizes = [view.shape[i] for i in places]
    rows = 0
    for i, n in zip(places, sizes, strict=True):
        rows = join_index(rows, on_device(parts[i], n, x.device), n=n)
    if places != list(range(len(places))):
        rest = [i for i in range(view.ndim) if i not in places]
        view = transpose(view, axes=places + rest)
    view = reshape(view, newshape=(math.prod(sizes), *view.shape[len(places) :]))
    y = _take(view, rows, axis=0)
    first, many = places[0], rows.ndim
    if first and places[-1] - first < len(places):  # neighbours, but not the first axes
        before = range(many, many + first)
        y = transpose(y, axes=[*before, *range(many), *range(many + first, y.ndim)])
    return y


def _part(k):
    """One part of a key as an int, a slice, None, Ellipsis, or an array."""
    if k is None or k is ...:
        return k
    if isinstance(k, _slice):
        return _slice(*(n if n is None else operator.index(n) for n in (k.start, k.stop, k.step)))
    if isinstance(k, (bool, np.bool_)):
        raise ArgumentTypeError("a lone bool is no index: use None, or an array of booleans")
    if isinstance(k, (int, np.integer)):
        return int(k)
    if isinstance(k, (list, tuple)):
        k = np.asarray(k, None if k else np.int32)
    elif isinstance(k, str):
        raise ArgumentTypeError(f"an index must be of integers or booleans, got {k!r}")
    elif not isinstance(k, (np.ndarray, Tensor)):
        k = convert(k)
    if k.dtype.kind not in "iub":
        raise DTypeError(f"an index must be of integers or booleans, not {k.dtype.name}")
    return k


def _expand(shape, key) -> list:
    """The key with Ellipsis and masks spelled out: each part but None stands for one axis."""
    masks = [isinstance(p, (np.ndarray, Tensor)) and p.dtype == bool for p in key]
    widths = [
        p.ndim if mask else int(p is not None and p is not ...)
        for p, mask in zip(key, masks, strict=True)
    ]
    dots = [i for i, p in enumerate(key) if p is ...]
    missing = len(shape) - sum(widths)
    if missing < 0 or len(dots) > 1:
        raise IndexError(f"too many indices for shape {shape}: {sum(widths)}, {len(dots)} '...'")
    at = dots[0] if dots else len(key)
    parts: list = []
    axis = 0
    for i, p in enumerate([*key, None]):
        if i == at:
            parts += [_slice(None)] * missing
            axis += missing
        if i == len(key) or p is ...:
            continue
        if masks[i]:
            if p.ndim == 0 or p.shape != shape[axis : axis + p.ndim]:
                raise IndexError(
                    f"a mask of shape {p.shape} does not fit axis {axis} on of shape {shape}"
                )
            parts.extend(nonzero(p) if isinstance(p, Tensor) else np.nonzero(p))
        else:
            parts.append(p)
        axis += widths[i]
    return parts


def on_device(index, n: int, device):
    """A host index, checked against an axis of n values, as a tensor there; a tensor as it is."""
    if isinstance(index, Tensor):
        return index
    index = np.asarray(index)
    _require_in_range(index, n)
    return convert(index, device=device)


@primitive
def join_index(be, rows, index, /, n):
    """rows * n + index: one row number of several axes' indices, negative ones from the end.

    An index out of range raises on the CPU, and gives a row number out of any range elsewhere,
    from which it can be told.
    """
    if index.dtype.kind not in "iu":
        raise TypeError(f"an index must be of integers, not {index.dtype.name}")
    wide, bad = _in_range(be, index, n)
    joined = rows * n + wide
    if bad is None:
        return joined, None
    row = be.xp.where(bad, _nowhere(be, index), joined)
    return row if isinstance(rows, int) else be.xp.where(rows >= FAR, rows, row), None


@primitive
def flat_index(be, indices, /, shape, axis):
    """Where in a flat array of `shape` the elements lie that `indices` along an axis name."""
    if indices.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, not {indices.dtype.name}")
    wide, bad = _in_range(be, indices, shape[axis])
    flat = wide * math.prod(shape[axis + 1 :])
    for a, n in enumerate(shape):
        if a != axis and n > 1:
            line = be.const(("arange", n), lambda be, n=n: be.xp.arange(n))
            line = line * math.prod(shape[a + 1 :])
            flat = flat + line.reshape((n,) + (1,) * (len(shape) - 1 - a))
    return flat if bad is None else be.xp.where(bad, _nowhere(be, indices), flat), None


def _in_range(be, index, n: int):
    """Indices as int64 counted from 0, and a mask of those out of range (None: there are none)."""
    wide = index.astype(np.int64)
    if be.kind == "cpu":
        be.look(_require_in_range, wide, n)
        return be.xp.where(wide < 0, wide + n, wide), None
    wide = be.xp.where(wide < 0, wide + n, wide)
    return wide, (wide < 0) | (wide >= n)


def _nowhere(be, index):
    """A number that is out of any range, and says which index was."""
    return NOWHERE + be.maximum(index.astype(np.int64), FAR - NOWHERE)


def _require_in_range(index, n: int) -> None:
    if index.size and not (-n <= index.min() and index.max() < n):
        bad = index[(index < -n) | (index >= n)].flat[0]
        raise OutOfRangeError(f"index {bad} is out of range for an axis of size {n}")


# --- gathering ---


def take(x, indices, axis=None):
    """The slices of x at integer positions along an axis.

    Args:
        x: tensor of any shape and dtype.
        indices: integers of any shape; negative ones count from the end.
        axis: the axis they are positions of. Default: None, x is made flat.

    Returns:
        A tensor of the shape of x with `axis` replaced by the shape of `indices`.

    Raises:
        IndexError: if an index is out of range; on a GPU when values are read next.
        DTypeError: if the indices are not integers.

    Source: `keras.ops.take`.

    >>> gpunn.ops.take([[1, 2], [3, 4]], [1, 0, 1], axis=0).numpy().tolist()
    [[3, 4], [1, 2], [3, 4]]
    """
    if not isinstance(x, Tensor):
        x = convert(x)
    if axis is None:
        x, axis = reshape(x, newshape=-1), 0
    elif axis != 0 or not x.ndim:
        axis = normalize_axis("take", axis, x.ndim)
    if not isinstance(indices, Tensor):
        indices = on_device(_part(indices), x.shape[axis], x.device)
    return _take(x, indices, axis=axis)


@primitive
def _take(be, x, indices, /, axis):
    if indices.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, not {indices.dtype.name}")
    shape = x.shape

    def pullback(dy, needs):
        if axis == 0:
            dx = be.zeros(shape, dy.dtype)
            be.scatter_add(dx, indices, dy)
            return dx, None
        many = indices.ndim
        order = [*range(axis, axis + many), *range(axis), *range(axis + many, dy.ndim)]
        dx = be.zeros((shape[axis], *shape[:axis], *shape[axis + 1 :]), dy.dtype)
        be.scatter_add(dx, indices, dy.transpose(order))
        back = [*range(1, axis + 1), 0, *range(axis + 1, len(shape))]
        return dx.transpose(back), None

    return be.take(x, indices, axis), pullback


def take_along_axis(x, indices, axis=None):
    """x[..., indices[..., j, ...], ...]: positions along an axis, their own for every slice.

    Args:
        x: tensor of any shape and dtype.
        indices: integers with as many dimensions as x, that broadcast with it but for `axis`.
        axis: the axis they are positions of. Default: None, both are made flat.

    Returns:
        A tensor of the broadcast shape, with the size of `indices` along `axis`.

    Raises:
        IndexError: if an index is out of range; on a GPU when values are read next.
        ShapeError: if the shapes do not fit.
        DTypeError: if the indices are not integers.

    Source: `keras.ops.take_along_axis`.

    >>> gpunn.ops.take_along_axis([[1, 2], [3, 4]], [[1], [0]], axis=1).numpy().tolist()
    [[2], [3]]
    """
    x = convert(x)
    if axis is None:
        return take(reshape(x, newshape=-1), reshape(indices, newshape=-1), 0)
    axis = normalize_axis("take_along_axis", axis, x.ndim)
    n = x.shape[axis]
    if not isinstance(indices, Tensor):
        indices = on_device(_part(indices), n, x.device)
    if indices.ndim != x.ndim:
        raise ShapeError(
            f"take_along_axis: indices of shape {indices.shape} for x of shape {x.shape}: "
            "expected as many dimensions"
        )
    return _take(reshape(x, newshape=-1), flat_index(indices, shape=x.shape, axis=axis), axis=0)


def slice(inputs, start_indices, shape):
    """A block of a tensor.

    Args:
        inputs: tensor.
        start_indices: where the block starts, one integer for each axis (a tensor is read on the
            host).
        shape: the block's size along each axis; -1 is all that is left.

    Returns:
        A view of that shape.

    Raises:
        ShapeError: if the block does not lie within the tensor.

    Source: `keras.ops.slice`.

    >>> gpunn.ops.slice(np.arange(9).reshape(3, 3), [1, 1], [2, -1]).numpy().tolist()
    [[4, 5], [7, 8]]
    """
    inputs = convert(inputs)
    return get_item(inputs, block("slice", inputs.shape, start_indices, shape))


def block(op, whole, start, sizes) -> tuple:
    """The slices of a block that starts at `start`, or a ShapeError if it does not fit."""
    start, sizes = as_integers(f"{op}: starts", start), as_integers(f"{op}: sizes", sizes)
    if not len(start) == len(sizes) == len(whole):
        raise ShapeError(
            f"{op}: expected one start and one size for each axis of shape {whole}, "
            f"got starts {start} and sizes {sizes}"
        )
    ends = [n if s == -1 else a + s for a, s, n in zip(start, sizes, whole, strict=True)]
    if not all(0 <= a <= b <= n for a, b, n in zip(start, ends, whole, strict=True)):
        raise ShapeError(f"{op}: a block of shape {sizes} at {start} does not lie within {whole}")
    return tuple(_slice(a, b) for a, b in zip(start, ends, strict=True))

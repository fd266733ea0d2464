"""Ops that give the same values another shape: views wherever the device can make one."""

import math
import operator

from gpunn.autograd import primitive
from gpunn.errors import ArgumentTypeError, ShapeError

__all__ = [
    "broadcast_to",
    "copy",
    "expand_dims",
    "flatten",
    "moveaxis",
    "permute",
    "ravel",
    "reshape",
    "squeeze",
    "swapaxes",
    "transpose",
]


def normalize_axis(op: str, axis: int, ndim: int) -> int:
    """The axis as 0..ndim-1, or a ShapeError that names the op."""
    try:
        i = operator.index(axis)
    except TypeError:
        raise ArgumentTypeError(f"{op}: an axis must be an integer, not {axis!r}") from None
    if -ndim <= i < ndim:
        return i + ndim if i < 0 else i
    raise ShapeError(f"{op}: axis {i} is out of range for {ndim} dimensions")


def normalize_axes(op: str, axes, ndim: int) -> tuple[int, ...]:
    """One axis or several as a tuple of 0..ndim-1, without repeats."""
    axes = tuple(axes) if isinstance(axes, (tuple, list)) else (axes,)
    found = tuple(normalize_axis(op, a, ndim) for a in axes)
    if len(set(found)) != len(found):
        raise ShapeError(f"{op}: an axis is named twice in {axes}")
    return found


@primitive
def reshape(be, x, /, newshape):
    """The values of x, in row-major order, in another shape.

    Args:
        x: tensor of any shape and dtype.
        newshape: an int or ints whose product is the size of x; one may be -1 (what is left over).

    Returns:
        A tensor of shape `newshape`: a view where the memory layout allows.

    Raises:
        ShapeError: if the sizes differ.

    Source: `keras.ops.reshape`.

    >>> gpunn.ops.reshape([1, 2, 3, 4], (2, -1)).numpy().tolist()
    [[1, 2], [3, 4]]
    """
    shape = x.shape
    try:
        if type(newshape) is tuple and newshape and min(newshape) < -1:  # NumPy takes it for -1
            raise ValueError("-1 is the only negative size")
        y = x.reshape(newshape)
    except (ValueError, TypeError) as e:
        raise ShapeError(
            f"reshape: cannot give {x.size} values of shape {shape} the shape {newshape}; "
            "expected a shape of as many values (one size may be -1)",
            short=_size(newshape) / x.size if x.size else None,
        ) from e

    def pullback(dy, needs):
        return (dy.reshape(shape),)

    return y, pullback


def _size(shape) -> float:
    """How many values a shape holds; 0 if that is not said."""
    try:
        return max(math.prod(map(operator.index, shape)), 0)
    except TypeError:
        return 0


def ravel(x):
    """All values of x in one dimension, row by row.

    Args:
        x: tensor of any shape.

    Returns:
        A 1-D tensor of as many values.

    Source: `keras.ops.ravel`.

    >>> gpunn.ops.ravel([[1, 2], [3, 4]]).numpy().tolist()
    [1, 2, 3, 4]
    """
    return reshape(x, -1)


def flatten(x, start_axis=0, end_axis=-1):
    """Merge the axes from `start_axis` to `end_axis` into one.

    Args:
        x: tensor of any shape.
        start_axis: first axis that is merged. Default: 0.
        end_axis: last axis that is merged. Default: the last.

    Returns:
        A tensor of the same values; a scalar becomes a vector of one.

    Raises:
        ShapeError: if an axis is out of range, or the last comes before the first.

    Source: `torch.flatten`.

    >>> gpunn.ops.flatten(np.zeros((2, 3, 4)), 1).shape
    (2, 12)
    """
    shape = _shape(x)
    if not shape:
        return reshape(x, 1)
    first = normalize_axis("flatten", start_axis, len(shape))
    last = normalize_axis("flatten", end_axis, len(shape))
    if last < first:
        raise ShapeError(f"flatten: end_axis {end_axis} comes before start_axis {start_axis}")
    merged = math.prod(shape[first : last + 1])
    return reshape(x, (*shape[:first], merged, *shape[last + 1 :]))


@primitive
def transpose(be, x, /, axes=None):
    """Permute the axes of x; without `axes`, reverse them.

    Args:
        x: tensor of any shape.
        axes: where each axis of the result comes from. Default: the reverse order.

    Returns:
        A view with its axes permuted.

    Raises:
        ShapeError: if `axes` is not a permutation of the axes of x.

    Source: `keras.ops.transpose`.

    >>> gpunn.ops.transpose(np.zeros((2, 3, 4)), (0, 2, 1)).shape
    (2, 4, 3)
    """
    if axes is None:
        return x.transpose(), lambda dy, needs: (dy.transpose(),)
    ndim = x.ndim
    order = tuple(axes)
    if sorted(a + ndim if a < 0 else a for a in order) != list(range(ndim)):
        raise ShapeError(
            f"transpose: axes {order} do not name each of the {ndim} axes of shape {x.shape} once"
        )

    def pullback(dy, needs):
        back = [0] * ndim
        for i, a in enumerate(order):
            back[a] = i
        return (dy.transpose(back),)

    return x.transpose(order), pullback


def permute(x, axes):
    """Permute the axes of x: `transpose` with the axes named.

    Args:
        x: tensor of any shape.
        axes: where each axis of the result comes from.

    Returns:
        A view with its axes permuted.

    Raises:
        ShapeError: if `axes` is not a permutation of the axes of x.

    Source: `torch.permute`.

    >>> gpunn.ops.permute(np.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return transpose(x, axes)


@primitive
def swapaxes(be, x, /, axis1, axis2):
    """Exchange two axes of x.

    Args:
        x: tensor of any shape.
        axis1: one axis.
        axis2: the other.

    Returns:
        A view with the two axes exchanged.

    Raises:
        ShapeError: if an axis is out of range.

    Source: `keras.ops.swapaxes`.

    >>> gpunn.ops.swapaxes(np.zeros((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    a = normalize_axis("swapaxes", axis1, x.ndim)
    b = normalize_axis("swapaxes", axis2, x.ndim)
    return x.swapaxes(a, b), lambda dy, needs: (dy.swapaxes(a, b),)


def moveaxis(x, source, destination):
    """Move axes of x to new places; the others keep their order.

    Args:
        x: tensor of any shape.
        source: an axis or several.
        destination: where each of them goes.

    Returns:
        A view with its axes moved.

    Raises:
        ShapeError: if an axis is out of range or named twice, or the counts differ.

    Source: `keras.ops.moveaxis`.

    >>> gpunn.ops.moveaxis(np.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    ndim = len(_shape(x))
    source = normalize_axes("moveaxis", source, ndim)
    destination = normalize_axes("moveaxis", destination, ndim)
    if len(source) != len(destination):
        raise ShapeError(f"moveaxis: {len(source)} source axes but {len(destination)} destinations")
    order = [a for a in range(ndim) if a not in source]
    for to, a in sorted(zip(destination, source, strict=True)):
        order.insert(to, a)
    return transpose(x, order)


@primitive
def squeeze(be, x, /, axis=None):
    """Remove axes of size 1.

    Args:
        x: tensor of any shape.
        axis: the axis or axes to remove. Default: every axis of size 1.

    Returns:
        A view without those axes.

    Raises:
        ShapeError: if a named axis has another size than 1.

    Source: `keras.ops.squeeze`.

    >>> gpunn.ops.squeeze([[[1], [2]]]).numpy().tolist()
    [1, 2]
    """
    shape = x.shape
    if axis is None:
        kept = [n for n in shape if n != 1]
    else:
        gone = normalize_axes("squeeze", axis, len(shape))
        for a in gone:
            if shape[a] != 1:
                raise ShapeError(f"squeeze: axis {a} of shape {shape} has size {shape[a]}, not 1")
        kept = [n for a, n in enumerate(shape) if a not in gone]
    return x.reshape(kept), lambda dy, needs: (dy.reshape(shape),)


@primitive
def expand_dims(be, x, /, axis):
    """Insert axes of size 1.

    Args:
        x: tensor of any shape.
        axis: the place or places of the new axes in the result.

    Returns:
        A view with the new axes.

    Raises:
        ShapeError: if a place is out of range or named twice.

    Source: `keras.ops.expand_dims`.

    >>> gpunn.ops.expand_dims([1, 2], 0).numpy().tolist()
    [[1, 2]]
    """
    shape = x.shape
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    new = normalize_axes("expand_dims", axis, len(shape) + count)
    sizes = iter(shape)
    wide = [1 if a in new else next(sizes) for a in range(len(shape) + count)]
    return x.reshape(wide), lambda dy, needs: (dy.reshape(shape),)


@primitive
def broadcast_to(be, x, /, shape):
    """Repeat x, without copying, along its axes of size 1 and new leading axes.

    Args:
        x: tensor.
        shape: the shape of the result.

    Returns:
        A read-only view of that shape.

    Raises:
        ShapeError: if x cannot be broadcast to it.

    Source: `keras.ops.broadcast_to`.

    >>> gpunn.ops.broadcast_to([1, 2], (2, 2)).numpy().tolist()
    [[1, 2], [1, 2]]
    """
    try:
        y = be.xp.broadcast_to(x, shape)
    except ValueError as e:
        raise ShapeError(
            f"broadcast_to: shape {x.shape} cannot be broadcast to {shape}; "
            "expected equal sizes, or 1, from the right"
        ) from e
    return y, lambda dy, needs: (dy,)


@primitive
def copy(be, x, /):
    """A tensor of the same values in memory of its own.

    Args:
        x: tensor of any shape and dtype.

    Returns:
        The copy.

    Source: `keras.ops.copy`.

    >>> gpunn.ops.copy([1, 2]).numpy().tolist()
    [1, 2]
    """
    return be.copy(x), lambda dy, needs: (dy,)


def _shape(x) -> tuple[int, ...]:
    """The shape of a tensor, array or anything array-like."""
    shape = getattr(x, "shape", None)
    return shape if isinstance(shape, tuple) else _listed_shape(x)


def _listed_shape(x) -> tuple[int, ...]:
    return (len(x), *_listed_shape(x[0])) if isinstance(x, (list, tuple)) and x else ()

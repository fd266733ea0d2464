"""Ops that put tensors together and take them apart again along an axis."""

from itertools import pairwise

from gpunn.autograd import KerasTensor, primitive
from gpunn.backend.dtypes import result_type
from gpunn.checks import as_list, check_integer
from gpunn.errors import ArgumentError, ShapeError
from gpunn.ops.indexing import get_item
from gpunn.ops.shaping import _shape, expand_dims, normalize_axis, ravel, reshape

__all__ = [
    "append",
    "array_split",
    "concatenate",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "split",
    "stack",
    "unstack",
    "vsplit",
    "vstack",
]


@primitive
def _concatenate(be, /, *xs, axis):
    xs = [x if hasattr(x, "shape") else be.asarray(x) for x in xs]
    first = xs[0]
    if not 0 <= axis < first.ndim:
        axis = normalize_axis("concatenate", axis, first.ndim)
    head, tail = first.shape[:axis], first.shape[axis + 1 :]
    before = (slice(None),) * axis
    parts, end = [], 0
    dtype = first.dtype
    for x in xs:
        shape = x.shape
        if len(shape) != first.ndim or shape[:axis] != head or shape[axis + 1 :] != tail:
            raise ShapeError(
                f"concatenate: shapes {', '.join(str(t.shape) for t in xs)} differ in more than "
                f"axis {axis}, along which they are joined"
            )
        start, end = end, end + shape[axis]
        parts.append((*before, slice(start, end)))
        if x.dtype != dtype:
            dtype = result_type(dtype, x.dtype)
    y = be.empty((*head, end, *tail), dtype)
    for x, part in zip(xs, parts, strict=True):
        be.copyto(y[part], x)

    def pullback(dy, needs):
        return tuple([dy[p] if n else None for p, n in zip(parts, needs, strict=True)])

    return y, pullback


def concatenate(xs, axis=0):
    """Join tensors along an existing axis.

    Args:
        xs: tensors of equal shapes but for `axis`; their common dtype is the result's.
        axis: the axis along which they are joined. Default: 0.

    Returns:
        The joined tensor.

    Raises:
        ShapeError: if the shapes differ in another axis.
        ArgumentError: if `xs` is empty.

    Source: `keras.ops.concatenate`.

    >>> gpunn.ops.concatenate([[1, 2], [3]]).numpy().tolist()
    [1, 2, 3]
    """
    return _concatenate(*_several("concatenate", xs), axis=axis)


def append(x1, x2, axis=None):
    """Join two tensors along an axis; without one, both are made flat first.

    Args:
        x1: tensor.
        x2: tensor, of the same shape as x1 but for `axis`.
        axis: the axis along which they are joined. Default: None, both are made flat.

    Returns:
        The joined tensor.

    Raises:
        ShapeError: if the shapes differ in another axis.

    Source: `keras.ops.append`.

    >>> gpunn.ops.append([[1, 2]], [[3, 4]]).numpy().tolist()
    [1, 2, 3, 4]
    """
    if axis is None:
        return concatenate([ravel(x1), ravel(x2)])
    return concatenate([x1, x2], axis)


def stack(x, axis=0):
    """Join tensors of one shape along a new axis.

    Args:
        x: sequence of tensors of one shape.
        axis: the place of the new axis in the result. Default: 0.

    Returns:
        The joined tensor, with one dimension more.

    Raises:
        ShapeError: if the shapes differ.
        ArgumentError: if there is no tensor.

    Source: `keras.ops.stack`.

    >>> gpunn.ops.stack([[1, 2], [3, 4]], axis=1).numpy().tolist()
    [[1, 3], [2, 4]]
    """
    xs = _several("stack", x)
    shapes = [_shape(t) for t in xs]
    if any(s != shapes[0] for s in shapes):
        raise ShapeError(f"stack: expected one shape, got {', '.join(map(str, shapes))}")
    return _concatenate(*(expand_dims(t, axis) for t in xs), axis=axis)


def vstack(xs):
    """Join tensors along axis 0; vectors become rows.

    Args:
        xs: sequence of tensors of equal shapes but for axis 0.

    Returns:
        The joined tensor, of at least two dimensions.

    Raises:
        ShapeError: if the shapes differ in another axis.

    Source: `keras.ops.vstack`.

    >>> gpunn.ops.vstack([[1, 2], [3, 4]]).numpy().tolist()
    [[1, 2], [3, 4]]
    """
    return concatenate([_at_least_2d(x) for x in _several("vstack", xs)], 0)


def hstack(xs):
    """Join tensors along axis 1, vectors along axis 0.

    Args:
        xs: sequence of tensors of equal shapes but for that axis.

    Returns:
        The joined tensor.

    Raises:
        ShapeError: if the shapes differ in another axis.

    Source: `keras.ops.hstack`.

    >>> gpunn.ops.hstack([[[1], [2]], [[3], [4]]]).numpy().tolist()
    [[1, 3], [2, 4]]
    """
    xs = [x if _shape(x) else reshape(x, 1) for x in _several("hstack", xs)]
    return concatenate(xs, 0 if len(_shape(xs[0])) == 1 else 1)


def dstack(xs):
    """Join tensors along axis 2; vectors and matrices get the axes they lack.

    Args:
        xs: sequence of tensors of equal shapes but for axis 2.

    Returns:
        The joined tensor, of at least three dimensions.

    Raises:
        ShapeError: if the shapes differ in another axis.

    Source: `keras.ops.dstack`.

    >>> gpunn.ops.dstack([[1, 2], [3, 4]]).shape
    (1, 2, 2)
    """
    flat = [_at_least_2d(x) for x in _several("dstack", xs)]
    return concatenate([x if len(_shape(x)) > 2 else expand_dims(x, 2) for x in flat], 2)


def split(x, indices_or_sections, axis=0):
    """Cut a tensor into parts along an axis.

    Args:
        x: tensor.
        indices_or_sections: how many equal parts, or the sorted places of the cuts.
        axis: the axis that is cut. Default: 0.

    Returns:
        A list of views.

    Raises:
        ShapeError: if the axis cannot be cut into that many equal parts.

    Source: `keras.ops.split`.

    >>> [p.numpy().tolist() for p in gpunn.ops.split([1, 2, 3, 4], [1, 3])]
    [[1], [2, 3], [4]]
    """
    axis = normalize_axis("split", axis, len(_shape(x)))
    size = _shape(x)[axis]
    if not isinstance(indices_or_sections, int):
        return _cut(x, [0, *(int(i) for i in indices_or_sections), None], axis)
    n = indices_or_sections
    if n < 1 or size % n:
        raise ShapeError(
            f"split: axis {axis} of size {size} cannot be cut into {n} equal parts; "
            "use array_split for unequal ones"
        )
    return _cut(x, range(0, size + 1, size // n) if size else [0] * (n + 1), axis)


def array_split(x, indices_or_sections, axis=0):
    """Cut a tensor into parts along an axis; the first parts are one larger where need be.

    Args:
        x: tensor.
        indices_or_sections: how many parts, or the sorted places of the cuts.
        axis: the axis that is cut. Default: 0.

    Returns:
        A list of views.

    Raises:
        ArgumentError: if the number of parts is less than one.

    Source: `keras.ops.array_split`.

    >>> [p.shape for p in gpunn.ops.array_split(np.zeros(5), 3)]
    [(2,), (2,), (1,)]
    """
    if not isinstance(indices_or_sections, int):
        return split(x, indices_or_sections, axis)
    n = indices_or_sections
    axis = normalize_axis("array_split", axis, len(_shape(x)))
    if n < 1:
        raise ArgumentError(f"array_split: expected at least 1 part, got {n}")
    each, more = divmod(_shape(x)[axis], n)
    return _cut(x, [i * each + min(i, more) for i in range(n + 1)], axis)


def vsplit(x, indices_or_sections):
    """Cut a tensor into parts along axis 0.

    Args:
        x: tensor of at least two dimensions.
        indices_or_sections: how many equal parts, or the sorted places of the cuts.

    Returns:
        A list of views.

    Raises:
        ShapeError: if x cannot be cut so.

    Source: `keras.ops.vsplit`.

    >>> [p.shape for p in gpunn.ops.vsplit(np.zeros((4, 2)), 2)]
    [(2, 2), (2, 2)]
    """
    return split(_of_rank("vsplit", x, 2), indices_or_sections, 0)


def hsplit(x, indices_or_sections):
    """Cut a tensor into parts along axis 1, a vector along axis 0.

    Args:
        x: tensor of at least one dimension.
        indices_or_sections: how many equal parts, or the sorted places of the cuts.

    Returns:
        A list of views.

    Raises:
        ShapeError: if x cannot be cut so.

    Source: `keras.ops.hsplit`.

    >>> [p.shape for p in gpunn.ops.hsplit(np.zeros((4, 2)), 2)]
    [(4, 1), (4, 1)]
    """
    x = _of_rank("hsplit", x, 1)
    return split(x, indices_or_sections, min(1, len(_shape(x)) - 1))


def dsplit(x, indices_or_sections):
    """Cut a tensor into parts along axis 2.

    Args:
        x: tensor of at least three dimensions.
        indices_or_sections: how many equal parts, or the sorted places of the cuts.

    Returns:
        A list of views.

    Raises:
        ShapeError: if x cannot be cut so.

    Source: `keras.ops.dsplit`.

    >>> [p.shape for p in gpunn.ops.dsplit(np.zeros((4, 2, 6)), 3)]
    [(4, 2, 2), (4, 2, 2), (4, 2, 2)]
    """
    return split(_of_rank("dsplit", x, 3), indices_or_sections, 2)


def unstack(x, num=None, axis=0):
    """Cut a tensor into its slices along an axis, without that axis.

    Args:
        x: tensor of at least one dimension.
        num: the size of the axis, checked if given.
        axis: the axis that disappears. Default: 0.

    Returns:
        A list of views.

    Raises:
        ShapeError: if the axis is out of range or not of size `num`.

    Source: `keras.ops.unstack`.

    >>> [t.numpy().tolist() for t in gpunn.ops.unstack([[1, 2], [3, 4]], axis=1)]
    [[1, 3], [2, 4]]
    """
    shape = _shape(x)
    axis = normalize_axis("unstack", axis, len(shape))
    if num is not None:
        check_integer("unstack: num", num, low=0)
    if num is not None and num != shape[axis]:
        raise ShapeError(f"unstack: axis {axis} of shape {shape} has size {shape[axis]}, not {num}")
    before = (slice(None),) * axis
    return [get_item(x, (*before, i)) for i in range(shape[axis])]


def _slices_spec(x, num=None, axis=0):
    """What `unstack` gives of a symbolic tensor: `num` may say a size that is unknown."""
    axis = normalize_axis("unstack", axis, x.ndim)
    known = x.shape[axis]
    if (known or num) is None:
        raise ArgumentError(f"unstack: axis {axis} of {x.shape} has no known size: give num")
    if num is not None:
        check_integer("unstack: num", num, low=0)
    if num not in (None, known or num):
        raise ShapeError(f"unstack: axis {axis} of shape {x.shape} has size {known}, not {num}")
    rest = x.shape[:axis] + x.shape[axis + 1 :]
    return [KerasTensor(rest, x.dtype) for _ in range(num if known is None else known)]


setattr(unstack, "output_spec", _slices_spec)  # noqa: B010 - for mypy


def _cut(x, places, axis) -> list:
    before = (slice(None),) * axis
    return [get_item(x, (*before, slice(a, b))) for a, b in pairwise(places)]


def _several(op, xs) -> list:
    xs = as_list(op, xs, "tensors")
    if not xs:
        raise ArgumentError(f"{op}: expected at least one tensor, got none")
    return xs


def _at_least_2d(x):
    shape = _shape(x)
    return x if len(shape) > 1 else reshape(x, (1, -1))


def _of_rank(op, x, ndim):
    if len(_shape(x)) < ndim:
        raise ShapeError(f"{op}: expected at least {ndim} dimensions, got shape {_shape(x)}")
    return x

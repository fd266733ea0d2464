"""Ops that turn tensors round: flip, fliplr, flipud, rot90, and einops' rearrange."""

import math
import re

from gpunn.autograd import primitive
from gpunn.errors import ArgumentError, ShapeError
from gpunn.ops.shaping import _shape, normalize_axes, reshape, swapaxes, transpose

__all__ = ["flip", "fliplr", "flipud", "rearrange", "rot90"]


@primitive
def flip(be, x, /, axis=None):
    """Reverse the order of the values along axes.

    Args:
        x: tensor of any shape.
        axis: an axis or several. Default: all.

    Returns:
        A view with those axes reversed.

    Raises:
        ShapeError: if an axis is out of range.

    Source: `keras.ops.flip`.

    >>> gpunn.ops.flip([[1, 2], [3, 4]], axis=1).numpy().tolist()
    [[2, 1], [4, 3]]
    """
    ndim = x.ndim
    flipped = range(ndim) if axis is None else normalize_axes("flip", axis, ndim)
    key = (*(slice(None, None, -1 if a in flipped else None) for a in range(ndim)), ...)
    return x[key], lambda dy, needs: (dy[key],)


def flipud(x):
    """Reverse the order of the rows (axis 0).

    Args:
        x: tensor of at least one dimension.

    Returns:
        A view with axis 0 reversed.

    Raises:
        ShapeError: if x is a scalar.

    Source: `keras.ops.flipud`.

    >>> gpunn.ops.flipud([[1, 2], [3, 4]]).numpy().tolist()
    [[3, 4], [1, 2]]
    """
    return flip(x, 0)


def fliplr(x):
    """Reverse the order of the columns (axis 1).

    Args:
        x: tensor of at least two dimensions.

    Returns:
        A view with axis 1 reversed.

    Raises:
        ShapeError: if x has fewer than two dimensions.

    Source: `keras.ops.fliplr`.

    >>> gpunn.ops.fliplr([[1, 2], [3, 4]]).numpy().tolist()
    [[2, 1], [4, 3]]
    """
    return flip(x, 1)


def rot90(array, k=1, axes=(0, 1)):
    """Rotate by k quarter turns in the plane of two axes, from the first to the second.

    Args:
        array: tensor of at least two dimensions.
        k: how many quarter turns. Default: 1.
        axes: the two axes of the plane. Default: (0, 1).

    Returns:
        A view, rotated.

    Raises:
        ShapeError: if there are fewer than two dimensions, or the axes are not two different ones.

    Source: `keras.ops.rot90`.

    >>> gpunn.ops.rot90([[1, 2], [3, 4]]).numpy().tolist()
    [[2, 4], [1, 3]]
    """
    ndim = len(_shape(array))
    if ndim < 2:
        raise ShapeError(f"rot90: expected at least 2 dimensions, got {ndim}")
    axes = normalize_axes("rot90", axes, ndim)
    if len(axes) != 2:
        raise ShapeError(f"rot90: expected two axes, got {len(axes)}")
    first, second = axes
    k %= 4
    if k == 0:
        return transpose(array, range(ndim))
    if k == 2:
        return flip(array, (first, second))
    if k == 1:
        return swapaxes(flip(array, second), first, second)
    return flip(swapaxes(array, first, second), second)


def rearrange(tensor, pattern, **axes_lengths):
    """Reorder, split and merge axes as an einops pattern says.

    Args:
        tensor: tensor with one axis for each name or bracket left of the arrow.
        pattern: such as `"b (h h1) w -> b h (h1 w)"`.
        **axes_lengths: sizes of names within brackets; one per bracket may be left out.

    Returns:
        The rearranged tensor.

    Raises:
        ArgumentError: if the pattern does not name the same axes on both sides.
        ShapeError: if it does not fit the tensor's shape.

    Source: `keras.ops.rearrange`.

    >>> gpunn.ops.rearrange(np.zeros((2, 6, 3)), "b (h w) c -> b h w c", h=2).shape
    (2, 2, 3, 3)
    """
    sides = [_groups(side) for side in pattern.split("->")]
    if len(sides) != 2:
        raise ArgumentError(f"rearrange: expected one '->' in {pattern!r}")
    left, right = sides
    source, target = ([name for group in side for name in group] for side in sides)
    if len(set(source)) != len(source) or sorted(source) != sorted(target):
        raise ArgumentError(f"rearrange: each axis must stand once on both sides of {pattern!r}")
    shape = _shape(tensor)
    if len(left) != len(shape):
        raise ShapeError(f"rearrange: {pattern!r} names {len(left)} axes, shape {shape} has "
                         f"{len(shape)}")  # fmt: skip
    sizes = {}
    for group, size in zip(left, shape, strict=True):
        unknown = [name for name in group if name not in axes_lengths]
        known = math.prod(axes_lengths[name] for name in group if name in axes_lengths)
        sizes.update({name: axes_lengths[name] for name in group if name in axes_lengths})
        if len(unknown) > 1:
            raise ArgumentError(f"rearrange: give the sizes of all but one of {group}")
        if unknown:
            sizes[unknown[0]] = size // known if known else 0
        if math.prod(sizes[name] for name in group) != size:
            raise ShapeError(f"rearrange: an axis of size {size} cannot be split into {group} "
                             f"with sizes {axes_lengths}")  # fmt: skip
    split = reshape(tensor, tuple(sizes[name] for name in source))
    moved = transpose(split, [source.index(name) for name in target])
    return reshape(moved, tuple(math.prod(sizes[name] for name in group) for group in right))


def _groups(side: str) -> list[list[str]]:
    """One side of a pattern as a list of axes, each a list of names."""
    return [re.findall(r"\w+", part) for part in re.findall(r"\([^)]*\)|\w+", side)]

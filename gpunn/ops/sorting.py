"""Order: sort, argsort, argpartition, top_k, in_top_k, searchsorted, digitize."""

import numpy as np

from gpunn.autograd import Tensor, convert, primitive
from gpunn.errors import ArgumentError, ShapeError, unknown
from gpunn.ops.indexing import take_along_axis
from gpunn.ops.reduction import narrow, wide
from gpunn.ops.shaping import normalize_axis, reshape

__all__ = ["argpartition", "argsort", "digitize", "in_top_k", "searchsorted", "sort", "top_k"]


def sort(x, axis=-1):
    """The values in rising order along an axis; NaN comes last.

    Args:
        x: tensor.
        axis: Default: the last; None sorts x made flat.

    Returns:
        A tensor of the same shape.

    Raises:
        ShapeError: if the axis is out of range.

    Source: `keras.ops.sort`.

    >>> gpunn.ops.sort([3, 1, 2]).numpy().tolist()
    [1, 2, 3]
    """
    return _sort(x, axis=axis) if axis is not None else _sort(reshape(x, newshape=-1), axis=0)


@primitive
def _sort(be, x, /, axis):
    axis = normalize_axis("sort", axis, x.ndim)

    def pullback(dy, needs):
        order = be.xp.argsort(wide(x), axis=axis, kind="stable")
        return (be.xp.take_along_axis(dy, be.xp.argsort(order, axis=axis), axis),)

    # CuPy sorts no bfloat16
    return narrow(be.xp.sort(wide(x), axis=axis, kind="stable"), x.dtype), pullback


@primitive
def argsort(be, x, /, axis=-1):
    """The positions that put the values in rising order along an axis; equal ones stay in order.

    Args:
        x: tensor.
        axis: Default: the last; None sorts x made flat.

    Returns:
        An int32 tensor of the same shape.

    Raises:
        ShapeError: if the axis is out of range.

    Source: `keras.ops.argsort`.

    >>> gpunn.ops.argsort([3, 1, 2]).numpy().tolist()
    [1, 2, 0]
    """
    if axis is None or not x.ndim:
        x, axis = x.reshape(-1), 0
    axis = normalize_axis("argsort", axis, x.ndim)
    return be.xp.argsort(wide(x), axis=axis, kind="stable").astype(np.int32), None


@primitive
def argpartition(be, x, /, kth, axis=-1):
    """Positions such that the k-th is in its place, no larger ones before it, no smaller after.

    Args:
        x: tensor.
        kth: which place.
        axis: Default: the last; None takes x made flat.

    Returns:
        An int32 tensor of the same shape.

    Raises:
        ShapeError: if the axis is out of range.
        ArgumentError: if `kth` is.

    Source: `keras.ops.argpartition`.

    >>> int(gpunn.ops.argpartition([3, 1, 2], 1)[1])
    2
    """
    if axis is None or not x.ndim:
        x, axis = x.reshape(-1), 0
    axis = normalize_axis("argpartition", axis, x.ndim)
    if not -x.shape[axis] <= kth < x.shape[axis]:
        raise ArgumentError(f"argpartition: there is no place {kth} among {x.shape[axis]} values")
    return be.xp.argpartition(wide(x), kth, axis=axis).astype(np.int32), None


def top_k(x, k, sorted=True):
    """The k largest values along the last axis, and where they are.

    Of equal values the first counts as larger; NaN is the largest of all.

    Args:
        x: tensor of at least one dimension.
        k: how many.
        sorted: whether they shall come in falling order; here they always do.

    Returns:
        The values, and their positions in int32.

    Raises:
        ShapeError: if x is a scalar.
        ArgumentError: if there are fewer than k values.

    Source: `keras.ops.top_k`.

    >>> values, indices = gpunn.ops.top_k([5, 9, 7], 2)
    >>> values.numpy().tolist(), indices.numpy().tolist()
    ([9, 7], [1, 2])
    """
    x = x if isinstance(x, Tensor) else convert(x)
    if not x.ndim:
        raise ShapeError("top_k: expected at least one dimension, got a scalar")
    if not 0 <= k <= x.shape[-1]:
        raise ArgumentError(f"top_k: cannot take the {k} largest of {x.shape[-1]} values")
    indices = _largest(x, k=k)
    return take_along_axis(x, indices, -1), indices


@primitive
def _largest(be, x, /, k):
    # the reverse of the reversed array's stable order: falling, and equal values in order
    order = be.xp.argsort(wide(x)[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    return (x.shape[-1] - 1 - order[..., :k]).astype(np.int32), None


@primitive
def in_top_k(be, targets, predictions, /, k):
    """Whether the score of the target class is among the k largest; ties count as larger for it.

    Args:
        targets: class numbers of shape (batch,).
        predictions: scores of shape (batch, classes).
        k: how many places.

    Returns:
        A bool tensor of shape (batch,). A target whose score is NaN, or that is no class, is not.

    Raises:
        ShapeError: if the shapes do not fit.

    Source: `keras.ops.in_top_k`.

    >>> gpunn.ops.in_top_k([1, 0], [[0.1, 0.9, 0.5], [0.2, 0.3, 0.4]], k=2).numpy().tolist()
    [True, False]
    """
    if predictions.ndim != targets.ndim + 1 or predictions.shape[:-1] != targets.shape:
        raise ShapeError(
            f"in_top_k: targets of shape {targets.shape} do not fit predictions of shape "
            f"{predictions.shape}; expected (batch,) and (batch, classes)"
        )
    n = predictions.shape[-1]
    classes = be.const(("arange", n), lambda be: be.xp.arange(n))
    target = targets[..., None]
    chosen = classes == be.xp.where(target < 0, target + n, target)
    score = be.xp.where(chosen, predictions, 0).sum(-1)
    score = be.xp.where(chosen.any(-1) & (score == score), score, -np.inf)
    rank = 1 + (predictions > score[..., None]).sum(-1)
    return (rank <= k) & chosen.any(-1), None


@primitive
def searchsorted(be, sorted_sequence, values, /, side="left"):
    """Where values would go in a rising sequence.

    Args:
        sorted_sequence: vector in rising order.
        values: tensor.
        side: "left": before equal ones; "right": after them.

    Returns:
        An int32 tensor of the shape of `values`.

    Raises:
        ShapeError: if the sequence is not a vector.
        ArgumentError: if `side` is neither.

    Source: `keras.ops.searchsorted`.

    >>> gpunn.ops.searchsorted([1, 3, 5], [0, 3, 9]).numpy().tolist()
    [0, 1, 3]
    """
    if side not in ("left", "right"):
        raise unknown("side", side, ("left", "right"))
    if sorted_sequence.ndim != 1:
        raise ShapeError(
            f"searchsorted: expected a vector, got shape {sorted_sequence.shape}; "
            "use vectorized_map for several sequences"
        )
    values = be.asarray(values)
    return be.wrap(be.xp.searchsorted(sorted_sequence, values, side=side)).astype(np.int32), None


@primitive
def digitize(be, x, bins, /):
    """The number of the bin that each value falls in: `bins[i - 1] <= x < bins[i]`.

    Args:
        x: tensor.
        bins: vector of the bins' edges, in rising or falling order.

    Returns:
        An int32 tensor of the shape of x.

    Raises:
        ShapeError: if the edges are not a vector.

    Source: `keras.ops.digitize`.

    >>> gpunn.ops.digitize([0.2, 6.4, 3.0], [0.0, 1.0, 2.5, 4.0]).numpy().tolist()
    [1, 4, 3]
    """
    if bins.ndim != 1:
        raise ShapeError(f"digitize: expected a vector of edges, got shape {bins.shape}")
    return be.wrap(be.xp.digitize(be.asarray(x), bins)).astype(np.int32), None

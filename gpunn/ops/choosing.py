"""Choosing values by conditions: where, select, and where they hold: nonzero, argwhere."""

import numpy as np

from gpunn.autograd import primitive
from gpunn.backend.dtypes import result_type
from gpunn.errors import ArgumentError
from gpunn.ops.reduction import narrow

__all__ = ["argwhere", "nonzero", "select", "where"]


def where(condition, x1=None, x2=None):
    """x1 where the condition holds, else x2.

    Args:
        condition: tensor; what is not zero holds.
        x1: tensor or scalar, broadcast with the others.
        x2: tensor or scalar. Without x1 and x2 the result is `nonzero(condition)`.

    Returns:
        A tensor of the broadcast shape and the common dtype of x1 and x2.

    Raises:
        ArgumentError: if only one of x1 and x2 is given.
        ShapeError: if the shapes cannot be broadcast.

    Source: `keras.ops.where`.

    >>> gpunn.ops.where([True, False], [1, 2], 0.5).numpy()
    array([1. , 0.5], dtype=float32)
    """
    if x1 is None and x2 is None:
        return nonzero(condition)
    if x1 is None or x2 is None:
        raise ArgumentError("where: give both x1 and x2, or neither")
    return _where(condition, x1, x2)


@primitive
def _where(be, condition, x1, x2, /):
    condition = be.asarray(condition)
    if not (hasattr(x1, "dtype") and hasattr(x2, "dtype") and x1.dtype == x2.dtype):
        common = result_type(*(getattr(x, "dtype", type(x)) for x in (x1, x2)))
        x1, x2 = (
            x.astype(common, copy=False) if hasattr(x, "dtype") else be.full((), x, common)
            for x in (x1, x2)
        )

    def pullback(dy, needs):
        dx1 = be.xp.where(condition, dy, 0) if needs[1] else None
        dx2 = be.xp.where(condition, 0, dy) if needs[2] else None
        return None, *(d if d is None else narrow(d, dy.dtype) for d in (dx1, dx2))

    return narrow(be.xp.where(condition, x1, x2), x1.dtype), pullback  # CuPy's of bfloat16 is wider


def select(condlist, choicelist, default=0):
    """For each element, the choice whose condition holds first.

    Args:
        condlist: boolean tensors.
        choicelist: as many tensors or scalars.
        default: where no condition holds. Default: 0.

    Returns:
        A tensor of the broadcast shape and the common dtype of the choices and the default.

    Raises:
        ArgumentError: if there are not as many conditions as choices, or none.

    Source: `keras.ops.select`.

    >>> x = np.arange(6)
    >>> gpunn.ops.select([x < 3, x > 3], [x, x**2], 42).numpy().tolist()
    [0, 1, 2, 42, 16, 25]
    """
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ArgumentError(
            f"select: expected as many conditions as choices, got {len(condlist)} and "
            f"{len(choicelist)}"
        )
    y = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        y = where(condition, choice, y)
    return y


@primitive
def nonzero(be, x, /):
    """The positions of the values that are not zero, read on the host.

    Args:
        x: tensor.

    Returns:
        A tuple of int32 vectors, one for each axis.

    Source: `keras.ops.nonzero`.

    >>> [i.numpy().tolist() for i in gpunn.ops.nonzero([[0, 1], [2, 0]])]
    [[0, 1], [1, 0]]
    """
    found = be.xp.nonzero(x.reshape(x.shape or 1))
    return tuple(i.astype(np.int32) for i in found), None


@primitive
def argwhere(be, x, /):
    """The positions of the values that are not zero, one in each row; read on the host.

    Args:
        x: tensor of n dimensions.

    Returns:
        An int32 tensor of shape (count, n).

    Source: `numpy.argwhere`.

    >>> gpunn.ops.argwhere([[0, 1], [2, 0]]).numpy().tolist()
    [[0, 1], [1, 0]]
    """
    return be.xp.stack(be.xp.nonzero(x), axis=-1).astype(np.int32), None

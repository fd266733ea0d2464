"""The largest and smallest along axes, such as of global pooling: the gradient in one launch."""

from math import prod

from gpunn.backend.cupy_ import INDEX, cuda_type, index_type, wide
from gpunn.backend.kernels import FLOATS, kernel

ROWS_A_COLUMN = 64  # at most, for each column that there is: a thread goes through all of them


def _columns(x, axis) -> tuple:
    """The sizes before, along and after axes that lie beside each other; () if they do not."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    axes = sorted(a + x.ndim * (a < 0) for a in axes)
    if not axes or axes != list(range(axes[0], axes[-1] + 1)) or axes[0] < 0 or axes[-1] >= x.ndim:
        return ()
    first, behind = axes[0], axes[-1] + 1
    return prod(x.shape[:first]), prod(x.shape[first:behind]), prod(x.shape[behind:])


def _takes(x, axis=None, keepdims=False, initial=None) -> bool:
    sizes = _columns(x, axis)
    if not sizes or not x.size or initial is not None:
        return False
    before, n, after = sizes
    return n <= ROWS_A_COLUMN * before * after


def _extreme(be, x, name: str, axis, keepdims: bool):
    axis = tuple(axis) if isinstance(axis, list) else axis
    x, (before, n, after) = be.xp.ascontiguousarray(x), _columns(x, axis)
    y = getattr(x, name)(axis=axis, keepdims=keepdims)

    def pullback(dy, needs):
        dx, index = be.empty(x.shape, x.dtype), index_type(x.size)
        types = f"{cuda_type(x.dtype)}, {cuda_type(wide(x.dtype))}, {index}"
        counts = [INDEX[index](v) for v in (before * after, n, after)]
        args = (dx, be.xp.ascontiguousarray(dy), y, x, *counts)
        be.launch("extrema", f"extreme_back<{types}>", before * after, args)
        return (dx,)

    return y, pullback


@kernel("max", "cuda", FLOATS, _takes)
def largest(be, x, axis=None, keepdims=False, initial=None):
    return _extreme(be, x, "max", axis, keepdims)


@kernel("min", "cuda", FLOATS, _takes)
def smallest(be, x, axis=None, keepdims=False, initial=None):
    return _extreme(be, x, "min", axis, keepdims)

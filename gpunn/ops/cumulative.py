"""Running sums and products, and integration."""

from gpunn.autograd import primitive
from gpunn.backend.dtypes import is_float, standardize
from gpunn.errors import ShapeError
from gpunn.ops.reduction import narrow, wide

__all__ = ["cumprod", "cumsum", "trapezoid"]


def _running_dtype(x, dtype):
    """What the result is in: that of x, int32 of booleans, or the one asked for."""
    if dtype is not None:
        return standardize(dtype)
    return standardize("int32") if x.dtype.kind == "b" else x.dtype


def _accumulated(x, dtype):
    """x in the dtype, or in float32 for half floats."""
    w = narrow(x, dtype)
    return wide(w) if is_float(dtype) else w


def _along(axis: int, index, ndim: int) -> tuple:
    """A key that indexes one axis."""
    key = [slice(None)] * ndim
    key[axis] = index
    return tuple(key)


@primitive
def cumsum(be, x, /, axis=None, dtype=None):
    """The sums of all elements up to each one along an axis.

    Args:
        x: tensor of any shape.
        axis: the axis. Default: all elements, row by row, in one dimension.
        dtype: of the result. Default: that of x (of booleans: int32).

    Returns:
        A tensor of the shape of x, or of one dimension.

    Raises:
        ShapeError: if the axis does not exist.

    Source: `keras.ops.cumsum`.

    >>> gpunn.ops.cumsum([1, 2, 3]).numpy()
    array([1, 3, 6], dtype=int32)
    """
    dtype = _running_dtype(x, dtype)
    shape = x.shape
    w = _accumulated(x, dtype)
    y = narrow(w.cumsum(axis, dtype=w.dtype), dtype)

    def pullback(dy, needs):
        back = _along(axis or 0, slice(None, None, -1), dy.ndim)
        return (wide(dy)[back].cumsum(axis or 0)[back].reshape(shape),)

    return y, pullback


@primitive
def cumprod(be, x, /, axis=None, dtype=None):
    """The products of all elements up to each one along an axis.

    Its gradient is right where elements are 0, too.

    Args:
        x: tensor of any shape.
        axis: the axis. Default: all elements, row by row, in one dimension.
        dtype: of the result. Default: that of x (of booleans: int32).

    Returns:
        A tensor of the shape of x, or of one dimension.

    Raises:
        ShapeError: if the axis does not exist.

    Source: `keras.ops.cumprod`.

    >>> gpunn.ops.cumprod([1, 2, 3]).numpy()
    array([1, 2, 6], dtype=int32)
    """
    dtype = _running_dtype(x, dtype)
    shape = x.shape
    w = _accumulated(x, dtype)
    w, axis = (w.reshape(-1), 0) if axis is None else (w, axis)
    y = w.cumprod(axis, dtype=w.dtype)

    def pullback(dy, needs):
        # y[k] = y[k-1] x[k], backwards through the chain: a division by x would fail at 0
        dx = be.empty(w.shape, w.dtype)
        later = 0
        for k in range(w.shape[axis] - 1, -1, -1):
            here = _along(axis, slice(k, k + 1), w.ndim)
            later = dy[here] + later
            dx[here] = later * y[_along(axis, slice(k - 1, k), w.ndim)] if k else later
            later = later * w[here]
        return (dx.reshape(shape),)

    return narrow(y, dtype), pullback


@primitive(promote="float")
def trapezoid(be, y, x=None, /, dx=1.0, axis=-1):
    """The integral along an axis by the trapezoidal rule, `sum((y[i] + y[i+1]) / 2 dx[i])`.

    Args:
        y: values, a tensor of at least one dimension.
        x: where they lie: a vector, or a tensor of the shape of y. Default: `dx` apart.
        dx: the distance of neighbours, where x is not given. Default: 1.
        axis: the axis. Default: the last.

    Returns:
        A float tensor without that axis.

    Raises:
        ShapeError: if x does not fit y.

    Source: `keras.ops.trapezoid`.

    >>> gpunn.ops.trapezoid([1.0, 2.0, 3.0]).numpy()
    array(4., dtype=float32)
    """
    if x is not None and x.shape not in (y.shape, (y.shape[axis],)):
        raise ShapeError(f"trapezoid: points of shape {x.shape} do not fit values of {y.shape}")
    after = _along(axis, slice(1, None), y.ndim)
    before = _along(axis, slice(None, -1), y.ndim)
    if x is None:
        step = dx
    else:
        place = (
            x if x.ndim > 1 else x.reshape([-1 if i == axis % y.ndim else 1 for i in range(y.ndim)])
        )
        step = place[after] - place[before]
    height = y[after] + y[before]

    def pullback(dz, needs):
        dz = 0.5 * be.xp.expand_dims(dz, axis)
        slope = be.zeros(y.shape, dz.dtype)
        slope[after] += dz * step
        slope[before] += dz * step
        if not needs[1]:
            return slope, None
        moved = be.zeros(y.shape, dz.dtype)
        moved[after] += dz * height
        moved[before] -= dz * height
        if x.ndim == 1:
            others = tuple([i for i in range(y.ndim) if i != axis % y.ndim])
            moved = moved.sum(others)
        return slope, moved

    return 0.5 * (height * step).sum(axis), pullback

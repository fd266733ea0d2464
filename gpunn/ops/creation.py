"""New tensors: filled with a value, and unit and triangular matrices."""

from gpunn.autograd import cast, convert, wrap
from gpunn.backend import backend_of, get_backend
from gpunn.backend.dtypes import standardize
from gpunn.checks import as_shape
from gpunn.ops.shaping import broadcast_to, copy

__all__ = [
    "array",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "identity",
    "ones",
    "ones_like",
    "tri",
    "zeros",
    "zeros_like",
]


def array(x, dtype=None):
    """A new tensor of array-like data, in memory of its own.

    Args:
        x: tensor, array, nested lists or a scalar.
        dtype: of the result. Default: that of x (floats in lists: `floatx`, ints: int32).

    Returns:
        The tensor.

    Source: `keras.ops.array`.

    >>> gpunn.ops.array([1, 2]).numpy()
    array([1, 2], dtype=int32)
    """
    return convert(x, dtype).clone()


def zeros(shape, dtype=None):
    """A tensor of zeros.

    Args:
        shape: an int or ints.
        dtype: Default: `floatx`.

    Returns:
        The tensor, on the current device.

    Source: `keras.ops.zeros`.

    >>> gpunn.ops.zeros((2, 2)).numpy().tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    return wrap(get_backend().zeros(as_shape("zeros", shape), standardize(dtype)))


def ones(shape, dtype=None):
    """A tensor of ones.

    Args:
        shape: an int or ints.
        dtype: Default: `floatx`.

    Returns:
        The tensor, on the current device.

    Source: `keras.ops.ones`.

    >>> gpunn.ops.ones(3, dtype="int32").numpy().tolist()
    [1, 1, 1]
    """
    return wrap(get_backend().full(as_shape("ones", shape), 1, standardize(dtype)))


def empty(shape, dtype=None):
    """A tensor whose values are whatever the memory held.

    Args:
        shape: an int or ints.
        dtype: Default: `floatx`.

    Returns:
        The tensor, on the current device.

    Source: `keras.ops.empty`.

    >>> gpunn.ops.empty((2, 3)).shape
    (2, 3)
    """
    return wrap(get_backend().empty(as_shape("empty", shape), standardize(dtype)))


def full(shape, fill_value, dtype=None):
    """A tensor of one value.

    Args:
        shape: an int or ints.
        fill_value: a scalar, or values that are broadcast to the shape.
        dtype: Default: `floatx`.

    Returns:
        The tensor, on the current device.

    Raises:
        ShapeError: if the values cannot be broadcast to the shape.

    Source: `keras.ops.full`.

    >>> gpunn.ops.full((2,), 0.5).numpy().tolist()
    [0.5, 0.5]
    """
    return _filled(get_backend(), as_shape("full", shape), fill_value, standardize(dtype))


def zeros_like(x, dtype=None):
    """Zeros of the shape of x.

    Args:
        x: tensor.
        dtype: Default: that of x.

    Returns:
        A tensor on the device of x.

    Source: `keras.ops.zeros_like`.

    >>> gpunn.ops.zeros_like([1, 2]).numpy()
    array([0, 0], dtype=int32)
    """
    return full_like(x, 0, dtype)


def ones_like(x, dtype=None):
    """Ones of the shape of x.

    Args:
        x: tensor.
        dtype: Default: that of x.

    Returns:
        A tensor on the device of x.

    Source: `keras.ops.ones_like`.

    >>> gpunn.ops.ones_like([1.5, 2.5]).numpy()
    array([1., 1.], dtype=float32)
    """
    return full_like(x, 1, dtype)


def full_like(x, fill_value, dtype=None):
    """One value in the shape of x.

    Args:
        x: tensor.
        fill_value: a scalar, or values that are broadcast to the shape.
        dtype: Default: that of x.

    Returns:
        A tensor on the device of x.

    Raises:
        ShapeError: if the values cannot be broadcast to the shape.

    Source: `keras.ops.full_like`.

    >>> gpunn.ops.full_like([1, 2], 7).numpy().tolist()
    [7, 7]
    """
    x = convert(x)
    dtype = x.dtype if dtype is None else standardize(dtype)
    return _filled(backend_of(x.array), x.shape, fill_value, dtype)


def empty_like(x, dtype=None):
    """A tensor of the shape of x whose values are whatever the memory held.

    Args:
        x: tensor.
        dtype: Default: that of x.

    Returns:
        A tensor on the device of x.

    Source: `keras.ops.empty_like`.

    >>> gpunn.ops.empty_like([1, 2]).shape
    (2,)
    """
    x = convert(x)
    dtype = x.dtype if dtype is None else standardize(dtype)
    return wrap(backend_of(x.array).empty(x.shape, dtype))


def _filled(be, shape, value, dtype):
    if isinstance(value, (int, float)):
        return wrap(be.full(shape, value, dtype))
    return copy(broadcast_to(cast(convert(value, device=be.device), dtype), shape))


def eye(N, M=None, k=0, dtype=None):
    """A matrix with ones on its k-th diagonal and zeros elsewhere.

    Args:
        N: number of rows.
        M: number of columns. Default: N.
        k: how far right of the main diagonal. Default: 0.
        dtype: Default: `floatx`.

    Returns:
        The matrix, on the current device.

    Source: `keras.ops.eye`.

    >>> gpunn.ops.eye(2, 3, k=1).numpy().tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    return wrap(get_backend().xp.eye(N, M, k, dtype=standardize(dtype)))


def identity(n, dtype=None):
    """The identity matrix.

    Args:
        n: number of rows and columns.
        dtype: Default: `floatx`.

    Returns:
        The matrix, on the current device.

    Source: `keras.ops.identity`.

    >>> gpunn.ops.identity(2).numpy().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return eye(n, dtype=dtype)


def tri(N, M=None, k=0, dtype=None):
    """A matrix with ones up to its k-th diagonal and zeros right of it.

    Args:
        N: number of rows.
        M: number of columns. Default: N.
        k: the last diagonal of ones. Default: 0.
        dtype: Default: `floatx`.

    Returns:
        The matrix, on the current device.

    Source: `keras.ops.tri`.

    >>> gpunn.ops.tri(2, dtype="int32").numpy().tolist()
    [[1, 0], [1, 1]]
    """
    return wrap(get_backend().xp.tri(N, M, k, dtype=standardize(dtype)))

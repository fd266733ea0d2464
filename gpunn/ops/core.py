"""Tensors in and out of the engine, their dtypes and shapes, and gradients by hand."""

import math

import numpy as np

from gpunn import autograd, tree
from gpunn.autograd import Tensor, convert, no_grad, primitive, wrap
from gpunn.autograd.higher import own_trace
from gpunn.backend.dtypes import finfo, is_float, standardize
from gpunn.backend.words import words
from gpunn.errors import ArgumentError, DataError, DTypeError, GradientError
from gpunn.ops.shaping import _shape

__all__ = [
    "cast",
    "convert_to_numpy",
    "convert_to_tensor",
    "custom_gradient",
    "dtype",
    "is_tensor",
    "ndim",
    "saturate_cast",
    "shape",
    "size",
    "stop_gradient",
    "view",
]


def cast(x, dtype):
    """The values of x in another dtype; a gradient is cast back.

    Args:
        x: tensor.
        dtype: the wanted dtype.

    Returns:
        The tensor, itself if it has the dtype already.

    Raises:
        DTypeError: if the dtype is unknown.

    Source: `keras.ops.cast`.

    >>> gpunn.ops.cast([1.7, -1.7], "int32").numpy().tolist()
    [1, -1]
    """
    return autograd.cast(x if isinstance(x, Tensor) else convert(x), dtype)


def saturate_cast(x, dtype):
    """The values of x in another dtype, cut off at its limits; NaN is 0 in an integer.

    Args:
        x: tensor.
        dtype: the wanted dtype.

    Returns:
        The tensor.

    Raises:
        DTypeError: if the dtype is unknown.

    Source: `keras.ops.saturate_cast`.

    >>> gpunn.ops.saturate_cast([-1.0, 256.0], "uint8").numpy().tolist()
    [0, 255]
    """
    return _saturate_cast(x, dtype=standardize(dtype))


@primitive
def _saturate_cast(be, x, /, dtype):
    (in_low, in_high), (low, high) = _limits(x.dtype), _limits(dtype)
    low, high = max(in_low, low), min(in_high, high)
    if is_float(x.dtype):
        low, high = _within(x.dtype, low, high)
        if not is_float(dtype):
            x = be.xp.where(x == x, x, 0)
    inside = (x >= low) & (x <= high)
    y = be.xp.where(inside, x, be.xp.where(x < low, low, high)).astype(dtype)
    return y, lambda dy, needs: (be.xp.where(inside, dy, 0),)


def _limits(dtype):
    """The smallest and the largest number of a dtype."""
    if dtype.kind == "b":
        return 0, 1
    if not is_float(dtype):
        return np.iinfo(dtype).min, np.iinfo(dtype).max
    high = float(finfo(dtype).max)
    return -high, high


def _within(dtype, low, high):
    """Limits as floats of a dtype, rounded towards zero."""
    rounded = []
    for limit in (low, high):
        near = np.asarray(limit).astype(dtype)
        if abs(float(near)) > abs(limit):
            near = np.nextafter(near, np.zeros_like(near))
        rounded.append(float(near))
    return rounded


def convert_to_tensor(x, dtype=None, sparse=None, ragged=None):
    """A tensor of anything array-like; itself if it is one already.

    Args:
        x: tensor, NumPy or CuPy array, nested lists, a scalar, a pandas object; or words, which
            stay on the host: ops of shapes and layers that look words up take them.
        dtype: Default: that of x (floats in lists: `floatx`, ints: int32).
        sparse: must not be True; there are no sparse tensors.
        ragged: must not be True; there are no ragged tensors.

    Returns:
        The tensor.

    Raises:
        ArgumentError: if a sparse or ragged tensor is asked for.
        DTypeError: if x holds neither numbers nor words.

    Source: `keras.ops.convert_to_tensor`.

    >>> gpunn.ops.convert_to_tensor([1.0, 2.0]).shape
    (2,)
    """
    if sparse or ragged:
        raise ArgumentError("convert_to_tensor: there are no sparse or ragged tensors")
    try:
        return convert(x, dtype)
    except (DTypeError, DataError):
        text = words(x) if dtype in (None, "string") else None
        if text is None:
            raise
        return wrap(text)


def convert_to_numpy(x):
    """The values as a NumPy array of its own.

    Args:
        x: tensor or anything array-like.

    Returns:
        A NumPy array; changing it changes nothing else.

    Source: `keras.ops.convert_to_numpy`.

    >>> gpunn.ops.convert_to_numpy(gpunn.Tensor([1.0]))
    array([1.], dtype=float32)
    """
    return np.array(x.numpy() if isinstance(x, Tensor) else convert(x, device="cpu").array)


def is_tensor(x):
    """Whether x is a tensor.

    Args:
        x: anything.

    Returns:
        A Python bool.

    Source: `keras.ops.is_tensor`.

    >>> gpunn.ops.is_tensor(gpunn.Tensor([1.0])), gpunn.ops.is_tensor([1.0])
    (True, False)
    """
    return isinstance(x, Tensor)


def shape(x):
    """The size of each axis.

    Args:
        x: tensor or anything array-like.

    Returns:
        A tuple of Python ints.

    Source: `keras.ops.shape`.

    >>> gpunn.ops.shape([[1, 2, 3]])
    (1, 3)
    """
    return _shape(x)


def ndim(x):
    """The number of axes.

    Args:
        x: tensor or anything array-like.

    Returns:
        A Python int.

    Source: `keras.ops.ndim`.

    >>> gpunn.ops.ndim([[1, 2, 3]])
    2
    """
    return len(_shape(x))


def size(x):
    """The number of values.

    Args:
        x: tensor or anything array-like.

    Returns:
        A Python int; of a symbolic tensor None, if a size is unknown.

    Source: `keras.ops.size`.

    >>> gpunn.ops.size([[1, 2, 3]])
    3
    """
    sizes = _shape(x)
    return None if None in sizes else math.prod(sizes)


def dtype(x):
    """The name of the dtype.

    Args:
        x: tensor or anything array-like.

    Returns:
        A string.

    Source: `keras.ops.dtype`.

    >>> gpunn.ops.dtype([1.0])
    'float32'
    """
    return (x if hasattr(x, "dtype") else convert(x)).dtype.name


def stop_gradient(variable):
    """The same values, through which no gradient flows.

    Args:
        variable: tensor.

    Returns:
        A tensor of the same memory.

    Source: `keras.ops.stop_gradient`.

    >>> gpunn.ops.stop_gradient(gpunn.Tensor([1.0], requires_grad=True)).requires_grad
    False
    """
    return convert(variable).detach()


@primitive
def view(be, x, /, dtype=None):
    """The memory of x read as another dtype.

    Args:
        x: tensor.
        dtype: Default: that of x. Of another width, the last axis grows or shrinks.

    Returns:
        A view, without a gradient.

    Raises:
        ShapeError: if the last axis does not hold a whole number of the new values.

    Source: `keras.ops.view`.

    >>> gpunn.ops.view(np.array([1.0], "float32"), "int32").numpy().tolist()
    [1065353216]
    """
    return x if dtype is None else x.view(standardize(dtype)), None


def custom_gradient(f):
    """A function with a gradient of your own; a decorator.

    Args:
        f: takes tensors (or nested structures of them) and returns the result and a function from
            the result's gradient to one gradient per argument (a tuple, if there are several).

    Returns:
        A function of the same arguments that returns the result alone.

    Raises:
        GradientError: during backward, if the number of gradients is wrong.

    Source: `keras.ops.custom_gradient`.

    >>> @gpunn.ops.custom_gradient
    ... def clipped(x):
    ...     return x, lambda upstream: gpunn.ops.clip(upstream, -1.0, 1.0)
    >>> x = gpunn.Tensor([3.0], requires_grad=True)
    >>> (clipped(x) * 5.0).backward()
    >>> x.grad.numpy().tolist()
    [1.0]
    """

    def function(*args, **kwargs):
        leaves, outputs = tree.flatten(args), []

        def run(operands):
            given = [x if t is None else t for t, x in zip(operands, leaves, strict=True)]
            y, gradient = f(*tree.pack(args, given), **kwargs)
            outputs.append(y)
            return tree.flatten(y), gradient

        operands = [convert(x) if hasattr(x, "shape") else None for x in leaves]
        results = _custom_gradient(*operands, run=run)
        results = results if isinstance(results, tuple) else (results,)
        return tree.pack(outputs[0], results)

    function.__name__, function.__doc__ = getattr(f, "__name__", "custom"), f.__doc__
    return function


@primitive
def _custom_gradient(be, /, *operands, run):
    with no_grad():
        ys, gradient = run([None if x is None else wrap(x) for x in operands])
    ys = [convert(y).array for y in ys]

    def pullback(dy, needs):
        upstream = [wrap(d) for d in dy] if isinstance(dy, tuple) else [wrap(dy)]
        with no_grad():
            dxs = _for_each(operands, gradient(*upstream))
        return tuple([None if dx is None else convert(dx).array for dx in dxs])

    return ys[0] if len(ys) == 1 else tuple(ys), pullback


@own_trace("_custom_gradient")
def _custom_gradient_on_tensors(op, operands, static, results):
    _, gradient = static["run"](operands)
    return lambda dy, needs: _for_each(
        operands, gradient(*dy) if isinstance(dy, tuple) else gradient(dy)
    )


def _for_each(operands, given) -> list:
    """The gradients that a function gave, one for each operand that is a tensor."""
    dxs = list(given) if isinstance(given, (tuple, list)) else [given]
    wanted = sum(x is not None for x in operands)
    if len(dxs) != wanted:
        raise GradientError(f"custom_gradient: {len(dxs)} gradients for {wanted} arguments")
    rest = iter(dxs)
    return [None if x is None else next(rest) for x in operands]

"""Pooling along 1 to 3 spatial axes: max_pool, average_pool, and to a size whatever the inputs'."""

import math

import numpy as np

from gpunn.autograd import primitive
from gpunn.backend.dtypes import is_float
from gpunn.ops.extrema import max as maximum
from gpunn.ops.indexing import get_item
from gpunn.ops.joining import concatenate
from gpunn.ops.reduction import narrow, wide
from gpunn.ops.shaping import _shape
from gpunn.ops.spatial import (
    as_given,
    channels_last,
    images,
    numbers,
    pad,
    padding_mode,
    window,
)

__all__ = ["adaptive_average_pool", "adaptive_max_pool", "average_pool", "max_pool"]

STRIP = {"cpu": 1 << 20, "cuda": 1 << 40}  # bytes of the images that are worked on at a time

NARROW = 16  # columns: many matrices with fewer are multiplied as one


def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The largest value of each window.

    Args:
        inputs: tensor of shape (batch, *spatial, channels), with 1 to 3 spatial axes.
        pool_size: size of the window: an integer, or one for each axis.
        strides: how far it moves. Default: its size.
        padding: "valid" (default): no padding; "same": windows may go over the edges.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of shape (batch, *places, channels). A gradient goes to the first of equals.

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.max_pool`.

    >>> gpunn.ops.max_pool([[[1.0], [3.0], [2.0], [0.0]]], 2).numpy().ravel().tolist()
    [3.0, 2.0]
    """
    return _pool("max_pool", _max_pool, inputs, pool_size, strides, padding, data_format)


@primitive
def _max_pool(be, x, /, win):
    parts, taps = images(x, STRIP[be.kind]), [values for _, values in win.slices()]
    shape, count = x.shape, np.uint8 if len(taps) < 256 else np.int32
    y = be.empty((len(x), *win.out, x.shape[-1]), x.dtype)
    chosen = be.empty(y.shape, count)  # the tap that was the largest first; behind the last: NaN

    def choose(k, among, where):
        be.maximum(among, where.view(np.uint8).astype(count, copy=False) * count(k), out=among)

    for s in parts:
        padded, largest, tap = pad(be, x[s], win, _lowest(x.dtype)), y[s], chosen[s]
        be.copyto(largest, padded[taps[0]])
        be.copyto(tap, count(0))
        for k, values in enumerate(taps[1:], 1):
            choose(k, tap, padded[values] > largest)
            be.maximum(largest, padded[values], out=largest)
        choose(len(taps), tap, largest != largest)

    def pullback(dy, needs):
        dx, whole = be.empty(shape, dy.dtype), win.padded == win.size
        for s in parts:
            part = dx[s] if whole else be.empty((len(dx[s]), *win.padded, shape[-1]), dy.dtype)
            if not win.covers:
                be.copyto(part, 0)
            for k, values in enumerate(taps):
                hit = chosen[s] == count(k)
                if win.apart:
                    be.xp.multiply(dy[s], hit, part[values])
                else:
                    part[values] += dy[s] * hit
            if not whole:
                be.copyto(dx[s], part[win.inner])
        return (dx,)

    return y, pullback


def average_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The mean of each window; padding does not count.

    Args:
        inputs: tensor of shape (batch, *spatial, channels), with 1 to 3 spatial axes.
        pool_size, strides, padding, data_format: see `max_pool`.

    Returns:
        A tensor of shape (batch, *places, channels), a float.

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.average_pool`.

    >>> gpunn.ops.average_pool([[[1.0], [3.0], [2.0]]], 2, padding="same").numpy().ravel().tolist()
    [2.0, 2.0]
    """
    return _pool("average_pool", _average_pool, inputs, pool_size, strides, padding, data_format)


@primitive(promote="float")
def _average_pool(be, x, /, win):
    dtype, padded = x.dtype, pad(be, wide(x), win)
    share = be.const(("window shares", win, padded.dtype.char), lambda be: _shares(be, win, padded))
    shape = padded.shape
    (_, first), *others = win.slices()
    y = be.copy(padded[first])
    for _, values in others:
        y += padded[values]
    y *= share

    def pullback(dy, needs):
        part = wide(dy) * share
        dx = be.empty(shape, part.dtype)
        if not win.covers:
            be.copyto(dx, 0)
        for _, values in win.slices():
            if win.apart:
                be.copyto(dx[values], part)
            else:
                dx[values] += part
        return (dx[win.inner],)

    return narrow(y, dtype), pullback


def _shares(be, win, like):
    """One over the number of values in each window that are no padding: (*out, 1)."""
    inside = np.zeros((1, *win.padded), np.float64)
    inside[win.inner] = 1
    counts = sum(inside[values] for _, values in win.slices())
    return be.asarray((1 / counts[0, ..., None]).astype(like.dtype))


def _lowest(dtype):
    """What is below every value of a dtype."""
    if is_float(dtype):
        return -np.inf
    return False if dtype.kind == "b" else int(np.iinfo(dtype).min)


def _pool(op, primitive, inputs, pool_size, strides, padding, data_format):
    inputs, rank = channels_last(op, inputs, data_format)
    taps = numbers(op, "pool_size", pool_size, rank)
    strides = taps if strides is None else numbers(op, "strides", strides, rank)
    padding = padding_mode(op, padding)
    win = window(op, _shape(inputs)[1:-1], taps, strides, padding, (1,) * rank)
    return as_given(primitive(inputs, win=win), data_format)


# --- pooling to a size ---


def adaptive_average_pool(inputs, output_size, data_format=None):
    """The means of `output_size` windows that cover each spatial axis evenly.

    Window i of n goes from floor(i size / n) to ceil((i + 1) size / n).

    Args:
        inputs: tensor of shape (batch, *spatial, channels), with 1 to 3 spatial axes.
        output_size: how many windows: an integer, or one for each axis.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of shape (batch, *output_size, channels), a float.

    Raises:
        ShapeError: if the inputs have another rank.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.adaptive_average_pool`.

    >>> x = [[[1.0], [2.0], [3.0]]]
    >>> gpunn.ops.adaptive_average_pool(x, 2).numpy().ravel().tolist()
    [1.5, 2.5]
    """
    op = "adaptive_average_pool"
    inputs, rank = channels_last(op, inputs, data_format)
    for axis, n in enumerate(numbers(op, "output_size", output_size, rank), 1):
        inputs = mix(inputs, make=_averages, size=n, axis=axis)
    return as_given(inputs, data_format)


def adaptive_max_pool(inputs, output_size, data_format=None):
    """The largest values of `output_size` windows that cover each spatial axis evenly.

    Args:
        inputs, output_size, data_format: see `adaptive_average_pool`.

    Returns:
        A tensor of shape (batch, *output_size, channels).

    Raises:
        ShapeError: if the inputs have another rank.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.adaptive_max_pool`.

    >>> x = [[[1.0], [2.0], [3.0]]]
    >>> gpunn.ops.adaptive_max_pool(x, 2).numpy().ravel().tolist()
    [2.0, 3.0]
    """
    op = "adaptive_max_pool"
    inputs, rank = channels_last(op, inputs, data_format)
    for axis, n in enumerate(numbers(op, "output_size", output_size, rank), 1):
        before = (slice(None),) * axis
        inputs = concatenate(
            [
                maximum(get_item(inputs, (*before, slice(a, b))), axis=axis, keepdims=True)
                for a, b in _spans(_shape(inputs)[axis], n)
            ],
            axis=axis,
        )
    return as_given(inputs, data_format)


def _spans(size, n):
    """From where to where the windows go."""
    return [(i * size // n, -(-(i + 1) * size // n)) for i in range(n)]


def _averages(size, n):
    """The matrix that takes `size` values to the means of n windows."""
    matrix = np.zeros((n, size))
    for row, (a, b) in zip(matrix, _spans(size, n), strict=True):
        row[a:b] = 1 / (b - a)
    return matrix


@primitive(promote="float")
def mix(be, x, /, make, size, axis):
    """The product with a matrix along an axis.

    Args:
        x: tensor.
        make: a function of two sizes, of the axis before and after, that gives the NumPy matrix.
        size: of the axis afterwards.
        axis: from 0 up.

    Returns:
        A tensor with that size along the axis.
    """
    dtype, x = x.dtype, wide(x)
    n, rest = x.shape[axis], math.prod(x.shape[axis + 1 :])
    key = ("mix", make, n, size, x.dtype.char)
    m = be.const(key, lambda be: be.asarray(make(n, size).astype(x.dtype)))
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    count = math.prod(before)

    def product(matrix, values, here, there):
        values = values.reshape(count, here, rest)
        if rest < NARROW:  # one product, not one for each of many narrow matrices
            flat = values.transpose(0, 2, 1).reshape(count * rest, here)
            found = be.matmul(flat, matrix.T).reshape(count, rest, there).transpose(0, 2, 1)
        else:
            found = be.matmul(matrix, values)
        return found.reshape(*before, there, *after)

    def pullback(dy, needs):
        return (product(m.T, wide(dy), size, n),)

    return narrow(product(m, x, n, size), dtype), pullback

"""Pooling, larger images, and sums with weights along an axis: one launch for each direction."""

from math import prod

import numpy as np

from gpunn.backend.cuda.window import Windows, window_of
from gpunn.backend.cupy_ import INDEX, cuda_type, index_type, wide
from gpunn.backend.kernels import FLOATS, kernel


def _takes(x, win) -> bool:
    return x.ndim <= 5 and all(d == 1 for d in win.dilation)


@kernel("_max_pool", "cuda", FLOATS, _takes)
def _max_pool(be, x, win):
    run = _Launcher(be, x.shape, win, wide(x.dtype))
    x, y = be.xp.ascontiguousarray(x), be.empty(run.pooled, x.dtype)
    chosen = be.empty(y.shape, np.uint8 if prod(win.taps) < 255 else np.int32)
    run("max_pool", y, (chosen, x), chosen.dtype)

    def pullback(dy, needs):
        dx = be.empty(run.shape, dy.dtype)
        run("max_pool_back", dx, (be.xp.ascontiguousarray(dy), chosen), chosen.dtype)
        return (dx,)

    return y, pullback


@kernel("_average_pool", "cuda", FLOATS, _takes)
def _average_pool(be, x, win):
    run = _Launcher(be, x.shape, win, wide(x.dtype))
    y = be.empty(run.pooled, x.dtype)
    run("sum_pool", y, (be.xp.ascontiguousarray(x),), flag="true")

    def pullback(dy, needs):
        dx = be.empty(run.shape, dy.dtype)
        run("sum_pool_back", dx, (be.xp.ascontiguousarray(dy),), flag="true")
        return (dx,)

    return y, pullback


def _upsampled(x, factors) -> list[int]:
    return [d for d, factor in enumerate(factors) if factor > 1] or [x.ndim - 1]


def _few_axes(x, factors) -> bool:
    axes = _upsampled(x, factors)
    return x.ndim > 0 and axes[-1] - axes[0] < 3


@kernel("up_sample", "cuda", FLOATS, _few_axes)
def up_sample(be, x, factors):
    """What is pooled is the result: a value's gradient is the sum over its window."""
    axes = _upsampled(x, factors)
    first, behind = axes[0], axes[-1] + 1
    sizes, times = x.shape[first:behind], tuple(factors[first:behind])
    large = tuple([n * factor for n, factor in zip(sizes, times, strict=True)])
    ones, zeros = (1,) * len(sizes), (0,) * len(sizes)
    win = Windows(large, times, times, ones, zeros, sizes)
    whole = (prod(x.shape[:first]), *large, prod(x.shape[behind:]))
    run = _Launcher(be, whole, win, wide(x.dtype))
    y = be.empty((*x.shape[:first], *large, *x.shape[behind:]), x.dtype)
    run("sum_pool_back", y, (be.xp.ascontiguousarray(x),), flag="false")

    def pullback(dy, needs):
        dx = be.empty(x.shape, dy.dtype)
        run("sum_pool", dx, (be.xp.ascontiguousarray(dy),), flag="false")
        return (dx,)

    return y, pullback


class _Launcher:
    """The sizes of a pooling of arrays of a shape, and launches of its kernels."""

    def __init__(self, be, shape, win, dtype):
        self.be, self.dtype, self.shape = be, dtype, shape
        self.pooled = (shape[0], *win.out, shape[-1])
        self.index = index_type(prod(shape), prod(self.pooled))
        self.window = window_of(win, self.index)

    def __call__(self, name, result, arrays, chosen=None, flag=None) -> None:
        kinds = [cuda_type(t) for t in (result.dtype, self.dtype, chosen) if t is not None]
        kinds += [self.index] + [flag] * (flag is not None)
        count = INDEX[self.index]
        args = (result, *arrays, self.window, count(self.shape[-1]), count(result.size))
        self.be.launch("pooling", f"{name}<{', '.join(kinds)}>", result.size, args)


@kernel("mix", "cuda", FLOATS)
def mix(be, x, make, size, axis):
    n, shape = x.shape[axis], x.shape
    before, after = prod(shape[:axis]), prod(shape[axis + 1 :])
    dtype = wide(x.dtype)

    def mixed(values, there, turned):
        key = ("band", make, n, size, dtype.char, turned)
        starts, weights = be.const(key, lambda be: _band(be, make(n, size), turned, dtype))
        y = be.empty((*shape[:axis], there, *shape[axis + 1 :]), x.dtype)
        index = index_type(values.size, y.size, weights.size)
        sizes = (weights.shape[1], values.shape[axis], there, after, y.size)
        counts = [INDEX[index](v) for v in sizes]
        args = (y, be.xp.ascontiguousarray(values), weights, starts, *counts)
        name = f"mix<{cuda_type(x.dtype)}, {cuda_type(dtype)}, {index}>"
        be.launch("pooling", name, y.size if before else 0, args)
        return y

    def pullback(dy, needs):
        return (mixed(dy, n, True),)

    return mixed(x, size, False), pullback


def _band(be, matrix, turned: bool, dtype) -> tuple:
    """Where each row's values other than 0 start, and as many from there on as the longest has."""
    matrix = np.asarray(matrix.T if turned else matrix)
    columns = matrix.shape[1]
    there = matrix != 0
    first = np.where(there.any(1), there.argmax(1), 0)
    behind = np.where(there.any(1), columns - there[:, ::-1].argmax(1), 0)
    width = min(max(int((behind - first).max(initial=1)), 1), columns)
    first = np.minimum(first, columns - width)
    weights = np.take_along_axis(matrix, first[:, None] + np.arange(width), 1)
    return be.asarray(first.astype(np.int32)), be.asarray(weights.astype(dtype))

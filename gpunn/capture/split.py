"""Calls in parts that write other rows of the result, and have the bits of the whole."""

from collections.abc import Callable
from functools import cache, lru_cache
from math import prod
from typing import Any

import numpy as np

from gpunn.backend import small_products
from gpunn.backend.pages import fresh
from gpunn.capture.ir import Call, View
from gpunn.capture.loops import loop_over

PRODUCTS = (np.dot, np.matmul)
EXACT = [  # reductions whose order cannot matter
    getattr(where, name) for where in (np, np.ndarray) for name in "max min argmax argmin".split()
]
ROWS = 64  # a product of fewer rows is not split
LONG = 8  # sums of so many terms are tried on terms that add up to zero, which tells any order
SURE = 16  # a trial compares at least so many elements of each row
AHEAD = 9 / 8  # how many times its share the caller's part is, as the other threads begin later
LARGE = 1 << 23  # multiplications: with more, no BLAS looks at the number of rows
NUMBERS = 65521  # how many random numbers a trial repeats: a prime, so that rows differ


def parts(call: Call, n: int, ahead: bool = False) -> list[Call]:
    """The call in n parts, or alone if it has none.

    Args:
        call: the call.
        n: how many parts are wanted.
        ahead: make the first part larger than the others, whose threads begin later.
    """
    if call.form == "loop":
        return _of_loop(call, n, ahead)
    out = call.out
    if out is None or call.lasting or any(_in_the_way(view, out) for view in call.reads):
        return [call]
    if call.fn in PRODUCTS:
        return _of_product(call, out, n, ahead)
    if call.form == "ufunc" or (call.fn is np.copyto and call.args[0] == out):
        return _along(call, n, ahead, out.shape, range(len(out.shape)))
    if call.form == "into" and call.fn in EXACT and len(call.args) <= 2:
        return _of_reduction(call, out, n, ahead)
    return [call]


def _in_the_way(view: View, out: View) -> bool:
    """Whether one part would overwrite what another reads."""
    return view != out and view.overlaps(out)


def _along(call: Call, n: int, ahead: bool, shape: tuple[int, ...], axes) -> list[Call]:
    """Parts along the first of the axes that has several elements."""
    axis = next((i for i in axes if shape[i] > 1), None)
    if axis is None or shape[axis] < n:
        return [call]

    def part(start: int, stop: int) -> Call:
        return call.replaced(lambda view: _cut(view, shape, axis, start, stop))

    return [part(*bounds) for bounds in _bounds(shape[axis], n, ahead)]


def _cut(view: View, shape: tuple[int, ...], axis: int, start: int, stop: int) -> View:
    """What belongs to rows [start, stop) along an axis of a shape that the view is broadcast to."""
    axis += len(view.shape) - len(shape)
    if axis < 0 or view.shape[axis] == 1:
        return view
    offset = view.offset + start * view.strides[axis]
    rows = (*view.shape[:axis], stop - start, *view.shape[axis + 1 :])
    return View(view.storage, offset, rows, view.strides, view.dtype)


@cache
def block() -> int:
    """Rows of a product that the BLAS works on at a time, or a multiple: parts start there."""
    return 16 if small_products() else 48  # OpenBLAS with AVX-512, and with AVX2


def _bounds(size: int, n: int, ahead: bool) -> list[tuple[int, int]]:
    """Where n parts start and stop, all but the first of about equal sizes; long ones where
    products are cut too."""
    step = block() if size >= ROWS else 1
    first = size / n * (AHEAD if ahead else 1)
    cuts = [round((first + (size - first) * k / (n - 1)) / step) * step for k in range(n - 1)]
    starts = sorted({0, *[cut for cut in cuts if cut < size]})
    return list(zip(starts, [*starts[1:], size], strict=True))


def _of_loop(call: Call, n: int, ahead: bool) -> list[Call]:
    loop: Any = call.fn
    axis = next((i for i, size in enumerate(loop.shape) if size > 1), None)
    if axis is None or loop.shape[axis] < n:
        return [call]
    made = []
    for i, j in _bounds(loop.shape[axis], n, ahead):
        shape = (*loop.shape[:axis], j - i, *loop.shape[axis + 1 :])
        views = tuple(
            [
                View(v.storage, v.offset + i * o.strides[axis], shape, o.strides, o.dtype)
                for v, o in zip(call.args, loop.operands, strict=True)
            ]
        )
        part = loop_over(shape, loop.steps, loop.stored)
        made.append(call._replace(fn=part, args=views, reads=views))
    return made


def _of_reduction(call: Call, out: View, n: int, ahead: bool) -> list[Call]:
    """Parts along the operand's first axis, if the result has it too."""
    (x, *more) = call.args
    axis = more[0] if more else call.options.get("axis")
    axes = axis if type(axis) is tuple else (axis,)
    if any(a is None or a % len(x.shape) == 0 for a in axes) or x.shape[0] < n:
        return [call]
    made = []
    for i, j in _bounds(x.shape[0], n, ahead):
        part, rows = _cut(x, x.shape, 0, i, j), _cut(out, out.shape, 0, i, j)
        made.append(call._replace(args=(part, *more), reads=(part,), out=rows))
    return made


def _of_product(call: Call, out: View, n: int, ahead: bool) -> list[Call]:
    a, b = call.args
    if len(out.shape) > 2:  # many products
        return _along(call, n, ahead, out.shape, range(len(out.shape) - 2))
    if len(a.shape) != 2 or a.shape[0] < ROWS or len(b.shape) > 2:
        return [call]
    bounds = _bounds(a.shape[0], n, ahead)
    tried = _few(bounds, prod(b.shape))
    layouts = [((tried[-1][1], *v.shape[1:]), v.strides, v.dtype) for v in (a, out)]
    layouts.insert(1, (b.shape, b.strides, b.dtype))
    function = np.matmul if call.fn is np.dot else call.fn  # dot copies rows of what is turned
    if not _equal_bits(call.fn, function, tried, *layouts):
        return [call]
    made = []
    for i, j in bounds:
        part, rows = _cut(a, a.shape, 0, i, j), _cut(out, out.shape, 0, i, j)
        made.append(call._replace(fn=function, args=(part, b), reads=(part, b), out=rows))
    return made


def _few(bounds: list[tuple[int, int]], size: int) -> tuple[tuple[int, int], ...]:
    """Bounds of fewer rows, as many as make each product of them with `size` elements large."""
    few = -(-LARGE // size // block()) * block()
    found, start = [], 0
    for i, j in bounds:
        stop = start + min(j - i, few + (j - i) % block())
        found.append((start, stop))
        start = stop
    return tuple(found)


@lru_cache(1024)
def _equal_bits(
    function: Callable, of_rows: Callable, bounds: tuple[tuple[int, int], ...], *layouts: tuple
) -> bool:
    """Whether products of some rows have the bits of the whole: it is tried.

    A BLAS takes other ways for small matrices; which, depends on shapes and layouts alone. (Rows
    stay at the same place of a block.) If sums are long, the true ones are zero here: what comes
    out is what was rounded off, another number for almost every other order.
    """
    if any(stride < 0 for _, strides, _ in layouts for stride in strides):
        return False
    (rows, terms), (_, *columns), dtype = layouts[0][0], layouts[1][0], layouts[2][2]
    a, b, whole, made = [_empty(*layout) for layout in (*layouts, layouts[2])]
    rng = np.random.default_rng(0)
    numbers = rng.random(NUMBERS, np.float32 if dtype == np.float32 else np.float64) - 0.5
    numbers = numbers.astype(dtype)
    half = terms // 2 if terms >= LONG else terms
    for _ in range(-(-SURE // prod(columns))):
        order = rng.permutation(terms)
        signs = np.where(order < half, 1, np.where(order < 2 * half, -1, 0)).astype(dtype)
        numbers = np.roll(numbers, order[0] + 1)
        a[...] = np.resize(numbers, (rows, half))[:, order % half]
        b[...] = (np.resize(numbers[::-1], (half, *columns))[order % half].T * signs).T
        function(a, b, out=whole)
        for i, j in bounds:
            of_rows(a[i:j], b, out=made[i:j])
        if made.tobytes() != whole.tobytes():
            return False
    return True


def _empty(shape, strides, dtype) -> np.ndarray:
    """An array of a layout, which goes back to the system when it is not needed any more."""
    size = sum([(n - 1) * stride for n, stride in zip(shape, strides, strict=True)])
    return np.ndarray(shape, dtype, fresh(size + dtype.itemsize, huge=False), 0, strides)

"""Calls in parts that write other rows of the result, and have the bits of the whole."""

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from gpunn.capture.ir import Call, View
from gpunn.capture.loops import loop_over

PRODUCTS = (np.dot, np.matmul)
EXACT = [  # reductions whose order cannot matter
    getattr(where, name) for where in (np, np.ndarray) for name in "max min argmax argmin".split()
]
BLOCK = 16  # rows of a product that a BLAS works on at a time, or more: parts start at multiples
LONG = 8  # terms of a sum
SURE = 64  # elements of a row that are compared


def parts(call: Call, n: int) -> list[Call]:
    """The call in n parts, or alone if it has none."""
    if call.form == "loop":
        return _of_loop(call, n)
    out = call.out
    if out is None or call.lasting or any(_in_the_way(view, out) for view in call.reads):
        return [call]
    if call.fn in PRODUCTS:
        return _of_product(call, out, n)
    if call.form == "ufunc" or (call.fn is np.copyto and call.args[0] == out):
        return _along(call, n, out.shape, range(len(out.shape)))
    if call.form == "into" and call.fn in EXACT and len(call.args) <= 2:
        return _of_reduction(call, out, n)
    return [call]


def _in_the_way(view: View, out: View) -> bool:
    """Whether one part would overwrite what another reads."""
    return view != out and view.overlaps(out)


def _along(call: Call, n: int, shape: tuple[int, ...], axes) -> list[Call]:
    """Parts along the first of the axes that has several elements."""
    axis = next((i for i in axes if shape[i] > 1), None)
    if axis is None or shape[axis] < n:
        return [call]

    def part(start: int, stop: int) -> Call:
        return call.replaced(lambda view: _cut(view, shape, axis, start, stop))

    return [part(*bounds) for bounds in _bounds(shape[axis], n)]


def _cut(view: View, shape: tuple[int, ...], axis: int, start: int, stop: int) -> View:
    """What belongs to rows [start, stop) along an axis of a shape that the view is broadcast to."""
    axis += len(view.shape) - len(shape)
    if axis < 0 or view.shape[axis] == 1:
        return view
    return view._replace(
        shape=(*view.shape[:axis], stop - start, *view.shape[axis + 1 :]),
        offset=view.offset + start * view.strides[axis],
    )


def _bounds(size: int, n: int) -> list[tuple[int, int]]:
    """Where n parts of equal sizes start and stop; long ones where products are cut too."""
    step = -(-size // n)
    if size >= 4 * BLOCK:
        step = -(-step // BLOCK) * BLOCK
    starts = range(0, size, step)
    return list(zip(starts, [*starts[1:], size], strict=True))


def _of_loop(call: Call, n: int) -> list[Call]:
    loop: Any = call.fn
    axis = next((i for i, size in enumerate(loop.shape) if size > 1), None)
    if axis is None or loop.shape[axis] < n:
        return [call]
    made = []
    for i, j in _bounds(loop.shape[axis], n):
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


def _of_reduction(call: Call, out: View, n: int) -> list[Call]:
    """Parts along the operand's first axis, if the result has it too."""
    (x, *more) = call.args
    axis = more[0] if more else call.options.get("axis")
    axes = axis if type(axis) is tuple else (axis,)
    if any(a is None or a % len(x.shape) == 0 for a in axes) or x.shape[0] < n:
        return [call]
    made = []
    for i, j in _bounds(x.shape[0], n):
        part, rows = _cut(x, x.shape, 0, i, j), _cut(out, out.shape, 0, i, j)
        made.append(call._replace(args=(part, *more), reads=(part,), out=rows))
    return made


def _of_product(call: Call, out: View, n: int) -> list[Call]:
    a, b = call.args
    if len(out.shape) > 2:  # many products
        return _along(call, n, out.shape, range(len(out.shape) - 2))
    if len(a.shape) != 2 or a.shape[0] < 4 * BLOCK or len(b.shape) > 2:
        return [call]
    bounds = _bounds(a.shape[0], n)
    layouts = [(v.shape, v.strides, v.dtype) for v in (a, b, out)]
    if not _equal_bits(call.fn, tuple(bounds), *layouts):
        return [call]
    made = []
    for i, j in bounds:
        part, rows = _cut(a, a.shape, 0, i, j), _cut(out, out.shape, 0, i, j)
        made.append(call._replace(args=(part, b), reads=(part, b), out=rows))
    return made


@lru_cache(1024)
def _equal_bits(function: Callable, bounds: tuple[tuple[int, int], ...], *layouts: tuple) -> bool:
    """Whether products of some rows have the bits of the whole: it is tried.

    A BLAS takes other ways for small matrices; which, depends on shapes and layouts alone. (Rows
    stay at the same place of a block.) If sums are long, the true ones are zero here: what comes
    out is what was rounded off, another number for almost every other order.
    """
    if any(stride < 0 for _, strides, _ in layouts for stride in strides):
        return False
    rng = np.random.default_rng(0)
    (terms, *_), (_, *columns) = layouts[1][0], layouts[2][0]
    half = terms // 2 if terms >= LONG else 0
    for _ in range(max(2, -(-SURE // prod(columns)))):
        a, b, whole, made = [_random(rng, *layout) for layout in (*layouts, layouts[2])]
        if half:
            order = rng.permutation(terms)
            plus, minus, alone = order[:half], order[half : 2 * half], order[2 * half :]
            a[:, minus], b[minus], a[:, alone] = a[:, plus], -b[plus], 0
        function(a, b, out=whole)
        for i, j in bounds:
            function(a[i:j], b, out=made[i:j])
        if made.tobytes() != whole.tobytes():
            return False
    return True


def _random(rng, shape, strides, dtype) -> np.ndarray:
    """Numbers in an array of a layout."""
    size = sum([(n - 1) * stride for n, stride in zip(shape, strides, strict=True)])
    exact = np.float32 if dtype == np.float32 else np.float64
    values = rng.random(size // dtype.itemsize + 1, exact) - exact(0.5)
    return np.ndarray(shape, dtype, values.astype(dtype, copy=False), 0, strides)

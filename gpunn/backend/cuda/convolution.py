"""Convolutions without a matrix of windows: a launch for the result, with bias and activation, one
for dx and one or two for the gradients of kernel and bias.

Such a matrix (im2col) is written and read once, 8 bytes for 2 * filters operations each; where
filters are few, these bytes take longer than what cuBLAS, which is faster at products, saves. Where
they are many, `columns.py` makes it.
"""

from math import prod

import numpy as np

from gpunn.backend.cuda.columns import Columns
from gpunn.backend.cuda.linear import Finish
from gpunn.backend.cuda.sums import NOTHING, kept_in, placed, sum_splits
from gpunn.backend.cuda.window import window_of
from gpunn.backend.cupy_ import INDEX, THREADS, cuda_type, index_type, wide
from gpunn.backend.kernels import FLOATS, Placing, kernel
from gpunn.backend.precision import get_float32_matmul_precision

FILTERS = 128  # of a group, at most: with more, `columns.py` is quicker
FEW = 16  # the same where cuBLAS can use tensor cores
TILE = 4096  # results that a block makes
BLOCKS, PLACES = 512, 256  # blocks that shall share the weights' gradient; places of one, at least


def _is_small(dtype, filters: int) -> bool:
    """Whether a convolution with so many filters takes less time than its matrix of windows."""
    high = dtype == np.float32 and get_float32_matmul_precision() == "high"
    return filters <= (FEW if dtype.itemsize == 2 or high else FILTERS)


@kernel("_convolve", "cuda", FLOATS)
def _convolve(be, x, kernel, bias=None, *, win, groups, activation=None):
    x, kernel = be.xp.ascontiguousarray(x), be.xp.ascontiguousarray(kernel)
    finish = Finish(be, x.dtype, activation)
    y = be.empty((len(x), *win.out, kernel.shape[-1]), x.dtype)
    if not _is_small(x.dtype, kernel.shape[-1] // groups):
        return _by_columns(be, x, kernel, bias, y, finish, win, groups)
    saved = y if finish.reads_result else be.empty(y.shape, x.dtype)
    run = _Launcher(be, finish.text, x, y, kernel, win, groups)
    bias = NOTHING if bias is None else be.xp.ascontiguousarray(bias)
    arrays = (y, NOTHING if saved is y else saved, x, kernel, bias)
    run("convolve", arrays, run.places, run.filters)
    kept = None if activation is None else saved

    def pullback(dy, needs, places):
        dx = dw = db = None
        dz = be.xp.ascontiguousarray(dy), NOTHING if kept is None else kept
        if not finish.reads_result:  # too much to compute at each place that needs it
            dz = finish.back(kept, dz[0].reshape(run.places, kernel.shape[-1]), False)[0], NOTHING
        if needs[0]:
            dx = be.empty(x.shape, x.dtype)
            run("convolve_back", (dx, *dz, kernel), run.values, run.channels)
        if needs[1] or needs[2]:
            dtype = kept_in(places[1:], x.dtype)
            dw = placed(be, places[1], kernel.shape, dtype)
            db = placed(be, places[2], kernel.shape[-1:], dtype)
            run.weights(dw, db, x, dz)
        return dx, dw, db

    return y, Placing(pullback)


def _by_columns(be, x, kernel, bias, y, finish, win, groups):
    products = Columns(be, len(x), x.dtype, kernel.shape, win, groups)
    products.correlate(x, kernel, y)
    y, saved = finish(y, bias)
    kept = None if finish.activation is None else saved

    def pullback(dy, needs, places):
        dx = dw = None
        rows = be.xp.ascontiguousarray(dy).reshape(len(x) * products.places, dy.shape[-1])
        dz, db = finish.back(kept, rows, needs[2], places[2])
        dz = dz.reshape(dy.shape)
        if needs[0]:
            dx = be.empty(x.shape, x.dtype)
            products.spread(dz, kernel, dx)
        if needs[1]:
            dw = placed(be, places[1], kernel.shape, kept_in(places[1:2], x.dtype))
            products.weights(x, dz, dw)
        return dx, dw, db

    return y, Placing(pullback)


@kernel("_convolve_transposed", "cuda", FLOATS)
def _convolve_transposed(be, x, kernel, bias, win):
    """The same products: x is what a convolution gives, and the result what it is given."""
    x, kernel = be.xp.ascontiguousarray(x), be.xp.ascontiguousarray(kernel)
    filters, finish = kernel.shape[-2], Finish(be, x.dtype, None)
    y = be.empty((len(x), *win.size, filters), x.dtype)
    run = products = None
    if _is_small(x.dtype, max(kernel.shape[-2:])):
        run = _Launcher(be, finish.text, y, x, kernel, win, 1)
        run("convolve_back", (y, x, NOTHING, kernel), run.values, run.channels)
    else:
        products = Columns(be, len(x), x.dtype, kernel.shape, win, 1)
        products.spread(x, kernel, y)
    y, _ = finish(y, bias)

    def pullback(dy, needs, places):
        dx = dw = db = None
        dy = be.xp.ascontiguousarray(dy)
        if needs[0]:
            dx = be.empty(x.shape, x.dtype)
            if run:
                run("convolve", (dx, NOTHING, dy, kernel, NOTHING), run.places, run.filters)
            else:
                products.correlate(dy, kernel, dx)
        if needs[1]:
            dw = placed(be, places[1], kernel.shape, kept_in(places[1:2], x.dtype))
            if run:  # the sums of x, which it makes as well, are no one's gradient
                run.weights(dw, be.empty(kernel.shape[-1:], dw.dtype), dy, (x, NOTHING))
            else:
                products.weights(dy, x, dw)
        if needs[2]:
            rows = dy.reshape(len(x) * prod(win.size), filters)
            _, db = finish.back(None, rows, True, places[2])
        return dx, dw, db

    return y, Placing(pullback)


class _Launcher:
    """The sizes of a convolution, and launches of its kernels."""

    def __init__(self, be, text, x, y, kernel, win, groups):
        self.be, self.text, self.dtype = be, text, x.dtype
        self.places, self.values = len(x) * prod(win.out), len(x) * prod(win.size)
        self.groups, self.taps = groups, prod(win.taps)
        self.channels, self.filters = kernel.shape[-2], kernel.shape[-1] // groups
        self.index = index_type(x.size, y.size, kernel.size)
        self.window = window_of(win, self.index)

    def __call__(self, name, arrays, rows: int, columns: int, kept=None, splits: int = 1):
        """A kernel that makes a matrix for each group, or that many for each of the splits."""
        across = _across(columns)
        kinds = [cuda_type(t) for t in (self.dtype, wide(self.dtype), kept) if t is not None]
        types = f"{', '.join(kinds)}, {self.index}, {across}"
        sizes = [self.values if name == "convolve_back" else self.places, self.groups]
        sizes += [self.channels, self.filters] + [splits] * (kept is not None)
        counts = [INDEX[self.index](n) for n in sizes]
        n = _tiles(rows, columns) * self.groups * splits * THREADS
        args = (*arrays, self.window, *counts)
        self.be.launch("convolution", f"{name}<{types}>", n, args, before=self.text)

    def weights(self, dw, db, x, dz) -> None:
        """Fill the gradients of the kernel and of the bias."""
        rows = self.taps * self.channels + 1
        blocks = _tiles(rows, self.filters) * self.groups
        splits = max(min(-(-BLOCKS // blocks), self.places // PLACES), 1)
        if splits == 1:
            self("convolve_weights", (dw, db, x, *dz), rows, self.filters, dw.dtype)
            return
        kept = wide(self.dtype)
        sums = self.be.empty((splits, rows, self.groups * self.filters), kept)
        arrays = (sums, NOTHING, x, *dz)
        self("convolve_weights", arrays, rows, self.filters, kept, splits)
        sum_splits(self.be, sums, dw, db)


def _across(columns: int) -> int:
    """How many columns a tile has."""
    return 16 if columns <= 16 else 32 if columns <= 32 else 64


def _tiles(rows: int, columns: int) -> int:
    across = _across(columns)
    return -(-rows * across // TILE) * -(-columns // across)

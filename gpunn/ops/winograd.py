"""Convolution with 3 x 3 taps by Winograd's algorithm F(4 x 4, 3 x 3): a quarter of the products.

A tile of 6 x 6 values gives 4 x 4 results. The values of a tile and the taps are taken to 36
numbers each, which are multiplied one by one, and the 36 products are taken to the 16 results. The
sums over channels make matrix products of those multiplications, and what takes tiles to numbers
and back are products with constant matrices. Lavin and Gray, 2015,
https://arxiv.org/abs/1509.09308
"""

import math
from functools import cache

import numpy as np

from gpunn.ops.spatial import add, cut, lined, strips

TILE, REACH = 4, 6  # results and values of a tile along an axis
POINTS = (0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)  # where polynomials are multiplied; these round least
# Tiles are worked on in strips. The numbers of a strip take so many bytes, or an eighth of those of
# the taps if that is more, since each strip reads all taps again.
STRIP, REREAD = {"cpu": 1 << 20, "cuda": 1 << 26}, 8


def pays(win, groups, channels, filters) -> bool:
    """Whether a convolution fits, and takes at most 0.7 of the multiplications so."""
    if win.taps != (3, 3) or win.strides != (1, 1) or win.dilation != (1, 1) or groups != 1:
        return False
    tiles = math.prod([-(-n // TILE) for n in win.out])
    tile = channels * filters + REACH**2 * channels + TILE**2 * filters
    return tiles * REACH**2 * tile <= 0.7 * 9 * math.prod(win.out) * channels * filters


def correlate(be, x, kernel, win, bias=None):
    """As `columns.correlate`."""
    channels, filters = kernel.shape[-2:]
    to_inputs, of_taps, to_results = _matrices(be, x.dtype)
    taps = be.dot(of_taps, kernel.reshape(9, -1)).reshape(-1, channels, filters)
    y = be.empty((len(x), *win.out, filters), x.dtype)
    line = lined(be, bias, -(-win.out[1] // TILE))

    def results(part):
        values = be.dot(to_inputs, _tiles(be, x, REACH, win.before, part))
        products = be.matmul(values.reshape(len(taps), -1, channels), taps)
        z = be.dot(to_results, products.reshape(len(taps), -1))
        add(z, line)
        return z

    for part, places in _strips(be, x, win, channels, filters):
        _put(be, y[places], results(part), part)
    return y


def weight_gradient(be, x, dy, win):
    """As `columns.weight_gradient`."""
    channels, filters = x.shape[-1], dy.shape[-1]
    to_inputs, of_taps, to_results = _matrices(be, x.dtype)
    dtaps = be.empty((len(of_taps), channels, filters), x.dtype)
    at_once = max(STRIP[be.kind] // (channels * filters * x.dtype.itemsize), 1)  # products

    def add(part, first):
        values = be.dot(to_inputs, _tiles(be, x, REACH, win.before, part))
        values = values.reshape(len(of_taps), -1, channels).swapaxes(1, 2)
        dz = be.dot(to_results.T, _tiles(be, dy, TILE, (0, 0), part))
        dz = dz.reshape(len(of_taps), -1, filters)
        if first:
            be.matmul(values, dz, dtaps)
            return
        for i in range(0, len(dtaps), at_once):
            some = dtaps[i : i + at_once]
            some += be.matmul(values[i : i + at_once], dz[i : i + at_once])

    parts = [part for part, _ in _strips(be, x, win, channels, filters)]
    for i, part in enumerate(parts):
        add(part, i == 0)
    if not parts:
        return be.zeros((3, 3, channels, filters), x.dtype)
    return be.dot(of_taps.T, dtaps.reshape(len(of_taps), -1)).reshape(3, 3, channels, filters)


def _strips(be, x, win, channels, filters):
    """Parts of the tiles, as (images, lines, columns of tiles), and the index of their results."""
    (height, width), item = win.out, x.dtype.itemsize
    down, across = -(-height // TILE), -(-width // TILE)
    limit = max(STRIP[be.kind], REACH**2 * channels * filters * item // REREAD)
    size = across * REACH**2 * max(channels, filters) * item
    for i, j, a, b in strips(len(x), down, size, limit):
        part = (slice(i, j), slice(a, b), across)
        yield part, (slice(i, j), slice(TILE * a, min(TILE * b, height)))


def _tiles(be, x, size, before, part):
    """The values of tiles, as columns of a matrix: (size * size, tiles * channels)."""
    images, lines, across = part
    low = [TILE * lines.start - before[0], -before[1]]
    high = [TILE * lines.stop + size - TILE - before[0], TILE * across + size - TILE - before[1]]
    x = cut(be, x[images], low, high)
    first, line, column, step = x.strides
    tiles = be.windows(
        x,
        (size, size, len(x), lines.stop - lines.start, across, x.shape[-1]),
        (line, column, first, TILE * line, TILE * column, step),
    )
    matrix = be.empty((size * size, math.prod(tiles.shape[2:])), x.dtype)
    be.copyto(matrix.reshape(tiles.shape), tiles)
    return matrix


def _put(be, y, z, part) -> None:
    """Copy results (TILE * TILE, tiles * filters) to where they belong; what is over is cut off."""
    _, lines, across = part
    n, height, width, filters = y.shape
    down = lines.stop - lines.start
    z = z.reshape(TILE, TILE, n, down, across, filters).transpose(2, 3, 0, 4, 1, 5)
    if (height, width) == (TILE * down, TILE * across):
        be.copyto(y.reshape(z.shape), z)
    else:
        whole = be.empty((n, TILE * down, TILE * across, filters), y.dtype)
        be.copyto(whole.reshape(z.shape), z)
        be.copyto(y, whole[:, :height, :width])


def _matrices(be, dtype) -> list:
    """What takes tiles to numbers, taps to numbers, and products to results."""
    return [
        be.const(
            ("winograd", i, dtype.char),
            lambda be, i=i: be.asarray(np.kron(_along()[i], _along()[i]).astype(dtype)),
        )
        for i in range(3)
    ]


@cache
def _along() -> list[np.ndarray]:
    """The same along one axis: the algorithm of Toom and Cook with 5 points and infinity.

    The taps' polynomial and the results' are taken at the points; interpolation, transposed, takes
    the values there.
    """
    points = np.array(POINTS)
    others = [np.delete(points, i) for i in range(len(points))]
    values, taps, results = np.zeros((REACH, REACH)), np.zeros((REACH, 3)), np.zeros((TILE, REACH))
    for i, (point, rest) in enumerate(zip(points, others, strict=True)):
        values[i, : len(points)] = np.poly(rest)[::-1]
        taps[i] = point ** np.arange(3) / np.prod(point - rest)
        results[:, i] = point ** np.arange(TILE)
    values[-1] = np.poly(points)[::-1]
    taps[-1, -1] = results[-1, -1] = 1
    return [values, taps, results]

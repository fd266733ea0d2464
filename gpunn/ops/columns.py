"""The three products of a convolution on raw arrays: results, what flows back, and weights.

Arrays are channels last; a kernel is (*taps, channels of a group, filters). The windows' values lie
side by side as the rows of a matrix (im2col), made a strip at a time so that it stays in the cache.
Where Winograd's algorithm takes clearly fewer products, `winograd` does it.
"""

import math

from gpunn.ops import winograd
from gpunn.ops.spatial import add, cut, lined, phases, remainders, strips

STRIP = {"cpu": 1 << 20, "cuda": 1 << 26}  # bytes of such rows
FEW = 12  # numbers in a row: of windows with fewer a line of places is copied faster


def correlate(be, x, kernel, win, groups, bias=None):
    """y[n, o, f] = sum over taps t, channels c of x[n, o strides + t dilation, c] kernel[t, c, f].

    Args:
        x: array of shape (n, *size, channels).
        kernel: array of shape (*taps, channels // groups, filters).
        win: the `Window`.
        bias: a vector that is added at every place, or None.

    Returns:
        A new array of shape (n, *out, filters).
    """
    filters = kernel.shape[-1]
    if winograd.pays(win, groups, *kernel.shape[-2:]):
        return winograd.correlate(be, x, kernel, win, bias)
    if _pays_by_phase(win, groups, *kernel.shape[-2:]):
        y = be.empty((len(x), *win.out, filters), x.dtype)
        for values, places, near in phases(win):
            be.copyto(y[places], winograd.correlate(be, x[values], kernel, near, bias))
        return y
    w = _by_group(kernel.reshape(-1, filters), groups)
    y = be.empty((len(x), *win.out, filters), x.dtype)
    flat = y.reshape(-1, filters) if y.size else y
    line = lined(be, bias, win.out[-1])
    for rows, columns in _strips(be, x, win, groups):
        part = flat[rows]
        if groups == 1:
            be.dot(columns[0], w[0], part)
        else:
            be.copyto(_by_group(part, groups), be.matmul(columns, w))
        add(part, line)
    return y


def spread(be, dy, kernel, win, groups):
    """The transpose of `correlate`: every value of dy, times the kernel, to where it came from.

    With strides a value sees only some of the taps: those of the same remainder. The values that
    see the same ones are a convolution of dy with them, turned around.

    Returns:
        A new array of shape (n, *size, channels).
    """
    kernel = _turned(kernel, groups)
    if set(win.strides) == {1}:
        (one,) = remainders(win)
        return correlate(be, dy, kernel, one[2], groups)
    dx = be.zeros((len(dy), *win.size, kernel.shape[-1]), dy.dtype)
    for values, taps, seen in remainders(win):
        be.copyto(dx[values], correlate(be, dy, kernel[taps], seen, groups))
    return dx


def weight_gradient(be, x, dy, win, groups):
    """The gradient of the kernel: x as `correlate` takes it, dy as it gives it."""
    filters, channels = dy.shape[-1], x.shape[-1] // groups
    if winograd.pays(win, groups, channels, filters):
        return winograd.weight_gradient(be, x, dy, win)
    if _pays_by_phase(win, groups, channels, filters):
        dw = None
        for values, places, near in phases(win):
            part = winograd.weight_gradient(be, x[values], dy[places], near)
            if dw is None:
                dw = part
            else:
                dw += part
        return dw
    dy = _by_group(dy.reshape(-1, filters), groups)
    dw = None
    for rows, columns in _strips(be, x, win, groups):
        if groups == 1:
            part = be.dot(columns[0].T, dy[0, rows])[None]
        else:
            part = be.matmul(columns.swapaxes(1, 2), dy[:, rows])
        if dw is None:
            dw = part
        else:
            dw += part
    if dw is None:
        return be.zeros((*win.taps, channels, filters), dy.dtype)
    return dw.swapaxes(0, 1).reshape(*win.taps, channels, filters)


def _pays_by_phase(win, groups, channels, filters) -> bool:
    """Whether Winograd's algorithm pays for a convolution whose taps lie apart, part by part."""
    if set(win.strides) != {1} or set(win.dilation) == {1} or 0 in win.out:
        return False
    _, _, first = next(phases(win))  # the largest
    return winograd.pays(first, groups, channels, filters)


def _strips(be, x, win, groups):
    """The windows' values, strip by strip.

    Yields:
        A slice of the n * prod(out) rows, and an array of shape (groups, rows, taps * channels).
    """
    n, channels = len(x), x.shape[-1] // groups
    length, line = math.prod(win.taps) * channels, math.prod(win.out[1:])
    as_it_lies = groups == length // channels == 1 and win.out == win.size and x.flags.c_contiguous
    together = channels * win.taps[-1] if win.dilation[-1] == groups == 1 else channels
    size = line * groups * length * x.dtype.itemsize
    for i, j, a, b in strips(n, win.out[0], size, STRIP[be.kind]):
        low, high = win.lines(a, b)
        part, rows = cut(be, x[i:j], low, high), (j - i) * (b - a) * line
        start = (i * win.out[0] + a) * line
        if as_it_lies:
            yield slice(start, start + rows), part.reshape(1, rows, channels)
            continue
        first, *steps, step = part.strides
        windows = be.windows(
            part,
            (groups, j - i, b - a, *win.out[1:], *win.taps, channels),
            (
                channels * step,
                first,
                *[n * s for n, s in zip(steps, win.strides, strict=True)],
                *[n * d for n, d in zip(steps, win.dilation, strict=True)],
                step,
            ),
        )
        if together >= FEW:
            columns = be.empty((groups, rows, length), x.dtype)
            be.copyto(columns.reshape(windows.shape), windows)
        else:  # the same matrix, laid out column by column
            places = 2 + len(win.out)
            windows = windows.transpose(0, *range(places, windows.ndim), *range(1, places))
            turned = be.empty((groups, length, rows), x.dtype)
            be.copyto(turned.reshape(windows.shape), windows)
            columns = turned.swapaxes(1, 2)
        yield slice(start, start + rows), columns


def _by_group(rows, groups):
    """A matrix (rows, groups * n) as (groups, rows, n)."""
    return rows.reshape(len(rows), groups, rows.shape[1] // groups).swapaxes(0, 1)


def _turned(kernel, groups):
    """The kernel of the opposite direction: turned around, with channels and filters swapped."""
    *taps, channels, filters = kernel.shape
    turned = kernel[(slice(None, None, -1),) * len(taps)]
    turned = turned.reshape(*taps, channels, groups, filters // groups).swapaxes(-1, -3)
    return turned.reshape(*taps, filters // groups, groups * channels)

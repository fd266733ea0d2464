"""The three products of a convolution on raw arrays: results, what flows back, and weights.

Arrays are channels last; a kernel is (*taps, channels of a group, filters). The windows' values lie
side by side as the rows of a matrix (im2col), made a strip at a time so that it stays in the cache.
"""

import math

STRIP = {"cpu": 1 << 20, "cuda": 1 << 26}  # bytes of such rows


def correlate(be, x, kernel, win, groups):
    """y[n, o, f] = sum over taps t, channels c of x[n, o strides + t dilation, c] kernel[t, c, f].

    Args:
        x: array of shape (n, *size, channels).
        kernel: array of shape (*taps, channels // groups, filters).
        win: the `Window`.

    Returns:
        A new array of shape (n, *out, filters).
    """
    n, filters = len(x), kernel.shape[-1]
    w = _by_group(kernel.reshape(-1, filters), groups)
    y = be.empty((groups, n * math.prod(win.out), filters // groups), x.dtype)
    for rows, columns in _strips(be, x, win, groups):
        if groups == 1:
            be.dot(columns[0], w[0], y[0, rows])
        else:
            be.copyto(y[:, rows], be.matmul(columns, w))
    return y.swapaxes(0, 1).reshape(n, *win.out, filters)


def spread(be, dy, kernel, win, groups):
    """The transpose of `correlate`: every value of dy, times the kernel, to where it came from.

    Returns:
        An array of shape (n, *size, channels), which may be a view.
    """
    if win.strides == (1,) * len(win.strides):
        return correlate(be, dy, _rotated(kernel, groups), win.rotated(), groups)
    n, filters = len(dy), kernel.shape[-1]
    channels = kernel.shape[-2] * groups
    dy = _by_group(dy.reshape(-1, filters), groups)
    dx = be.zeros((n, *win.padded, channels), dy.dtype)
    for at, values in win.slices():
        w = _by_group(kernel[at], groups).swapaxes(1, 2)
        part = be.dot(dy[0], w[0]) if groups == 1 else be.matmul(dy, w).swapaxes(0, 1)
        dx[values] += part.reshape(n, *win.out, channels)
    return dx[win.inner]


def weight_gradient(be, x, dy, win, groups):
    """The gradient of the kernel: x as `correlate` takes it, dy as it gives it."""
    filters, channels = dy.shape[-1], x.shape[-1] // groups
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


def pad(be, x, win, value=0):
    """The array with the window's padding around it; itself where there is none."""
    if x.shape[1:-1] == win.padded:
        return x
    shape = (len(x), *win.padded, x.shape[-1])
    padded = be.full(shape, value, x.dtype) if value else be.zeros(shape, x.dtype)
    be.copyto(padded[win.inner], x)
    return padded


def _strips(be, x, win, groups):
    """The windows' values, strip by strip.

    Yields:
        A slice of the n * prod(out) rows, and an array of shape (groups, rows, taps * channels).
    """
    x = pad(be, x, win)
    n, rank, channels = len(x), len(win.size), x.shape[-1] // groups
    steps, step = x.strides[1:-1], x.strides[-1]
    windows = be.windows(
        x,
        (groups, n, *win.out, *win.taps, channels),
        (
            channels * step,
            x.strides[0],
            *[a * s for a, s in zip(steps, win.strides, strict=True)],
            *[a * d for a, d in zip(steps, win.dilation, strict=True)],
            step,
        ),
    )
    length, places = math.prod(win.taps) * channels, math.prod(win.out)
    if win.taps == (1,) * rank:  # the values as they lie
        yield slice(0, n * places), windows.reshape(groups, n * places, length)
        return
    row = groups * length * x.dtype.itemsize
    images = STRIP[be.kind] // (places * row)
    if images:
        parts = [(i, min(i + images, n), 0, win.out[0]) for i in range(0, n, images)]
    else:  # an image is too much: some of its lines
        lines = max(STRIP[be.kind] * win.out[0] // (places * row), 1)
        starts = range(0, win.out[0], lines)
        parts = [(i, i + 1, a, min(a + lines, win.out[0])) for i in range(n) for a in starts]
    line = places // win.out[0]
    for i, j, a, b in parts:
        part = windows[:, i:j, a:b]
        columns = be.empty((groups, (j - i) * (b - a) * line, length), x.dtype)
        be.copyto(columns.reshape(part.shape), part)
        yield slice(i * places + a * line, (j - 1) * places + b * line), columns


def _by_group(rows, groups):
    """A matrix (rows, groups * n) as (groups, rows, n)."""
    return rows.reshape(len(rows), groups, rows.shape[1] // groups).swapaxes(0, 1)


def _rotated(kernel, groups):
    """The kernel of the opposite direction: turned around, with channels and filters swapped."""
    *taps, channels, filters = kernel.shape
    turned = kernel[(slice(None, None, -1),) * len(taps)]
    turned = turned.reshape(*taps, channels, groups, filters // groups).swapaxes(-1, -3)
    return turned.reshape(*taps, filters // groups, groups * channels)

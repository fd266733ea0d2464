"""The products of a depthwise convolution on raw arrays, a few images at a time.

Arrays are channels last; a kernel is (*taps, channels, multiplier). The windows are a view, and
each of their taps is multiplied with a line of its weights, repeated for all places of the line: so
that einsum goes along whole lines, and adds the products up in the first cache.
"""

import math

from gpunn.ops.spatial import images, pad, remainders

STRIP = {"cpu": 1 << 18, "cuda": 1 << 40}  # bytes of the images that are worked on at a time


def correlate(be, x, kernel, win):
    """y[n, o, c m] = sum over taps t of x[n, o strides + t dilation, c] kernel[t, c, m].

    Returns:
        A new array of shape (n, *out, channels * multiplier).
    """
    n = math.prod(kernel.shape[-2:])
    lines = be.empty((*win.taps, win.out[-1], n), kernel.dtype)
    be.copyto(lines, kernel.reshape(*win.taps, 1, n))
    lines = _by_line(lines, win)
    windows, weights, places = _letters(win)
    y = be.empty((len(x), *win.out, n), x.dtype)
    for s in images(x, STRIP[be.kind]):
        seen = _windows(be, x[s], win, kernel.shape[-1])
        be.einsum(f"{windows},{weights}->{places}", seen, lines, _by_line(y[s], win))
    return y


def spread(be, dy, kernel, win):
    """The transpose of `correlate`: dy, times the kernel, summed where it was seen from.

    Returns:
        A new array of shape (n, *size, channels).
    """
    *taps, channels, multiplier = kernel.shape
    n = channels * multiplier
    turned = kernel[(slice(None, None, -1),) * len(taps)].reshape(*taps, n, 1)
    if set(win.strides) == {1}:
        (one,) = remainders(win)
        dx = correlate(be, dy, turned, one[2])
    else:
        dx = be.zeros((len(dy), *win.size, n), dy.dtype)
        for values, some, seen in remainders(win):
            be.copyto(dx[values], correlate(be, dy, turned[some], seen))
    return dx if multiplier == 1 else dx.reshape(*dx.shape[:-1], channels, multiplier).sum(-1)


def weight_gradient(be, x, dy, win, multiplier):
    """The gradient of the kernel: x as `correlate` takes it, dy as it gives it."""
    lines = None
    windows, weights, places = _letters(win)
    for s in images(x, STRIP[be.kind]):
        seen = _windows(be, x[s], win, multiplier)
        part = be.empty((*win.taps, *dy.shape[-2:]), x.dtype)
        be.einsum(f"{windows},{places}->{weights}", seen, _by_line(dy[s], win), _by_line(part, win))
        if lines is None:
            lines = part
        else:
            lines += part
    shape = (*win.taps, x.shape[-1], multiplier)
    return be.zeros(shape, x.dtype) if lines is None else lines.sum(-2).reshape(shape)


def _windows(be, x, win, multiplier):
    """What each tap sees: a view (*taps, n, *out, c) of padded images, each channel repeated."""
    x = pad(be, x, win)
    if multiplier > 1:
        repeated = be.empty((*x.shape, multiplier), x.dtype)
        be.copyto(repeated, x[..., None])
        x = repeated.reshape(*x.shape[:-1], -1)
    elif x.strides[-2:] != (x.shape[-1] * x.itemsize, x.itemsize):  # channels that were first
        x = be.copy(x)
    first, *steps, step = x.strides
    apart = [n * d for n, d in zip(steps, win.dilation, strict=True)]
    moves = [n * s for n, s in zip(steps, win.strides, strict=True)]
    shape, strides = (*win.taps, len(x), *win.out, x.shape[-1]), (*apart, first, *moves, step)
    if _whole(win):
        shape, strides = (*shape[:-2], shape[-2] * shape[-1]), (*strides[:-2], step)
    return be.windows(x, shape, strides)


def _whole(win) -> bool:
    """Whether what a tap sees along a line lies in one piece."""
    return win.strides[-1] == 1


def _by_line(x, win):
    """An array (..., places of a line, c), as one axis where lines are whole."""
    return x.reshape(*x.shape[:-2], -1) if _whole(win) else x


def _letters(win) -> tuple[str, str, str]:
    """The axes of the windows, of lines of weights, and of the results."""
    rank = len(win.taps)
    taps, places = "tuv"[:rank], "xyz"[:rank]
    line = "c" if _whole(win) else places[-1] + "c"
    return f"{taps}n{places[:-1]}{line}", taps + line, f"n{places[:-1]}{line}"

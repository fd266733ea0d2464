"""The products of a depthwise convolution on raw arrays, a few images at a time.

Arrays are channels last; a kernel is (*taps, channels, multiplier). Each tap is a product of the
values that it sees with a line of its weights, which are repeated for all places of the line.
"""

import math

from gpunn.ops.spatial import images, pad

STRIP = {"cpu": 1 << 18, "cuda": 1 << 40}  # bytes of the images that are worked on at a time


def correlate(be, x, kernel, win):
    """y[n, o, c m] = sum over taps t of x[n, o strides + t dilation, c] kernel[t, c, m].

    Returns:
        A new array of shape (n, *out, channels * multiplier).
    """
    lines, taps = _lines(be, kernel, win), [values for _, values in win.slices()]
    y = be.empty((len(x), *win.out, lines.shape[-1]), x.dtype)
    for s in images(x, STRIP[be.kind]):
        seen, part = _seen(be, x[s], win, kernel.shape[-1]), y[s]
        product = be.empty(part.shape, x.dtype)
        be.xp.multiply(seen[taps[0]], lines[0], part)
        for i, values in enumerate(taps[1:], 1):
            part += be.xp.multiply(seen[values], lines[i], product)
    return y


def gradients(be, x, dy, kernel, win, needs):
    """The gradients of the inputs and the kernel, None where `needs` says so."""
    lines, taps = _lines(be, kernel, win), [values for _, values in win.slices()]
    *_, channels, multiplier = kernel.shape
    dx = be.empty(x.shape, x.dtype) if needs[0] else None
    sums = be.empty((len(taps), lines[0].size), x.dtype)
    for s in images(x, STRIP[be.kind]):
        seen, dpart = _seen(be, x[s], win, multiplier), dy[s]
        product = be.empty(dpart.shape, x.dtype)
        dseen = be.zeros(seen.shape, x.dtype) if needs[0] else None
        for i, values in enumerate(taps):
            if needs[0]:
                dseen[values] += be.xp.multiply(dpart, lines[i], product)
            if needs[1]:
                rows = be.xp.multiply(seen[values], dpart, product).reshape(-1, lines[i].size)
                if s.start:
                    sums[i] += be.dot(be.ones(len(rows), x.dtype), rows)
                else:
                    be.dot(be.ones(len(rows), x.dtype), rows, sums[i])
        if needs[0]:
            inner = dseen[win.inner]
            if multiplier > 1:
                inner = inner.reshape(*inner.shape[:-1], channels, multiplier).sum(-1)
            be.copyto(dx[s], inner)
    if not needs[1]:
        return dx, None
    if not len(x):
        return dx, be.zeros(kernel.shape, x.dtype)
    return dx, sums.reshape(len(taps), win.out[-1], -1).sum(1).reshape(kernel.shape)


def _lines(be, kernel, win):
    """The weights of each tap for a line of places: (taps, places, channels * multiplier)."""
    n = math.prod(kernel.shape[-2:])
    lines = be.empty((math.prod(win.taps), win.out[-1], n), kernel.dtype)
    be.copyto(lines, kernel.reshape(-1, 1, n))
    return lines


def _seen(be, x, win, multiplier):
    """The padded images, each channel as often as it has results."""
    x = pad(be, x, win)
    if multiplier == 1:
        return x
    repeated = be.empty((*x.shape, multiplier), x.dtype)
    be.copyto(repeated, x[..., None])
    return repeated.reshape(*x.shape[:-1], -1)

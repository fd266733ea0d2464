"""batch_standardization: batch normalization by the batch's own statistics, in few passes.

An array is seen as rows of channels and worked on a strip of rows at a time, which stays in the
cache: the sums and the results read and write the memory once each.
"""

import math

from gpunn.autograd import primitive
from gpunn.ops.reduction import narrow, wide
from gpunn.ops.shaping import normalize_axis

__all__ = []  # public through the layer

STRIP = {"cpu": 1 << 20, "cuda": 1 << 40}  # bytes of a strip of rows
WIDE = 8192  # elements of a row: below that NumPy copies what is broadcast to its buffer


@primitive(promote="first")
def batch_standardization(be, x, offset, scale, /, axis, epsilon, update=None):
    """Normalize by the statistics of the batch itself, through which gradients flow.

    dx = scale / s (dy - mean(dy) - z mean(dy z)), where z = (x - mean) / s, s the deviation.

    Args:
        x, offset, scale, axis, epsilon: as in `batch_normalization`.
        update: a function `(be, mean, variance)` that is handed the raw statistics, to follow
            them; no gradient flows there.

    Returns:
        A tensor of the shape and dtype of x.
    """
    rows = ChannelRows(be, x.shape, normalize_axis("batch_standardization", axis, x.ndim))
    dtype, x = x.dtype, wide(x).reshape(rows.shape)
    strips = rows.strips(x.dtype)
    mean = rows.sums([x[s] for s in strips], x.dtype) / rows.count
    means = rows.stretched(mean)

    def squares():
        for s in strips:
            t = x[s] - means
            t *= t
            yield t

    variance = rows.sums(squares(), x.dtype) / rows.count
    if update is not None and x.size:
        update(be, mean, variance)
    inv = 1 / be.xp.sqrt(variance + epsilon)
    factors = rows.stretched(inv if scale is None else inv * scale)
    offsets = None if offset is None else rows.stretched(offset)
    y = be.empty(x.shape, x.dtype)
    for s in strips:
        part = be.xp.subtract(x[s], means, y[s])
        part *= factors
        if offsets is not None:
            part += offsets

    def pullback(dy, needs):
        dy = wide(dy).reshape(rows.shape)

        def products():
            for s in strips:
                t = x[s] - means
                t *= dy[s]
                yield t

        doffset = rows.sums([dy[s] for s in strips], x.dtype)
        along = rows.sums(products(), x.dtype) if needs[0] or needs[2] else None
        dx = None
        if needs[0]:
            slopes = rows.stretched(along * (inv * inv / -rows.count))
            shifts = rows.stretched(doffset / rows.count)
            dx = be.empty(x.shape, x.dtype)
            for s in strips:
                part = be.xp.subtract(x[s], means, dx[s])
                part *= slopes
                part += dy[s]
                part -= shifts
                part *= factors
            dx = dx.reshape(rows.whole)
        return dx, doffset if needs[1] else None, along * inv if needs[2] else None

    return narrow(y.reshape(rows.whole), dtype), pullback


class ChannelRows:
    """How an array is seen as a matrix: in each row lie all channels, maybe several times.

    Args:
        be: the backend.
        whole: the array's shape.
        axis: the channels' axis, from 0 on.
    """

    def __init__(self, be, whole, axis):
        before, channels, after = math.prod(whole[:axis]), whole[axis], math.prod(whole[axis + 1 :])
        times = 1
        if after == 1:
            times = math.gcd(before, 1 << (WIDE // max(channels, 1)).bit_length() >> 1) or 1
        self.be = be
        self.whole = whole
        self.count = max(before * after, 1)  # values of each channel
        self.shape = (before // times, times * channels * after)
        self._row = (times, channels, after)

    def strips(self, dtype) -> list[slice]:
        """Parts of the rows that fit into the cache."""
        n, width = self.shape
        step = max(STRIP[self.be.kind] // max(width * dtype.itemsize, 1), 1)
        return [slice(a, min(a + step, n)) for a in range(0, n if width else 0, step)]

    def stretched(self, v):
        """A vector with a value for each channel, as a row."""
        row = self.be.empty(self._row, v.dtype)
        self.be.copyto(row, v.reshape(1, -1, 1))
        return row.reshape(-1)

    def sums(self, parts, dtype):
        """The sum of each channel over strips of rows."""
        be, found = self.be, None
        for part in parts:
            row = be.dot(be.ones(len(part), dtype), part)
            found = row if found is None else found + row
        if found is None:
            return be.zeros(self._row[1], dtype)
        return found.reshape(self._row).sum((0, 2))

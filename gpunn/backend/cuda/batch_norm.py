"""Batch normalization by the batch's own statistics: two passes for them, one for the result."""

from math import prod

import numpy as np

from gpunn.backend.cupy_ import THREADS, cuda_type, wide
from gpunn.backend.kernels import kernel

ROWS_A_THREAD = 16
MOST_SPLITS = 256  # of the rows, for blocks to share them


@kernel("batch_standardization", "cuda", ("float16", "float32", "float64"))
def batch_standardization(be, x, offset, scale, axis, epsilon, update=None):
    axis %= x.ndim
    channels = _Channels(be, x.shape, axis)
    x = be.xp.ascontiguousarray(x)
    mean, _ = channels.means(x)
    _, variance = channels.means(x, centre=mean)
    if update is not None and x.size:
        update(be, mean, variance)
    shape = [1] * x.ndim
    shape[axis] = -1
    mean_row, variance_row, offset, scale = (
        None if v is None else v.reshape(shape) for v in (mean, variance, offset, scale)
    )
    y, _ = be.fused(_standardized)(
        be, x, mean_row, variance_row, offset, scale, epsilon=epsilon, dtype=x.dtype
    )

    def pullback(dy, needs):
        dy = be.xp.ascontiguousarray(dy)
        mean_dy, along = channels.means(x, centre=mean, beside=dy)
        dx = dscale = None
        if needs[0]:
            rows = (v.reshape(shape) for v in (mean_dy, along))
            operands = (dy, x, mean_row, variance_row, scale, *rows)
            dx, _ = be.fused(_gradient)(be, *operands, epsilon=epsilon, dtype=x.dtype)
        if needs[2]:
            dscale, _ = be.fused(_of_scale)(
                be, along, variance, count=channels.count, epsilon=epsilon
            )
        return dx, mean_dy * channels.count if needs[1] else None, dscale

    return y, pullback


def _standardized(be, x, mean, variance, offset, scale, epsilon, dtype):
    factor = 1 / be.xp.sqrt(variance + epsilon)
    if scale is not None:
        factor = factor * scale
    y = (x.astype(mean.dtype) - mean) * factor
    return (y if offset is None else y + offset).astype(dtype), None


def _gradient(be, dy, x, mean, variance, scale, mean_dy, along, epsilon, dtype):
    inv = 1 / be.xp.sqrt(variance + epsilon)
    d = dy.astype(mean.dtype) - mean_dy - (x.astype(mean.dtype) - mean) * (along * inv * inv)
    return (d * (inv if scale is None else inv * scale)).astype(dtype), None


def _of_scale(be, along, variance, count, epsilon):
    return along * (count / be.xp.sqrt(variance + epsilon)), None


class _Channels:
    """How the values of each channel lie in an array."""

    def __init__(self, be, shape, axis: int):
        self.be = be
        self.channels, self.after = shape[axis], prod(shape[axis + 1 :])
        self.rows = prod(shape[:axis]) * self.after
        self.count = max(self.rows, 1)
        # a block's neighbours in memory: other channels, or other values of the same
        self.lanes = 1 if self.after > 1 else min(32, 1 << max(self.channels - 1, 0).bit_length())
        share = ROWS_A_THREAD * THREADS // self.lanes
        self.splits = min(max(self.rows // share, 1), MOST_SPLITS)

    def means(self, x, centre=None, beside=None):
        """Means of w and w v by channel: v = x - centre, w = beside, or v without it."""
        be, dtype, nothing = self.be, wide(x.dtype), np.uint64(0)
        partial = be.empty((self.splits, 2, self.channels), dtype)
        groups = -(-self.channels // self.lanes)
        be.launch(
            "channels",
            f"channel_sums<{cuda_type(x.dtype)}, {cuda_type(dtype)}>",
            groups * self.splits * THREADS,
            (
                partial,
                nothing if beside is None else beside,
                x,
                nothing if centre is None else centre,
                self.rows,
                self.channels,
                self.after,
                self.lanes,
                self.splits,
            ),
        )
        means = be.empty((2, self.channels), dtype)
        args = (means, partial, means.size, self.splits, float(self.count))
        be.launch("channels", f"channel_means<{cuda_type(dtype)}>", means.size, args)
        return means

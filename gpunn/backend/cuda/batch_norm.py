"""Batch normalization: by the batch's own statistics two launches for each direction, by given
ones one."""

from math import prod

import numpy as np

from gpunn.backend.cuda.sums import NOTHING, placed, scale_dtype
from gpunn.backend.cupy_ import INDEX, THREADS, cuda_type, index_type, wide
from gpunn.backend.fusing import Inside
from gpunn.backend.kernels import FLOATS, Placing, kernel

ROWS_A_THREAD = 16
MOST_SPLITS = 256  # of the rows, for blocks to share them
FIELDS = ("rows", "channels", "after", "lanes", "splits")
CHANNELS = {  # `struct Channels` of batch_norm.cu
    index: np.dtype([(name, dtype) for name in FIELDS]) for index, dtype in INDEX.items()
}


def _takes_scale(x, offset, scale, axis, epsilon, update=None) -> bool:
    return scale_dtype(x, offset, scale) is not None


@kernel("batch_standardization", "cuda", FLOATS, _takes_scale)
def batch_standardization(be, x, offset, scale, axis, epsilon, update=None):
    x, of_scale = be.xp.ascontiguousarray(x), scale_dtype(x, offset, scale)
    launch = _Launcher(be, x, axis % x.ndim)
    offset, scale = (NOTHING if v is None else be.xp.ascontiguousarray(v) for v in (offset, scale))
    y, statistics = be.empty(x.shape, x.dtype), launch.two(wide(x.dtype))
    mean, variance = statistics[0], statistics[1]
    inside = Inside(wide(x.dtype), mean, variance)
    if update is not None:
        update(inside, mean, variance)
    moments = launch.partial()
    launch("batch_moments", (moments, x))
    args = (y, statistics, moments, x, offset, scale)
    launch("batch_normalize", args, (float(epsilon), inside.argument), inside.text, of=of_scale)

    def pullback(dy, needs, places):
        dy, sums, shape = be.xp.ascontiguousarray(dy), launch.partial(), variance.shape
        launch("batch_sums", (sums, dy, x, statistics))
        found = [
            placed(be, place, s, dtype) if needed else None
            for needed, place, s, dtype in zip(
                needs,
                places,
                (x.shape, shape, shape),
                (x.dtype, of_scale, of_scale),
                strict=True,
            )
        ]
        into = [NOTHING if d is None else d for d in found]
        args = (*into, sums, dy, x, statistics, scale)
        launch("batch_gradient", args, (float(epsilon),), of=of_scale)
        return tuple(found)

    return y, Placing(pullback)


def _takes(x, mean, variance, offset, scale, axis, epsilon) -> bool:
    vectors = (v for v in (mean, variance, offset, scale) if v is not None)
    return -x.ndim <= axis < x.ndim and all(v.shape == (x.shape[axis],) for v in vectors)


@kernel("_batch_normalization", "cuda", FLOATS, _takes)
def _batch_normalization(be, x, mean, variance, offset, scale, axis, epsilon):
    straight = be.xp.ascontiguousarray
    x, dtype = straight(x), wide(x.dtype)
    launch = _Launcher(be, x, axis % x.ndim)
    offset, scale = (NOTHING if v is None else straight(v) for v in (offset, scale))
    y, statistics = be.empty(x.shape, x.dtype), launch.two(dtype)
    args = (y, statistics, x, straight(mean), straight(variance), offset, scale)
    launch("batch_scale", args, (float(epsilon),), n=max(x.size, len(mean)))

    def pullback(dy, needs):
        dy, dx, sums = straight(dy), None, None
        if needs[0]:
            dx = be.empty(x.shape, x.dtype)
            launch("batch_scale_back", (dx, dy, statistics, scale), (float(epsilon),), n=x.size)
        if not any(needs[1:]):
            return dx, None, None, None, None
        sums = launch.partial()
        launch("batch_sums", (sums, dy, x, statistics))
        plain, along = sums.sum(0)
        inv = 1 / be.xp.sqrt(statistics[1] + epsilon)
        factor = inv if scale is NOTHING else inv * scale
        dscale = along * inv
        found = -plain * factor, dscale * factor * inv * -0.5, plain, dscale
        return dx, *[d if need else None for d, need in zip(found, needs[1:], strict=True)]

    return y, pullback


class _Launcher:
    """How the values of each channel lie in an array; launches kernels that go by channels."""

    def __init__(self, be, x, axis: int):
        self._be, self._dtype = be, x.dtype
        self._channels, after = x.shape[axis], prod(x.shape[axis + 1 :])
        rows = x.size // max(self._channels, 1)
        # a block's neighbours in memory: other channels, or other values of the same
        lanes = 1 if after > 1 else min(32, 1 << max(self._channels - 1, 0).bit_length())
        share = ROWS_A_THREAD * THREADS // lanes
        self._splits = min(max(rows // share, 1), MOST_SPLITS)
        self._blocks = -(-self._channels // lanes) * self._splits
        self._index = index_type(x.size)
        sizes = (rows, self._channels, max(after, 1), lanes, self._splits)
        self._sizes = np.array(sizes, CHANNELS[self._index])[()]

    def two(self, dtype):
        """A new array of two numbers for each channel."""
        return self._be.empty((2, self._channels), dtype)

    def partial(self):
        """A new array of two numbers for each split of each channel."""
        return self._be.empty((self._splits, 2, self._channels), wide(self._dtype))

    def __call__(self, name: str, arrays, more=(), before: str = Inside.NONE, n=None, of=None):
        dtypes = (self._dtype, wide(self._dtype), *(() if of is None else (of,)))
        types = ", ".join([*map(cuda_type, dtypes), self._index])
        args = (*arrays, self._sizes, *more)
        n = self._blocks * THREADS if n is None else n
        self._be.launch("batch_norm", f"{name}<{types}>", n, args, before=before)

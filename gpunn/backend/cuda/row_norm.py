"""Layer, RMS and group normalization: a launch for the result, and one for all gradients."""

from math import prod

import numpy as np

from gpunn.backend.cuda.sums import NOTHING, placed, sum_splits
from gpunn.backend.cupy_ import THREADS, cuda_type, row_team, wide
from gpunn.backend.kernels import FLOATS, Placing, kernel

ROWS_A_SPLIT = 4096  # of long columns, whose parts another launch then sums
LAYOUT = np.dtype([(name, "i8") for name in ("rows", "n", "groups", "size")])  # of row_norm.cu


def _takes(x, gamma=None, beta=None, axis=-1, epsilon=None, rms_scaling=False) -> bool:
    shapes = [v.shape for v in (gamma, beta) if v is not None]
    last = x.ndim > 0 and axis in (-1, x.ndim - 1)
    return last and not rms_scaling and all(s == x.shape[-1:] for s in shapes)


@kernel("layer_normalization", "cuda", FLOATS, _takes)
def layer_normalization(be, x, gamma=None, beta=None, axis=-1, epsilon=None, rms_scaling=False):
    return _normalized(be, x, gamma, beta, epsilon)


@kernel("rms_normalization", "cuda", FLOATS, _takes)
def rms_normalization(be, x, scale=None, axis=-1, epsilon=None):
    y, placing = _normalized(be, x, scale, None, epsilon, centred=False)

    def pullback(dy, needs, places):
        return placing.function(dy, (*needs, False), (*places, None))[:2]

    return y, Placing(pullback)


def _takes_groups(x, gamma=None, beta=None, groups=32, axis=-1, epsilon=1e-3) -> bool:
    last = x.ndim > 1 and axis in (-1, x.ndim - 1) and x.shape[-1] % groups == 0
    return last and all(v is None or v.shape == x.shape[-1:] for v in (gamma, beta))


@kernel("group_normalization", "cuda", FLOATS, _takes_groups)
def group_normalization(be, x, gamma=None, beta=None, groups=32, axis=-1, epsilon=1e-3):
    return _normalized(be, x, gamma, beta, epsilon, groups=groups)


def _normalized(be, x, gamma, beta, epsilon, centred=True, groups=None):
    """Rows along the last axis; or, in groups of its channels, of all places of an example."""
    channels = x.shape[-1]
    n = channels if groups is None else prod(x.shape[1:]) // groups
    rows = x.size // max(n, 1)
    layout = np.array((rows, n, groups or 1, channels // (groups or 1)), LAYOUT)[()]
    x, dtype = be.xp.ascontiguousarray(x), wide(x.dtype)
    gamma_, beta = (NOTHING if v is None else be.xp.ascontiguousarray(v) for v in (gamma, beta))
    types, grouped = f"{cuda_type(x.dtype)}, {cuda_type(dtype)}", str(groups is not None).lower()
    team, centred = row_team(n), np.int32(centred)
    y = be.empty(x.shape, x.dtype)
    means, invs = be.empty(rows, dtype), be.empty(rows, dtype)
    epsilon = 1e-7 if epsilon is None else float(epsilon)
    args = (y, means, invs, x, gamma_, beta, layout, epsilon, centred, team)
    be.launch("row_norm", f"row_norm<{types}, {grouped}>", rows * int(team), args)

    def pullback(dy, needs, places):
        dx = be.empty(x.shape, x.dtype) if needs[0] else None
        sums = [placed(be, at, (channels,), x.dtype) if need else None
                for at, need in zip(places[1:], needs[1:], strict=True)]  # fmt: skip
        columns = x.size // max(channels, 1)
        splits = -(-columns // ROWS_A_SPLIT) or 1 if any(needs[1:]) else 0
        parts = sums
        if splits > 1:
            parts = [None if d is None else be.empty((splits, channels), dtype) for d in sums]
        into = [NOTHING if d is None else d for d in (dx, *parts)]
        dy = be.xp.ascontiguousarray(dy)
        args = (*into, dy, x, means, invs, gamma_, layout, splits, centred, team)
        blocks = -(-rows * int(team) // THREADS) if needs[0] else 0
        blocks += -(-channels // 32) * splits
        summed = cuda_type(dtype if splits > 1 else x.dtype)
        name = f"row_norm_back<{types}, {summed}, {grouped}>"
        be.launch("row_norm", name, blocks * THREADS, args)
        for part, d in zip(parts, sums, strict=True):
            if splits > 1 and d is not None:
                sum_splits(be, part, d)
        return dx, *sums

    return y, Placing(pullback)

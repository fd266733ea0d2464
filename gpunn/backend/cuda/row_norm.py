"""Layer and RMS normalization over the last axis: a launch for the result, one for gradients."""

import numpy as np

from gpunn.backend.cupy_ import THREADS, cuda_type, row_team, wide
from gpunn.backend.kernels import FLOATS, kernel

ROWS_A_SPLIT = 4096  # of long columns, whose parts another launch then sums


def _takes(x, gamma=None, beta=None, axis=-1, epsilon=None, rms_scaling=False) -> bool:
    shapes = [v.shape for v in (gamma, beta) if v is not None]
    last = x.ndim > 0 and axis in (-1, x.ndim - 1)
    return last and not rms_scaling and all(s == x.shape[-1:] for s in shapes)


@kernel("layer_normalization", "cuda", FLOATS, _takes)
def layer_normalization(be, x, gamma=None, beta=None, axis=-1, epsilon=None, rms_scaling=False):
    return _normalized(be, x, gamma, beta, epsilon, centred=True)


@kernel("rms_normalization", "cuda", FLOATS, _takes)
def rms_normalization(be, x, scale=None, axis=-1, epsilon=None):
    y, pullback = _normalized(be, x, scale, None, epsilon, centred=False)
    return y, lambda dy, needs: pullback(dy, (*needs, False))[:2]


def _normalized(be, x, gamma, beta, epsilon, centred):
    n = x.shape[-1]
    rows = x.size // max(n, 1)
    x, nothing, dtype = be.xp.ascontiguousarray(x), np.uint64(0), wide(x.dtype)
    gamma_, beta = (nothing if v is None else be.xp.ascontiguousarray(v) for v in (gamma, beta))
    types = f"<{cuda_type(x.dtype)}, {cuda_type(dtype)}>"
    team, centred = row_team(n), np.int32(centred)
    y = be.empty(x.shape, x.dtype)
    means, invs = be.empty(rows, dtype), be.empty(rows, dtype)
    epsilon = 1e-7 if epsilon is None else float(epsilon)
    args = (y, means, invs, x, gamma_, beta, rows, n, epsilon, centred, team)
    be.launch("row_norm", "row_norm" + types, rows * int(team), args)

    def pullback(dy, needs):
        dx = be.empty(x.shape, x.dtype) if needs[0] else None
        splits = -(-rows // ROWS_A_SPLIT) or 1 if needs[1] or needs[2] else 0
        sums = be.empty((splits, 2, n), dtype)
        into = (nothing if dx is None else dx, sums if splits else nothing)
        dy = be.xp.ascontiguousarray(dy)
        args = (*into, dy, x, means, invs, gamma_, rows, n, splits, centred, team)
        blocks = -(-rows * int(team) // THREADS) if needs[0] else 0
        blocks += -(-n // 32) * splits
        be.launch("row_norm", "row_norm_back" + types, blocks * THREADS, args)
        sums = sums[0] if splits == 1 else sums.sum(0)
        return dx, sums[0] if needs[1] else None, sums[1] if needs[2] else None

    return y, pullback

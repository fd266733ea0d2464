"""Layer and RMS normalization over the last axis: a launch for the result, two for gradients."""

import numpy as np

from gpunn.backend.cupy_ import cuda_type, row_threads, wide
from gpunn.backend.kernels import FLOATS, kernel

SUMMING = 512  # threads that share 32 columns
ROWS_A_SPLIT = 4096  # of long columns, whose parts are then summed


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
    threads, centred = row_threads(n), np.int32(centred)
    y = be.empty(x.shape, x.dtype)
    means, invs = be.empty(rows, dtype), be.empty(rows, dtype)
    epsilon = 1e-7 if epsilon is None else float(epsilon)
    args = (y, means, invs, x, gamma_, beta, rows, n, epsilon, centred)
    be.launch("row_norm", "row_norm" + types, rows * threads, args, threads)

    def pullback(dy, needs):
        dy = be.xp.ascontiguousarray(dy)
        dx = dgamma = dbeta = None
        if needs[0]:
            dx = be.empty(x.shape, x.dtype)
            args = (dx, dy, x, means, invs, gamma_, rows, n, centred)
            be.launch("row_norm", "row_norm_back" + types, rows * threads, args, threads)
        if needs[1] or needs[2]:
            dgamma, dbeta = _sums(be, types, dy, x, means, invs)
        return dx, dgamma if needs[1] else None, dbeta if needs[2] else None

    return y, pullback


def _sums(be, types, dy, x, means, invs):
    """The sums over all rows of dy z and of dy; always the same, as there are no atomics."""
    rows, n = len(means), x.shape[-1]
    splits = -(-rows // ROWS_A_SPLIT) or 1
    partial = be.empty((splits, 2, n), means.dtype)
    args = (partial, dy, x, means, invs, rows, n, splits)
    be.launch("row_norm", "row_norm_sums" + types, -(-n // 32) * splits * SUMMING, args, SUMMING)
    return partial[0] if splits == 1 else partial.sum(0)

"""Layer normalization over the last axis: a launch for the result, one for its gradient."""

import numpy as np

from gpunn.backend.cupy_ import cuda_type, row_threads, wide
from gpunn.backend.kernels import kernel


def _takes(x, gamma=None, beta=None, axis=-1, epsilon=None, rms_scaling=False) -> bool:
    shapes = [v.shape for v in (gamma, beta) if v is not None]
    last = x.ndim > 0 and axis in (-1, x.ndim - 1)
    return last and not rms_scaling and all(s == x.shape[-1:] for s in shapes)


@kernel("layer_normalization", "cuda", ("float16", "float32", "float64"), _takes)
def layer_normalization(be, x, gamma=None, beta=None, axis=-1, epsilon=None, rms_scaling=False):
    n = x.shape[-1]
    rows = x.size // max(n, 1)
    x, nothing, dtype = be.xp.ascontiguousarray(x), np.uint64(0), wide(x.dtype)
    gamma_, beta = (nothing if v is None else be.xp.ascontiguousarray(v) for v in (gamma, beta))
    types = f"<{cuda_type(x.dtype)}, {cuda_type(dtype)}>"
    threads = row_threads(n)
    y = be.empty(x.shape, x.dtype)
    means, invs = be.empty(rows, dtype), be.empty(rows, dtype)
    args = (y, means, invs, x, gamma_, beta, rows, n, 1e-7 if epsilon is None else float(epsilon))
    be.launch("layer_norm", "layer_norm" + types, rows * threads, args, threads)

    def pullback(dy, needs):
        dy = be.xp.ascontiguousarray(dy)
        dx = be.empty(x.shape, x.dtype)
        products = be.empty((rows, n), dtype) if needs[1] else None
        args = (dx, nothing if products is None else products, dy, x, means, invs, gamma_, rows, n)
        be.launch("layer_norm", "layer_norm_back" + types, rows * threads, args, threads)
        ones = be.ones(rows, dtype)
        dgamma = be.dot(ones, products) if needs[1] else None
        dbeta = be.dot(ones, dy.reshape(rows, n).astype(dtype, copy=False)) if needs[2] else None
        return dx if needs[0] else None, dgamma, dbeta

    return y, pullback

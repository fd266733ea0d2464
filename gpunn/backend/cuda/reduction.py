"""The mean in one launch, its gradient in one; that of a mean over all is a view of one number."""

import numpy as np

from gpunn.backend.kernels import FLOATS, kernel


@kernel("mean", "cuda", FLOATS)
def mean(be, x, axis=None, keepdims=False):
    half = x.dtype.kind == "V"  # of bfloat16 CuPy makes no means by itself
    kept = x.mean(axis, dtype=np.float32 if half else None, keepdims=True)
    kept = kept.astype(x.dtype, copy=False)
    y = kept if keepdims else kept.reshape(()) if axis is None else be.xp.squeeze(kept, axis)

    def pullback(dy, needs):
        dy, n = dy.reshape(kept.shape), x.size // max(kept.size, 1)
        if axis is None:
            return (be.xp.broadcast_to((dy / n).astype(x.dtype, copy=False), x.shape),)
        return ((be.xp.broadcast_to(dy, x.shape) / n).astype(x.dtype, copy=False),)

    return y, pullback

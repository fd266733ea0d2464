"""The mean in one launch, its gradient in one; that of a mean over all is a view of one number."""

from gpunn.backend.kernels import kernel


@kernel("mean", "cuda", ("float16", "float32", "float64"))
def mean(be, x, axis=None, keepdims=False):
    kept = x.mean(axis, keepdims=True)
    y = kept if keepdims else kept.reshape(()) if axis is None else be.xp.squeeze(kept, axis)

    def pullback(dy, needs):
        dy, n = dy.reshape(kept.shape), x.size // max(kept.size, 1)
        if axis is None:
            return (be.xp.broadcast_to(dy / n, x.shape),)
        return (be.xp.broadcast_to(dy, x.shape) / n,)

    return y, pullback

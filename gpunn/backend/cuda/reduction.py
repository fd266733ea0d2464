"""The mean in one launch, and its gradient as a view of the mean's."""

from gpunn.backend.kernels import kernel


@kernel("mean", "cuda", ("float16", "float32", "float64"))
def mean(be, x, axis=None, keepdims=False):
    kept = x.mean(axis, keepdims=True)
    y = kept if keepdims else kept.reshape(()) if axis is None else be.xp.squeeze(kept, axis)

    def pullback(dy, needs):
        one = dy.reshape(kept.shape) / (x.size // max(kept.size, 1))
        return (be.xp.broadcast_to(one, x.shape),)

    return y, pullback

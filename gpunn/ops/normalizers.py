"""Normalizations that only layers use: statistics under a mask, and groups of channels."""

from gpunn.autograd import primitive
from gpunn.errors import ShapeError
from gpunn.ops.reduction import narrow, wide
from gpunn.ops.shaping import normalize_axis

__all__ = []

_TINY = 1e-7  # added to the number of values, which may be none


@primitive(promote="float")
def masked_moments(be, x, mask, /, axis, update=None):
    """The mean and variance of each channel over the places that a mask leaves in.

    Args:
        x: tensor.
        mask: of the shape of x without its last axis, False where values do not count.
        axis: the channels' axis.
        update: a function `(be, mean, variance)` that is handed the raw results, to follow them.

    Returns:
        The mean and the variance, vectors; zeros if nothing counts.

    Raises:
        ShapeError: if the mask has another shape.

    >>> x = [[[1.0], [3.0], [9.0]]]
    >>> [y.numpy() for y in gpunn.ops.normalizers.masked_moments(x, [[1.0, 1.0, 0.0]], axis=-1)]
    [array([2.], dtype=float32), array([1.], dtype=float32)]
    """
    if mask.shape != x.shape[:-1]:
        raise ShapeError(f"expected a mask of shape {x.shape[:-1]}, got {mask.shape}")
    axis = normalize_axis("masked_moments", axis, x.ndim)
    others = tuple([a for a in range(x.ndim) if a != axis])
    dtype, x = x.dtype, wide(x)
    kept = be.xp.broadcast_to((mask != 0)[..., None], x.shape)
    count = kept.astype(x.dtype).sum(others, keepdims=True) + _TINY
    mean = be.xp.where(kept, x, 0).sum(others, keepdims=True) / count
    centred = be.xp.where(kept, x - mean, 0)
    variance = (centred * centred).sum(others, keepdims=True) / count
    flat = mean.reshape(-1), variance.reshape(-1)
    if update is not None and x.size:
        update(be, *flat)

    def pullback(dy, needs):
        dmean, dvariance = (wide(d).reshape(mean.shape) / count for d in dy)
        dx = centred * (2 * dvariance)
        dx += be.xp.where(kept, dmean, 0)
        return dx, None

    return tuple([narrow(y, dtype) for y in flat]), pullback

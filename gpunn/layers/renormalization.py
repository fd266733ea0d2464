"""Batch renormalization: a batch's statistics, corrected towards the moving ones."""

from gpunn import ops
from gpunn.autograd import no_grad
from gpunn.backend.dtypes import result_type
from gpunn.layers.check import wrong
from gpunn.ops.normalizers import masked_moments


def checked_clipping(layer, clipping) -> dict:
    """The limits of the corrections, of which any may be left out: rmin, rmax, dmax."""
    limits = dict(clipping or {})
    if unknown := set(limits) - {"rmin", "rmax", "dmax"}:
        raise wrong(layer, f"renorm_clipping has rmin, rmax and dmax, not {min(unknown)!r}")
    low, high, shift = (limits.get(name) for name in ("rmin", "rmax", "dmax"))
    if low is not None and high is not None and high < low:
        raise wrong(layer, f"renorm_clipping: rmax {high} is below rmin {low}")
    if shift is not None and shift < 0:
        raise wrong(layer, f"renorm_clipping: dmax must be a number >= 0, got {shift}")
    return limits


def add_statistics(layer, shape) -> None:
    """Make what a renormalizing layer keeps beside the moving mean and variance."""

    def deviation(shape, dtype=None):
        return ops.sqrt(layer.moving_variance_initializer(shape, dtype=dtype))

    for name, initializer in (
        ("moving_stddev", deviation),
        ("renorm_mean", layer.moving_mean_initializer),
        ("renorm_stddev", deviation),
    ):
        weight = layer.add_weight(shape, initializer, trainable=False, autocast=False, name=name)
        setattr(layer, name, weight)


def renormalized(layer, x, mask=None):
    """y = gamma (z r + d) + beta, where z is x normalized by its batch's mean and variance.

    r = deviation / renorm_stddev and d = (mean - renorm_mean) / renorm_stddev, through which no
    gradient flows; then all statistics move towards the batch's.

    Source: Ioffe, 2017, https://arxiv.org/abs/1702.03275; keras.layers.BatchNormalization.
    """
    dtype = result_type(x.dtype, "float32")
    x = ops.cast(x, dtype)
    if mask is None:
        axis = layer.axis % x.ndim
        mean, variance = ops.moments(x, [i for i in range(x.ndim) if i != axis])
    else:
        mean, variance = masked_moments(x, ops.cast(mask, dtype), axis=layer.axis)
    with no_grad():
        stddev = ops.sqrt(variance + layer.epsilon)
        least = ops.maximum(ops.cast(layer.renorm_stddev, dtype), layer.epsilon**0.5)
        r = stddev / least
        d = (mean - ops.cast(layer.renorm_mean, dtype)) / least
        r, d = _clipped(r, d, **layer.renorm_clipping)
        _follow(layer, mean, stddev)
    scale, offset = r, d
    if layer.scale:
        scale, offset = r * layer.gamma, d * layer.gamma
    if layer.center:
        offset = offset + layer.beta
    return ops.batch_normalization(x, mean, variance, layer.axis, offset, scale, layer.epsilon)


def _clipped(r, d, rmin=None, rmax=None, dmax=None):
    r = r if rmin is None else ops.maximum(r, rmin)
    r = r if rmax is None else ops.minimum(r, rmax)
    return r, d if dmax is None else ops.clip(d, -dmax, dmax)


def _follow(layer, mean, stddev) -> None:
    """Move the statistics, in place, towards those of a batch."""
    for old, new, kept in (
        (layer.renorm_mean, mean, layer.renorm_momentum),
        (layer.renorm_stddev, stddev, layer.renorm_momentum),
        (layer.moving_mean, mean, layer.momentum),
        (layer.moving_stddev, stddev, layer.momentum),
    ):
        old.assign(old * kept + new * (1.0 - kept))
    square = layer.moving_stddev * layer.moving_stddev
    layer.moving_variance.assign(ops.relu(square - layer.epsilon))

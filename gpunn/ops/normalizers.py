"""Normalizations that only layers use: under a mask, of groups of channels, of kernels."""

import math

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
        mask: of the shape of x without its last axis, or that broadcasts to it; False where values
            do not count.
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
    places = x.shape[:-1]
    if mask.ndim > len(places) or not all(
        m in (1, n) for m, n in zip(mask.shape[::-1], places[::-1])
    ):
        raise ShapeError(f"expected a mask of shape {places}, got {mask.shape}")
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


@primitive(promote="float")
def group_normalization(be, x, gamma=None, beta=None, /, groups=32, axis=-1, epsilon=1e-3):
    """Normalize each example by groups of channels: y = (x - mean) / sqrt(variance + epsilon).

    Args:
        x: tensor of shape (batch, ...).
        gamma: a factor for each channel, or None.
        beta: an offset for each channel, or None.
        groups: how many there are; a divisor of the number of channels.
        axis: the channels' axis. Default: last.
        epsilon: added to the variance. Default: 1e-3.

    Returns:
        A tensor of the shape of x.

    Source: keras.layers.GroupNormalization; Wu and He, 2018, https://arxiv.org/abs/1803.08494

    >>> gpunn.ops.normalizers.group_normalization([[0.0, 2.0, 5.0, 5.0]], groups=2).numpy().round(2)
    array([[-1.,  1.,  0.,  0.]], dtype=float32)
    """
    axis = normalize_axis("group_normalization", axis, x.ndim)
    dtype, shape, x = x.dtype, x.shape, wide(x)
    channels = shape[axis]
    parts = (shape[0], math.prod(shape[1:axis]), channels, math.prod(shape[axis + 1 :]))
    x = x.reshape(parts)
    n = max(parts[1] * channels // groups * parts[3], 1)
    z = x - _group_means(be, _channel_sums(be, x), groups, n)
    y = z * z
    inv = 1 / be.xp.sqrt(_group_means(be, _channel_sums(be, y), groups, n) + epsilon)
    factor = inv if gamma is None else inv * wide(gamma)[:, None]
    y = be.xp.multiply(z, factor, y)
    if beta is not None:
        y += wide(beta)[:, None]

    def pullback(dy, needs):
        dy = wide(dy).reshape(parts)
        dx = dy * z
        sums, along = _channel_sums(be, dy), _channel_sums(be, dx)
        dgamma = (along * inv[:, 0, :, 0]).sum(0) if needs[1] else None
        dbeta = sums.sum(0) if needs[2] else None
        if not needs[0]:
            return None, dgamma, dbeta
        if gamma is not None:
            sums, along = sums * wide(gamma), along * wide(gamma)
        dx = be.xp.multiply(z, _group_means(be, along, groups, -n) * (inv * inv * inv), dx)
        dx += dy * factor
        dx -= _group_means(be, sums, groups, n) * inv
        return dx.reshape(shape), dgamma, dbeta

    return narrow(y.reshape(shape), dtype), pullback


def _channel_sums(be, x):
    """The sums (batch, channels) of (batch, before, channels, after); products with ones."""
    batch, before, channels, after = x.shape
    if not x.size:
        return x.sum((1, 3))
    if after > 1:
        x = be.dot(x.reshape(-1, after), be.ones(after, x.dtype))
    x = x.reshape(batch, before, channels)
    return be.matmul(be.ones(before, x.dtype), x) if before > 1 else x[:, 0]


def _group_means(be, sums, groups: int, n: int):
    """Sums of channels as means of their groups of n values, to be broadcast to the inputs."""
    shape = (len(sums), groups, sums.shape[1] // groups)
    means = be.xp.broadcast_to(sums.reshape(shape).sum(2, keepdims=True) / n, shape)
    return means.reshape(len(sums), 1, sums.shape[1], 1)


@primitive
def spectral_normalization(be, w, u, /, iterations, update):
    """A kernel divided by its largest singular value, which is found by iteration.

    Args:
        w: kernel, taken as a matrix of shape (-1, units).
        u: what the iteration before has found, of shape (1, units).
        iterations: how many are done.
        update: a function `(be, kernel, u)` that is handed the raw results, to keep them.

    Returns:
        The new kernel, whose gradient is that of the old one; a kernel of zeros stays.

    Source: keras.layers.SpectralNormalization; Miyato et al., 2018,
    https://arxiv.org/abs/1802.05957

    >>> w, u = [[3.0, 0.0], [0.0, 1.0]], [[1.0, 0.0]]
    >>> gpunn.ops.normalizers.spectral_normalization(w, u, iterations=1, update=None).numpy()[0]
    array([1., 0.], dtype=float32)
    """
    dtype, first, w = w.dtype, wide(u), wide(w)
    u, matrix = first, w.reshape(-1, w.shape[-1])
    for _ in range(iterations):
        v = _unit(be, be.dot(u, matrix.T))
        u = _unit(be, be.dot(v, matrix))
    sigma = (be.dot(v, matrix) * u).sum(1, keepdims=True)
    empty = sigma == 0
    y = matrix / be.xp.where(empty, 1, sigma)
    y = narrow(y.reshape(w.shape), dtype)
    if update is not None:
        update(be, y, be.xp.where(empty, first, u))
    return y, lambda dy, needs: (dy, None)


def _unit(be, row):
    """A vector of shape (1, n) divided by its norm, if that is not 0."""
    norm = be.xp.sqrt((row * row).sum(1, keepdims=True))
    return row / be.xp.where(norm == 0, 1, norm)

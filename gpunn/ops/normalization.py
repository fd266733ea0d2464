"""Normalizations: by given statistics, layer and RMS, each with its gradient in one op."""

import math

from gpunn.autograd import primitive
from gpunn.errors import ShapeError
from gpunn.ops.batch_statistics import ChannelRows
from gpunn.ops.reduction import LONG, kept_shape, narrow, total, wide
from gpunn.ops.shaping import normalize_axes, normalize_axis

__all__ = ["batch_normalization", "layer_normalization", "rms_normalization"]


def batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    """Normalize by given statistics: y = (x - mean) / sqrt(variance + epsilon) * scale + offset.

    Args:
        x: tensor of any shape; integers become floats.
        mean, variance: vectors with one value for each place along `axis`.
        axis: the axis that has statistics of its own for each place.
        offset: vector added to the result, or None.
        scale: vector the result is multiplied by, or None.
        epsilon: added to the variance. Default: 1e-3.

    Returns:
        A tensor of the shape of x.

    Raises:
        ShapeError: if a vector does not have the size of the axis.

    Source: `keras.ops.batch_normalization`.

    >>> gpunn.ops.batch_normalization([[3.0]], [1.0], [4.0], axis=-1, epsilon=0.0).numpy()
    array([[1.]], dtype=float32)
    """
    return _batch_normalization(x, mean, variance, offset, scale, axis=axis, epsilon=epsilon)


@primitive(promote="float")
def _batch_normalization(be, x, mean, variance, offset, scale, /, axis, epsilon):
    axis, others, shape = _around("batch_normalization", x, axis)
    vectors = {"mean": mean, "variance": variance, "offset": offset, "scale": scale}
    for name, v in vectors.items():
        if v is not None and v.shape != (x.shape[axis],):
            raise ShapeError(
                f"batch_normalization: {name} of shape {v.shape}, expected ({x.shape[axis]},)"
            )
    dtype, x = x.dtype, wide(x)
    # copies, so that moving statistics may go on before the gradient is asked for
    mean = be.copy(wide(mean)).reshape(shape)
    inv = 1 / be.xp.sqrt(wide(variance).reshape(shape) + epsilon)
    factor = inv if scale is None else inv * scale.reshape(shape)
    shift = -mean * factor
    rows = ChannelRows(be, x.shape, axis)
    y = x.reshape(rows.shape) * rows.stretched(factor)
    y += rows.stretched(shift if offset is None else shift + offset.reshape(shape))

    def pullback(dy, needs):
        dx = dmean = dvariance = doffset = dscale = None
        dy = wide(dy)
        if needs[0]:
            dx = dy * factor
        if needs[1] or needs[3]:
            doffset = _sum(be, dy, others)
        if needs[1]:
            dmean = (-doffset * factor).reshape(-1)
        if needs[2] or needs[4]:
            dscale = _sum(be, dy * (x - mean), others) * inv
        if needs[2]:
            dvariance = (-0.5 * dscale * factor * inv).reshape(-1)
        return (
            dx,
            dmean,
            dvariance,
            doffset.reshape(-1) if needs[3] else None,
            dscale.reshape(-1) if needs[4] else None,
        )

    return narrow(y.reshape(x.shape), dtype), pullback


@primitive(promote="first", late=True)
def layer_normalization(be, x, gamma=None, beta=None, /, axis=-1, epsilon=None, rms_scaling=False):
    """Normalize each example: y = (x - mean) / sqrt(variance + epsilon) * gamma + beta.

    Args:
        x: tensor of any shape.
        gamma: factors of the shape of the normalized axes, or None.
        beta: offsets of that shape, or None.
        axis: the axis or axes that mean and variance are taken over. Default: last.
        epsilon: added to the variance. Default: 1e-7.
        rms_scaling: do not subtract the mean; beta is ignored.

    Returns:
        A tensor of the shape and dtype of x; integers become floats.

    Raises:
        ShapeError: if an axis is out of range, or gamma or beta has another shape.

    Source: `keras.ops.layer_normalization`; Ba et al., 2016, https://arxiv.org/abs/1607.06450

    >>> gpunn.ops.layer_normalization([0.0, 2.0]).numpy().round(3)
    array([-1.,  1.], dtype=float32)
    """
    epsilon = 1e-7 if epsilon is None else epsilon
    last = axis == -1 and x.ndim > 1 and 0 < x.shape[-1] <= LONG and x.size
    if last and not rms_scaling and x.flags.c_contiguous:
        return _rows_normalized(be, x, gamma, beta, epsilon)
    axes, n, gamma, beta, shape = _scaling("layer_normalization", x, axis, gamma, beta)
    dtype, x = x.dtype, wide(x)
    mean = _sum(be, x, axes) / n
    z = x - mean
    inv = 1 / be.xp.sqrt(_sum(be, z * z, axes) / n + epsilon)
    if rms_scaling:
        return _scaled_by_variance(be, x, z, inv, gamma, axes, n, shape, dtype)
    z *= inv
    y = z if gamma is None else z * gamma
    if beta is not None:
        y = y + beta if y is z else be.xp.add(y, beta, y)

    def pullback(dy, needs):
        dx = dgamma = dbeta = None
        dy = wide(dy)
        others = tuple([a for a in range(dy.ndim) if a not in axes])
        if needs[1]:
            dgamma = _sum(be, dy * z, others).reshape(shape)
        if needs[2]:
            dbeta = _sum(be, dy, others).reshape(shape)
        if needs[0]:
            dz = dy if gamma is None else dy * gamma
            dx = dz * z
            along = _sum(be, dx, axes) / -n
            dx = be.xp.multiply(z, along, dx)
            dx += dz
            dx -= _sum(be, dz, axes) / n
            dx *= inv
        return dx, dgamma, dbeta

    return narrow(y, dtype), pullback


def _rows_normalized(be, x, gamma, beta, epsilon):
    """Normalize over the last axis: sums over rows and columns are products with vectors.

    dx = inv (dy gamma - mean(dy gamma) - z mean(dy gamma z)), where y = z gamma + beta.
    """
    n, whole, dtype = x.shape[-1], x.shape, x.dtype
    _check_scaling("layer_normalization", (n,), gamma, beta)
    rows = wide(x).reshape(x.size // n, n)
    shape = rows.shape
    ones = be.ones(n, rows.dtype)
    factors = ones if gamma is None else wide(gamma)
    z = rows - be.dot(rows, ones)[:, None] * (1 / n)
    y = z * z
    inv = (1 / be.xp.sqrt(be.dot(y, ones) * (1 / n) + epsilon))[:, None]
    z *= inv
    y = be.xp.multiply(z, factors, y)
    if beta is not None:
        y += wide(beta)

    def pullback(dy, needs):
        dx = dgamma = dbeta = None
        dy = wide(dy).reshape(shape)
        p = dy * z
        if needs[1]:
            dgamma = _column_sums(be, p)
        if needs[2]:
            dbeta = _column_sums(be, dy)
        if needs[0]:
            along = be.dot(p, factors)[:, None] * (-1 / n)
            mean = be.dot(dy, factors)[:, None] * (-1 / n)
            dx = dy * factors
            dx += be.xp.multiply(z, along, p)
            dx += mean
            dx *= inv
            dx = dx.reshape(whole)
        return dx, dgamma, dbeta

    return narrow(y, dtype).reshape(whole), pullback


def _scaled_by_variance(be, x, centred, inv, gamma, axes, n, shape, dtype):
    """x / sqrt(variance + epsilon) * gamma, as Keras' `rms_scaling` has it."""
    y = x * inv

    def pullback(dy, needs):
        dy = wide(dy)
        others = tuple([a for a in range(dy.ndim) if a not in axes])
        dgamma = _sum(be, dy * y, others).reshape(shape) if needs[1] else None
        if not needs[0]:
            return None, dgamma, None
        dz = dy if gamma is None else dy * gamma
        dx = dz * inv
        dx -= centred * (_sum(be, dz * x, axes) * (inv * inv * inv / n))
        return dx, dgamma, None

    return narrow(y if gamma is None else y * gamma, dtype), pullback


@primitive(promote="first", late=True)
def rms_normalization(be, x, scale=None, /, axis=-1, epsilon=None):
    """Divide each example by its root mean square: y = x / sqrt(mean(x^2) + epsilon) * scale.

    Args:
        x: tensor of any shape.
        scale: factors of the shape of the normalized axes, or None.
        axis: the axis or axes the mean is taken over. Default: last.
        epsilon: added to the mean square. Default: 1e-7.

    Returns:
        A tensor of the shape and dtype of x; integers become floats.

    Raises:
        ShapeError: if an axis is out of range, or the scale has another shape.

    Source: `keras.ops.rms_normalization`; Zhang and Sennrich, 2019,
    https://arxiv.org/abs/1910.07467

    >>> gpunn.ops.rms_normalization([1.0, 7.0]).numpy()
    array([0.2, 1.4], dtype=float32)
    """
    axes, n, scale, _, shape = _scaling("rms_normalization", x, axis, scale, None)
    dtype, x = x.dtype, wide(x)
    z = x * x
    inv = 1 / be.xp.sqrt(_sum(be, z, axes) / n + (1e-7 if epsilon is None else epsilon))
    z = be.xp.multiply(x, inv, z)

    def pullback(dy, needs):
        dx = dscale = None
        dy = wide(dy)
        if needs[1]:
            others = tuple([a for a in range(dy.ndim) if a not in axes])
            dscale = _sum(be, dy * z, others).reshape(shape)
        if needs[0]:
            dz = dy if scale is None else dy * scale
            dx = dz * z
            along = _sum(be, dx, axes) / -n
            dx = be.xp.multiply(z, along, dx)
            dx += dz
            dx *= inv
        return dx, dscale

    return narrow(z if scale is None else z * scale, dtype), pullback


# --- what they share ---


def _around(op, x, axis):
    """The axis from 0 on, all the others, and the shape of a vector along it."""
    axis = normalize_axis(op, axis, x.ndim)
    others = tuple([a for a in range(x.ndim) if a != axis])
    return axis, others, tuple([x.shape[a] if a == axis else 1 for a in range(x.ndim)])


def _scaling(op, x, axis, gamma, beta):
    """Axes from 0 on, their size, factors and offsets that broadcast, and the shape they had."""
    axes = tuple(sorted(normalize_axes(op, axis, x.ndim)))
    shape = tuple([x.shape[a] for a in axes])
    _check_scaling(op, shape, gamma, beta)
    stretched = tuple([n if a in axes else 1 for a, n in enumerate(x.shape)])
    gamma, beta = (None if v is None else wide(v).reshape(stretched) for v in (gamma, beta))
    return axes, max(math.prod(shape), 1), gamma, beta, shape


def _check_scaling(op, shape, gamma, beta) -> None:
    for name, v in (("factors", gamma), ("offsets", beta)):
        if v is not None and v.shape != shape:
            raise ShapeError(f"{op}: {name} of shape {v.shape}, expected {shape}")


def _sum(be, x, axes):
    """The sum over axes, which stay with size 1; of whole rows or columns, a product with ones."""
    shape = kept_shape(x.shape, axes)
    rows = len(axes) < x.ndim and x.size and x.flags.c_contiguous
    if rows and axes == tuple(range(len(axes))):  # the leading axes
        return _column_sums(be, x.reshape(-1, math.prod(x.shape[len(axes) :]))).reshape(shape)
    if rows and axes == tuple(range(x.ndim - len(axes), x.ndim)):  # the trailing ones
        return total(be, x.reshape(-1, math.prod(x.shape[-len(axes) :])), 1).reshape(shape)
    return x.sum(axes, keepdims=True) if axes else x


def _column_sums(be, x, block=1024):
    """The sum over axis 0, of many rows in blocks: one running sum would round too much."""
    if len(x) <= block:
        return be.dot(be.ones(len(x), x.dtype), x)
    whole = len(x) // block * block
    parts = be.matmul(be.ones(block, x.dtype), x[:whole].reshape(-1, block, x.shape[1]))
    y = be.dot(be.ones(len(parts), x.dtype), parts)
    if whole < len(x):
        y = y + be.dot(be.ones(len(x) - whole, x.dtype), x[whole:])
    return y

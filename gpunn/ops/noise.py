"""Noise in training: dropout and its relatives, drawn with the same bits on every device.

The noise is drawn by ops of its own and is an operand of what uses it, or is an operand that the op
itself draws where it is not given: an op that is done again, for a second derivative, is given the
same noise again.
"""

import math
from numbers import Integral

from gpunn.autograd import primitive
from gpunn.backend import CPU_BACKEND, Stream, current_seed
from gpunn.backend.kernels import Drawn
from gpunn.backend.random import Renewed, frozen
from gpunn.errors import ArgumentTypeError
from gpunn.ops.arithmetic import add, multiply
from gpunn.ops.shaping import _shape

__all__ = []  # public through the layers and `gpunn.random`

# of selu, which alpha dropout keeps the mean and variance of
ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805


def stream_of(seed) -> Stream:
    """The stream that a `seed` argument stands for.

    Args:
        seed: an integer, a Stream, what has a `stream` (a SeedGenerator), or None: the next of
            `gpunn.set_seed`'s.

    Raises:
        ArgumentTypeError: if it is nothing of what a seed can be.
    """
    if seed is None:
        return current_seed().stream()
    if isinstance(seed, Stream):
        return seed
    if isinstance(getattr(seed, "stream", None), Stream):
        return seed.stream
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise ArgumentTypeError(f"seed must be an integer, a SeedGenerator or None, not {seed!r}")
    return Stream(int(seed))


def stream_of_draw(seed) -> Stream:
    """`stream_of` for one draw alone: a recording makes a stream anew at each replay."""
    if frozen.get() and not isinstance(getattr(seed, "stream", seed), Stream):
        return Renewed(lambda: stream_of(seed))
    return stream_of(seed)


def uniform_of(be, seed, shape, dtype="float32"):
    """`be.uniform` of a `seed`; a GPU's graph cannot make streams, so the host draws of these."""
    stream = stream_of_draw(seed)
    if type(stream) is Renewed:
        return be.from_host(lambda s, n: CPU_BACKEND.uniform(s, n, dtype), stream, shape, dtype)
    return be.uniform(stream, shape, dtype)


@primitive
def uniform_like(be, x, /, stream, shape, low=0.0, high=1.0):
    """Uniform numbers from `low` to `high` on the device of a float tensor, in its dtype.

    Args:
        x: a tensor, which only says where and in what dtype.
        stream: a `gpunn.backend.Stream`, which moves on by one draw.
        shape: of the result.
        low, high: the limits.

    >>> stream = gpunn.backend.Stream(1, "noise")
    >>> y = gpunn.ops.noise.uniform_like(np.zeros(1, "float32"), stream, (1000,), 1.0, 3.0)
    >>> round(float(y.numpy().mean()), 1)
    2.0
    """
    y = be.uniform(stream, shape)
    if (low, high) != (0, 1):
        y, _ = be.fused(_between)(be, y, low=low, high=high)
    return y.astype(x.dtype, copy=False), None


def _between(be, y, low, high):
    return y * (high - low) + low, None


def dropout(x, rate, stream, noise_shape=None):
    """Set a fraction of the values to 0 and divide the rest by what is kept, 1 - rate.

    Args:
        x: tensor of any shape; integers become floats.
        rate: the fraction, from 0 to 1.
        stream: a `gpunn.backend.Stream`, which moves on by one draw.
        noise_shape: shape of the draw, which broadcasts to that of x. Default: that of x.

    Returns:
        A tensor of the shape of x: x * keep / (1 - rate), keep being 0 or 1.

    >>> stream = gpunn.backend.Stream(1, "dropout")
    >>> y = gpunn.ops.noise.dropout(np.ones(1000, "float32"), 0.5, stream)
    >>> sorted(set(y.numpy().tolist()))
    [0.0, 2.0]
    """
    scale = 1 / (1 - rate) if rate < 1 else 0
    if noise_shape is None or tuple(noise_shape) == _shape(x):
        return _dropped(x, rate=rate, stream=stream, scale=scale)
    return multiply(x, _kept(x, rate=rate, stream=stream, shape=noise_shape, scale=scale))


def alpha_dropout(x, rate, stream, noise_shape=None):
    """Set a fraction of the values to selu's limit, and scale so that mean and variance stay.

    Args and Returns: as of `dropout`.

    Source: Klambauer et al., 2017, https://arxiv.org/abs/1706.02515

    >>> stream = gpunn.backend.Stream(1, "dropout")
    >>> y = gpunn.ops.noise.alpha_dropout(np.zeros(1000, "float32"), 0.5, stream)
    >>> len(set(y.numpy().tolist()))
    2
    """
    low = -ALPHA * SCALE
    a = ((1 - rate) * (1 + rate * low**2)) ** -0.5 if rate < 1 else 0.0
    keep = _kept(x, rate=rate, stream=stream, shape=noise_shape, scale=1)
    return _lowered(x, keep, low=low, factor=a, shift=a * low * rate)


def gaussian_noise(x, deviation, stream):
    """Add normal noise of mean 0.

    Args:
        x: tensor of any shape; integers become floats.
        deviation: the noise's standard deviation.
        stream: a `gpunn.backend.Stream`, which moves on by two draws.

    Returns:
        A tensor of the shape of x.

    >>> stream = gpunn.backend.Stream(1, "noise")
    >>> y = gpunn.ops.noise.gaussian_noise(np.zeros(10000, "float32"), 2.0, stream)
    >>> round(float(y.numpy().std()), 1)
    2.0
    """
    return add(x, _normal(x, mean=0, deviation=deviation, stream=stream))


def gaussian_dropout(x, deviation, stream):
    """Multiply by normal noise of mean 1.

    Args and Returns: as of `gaussian_noise`.

    >>> stream = gpunn.backend.Stream(1, "noise")
    >>> y = gpunn.ops.noise.gaussian_dropout(np.ones(10000, "float32"), 0.5, stream)
    >>> round(float(y.numpy().mean()), 1)
    1.0
    """
    return multiply(x, _normal(x, mean=1, deviation=deviation, stream=stream))


def kept(be, x, rate, stream, shape=None):
    """1 where a value is kept and 0 where it is dropped."""
    bits = be.random_uint32(stream, x.shape if shape is None else shape)
    return (bits >= min(round(rate * 2**32), 2**32 - 1)).astype(x.dtype)


@primitive(promote="float")
def _kept(be, x, /, rate, stream, shape, scale):
    """`scale` where a value of x is kept and 0 where it is dropped."""
    return _factors(be, x, rate, stream, shape, scale), None


def _factors(be, x, rate, stream, shape, scale):
    keep = kept(be, x, rate, stream, shape)
    if scale != 1:
        keep *= scale
    return keep


@primitive(promote="float")
def _dropped(be, x, factors=None, /, *, rate, stream, scale):
    """x times `scale` where a value is kept, 0 where it is dropped; or times such factors."""
    if factors is None:
        factors = _factors(be, x, rate, stream, None, scale)

    def pullback(dy, needs):
        return dy * factors, None

    return x * factors, Drawn(pullback, lambda: (factors,))


@primitive(promote="float")
def _lowered(be, x, keep, /, low, factor, shift):
    """Values that are not kept set to `low`, and all scaled and shifted."""
    y = x * keep
    y += low * (1 - keep)
    y *= factor
    y -= shift

    def pullback(dy, needs):
        return dy * (keep * factor), None

    return y, pullback


@primitive(promote="float")
def _normal(be, x, /, mean, deviation, stream):
    """Normal values in the shape of x, by the method of Box and Muller.

    In float32 for every x: noise needs no more, and is the same then.
    """
    distance = be.uniform(stream, x.shape)
    angle = be.uniform(stream, x.shape)
    y, _ = be.fused(_box_muller)(be, distance, angle, deviation=deviation)
    y = y.astype(x.dtype, copy=False)
    return y + mean if mean else y, None


def _box_muller(be, distance, angle, deviation):
    y = be.xp.sqrt(-2 * be.xp.log(1 - distance))
    y *= be.xp.cos(angle * (2 * math.pi)) * deviation
    return y, None

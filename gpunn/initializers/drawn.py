"""Initializers that draw random numbers, on the host: the same bits whatever the device.

Values are drawn in float64 and rounded, so float32 weights are the rounded float64 ones.
"""

import math

import numpy as np

from gpunn.autograd import Tensor
from gpunn.backend import CPU_BACKEND, Stream, current_seed, standardize
from gpunn.backend.dtypes import is_float
from gpunn.checks import as_shape, check_number
from gpunn.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from gpunn.initializers.initializer import Initializer
from gpunn.serialization import deserialize_value, serialize_value

# The standard deviation of a standard normal cut off at -2 and 2.
TRUNCATED_DEVIATION = 0.87962566103423978


class RandomInitializer(Initializer):
    """What the random initializers share: where their random numbers come from.

    Args:
        seed: an integer, or None for one drawn of the seed in force (`gpunn.set_seed`) when the
            initializer is made: each call then gives the same values, as in Keras. A
            `gpunn.random.SeedGenerator` moves on, so that each call gives new ones.

    Raises:
        ArgumentTypeError: for another seed.
    """

    def __init__(self, seed=None):
        self.seed = seed = deserialize_value(seed)
        self._generator = None
        if seed is None:
            self._stream = current_seed().stream()
        elif isinstance(seed, int | np.integer) and not isinstance(seed, bool):
            self._stream = Stream(int(seed), "initializer")
        elif isinstance(getattr(seed, "stream", None), Stream):
            self._generator = seed.stream
        else:
            raise ArgumentTypeError(
                f"seed must be an integer, a SeedGenerator or None, got {seed!r}"
            )

    def __call__(self, shape, dtype=None):
        dtype = standardize(dtype)
        if not is_float(dtype):
            raise DTypeError(f"{type(self).__name__} draws floats, not {dtype.name}")
        stream = self._generator or Stream(self._stream.seed, self._stream.name)
        return Tensor(self.draw(stream, as_shape(type(self).__name__, shape)).astype(dtype))

    def draw(self, stream: Stream, shape: tuple[int, ...]) -> np.ndarray:
        """Float64 values of a shape."""
        raise NotImplementedError

    def get_config(self) -> dict:
        return {"seed": serialize_value(self.seed, f"{type(self).__name__}.seed")}


def normal(stream, shape, mean, stddev):
    """Normal values."""
    return mean + stddev * stream.normal(shape)


def uniform(stream, shape, low, high):
    """Uniform values in [low, high)."""
    return low + (high - low) * stream.uniform(shape)


def truncated_normal(stream, shape, mean, stddev):
    """Normal values within two `stddev` of the mean: of uniforms, by the inverse of the CDF."""
    edge = math.erf(math.sqrt(2.0))
    unit = math.sqrt(2.0) * CPU_BACKEND.erfinv(edge * (2.0 * stream.uniform(shape) - 1.0))
    return mean + stddev * np.clip(unit, -2.0, 2.0)


class RandomNormal(RandomInitializer):
    """Normal values.

    Args:
        mean: their mean.
        stddev: their standard deviation; not negative.
        seed: see `RandomInitializer`.

    Raises:
        ArgumentError: for a negative stddev.

    Source: `keras.initializers.RandomNormal`.

    >>> gpunn.initializers.RandomNormal(seed=1)((2, 3)).shape
    (2, 3)
    """

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        check_number("mean", mean)
        check_number("stddev", stddev, low=0)
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def draw(self, stream, shape):
        return normal(stream, shape, self.mean, self.stddev)

    def get_config(self) -> dict:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Normal values, none further than two `stddev` from the mean.

    Args:
        mean: their mean.
        stddev: the standard deviation before the cut; not negative.
        seed: see `RandomInitializer`.

    Raises:
        ArgumentError: for a negative stddev.

    Source: `keras.initializers.TruncatedNormal`.

    >>> values = gpunn.initializers.TruncatedNormal(stddev=1.0, seed=1)((1000,)).numpy()
    >>> bool(abs(values).max() <= 2)
    True
    """

    def draw(self, stream, shape):
        return truncated_normal(stream, shape, self.mean, self.stddev)


class RandomUniform(RandomInitializer):
    """Uniform values in [minval, maxval).

    Args:
        minval: the lower bound.
        maxval: the upper bound.
        seed: see `RandomInitializer`.

    Raises:
        ArgumentError: if minval is above maxval.

    Source: `keras.initializers.RandomUniform`.

    >>> values = gpunn.initializers.RandomUniform(0.0, 1.0, seed=1)((1000,)).numpy()
    >>> bool(values.min() >= 0 and values.max() <= 1)
    True
    """

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        check_number("minval", minval)
        check_number("maxval", maxval)
        if minval > maxval:
            raise ArgumentError(f"minval {minval!r} is above maxval {maxval!r}")
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def draw(self, stream, shape):
        return uniform(stream, shape, self.minval, self.maxval)

    def get_config(self) -> dict:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class Orthogonal(RandomInitializer):
    """A matrix with orthonormal rows or columns, whichever are fewer, times a gain.

    An array of higher rank is such a matrix of shape (product of all but the last, last).

    Args:
        gain: the factor.
        seed: see `RandomInitializer`.

    Raises:
        ShapeError: when called with a shape of rank below 2.

    Source: Saxe et al., 2014 (arXiv 1312.6120).

    >>> q = gpunn.initializers.Orthogonal(seed=1)((3, 3)).numpy()
    >>> bool(np.allclose(q @ q.T, np.eye(3), atol=1e-6))
    True
    """

    def __init__(self, gain=1.0, seed=None):
        check_number("gain", gain)
        super().__init__(seed)
        self.gain = gain

    def draw(self, stream, shape):
        if len(shape) < 2:
            raise ShapeError(f"Orthogonal makes arrays of rank 2 or more, got shape {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(stream.normal((max(rows, columns), min(rows, columns))))
        q *= np.where(np.diag(r) < 0, -1.0, 1.0)  # makes q uniform among orthogonal matrices
        return self.gain * (q if rows >= columns else q.T).reshape(shape)

    def get_config(self) -> dict:
        return {**super().get_config(), "gain": self.gain}

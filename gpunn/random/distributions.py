"""Tensors drawn from distributions: uniform, normal, gamma, categorical and others.

Uniform numbers are drawn on the device; all others on the host, since the logarithms and cosines of
a GPU differ in the last bit.
"""

import numpy as np

from gpunn import ops
from gpunn.autograd import Tensor, convert, no_grad, wrap
from gpunn.backend import CPU_BACKEND, Stream, backend_of, get_backend
from gpunn.backend.dtypes import is_float, standardize
from gpunn.checks import as_shape
from gpunn.errors import ArgumentError, DTypeError, ShapeError
from gpunn.ops.noise import stream_of_draw, uniform_of


def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Floats drawn evenly from [minval, maxval).

    Args:
        shape: an int or ints.
        minval: lower end, included; a number, or values that broadcast to `shape`. Default: 0.
        maxval: upper end, likewise; numbers are excluded, of tensors those that rounding reaches
            are not. Default: 1.
        dtype: a float dtype. Default: `floatx`.
        seed: see `gpunn.random`. Default: None.

    Returns:
        A tensor on the current device.

    Raises:
        DTypeError: if the dtype is not a float.
        ArgumentError: if maxval is less than minval.

    Source: `keras.random.uniform`.

    >>> gpunn.random.uniform((2, 3), seed=1).shape
    (2, 3)
    """
    dtype, be = _float_dtype("uniform", dtype), get_backend()
    if any(isinstance(end, Tensor) or np.ndim(end) for end in (minval, maxval)):
        y = wrap(uniform_of(be, seed, as_shape("uniform", shape), dtype))
        return ops.cast(y * (convert(maxval) - minval) + minval, dtype)
    if maxval < minval:
        raise ArgumentError(f"uniform: maxval {maxval} is less than minval {minval}")
    y = uniform_of(be, seed, as_shape("uniform", shape), dtype)
    if (minval, maxval) != (0, 1):
        y = y * (maxval - minval) + minval
    if (minval, maxval) != (0, 1) or dtype.itemsize < 4:  # rounding may reach the upper end
        ends = np.asarray([minval, maxval]).astype(dtype)
        y = be.xp.minimum(y, float(np.nextafter(ends[1], ends[0])))
    return wrap(be.wrap(y.astype(dtype, copy=False)))


def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Floats drawn from a normal distribution.

    Args:
        shape: an int or ints.
        mean: a number, or values that broadcast to `shape`. Default: 0.
        stddev: standard deviation, likewise. Default: 1.
        dtype: a float dtype. Default: `floatx`.
        seed: see `gpunn.random`. Default: None.

    Returns:
        A tensor on the current device.

    Raises:
        DTypeError: if the dtype is not a float.

    Source: `keras.random.normal`.

    >>> gpunn.random.normal((2, 3), seed=1).shape
    (2, 3)
    """
    dtype = _float_dtype("normal", dtype)
    return _scaled(Stream.normal, stddev, mean, seed, as_shape("normal", shape), dtype)


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Floats drawn from a normal distribution, none further than two deviations from the mean.

    Args:
        shape: an int or ints.
        mean: a number, or values that broadcast to `shape`. Default: 0.
        stddev: standard deviation before the cut, likewise. Default: 1.
        dtype: a float dtype. Default: `floatx`.
        seed: see `gpunn.random`. Default: None.

    Returns:
        A tensor on the current device.

    Raises:
        DTypeError: if the dtype is not a float.

    Source: `keras.random.truncated_normal`.

    >>> y = gpunn.random.truncated_normal((100,), seed=1)
    >>> bool((abs(y) <= 2).all())
    True
    """
    dtype = _float_dtype("truncated_normal", dtype)
    inside = 0.9544997361036416  # the probability of two deviations

    def draw(stream, shape):
        u = (2 * stream.uniform(shape) - 1) * inside
        return np.sqrt(2) * CPU_BACKEND.erfinv(u)

    return _scaled(draw, stddev, mean, seed, as_shape("truncated_normal", shape), dtype)


def randint(shape, minval, maxval, dtype="int32", seed=None):
    """Integers drawn evenly from minval, ..., maxval - 1.

    Args:
        shape: an int or ints.
        minval: the smallest.
        maxval: one more than the largest.
        dtype: an integer dtype. Default: int32.
        seed: see `gpunn.random`. Default: None.

    Returns:
        A tensor on the current device.

    Raises:
        DTypeError: if the dtype is not an integer.
        ArgumentError: if there is no integer between the ends.

    Source: `keras.random.randint`.

    >>> y = gpunn.random.randint((100,), 1, 7, seed=1)
    >>> sorted(set(y.tolist()))
    [1, 2, 3, 4, 5, 6]
    """
    dtype, be = standardize(dtype), get_backend()
    if dtype.kind not in "iu":
        raise DTypeError(f"randint: expected an integer dtype, got {dtype.name}")
    minval, maxval = int(minval), int(maxval)
    if maxval <= minval or maxval - minval > 2**53:
        raise ArgumentError(f"randint: cannot draw from {minval}, ..., {maxval} - 1")
    u = uniform_of(be, seed, as_shape("randint", shape), "float64")
    numbers = (be.xp.floor(u * (maxval - minval)).astype(np.int64) + minval).astype(dtype)
    return wrap(be.wrap(numbers))


def categorical(logits, num_samples, dtype="int32", seed=None):
    """Class numbers drawn with the probabilities softmax(logits).

    Args:
        logits: tensor of shape (batch, classes).
        num_samples: how many for each row.
        dtype: of the result. Default: int32.
        seed: see `gpunn.random`. Default: None.

    Returns:
        A tensor of shape (batch, num_samples).

    Raises:
        ShapeError: if `logits` is not a matrix.

    Source: `keras.random.categorical`; the largest of logits plus Gumbel noise (Gumbel, 1954).

    >>> gpunn.random.categorical([[0.0, 100.0]], 3, seed=1).tolist()
    [[1, 1, 1]]
    """
    logits = convert(logits)
    if logits.ndim != 2:
        raise ShapeError(f"categorical: expected shape (batch, classes), got {logits.shape}")
    batch, classes = logits.shape
    dtype_ = logits.dtype if is_float(logits.dtype) else standardize(None)

    def gumbel(stream, shape):
        return -np.log(-np.log(np.maximum(stream.uniform(shape), 2.0**-54)))

    be = backend_of(logits.array)
    drawn = _from_host(gumbel, seed, (batch, num_samples, classes), dtype_, be)
    with no_grad():
        noisy = ops.expand_dims(logits, 1) + drawn
        return ops.cast(ops.argmax(noisy, axis=-1), dtype)


def gamma(shape, alpha, dtype=None, seed=None):
    """Floats drawn from a gamma distribution of scale 1.

    Args:
        shape: an int or ints.
        alpha: the distribution's shape parameter: a float, or values that broadcast to `shape`.
        dtype: a float dtype. Default: `floatx`.
        seed: see `gpunn.random`. Default: None.

    Returns:
        A tensor on the current device.

    Raises:
        DTypeError: if the dtype is not a float.

    Source: `keras.random.gamma`.

    >>> gpunn.random.gamma((2, 3), 1.5, seed=1).shape
    (2, 3)
    """
    dtype = _float_dtype("gamma", dtype)
    alpha = _host(alpha)
    return _from_host(
        lambda stream, n: _generator(stream).standard_gamma(alpha, n),
        seed, as_shape("gamma", shape), dtype,
    )  # fmt: skip


def beta(shape, alpha, beta, dtype=None, seed=None):
    """Floats drawn from a beta distribution.

    Args:
        shape: an int or ints.
        alpha: first parameter: a float, or values that broadcast to `shape`.
        beta: second parameter.
        dtype: a float dtype. Default: `floatx`.
        seed: see `gpunn.random`. Default: None.

    Returns:
        A tensor on the current device.

    Raises:
        DTypeError: if the dtype is not a float.

    Source: `keras.random.beta`.

    >>> gpunn.random.beta((2, 3), 2.0, 3.0, seed=1).shape
    (2, 3)
    """
    dtype = _float_dtype("beta", dtype)
    alpha, beta = _host(alpha), _host(beta)
    return _from_host(
        lambda stream, n: _generator(stream).beta(alpha, beta, n),
        seed, as_shape("beta", shape), dtype,
    )  # fmt: skip


def binomial(shape, counts, probabilities, dtype=None, seed=None):
    """How many of `counts` tries succeed, drawn from a binomial distribution.

    Args:
        shape: an int or ints.
        counts: how many tries: a number, or values that broadcast to `shape`.
        probabilities: of success.
        dtype: a float dtype. Default: `floatx`.
        seed: see `gpunn.random`. Default: None.

    Returns:
        A tensor on the current device.

    Raises:
        DTypeError: if the dtype is not a float.

    Source: `keras.random.binomial`.

    >>> gpunn.random.binomial((2, 3), 10, 0.5, seed=1).shape
    (2, 3)
    """
    dtype = _float_dtype("binomial", dtype)
    tries, probabilities = _host(counts).astype(np.int64), _host(probabilities)
    return _from_host(
        lambda stream, n: _generator(stream).binomial(tries, probabilities, n),
        seed, as_shape("binomial", shape), dtype,
    )  # fmt: skip


def _float_dtype(op, dtype):
    dtype = standardize(dtype)
    if not is_float(dtype):
        raise DTypeError(f"{op}: expected a float dtype, got {dtype.name}")
    return dtype


def _from_host(draw, seed, shape, dtype, be=None) -> Tensor:
    """What `draw(stream, shape)` gives on the host, as a tensor."""
    return wrap((be or get_backend()).from_host(draw, stream_of_draw(seed), shape, dtype))


def _scaled(draw, factor, shift, seed, shape, dtype):
    """Numbers from the host times a factor plus a shift, either of which gets its gradient."""
    if isinstance(factor, Tensor) or isinstance(shift, Tensor):
        return ops.cast(_from_host(draw, seed, shape, dtype) * factor + shift, dtype)
    factor, shift = _host(factor), _host(shift)
    return _from_host(lambda s, n: draw(s, n) * factor + shift, seed, shape, dtype)


def _host(x) -> np.ndarray:
    """A parameter of a distribution, on the host."""
    return np.array(x.numpy() if isinstance(x, Tensor) else x)


def _generator(stream) -> np.random.Generator:
    """NumPy's generator on the bits of the stream's next draw."""
    counter = np.array([0, 0, stream.next_position(), 0], np.uint64)
    return np.random.Generator(np.random.Philox(counter=counter, key=stream.key))

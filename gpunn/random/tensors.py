"""What chance does to the values of a tensor: dropout, shuffle."""

import numpy as np

from gpunn import ops
from gpunn.autograd import convert, wrap
from gpunn.backend import backend_of
from gpunn.errors import ArgumentError
from gpunn.ops import noise
from gpunn.ops.noise import stream_of_draw


def dropout(inputs, rate, noise_shape=None, seed=None):
    """Set a random fraction of the values to 0 and divide the others by 1 - rate.

    Args:
        inputs: tensor.
        rate: the fraction, from 0 to 1.
        noise_shape: shape of the draw, which broadcasts to that of the inputs; None stands for the
            size of the inputs. Default: every value by itself.
        seed: see `gpunn.random`. Default: None.

    Returns:
        A tensor of the shape of the inputs.

    Raises:
        ArgumentError: if the rate is not between 0 and 1.

    Source: `keras.random.dropout`.

    >>> sorted(set(gpunn.random.dropout(np.ones(100, "float32"), 0.5, seed=1).tolist()))
    [0.0, 2.0]
    """
    if not 0 <= rate <= 1:
        raise ArgumentError(f"dropout: the rate must lie between 0 and 1, got {rate}")
    inputs = convert(inputs)
    if rate == 0:
        return inputs
    if noise_shape is not None:
        sizes = zip(noise_shape, inputs.shape, strict=True)
        noise_shape = tuple(n if s is None else s for s, n in sizes)
    return noise.dropout(inputs, rate=rate, stream=stream_of_draw(seed), noise_shape=noise_shape)


def shuffle(x, axis=0, seed=None):
    """The slices of a tensor along an axis in random order.

    Args:
        x: tensor.
        axis: Default: the first.
        seed: see `gpunn.random`. Default: None.

    Returns:
        A tensor of the same shape; slices stay whole.

    Raises:
        ShapeError: if the axis is out of range.

    Source: `keras.random.shuffle`.

    >>> sorted(gpunn.random.shuffle([1, 2, 3], seed=1).tolist())
    [1, 2, 3]
    """
    x = convert(x)
    axis = ops.shaping.normalize_axis("shuffle", axis, x.ndim)
    be, rows = backend_of(x.array), (x.shape[axis],)
    order = be.from_host(lambda s, n: s.permutation(*n), stream_of_draw(seed), rows, np.int64)
    return ops.take(x, wrap(order), axis)

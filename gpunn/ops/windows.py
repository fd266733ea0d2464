"""Window functions: bartlett, blackman, hamming, hanning, kaiser."""

import numpy as np

from gpunn.autograd import wrap
from gpunn.backend import get_backend
from gpunn.backend.dtypes import standardize

__all__ = ["bartlett", "blackman", "hamming", "hanning", "kaiser"]


def _window(values):
    return wrap(get_backend().asarray(values.astype(standardize(None))))


def bartlett(x):
    """A triangular window of x points that ends at zero.

    Args:
        x: number of points: an int or a scalar tensor.

    Returns:
        A vector of `floatx`.

    Source: `keras.ops.bartlett`.

    >>> gpunn.ops.bartlett(5).numpy().tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    return _window(np.bartlett(int(x)))


def blackman(x):
    """A Blackman window of x points: three cosines.

    Args:
        x: number of points: an int or a scalar tensor.

    Returns:
        A vector of `floatx`.

    Source: `keras.ops.blackman`.

    >>> gpunn.ops.blackman(3).numpy().round(3).tolist()
    [-0.0, 1.0, -0.0]
    """
    return _window(np.blackman(int(x)))


def hamming(x):
    """A Hamming window of x points: a raised cosine that ends at 0.08.

    Args:
        x: number of points: an int or a scalar tensor.

    Returns:
        A vector of `floatx`.

    Source: `keras.ops.hamming`.

    >>> gpunn.ops.hamming(3).numpy().round(3).tolist()
    [0.07999999821186066, 1.0, 0.07999999821186066]
    """
    return _window(np.hamming(int(x)))


def hanning(x):
    """A Hann window of x points: a raised cosine that ends at zero.

    Args:
        x: number of points: an int or a scalar tensor.

    Returns:
        A vector of `floatx`.

    Source: `keras.ops.hanning`.

    >>> gpunn.ops.hanning(3).numpy().round(3).tolist()
    [0.0, 1.0, 0.0]
    """
    return _window(np.hanning(int(x)))


def kaiser(x, beta):
    """A Kaiser window of x points: a Bessel function.

    Args:
        x: number of points: an int or a scalar tensor.
        beta: how narrow it is; 0 is a rectangle.

    Returns:
        A vector of `floatx`.

    Source: `keras.ops.kaiser`.

    >>> gpunn.ops.kaiser(3, 0.0).numpy().tolist()
    [1.0, 1.0, 1.0]
    """
    return _window(np.kaiser(int(x), float(beta)))

"""Fourier transforms: fft, fft2, ifft2, rfft, irfft.

A complex tensor is a pair of real ones: its real and imaginary parts.
"""

import math
from numbers import Integral

import numpy as np

from gpunn.autograd import Tensor, convert, primitive
from gpunn.autograd.higher import own_trace
from gpunn.backend.dtypes import is_float
from gpunn.errors import ArgumentError, DTypeError, ShapeError
from gpunn.ops.constants import constant
from gpunn.ops.indexing import get_item
from gpunn.ops.repeating import pad

__all__ = [
    "fft",
    "fft2",
    "ifft2",
    "irfft",
    "rfft",
]


def fft(x):
    """The discrete Fourier transform along the last axis.

    Args:
        x: a pair of float tensors of one shape: real and imaginary parts.

    Returns:
        Such a pair.

    Raises:
        ArgumentError: if x is no pair.
        ShapeError: if the shapes differ.

    Source: `keras.ops.fft`.

    >>> real, imaginary = gpunn.ops.fft(([1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0]))
    >>> real.numpy().tolist(), imaginary.numpy().tolist()
    ([10.0, -2.0, -2.0, -2.0], [0.0, 2.0, 0.0, -2.0])
    """
    return _fourier(*real_and_imaginary("fft", x), axes=(-1,), inverse=False)


def fft2(x):
    """The discrete Fourier transform along the last two axes.

    Args:
        x: a pair of float tensors of one shape: real and imaginary parts.

    Returns:
        Such a pair.

    Raises:
        ArgumentError: if x is no pair.
        ShapeError: if the shapes differ.

    Source: `keras.ops.fft2`.

    >>> gpunn.ops.fft2((np.ones((2, 2)), np.zeros((2, 2))))[0].numpy().tolist()
    [[4.0, 0.0], [0.0, 0.0]]
    """
    return _fourier(*real_and_imaginary("fft2", x), axes=(-2, -1), inverse=False)


def ifft2(x):
    """The inverse of `fft2`.

    Args:
        x: a pair of float tensors of one shape: real and imaginary parts.

    Returns:
        Such a pair.

    Raises:
        ArgumentError: if x is no pair.
        ShapeError: if the shapes differ.

    Source: `keras.ops.ifft2`.

    >>> gpunn.ops.ifft2((np.ones((2, 2)), np.zeros((2, 2))))[0].numpy().tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    return _fourier(*real_and_imaginary("ifft2", x), axes=(-2, -1), inverse=True)


@primitive
def _fourier(be, real, imag, /, axes, inverse):
    fourier = be.xp.fft
    run, back = (fourier.ifftn, fourier.fftn) if inverse else (fourier.fftn, fourier.ifftn)
    size = math.prod(real.shape[a] for a in axes)
    y = run(real + 1j * imag, axes=axes)

    def pullback(dy, needs):
        dx = back(dy[0] + 1j * dy[1], axes=axes) * (1 / size if inverse else size)
        return dx.real.astype(real.dtype), dx.imag.astype(real.dtype)

    return _parts(y, real.dtype), pullback


@own_trace("_fourier")
def _gradient_of_fourier(op, operands, static, results):
    size = math.prod(operands[0].shape[a] for a in static["axes"])
    factor = 1 / size if static["inverse"] else size

    def pullback(dy, needs):
        dx = _fourier(*dy, axes=static["axes"], inverse=not static["inverse"])
        return tuple([part * factor for part in dx])

    return pullback


def rfft(x, fft_length=None):
    """The discrete Fourier transform of real values along the last axis, without its mirror image.

    Args:
        x: float tensor.
        fft_length: how many values are taken, the rest being cut off, or 0. Default: all n.

    Returns:
        A pair of tensors with n // 2 + 1 along the last axis: real and imaginary parts.

    Raises:
        ArgumentError: if the length is not a positive integer.
        ShapeError: if x is a single value.

    Source: `keras.ops.rfft`.

    >>> gpunn.ops.rfft([0.0, 1.0, 2.0, 3.0])[0].numpy().tolist()
    [6.0, -2.0, -2.0]
    """
    x = convert(x)
    if not x.ndim:
        raise ShapeError("rfft: expected at least one axis, got a single value")
    return _rfft(x, n=positive("rfft", fft_length, x.shape[-1]))


@primitive(promote="float")
def _rfft(be, x, /, n):
    dtype, have = x.dtype, x.shape[-1]

    def pullback(dy, needs):
        whole = be.xp.fft.ifft(dy[0] + 1j * dy[1], n=n, axis=-1) * n
        return (_fitted(be, whole.real.astype(dtype), have),)

    return _parts(be.xp.fft.rfft(x, n=n, axis=-1), dtype), pullback


@own_trace("_rfft")
def _gradient_of_rfft(op, operands, static, results):
    n = static["n"]

    def pullback(dy, needs):
        whole = _fourier(*[_resized(part, n) for part in dy], axes=(-1,), inverse=True)[0]
        return (_resized(whole * n, operands[0].shape[-1]),)

    return pullback


def irfft(x, fft_length=None):
    """The inverse of `rfft`: real values.

    Args:
        x: a pair of float tensors of one shape, with m along the last axis.
        fft_length: how many values there are in the result. Default: 2 (m - 1).

    Returns:
        A float tensor.

    Raises:
        ArgumentError: if x is no pair, or the length not a positive integer.
        ShapeError: if the shapes differ.

    Source: `keras.ops.irfft`.

    >>> gpunn.ops.irfft(([6.0, -2.0, -2.0], [0.0, 2.0, 0.0])).numpy().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    real, imag = real_and_imaginary("irfft", x)
    return _irfft(real, imag, n=positive("irfft", fft_length, 2 * (real.shape[-1] - 1)))


@primitive
def _irfft(be, real, imag, /, n):
    dtype, have = real.dtype, real.shape[-1]
    y = be.xp.fft.irfft(real + 1j * imag, n=n, axis=-1).astype(dtype)

    def pullback(dy, needs):
        dx = be.xp.fft.rfft(dy, axis=-1) * be.asarray(_shares(n))
        return tuple(_fitted(be, part.astype(dtype), have) for part in (dx.real, dx.imag))

    return y, pullback


@own_trace("_irfft")
def _gradient_of_irfft(op, operands, static, results):
    n = static["n"]

    def pullback(dy, needs):
        dx = [part * constant(_shares(n), part) for part in _rfft(dy, n=n)]
        return tuple([_resized(part, operands[0].shape[-1]) for part in dx])

    return pullback


def _shares(n) -> np.ndarray:
    """What each part of a spectrum counts for one value: its mirror image counts as well."""
    shares = np.full(n // 2 + 1, 2 / n)
    shares[0] = 1 / n
    if n % 2 == 0:
        shares[-1] = 1 / n
    return shares


# --- what they share ---


def _parts(y, dtype):
    return y.real.astype(dtype), y.imag.astype(dtype)


def _fitted(be, x, n):
    """The first n values along the last axis; 0 for what is missing."""
    if x.shape[-1] >= n:
        return x[..., :n]
    y = be.zeros((*x.shape[:-1], n), x.dtype)
    be.copyto(y[..., : x.shape[-1]], x)
    return y


def _resized(x: Tensor, n: int) -> Tensor:
    """The same of a tensor."""
    if x.shape[-1] >= n:
        return get_item(x, (..., slice(n)))
    return pad(x, ((0, 0),) * (x.ndim - 1) + ((0, n - x.shape[-1]),))


def real_and_imaginary(op, x) -> tuple[Tensor, Tensor]:
    """Real and imaginary parts."""
    if not isinstance(x, list | tuple) or len(x) != 2:
        raise ArgumentError(f"{op}: expected a pair of tensors, real and imaginary parts")
    real, imag = (convert(part) for part in x)
    if real.shape != imag.shape:
        raise ShapeError(f"{op}: real and imaginary parts of shapes {real.shape} and {imag.shape}")
    if not is_float(real.dtype) or not is_float(imag.dtype):
        raise DTypeError(f"{op}: expected floats, got {real.dtype.name} and {imag.dtype.name}")
    return real, imag


def positive(op, value, default=None) -> int:
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ArgumentError(f"{op}: a length must be a positive integer, got {value!r}")
    return int(value)

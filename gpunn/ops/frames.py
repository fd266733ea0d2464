"""Pieces of signals and their spectra: extract_sequences, stft, istft."""

import numpy as np

from gpunn.autograd import Tensor, convert, primitive
from gpunn.errors import ArgumentError, DTypeError, ShapeError, unknown
from gpunn.ops.constants import constant
from gpunn.ops.indexing import get_item
from gpunn.ops.repeating import pad
from gpunn.ops.spectra import irfft, positive, real_and_imaginary, rfft

__all__ = ["extract_sequences", "istft", "stft"]


def extract_sequences(x, sequence_length, sequence_stride):
    """Pieces of a signal, each beginning `sequence_stride` after the last.

    Args:
        x: tensor, the signal along the last axis.
        sequence_length: how long they are.
        sequence_stride: from the beginning of one to that of the next.

    Returns:
        A tensor of shape (..., pieces, sequence_length).

    Raises:
        ArgumentError: if a length is not a positive integer.
        ShapeError: if the signal is shorter than a piece.

    Source: `keras.ops.extract_sequences`.

    >>> gpunn.ops.extract_sequences([1, 2, 3, 4, 5], 3, 2).numpy().tolist()
    [[1, 2, 3], [3, 4, 5]]
    """
    x = convert(x)
    length = positive("extract_sequences", sequence_length)
    stride = positive("extract_sequences", sequence_stride)
    if x.ndim < 1 or x.shape[-1] < length:
        raise ShapeError(
            f"extract_sequences: pieces of {length} do not fit a signal of shape {x.shape}"
        )
    return _frames(x, length=length, stride=stride)


@primitive
def _frames(be, x, /, length, stride):
    size = x.shape[-1]
    count = (size - length) // stride + 1
    x = be.xp.ascontiguousarray(x)
    step = x.strides[-1] if x.ndim else 0
    shape, strides = (*x.shape[:-1], count, length), (*x.strides[:-1], stride * step, step)
    y = be.copy(be.windows(x, shape, strides))
    return y, lambda dy, needs: (_overlapped(be, dy, stride, size),)


@primitive(promote="float")
def _overlap_add(be, x, /, stride):
    """The sum of pieces laid one after the other, as far apart as `stride`."""
    count, length = x.shape[-2:]
    size = stride * (count - 1) + length

    def pullback(dy, needs):
        step = dy.strides[-1]
        return (be.copy(be.windows(dy, x.shape, (*dy.strides[:-1], stride * step, step))),)

    return _overlapped(be, x, stride, size), pullback


def _overlapped(be, frames, stride, size):
    count, length = frames.shape[-2:]
    y = be.zeros((*frames.shape[:-2], max(size, (count - 1) * stride + length)), frames.dtype)
    for i in range(count):
        y[..., i * stride : i * stride + length] += frames[..., i, :]
    return y[..., :size]


def stft(x, sequence_length, sequence_stride, fft_length, window="hann", center=True):
    """The short-time Fourier transform: `rfft` of pieces of a signal under a window.

    Args:
        x: float32 or float64 tensor, the signal along the last axis.
        sequence_length: how long the window is.
        sequence_stride: how far apart the pieces lie.
        fft_length: how long the pieces are; the window lies in their middle.
        window: "hann" (default), "hamming", None for ones, or a vector of `sequence_length`.
        center: whether each piece has its place in its middle, the signal being mirrored at its
            ends. Default: True.

    Returns:
        A pair of tensors of shape (..., pieces, fft_length // 2 + 1).

    Raises:
        DTypeError: if x is no float32 or float64.
        ArgumentError: if another argument is not allowed.
        ShapeError: if the signal is too short.

    Source: `keras.ops.stft`.

    >>> gpunn.ops.stft(np.ones(8, "float32"), 4, 2, 4)[0].shape
    (5, 3)
    """
    x = convert(x)
    if x.dtype not in (np.float32, np.float64):
        raise DTypeError(f"stft: expected float32 or float64, got {x.dtype.name}")
    length, stride, size = _checked("stft", sequence_length, sequence_stride, fft_length)
    if center:
        half = size // 2
        if x.shape[-1] <= half:
            raise ShapeError(f"stft: a signal of {x.shape[-1]} cannot be mirrored for {half} more")
        x = pad(x, ((0, 0),) * (x.ndim - 1) + ((half, half),), mode="reflect")
    frames = extract_sequences(x, size, stride)
    return rfft(frames * _window("stft", window, length, size, x))


def istft(
    x,
    sequence_length,
    sequence_stride,
    fft_length,
    length=None,
    window="hann",
    center=True,
):
    """The inverse of `stft`: pieces under the window, added up and divided by its squares' sum.

    Args:
        x: a pair of float tensors of shape (..., pieces, fft_length // 2 + 1).
        sequence_length, sequence_stride, fft_length, window, center: as they were for `stft`.
        length: of the result. Default: as far as there are pieces.

    Returns:
        A float tensor of shape (..., length).

    Raises:
        ArgumentError: if x is no pair, or another argument is not allowed.
        ShapeError: if the shapes differ.

    Source: `keras.ops.istft`.

    >>> x = np.arange(8, dtype="float32")
    >>> y = gpunn.ops.istft(gpunn.ops.stft(x, 4, 2, 4), 4, 2, 4, length=8)
    >>> y.numpy().round(3).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    """
    real, imag = real_and_imaginary("istft", x)
    if real.ndim < 2:
        raise ShapeError(f"istft: expected at least 2 dimensions, got shape {real.shape}")
    width, stride, size = _checked("istft", sequence_length, sequence_stride, fft_length)
    shape = _window("istft", window, width, size, real)
    pieces = irfft((real, imag), size) * shape
    squares = np.zeros(stride * (real.shape[-2] - 1) + size)
    under = np.asarray(_values(window, width, size)) ** 2
    for i in range(real.shape[-2]):
        squares[i * stride : i * stride + size] += under
    y = _overlap_add(pieces, stride=stride) / constant(np.where(squares > 1e-10, squares, 1), real)
    if window is None:
        y = y * (size / stride)
    start = size // 2 if center else 0
    if length is not None:
        end = start + length
    else:
        end = y.shape[-1] - (size // 2 if center else 0)
    return get_item(y, (..., slice(start, end)))


def _checked(op, length, stride, size):
    length, stride, size = (positive(op, n) for n in (length, stride, size))
    if size < length:
        raise ArgumentError(f"{op}: fft_length {size} is below sequence_length {length}")
    return length, stride, size


def _window(op, window, length, size, like) -> Tensor:
    """The window in the middle of a piece."""
    if isinstance(window, str) and window not in ("hann", "hamming"):
        raise unknown(f"window of {op}", window, ("hann", "hamming"))
    values = _values(window, length, size)
    if values.shape != (size,):
        raise ArgumentError(f"{op}: the window must be a vector of {length}")
    return constant(values, like)


def _values(window, length, size) -> np.ndarray:
    if window is None:
        return np.ones(size)
    if isinstance(window, str):
        base = {"hann": 0.5, "hamming": 0.54}[window]
        values = base - (1 - base) * np.cos(2 * np.pi * np.arange(length) / length)
    else:
        values = np.asarray(convert(window).numpy(), np.float64)
    before = (size - length) // 2
    if values.ndim != 1 or len(values) != length:
        return values
    return np.pad(values, (before, size - length - before))

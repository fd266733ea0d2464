"""Spectra of sounds over time: STFTSpectrogram, MelSpectrogram."""

import math
from functools import cache

import numpy as np

from gpunn import ops
from gpunn.backend.dtypes import is_float
from gpunn.errors import ArgumentError, ShapeError
from gpunn.initializers import STFT
from gpunn.layers.check import data_format as checked_format
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.layer import Layer
from gpunn.ops.constants import constant
from gpunn.ops.spatial import output_size

EPSILON = 1e-7
MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


class STFTSpectrogram(Layer):
    """The short-time Fourier transform of signals, as a convolution whose kernels can be trained.

    Args:
        mode: what comes of the transform's parts r and i: "log" (default), the logarithm of
            "magnitude", sqrt(r^2 + i^2); "psd", the power of both signs' frequencies; "real": r;
            "imag": i; "angle": arctan2(i, r); "stft": r and then i.
        frame_length: how many samples a window sees. Default: 256.
        frame_step: how far it moves. Default: half of its length.
        fft_length: default: the power of two from frame_length up.
        window, periodic, scaling: of the kernels, see `initializers.STFT`. Default: "hann", False,
            "density".
        padding: "valid" (default) or "same".
        expand_dims: whether frequencies and channels have an axis each. Default: False.
        data_format: "channels_last" (default): (batch, samples, channels), or "channels_first".

    Shapes: (batch, samples, channels) -> (batch, frames, channels * frequencies), or with
    expand_dims (batch, frames, frequencies, channels); channels first: (batch, channels *
    frequencies, frames), or (batch, channels, frames, frequencies). Weights: real_kernel,
    imag_kernel, (frame_length, 1, frequencies), with fft_length // 2 + 1 frequencies.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.STFTSpectrogram.

    >>> layer = gpunn.layers.STFTSpectrogram("magnitude", frame_length=64, frame_step=32)
    >>> layer(np.ones((2, 320, 1))).shape
    (2, 9, 33)
    """

    def __init__(
        self,
        mode="log",
        frame_length=256,
        frame_step=None,
        fft_length=None,
        window="hann",
        periodic=False,
        scaling="density",
        padding="valid",
        expand_dims=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if mode not in MODES:
            raise wrong(self, f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        if padding not in ("valid", "same"):
            raise wrong(self, f"padding must be 'valid' or 'same', got {padding!r}")
        self.frame_length = length = positive_integer(self, "frame_length", frame_length)
        if frame_step is not None and not 1 <= frame_step <= length:
            raise wrong(self, f"frame_step must be in 1 ... {length}, got {frame_step}")
        if fft_length is not None and fft_length < length:
            raise wrong(self, f"fft_length {fft_length} is below frame_length {length}")
        self.mode = mode
        self.frame_step = frame_step
        self.fft_length = fft_length
        self.window = window
        self.periodic = periodic
        self.scaling = scaling
        self.padding = padding
        self.expand_dims = expand_dims
        self.data_format = checked_format(self, data_format)
        self.input_spec = InputSpec(ndim=3)
        STFT("real", window, scaling, periodic)  # it checks them
        self._step = frame_step or max(length // 2, 1)
        self._frequencies = (fft_length or 2 ** math.ceil(math.log2(length))) // 2 + 1

    def build(self, input_shape):
        """Make the kernels."""
        shape = (self.frame_length, 1, self._frequencies)
        for side, without in (("real", "imag"), ("imag", "real")):
            if self.mode != without:
                initializer = STFT(side, self.window, self.scaling, self.periodic)
                name = f"{side}_kernel"
                setattr(self, name, self.add_weight(shape, initializer, name=name))

    def call(self, inputs):
        """Transform."""
        x = inputs if is_float(inputs.dtype) else self._to_compute_dtype(inputs)
        if self.data_format == "channels_last":
            x = ops.transpose(x, (0, 2, 1))
        return self._laid_out(self._of_parts(x))

    def _of_parts(self, x):
        """What `mode` says, of shape (batch, channels, frames, frequencies)."""
        mode = self.mode
        real = None if mode == "imag" else self._convolve(x, self.real_kernel)
        imag = None if mode == "real" else self._convolve(x, self.imag_kernel)
        if imag is None or real is None:
            return real if imag is None else imag
        if mode == "angle":
            return ops.arctan2(imag, real)
        if mode == "stft":
            return ops.concatenate([real, imag], axis=-1)
        power = real * real + imag * imag
        if mode == "psd":
            return power + ops.pad(power[..., 1:-1], ((0, 0), (0, 0), (0, 0), (1, 1)))
        magnitude = ops.sqrt(ops.maximum(power, EPSILON))
        return magnitude if mode == "magnitude" else ops.log(ops.maximum(magnitude, EPSILON))

    def _convolve(self, x, kernel):
        channels, samples = x.shape[1:]
        x = ops.reshape(x, (-1, samples, 1))
        y = ops.conv(x, kernel, self._step, self.padding, "channels_last")
        return ops.reshape(y, (-1, channels, *y.shape[1:]))

    def _laid_out(self, y):
        """(batch, channels, frames, frequencies) with the axes where they are asked for."""
        last = self.data_format == "channels_last"
        if self.expand_dims:
            return ops.transpose(y, (0, 2, 3, 1)) if last else y
        y = ops.transpose(y, (0, 2, 1, 3) if last else (0, 1, 3, 2))
        shape = y.shape
        joined = (shape[1], shape[2] * shape[3]) if last else (shape[1] * shape[2], shape[3])
        return ops.reshape(y, (-1, *joined))

    def compute_output_shape(self, input_shape):
        """The shapes that the class names."""
        last = self.data_format == "channels_last"
        batch, samples, channels = input_shape if last else (*input_shape[:1], *input_shape[:0:-1])
        frames = output_size(samples, self.frame_length, self._step, self.padding)
        n = self._frequencies * (2 if self.mode == "stft" else 1)
        if self.expand_dims:
            return (batch, frames, n, channels) if last else (batch, channels, frames, n)
        joined = None if channels is None else channels * n
        return (batch, frames, joined) if last else (batch, joined, frames)


class MelSpectrogram(Layer):
    """The spectrum of sounds over time, on the mel scale, in decibels.

    The magnitudes of a short-time Fourier transform, to the power mag_exp, are summed under
    triangles that lie evenly on the scale mel(f) = 1127 log(1 + f / 700).

    Args:
        fft_length: how long a piece of the signal is. Default: 2048.
        sequence_stride: how far apart the pieces lie. Default: 512.
        sequence_length: of the window, in the middle of a piece. Default: fft_length.
        window: "hann" (default), "hamming", a vector, or None.
        sampling_rate: samples per second. Default: 16000.
        num_mel_bins: how many triangles. Default: 128.
        min_freq, max_freq: where the first begins and the last ends, in Hertz. Default: 20 and half
            of the sampling rate.
        power_to_db: whether the results are 10 log10(y / ref_power). Default: True.
        top_db: the least is so much below the greatest of all. Default: 80.
        mag_exp: 2 (default): power; 1: magnitude.
        min_power: less counts as this. Default: 1e-10.
        ref_power: what is 0 decibels. Default: 1.

    Shapes: (batch, samples) or (samples,) -> (batch, num_mel_bins, samples // sequence_stride + 1).

    Raises:
        ArgumentError: if fft_length is below sequence_length, or another argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.MelSpectrogram.

    >>> layer = gpunn.layers.MelSpectrogram(fft_length=256, sequence_stride=64, num_mel_bins=20)
    >>> layer(np.ones((2, 1600), "float32")).shape
    (2, 20, 26)
    """

    def __init__(
        self,
        fft_length=2048,
        sequence_stride=512,
        sequence_length=None,
        window="hann",
        sampling_rate=16000,
        num_mel_bins=128,
        min_freq=20.0,
        max_freq=None,
        power_to_db=True,
        top_db=80.0,
        mag_exp=2.0,
        min_power=1e-10,
        ref_power=1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.fft_length = positive_integer(self, "fft_length", fft_length)
        self.sequence_stride = positive_integer(self, "sequence_stride", sequence_stride)
        self.sequence_length = sequence_length or fft_length
        if self.fft_length < self.sequence_length:
            raise wrong(self, f"fft_length {fft_length} is below sequence_length {sequence_length}")
        self.window = window
        self.sampling_rate = sampling_rate
        self.num_mel_bins = positive_integer(self, "num_mel_bins", num_mel_bins)
        self.min_freq = min_freq
        self.max_freq = max_freq or sampling_rate // 2
        self.power_to_db = power_to_db
        self.top_db = top_db
        self.mag_exp = mag_exp
        self.min_power = min_power
        self.ref_power = ref_power

    def call(self, inputs):
        """Transform."""
        if inputs.ndim not in (1, 2):
            raise wrong(self, f"expected (batch, samples), got shape {inputs.shape}", ShapeError)
        dtype = "float64" if self.compute_dtype == "float64" else "float32"
        real, imag = ops.stft(
            ops.cast(inputs, dtype),
            self.sequence_length,
            self.sequence_stride,
            self.fft_length,
            self.window,
        )
        power = real * real + imag * imag
        y = power if self.mag_exp == 2 else ops.power(power, self.mag_exp / 2)
        matrix = self.linear_to_mel_weight_matrix(
            self.num_mel_bins, y.shape[-1], self.sampling_rate, self.min_freq, self.max_freq
        )
        y = ops.matmul(y, constant(matrix, y))
        if self.power_to_db:
            reference = max(abs(self.ref_power), self.min_power)
            y = 10.0 * (ops.log10(ops.maximum(y, self.min_power)) - math.log10(reference))
            y = ops.maximum(y, ops.max(y) - self.top_db)
        return self._to_compute_dtype(ops.swapaxes(y, -1, -2))

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins=20,
        num_spectrogram_bins=129,
        sampling_rate=8000,
        lower_edge_hertz=125.0,
        upper_edge_hertz=3800.0,
        dtype="float32",
    ):
        """The triangles as a NumPy matrix (num_spectrogram_bins, num_mel_bins)."""
        edges = lower_edge_hertz, upper_edge_hertz
        return _triangles(num_mel_bins, num_spectrogram_bins, sampling_rate, *edges).astype(dtype)

    def compute_output_shape(self, input_shape):
        """The bins, and the pieces that the stride leaves room for."""
        n = input_shape[-1]
        frames = None if n is None else n // self.sequence_stride + 1
        return (*input_shape[:-1], self.num_mel_bins, frames)


@cache
def _triangles(bins, frequencies, rate, lowest, highest) -> np.ndarray:
    if not 0 <= lowest < highest:
        raise ArgumentError(f"min_freq {lowest} must be below max_freq {highest}")
    mel = _mel(np.linspace(0, rate / 2, frequencies))[:, None]
    edges = np.linspace(_mel(lowest), _mel(highest), bins + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (mel - low) / (middle - low), (high - mel) / (high - middle)
    matrix = np.maximum(0, np.minimum(rising, falling))
    matrix[0] = 0  # nothing of the mean, as in the Hidden Markov Model Toolkit
    return matrix


def _mel(hertz):
    return 1127 * np.log1p(hertz / 700)

"""STFT: the kernel of a convolution that takes short-time Fourier transforms."""

from collections.abc import Callable

import numpy as np

from gpunn.autograd import Tensor, convert
from gpunn.backend.dtypes import standardize
from gpunn.errors import ArgumentError, ShapeError, unknown
from gpunn.initializers.initializer import Initializer


def _tukey(n: int) -> np.ndarray:
    """A plateau of half the length between two halves of a Hann window."""
    x = np.linspace(-1, 1, n) if n > 1 else np.zeros(n)
    return 0.5 + 0.5 * np.cos(2 * np.pi * np.maximum(np.abs(x) - 0.5, 0))


WINDOWS: dict[str, Callable[[int], np.ndarray]] = {
    "hann": np.hanning,
    "hamming": np.hamming,
    "blackman": np.blackman,
    "bartlett": np.bartlett,
    "boxcar": np.ones,
    "tukey": _tukey,
}


class STFT(Initializer):
    """Cosines or minus sines of rising frequency, under a window.

    Args:
        side: "real" (default): cosines; "imag": minus sines.
        window: "hann" (default), "hamming", "blackman", "bartlett", "boxcar", "tukey", a vector, or
            None.
        scaling: the window is divided by the root of its squares' sum ("density", the default), by
            the sum of its magnitudes ("spectrum"), or not (None).
        periodic: whether the window would go on smoothly if it were repeated. Default: False.

    Shapes: (window length, 1, fft_length // 2 + 1).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: when called with another shape.

    Source: `keras.initializers.STFT`.

    >>> gpunn.initializers.STFT(window=None)((4, 1, 3)).numpy()[:, 0].round(3).tolist()
    [[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -1.0, 1.0], [1.0, -0.0, -1.0]]
    """

    def __init__(self, side="real", window="hann", scaling="density", periodic=False):
        if side not in ("real", "imag"):
            raise ArgumentError(f"STFT: side must be 'real' or 'imag', got {side!r}")
        if isinstance(window, str) and window not in WINDOWS:
            raise unknown("window of STFT", window, WINDOWS)
        if scaling not in ("density", "spectrum", None):
            raise ArgumentError(
                f"STFT: scaling must be 'density', 'spectrum' or None, got {scaling!r}"
            )
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def __call__(self, shape, dtype=None):
        if len(shape) != 3 or shape[1] != 1:
            raise ShapeError(f"STFT makes (length, 1, frequencies), got shape {tuple(shape)}")
        length, _, frequencies = shape
        time = np.arange(length).reshape(-1, 1, 1)
        angles = -np.pi * time * np.arange(frequencies) / max(frequencies - 1, 1)
        values = np.cos(angles) if self.side == "real" else np.sin(angles)
        if self.window is not None:
            window = self._window(length)
            if self.scaling == "density":
                window = window / np.sqrt((window * window).sum())
            elif self.scaling == "spectrum":
                window = window / np.abs(window).sum()
            values = values * window.reshape(-1, 1, 1)
        return Tensor(values.astype(standardize(dtype)))

    def _window(self, length) -> np.ndarray:
        if isinstance(self.window, str):
            make = WINDOWS[self.window]
            return make(length + 1)[:-1] if self.periodic and length > 1 else make(length)
        window = np.asarray(convert(self.window).numpy(), np.float64)
        if window.shape != (length,):
            raise ShapeError(f"STFT: expected a window of shape ({length},), got {window.shape}")
        return window

    def get_config(self) -> dict:
        return {
            "side": self.side,
            "window": self.window,
            "periodic": self.periodic,
            "scaling": self.scaling,
        }

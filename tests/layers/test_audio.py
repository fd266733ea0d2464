"""Layers of sounds: their arguments, and dtypes."""

import numpy as np
import pytest

from gpunn import initializers, layers
from gpunn.errors import GpunnError
from tests.harness import assert_close, rand, require_fft


def test_a_tukey_window():
    """That of scipy.signal.get_window("tukey", 9, fftbins=False)."""
    kernel = initializers.STFT(window="tukey", scaling=None)((9, 1, 5)).numpy()[:, 0, 0]
    assert_close(kernel, [0, 0.5, 1, 1, 1, 1, 1, 0.5, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.STFTSpectrogram("power"), "mode must be one of log"),
        (lambda: layers.STFTSpectrogram(frame_length=8, frame_step=9), "frame_step must be in"),
        (lambda: layers.STFTSpectrogram(frame_length=8, fft_length=4), "is below frame_length"),
        (lambda: layers.STFTSpectrogram(padding="causal"), "padding must be"),
        (lambda: layers.STFTSpectrogram(window="han"), "did you mean 'hann'"),
        (lambda: layers.MelSpectrogram(8, sequence_length=16), "is below sequence_length"),
        (lambda: layers.MelSpectrogram(min_freq=9000)(np.ones(4096, "f4")), "must be below"),
        (lambda: layers.MelSpectrogram(16, 4)(rand(2, 3, 40)), "expected (batch, samples)"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(GpunnError) as error:
        make()
    assert message in str(error.value)


def test_a_tone_lies_in_its_band(device):
    require_fft(device)
    time = np.arange(4000) / 8000
    layer = layers.MelSpectrogram(512, 128, sampling_rate=8000, num_mel_bins=40, min_freq=0)
    y = layer(np.sin(2 * np.pi * 1000 * time).astype("float32")).numpy()
    edges = np.linspace(0, 1127 * np.log1p(4000 / 700), 42)
    band = np.searchsorted(edges, 1127 * np.log1p(1000 / 700)) - 1
    assert y.shape == (40, 32) and abs(int(y[:, 16].argmax()) - band) <= 1
    assert y.max() - y.min() <= 80.0001


def test_half_precision(device):
    require_fft(device)
    x = rand(2, 64).astype("float32")
    mel = {"fft_length": 32, "sequence_stride": 8, "num_mel_bins": 5}
    half = layers.MelSpectrogram(**mel, dtype="float16")(x)
    assert half.dtype == "float16"
    # the inputs are rounded before anything else
    assert_close(half, layers.MelSpectrogram(**mel)(x.astype("float16")).numpy(), rtol=5e-3)
    y = layers.STFTSpectrogram("real", 16, dtype="mixed_float16")(x[..., None])
    assert y.dtype == "float16"

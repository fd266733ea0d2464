"""The layers of sounds that are compared with Keras, as `cases_layers` has them."""

STFT, MEL = "STFTSpectrogram", "MelSpectrogram"
SMALL = {"frame_length": 8, "frame_step": 3}
SHORT = {"fft_length": 16, "sequence_stride": 5, "num_mel_bins": 6, "sampling_rate": 800}

# name: (class, arguments, inputs)
CASES = {
    "stft_log": (STFT, SMALL, (2, 20, 1)),
    "stft_magnitude": (STFT, {**SMALL, "mode": "magnitude"}, (2, 20, 2)),
    "stft_psd": (STFT, {**SMALL, "mode": "psd", "padding": "same"}, (2, 19, 2)),
    "stft_real": (STFT, {"mode": "real", "frame_length": 6}, (2, 20, 2)),
    "stft_imag": (STFT, {"mode": "imag", "frame_length": 6, "fft_length": 16}, (2, 20, 2)),
    "stft_angle": (STFT, {**SMALL, "mode": "angle", "expand_dims": True}, (2, 20, 2)),
    "stft_both": (STFT, {**SMALL, "mode": "stft", "expand_dims": True}, (2, 20, 2)),
    "stft_first": (STFT, {**SMALL, "mode": "psd", "data_format": "channels_first"}, (2, 2, 20)),
    "stft_first_expanded": (
        STFT,
        {**SMALL, "mode": "stft", "data_format": "channels_first", "expand_dims": True},
        (2, 2, 20),
    ),
    "mel": (MEL, SHORT, (2, 40)),
    "mel_power": (MEL, {**SHORT, "power_to_db": False, "window": "hamming"}, (2, 40)),
    "mel_magnitude": (MEL, {**SHORT, "mag_exp": 1.0, "sequence_length": 12, "top_db": 9}, (2, 40)),
    "mel_one": (MEL, {**SHORT, "max_freq": 300.0, "min_freq": 0.0, "ref_power": 2.0}, (40,)),
}

# Keras makes the triangles of the mel scale in float32
MELS = {name for name, (cls, _, _) in CASES.items() if cls == MEL}

# arguments of the initializer STFT
KERNELS = {
    "hann": {},
    "imag": {"side": "imag", "window": "hamming", "scaling": "spectrum"},
    "periodic": {"periodic": True, "scaling": None},
    "blackman": {"window": "blackman", "periodic": True},
    "bartlett": {"side": "imag", "window": "bartlett"},
    "boxcar": {"window": "boxcar"},
    "none": {"window": None},
    "vector": {"window": [0.5, 1.0, 2.0, 1.0, 0.5, 0.25]},
}

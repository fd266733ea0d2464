"""Calls of ops on sequences and spectra, as text that Keras and gpunn both run.

`logits` (4, 7, 5) with `steps` of them, `labels` (4, 3), of which `count` count; `s` (2, 3, 40)
a signal, `r` and `i` the parts of a complex (2, 6, 9), `d` (2, 4, 6, 8), `u` (2, 12, 15).
"""

import numpy as np

random = np.random.default_rng(11)
INPUTS = {
    "logits": random.normal(size=(4, 7, 5)) * 2,
    "s": random.normal(size=(2, 3, 40)),
    "r": random.normal(size=(2, 6, 9)),
    "i": random.normal(size=(2, 6, 9)),
    "d": random.normal(size=(2, 4, 6, 8)),
    "u": random.normal(size=(2, 12, 15)),
    "w": random.uniform(0.2, 1, 12),
}
INPUTS = {name: x.astype("float32") for name, x in INPUTS.items()}
INPUTS["labels"] = np.array([[1, 2, 3], [1, 1, 4], [2, 0, 0], [3, 3, 3]], "int32")
INPUTS["count"] = np.array([3, 3, 1, 2], "int32")
INPUTS["steps"] = np.array([7, 6, 3, 5], "int32")

CASES = {
    "ctc_loss": "ops.ctc_loss(labels, logits, count, steps)",
    "ctc_loss#last": "ops.ctc_loss(labels - 1, logits, count * 0 + 1, steps, mask_index=4)",
    "ctc_decode": "ops.ctc_decode(logits, steps)",
    "ctc_decode#all": "ops.ctc_decode(logits, steps, merge_repeated=False, mask_index=2)",
    "ctc_decode#beam": "ops.ctc_decode(logits, steps, 'beam_search', beam_width=9, top_paths=3)",
    "ctc_decode#last": "ops.ctc_decode(logits, steps, 'beam_search', 20, 2, mask_index=None)",
    "fft": "ops.fft((r, i))",
    "fft2": "ops.fft2((r, i))",
    "ifft2": "ops.ifft2((r, i))",
    "rfft": "ops.rfft(r)",
    "rfft#even": "ops.rfft(s)",
    "rfft#longer": "ops.rfft(r, 12)",
    "rfft#shorter": "ops.rfft(r, 5)",
    "irfft": "ops.irfft((r, i))",
    "irfft#odd": "ops.irfft((r, i), 17)",
    "irfft#shorter": "ops.irfft((r, i), 10)",
    "irfft#longer": "ops.irfft((r, i), 25)",
    "extract_sequences": "ops.extract_sequences(s, 7, 3)",
    "extract_sequences#apart": "ops.extract_sequences(s[0, 0], 4, 9)",
    "stft": "ops.stft(s, 12, 5, 16)",
    "stft#plain": "ops.stft(s, 12, 5, 12, window=None, center=False)",
    "stft#hamming": "ops.stft(s[0, 0], 12, 4, 15, window='hamming')",
    "stft#own": "ops.stft(s, 12, 4, 16, window=w)",
    "istft": "ops.istft((r, i), 12, 5, 16)",
    "istft#length": "ops.istft((r, i), 12, 4, 16, length=20, window='hamming')",
    "istft#plain": "ops.istft((r, i), 16, 12, 16, window=None, center=False)",
    "istft#own": "ops.istft((r, i), 12, 3, 16, window=w)",
    "istft#back": "ops.istft(ops.stft(s, 12, 4, 16), 12, 4, 16, length=40)",
    "depth_to_space": "ops.depth_to_space(d, 2)",
    "depth_to_space#first": "ops.depth_to_space(d, 2, data_format='channels_first')",
    "space_to_depth": "ops.space_to_depth(d, 2)",
    "space_to_depth#first": "ops.space_to_depth(d, 2, data_format='channels_first')",
    "unfold": "ops.unfold(d, 3)",
    "unfold#all": "ops.unfold(d, (2, 3), dilation=(1, 2), padding=(1, 2), stride=(2, 1))",
    "fold": "ops.fold(u, (4, 6), 2)",
    "fold#all": "ops.fold(u[:, :, :12], (3, 13), (2, 3), dilation=(1, 2), padding=1, stride=2)",
}  # fmt: skip


def run(ops, text: str, inputs: dict) -> list:
    """The results of one call, as a list."""
    y = eval(text, {"ops": ops, "np": np, **inputs})
    return list(y) if isinstance(y, (tuple, list)) else [y]

"""pad_sequences: sequences of several lengths as one array."""

import numpy as np

from gpunn.checks import check_integer
from gpunn.errors import ArgumentError, ShapeError


def pad_sequences(
    sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0
):
    """Sequences of several lengths as one array: short ones are filled up, long ones cut.

    Args:
        sequences: a list of sequences of numbers, or of rows of one shape.
        maxlen: the length they get. Default: that of the longest.
        dtype: of the result; "object" for strings. Default: "int32".
        padding: whether to fill up at the front ("pre", default) or the end ("post").
        truncating: whether to cut at the front ("pre", default) or the end ("post").
        value: what to fill up with. Default: 0.

    Returns:
        A NumPy array of shape (number of sequences, maxlen, ...).

    Raises:
        ArgumentError: if `sequences` is no list of sequences, `padding` or `truncating` is
            unknown, or value and dtype do not fit.
        ShapeError: if the rows differ in shape.

    Source: `keras.utils.pad_sequences`.

    >>> gpunn.utils.pad_sequences([[1], [2, 3], [4, 5, 6]])
    array([[0, 0, 1],
           [0, 2, 3],
           [4, 5, 6]], dtype=int32)
    """
    for name, given in (("padding", padding), ("truncating", truncating)):
        if given not in ("pre", "post"):
            raise ArgumentError(f"pad_sequences: {name} must be 'pre' or 'post', got {given!r}")
    if not hasattr(sequences, "__len__"):
        raise ArgumentError(f"pad_sequences: expected a list of sequences, got {sequences!r}")
    for i, s in enumerate(sequences):
        if not hasattr(s, "__len__"):
            raise ArgumentError(f"pad_sequences: expected sequences, got {s!r} at {i}")
    kind = np.dtype(dtype).kind
    if isinstance(value, str) and kind not in "OUS":
        raise ArgumentError(
            f"pad_sequences: the value {value!r} needs dtype=object, or a dtype of strings, "
            f"got {dtype}"
        )
    shape = next((np.shape(s)[1:] for s in sequences if len(s)), ())
    if maxlen is not None:
        check_integer("pad_sequences: maxlen", maxlen, low=0)
    else:
        maxlen = max(map(len, sequences), default=0)
    y = np.full((len(sequences), maxlen, *shape), value, dtype)
    for i, s in enumerate(sequences):
        if not len(s):
            continue
        kept = np.asarray(
            s[max(len(s) - maxlen, 0) :] if truncating == "pre" else s[:maxlen], dtype
        )
        if kept.shape[1:] != shape:
            raise ShapeError(
                f"pad_sequences: expected rows of shape {shape}, got {kept.shape[1:]} in the "
                f"sequence at {i}"
            )
        if padding == "pre":
            y[i, maxlen - len(kept) :] = kept
        else:
            y[i, : len(kept)] = kept
    return y

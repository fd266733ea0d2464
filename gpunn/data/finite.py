"""The check for NaN and Inf, which says where the first one is."""

import numpy as np

from gpunn.backend import backend_of
from gpunn.backend.dtypes import is_float
from gpunn.errors import DataError


def check_finite(array, name: str, original=None, columns=None) -> None:
    """Raise DataError if a float array holds a NaN or Inf, with its row and column.

    Costs one sum: it is finite if, and only if, no element is NaN or Inf (or it overflowed).

    Args:
        array: on any device.
        name: what to call it.
        original: the values before they were cast, for the message.
        columns: the names of its columns.
    """
    if not is_float(array.dtype) or not array.size:
        return
    xp = backend_of(array).xp
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(array.sum(dtype=np.float32 if array.dtype.itemsize < 4 else None))
    if np.isfinite(total):
        return
    bad = ~xp.isfinite(array)
    count = int(bad.sum())
    if not count:
        return
    at = tuple(int(i) for i in np.unravel_index(int(bad.reshape(-1).argmax()), array.shape))
    found = float(array[at])
    given = found if original is None else float(original[at])
    value = f"{given} (too large for {array.dtype.name})" if np.isfinite(given) else f"{given}"
    raise DataError(
        f"{name} holds {count} {'value' if count == 1 else 'values'} that "
        f"{'is' if count == 1 else 'are'} not finite; the first is {value} in "
        f"{_place(at, columns)}: fill such values in, or leave their rows out"
    )


def _place(at: tuple[int, ...], columns) -> str:
    row = f"row {at[0]}"
    if len(at) == 1:
        return row
    if len(at) > 2:
        return f"{row}, at {at[1:]} of it"
    return f"{row}, column {at[1]}" + (f" ({columns[at[1]]!r})" if columns is not None else "")

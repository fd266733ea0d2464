"""Sums that blocks share: each makes one of its own, and a second launch adds these."""

import numpy as np

from gpunn.backend.cupy_ import cuda_type

NOTHING = np.uint64(0)  # a null pointer


def sum_splits(be, partial, out, rest=NOTHING) -> None:
    """Fill `out`, and then `rest`, with the sums over the first axis."""
    splits, n = len(partial), partial[0].size
    name = f"sum_splits<{cuda_type(out.dtype)}, {cuda_type(partial.dtype)}>"
    be.launch("sums", name, n, (out, rest, partial, out.size, n, splits))


def placed(be, place, shape, dtype):
    """The place that a gradient is to be put to, or a new array where there is none."""
    return be.empty(shape, dtype) if place is None else place

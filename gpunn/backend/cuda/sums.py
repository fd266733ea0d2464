"""Sums that blocks share: each makes one of its own, and a second launch adds these."""

import numpy as np

from gpunn.backend.cupy_ import cuda_type, wide

NOTHING = np.uint64(0)  # a null pointer


def sum_splits(be, partial, out, rest=NOTHING) -> None:
    """Fill `out`, and then `rest`, with the sums over the first axis."""
    splits, n = len(partial), partial[0].size
    name = f"sum_splits<{cuda_type(out.dtype)}, {cuda_type(partial.dtype)}>"
    be.launch("sums", name, n, (out, rest, partial, out.size, n, splits))


def kept_in(places, dtype) -> np.dtype:
    """The dtype that gradients of weights are made in: that of where they are kept.

    Half gradients of float32 weights so are not rounded, nor cast by a launch of their own.

    Args:
        places: arrays or None.
        dtype: that of the operands, where none is kept.
    """
    return next((place.dtype for place in places if place is not None), dtype)


def scale_dtype(x, *vectors) -> np.dtype | None:
    """The dtype of the factors and offsets of a normalization: that of x, or wider than its halves.

    None if they are none that kernels take.
    """
    found = {v.dtype for v in vectors if v is not None} or {x.dtype}
    return found.pop() if len(found) == 1 and found <= {x.dtype, wide(x.dtype)} else None


def placed(be, place, shape, dtype):
    """The place that a gradient is to be put to, or a new array if there is none of its dtype."""
    return place if place is not None and place.dtype == dtype else be.empty(shape, dtype)

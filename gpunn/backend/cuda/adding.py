"""Sums of two arrays, which wait for what takes them (`backend/late.py`)."""

import cupy

from gpunn.backend.kernels import FLOATS, kernel
from gpunn.backend.late import Late


def _takes(x1, x2) -> bool:
    """Two arrays of rows that are alike and lie in order."""
    if not hasattr(x1, "shape") or not hasattr(x2, "shape"):
        return False
    alike = x1.shape == x2.shape and x1.dtype == x2.dtype and len(x1.shape) > 1
    return alike and all(type(x) is Late or x.flags.c_contiguous for x in (x1, x2))


@kernel("add", "cuda", FLOATS, _takes, late=True)
def add(be, x1, x2):
    return Late(cupy.add, x1, x2), lambda dy, needs: (dy, dy)

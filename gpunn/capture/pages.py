"""Pages: zeros for arrays that nobody ever looks at or writes to."""

from math import prod

import numpy as np

from gpunn.backend.pages import fresh

SIZE = 1 << 26  # bytes that are asked of the system at a time


class Pages:
    """Gives out arrays of zeros; they take addresses but no memory.

    NumPy's own may lie in memory that was used before, and is then written with zeros.

    >>> Pages().zeros((2, 3), np.dtype("float32")).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def __init__(self):
        self._pages = fresh(SIZE, huge=False)
        self._used = 0

    def zeros(self, shape, dtype: np.dtype, strides=None) -> np.ndarray:
        """An array of zeros that overlaps no other."""
        nbytes = (prod(shape) if isinstance(shape, tuple | list) else shape) * dtype.itemsize
        if not nbytes:
            return np.zeros(shape, dtype)
        if self._used + nbytes > len(self._pages):
            self._pages = fresh(max(SIZE, nbytes), huge=False)
            self._used = 0
        found = np.ndarray(shape, dtype, self._pages, self._used, strides)
        self._used += -(-nbytes // 64) * 64
        return found

    def zeros_like(self, x: np.ndarray, dtype=None, order="K") -> np.ndarray:
        """An array of zeros with the shape and layout that NumPy would give it after x."""
        like = np.empty_like(x, dtype, order)
        return self.zeros(like.shape, like.dtype, like.strides)

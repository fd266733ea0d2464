"""Fresh pages: the memory of plans, and zeros for arrays that nobody ever looks at or writes to."""

import mmap
from math import prod

import numpy as np

SIZE = 1 << 26  # bytes that are asked of the system at a time
OPTIONS = (  # those of Unix: pages of this process alone
    {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
)


def fresh(nbytes: int) -> mmap.mmap:
    """Pages of zeros from the system, which get memory where they are written to.

    They begin where a line of the cache does, as NumPy's own arrays rarely do: a step that works in
    them is up to a tenth quicker for it.
    """
    return mmap.mmap(-1, max(nbytes, 1), **OPTIONS)


class Pages:
    """Gives out arrays of zeros; they take addresses but no memory.

    NumPy's own may lie in memory that was used before, and is then written with zeros.

    >>> Pages().zeros((2, 3), np.dtype("float32")).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def __init__(self):
        self._pages = fresh(SIZE)
        self._used = 0

    def zeros(self, shape, dtype: np.dtype, strides=None) -> np.ndarray:
        """An array of zeros that overlaps no other."""
        nbytes = (prod(shape) if isinstance(shape, tuple | list) else shape) * dtype.itemsize
        if not nbytes:
            return np.zeros(shape, dtype)
        if self._used + nbytes > len(self._pages):
            self._pages = fresh(max(SIZE, nbytes))
            self._used = 0
        found = np.ndarray(shape, dtype, self._pages, self._used, strides)
        self._used += -(-nbytes // 64) * 64
        return found

    def zeros_like(self, x: np.ndarray, dtype=None, order="K") -> np.ndarray:
        """An array of zeros with the shape and layout that NumPy would give it after x."""
        like = np.empty_like(x, dtype, order)
        return self.zeros(like.shape, like.dtype, like.strides)

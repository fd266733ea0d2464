"""Memory of the host that kernels read and write as well: no copy, and no wait, in between."""

import math

import cupy
import numpy as np


class Shared:
    """An array in memory that host and GPU share.

    Attributes:
        host: it, as the host sees it: what kernels have written is there once they are done.
        device: its address, as an argument of a kernel.
    """

    def __init__(self, shape: tuple[int, ...], dtype):
        dtype = np.dtype(dtype)
        size = math.prod(shape)
        self._memory = cupy.cuda.alloc_pinned_memory(size * dtype.itemsize)
        self.host = np.frombuffer(self._memory, dtype, size).reshape(shape)
        self.host[...] = 0
        self.device = np.uint64(self._memory.ptr)

"""Rows: rows of an array that are to be gathered by whoever needs them."""

from math import prod


class Rows:
    """The rows of an array at `order[start:stop]`, where they lie.

    Args:
        source: a C-contiguous array of a GPU.
        order: int64 indices of its rows, there as well.
        start, stop: which of them.
    """

    __slots__ = ("source", "order", "start", "shape", "dtype")

    def __init__(self, source, order, start: int, stop: int):
        self.source, self.order, self.start = source, order, start
        self.shape = (stop - start, *source.shape[1:])
        self.dtype = source.dtype

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize

    def gathered(self, be):
        """An array of the rows, from their backend."""
        return be.take(self.source, self.order[self.start : self.start + self.shape[0]])

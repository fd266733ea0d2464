"""Gathered: a tensor whose rows are gathered when somebody asks for them."""

from gpunn.autograd import Tensor
from gpunn.backend import backend_of
from gpunn.backend.rows import Rows


class Gathered(Tensor):
    """A tensor of rows of an array; a graph of the GPU gathers them itself.

    Args:
        rows: which rows of which array.
    """

    __slots__ = ("rows", "_array")

    def __init__(self, rows: Rows):
        self.rows = rows
        self.node = self._grad = None
        self.requires_grad = False
        self._array = None

    @property
    def array(self):
        if self._array is None:
            self._array = self.rows.gathered(backend_of(self.rows.source))
        return self._array

    @property
    def shape(self):
        return self.rows.shape

    @property
    def dtype(self):
        return self.rows.dtype


def lying(x: Tensor):
    """The array of a tensor, or its rows where nobody has asked for them yet."""
    return x.rows if type(x) is Gathered and x._array is None else x.array

"""LateTensor: a tensor whose array is made when it is first read."""

from gpunn.autograd.tensor import Tensor
from gpunn.backend.late import Late

_slot = Tensor.array  # type: ignore[misc]  # where tensors keep their arrays


class LateTensor(Tensor):
    """A sum on a GPU that is not made yet (`backend/late.py`); when its array is read, it is made.

    From then on this is a plain `Tensor`: its class changes, so that later reads cost nothing more.
    """

    __slots__ = ()

    @property
    def array(self):
        """The array, made now."""
        array = self.late.made()
        self.__class__ = Tensor
        self.array = array
        return array

    @array.setter
    def array(self, value) -> None:
        _slot.__set__(self, value)

    @property
    def late(self) -> Late:
        """What stands for the array."""
        return _slot.__get__(self)

    shape = property(lambda self: self.late.shape)
    dtype = property(lambda self: self.late.dtype)
    ndim = property(lambda self: self.late.ndim)
    size = property(lambda self: self.late.size)

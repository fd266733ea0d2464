"""Traced: an array that stands for a tensor, for the bodies of ops to run on.

What a body changes in place becomes a new tensor: an array is a part of a `_Memory`, which holds
the tensor that it is now.
"""

import operator
from operator import itemgetter, methodcaller
from types import SimpleNamespace

import numpy as np

from gpunn.autograd import Tensor, convert, primitive, wrap
from gpunn.backend.dtypes import is_float, standardize
from gpunn.errors import GradientError

ops = SimpleNamespace()  # the functions of gpunn.ops, which puts them here


def tensor_of(x) -> Tensor:
    """The tensor that an array of either kind stands for."""
    return x.tensor if type(x) is Traced else convert(x)


class _Memory:
    """What arrays that share memory share."""

    __slots__ = ("tensor",)

    def __init__(self, tensor):
        self.tensor = tensor


class Traced:
    """An array that stands for a tensor, or for a part of one that is changed with it.

    Args:
        memory: a `_Memory`.
        views: functions that lead from its tensor to this part of it.
    """

    __slots__ = ("memory", "views", "_whole", "_part")
    __array_ufunc__ = None  # so that a raw array leaves its operators to this one

    def __init__(self, memory, views=()):
        self.memory = memory
        self.views = views
        self._whole = None

    @classmethod
    def of(cls, tensor) -> "Traced":
        """An array with memory of its own."""
        return cls(_Memory(tensor))

    @property
    def tensor(self) -> Tensor:
        """The tensor that it stands for now."""
        whole = self.memory.tensor
        if not self.views:
            return whole
        if self._whole is not whole:
            part = whole
            for view in self.views:
                part = view(part)
            self._whole, self._part = whole, part
        return self._part

    def write(self, value) -> None:
        """Change it in place."""
        whole = self.memory.tensor
        views = self.views or (itemgetter(...),)
        value = tensor_of(value) if hasattr(value, "dtype") else value
        if not self.views and isinstance(value, Tensor) and value.shape == whole.shape:
            self.memory.tensor = value.to(whole.dtype)
        else:
            self.memory.tensor = _written(whole, value, views=views)

    # --- what it is ---

    shape = property(lambda self: self.tensor.shape)
    ndim = property(lambda self: self.tensor.ndim)
    size = property(lambda self: self.tensor.size)
    dtype = property(lambda self: self.tensor.dtype)
    itemsize = property(lambda self: self.dtype.itemsize)
    T = property(lambda self: self.transpose())
    flags = property(lambda self: SimpleNamespace(c_contiguous=True))

    @property
    def strides(self) -> tuple[int, ...]:
        return np.lib.stride_tricks.as_strided(np.empty(1, self.dtype), self.shape).strides

    def __len__(self):
        return self.shape[0]

    # --- parts of it ---

    def _view(self, view) -> "Traced":
        return Traced(self.memory, (*self.views, view))

    def reshape(self, *shape):
        return self._view(methodcaller("reshape", *shape))

    def transpose(self, *axes):
        return self._view(methodcaller("transpose", *axes))

    def swapaxes(self, a, b):
        return self._view(methodcaller("swapaxes", a, b))

    def squeeze(self, axis=None):
        return self._view(methodcaller("squeeze", axis))

    def ravel(self):
        return self.reshape(-1)

    def __getitem__(self, key):
        key = key if type(key) is tuple else (key,)
        if any(isinstance(k, list) or hasattr(k, "dtype") for k in key):
            return Traced.of(self.tensor[key])
        return self._view(itemgetter(key if ... in key else (*key, ...)))

    def __setitem__(self, key, value):
        key = key if type(key) is tuple else (key,)
        if any(isinstance(k, list) or hasattr(k, "dtype") for k in key):
            raise GradientError("it changes elements at the indices of an array in place")
        part = self[key]
        if not (type(value) is Traced and value.memory is self.memory and _same(part, value)):
            part.write(value)  # else it is what `a[i] += b` ends with

    # --- copies of it ---

    def astype(self, dtype, copy=True, **_):
        if standardize(dtype) == self.dtype:
            return Traced.of(self.tensor) if copy else self
        return given(self.tensor.to(dtype))

    def copy(self, order="C"):
        return Traced.of(self.tensor)

    # --- what is calculated of it ---

    def clip(self, low=None, high=None):
        return Traced.of(ops.clip(self.tensor, low, high))

    def take(self, indices, axis=None):
        return Traced.of(ops.take(self.tensor, wrap(indices), axis))

    def sum(self, axis=None, dtype=None, keepdims=False):
        return self._reduced(ops.sum, axis, keepdims, dtype)

    def mean(self, axis=None, dtype=None, keepdims=False):
        return self._reduced(ops.mean, axis, keepdims, dtype)

    def prod(self, axis=None, dtype=None, keepdims=False):
        return self._reduced(ops.prod, axis, keepdims, dtype)

    def max(self, axis=None, keepdims=False):
        return self._reduced(ops.max, axis, keepdims)

    def min(self, axis=None, keepdims=False):
        return self._reduced(ops.min, axis, keepdims)

    def cumsum(self, axis=None, dtype=None):
        return Traced.of(ops.cumsum(self.tensor, axis, dtype))

    def cumprod(self, axis=None, dtype=None):
        return Traced.of(ops.cumprod(self.tensor, axis, dtype))

    def diagonal(self, offset=0, axis1=0, axis2=1):
        return Traced.of(ops.diagonal(self.tensor, offset, axis1, axis2))

    def _reduced(self, op, axis, keepdims, dtype=None):
        x = self.tensor if dtype is None else self.tensor.to(dtype)
        return Traced.of(op(x, axis=axis, keepdims=keepdims))

    def __neg__(self):
        return Traced.of(-self.tensor)

    def __abs__(self):
        return Traced.of(ops.absolute(self.tensor))


def _same(a: Traced, b: Traced) -> bool:
    """Whether two parts of one memory are the same part."""
    return repr(a.views) == repr(b.views)


def _operator(function, swapped=False, in_place=False):
    def method(self, other):
        other = operand(other)
        y = function(other, self.tensor) if swapped else function(self.tensor, other)
        if in_place:
            self.write(y)
            return self
        return given(y)

    return method


def _of_values(name):
    """A method whose result has no gradient: that of the array of values."""
    return lambda self, *args, **options: getattr(self.tensor.array, name)(*args, **options)


for name in "add sub mul truediv floordiv mod pow matmul".split():
    function = getattr(operator, name)
    setattr(Traced, f"__{name}__", _operator(function))
    setattr(Traced, f"__r{name}__", _operator(function, swapped=True))
    setattr(Traced, f"__i{name}__", _operator(function, in_place=True))
for name in "lt le gt ge eq ne".split():
    setattr(Traced, f"__{name}__", _operator(getattr(operator, name)))
for name in "any all argmax argmin argsort argpartition nonzero view round item".split():
    setattr(Traced, name, _of_values(name))


def operand(x):
    """What an op takes for an array of either kind; nested in lists, too."""
    if type(x) in (tuple, list):
        return type(x)([operand(v) for v in x])
    if type(x) is Traced:
        return x.tensor
    if isinstance(x, np.generic):
        return x.item()
    return wrap(x) if hasattr(x, "strides") else x


def values(x):
    """The raw array of an array of either kind; anything else as it is."""
    return x.tensor.array if type(x) is Traced else x


def given(y):
    """The result of ops as arrays: floats stand for their tensors, the rest are raw."""
    if isinstance(y, tuple | list):
        return type(y)([given(v) for v in y])
    return Traced.of(y) if is_float(y.dtype) else y.array


def has_traced(xs) -> bool:
    """Whether an array among nested arguments stands for a tensor."""
    return any(type(x) is Traced or (type(x) in (tuple, list) and has_traced(x)) for x in xs)


@primitive
def _written(be, x, values, /, views):
    """A copy of x with values put into the part of it that the views lead to."""

    def part(whole):
        for view in views:
            whole = view(whole)
        return whole

    y = be.copy(x)
    be.copyto(part(y), values)

    def pullback(dy, needs):
        dx = None
        if needs[0]:
            dx = be.copy(dy)
            be.copyto(part(dx), 0)
        return dx, part(dy) if needs[1] else None

    return y, pullback

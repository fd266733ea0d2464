"""RecArray: an array of a recording, which calculates nothing.

It is a view of a plain NumPy array of zeros, its carrier, with the right shape, dtype and strides,
which is never looked at. So NumPy itself makes its views, and where one lies in the carrier's
memory says which part of the array it is.
"""

from typing import Any

import numpy as np

from gpunn.backend.dtypes import standardize
from gpunn.capture.ir import Storage
from gpunn.errors import CaptureError

# Methods that give a view, or a result whose shape does not depend on values.
METHODS = (
    "reshape transpose swapaxes ravel squeeze diagonal view take cumsum cumprod "
    "sum prod max min mean var std any all argmax argmin argsort clip round dot trace conj"
).split()
KEPT = {
    "shape", "ndim", "size", "dtype", "strides", "flags", "nbytes", "itemsize", "base", "data",
    "ctypes", "T", "mT", "real", "device",
}  # fmt: skip


class RecArray(np.ndarray):
    """An array of a recording."""

    storage: Storage | None
    recorder: Any

    def __array_finalize__(self, of):
        self.storage = getattr(of, "storage", None)
        self.recorder = getattr(of, "recorder", None)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return _recorder(inputs, options.get("out", ())).ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function, types, args, options):
        return _recorder(args, tuple(options.values())).function(function, args, options)

    def __getitem__(self, key):
        key = key if type(key) is tuple else (key,)
        if any(isinstance(k, np.ndarray | list) for k in key):
            raise CaptureError("an index that is an array or a list cannot be recorded")
        if Ellipsis not in key:
            key = (*key, Ellipsis)  # so that one element is an array too
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        target = self[key]
        if not (isinstance(value, RecArray) and _same(target, value)):  # what `a[i] += b` ends with
            self.recorder.copy_to(target, value)

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        """A copy in another dtype; without `copy` the array itself if it has the dtype."""
        dtype = standardize(dtype)
        if not copy and dtype == self.dtype:
            return self
        out = self.recorder.new(self.recorder.pages.zeros_like(plain(self), dtype, order))
        self.recorder.copy_to(out, self, "unsafe")
        return out

    def copy(self, order="C"):
        """A copy."""
        return self.astype(self.dtype, order)

    def fill(self, value):
        """Set every element."""
        self.recorder.copy_to(self, value)


def _method(name: str):
    function = getattr(np.ndarray, name)

    def method(self, *args, **options):
        return self.recorder.run(function, (self, *args), options)

    return method


def _refused(name: str):
    def method(self, *args, **options):
        raise CaptureError(
            f"{name} of an array cannot be recorded: it reads values, or changes them in a way "
            "that the recording does not see"
        )

    return method


for _name in METHODS:
    setattr(RecArray, _name, _method(_name))
for _name in (*dir(np.ndarray), "to_numpy"):
    if _name not in KEPT and _name not in vars(RecArray) and not _name.startswith("__"):
        setattr(RecArray, _name, _refused(_name))
for _name in ("bool", "float", "int", "index", "complex", "iter", "contains", "array", "reduce",
              "reduce_ex", "deepcopy", "copy", "dlpack"):  # fmt: skip
    setattr(RecArray, f"__{_name}__", _refused(f"__{_name}__"))


def plain(x):
    """The carrier of a recorded array; anything else as it is, nested in lists and tuples."""
    if isinstance(x, RecArray):
        return np.ndarray.view(x, np.ndarray)
    if type(x) in (tuple, list):
        return type(x)([plain(v) for v in x])
    return x


def _same(a, b) -> bool:
    keys = ("data", "shape", "strides", "typestr")
    one, other = plain(a).__array_interface__, plain(b).__array_interface__
    return all(one[k] == other[k] for k in keys)


def _recorder(*nested):
    for x in nested:
        if isinstance(x, RecArray):
            if x.recorder is None or x.recorder.closed:
                raise CaptureError("an array of a recording was used after it")
            return x.recorder
        if type(x) in (tuple, list):
            try:
                return _recorder(*x)
            except LookupError:
                pass
    raise LookupError


def arrays_in(x) -> list[RecArray]:
    """The recorded arrays in nested lists and tuples."""
    if isinstance(x, RecArray):
        return [x]
    return [a for v in x for a in arrays_in(v)] if type(x) in (tuple, list) else []

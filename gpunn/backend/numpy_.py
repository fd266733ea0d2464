"""The CPU: NumPy arrays."""

import numpy as np

from gpunn.backend import host, pages, special
from gpunn.backend.base import Backend, Memory, check_scatter
from gpunn.backend.blocks import multiply
from gpunn.backend.device import CPU
from gpunn.backend.dtypes import standardize
from gpunn.backend.random import Stream
from gpunn.backend.threads import one_blas_thread
from gpunn.errors import DataError, DTypeError

HALVES = "eE"  # the codes of float16 and bfloat16
FEW = 2048  # elements of a matrix: the BLAS takes one thread by itself


AT_ONCE = 1 << 13  # elements that are added by their indices, which take twice their memory


class NumpyBackend(Backend):
    """The `be` of NumPy arrays."""

    xp = np
    array_type = np.ndarray
    copyto = staticmethod(np.copyto)
    empty = staticmethod(np.empty)
    zeros = staticmethod(np.zeros)
    full = staticmethod(np.full)
    lasting = staticmethod(pages.zeros)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)
    erf = staticmethod(special.erf)
    erfinv = staticmethod(special.erfinv)
    lgamma = staticmethod(special.lgamma)
    digamma = staticmethod(special.digamma)

    def dot(self, a, b, out=None):
        return self._multiply(np.dot, a, b, out)

    def matmul(self, a, b, out=None):
        return self._multiply(np.matmul, a, b, out)

    def _multiply(self, function, a, b, out):
        if a.dtype.char in HALVES and a.dtype == b.dtype:
            return self._multiply_halves(function, a, b, out)
        if a.size < FEW > b.size:
            return function(a, b, out=out)
        if one_blas_thread.inside:
            return multiply(self, function, a, b, out)
        with one_blas_thread:
            return multiply(self, function, a, b, out)

    def _multiply_halves(self, function, a, b, out):
        """A product of half floats: NumPy's own is a hundred times slower, and sums in half."""
        y = self._multiply(function, a.astype(np.float32), b.astype(np.float32), None)
        if out is None:
            return y.astype(a.dtype)
        np.copyto(out, y, casting="same_kind")
        return out

    def take(self, x, indices, axis=0):
        return x.take(indices, axis)

    def scatter_add(self, dst, indices, src):
        check_scatter(dst, indices)
        if dst.ndim == 1 or indices.size < 2 or not dst.flags.c_contiguous:
            np.add.at(dst, indices, src)
            return
        # rows: the same sums of single elements are several times quicker
        n, rows = len(dst), indices.reshape(-1, 1).astype(np.int64)
        if rows.min() < -n or rows.max() >= n:
            raise IndexError(f"indices from {rows.min()} to {rows.max()} for {n} rows")
        width = dst[0].size
        src = np.broadcast_to(src, indices.shape + dst.shape[1:]).reshape(len(rows), width)
        step = max(AT_ONCE // max(width, 1), 1)
        for i in range(0, len(rows), step):
            at = rows[i : i + step] * width + np.arange(width)
            np.add.at(dst.reshape(-1), at.reshape(-1), src[i : i + step].reshape(-1))

    def look(self, check, x, *more):
        check(x, *more)

    def random_uint32(self, stream: Stream, shape):
        n = int(np.prod(shape, dtype=np.int64))
        return stream.words((n + 1) // 2).view(np.uint32)[:n].reshape(shape)

    def uniform(self, stream: Stream, shape, dtype="float32"):
        dtype = standardize(dtype)
        if dtype == np.float64:
            return stream.uniform(shape)
        bits = self.random_uint32(stream, shape)
        unit = (bits >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)
        return self.wrap(unit.astype(dtype, copy=False))

    def asarray(self, data, dtype=None):
        dtype = None if dtype is None else standardize(dtype)
        if type(data) is not np.ndarray:
            data = data.get() if type(data).__module__ == "cupy" else from_object(data)
        elif data.dtype.kind not in "fiub":
            check_numbers(data, data)
        return data if dtype is None or data.dtype == dtype else data.astype(dtype)

    def to_numpy(self, x) -> np.ndarray:
        return x

    def einsum(self, subscripts, a, b, out):
        np.einsum(subscripts, a, b, out=out)

    def address(self, x) -> tuple[int, int]:
        if x.flags.c_contiguous:
            low = x.__array_interface__["data"][0]
            return low, low + x.nbytes
        return np.lib.array_utils.byte_bounds(x)

    def memory(self) -> Memory:
        return Memory(*host.memory())

    def empty_cache(self) -> None:
        host.trim()


CPU_BACKEND = NumpyBackend(CPU)


def from_object(data) -> np.ndarray:
    """A NumPy array of lists, scalars and pandas objects; floats become `floatx`, ints int32.

    What brings a dtype with it (NumPy scalars and arrays, objects with `__array__`) keeps it.
    """
    if hasattr(data, "to_numpy"):  # pandas, polars
        return _from_frame(data)
    if hasattr(data, "mask") and isinstance(data, np.ma.MaskedArray):  # np.ma is slow to import
        raise DataError("masked arrays are not taken: fill the gaps first, as in x.filled(0)")
    if isinstance(data, dict):
        raise DTypeError(f"expected numbers, got a dict with the keys {', '.join(map(str, data))}")
    try:
        array = np.asarray(data)
    except (ValueError, TypeError, RuntimeError) as e:
        raise DataError(f"cannot make an array of this {type(data).__name__}: {e}") from e
    check_numbers(array, data)
    if hasattr(data, "__array__"):
        return array
    if array.dtype == np.float64:
        return array.astype(standardize(None))
    if array.dtype == np.int64:
        narrow = array.astype(np.int32)
        return narrow if (narrow == array).all() else array
    return array


def check_numbers(array: np.ndarray, data) -> None:
    """Raise unless the array holds numbers."""
    if array.dtype.kind not in "biufc" and array.dtype.name != "bfloat16":
        raise DTypeError(
            f"expected numbers, got a {type(data).__name__} of dtype {array.dtype} "
            f"({array.reshape(-1)[:3].tolist()} ...)"
        )


def _from_frame(data) -> np.ndarray:
    """The values of a pandas or polars object; missing values of nullable columns become NaN."""
    array = data.to_numpy()
    if array.dtype.kind in "biuf":
        return array
    kind = type(data).__name__
    types = getattr(data, "dtypes", None)
    if types is None:
        raise DTypeError(f"expected numbers, got a {kind} of dtype {array.dtype}")
    columns = types.items() if hasattr(types, "items") else [(data.name, types)]
    bad = [str(name) for name, t in columns if getattr(t, "kind", "O") not in "biuf"]
    if bad:
        raise DTypeError(
            f"columns of the {kind} that are not numbers: {', '.join(bad)}; encode or drop them"
        )
    # columns of different number types, or with missing values, make an object array
    return data.to_numpy(dtype=np.float64, na_value=np.nan)


def quiet():
    """A context in which NumPy does not warn of overflows, divisions by zero and NaN.

    A network that diverges says so by its loss, once, not by a warning per op; CUDA never warns.
    """
    return np.errstate(all="ignore")

"""The CPU: NumPy arrays."""

import ctypes
import os

import numpy as np

from gpunn.backend import special
from gpunn.backend.base import Backend
from gpunn.backend.device import CPU
from gpunn.backend.dtypes import standardize
from gpunn.backend.random import Stream
from gpunn.errors import DataError, DTypeError


class NumpyBackend(Backend):
    """The `be` of NumPy arrays."""

    xp = np
    array_type = np.ndarray
    dot = staticmethod(np.dot)
    matmul = staticmethod(np.matmul)
    copyto = staticmethod(np.copyto)
    empty = staticmethod(np.empty)
    zeros = staticmethod(np.zeros)
    full = staticmethod(np.full)
    erf = staticmethod(special.erf)
    erfinv = staticmethod(special.erfinv)

    def take(self, x, indices, axis=0):
        return x.take(indices, axis)

    def scatter_add(self, dst, indices, src):
        """dst[indices] += src along axis 0, in place; rows named twice are summed in order."""
        np.add.at(dst, indices, src)

    def random_uint32(self, stream: Stream, shape):
        n = int(np.prod(shape, dtype=np.int64))
        return stream.words((n + 1) // 2).view(np.uint32)[:n].reshape(shape)

    def uniform(self, stream: Stream, shape, dtype="float32"):
        dtype = standardize(dtype)
        if dtype == np.float64:
            return stream.uniform(shape)
        bits = self.random_uint32(stream, shape)
        unit = (bits >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)
        return unit.astype(dtype, copy=False)

    def asarray(self, data, dtype=None):
        dtype = None if dtype is None else standardize(dtype)
        if not isinstance(data, np.ndarray):
            data = data.get() if type(data).__module__ == "cupy" else from_object(data)
        return data if dtype is None or data.dtype == dtype else data.astype(dtype)

    def wrap(self, x) -> np.ndarray:
        """The 0-d array of a NumPy scalar, which is what NumPy's 0-d results are."""
        return np.asarray(x)

    def to_numpy(self, x) -> np.ndarray:
        return x

    def address(self, x) -> tuple[int, int]:
        return np.lib.array_utils.byte_bounds(x)

    def synchronize(self) -> None:
        pass


CPU_BACKEND = NumpyBackend(CPU)


def from_object(data) -> np.ndarray:
    """A NumPy array of lists, scalars and pandas objects; floats become `floatx`, ints int32."""
    if hasattr(data, "to_numpy"):  # pandas, polars
        return _from_frame(data)
    try:
        array = np.asarray(data)
    except (ValueError, TypeError) as e:
        raise DataError(f"cannot make an array of this {type(data).__name__}: {e}") from e
    if array.dtype.kind not in "biufcV":
        raise DTypeError(
            f"expected numbers, got a {type(data).__name__} of dtype {array.dtype} "
            f"({array.reshape(-1)[:3].tolist()} ...)"
        )
    if isinstance(data, (np.ndarray, np.generic)) or hasattr(data, "__array__"):
        return array
    if array.dtype == np.float64:
        return array.astype(standardize(None))
    if array.dtype == np.int64:
        narrow = array.astype(np.int32)
        return narrow if (narrow == array).all() else array
    return array


def _from_frame(data) -> np.ndarray:
    array = data.to_numpy()
    if array.dtype.kind not in "biuf":
        types = getattr(data, "dtypes", None)
        if hasattr(types, "items"):
            bad = [str(name) for name, t in types.items() if getattr(t, "kind", "O") not in "biuf"]
            if not bad:  # columns of different number types make an object array
                return data.to_numpy(dtype=np.float64)
            raise DTypeError(
                f"columns that are not numbers: {', '.join(bad)}; encode them or drop them"
            )
        raise DTypeError(f"expected numbers, got a {type(data).__name__} of dtype {array.dtype}")
    return array


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory, so that fresh arrays cost no page faults.

    Large temporaries made anew each step otherwise go back to the system and fault in again,
    which is up to 40 % of an eager step. `GPUNN_MALLOC=system` leaves the allocator alone.
    """
    if os.environ.get("GPUNN_MALLOC") == "system":
        return False
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018 - only glibc has mallopt with these meanings
        trim_threshold, mmap_threshold = -1, -3
        return bool(libc.mallopt(mmap_threshold, 1 << 30) and libc.mallopt(trim_threshold, 1 << 30))
    except (OSError, AttributeError, TypeError):
        return False

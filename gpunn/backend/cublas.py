"""cuBLAS, the library that CuPy loaded, called so that a stream may capture the calls.

CuPy refuses its own calls of cuBLAS while a stream captures, because a handle's workspace might be
allocated anew. A handle here has a workspace that it keeps.
"""

import ctypes
import sys
import threading
import weakref
from ctypes import POINTER, c_int, c_int64, c_size_t, c_void_p
from functools import cache

import cupy
import numpy as np
from cupy_backends.cuda.libs import cublas as _cupys

from gpunn.backend.precision import get_float32_matmul_precision
from gpunn.errors import DeviceError

# From NVIDIA's library_types.h and cublas_api.h: cudaDataType_t by a dtype's character, and
# cublasComputeType_t.
DATA_TYPES = {"e": 2, "E": 14, "f": 0, "d": 1, "F": 4, "D": 5}  # "E": bfloat16
COMPUTE_32F, COMPUTE_64F, COMPUTE_32F_FAST_TF32 = 68, 70, 77
HOST_POINTERS, DEVICE_POINTERS = 0, 1
NO_SUMS_IN_HALVES = 16  # of cublasMath_t
MOST = 2**31 - 1  # of a size or a leading dimension


class Handle:
    """A cuBLAS handle for one stream of one device, with a workspace of its own."""

    def __init__(self, stream: int, device: int):
        self.stream, self.device = stream, device
        self.plans: dict = {}  # of cublaslt.py
        self._lib = _library()
        self.pointer = self._made(device)
        check(self._lib.cublasSetStream_v2(self.pointer, stream))
        # else blocks that share a sum may leave their parts of it in the type of the result
        check(self._lib.cublasSetMathMode(self.pointer, NO_SUMS_IN_HALVES))
        # what NVIDIA's guide asks for: 32 MiB from Hopper on, 4 MiB before
        newer = int(cupy.cuda.Device(device).compute_capability) >= 90
        memory = self._memory = cupy.cuda.alloc((32 if newer else 4) << 20)
        self.workspace = memory.ptr, c_size_t(memory.mem.size)
        check(self._lib.cublasSetWorkspace_v2(self.pointer, *self.workspace))

    def _made(self, device: int) -> c_void_p:
        """cuBLAS's own handle: one that an ended thread has left, as making one waits for the GPU.

        None is destroyed, which would wait too, and break what another thread captures.
        """
        left = _left.setdefault(device, [])
        try:
            pointer = left.pop()
        except IndexError:
            pointer = c_void_p()
            check(self._lib.cublasCreate_v2(ctypes.byref(pointer)))
        weakref.finalize(self, left.append, pointer).atexit = False
        return pointer

    def gemm(self, chars: str, shape, a, b, out, batch=None) -> None:
        """out = a b, column-major.

        Args:
            chars: of the dtypes of a and b, and of out: the same, or float32 for halves.
            shape: (m, n, k): a has m rows and k columns, b has n columns.
            a, b: (address, whether it lies in memory transposed, leading dimension).
            out: (address, leading dimension).
            batch: None for one product; (count, strides of a, b and out in elements); or a count
                alone, where the addresses are those of arrays of addresses.
        """
        kind, one, zero, compute = types(chars[0])
        kind_out = DATA_TYPES[chars[1]]
        a, flip_a, lead_a = a
        b, flip_b, lead_b = b
        out, lead_out = out
        head = (self.pointer, flip_a, flip_b, *shape, one)
        lib = self._lib
        if batch is None:
            status = lib.cublasGemmEx(
                *head, a, kind, lead_a, b, kind, lead_b, zero, out, kind_out, lead_out, compute, -1
            )
        elif isinstance(batch, int):
            status = lib.cublasGemmBatchedEx(
                *head, a, kind, lead_a, b, kind, lead_b,
                zero, out, kind_out, lead_out, batch, compute, -1,
            )  # fmt: skip
        else:
            count, (step_a, step_b, step_out) = batch
            status = lib.cublasGemmStridedBatchedEx(
                *head, a, kind, lead_a, step_a, b, kind, lead_b, step_b,
                zero, out, kind_out, lead_out, step_out, count, compute, -1,
            )  # fmt: skip
        check(status)

    def dot(self, n: int, a, b, out) -> None:
        """out[0] = the inner product of two float32 or float64 vectors, all given as arrays."""
        function = self._lib.cublasSdot_v2 if a.dtype == np.float32 else self._lib.cublasDdot_v2
        size = a.itemsize
        check(self._lib.cublasSetPointerMode_v2(self.pointer, DEVICE_POINTERS))
        try:
            check(
                function(
                    self.pointer,
                    n,
                    a.data.ptr,
                    a.strides[0] // size,
                    b.data.ptr,
                    b.strides[0] // size,
                    out.data.ptr,
                )
            )
        finally:
            check(self._lib.cublasSetPointerMode_v2(self.pointer, HOST_POINTERS))


_left: dict[int, list[c_void_p]] = {}  # cuBLAS's handles that nobody uses, by device


class _Handles(threading.local):
    """This thread's handles: two threads may not share one, nor two streams its workspace."""

    def __init__(self):
        self.by_stream: dict[tuple[int, int], Handle] = {}


_handles = _Handles()


def handle() -> Handle:
    """The handle for the current stream of the current device."""
    stream = cupy.cuda.get_current_stream().ptr
    device = cupy.cuda.runtime.getDevice()
    found = _handles.by_stream.get((device, stream))
    if found is None:
        found = _handles.by_stream[device, stream] = Handle(stream, device)
    return found


def types(char: str) -> tuple[int, int, int, int]:
    """cuBLAS's name of a dtype, the addresses of 1 and 0 as it wants them, and how to compute."""
    kind, one, zero, compute = _types(char)
    if kind == 0 and get_float32_matmul_precision() == "high":
        compute = COMPUTE_32F_FAST_TF32
    return kind, one, zero, compute


@cache
def _types(char: str) -> tuple[int, int, int, int]:
    double = char in "dD"
    scale = np.dtype(char if char in "dFD" else "f")
    numbers = _numbers[char] = np.array([1, 0], scale)
    one = numbers.ctypes.data
    return DATA_TYPES[char], one, one + scale.itemsize, COMPUTE_64F if double else COMPUTE_32F


_numbers: dict[str, np.ndarray] = {}  # what those addresses point to


def opened(library: str, takes: dict[str, list]):
    """CuPy's "cublas" or "cublasLt", with the types of what its functions take.

    Raises:
        OSError, AttributeError: if the library or a function is not there.
    """
    # the handle of CuPy's extension module finds the functions of the libraries it is linked to
    name = _cupys.__file__
    if sys.platform == "win32":
        major = _cupys.getVersion(cupy.cuda.get_cublas_handle()) // 10000
        name = f"{library}64_{major}.dll"
    return typed(ctypes.CDLL(name), takes)


def typed(lib, takes: dict[str, list]):
    """A library whose functions return a status, with the types of what they take."""
    for name, parameters in takes.items():
        function = getattr(lib, name)
        function.argtypes, function.restype = parameters, c_int
    return lib


def _signatures() -> dict[str, list]:
    matrix, last = [c_void_p, c_int, c_int], [c_int, c_int]
    step = [*matrix, c_int64]
    head = [c_void_p, c_int, c_int, c_int, c_int, c_int, c_void_p]
    scalar = [c_void_p]
    return {
        "cublasCreate_v2": [POINTER(c_void_p)],
        "cublasSetStream_v2": [c_void_p, c_void_p],
        "cublasSetWorkspace_v2": [c_void_p, c_void_p, c_size_t],
        "cublasSetPointerMode_v2": [c_void_p, c_int],
        "cublasSetMathMode": [c_void_p, c_int],
        "cublasSdot_v2": [c_void_p, c_int, c_void_p, c_int, c_void_p, c_int, c_void_p],
        "cublasDdot_v2": [c_void_p, c_int, c_void_p, c_int, c_void_p, c_int, c_void_p],
        "cublasGemmEx": [*head, *matrix, *matrix, *scalar, *matrix, *last],
        "cublasGemmBatchedEx": [*head, *matrix, *matrix, *scalar, *matrix, c_int, *last],
        "cublasGemmStridedBatchedEx": [*head, *step, *step, *scalar, *step, c_int, *last],
    }


SIGNATURES = _signatures()


@cache
def _library():
    return opened("cublas", SIGNATURES)


def check(status: int) -> None:
    """Raise DeviceError unless a function has succeeded."""
    if status:
        raise DeviceError(f"cuBLAS failed with status {status} ({STATUS.get(status, 'unknown')})")


# cublasStatus_t
STATUS = {
    1: "not initialized",
    3: "out of memory",
    7: "invalid value",
    8: "the device is too old",
    11: "mapping error",
    13: "execution failed",
    14: "internal error",
    15: "not supported",
}

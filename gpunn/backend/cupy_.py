"""A CUDA device: CuPy arrays. The only module that imports cupy to compute with it."""

import math
from functools import cache
from importlib import resources

import cupy
import numpy as np
from cupyx.scipy import special

from gpunn.backend.base import Backend
from gpunn.backend.device import Device
from gpunn.backend.dtypes import standardize
from gpunn.backend.numpy_ import from_object
from gpunn.backend.random import Stream
from gpunn.errors import KernelError

THREADS = 256


class CupyBackend(Backend):
    """The `be` of CuPy arrays on one device."""

    xp = cupy
    array_type = cupy.ndarray
    erf = staticmethod(special.erf)
    erfinv = staticmethod(special.erfinv)

    def __init__(self, device: Device):
        super().__init__(device)
        self._cuda = cupy.cuda.Device(device.index)
        self._alone = cupy.cuda.runtime.getDeviceCount() == 1

    def activate(self) -> None:
        """Make this the thread's current CUDA device."""
        if not self._alone:
            self._cuda.use()

    def scatter_add(self, dst, indices, src):
        """dst[indices] += src along axis 0, in place; rows named twice are summed in order."""
        flat = indices.reshape(-1).astype(np.int64)
        flat = cupy.where(flat < 0, flat + len(dst), flat)
        order = cupy.argsort(flat, kind="stable")
        rows, width = flat.size, math.prod(dst.shape[1:])
        if not rows * width:
            return
        src = cupy.ascontiguousarray(
            cupy.broadcast_to(src, indices.shape + dst.shape[1:]), dtype=dst.dtype
        )
        name = f"scatter_add<{cuda_type(dst.dtype)}>"
        self.launch("segment", name, rows * width, (dst, src, flat[order], order, rows, width))

    def launch(self, source: str, name: str, n: int, args: tuple) -> None:
        """Run a kernel of `backend/cuda/SOURCE.cu` over n elements (grid-stride loops)."""
        for a in args:
            if isinstance(a, cupy.ndarray) and not a.flags.c_contiguous:
                raise KernelError(
                    f"kernel {name} takes C-contiguous arrays, got strides {a.strides}"
                )
        blocks = min((n + THREADS - 1) // THREADS, 65535)
        _function(source, name, self.device.index)((max(blocks, 1),), (THREADS,), args)

    def random_uint32(self, stream: Stream, shape):
        return self._draw("random_uint32", stream, shape, np.uint32)

    def uniform(self, stream: Stream, shape, dtype="float32"):
        dtype = standardize(dtype)
        if dtype == np.float64:
            return self._draw("uniform_float64", stream, shape, dtype)
        return self._draw("uniform_float32", stream, shape, np.float32).astype(dtype, copy=False)

    def _draw(self, name, stream, shape, dtype):
        out = cupy.empty(shape, dtype)
        key0, key1 = (np.uint64(k) for k in stream.key)
        position = np.uint64(stream.next_position())
        if out.size:
            self.launch("philox", name, (out.size + 3) // 4, (out, out.size, position, key0, key1))
        return out

    def asarray(self, data, dtype=None):
        self.activate()
        if not isinstance(data, cupy.ndarray):
            data = cupy.asarray(data if isinstance(data, np.ndarray) else from_object(data))
        elif data.device.id != self.device.index:
            data = cupy.asarray(data.get()) if not self._alone else data
        return data if dtype is None else data.astype(standardize(dtype), copy=False)

    def wrap(self, x):
        return cupy.asarray(x)

    def to_numpy(self, x) -> np.ndarray:
        return x.get()

    def address(self, x) -> tuple[int, int]:
        return cupy.byte_bounds(x)

    def synchronize(self) -> None:
        self._cuda.synchronize()


CUDA_TYPES = {"float16": "__half", "float32": "float", "float64": "double"}


def cuda_type(dtype) -> str:
    """The C name of a dtype in a kernel's template argument."""
    return CUDA_TYPES[np.dtype(dtype).name]


@cache
def _function(source: str, name: str, device: int):
    """A kernel of a source file, compiled on first use."""
    text = resources.files("gpunn.backend.cuda").joinpath(f"{source}.cu").read_text()
    names = (name,) if "<" in name else None
    try:
        module = cupy.RawModule(
            code="#include <cuda_fp16.h>\n" + text,
            options=("--std=c++17", "--fmad=false"),
            name_expressions=names,
        )
        return module.get_function(name)
    except cupy.cuda.compiler.CompileException as e:
        raise KernelError(f"kernel {name} of {source}.cu does not compile: {e}") from e

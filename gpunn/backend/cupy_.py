"""A CUDA device: CuPy arrays. The only module that imports cupy to compute with it."""

import math
from functools import cache, cached_property, partial
from importlib import resources
from weakref import WeakSet

import cupy
import numpy as np
from cupyx.scipy import special

from gpunn.backend import products
from gpunn.backend import special as own_special
from gpunn.backend.asker import asker
from gpunn.backend.base import Backend, Memory, check_scatter
from gpunn.backend.device import Device
from gpunn.backend.dtypes import standardize
from gpunn.backend.fusing import fused, in_one_launch
from gpunn.backend.graph import capturing, outside
from gpunn.backend.late import Late
from gpunn.backend.noted import Noted
from gpunn.backend.numpy_ import from_object
from gpunn.backend.random import Stream
from gpunn.backend.staging import Staging
from gpunn.errors import DTypeError, KernelError

THREADS = 256
FEW = 8192  # rows whose indices are compared with each other sooner than sorted
HEADERS = ("block.cuh", "packs.cuh", "philox.cuh", "window.cuh")  # what every kernel may use


def wide(dtype) -> np.dtype:
    """The dtype that kernels compute in: float32 for the halves."""
    dtype = np.dtype(dtype)
    return np.dtype("float32") if dtype.name in ("float16", "bfloat16") else dtype


def _keeping_dtype(function):
    """An elementwise function of CuPy's that gives its operand's dtype, halves too."""
    return lambda x: function(x.astype(wide(x.dtype), copy=False)).astype(x.dtype, copy=False)


class CupyBackend(Backend):
    """The `be` of CuPy arrays on one device."""

    xp = cupy
    array_type = cupy.ndarray
    maximum = staticmethod(cupy.maximum)
    minimum = staticmethod(cupy.minimum)
    erf = staticmethod(_keeping_dtype(special.erf))
    erfinv = staticmethod(_keeping_dtype(special.erfinv))
    lgamma = staticmethod(_keeping_dtype(special.gammaln))
    digamma = staticmethod(partial(own_special.digamma, xp=cupy))
    fused = staticmethod(cache(fused))
    in_one_launch = in_one_launch

    def __init__(self, device: Device):
        super().__init__(device)
        self._cuda = cupy.cuda.Device(device.index)
        # with one device, an array's type alone says where it lies
        self.alone = cupy.cuda.runtime.getDeviceCount() == 1
        self._limit: int | None = None
        self._graphs: WeakSet = WeakSet()  # each has a pool of its own

    def activate(self) -> None:
        if not self.alone:
            self._cuda.use()

    @property
    def recording(self) -> bool:
        return capturing() is not None

    def external(self, array):
        graph = capturing()
        if graph is None or not isinstance(array, np.ndarray):
            return array
        return graph.number(array.item, array.dtype)

    def const(self, key, make):
        found = self._constants.get(key)
        if found is None:
            with outside():
                found = super().const(key, make)
        return found

    def matmul(self, a, b, out=None):
        return products.matmul(self, a, b, out)

    def dot(self, a, b, out=None):
        return products.dot(self, a, b, out)

    def take(self, x, indices, axis=0):
        """The slices at indices.

        One out of range is noted, and reads NaN (integers: their smallest value).
        """
        axis %= x.ndim
        n, before, after = x.shape[axis], x.shape[:axis], x.shape[axis + 1 :]
        out = cupy.empty(before + indices.shape + after, x.dtype)
        if indices.dtype not in (np.int32, np.int64):
            indices = indices.astype(np.int64)
        bits = np.dtype(f"uint{8 * x.dtype.itemsize}")
        low = -n if asker.get().wraps else 0
        counter = index_type(out.size, x.size)
        counts = (out.size, indices.size, n, math.prod(after))
        self.launch(
            "gather",
            f"gather<{cuda_type(bits)}, {cuda_type(indices.dtype)}, {counter}>",
            out.size,
            (
                out,
                cupy.ascontiguousarray(x),
                cupy.ascontiguousarray(indices),
                _nothing(x.dtype).view(bits)[()],
                *map(INDEX[counter], counts),
                low,
                self.noted.place("index", low, n),
            ),
        )
        return out

    @cached_property
    def noted(self) -> Noted:
        """Indices out of range that kernels have met."""
        return Noted()

    def in_range(self, x, n, dtype):
        if x.dtype.name not in CUDA_TYPES or x.dtype.kind not in "iu":
            x = x.astype(np.int64)
        index, factor = cupy.empty(x.shape, np.int64), cupy.empty(x.shape, dtype)
        noted = self.noted.place("label", 0, n)
        self.launch(
            "in_range",
            f"in_range<{cuda_type(dtype)}, {cuda_type(x.dtype)}>",
            x.size,
            (index, factor, cupy.ascontiguousarray(x), x.size, n, noted),
        )
        return index, factor

    def check_indices(self):
        self.synchronize()
        self.noted.check()

    def scatter_add(self, dst, indices, src):
        check_scatter(dst, indices)
        if indices.dtype not in (np.int32, np.int64):
            indices = indices.astype(np.int64)
        index, targets = cupy.ascontiguousarray(indices).reshape(-1), len(dst)
        rows, width = index.size, math.prod(dst.shape[1:])
        src = cupy.broadcast_to(src, indices.shape + dst.shape[1:])
        kind = src.dtype if wide(src.dtype) == dst.dtype else dst.dtype  # a half is cast on its way
        src, target = cupy.ascontiguousarray(src, dtype=kind), cupy.ascontiguousarray(dst)
        types = ", ".join(map(cuda_type, (dst.dtype, wide(dst.dtype), kind)))
        if rows <= FEW:
            name = f"scatter_add_few<{types}, {cuda_type(index.dtype)}>"
            args = (target, src, index, rows, width, targets)
            self.launch("segment", name, rows * -(-width // THREADS) * THREADS, args)
        else:
            index = cupy.where(index < 0, index + targets, index).astype(np.int64, copy=False)
            order = cupy.argsort(index, kind="stable")
            args = (target, src, index[order], order, rows, width, targets)
            self.launch("segment", f"scatter_add<{types}>", rows * width, args)
        if target is not dst:
            cupy.copyto(dst, target)

    def launch(
        self, source: str, name: str, n: int, args: tuple, threads: int = THREADS, before: str = ""
    ) -> None:
        """Run a kernel of `backend/cuda/SOURCE.cu` with n threads or fewer (grid-stride loops).

        Args:
            source: the file's name without its ending.
            name: the function, with its template arguments: "f<float>".
            n: how many threads there is work for; with none nothing is launched.
            args: what the function takes; arrays must be C-contiguous, as kernels see no strides.
            threads: how many make a block.
            before: text that the file goes on from, such as `fusing.activation` gives.
        """
        if not n:
            return
        for a in args:
            if isinstance(a, cupy.ndarray) and not a.flags.c_contiguous:
                raise KernelError(
                    f"kernel {name} takes C-contiguous arrays, got strides {a.strides}"
                )
        blocks = min((n + threads - 1) // threads, 65535)
        self.function(source, name, before)((blocks,), (threads,), args)

    def function(self, source: str, name: str, before: str = ""):
        """The kernel that `launch` runs, compiled and loaded."""
        return _function(source, name, self.device.index, before)

    def random_uint32(self, stream: Stream, shape):
        return self.draw("random_uint32", stream, shape, np.uint32)

    def uniform(self, stream: Stream, shape, dtype="float32"):
        dtype = standardize(dtype)
        if dtype == np.float64:
            return self.draw("uniform_float64", stream, shape, dtype)
        return self.draw("uniform_float32", stream, shape, np.float32).astype(dtype, copy=False)

    def wrap(self, x):
        return x.made() if type(x) is Late else super().wrap(x)

    def draw(self, name: str, stream: Stream, shape, dtype, *more):
        """An array that a kernel of philox.cu fills by the stream's next draw."""
        out = cupy.empty(shape, dtype)
        numbers = self.next_draw(stream)
        self.launch("philox", name, (out.size + 3) // 4, (out, out.size, *numbers, *more))
        return out

    def from_host(self, draw, stream, shape, dtype):
        graph = capturing()
        if graph is not None:
            return graph.from_host(draw, stream, shape, dtype)
        return super().from_host(draw, stream, shape, dtype)

    def next_draw(self, stream: Stream) -> tuple:
        """What kernels want of a stream's next draw: where to count from, the draw, both keys."""
        graph, nowhere = capturing(), np.uint64(0)
        start, draw = graph.drawn(stream) if graph else (nowhere, stream.next_position())
        return start, *(np.uint64(k) for k in (draw, *stream.key))

    def asarray(self, data, dtype=None):
        self.activate()
        if not isinstance(data, cupy.ndarray):
            graph, data = capturing(), from_object(data)
            takes = graph is not None and graph.takes_arrays
            data = graph.lift(data) if takes else cupy.asarray(data)
        elif not self.alone and data.device.id != self.device.index:
            data = cupy.asarray(data.get())
        return data if dtype is None else data.astype(standardize(dtype), copy=False)

    def staging(self):
        return Staging(self)

    def to_numpy(self, x) -> np.ndarray:
        values = x.get()
        self.noted.check()
        return values

    def address(self, x) -> tuple[int, int]:
        return cupy.byte_bounds(x)

    def synchronize(self) -> None:
        self._cuda.synchronize()

    def memory(self) -> Memory:
        with self._cuda:
            free, total = cupy.cuda.runtime.memGetInfo()
            pool = cupy.get_default_memory_pool()
            used, kept = pool.used_bytes() + self._in_graphs(), pool.free_bytes()
        if self._limit is not None:
            total, free = min(total, self._limit), min(free, max(self._limit - used - kept, 0))
        return Memory(total, free, used, kept)

    def _in_graphs(self) -> int:
        return sum(graph.pool.total_bytes() for graph in self._graphs)

    def set_memory_limit(self, limit):
        self._limit = limit
        self._share_limit()

    def _share_limit(self) -> None:
        """What the graphs have taken is not for others."""
        with self._cuda:
            limit = 0 if self._limit is None else max(self._limit - self._in_graphs(), 1)
            cupy.get_default_memory_pool().set_limit(size=limit)

    def start_graph(self, graph) -> None:
        """Give back what is kept, for a graph to have in its pool what is left."""
        self.empty_cache()
        self._graphs.add(graph)
        if self._limit is not None:
            graph.pool.set_limit(size=max(self.memory().free, 1))

    def end_graph(self) -> None:
        """A graph has taken all that it needs."""
        self._share_limit()

    def empty_cache(self) -> None:
        with self._cuda:
            cupy.get_default_memory_pool().free_all_blocks()
            cupy.get_default_pinned_memory_pool().free_all_blocks()


def _nothing(dtype) -> np.ndarray:
    """What an index out of range reads: NaN, or the smallest number."""
    return np.asarray(np.iinfo(dtype).min if dtype.kind in "iu" else np.nan).astype(dtype)


CUDA_TYPES = {
    "float16": "__half",
    "bfloat16": "__nv_bfloat16",
    "float32": "float",
    "float64": "double",
    "int8": "signed char",
    "int16": "short",
    "int32": "int",
    "int64": "long long",
    "uint8": "unsigned char",
    "uint16": "unsigned short",
    "uint32": "unsigned int",
    "uint64": "unsigned long long",
}


def cuda_type(dtype) -> str:
    """The C name of a dtype in a kernel's template argument."""
    name = np.dtype(dtype).name
    if name not in CUDA_TYPES:
        raise DTypeError(f"no kernel takes dtype {name}; known: {', '.join(CUDA_TYPES)}")
    return CUDA_TYPES[name]


def threshold(rate: float) -> np.uint32:
    """The bits below which a value is dropped."""
    return np.uint32(min(round(rate * 2**32), 2**32 - 1))


INDEX = {"int": np.int32, "long long": np.int64}


def index_type(*sizes: int) -> str:
    """The type of INDEX that counts so many elements: 32 bits if they do, as divisions are slow."""
    return "int" if max(sizes) < 1 << 30 else "long long"


def pack(dtype, n: int, *arrays) -> int:
    """How many values of rows of n are moved at once: 16 bytes where arrays allow it, else 1."""
    count = 16 // np.dtype(dtype).itemsize
    fits = n % count == 0 and all(a.data.ptr % 16 == 0 for a in arrays)
    return count if fits else 1


def packed(be, x):
    """An array as kernels take it that always move packs: no other sum, wherever it lies."""
    x = cupy.ascontiguousarray(x)
    return be.copy(x) if x.data.ptr % 16 else x


def row_team(n: int) -> np.int32:
    """How many threads of a block of THREADS share a row of n values: a warp, or all."""
    return np.int32(32 if n <= 1024 else THREADS)


@cache
def _function(source: str, name: str, device: int, before: str):
    """A kernel of a source file, compiled on first use."""
    folder = resources.files("gpunn.backend.cuda")
    files = (*HEADERS, f"{source}.cu")
    text = before + "".join(folder.joinpath(f).read_text() for f in files)
    names = (name,) if "<" in name else None
    try:
        module = cupy.RawModule(
            code="#include <cuda_bf16.h>\n#include <cuda_fp16.h>\n" + text,
            options=("--std=c++17", "--fmad=false"),
            name_expressions=names,
        )
        return module.get_function(name)
    except cupy.cuda.compiler.CompileException as e:
        raise KernelError(f"kernel {name} of {source}.cu does not compile: {e}") from e

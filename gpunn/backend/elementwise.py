"""Elementwise kernels: what a traced piece of code computes, for arrays of any kind.

Arrays of one shape that lie in order are read and written 16 bytes at once where their addresses
allow it. Others, which are broadcast or strided, are left to CuPy.
"""

from functools import cache, cached_property
from importlib import resources

import cupy
import numpy as np

from gpunn.backend.expressions import TYPES

STORED = {**TYPES, "float16": "__half", "bfloat16": "__nv_bfloat16"}  # in memory
# NaN wins, as in numpy.maximum
PREAMBLE = """
template <typename T> __device__ T larger(T a, T b) { return a != a || a > b ? a : b; }
template <typename T> __device__ T smaller(T a, T b) { return a != a || a < b ? a : b; }
"""
THREADS, WIDTH = 256, 16  # of a block; bytes of the longest loads
OPTIONS = ("--std=c++17", "--fmad=false")
PACKED = np.int32(0), np.int32(1)
_ndarray = cupy.ndarray


class Elementwise:
    """A kernel that is called with what it reads, arrays and numbers, and then with its results.

    Args:
        name: for profilers.
        reads: names and dtypes of what it reads; None: a number.
        results: names and dtypes of the results, which may lie where it reads.
        text: statements that make the results of what it reads.
    """

    def __init__(self, name: str, reads, results, text: str):
        self._name = f"gpunn_{name.strip('_')}"
        self._reads, self._results, self._text = reads, results, text
        dtypes = [dtype for _, dtype in (*reads, *results) if dtype is not None]
        self._known = all(dtype.name in STORED for dtype in dtypes)
        self._width = WIDTH // max(dtype.itemsize for dtype in dtypes)
        self._functions: dict[tuple, cupy.RawKernel] = {}

    def __call__(self, *args) -> None:
        count = len(self._reads)
        first = args[count]
        shape, addresses, kinds, are_floats = first.shape, 0, "", True
        for x in args:
            if type(x) is not _ndarray:
                kinds += "n"
                are_floats = are_floats and type(x) is float
            elif x.shape == shape:
                kinds += "a" if x.flags.c_contiguous else "?"
                addresses |= x.data.ptr
            else:
                kinds += "1" if x.size == 1 else "?"
        if "?" in kinds or "1" in kinds[count:] or not self._known:
            self._by_cupy(*args)
            return
        size = first.size
        if not size:
            return
        key = kinds, cupy.cuda.get_device_id()
        function = self._functions.get(key)
        if function is None:
            function = self._functions[key] = _loaded(self._source(kinds), self._name, key[1])
        if not are_floats:
            args = tuple([x if type(x) is _ndarray else float(x) for x in args])
        blocks = min(-(-size // (self._width * THREADS)), 65535)
        function((blocks,), (THREADS,), (size, PACKED[addresses % WIDTH == 0], *args))

    @cached_property
    def _by_cupy(self):
        """The same for arrays of any strides."""
        inputs = [f"{d.name if d else 'float64'} {n}" for n, d in self._reads]
        outputs = [f"{d.name} {n}" for n, d in self._results]
        return cupy.ElementwiseKernel(
            ", ".join(inputs), ", ".join(outputs), self._text, self._name,
            preamble=PREAMBLE, options=("--fmad=false",),
        )  # fmt: skip

    def _source(self, kinds) -> str:
        """The kernel's text, for arguments that are arrays (a), numbers (n) or one element (1)."""
        reads = [
            (n, STORED[d.name] if d else "double", k)
            for (n, d), k in zip(self._reads, kinds, strict=False)
        ]
        results = [(n, STORED[d.name]) for n, d in self._results]
        arrays = [(n, t) for n, t, kind in reads if kind == "a"]
        params = [
            *[f"double {n}" if k == "n" else f"const {t}* {n}_" for n, t, k in reads],
            *[f"{t}* {n}_" for n, t in results],
        ]
        names = ", ".join([n for n, *_ in (*reads, *results)])

        def each(form: str, what) -> str:
            return " ".join([form.format(n=n, t=t) for n, t in what])

        of_compute = [*[f"{t} {n}" for n, t, _ in reads], *[f"{t}& {n}" for n, t in results]]
        return f"""{PREAMBLE}
using float16 = __half;
using bfloat16 = __nv_bfloat16;
static __device__ void compute({", ".join(of_compute)}) {{
{self._text}
}}
extern "C" __global__ void {self._name}(long long n, int whole, {", ".join(params)}) {{
    constexpr int N = {self._width};
    {each("const {t} {n} = *{n}_;", [(n, t) for n, t, kind in reads if kind == "1"])}
    const long long stride = (long long)gridDim.x * blockDim.x * N;
    for (long long first = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * N; first < n;
         first += stride) {{
        if (whole && n - first >= N) {{
            {each("const Pack<{t}, N> all_{n} = Pack<{t}, N>::of({n}_ + first);", arrays)}
            {each("Pack<{t}, N> all_{n};", results)}
#pragma unroll
            for (int i = 0; i < N; ++i) {{
                {each("const {t} {n} = all_{n}.at[i];", arrays)}
                {each("{t}& {n} = all_{n}.at[i];", results)}
                compute({names});
            }}
            {each("Pack<{t}, N>::of({n}_ + first) = all_{n};", results)}
        }} else for (long long i = first; i < n && i < first + N; ++i) {{
            {each("const {t} {n} = {n}_[i];", arrays)}
            {each("{t}& {n} = {n}_[i];", results)}
            compute({names});
        }}
    }}
}}
"""


@cache
def _loaded(source: str, name: str, device: int):
    """A kernel of a source, compiled and loaded."""
    packs = resources.files("gpunn.backend.cuda").joinpath("packs.cuh").read_text()
    code = f"#include <cuda_bf16.h>\n#include <cuda_fp16.h>\n{packs}{source}"
    module = cupy.RawModule(code=code, options=OPTIONS, name_expressions=None)
    return module.get_function(name)

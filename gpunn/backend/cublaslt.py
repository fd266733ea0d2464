"""cuBLASLt: products that go on with a bias, or with sums of an operand, in the same launch.

Each kind of epilogue is tried once on each device, against NumPy in float64, before it is used.
Where the library has no algorithm for it, or it hides NaN, products are made without it, as all
are with `GPUNN_CUBLASLT=0`; where the library is missing or fails, or numbers are wrong, a warning
says so as well. `gpunn doctor` shows it. Algorithms are chosen once for each product and kept, so
that a captured step has the bits of the one before.
"""

import ctypes
import os
import warnings
import weakref
from ctypes import POINTER, byref, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64
from ctypes import c_void_p as pointer
from functools import cache
from typing import NamedTuple

import cupy
import numpy as np

from gpunn.backend import cublas
from gpunn.backend.dtypes import standardize
from gpunn.errors import DeviceError

# From NVIDIA's cublasLt.h, as the rest in capitals; `ci/cublaslt_check.py` compares it.
EPILOGUES = {  # BIAS, RELU_BIAS, BGRADA, RELU_AUX_BIAS, DRELU_BGRAD
    "bias": 4, "relu_bias": 6, "sums": 256, "relu_mask": 134, "relu_back": 152,
}  # fmt: skip
MASKED = ("relu_mask", "relu_back")  # the one notes what the other reads: both are used, or neither
MASK_STEP = 128  # bits of a mask from row to row are a multiple of it
TRANSPOSE_A, TRANSPOSE_B, EPILOGUE, VECTOR, VECTOR_STEP, MASK, MASK_LEAD = 3, 4, 7, 8, 10, 11, 12
BATCH_COUNT, BATCH_STEP = 5, 6
WORKSPACE, REDUCTIONS, ALIGNMENTS = 1, 3, (5, 6, 7, 8)
IN_COMPUTE_TYPE = 2  # how blocks that share a sum leave their parts of it: not as halves
REFUSALS = (7, 8, 15)  # invalid value, architecture mismatch, not supported

OFF, NONE, HIDES = "GPUNN_CUBLASLT=0", "it has no algorithm for it", "it hides NaN"
EXPECTED = ("", OFF, NONE, HIDES)
DTYPES = {  # that have epilogues: of the operands and of the result
    "ee": "float16",
    "EE": "bfloat16",
    "ff": "float32",
    "ef": "float16 to float32",
    "Ef": "bfloat16 to float32",
}
ALIGNED = 16  # bytes that a kernel reads at most at once
MOST_PLANS = 1000
TRIED = ((40, 24, 56), (32, 16, 4096))  # (m, n, k): one block does it all, or several share k


def multiply(epilogue: str, vector, chars: str, shape, a, b, out, batch=None, mask=0) -> bool:
    """`Handle.gemm` with an epilogue; False, and nothing is done, where there is none to trust.

    Args:
        epilogue: "bias": out = a b + vector, of contiguous values, one for each row of out;
            "relu_bias": max(that, 0); "sums": out = a b, and vector becomes a's sums along k;
            "relu_mask": "relu_bias", and the mask notes where out is positive; "relu_back": out is
            a b where such a mask says so, else 0, and vector becomes the sums of out's rows.
        vector: (address, elements from one of a batch to the next).
        chars, shape, a, b, out, batch: as in `Handle.gemm`, of halves or float32; no addresses.
            The vector is of the dtype of out.
        mask: its address: for each column of out `mask_lead(m)` bits. Not of a batch.
    """
    handle = cublas.handle()
    compute = cublas.types(chars[0])[-1]
    batched = batch is not None
    tried = MASKED[-1] if epilogue in MASKED else epilogue
    why_not = _why_not.get((handle.device, tried, chars, compute, batched))
    if why_not is None:
        if cupy.cuda.get_current_stream().is_capturing():
            return False  # nothing can be looked at
        why_not = _try(handle, epilogue, chars, compute, batched)
        if why_not not in EXPECTED:
            warnings.warn(
                f"{'batched ' * batched}{DTYPES[chars]} products do without cuBLASLt's epilogue "
                f"{epilogue!r}: {why_not}",
                stacklevel=2,
            )
    return not why_not and _multiply(handle, epilogue, vector, chars, shape, a, b, out, batch, mask)


def mask_lead(rows: int) -> int:
    """Bits of a mask for each column of so many rows."""
    return -(-rows // MASK_STEP) * MASK_STEP


def about() -> str:
    """Which epilogues the current device has, for people; all are tried."""
    handle = cublas.handle()
    lacks = []
    for chars, dtype in DTYPES.items():
        for epilogue in EPILOGUES:
            for batched in (False,) if epilogue in MASKED else (False, True):
                why_not = _try(handle, epilogue, chars, cublas.types(chars[0])[-1], batched)
                if why_not:
                    lacks.append(f"{epilogue}{', batched' * batched}, {dtype}: {why_not}")
    if len(lacks) == len(DTYPES) * (2 * len(EPILOGUES) - len(MASKED)):
        return f"none ({why_not})"
    return f"{', '.join(EPILOGUES)} in {', '.join(DTYPES.values())}" + "".join(
        f"; without {lack}" for lack in lacks
    )


def enabled() -> bool:
    """Whether the environment allows cuBLASLt."""
    return os.environ.get("GPUNN_CUBLASLT") != "0"


class Algorithm(ctypes.Structure):
    """`cublasLtMatmulHeuristicResult_t`, which starts with the algorithm itself."""

    _fields_ = (
        ("algorithm", c_uint64 * 8),
        ("workspace", c_size_t),
        ("state", c_int),
        ("waves", c_float),
        ("reserved", c_int * 4),
    )


class Product(NamedTuple):
    """All that the choice of an algorithm depends on, as in `Handle.gemm`.

    `steps` and `alignments` are of a, b, out and the vector.
    """

    epilogue: str
    chars: str
    compute: int
    shape: tuple[int, int, int]
    a: tuple[bool, int]
    b: tuple[bool, int]
    lead: int
    batch: int
    steps: tuple[int, int, int, int]
    alignments: tuple[int, int, int, int]


class Plan:
    """How cuBLASLt is asked for a product, and by which algorithm (None: it has none)."""

    algorithm: Algorithm | None = None

    def __init__(self, lib, product: Product):
        m, n, k = product.shape
        kind, kind_out = (cublas.DATA_TYPES[char] for char in product.chars)
        self._lib = lib
        self.operation = self._made("MatmulDesc", product.compute, 0)  # 0: scaled in float32
        (flip_a, lead_a), (flip_b, lead_b) = product.a, product.b
        *steps, vector_step = product.steps
        for attribute, value in (
            (TRANSPOSE_A, c_int32(flip_a)),
            (TRANSPOSE_B, c_int32(flip_b)),
            (EPILOGUE, c_uint32(EPILOGUES[product.epilogue])),
            (VECTOR_STEP, c_int64(vector_step)),
        ):
            self._set("MatmulDesc", self.operation, attribute, value)
        if product.epilogue in MASKED:
            self._set("MatmulDesc", self.operation, MASK_LEAD, c_int64(mask_lead(m)))
        sizes = (k, m) if flip_a else (m, k), (n, k) if flip_b else (k, n), (m, n)
        self.layouts = []
        for of, (rows, columns), lead, step in zip(
            (kind, kind, kind_out), sizes, (lead_a, lead_b, product.lead), steps, strict=True
        ):
            layout = self._made("MatrixLayout", of, rows, columns, lead)
            self._set("MatrixLayout", layout, BATCH_COUNT, c_int32(product.batch))
            self._set("MatrixLayout", layout, BATCH_STEP, c_int64(step))
            self.layouts.append(layout)

    def point_to(self, vector: int, mask: int = 0) -> None:
        self._set("MatmulDesc", self.operation, VECTOR, c_uint64(vector))
        if mask:
            self._set("MatmulDesc", self.operation, MASK, c_uint64(mask))

    def choose(self, handle: cublas.Handle, product: Product) -> Algorithm | None:
        """What cuBLASLt takes for the fastest algorithm."""
        preference = self._made("MatmulPreference")
        self._set("MatmulPreference", preference, WORKSPACE, c_uint64(handle.workspace[1].value))
        self._set("MatmulPreference", preference, REDUCTIONS, c_uint32(IN_COMPUTE_TYPE))
        a, b, out, vector = product.alignments
        for attribute, alignment in zip(ALIGNMENTS, (a, b, out, out), strict=True):
            self._set("MatmulPreference", preference, attribute, c_uint32(alignment))
        # of an address the choice depends on its alignment alone
        self.point_to(vector, ALIGNED if product.epilogue in MASKED else 0)
        found, count = Algorithm(), c_int()
        layout_a, layout_b, layout = self.layouts
        status = self._lib.cublasLtMatmulAlgoGetHeuristic(
            handle.pointer, self.operation, layout_a, layout_b, layout, layout,
            preference, 1, byref(found), byref(count),
        )  # fmt: skip
        if status not in REFUSALS:
            cublas.check(status)
        return None if status or not count.value or found.state else found

    def _made(self, kind: str, *args):
        made = pointer()
        cublas.check(getattr(self._lib, f"cublasLt{kind}Create")(byref(made), *args))
        destroy = getattr(self._lib, f"cublasLt{kind}Destroy")
        weakref.finalize(self, destroy, made).atexit = False
        return made

    def _set(self, kind: str, of, attribute: int, value) -> None:
        function = getattr(self._lib, f"cublasLt{kind}SetAttribute")
        cublas.check(function(of, attribute, byref(value), ctypes.sizeof(value)))


_why_not: dict[tuple, str] = {}  # an epilogue is not used; "" if it is
_algorithms: dict[tuple, Algorithm | None] = {}  # by (device, product): one for all streams


def _multiply(handle, epilogue, vector, chars, shape, a, b, out, batch, mask=0) -> bool:
    lib = _library()
    (at_a, *a), (at_b, *b), (at_out, lead), (at_vector, vector_step) = a, b, out, vector
    count, steps = batch or (1, (0, 0, 0))
    alignments = tuple([min(p & -p, ALIGNED) for p in (at_a, at_b, at_out, at_vector)])
    _, one, zero, compute = cublas.types(chars[0])
    steps = (*steps, vector_step)
    product = Product(
        epilogue, chars, compute, shape, tuple(a), tuple(b), lead, count, steps, alignments
    )
    plan = handle.plans.get(product)
    if plan is None:
        plan, key = Plan(lib, product), (handle.device, product)
        _keep(handle.plans, product, plan)
        if key not in _algorithms:
            _keep(_algorithms, key, plan.choose(handle, product))
        plan.algorithm = _algorithms[key]
    if plan.algorithm is None:
        return False
    plan.point_to(at_vector, mask)
    layout_a, layout_b, layout = plan.layouts
    status = lib.cublasLtMatmul(
        handle.pointer, plan.operation, one, at_a, layout_a, at_b, layout_b,
        zero, at_out, layout, at_out, layout,
        byref(plan.algorithm), *handle.workspace, handle.stream,
    )  # fmt: skip
    if status in REFUSALS:
        plan.algorithm = _algorithms[handle.device, product] = None
        return False
    cublas.check(status)
    return True


def _keep(known: dict, key, value) -> None:
    """Note a value; there is room for so many."""
    if len(known) >= MOST_PLANS:
        known.pop(next(iter(known)), None)
    known[key] = value


def _try(handle, epilogue: str, chars: str, compute: int, batched: bool) -> str:
    """Why an epilogue is not to be used; "" if it gives what NumPy does."""
    if epilogue in MASKED:
        epilogue = MASKED[-1]  # whose trial needs the other
    key = handle.device, epilogue, chars, compute, batched
    if key in _why_not:
        return _why_not[key]
    if not enabled():
        return _why_not.setdefault(key, OFF)
    pool = cupy.cuda.MemoryPool()  # what it takes is given back at once
    try:
        with cupy.cuda.using_allocator(pool.malloc):
            for shape in TRIED:
                _compare(handle, epilogue, chars, compute, batched, shape)
        why_not = ""
    except (OSError, AttributeError, DeviceError) as e:
        why_not = str(e)
    pool.free_all_blocks()
    return _why_not.setdefault(key, why_not)


def _compare(handle, epilogue, chars, compute, batched, shape) -> None:
    """Make a product with an epilogue; DeviceError says what is wrong with it."""
    (m, n, k), count = shape, 1 + batched
    dtype, dtype_out = (standardize(DTYPES[2 * char]) for char in chars)
    rng = np.random.default_rng(0)
    shapes = (count, k, m), (1, n, k), (count, m)  # one b for all of a batch, as it is used
    a, b, vector = (rng.standard_normal(s).astype(dtype) for s in shapes)
    vector = vector.astype(dtype_out)
    batch = (count, (k * m, 0, n * m)) if batched else None
    mask = cupy.zeros((n, mask_lead(m) // 8), np.uint8)

    def product(epilogue):
        on_device = [cupy.asarray(x) for x in (a, b, vector)]
        y = cupy.empty((count, n, m), dtype_out)
        at_a, at_b, at_vector = (x.data.ptr for x in on_device)
        if not _multiply(
            handle, epilogue, (at_vector, m), chars, shape, (at_a, False, m), (at_b, False, k),
            (y.data.ptr, m), batch, mask.data.ptr if epilogue in MASKED else 0,
        ):  # fmt: skip
            raise DeviceError(NONE)
        return [x.get().astype(np.float64) for x in (y, on_device[2])]

    positive = True
    if epilogue == "relu_back":  # the mask is read by what wrote it alone
        vector[0, 0] = 1e4  # one row of the results, all of whose values count
        y, _ = product("relu_mask")
        positive = y > 0
        _check(y, np.maximum(_exact(a, b) + _exact(vector)[:, None], 0), chars, compute)
    a[0, 0, 0] = np.nan  # one row of the results
    y, v = product(epilogue)
    expected = _exact(a, b)
    if epilogue == "sums":
        _check(v, _exact(a).sum(1), chars, compute)
    elif epilogue == "relu_back":
        expected = np.where(positive, expected, 0)
        _check(v, expected.sum(1), chars, compute)
    else:
        expected += _exact(vector)[:, None]
        if epilogue != "bias":
            expected = np.maximum(expected, 0)
    _check(y, expected, chars, compute)


def _exact(x, y=None):
    """An array in float64, or the product y x of two."""
    x = x.astype(np.float64)
    return x if y is None else _exact(y) @ x


def _check(x, expected, chars, compute) -> None:
    """Raise DeviceError unless an array is what NumPy has, and NaN where that is."""
    # float32 in full lies well below what TF32 would give
    rtol = {"f": 2e-5 if compute == cublas.COMPUTE_32F else 1e-2, "e": 5e-3, "E": 3e-2}[chars[1]]
    hole = np.isnan(expected)
    if not np.allclose(x[~hole], expected[~hole], 0, rtol * np.nanmax(abs(expected))):
        raise DeviceError("its numbers are not those of NumPy")
    if not np.isnan(x[hole]).all():
        raise DeviceError(HIDES)


@cache
def _library():
    return cublas.opened("cublasLt", SIGNATURES)


def _signatures() -> dict[str, list]:
    made, attribute = POINTER(pointer), [pointer, c_int, pointer, c_size_t]
    return {
        "cublasLtMatmulDescCreate": [made, c_int, c_int],
        "cublasLtMatmulDescSetAttribute": attribute,
        "cublasLtMatmulDescDestroy": [pointer],
        "cublasLtMatrixLayoutCreate": [made, c_int, c_uint64, c_uint64, c_int64],
        "cublasLtMatrixLayoutSetAttribute": attribute,
        "cublasLtMatrixLayoutDestroy": [pointer],
        "cublasLtMatmulPreferenceCreate": [made],
        "cublasLtMatmulPreferenceSetAttribute": attribute,
        "cublasLtMatmulPreferenceDestroy": [pointer],
        "cublasLtMatmulAlgoGetHeuristic": [
            *[pointer] * 7, c_int, POINTER(Algorithm), POINTER(c_int),
        ],
        "cublasLtMatmul": [*[pointer] * 14, c_size_t, pointer],
    }  # fmt: skip


SIGNATURES = _signatures()

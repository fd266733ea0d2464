"""Checks gpunn's bindings of cuBLAS and cuBLASLt, and the emulated cuBLASLt, against NVIDIA's own.

    pip download nvidia-cublas --no-deps && unzip nvidia_cublas-*.whl -d cublas      # 0.6 GB
    python ci/cublaslt_check.py cublas/nvidia/cu13

Needs CuPy, g++ and the toolkit's headers, and no GPU. Without a folder it looks where pip installs
the wheel. It checks that

1. constants, structures and the parameters of functions are those of NVIDIA's headers;
2. the emulator's cuBLASLt compiles against them, with their constants in place of its own;
3. NVIDIA's library, found as on a GPU's machine, takes what gpunn describes a product by, and gives
   the same back.

What it cannot check without a GPU: which algorithms there are, and the numbers. gpunn does that
itself, on the device, before it uses an epilogue.
"""

import ctypes
import subprocess
import sys
import sysconfig
import tempfile
from ctypes import c_int32, c_int64, c_size_t, c_uint32, c_uint64
from pathlib import Path

ROOT = Path(__file__).parent.parent
WHEELS = Path(sysconfig.get_path("platlib"), "nvidia/cu13")  # where pip puts NVIDIA's
TOOLKITS = (Path("/usr/local/cuda-13.0/include"), WHEELS / "include")
TRAITS = """
#include <cuComplex.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <driver_types.h>
#include <cstddef>
#include <initializer_list>
#include <type_traits>
#undef __cplusplus  // as C sees it, without the overloads of older interfaces
#include <cublas_api.h>
#include <cublasLt.h>
template <class R, class... A>
constexpr bool takes(R (*)(A...), std::initializer_list<int> wanted) {
    const int sizes[] = {(std::is_pointer_v<A> ? -1 : (int)sizeof(A))...};
    if (sizeof(R) != sizeof(int) || wanted.size() != sizeof...(A)) return false;
    for (size_t i = 0; i < sizeof...(A); ++i)
        if (wanted.begin()[i] != sizes[i]) return false;
    return true;
}
"""


def constants(cublas, lt) -> dict[str, int]:
    """gpunn's numbers by NVIDIA's names."""
    types = {"e": "R_16F", "E": "R_16BF", "f": "R_32F", "d": "R_64F", "F": "C_32F", "D": "C_64F"}
    statuses = {
        1: "NOT_INITIALIZED", 3: "ALLOC_FAILED", 7: "INVALID_VALUE", 8: "ARCH_MISMATCH",
        11: "MAPPING_ERROR", 13: "EXECUTION_FAILED", 14: "INTERNAL_ERROR", 15: "NOT_SUPPORTED",
    }  # fmt: skip
    assert set(statuses) == set(cublas.STATUS) and set(types) == set(cublas.DATA_TYPES)
    epilogues = {
        "bias": "BIAS", "relu_bias": "RELU_BIAS", "sums": "BGRADA", "relu_mask": "RELU_AUX_BIAS",
        "relu_back": "DRELU_BGRAD",
    }  # fmt: skip
    assert set(epilogues) == set(lt.EPILOGUES)
    return {
        **{f"CUDA_{types[char]}": value for char, value in cublas.DATA_TYPES.items()},
        **{f"CUBLAS_STATUS_{name}": status for status, name in statuses.items()},
        "CUBLAS_COMPUTE_32F": cublas.COMPUTE_32F,
        "CUBLAS_COMPUTE_64F": cublas.COMPUTE_64F,
        "CUBLAS_COMPUTE_32F_FAST_TF32": cublas.COMPUTE_32F_FAST_TF32,
        "CUBLAS_POINTER_MODE_HOST": cublas.HOST_POINTERS,
        "CUBLAS_POINTER_MODE_DEVICE": cublas.DEVICE_POINTERS,
        "CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION": cublas.NO_SUMS_IN_HALVES,
        "CUBLAS_GEMM_DEFAULT": -1,
        "CUBLAS_OP_N": 0,
        "CUBLAS_OP_T": 1,
        **{f"CUBLASLT_EPILOGUE_{epilogues[name]}": n for name, n in lt.EPILOGUES.items()},
        "CUBLASLT_MATMUL_DESC_TRANSA": lt.TRANSPOSE_A,
        "CUBLASLT_MATMUL_DESC_TRANSB": lt.TRANSPOSE_B,
        "CUBLASLT_MATMUL_DESC_EPILOGUE": lt.EPILOGUE,
        "CUBLASLT_MATMUL_DESC_BIAS_POINTER": lt.VECTOR,
        "CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE": lt.VECTOR_STEP,
        "CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER": lt.MASK,
        "CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD": lt.MASK_LEAD,
        "CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT": lt.BATCH_COUNT,
        "CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET": lt.BATCH_STEP,
        "CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES": lt.WORKSPACE,
        "CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK": lt.REDUCTIONS,
        "CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE": lt.IN_COMPUTE_TYPE,
        **{
            f"CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_{matrix}_BYTES": n
            for matrix, n in zip("ABCD", lt.ALIGNMENTS, strict=True)
        },
    }


def program(cublas, lt) -> str:
    """C++ that compiles if gpunn agrees with NVIDIA's headers."""
    lines = [TRAITS]
    lines += [f"static_assert({name} == {n});" for name, n in constants(cublas, lt).items()]
    result = "cublasLtMatmulHeuristicResult_t"
    lines.append(f"static_assert(sizeof({result}) == {ctypes.sizeof(lt.Algorithm)});")
    names = ("algo", "workspaceSize", "state", "wavesCount", "reserved")
    for name, (field, *_) in zip(names, lt.Algorithm._fields_, strict=True):
        offset = getattr(lt.Algorithm, field).offset
        lines.append(f"static_assert(offsetof({result}, {name}) == {offset});")
    pointers = type(ctypes.POINTER(ctypes.c_int)), type(ctypes.c_void_p)
    for name, types in {**cublas.SIGNATURES, **lt.SIGNATURES}.items():
        sizes = [
            -1 if t is ctypes.c_void_p or isinstance(t, pointers[0]) else ctypes.sizeof(t)
            for t in types
        ]
        lines.append(f"static_assert(takes(&{name}, {{{', '.join(map(str, sizes))}}}));")
    return "\n".join(lines)


def compiles(source: Path, include: Path) -> None:
    folders = [f"-I{p}" for p in (include, *TOOLKITS, ROOT / "ci/cuda-emu/include")]
    subprocess.run(["g++", "-std=c++17", "-fsyntax-only", *folders, source], check=True)


def described(cublas, lt) -> int:
    """Describe products to NVIDIA's library, and compare what it says they are."""
    lib = cublas.opened("cublasLt", lt.SIGNATURES)
    version = lib.cublasLtGetVersion
    version.restype = c_size_t
    print(f"  cuBLASLt {version()} at work")

    def read(kind, of, attribute, into):
        written = c_size_t()
        function = getattr(lib, f"cublasLt{kind}GetAttribute")
        size = c_size_t(ctypes.sizeof(into))
        status = function(of, attribute, ctypes.byref(into), size, ctypes.byref(written))
        assert status == 0 and written.value == ctypes.sizeof(into), (kind, attribute, status)
        return into.value

    count = 0
    for epilogue in lt.EPILOGUES:
        for chars in lt.DTYPES:
            for flip_a, flip_b in ((False, False), (True, False), (False, True), (True, True)):
                product = lt.Product(
                    epilogue, chars, cublas.COMPUTE_32F, (5, 7, 11), (flip_a, 13), (flip_b, 17),
                    19, 3, (100, 0, 200, 23), (16, 16, 4, 2),
                )  # fmt: skip
                plan = lt.Plan(lib, product)
                masked = epilogue in lt.MASKED
                plan.point_to(0x7F00_1234_5670, 0x7F00_0000_0200 if masked else 0)
                operation = {
                    0: (c_int32, cublas.COMPUTE_32F), 1: (c_int32, 0), 2: (c_int32, 0),
                    3: (c_int32, flip_a), 4: (c_int32, flip_b),
                    7: (c_uint32, lt.EPILOGUES[epilogue]), 8: (c_uint64, 0x7F00_1234_5670),
                    10: (c_int64, 23), 11: (c_uint64, 0x7F00_0000_0200 if masked else 0),
                    12: (c_int64, 128 if masked else 0),
                }  # fmt: skip
                for attribute, (kind, value) in operation.items():
                    found = read("MatmulDesc", plan.operation, attribute, kind())
                    assert found == value, (attribute, found, value)
                sizes = (11, 5) if flip_a else (5, 11), (7, 11) if flip_b else (11, 7), (5, 7)
                for layout, char, (rows, columns), lead, step in zip(
                    plan.layouts, chars[0] + chars, sizes, (13, 17, 19), (100, 0, 200), strict=True
                ):
                    layouts = {
                        0: (c_uint32, cublas.DATA_TYPES[char]), 1: (c_int32, 0),
                        2: (c_uint64, rows), 3: (c_uint64, columns), 4: (c_int64, lead),
                        5: (c_int32, 3), 6: (c_int64, step),
                    }  # fmt: skip
                    for attribute, (kind, value) in layouts.items():
                        found = read("MatrixLayout", layout, attribute, kind())
                        assert found == value, (attribute, found, value)
                count += 1
    return count


def main() -> int:
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else WHEELS
    if not (folder / "include/cublasLt.h").exists():
        print(f"nothing checked: there is no {folder}/include/cublasLt.h")
        return len(sys.argv) > 1
    # in memory before CuPy's extension modules ask for them
    for name in ("libcublasLt.so.13", "libcublas.so.13"):
        ctypes.CDLL(str(folder / "lib" / name), ctypes.RTLD_GLOBAL)
    sys.path.insert(0, str(ROOT))
    from gpunn.backend import cublas, cublaslt

    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "check.cpp"
        source.write_text(program(cublas, cublaslt))
        compiles(source, folder / "include")
    functions = len(cublas.SIGNATURES) + len(cublaslt.SIGNATURES)
    print(
        f"{len(constants(cublas, cublaslt))} constants and {functions} functions as in the headers"
    )
    compiles(ROOT / "ci/cuda-emu/src/cublaslt.cpp", folder / "include")
    print("the emulated cuBLASLt compiles with NVIDIA's header")
    print(f"{described(cublas, cublaslt)} products described to NVIDIA's library as they are")
    return 0


if __name__ == "__main__":
    sys.exit(main())

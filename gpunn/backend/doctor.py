"""What gpunn runs on: versions, BLAS, memory and CUDA, with what to do about what is wrong."""

import importlib.metadata
import os
import platform
import sys

from gpunn.backend import native
from gpunn.backend.kernels import registered
from gpunn.backend.memory import memory_summary
from gpunn.backend.probe import Check, cupy_wheels, probe_cuda
from gpunn.backend.threads import blas_name, get_num_threads

# Variables of the environment that slow NumPy down without saying so.
SLOW = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def report() -> list[Check]:
    """Everything worth knowing about this installation, one row each: what `gpunn doctor` prints.

    Rows of CUDA that are not ok mean that device="cuda" cannot be used; the CPU always can.

    >>> [row.name for row in gpunn.backend.doctor.report()][:3]
    ['gpunn', 'Python', 'NumPy']
    """
    rows = [
        Check("gpunn", True, _version("gpunn")),
        Check(
            "Python", True, f"{platform.python_version()} on {sys.platform} {platform.machine()}"
        ),
        Check("NumPy", True, _version("numpy")),
        Check("safetensors", True, _version("safetensors")),
        Check("BLAS", True, f"{blas_name()}, {get_num_threads()} threads"),
    ]
    for name in SLOW:
        if os.environ.get(name):
            rows.append(
                Check(
                    name,
                    False,
                    f"set to {os.environ[name]!r}: matrix products may take up to twice the time",
                    f"unset {name} before Python starts",
                )
            )
    rows.append(Check("LLVM", True, native.about()))
    rows.append(Check("memory", True, memory_summary("cpu")))
    wheels = cupy_wheels()
    rows.append(Check("CuPy wheels", len(wheels) < 2, ", ".join(wheels) or "none installed"))
    checks = probe_cuda()
    rows += [Check(f"CUDA {c.name}", c.ok, c.detail, c.fix) for c in checks]
    if all(c.ok for c in checks):
        rows.append(Check("CUDA memory", True, memory_summary("cuda")))
        kernels = sorted({op for op, kind, _ in registered() if kind == "cuda"})
        rows.append(Check("CUDA kernels", True, ", ".join(kernels) or "none"))
        from gpunn.backend import cublaslt

        rows.append(Check("CUDA epilogues", True, cublaslt.about()))
    return rows


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed as a package"

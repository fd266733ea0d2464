"""The threads that NumPy's BLAS multiplies matrices with."""

import ctypes
import os
from functools import cache
from pathlib import Path

import numpy as np

from gpunn.errors import ArgumentError, DeviceError

# How the BLAS libraries name a function: OpenBLAS and MKL; SciPy's builds of OpenBLAS, which are in
# NumPy's wheels, add a prefix and a suffix for 64-bit integers.
_NAMES = {
    "set": ("openblas_set_num_threads", "MKL_Set_Num_Threads"),
    "get": ("openblas_get_num_threads", "MKL_Get_Max_Threads"),
    "core": ("openblas_get_corename",),
    "config": ("openblas_get_config",),
}
_PREFIXES = ("", "scipy_")
_SUFFIXES = ("", "64_", "_64", "64")


def set_num_threads(n: int) -> None:
    """Let matrix products on the CPU use n threads, from now on.

    Args:
        n: at least 1; more than the cores that are free makes everything slower.

    Raises:
        ArgumentError: if n is not a positive integer.
        DeviceError: if NumPy's BLAS cannot be told (macOS' Accelerate); its environment variable
            can, before Python starts.

    >>> gpunn.set_num_threads(gpunn.get_num_threads())
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ArgumentError(f"the number of threads must be an integer of at least 1, not {n!r}")
    function = _function("set")
    if function is None:
        raise DeviceError(
            f"the number of threads of NumPy's BLAS ({blas_name()}) cannot be changed from here: "
            "set OMP_NUM_THREADS (Accelerate: VECLIB_MAXIMUM_THREADS) before Python starts"
        )
    function(int(n))


def get_num_threads() -> int:
    """How many threads matrix products on the CPU use.

    >>> gpunn.get_num_threads() >= 1
    True
    """
    function = _function("get")
    if function is not None:
        return int(function())
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


@cache
def blas_name() -> str:
    """The BLAS that NumPy was built with, its version, and the CPU type it chose."""
    found = np.show_config(mode="dicts")["Build Dependencies"].get("blas", {})
    text = f"{found.get('name', 'unknown')} {found.get('version', '')}".strip()
    function = _function("core")
    if function is not None:
        function.restype = ctypes.c_char_p
        text += f" ({function().decode()})"
    return text


@cache
def _function(what: str):
    """A function of the BLAS that NumPy has loaded, or None if it is not one we know."""
    for library in _libraries():
        for name in _NAMES[what]:
            for prefix in _PREFIXES:
                for suffix in _SUFFIXES:
                    function = getattr(library, prefix + name + suffix, None)
                    if function is not None:
                        return function
    return None


@cache
def _libraries() -> tuple:
    """The BLAS libraries beside NumPy, or else among those the process has loaded."""
    package = Path(np.__file__).parent
    paths = [
        str(path)
        for folder in (package.parent / "numpy.libs", package / ".dylibs", package / ".libs")
        if folder.is_dir()
        for path in folder.glob("*openblas*")
    ]
    try:
        with open("/proc/self/maps") as maps:
            files = {line.split()[-1] for line in maps if "/" in line}
        known = ("libopenblas", "libmkl_rt", "libcblas", "libblas")
        paths += sorted(f for f in files if Path(f).name.startswith(known))
    except OSError:
        pass
    libraries = []
    for path in dict.fromkeys(paths):
        try:
            libraries.append(ctypes.CDLL(path))
        except OSError:
            continue
    return tuple(libraries)

"""How many threads gpunn uses on the CPU, and those that NumPy's BLAS multiplies with."""

import ctypes
import os
import threading
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
    """Let gpunn use n threads on the CPU, from now on; NumPy's own products use as many.

    Steps of training, evaluation and prediction multiply with one thread each: threads of a BLAS
    that wait for each other beside other work take ten times as long. What can be done side by side
    in a step is done by several Python threads, if that is measured to be quicker; results are the
    same bits for every n.

    Args:
        n: at least 1; default of the process: the cores that it may run on, or what
            `OPENBLAS_NUM_THREADS` or `OMP_NUM_THREADS` said when it started.

    Raises:
        ArgumentError: if n is not a positive integer.
        DeviceError: if NumPy's BLAS cannot be told (macOS' Accelerate); its environment variable
            can, before Python starts.

    >>> gpunn.set_num_threads(gpunn.get_num_threads())
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ArgumentError(f"the number of threads must be an integer of at least 1, not {n!r}")
    if _function("set") is None:
        raise DeviceError(
            f"the number of threads of NumPy's BLAS ({blas_name()}) cannot be changed from here: "
            "set OMP_NUM_THREADS (Accelerate: VECLIB_MAXIMUM_THREADS) before Python starts"
        )
    global _chosen
    _chosen = int(n)
    one_blas_thread.outside(int(n))


def get_num_threads() -> int:
    """How many threads gpunn may use on the CPU.

    >>> gpunn.get_num_threads() >= 1
    True
    """
    if _chosen is not None:
        return _chosen
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value):
            return int(value)
    return cores()


def cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_chosen: int | None = None


class _OneBlasThread:
    """A context in which NumPy's BLAS multiplies with one thread.

    It counts for the whole process: the last of all threads to leave puts back what was before.
    """

    def __init__(self):
        self.inside = 0  # contexts that are open
        self._before = 0
        self._lock = threading.Lock()

    def __enter__(self):
        with self._lock:
            if not self.inside and (get := _function("get")) is not None:
                self._before = get()
                _function("set")(1)
            self.inside += 1

    def __exit__(self, *exc):
        with self._lock:
            self.inside -= 1
            if not self.inside and (tell := _function("set")) is not None:
                tell(self._before)

    def outside(self, n: int) -> None:
        """Set the number of threads that hold where no such context is open."""
        with self._lock:
            self._before = n
            if not self.inside:
                _function("set")(n)


one_blas_thread = _OneBlasThread()


@cache
def blas_name() -> str:
    """The BLAS that NumPy was built with, its version, and the CPU type it chose."""
    found = np.show_config(mode="dicts")["Build Dependencies"].get("blas", {})
    text = f"{found.get('name', 'unknown')} {found.get('version', '')}".strip()
    return f"{text} ({core})" if (core := _core()) else text


@cache
def small_products() -> int:
    """How many multiplications make a product small: NumPy's BLAS does it with the operands as they
    lie, instead of copies that suit the CPU's caches; 0 where it copies all.

    OpenBLAS does so on CPUs with AVX-512.
    """
    return 10**6 if _core().lower() in ("skylakex", "cooperlake", "sapphirerapids") else 0


def _core() -> str:
    """The CPU type that OpenBLAS chose, or nothing."""
    function = _function("core")
    if function is None:
        return ""
    function.restype = ctypes.c_char_p
    return function().decode()


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

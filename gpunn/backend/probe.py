"""Does CUDA work here? Each thing it takes, tried once, with what to do about what is missing."""

import ctypes
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpunn.errors import DeviceError

DRIVER = "install NVIDIA's driver for the GPU; device='cpu' needs none"


@dataclass(frozen=True)
class Check:
    """One thing a CUDA device needs: whether it is there, what was seen, and how to mend it."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def probe_cuda(index: int = 0) -> tuple[Check, ...]:
    """Check driver, CuPy, runtime, an allocation, cuBLAS and NVRTC, in order.

    What comes after a failure is not tried. A probe that passed is remembered.
    """
    passed = _passed.get(index)
    if passed is None:
        passed = tuple(_run(index))
        if all(c.ok for c in passed):
            _passed[index] = passed
    return passed


_passed: dict[int, tuple[Check, ...]] = {}


def require_cuda(index: int = 0) -> None:
    """Raise DeviceError, with what is missing and the line that installs it, unless CUDA works."""
    for check in probe_cuda(index):
        if not check.ok:
            raise DeviceError(
                f"device 'cuda:{index}' cannot be used: {check.name}: {check.detail}. "
                f"To mend it: {check.fix}. (`gpunn doctor` shows every check.)"
            )


def _run(index: int) -> Iterator[Check]:
    for name, attempt in _CHECKS:
        try:
            detail = attempt(index)
        except Exception as e:  # any failure of a vendor's library is a finding, not an error here
            text = " ".join(str(e).split())
            yield Check(name, False, f"{type(e).__name__}: {text}"[:300], _fix(name, e))
            return
        yield Check(name, True, detail)


def _fix(name: str, error: Exception) -> str:
    if name == "driver":
        return DRIVER
    if isinstance(error, SeveralWheels):  # what is left of either is broken
        return (
            f"pip uninstall -y {' '.join(error.names)}; then {install_line().split('; then ')[-1]}"
        )
    if name == "allocation":
        return "free memory on the GPU: `nvidia-smi` shows who holds it"
    if name == "runtime":
        return f"look at `nvidia-smi` and CUDA_VISIBLE_DEVICES; else {install_line()}"
    return install_line()


def install_line() -> str:
    """The pip line for CuPy with all it needs: by the driver's version where that is known."""
    try:
        version = driver_version()
    except OSError:
        version = 0
    if not version:
        return "pip install 'gpunn[cuda13]' (for drivers R580 and newer; else 'gpunn[cuda12]')"
    if version < 12000:
        return "update NVIDIA's driver (R525 or newer); then pip install 'gpunn[cuda12]'"
    extra = "cuda13" if version >= 13000 else "cuda12"
    line = f"pip install 'gpunn[{extra}]'"
    other = [w.split()[0] for w in cupy_wheels() if w.split()[0] != f"cupy-{extra}x"]
    return f"pip uninstall -y {' '.join(other)}; then {line}" if other else line


def emulated() -> bool:
    """Whether CUDA is emulated on the CPU, by `ci/cuda-emu/run`: right or wrong, but not fast."""
    try:
        return hasattr(ctypes.CDLL(None), "cudaemu_counters")
    except (OSError, TypeError):  # where there is no such library
        return False


def driver_version() -> int:
    """The newest CUDA that the driver can run: 13000 is 13.0.

    Raises:
        OSError: if there is no driver, or it does not answer.
    """
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            library = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        raise OSError("no NVIDIA driver (libcuda.so.1) on this machine")
    version = ctypes.c_int()
    status = library.cuDriverGetVersion(ctypes.byref(version))
    if status:
        raise OSError(f"the driver does not answer: cuDriverGetVersion returned {status}")
    return version.value


def _driver(index):
    return f"CUDA {dotted(driver_version())}"


def dotted(version: int) -> str:
    """CUDA's version numbers for people.

    >>> gpunn.backend.probe.dotted(12090)
    '12.9'
    """
    return f"{version // 1000}.{version % 1000 // 10}"


class SeveralWheels(ImportError):
    """More than one CuPy is installed: each overwrites files of the other."""

    def __init__(self, wheels: tuple[str, ...]):
        super().__init__(f"several CuPy wheels are installed: {', '.join(wheels)}; keep one")
        self.names = [wheel.split()[0] for wheel in wheels]


def _cupy(index):
    wheels = cupy_wheels()
    if len(wheels) > 1:
        raise SeveralWheels(wheels)
    if importlib.util.find_spec("cupy") is None:
        raise ImportError("CuPy is not installed")
    import cupy

    if int(cupy.__version__.split(".")[0]) < 14:
        raise ImportError(f"CuPy {cupy.__version__} is older than 14")
    return cupy.__version__


def cupy_wheels() -> tuple[str, ...]:
    """The installed distributions that contain CuPy: more than one is a broken installation."""
    found = {}
    for distribution in importlib.metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if name == "cupy" or name.startswith(("cupy-cuda", "cupy-rocm")):
            found[name] = f"{name} {distribution.version}"
    return tuple(found[name] for name in sorted(found))


def _runtime(index):
    import cupy

    count = cupy.cuda.runtime.getDeviceCount()
    if index >= count:
        raise OSError(f"there is no device {index}: found {count}")
    version = cupy.cuda.runtime.runtimeGetVersion()
    name = cupy.cuda.runtime.getDeviceProperties(index)["name"].decode()
    return f"CUDA {dotted(version)}, {name}"


def _allocation(index):
    import cupy

    with cupy.cuda.Device(index):
        x = cupy.empty(1024, "float32")
        free, total = cupy.cuda.runtime.memGetInfo()
    del x
    return f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"


def _cublas(index):
    import cupy

    with cupy.cuda.Device(index):
        a = cupy.asarray(np.ones((2, 2), "float32"))  # a copy: no kernel, so no NVRTC yet
        if float((a @ a)[0, 0]) != 2.0:
            raise ArithmeticError("a 2x2 product is wrong")
        from cupy_backends.cuda.libs import cublas

        version = cublas.getVersion(cupy.cuda.Device(index).cublas_handle)
    return f"cuBLAS {version}"


def _nvrtc(index):
    import cupy

    # with the headers of every kernel here: a CuPy without the toolkit's lacks them
    code = "#include <cuda_bf16.h>\n#include <cuda_fp16.h>\n"
    code += 'extern "C" __global__ void probe(int* x) { x[0] = 42; }'
    with cupy.cuda.Device(index):
        x = cupy.empty(1, "int32")
        cupy.RawModule(code=code).get_function("probe")((1,), (1,), (x,))
        if int(x[0]) != 42:
            raise ArithmeticError("a compiled kernel did not run")
    from cupy.cuda import nvrtc

    return "NVRTC {}.{}".format(*nvrtc.getVersion())


_CHECKS = (
    ("driver", _driver),
    ("CuPy", _cupy),
    ("runtime", _runtime),
    ("allocation", _allocation),
    ("cuBLAS", _cublas),
    ("NVRTC", _nvrtc),
)

"""Does CUDA work here? Each thing it takes, tried once, with what to do about what is missing."""

import ctypes
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from functools import cache

from gpunn.errors import DeviceError

INSTALL = "pip install 'gpunn[cuda13]' (CUDA 13 drivers, R580 or newer) or 'gpunn[cuda12]'"


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
                f"{check.fix} (`gpunn doctor` shows every check; device='cpu' needs none of this)"
            )


def _run(index: int):
    for name, fix, attempt in _CHECKS:
        try:
            detail = attempt(index)
        except Exception as e:  # any failure of a vendor's library is a finding, not an error here
            text = " ".join(str(e).split())
            yield Check(name, False, f"{type(e).__name__}: {text}"[:300], fix)
            return
        yield Check(name, True, detail)


def _driver(index):
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError:
        library = ctypes.CDLL("nvcuda.dll") if hasattr(ctypes, "WinDLL") else _raise_no_driver()
    version = ctypes.c_int()
    status = library.cuDriverGetVersion(ctypes.byref(version))
    if status:
        raise OSError(f"cuDriverGetVersion returned {status}")
    return f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"


def _raise_no_driver():
    raise OSError("no NVIDIA driver (libcuda.so.1) on this machine")


def _cupy(index):
    if importlib.util.find_spec("cupy") is None:
        raise ImportError("CuPy is not installed")
    wheels = cupy_wheels()
    if len(wheels) > 1:
        raise ImportError(f"several CuPy wheels are installed: {', '.join(wheels)}; keep one")
    import cupy

    if int(cupy.__version__.split(".")[0]) < 14:
        raise ImportError(f"CuPy {cupy.__version__} is older than 14")
    return cupy.__version__


@cache
def cupy_wheels() -> tuple[str, ...]:
    """The installed distributions that contain CuPy: more than one is a broken installation."""
    return tuple(
        f"{d.metadata['Name']} {d.version}"
        for d in importlib.metadata.distributions()
        if (d.metadata["Name"] or "").lower().replace("_", "-").split("-cuda")[0].startswith("cupy")
    )


def _runtime(index):
    import cupy

    count = cupy.cuda.runtime.getDeviceCount()
    if index >= count:
        raise OSError(f"there is no device {index}: found {count}")
    version = cupy.cuda.runtime.runtimeGetVersion()
    name = cupy.cuda.runtime.getDeviceProperties(index)["name"].decode()
    return f"CUDA {version // 1000}.{version % 1000 // 10}, {name}"


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
        a = cupy.ones((2, 2), "float32")
        if float((a @ a).sum()) != 8.0:
            raise ArithmeticError("a 2x2 product is wrong")
        from cupy_backends.cuda.libs import cublas

        version = cublas.getVersion(cupy.cuda.Device(index).cublas_handle)
    return f"cuBLAS {version}"


def _nvrtc(index):
    import cupy

    code = 'extern "C" __global__ void probe(int* x) { x[0] = 42; }'
    with cupy.cuda.Device(index):
        x = cupy.zeros(1, "int32")
        cupy.RawModule(code=code).get_function("probe")((1,), (1,), (x,))
        if int(x[0]) != 42:
            raise ArithmeticError("a compiled kernel did not run")
    from cupy.cuda import nvrtc

    return "NVRTC {}.{}".format(*nvrtc.getVersion())


_CHECKS = (
    ("driver", "Install NVIDIA's driver for your GPU", _driver),
    ("CuPy", INSTALL, _cupy),
    ("runtime", "Check `nvidia-smi` and CUDA_VISIBLE_DEVICES, or " + INSTALL, _runtime),
    ("allocation", "Free memory on the GPU: `nvidia-smi` shows who holds it", _allocation),
    ("cuBLAS", INSTALL, _cublas),
    ("NVRTC", INSTALL, _nvrtc),
)

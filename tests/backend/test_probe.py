"""Every way in which CUDA can be missing is named, with the line that mends it."""

import ctypes
import importlib.util
import sys
import types
from importlib import metadata

import numpy as np
import pytest

import gpunn
from gpunn.backend import doctor, probe, registry
from gpunn.errors import DeviceError, GpunnError


class FakeDevice:
    cublas_handle = 0

    def __init__(self, index):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass


@pytest.fixture
def machine(monkeypatch):
    """A machine with a GPU where everything works; take away what shall be missing."""
    cupy = types.ModuleType("cupy")
    cupy.__version__ = "14.2.0"
    cupy.empty = lambda *a: np.zeros(*a)
    cupy.asarray = np.asarray

    class RawModule:
        def __init__(self, code):
            pass

        def get_function(self, name):
            return lambda grid, block, args: args[0].fill(42)

    cupy.RawModule = RawModule
    runtime = types.SimpleNamespace(
        getDeviceCount=lambda: 1,
        runtimeGetVersion=lambda: 13000,
        getDeviceProperties=lambda i: {"name": b"Fake GPU"},
        memGetInfo=lambda: (2**30, 2**31),
    )
    cuda = types.ModuleType("cupy.cuda")
    cuda.runtime, cuda.Device = runtime, FakeDevice
    cuda.nvrtc = types.SimpleNamespace(getVersion=lambda: (13, 0))
    cupy.cuda = cuda
    libs = types.ModuleType("cupy_backends.cuda.libs")
    libs.cublas = types.SimpleNamespace(getVersion=lambda handle: 130000)
    for name, module in {
        "cupy": cupy,
        "cupy.cuda": cuda,
        "cupy_backends": types.ModuleType("cupy_backends"),
        "cupy_backends.cuda": types.ModuleType("cupy_backends.cuda"),
        "cupy_backends.cuda.libs": libs,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    cupy.__spec__ = importlib.util.spec_from_loader("cupy", None)
    monkeypatch.setattr(probe, "_passed", {})
    monkeypatch.setattr(registry, "_cuda", {})
    monkeypatch.setattr(probe, "driver_version", lambda: 13000)
    monkeypatch.setattr(probe, "cupy_wheels", lambda: ("cupy-cuda13x 14.2.0",))
    return cupy


def failure(index=0) -> str:
    with pytest.raises(DeviceError) as caught:
        probe.require_cuda(index)
    assert isinstance(caught.value, RuntimeError) and isinstance(caught.value, GpunnError)
    return str(caught.value)


def raises(error):
    def function(*args, **options):
        raise error

    return function


def test_all_is_well(machine):
    checks = probe.probe_cuda()
    assert [c.name for c in checks] == [
        "driver", "CuPy", "runtime", "allocation", "cuBLAS", "NVRTC",
    ]  # fmt: skip
    assert all(c.ok for c in checks)
    assert checks[2].detail == "CUDA 13.0, Fake GPU"
    probe.require_cuda()
    machine.cuda.runtime.getDeviceCount = raises(RuntimeError)
    probe.require_cuda()  # a probe that passed is remembered


def test_no_driver(machine, monkeypatch):
    def missing(name, *args):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.undo()
    monkeypatch.setattr(probe, "_passed", {})
    monkeypatch.setattr(ctypes, "CDLL", missing)
    message = failure()
    assert "'cuda:0' cannot be used: driver: OSError: no NVIDIA driver" in message
    assert "install NVIDIA's driver" in message and "device='cpu'" in message


def test_driver_that_does_not_answer(monkeypatch):
    library = types.SimpleNamespace(cuDriverGetVersion=lambda pointer: 999)
    monkeypatch.setattr(probe, "_passed", {})
    monkeypatch.setattr(ctypes, "CDLL", lambda *a: library)
    assert "cuDriverGetVersion returned 999" in failure()


@pytest.mark.parametrize(
    ("version", "line"),
    [
        (13010, "pip install 'gpunn[cuda13]'."),
        (12090, "pip install 'gpunn[cuda12]'."),
        (11080, "update NVIDIA's driver (R525 or newer); then pip install 'gpunn[cuda12]'"),
    ],
)
def test_driver_without_cupy(machine, monkeypatch, version, line):
    monkeypatch.setattr(probe, "driver_version", lambda: version)
    monkeypatch.setattr(probe, "cupy_wheels", lambda: ())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = failure()
    assert "CuPy: ImportError: CuPy is not installed" in message and line in message


def test_old_cupy(machine):
    machine.__version__ = "13.6.0"
    assert "CuPy 13.6.0 is older than 14" in failure()


def test_two_cupy_wheels(machine, monkeypatch):
    monkeypatch.setattr(
        probe, "cupy_wheels", lambda: ("cupy-cuda12x 14.2.0", "cupy-cuda13x 14.2.0")
    )
    message = failure()
    assert "several CuPy wheels are installed: cupy-cuda12x 14.2.0, cupy-cuda13x" in message
    assert "pip uninstall -y cupy-cuda12x cupy-cuda13x; then pip install 'gpunn[cuda13]'" in message


def test_cupy_without_a_device(machine):
    machine.cuda.runtime.getDeviceCount = raises(RuntimeError("cudaErrorNoDevice: no CUDA device"))
    message = failure()
    assert "runtime: RuntimeError: cudaErrorNoDevice" in message
    assert "nvidia-smi" in message and "CUDA_VISIBLE_DEVICES" in message


def test_wheel_too_new_for_the_driver(machine, monkeypatch):
    monkeypatch.setattr(probe, "driver_version", lambda: 12080)
    machine.cuda.runtime.getDeviceCount = raises(RuntimeError("cudaErrorInsufficientDriver"))
    assert "pip uninstall -y cupy-cuda13x; then pip install 'gpunn[cuda12]'" in failure()


def test_no_such_device(machine):
    message = failure(3)
    assert "'cuda:3'" in message and "there is no device 3: found 1" in message


def test_no_memory(machine):
    machine.empty = raises(MemoryError("out of memory allocating 4,096 bytes"))
    message = failure()
    assert (
        "allocation: MemoryError: out of memory" in message and "free memory on the GPU" in message
    )


def test_no_cublas(machine):
    class Array:
        def __matmul__(self, other):
            raise ImportError("libcublas.so.13: cannot open shared object file")

    machine.asarray = lambda x: Array()
    message = failure()
    assert "cuBLAS: ImportError: libcublas.so.13" in message
    assert "pip install 'gpunn[cuda13]'" in message


def test_wrong_cublas(machine):
    machine.asarray = lambda x: np.zeros((2, 2))
    assert "cuBLAS: ArithmeticError: a 2x2 product is wrong" in failure()


def test_no_nvrtc(machine):
    machine.RawModule = raises(RuntimeError("libnvrtc.so.13: cannot open shared object file"))
    message = failure()
    assert "NVRTC: RuntimeError: libnvrtc.so.13" in message
    assert "pip install 'gpunn[cuda13]'" in message


def test_no_headers_of_the_toolkit(machine):
    """Kernels include those of the halves; a plain one would compile without."""

    class RawModule(machine.RawModule):
        def __init__(self, code):
            for header in ("cuda_fp16.h", "cuda_bf16.h"):
                if header in code:
                    raise RuntimeError(f'cannot open source file "{header}"')
            super().__init__(code)

    machine.RawModule = RawModule
    message = failure()
    assert 'NVRTC: RuntimeError: cannot open source file "cuda_' in message
    assert "pip install 'gpunn[cuda13]'" in message


def test_the_user_sees_it_wherever_a_device_is_named(machine):
    machine.RawModule = raises(RuntimeError("no NVRTC"))
    for attempt in (
        lambda: gpunn.set_device("cuda"),
        lambda: gpunn.device("cuda").__enter__(),
        lambda: gpunn.Tensor([1.0], device="cuda"),
        lambda: gpunn.Tensor([1.0]).to("cuda"),
        lambda: gpunn.Tensor([1.0]).cuda(),
        lambda: gpunn.Variable([1.0], device="cuda:0"),
    ):
        with pytest.raises(DeviceError, match="NVRTC"):
            attempt()
    assert gpunn.current_device() == "cpu"


def test_auto_says_once_what_it_chose(machine, monkeypatch, caplog):
    monkeypatch.setattr(sys.modules["gpunn.backend.device"], "_auto_choice", None)
    machine.RawModule = raises(RuntimeError("no NVRTC"))
    assert gpunn.set_device("auto") == "cpu"
    assert gpunn.set_device("auto") == "cpu"
    (said,) = caplog.messages
    assert said.startswith("device 'auto' is cpu (NVRTC: ")


def test_wheels_are_found_by_name(monkeypatch):
    def distribution(name, version="14.2.0"):
        return types.SimpleNamespace(metadata={"Name": name}, version=version)

    installed = ["numpy", "cupy_cuda12x", "cupy-cuda13x", "cupyx", "cupy-CUDA13x", "mycupy"]
    monkeypatch.setattr(metadata, "distributions", lambda: map(distribution, installed))
    assert probe.cupy_wheels() == ("cupy-cuda12x 14.2.0", "cupy-cuda13x 14.2.0")


def test_report(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    rows = {row.name: row for row in doctor.report()}
    assert rows["gpunn"].detail == gpunn.__version__
    assert rows["NumPy"].detail == np.__version__
    assert "threads" in rows["BLAS"].detail and "free of" in rows["memory"].detail
    slow = rows["OPENBLAS_CORETYPE"]
    assert not slow.ok and "Haswell" in slow.detail and "unset" in slow.fix
    assert "CUDA driver" in rows


def test_report_of_a_machine_without_cuda(machine, monkeypatch):
    monkeypatch.setattr(probe, "cupy_wheels", lambda: ())
    monkeypatch.setattr(doctor, "cupy_wheels", lambda: ())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    rows = doctor.report()
    assert rows[-1].name == "CUDA CuPy" and not rows[-1].ok
    assert rows[-1].fix == "pip install 'gpunn[cuda13]'"
    assert {row.name: row.detail for row in rows}["CuPy wheels"] == "none installed"


def test_report_of_two_wheels(machine, monkeypatch):
    two = lambda: ("cupy-cuda12x 14.2.0", "cupy-cuda13x 14.2.0")  # noqa: E731
    monkeypatch.setattr(probe, "cupy_wheels", two)
    monkeypatch.setattr(doctor, "cupy_wheels", two)
    row = {row.name: row for row in doctor.report()}["CuPy wheels"]
    assert not row.ok and "cupy-cuda12x" in row.detail


def test_report_with_cuda(cuda):
    rows = {row.name: row for row in doctor.report()}
    assert rows["CUDA NVRTC"].ok and "used" in rows["CUDA memory"].detail
    assert "crossentropy" in rows["CUDA kernels"].detail

"""From arrays and device names to the backend that serves them, and foreign data to arrays."""

import copyreg
from contextvars import ContextVar

import numpy as np

from gpunn.backend.base import Backend
from gpunn.backend.device import Device, current_device
from gpunn.backend.dtypes import standardize
from gpunn.backend.numpy_ import CPU_BACKEND, from_object
from gpunn.errors import DeviceError, DTypeError

# Backends by the type of their arrays, for those where the type alone decides.
BY_TYPE: dict[type, Backend] = {np.ndarray: CPU_BACKEND}
_cuda: dict[int, Backend] = {}
# What makes new arrays on the CPU in this context: a recording's backend while one runs.
maker: ContextVar[Backend] = ContextVar("gpunn_maker", default=CPU_BACKEND)


def get_backend(device=None) -> Backend:
    """The backend of a device (default: the current one).

    Raises:
        DeviceError: if it cannot be used, with what is missing and how to install it.
    """
    if device is None:
        device = current_device()
        if device.kind == "cpu":
            return maker.get()
    else:
        device = Device.parse(device)
        if device.kind == "cpu":
            return CPU_BACKEND
    be = _cuda.get(device.index)
    if be is None:
        from gpunn.backend.probe import require_cuda

        require_cuda(device.index)
        from gpunn.backend.cuda import bodies  # noqa: F401 - registers the kernels
        from gpunn.backend.cupy_ import CupyBackend

        be = CupyBackend(device)
        copyreg.pickle(CupyBackend, _by_name)
        if be.alone:
            BY_TYPE[be.array_type] = be
        _cuda[device.index] = be
    be.activate()  # what is made without operands lies on the thread's current device
    return be


def _by_name(be: Backend) -> tuple:
    """How a backend is copied and pickled: as its name; there is one per device."""
    return get_backend, (be.name,)


copyreg.pickle(type(CPU_BACKEND), _by_name)


def backend_of(array) -> Backend:
    """The backend of a raw array."""
    be = BY_TYPE.get(type(array))
    if be is not None:
        return be
    if isinstance(array, np.ndarray):
        return CPU_BACKEND
    device = getattr(array, "device", None)
    if device is not None and type(array).__module__.startswith("cupy"):
        be = get_backend(Device("cuda", device.id))
        be.activate()
        return be
    raise DTypeError(f"expected an array, got {type(array).__name__}")


def is_array(x) -> bool:
    """Whether x is a raw array of one of our devices."""
    return isinstance(x, np.ndarray) or (type(x).__module__ == "cupy" and hasattr(x, "get"))


def to_array(data, dtype=None, device=None):
    """A raw array of anything array-like.

    Arrays of a GPU stay where they lie, host data goes to the current device, both without a copy
    where none is needed; `device` overrules. Takes NumPy and CuPy arrays, DLPack and
    `__cuda_array_interface__` objects, pandas objects, lists and scalars.
    """
    array = _native(data)
    be = backend_of(array)
    if device is not None:
        target = get_backend(device)
        # a recorded array has a backend of its own, on the same device
        if be is not target and be.device != target.device:
            be = target
    elif be is CPU_BACKEND:
        be = get_backend()
    return be.asarray(array, None if dtype is None else standardize(dtype))


def host_array(data) -> np.ndarray:
    """A NumPy array of anything array-like; device arrays are copied to the host."""
    array = _native(data)
    return array if isinstance(array, np.ndarray) else backend_of(array).to_numpy(array)


def _native(data):
    """The NumPy or CuPy array of any array-like, in the memory it lies in where that can be."""
    if is_array(data):
        return data
    if hasattr(data, "__cuda_array_interface__"):
        return get_backend("cuda").xp.asarray(data)
    if hasattr(data, "__dlpack_device__") and not isinstance(data, np.generic):
        kind = int(data.__dlpack_device__()[0])
        if kind in (2, 13):  # CUDA and CUDA managed memory
            return get_backend("cuda").xp.from_dlpack(data)
        if kind not in (1, 3):  # host memory, and host memory pinned for CUDA
            raise DeviceError(
                f"a {type(data).__name__} lies on a device of DLPack kind {kind}: "
                "expected host or CUDA memory"
            )
        try:
            return np.from_dlpack(data)
        except (BufferError, RuntimeError, TypeError, ValueError):
            pass  # read-only or of a dtype DLPack lacks: __array__ copies
    return from_object(data)

"""Devices and their arrays: the only package that knows CuPy.

`be` (a `Backend`) is what a primitive computes with; see `base.py` for its contract.
"""

from gpunn.backend.base import Backend
from gpunn.backend.device import CPU, Device, current_device, device, set_device
from gpunn.backend.dtypes import floatx, set_floatx, standardize
from gpunn.backend.kernels import kernel
from gpunn.backend.numpy_ import CPU_BACKEND, keep_freed_memory
from gpunn.backend.random import Stream, current_seed, seed, set_seed
from gpunn.backend.registry import (
    BY_TYPE,
    backend_of,
    get_backend,
    host_array,
    is_array,
    to_array,
)

__all__ = [
    "BY_TYPE",
    "CPU",
    "CPU_BACKEND",
    "Backend",
    "Device",
    "Stream",
    "backend_of",
    "current_device",
    "current_seed",
    "device",
    "floatx",
    "get_backend",
    "host_array",
    "is_array",
    "keep_freed_memory",
    "kernel",
    "seed",
    "set_device",
    "set_floatx",
    "set_seed",
    "standardize",
    "to_array",
]

"""Devices and their arrays: the only package that knows CuPy.

`be` (a `Backend`) is what a primitive computes with; see `base.py` for its contract.
"""

from gpunn.backend.base import Backend
from gpunn.backend.conventions import (
    backend,
    epsilon,
    image_data_format,
    is_float_dtype,
    is_int_dtype,
    result_type,
    set_image_data_format,
    standardize_dtype,
)
from gpunn.backend.device import CPU, Device, current_device, device, set_device
from gpunn.backend.dtypes import floatx, set_floatx, standardize
from gpunn.backend.host import keep_freed_memory
from gpunn.backend.kernels import kernel
from gpunn.backend.memory import empty_cache, memory_summary
from gpunn.backend.numpy_ import CPU_BACKEND, quiet
from gpunn.backend.precision import (
    get_float32_matmul_precision,
    set_float32_matmul_precision,
)
from gpunn.backend.random import Stream, current_seed, seed, set_seed
from gpunn.backend.registry import (
    BY_TYPE,
    backend_of,
    get_backend,
    host_array,
    is_array,
    to_array,
)
from gpunn.backend.threads import (
    get_num_threads,
    one_blas_thread,
    set_num_threads,
    small_products,
)
from gpunn.naming import clear_session

__all__ = [
    "BY_TYPE",
    "CPU",
    "CPU_BACKEND",
    "Backend",
    "Device",
    "Stream",
    "backend",
    "backend_of",
    "clear_session",
    "current_device",
    "current_seed",
    "device",
    "empty_cache",
    "epsilon",
    "floatx",
    "get_backend",
    "get_float32_matmul_precision",
    "get_num_threads",
    "host_array",
    "image_data_format",
    "is_array",
    "is_float_dtype",
    "is_int_dtype",
    "keep_freed_memory",
    "kernel",
    "memory_summary",
    "one_blas_thread",
    "quiet",
    "result_type",
    "seed",
    "set_device",
    "set_float32_matmul_precision",
    "set_floatx",
    "set_image_data_format",
    "set_num_threads",
    "set_seed",
    "small_products",
    "standardize",
    "standardize_dtype",
    "to_array",
]

keep_freed_memory()

"""What holds for everything that gpunn makes from now on, as in `keras.config`."""

from gpunn.backend import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_floatx,
    set_image_data_format,
)
from gpunn.layers import dtype_policy, set_dtype_policy

__all__ = [
    "backend",
    "dtype_policy",
    "epsilon",
    "floatx",
    "image_data_format",
    "set_dtype_policy",
    "set_floatx",
    "set_image_data_format",
]

"""What holds for everything that gpunn makes from now on, as in `keras.config`."""

from gpunn.backend import (
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


def backend() -> str:
    """The name of the backend: "gpunn", on every device.

    Source: keras.config.backend.

    >>> gpunn.config.backend()
    'gpunn'
    """
    return "gpunn"

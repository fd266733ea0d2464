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
from gpunn.training.progress import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)

__all__ = [
    "backend",
    "disable_interactive_logging",
    "disable_traceback_filtering",
    "dtype_policy",
    "enable_interactive_logging",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_interactive_logging_enabled",
    "is_traceback_filtering_enabled",
    "set_dtype_policy",
    "set_floatx",
    "set_image_data_format",
]


def disable_traceback_filtering() -> None:
    """Show whole tracebacks: they always are, so nothing changes.

    Source: keras.config.disable_traceback_filtering.
    """


def is_traceback_filtering_enabled() -> bool:
    """Whether frames of gpunn are left out of tracebacks: never.

    Source: keras.config.is_traceback_filtering_enabled.

    >>> gpunn.config.is_traceback_filtering_enabled()
    False
    """
    return False

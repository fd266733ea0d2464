"""What holds for everything that gpunn makes from now on, as in `keras.config`."""

from gpunn.backend import floatx, set_floatx
from gpunn.errors import ArgumentError
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


def epsilon() -> float:
    """The small number that keeps losses and metrics from dividing by 0.

    Source: keras.config.epsilon.

    >>> gpunn.config.epsilon()
    1e-07
    """
    return 1e-7


def image_data_format() -> str:
    """Where layers that are given no `data_format` expect the channels.

    Source: keras.config.image_data_format.

    >>> gpunn.config.image_data_format()
    'channels_last'
    """
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Say where layers expect the channels: "channels_last", which is the only default there is.

    Raises:
        ArgumentError: for another format; each layer takes `data_format="channels_first"`.

    Source: keras.config.set_image_data_format.

    >>> gpunn.config.set_image_data_format("channels_last")
    """
    if data_format != "channels_last":
        raise ArgumentError(
            f"the default is always 'channels_last', not {data_format!r}: give the layers "
            "data_format='channels_first'"
        )

"""What `keras.backend` says of dtypes, epsilon, and where images have channels."""

from gpunn.backend import dtypes
from gpunn.errors import unknown

_FORMATS = ("channels_last", "channels_first")
_data_format = "channels_last"


def backend() -> str:
    """The name of the backend: "gpunn", on every device.

    Source: keras.config.backend, keras.backend.backend.

    >>> gpunn.backend.backend()
    'gpunn'
    """
    return "gpunn"


def standardize_dtype(dtype) -> str:
    """The name of a dtype; None stands for `floatx`.

    Source: keras.backend.standardize_dtype.

    >>> gpunn.backend.standardize_dtype(np.int32), gpunn.backend.standardize_dtype(None)
    ('int32', 'float32')
    """
    return dtypes.standardize(dtype).name


def result_type(*given) -> str:
    """The name of the dtype that several have in common; see `gpunn.backend.dtypes.result_type`.

    Source: keras.backend.result_type.

    >>> gpunn.backend.result_type("int32", "float16"), gpunn.backend.result_type("int32", float)
    ('float16', 'float32')
    """
    return dtypes.result_type(*given).name


def is_float_dtype(dtype) -> bool:
    """Whether a dtype is one of floats, half ones too.

    Source: keras.backend.is_float_dtype.

    >>> gpunn.backend.is_float_dtype("float16"), gpunn.backend.is_float_dtype("int8")
    (True, False)
    """
    return dtypes.is_float(dtypes.standardize(dtype))


def is_int_dtype(dtype) -> bool:
    """Whether a dtype is one of integers.

    Source: keras.backend.is_int_dtype.

    >>> gpunn.backend.is_int_dtype("uint8"), gpunn.backend.is_int_dtype("bool")
    (True, False)
    """
    return dtypes.standardize(dtype).kind in "iu"


def epsilon() -> float:
    """The small number that keeps losses and metrics from dividing by 0.

    Source: keras.config.epsilon.

    >>> gpunn.config.epsilon()
    1e-07
    """
    return 1e-7


def image_data_format() -> str:
    """Where layers and ops that are given no `data_format` expect the channels.

    Source: keras.config.image_data_format.

    >>> gpunn.config.image_data_format()
    'channels_last'
    """
    return _data_format


def set_image_data_format(data_format: str) -> None:
    """Say where layers and ops that are given no `data_format` expect the channels.

    Layers ask when they are made, ops when they are called.

    Args:
        data_format: "channels_last", as when gpunn is imported, or "channels_first".

    Raises:
        ArgumentError: for another format.

    Source: keras.config.set_image_data_format.

    >>> gpunn.config.set_image_data_format("channels_first")
    >>> gpunn.layers.Conv2D(8, 3).data_format
    'channels_first'
    >>> gpunn.config.set_image_data_format("channels_last")
    """
    global _data_format
    if data_format not in _FORMATS:
        raise unknown("image_data_format", data_format, _FORMATS)
    _data_format = data_format


def channels_first(data_format: str | None, of: str) -> bool:
    """Whether a `data_format`, or the one set if it is None, has channels before the pixels.

    Raises:
        ArgumentError: if it is unknown; `of` says whose it is.
    """
    if data_format is None:
        data_format = _data_format
    if not isinstance(data_format, str) or data_format not in _FORMATS:
        raise unknown(f"data_format of {of}", data_format, _FORMATS)
    return data_format == "channels_first"

"""Numbers and names that Keras lets a user set, and that are fixed here."""

from gpunn.errors import ArgumentError


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

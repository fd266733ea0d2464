"""Checks of constructor arguments that many layers share; the messages name the layer."""

from numbers import Integral

from gpunn.backend.conventions import channels_first
from gpunn.checks import check_number
from gpunn.errors import ArgumentError, ArgumentTypeError


def positive_integer(layer, argument: str, value) -> int:
    """The value, if it is an integer from 1 up."""
    is_integer = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_integer or value < 1:
        error = ArgumentError if is_integer else ArgumentTypeError
        raise wrong(layer, f"{argument} must be a positive integer, got {value!r}", error)
    return int(value)


def axes(layer, value):
    """An integer, or a list of them."""
    several = isinstance(value, list | tuple)
    given = value if several else [value]
    if any(isinstance(a, bool) or not isinstance(a, Integral) for a in given):
        raise wrong(layer, f"axis must be an integer or several, got {value!r}", ArgumentTypeError)
    return [int(a) for a in value] if several else int(value)


def fraction(layer, argument: str, value) -> float:
    """The value, if it is a number from 0 to 1."""
    check_number(_named(layer, argument), value, low=0, high=1)
    return value


def not_negative(layer, argument: str, value) -> float:
    """The value, if it is a number from 0 up."""
    check_number(_named(layer, argument), value, low=0)
    return value


def data_format(layer, value) -> str:
    """ "channels_last" or "channels_first"; None is `image_data_format`."""
    first = channels_first(value, f"layer {layer.name!r} ({type(layer).__name__})")
    return "channels_first" if first else "channels_last"


def wrong(layer, message: str, error=ArgumentError):
    """An error with a message that starts with the layer's name and class."""
    return error(_named(layer, message))


def _named(layer, message: str) -> str:
    return f"layer {layer.name!r} ({type(layer).__name__}): {message}"

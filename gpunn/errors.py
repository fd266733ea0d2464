"""Every exception gpunn raises: each is a `GpunnError` and the builtin a caller would catch."""

import difflib
from collections.abc import Iterable


class GpunnError(Exception):
    """Base class of every error that gpunn raises on purpose."""


class DeviceError(GpunnError, RuntimeError):
    """A device cannot be used, or the operands of an op lie on different devices."""


class ShapeError(GpunnError, ValueError):
    """A shape does not fit.

    Args:
        short: how many times the values there are would make up those that were asked for.
    """

    def __init__(self, message: str, short: float | None = None):
        super().__init__(message)
        self.short = short


class DTypeError(GpunnError, TypeError, ValueError):
    """A dtype does not fit: also a ValueError, which Keras raises then."""


class ArgumentError(GpunnError, ValueError):
    """An argument has a value that is not allowed."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument has a type that is not allowed: also a ValueError, which Keras raises then."""


class UnknownOutputError(ArgumentError, KeyError):
    """A loss was given for an output that the model does not have."""

    def __str__(self) -> str:
        return self.args[0]  # a KeyError shows the repr


class GradientError(GpunnError, RuntimeError):
    """A gradient was asked for that does not exist, or exists no more."""


class AnomalyError(GpunnError, FloatingPointError):
    """The first NaN or Inf of a computation, with the op and the layer that made it."""


class InvalidLossError(AnomalyError, RuntimeError):
    """The loss became NaN or Inf, with what made it so."""


class NotBuiltError(GpunnError, ValueError, RuntimeError):
    """A layer, model or optimizer was used before its weights exist (in Keras a ValueError)."""


class NoInputError(NotBuiltError, AttributeError):
    """A layer or model has no symbolic input or output yet; `hasattr` says so."""


class MissingAttributeError(GpunnError, AttributeError):
    """An attribute that others of its kind have, and this has not; `hasattr` says so."""


class NotSupportedError(GpunnError, NotImplementedError):
    """Something that gpunn, or a class of yours, does not do."""


class CaptureError(GpunnError, RuntimeError):
    """A step cannot be recorded; it can run all the same, call by call."""


class NotLoadedError(CaptureError):
    """A capture met kernels that were not loaded. They are now: capture again."""


class KernelError(GpunnError, RuntimeError):
    """A device kernel does not compile or cannot be launched."""


class DataError(GpunnError, ValueError):
    """Data given for training or prediction cannot be used."""


class OutOfRangeError(DataError, IndexError):
    """An index or label is out of range; what a GPU met is found out when values are read."""


class OutOfMemoryError(GpunnError, MemoryError):
    """A device has no more memory, with what takes it and what would fit."""


class MissingFileError(GpunnError, FileNotFoundError, ValueError):
    """A file is not where it was looked for; says where to put it (in Keras a ValueError)."""


class SerializationError(GpunnError, ValueError):
    """A file or configuration cannot be read or written."""


class ConfigTypeError(SerializationError, TypeError):
    """A part of a configuration has a type that it cannot have."""


class MissingDependencyError(GpunnError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""


def unknown(kind: str, name: object, known: Iterable[str]) -> ArgumentError:
    """The error for a string that names nothing, with the nearest names that do.

    >>> str(unknown("loss", "hnge", ["hinge", "huber"]))
    "unknown loss 'hnge'; did you mean 'hinge'? known: hinge, huber"
    """
    names = sorted(set(known))
    hint = did_you_mean(str(name), names) or ";"
    return ArgumentError(f"unknown {kind} {name!r}{hint} known: {', '.join(names)}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest names to one that nothing has, as the end of a message; "" if none is near.

    >>> did_you_mean("unit", ["units", "use_bias"])
    "; did you mean 'units'?"
    """
    names = list(known)
    lower = [n.lower() for n in names]
    close = difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)
    near = [n for c in close for n in names if n.lower() == c]
    return f"; did you mean {' or '.join(repr(n) for n in dict.fromkeys(near))}?" if near else ""

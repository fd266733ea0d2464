"""Which device: parsing, the process' default, and the `with gpunn.device(...)` context."""

import contextlib
import logging
import os
from contextvars import ContextVar
from dataclasses import dataclass

from gpunn.errors import ArgumentError

log = logging.getLogger("gpunn")


@dataclass(frozen=True, slots=True)
class Device:
    """A place where arrays live: `Device("cpu")` or `Device("cuda", 1)`.

    >>> str(gpunn.backend.Device.parse("cuda:1"))
    'cuda:1'
    """

    kind: str
    index: int = 0

    def __str__(self) -> str:
        return "cpu" if self.kind == "cpu" else f"cuda:{self.index}"

    def __eq__(self, other) -> bool:
        if isinstance(other, str):
            other = Device.parse(other)
        return isinstance(other, Device) and (self.kind, self.index) == (other.kind, other.index)

    def __hash__(self) -> int:
        return hash((self.kind, self.index))

    @classmethod
    def parse(cls, name) -> "Device":
        """The device of a name: "cpu", "cuda", "cuda:N", "auto", and Keras' "CPU:0" and "GPU:N"."""
        if isinstance(name, cls):
            return name
        text = str(name).lower()
        kind, colon, index = text.partition(":")
        if text == "auto":
            return _auto()
        if text in ("cpu", "cpu:0"):
            return cls("cpu")
        if text == "cuda" or (kind == "cuda" and index.isdecimal()):
            return cls(kind, int(index) if colon else 0)
        if kind == "gpu":  # Keras' name for it
            return cls.parse("cuda" + colon + index)
        raise ArgumentError(
            f"unknown device {name!r}: expected 'cpu', 'cuda', 'cuda:N' (N = 0, 1, ...) or 'auto'"
        )


CPU = Device("cpu")

_scoped: ContextVar[Device | None] = ContextVar("gpunn_device", default=None)
_default: Device | None = None


def current_device() -> Device:
    """The device new arrays are made on: of the context, else the default, else the CPU.

    >>> gpunn.current_device()
    Device(kind='cpu', index=0)
    """
    return _scoped.get() or _default or _from_environment()


def set_device(name) -> Device:
    """Make a device the default of the whole process, and return it.

    Args:
        name: "cpu", "cuda", "cuda:N" or "auto" (CUDA where it works; says once what it chose).

    Raises:
        DeviceError: if the device cannot be used, with what is missing and how to install it.

    >>> gpunn.set_device("cpu")
    Device(kind='cpu', index=0)
    """
    global _default
    wanted = Device.parse(name)
    _check(wanted)
    _default = wanted
    return wanted


@contextlib.contextmanager
def device(name):
    """Make a device the current one inside a `with` block, for this thread or task only.

    Args:
        name: "cpu", "cuda", "cuda:N" or "auto", as for `set_device`.

    Raises:
        DeviceError: if the device cannot be used, with what is missing and how to install it.

    >>> with gpunn.device("cpu"):
    ...     gpunn.Tensor([1.0, 2.0]).device
    Device(kind='cpu', index=0)
    """
    wanted = Device.parse(name)
    _check(wanted)
    token = _scoped.set(wanted)
    try:
        yield wanted
    finally:
        _scoped.reset(token)


def _check(wanted: Device) -> None:
    if wanted.kind == "cuda":
        from gpunn.backend.probe import require_cuda

        require_cuda(wanted.index)


def _from_environment() -> Device:
    global _default
    _default = Device.parse(os.environ.get("GPUNN_DEVICE") or "cpu")
    return _default


_auto_choice: Device | None = None


def _auto() -> Device:
    """CUDA where it works, else the CPU; the choice is made and logged once."""
    global _auto_choice
    if _auto_choice is None:
        from gpunn.backend.probe import probe_cuda

        failed = [c for c in probe_cuda() if not c.ok]
        _auto_choice = CPU if failed else Device("cuda", 0)
        reason = f" ({failed[0].name}: {failed[0].detail})" if failed else ""
        log.warning("device 'auto' is %s%s", _auto_choice, reason)
    return _auto_choice

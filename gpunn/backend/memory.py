"""Memory of a device, for people: how much is used, and how to give back what is not."""

import math

from gpunn.backend.registry import get_backend


def memory_summary(device=None) -> str:
    """One line on a device's memory: used by this process, kept by it for reuse, free, in all.

    Args:
        device: default: the current one.

    >>> gpunn.backend.memory_summary("cpu").split(":")[0]
    'cpu'
    """
    be = get_backend(device)
    m = be.memory()
    kept = f"{size(m.kept)} kept for reuse, " if be.kind == "cuda" else ""
    return f"{be.name}: {size(m.used)} used, {kept}{size(m.free)} free of {size(m.total)}"


def asked_for(error: MemoryError) -> int | None:
    """The bytes that were refused, where NumPy or CuPy say so."""
    shape = getattr(error, "shape", None)  # of NumPy's
    if shape is not None:
        return math.prod(shape) * error.dtype.itemsize  # type: ignore[attr-defined]
    return getattr(error, "_size", None)


def empty_cache(device=None) -> None:
    """Give memory that is kept for reuse back to the system; arrays in use stay.

    Args:
        device: default: the current one.

    >>> gpunn.backend.empty_cache()
    """
    get_backend(device).empty_cache()


def size(n: int) -> str:
    """A number of bytes for people.

    >>> gpunn.backend.memory.size(3 * 2**20)
    '3.0 MiB'
    """
    value, units = float(n), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.1f} {units[0]}" if units[0] != "B" else f"{n} B"

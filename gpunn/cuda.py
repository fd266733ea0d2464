"""The memory of a GPU: how much is used, at most how much, and how to give back what is not."""

from gpunn import backend
from gpunn.backend import Device, get_backend
from gpunn.errors import ArgumentError

__all__ = ["empty_cache", "memory_summary", "set_memory_limit"]


def memory_summary(device="cuda") -> str:
    """One line on a GPU's memory: used by this process, kept by it for reuse, free, in all.

    With a limit, it counts as all there is. What the graphs of captured steps hold counts as used.

    Args:
        device: "cuda", "cuda:1"...

    Raises:
        DeviceError: if CUDA cannot be used.
    """
    return backend.memory_summary(_gpu(device))


def set_memory_limit(limit, device="cuda") -> None:
    """Let gpunn take at most so much of a GPU's memory; beyond it, OutOfMemoryError.

    Args:
        limit: bytes (int), a part of the GPU's memory (float in (0, 1]), or None for no limit.
        device: "cuda", "cuda:1"...

    Raises:
        ArgumentError: for anything else.
        DeviceError: if CUDA cannot be used.
    """
    be = get_backend(_gpu(device))
    if isinstance(limit, float) and 0 < limit <= 1:
        be.set_memory_limit(None)
        limit = int(limit * be.memory().total)
    elif limit is not None and (isinstance(limit, bool) or type(limit) is not int or limit < 1):
        raise ArgumentError(
            f"limit must be bytes (an int above 0), a part (a float in (0, 1]) or None, "
            f"not {limit!r}"
        )
    be.set_memory_limit(limit)


def empty_cache(device="cuda") -> None:
    """Give memory that is kept for reuse back to the GPU, for other programs; arrays stay.

    Args:
        device: "cuda", "cuda:1"...

    Raises:
        DeviceError: if CUDA cannot be used.
    """
    backend.empty_cache(_gpu(device))


def _gpu(device) -> Device:
    found = Device.parse(device)
    if found.kind != "cuda":
        raise ArgumentError(f"expected a GPU, such as 'cuda:1', not {device!r}")
    return found

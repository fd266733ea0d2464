"""The host's memory: how much there is, and what the C library does with what is freed."""

import ctypes
import os
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of `mallopt`


@cache
def _glibc():
    """The C library if it is glibc, whose `mallopt` and `malloc_trim` are used here."""
    if sys.platform != "linux":
        return None
    try:
        libc = ctypes.CDLL(None)
        return libc if hasattr(libc, "gnu_get_libc_version") else None
    except OSError:
        return None


@cache
def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory, so that fresh arrays cost no page faults.

    Large temporaries made anew each step otherwise go back to the system and fault in again,
    which is up to 40 % of an eager step. Called once, by the first import of this package;
    `GPUNN_MALLOC=system` leaves the allocator alone, and `gpunn.backend.empty_cache()` gives what
    is kept back.

    Returns:
        Whether it took effect: not where the C library is another one.
    """
    libc = _glibc()
    if libc is None or os.environ.get("GPUNN_MALLOC") == "system":
        return False
    return bool(libc.mallopt(_MMAP_THRESHOLD, 1 << 30) and libc.mallopt(_TRIM_THRESHOLD, 1 << 30))


def trim() -> None:
    """Give freed memory back to the system."""
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)


def memory() -> tuple[int, int, int]:
    """Bytes of memory: in all, free, used by this process; 0 where the system does not say."""
    total = free = used = 0
    try:
        with open("/proc/meminfo") as f:
            lines = dict(line.split(":") for line in f)
        total, free = (int(lines[k].split()[0]) * 1024 for k in ("MemTotal", "MemAvailable"))
        with open("/proc/self/statm") as f:
            used = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, KeyError, ValueError):
        try:
            total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, AttributeError):
            pass
    return total, free, used

"""Names that layers, ops and tensors get by themselves: dense, dense_1, dense_2, ..."""

import itertools
import threading
from collections import Counter

_counts: Counter = Counter()
_lock = threading.Lock()


def auto_name(prefix: str) -> str:
    """The next free name of a series: "dense", "dense_1", ..."""
    with _lock:
        n = _counts[prefix]
        _counts[prefix] += 1
    return prefix if n == 0 else f"{prefix}_{n}"


def free_name(name: str, taken) -> str:
    """The name, or name_1, name_2, ... where it is taken."""
    names = itertools.chain([name], (f"{name}_{i}" for i in itertools.count(1)))
    return next(n for n in names if n not in taken)


def clear_session(free_memory: bool = True) -> None:
    """Start the series of automatic names again (Keras: `utils.clear_session`).

    Args:
        free_memory: for Keras' sake; nothing else is kept.

    >>> gpunn.clear_session()
    >>> gpunn.layers.Dense(1).name
    'dense'
    """
    with _lock:
        _counts.clear()

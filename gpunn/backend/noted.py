"""Indices out of range that kernels meet, noted in memory that the host and the GPU share.

So they cost nothing: no kernel of their own, no copy and no wait. The host looks for them whenever
it has waited for the device anyway, to read something.
"""

import numpy as np

from gpunn.backend.asker import asker
from gpunn.backend.base import FAR, NOWHERE
from gpunn.backend.shared import Shared
from gpunn.errors import OutOfRangeError

PLACES = 256
NOTHING = np.iinfo(np.int64).max


class Noted:
    """A number in shared memory for each place of a program that may meet a wrong index."""

    def __init__(self):
        self._shared = Shared((PLACES,), np.int64)
        self._found = self._shared.host
        self._found[:] = NOTHING
        self._places: dict[tuple, int] = {}

    def place(self, what: str, low: int, n: int) -> np.uint64:
        """Where a kernel is to put an index outside of [low, n): the least of all, by atomicMin.

        Args:
            what: what it calls the index: "index" or "label".
            low: the least one that is allowed.
            n: the first one that is not.
        """
        key = (asker.get().name, what, low, n)
        at = self._places.get(key)
        if at is None:  # too many: the last ones share a place, and so a message
            at = self._places[key] = min(len(self._places), PLACES - 1)
        return self._shared.device + np.uint64(8 * at)

    def check(self) -> None:
        """Raise OutOfRangeError if a kernel that is done has met an index out of range."""
        found = self._found[: len(self._places)]
        if not len(found) or found.min() == NOTHING:
            return
        at = int((found != NOTHING).argmax())
        value = int(found[at])
        self._found[:] = NOTHING
        name, what, low, n = list(self._places)[at]
        which, expected = f"{what} {value}", f": expected {low} ... {n - 1}"
        if value >= FAR:
            which, expected = f"{what} {value - NOWHERE}, of one of several axes,", ""
        raise OutOfRangeError(
            f"{name + ': ' if name else ''}{which} is out of range{expected}. A GPU is looked at "
            "only now: what was computed since holds NaN, weights too if steps were taken. Inside "
            "gpunn.autograd.detect_anomaly() the call itself raises"
        )

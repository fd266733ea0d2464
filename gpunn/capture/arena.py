"""Arena: where in one piece of memory the temps of a plan lie."""

import numpy as np

from gpunn.capture.ir import Call, Storage

ALIGNED = 64  # bytes: temps start at multiples of it, which are lines of the cache
LARGE = 1 << 20  # bytes: no cache keeps a temp of this size until it is read

Lives = dict[Storage, tuple[int, int]]


def lifetimes(calls: list[Call]) -> Lives:
    """The first and the last call that use each temp."""
    lives: Lives = {}
    for i, call in enumerate(calls):
        for view in call.uses():
            if view.storage.kind == "temp":
                lives[view.storage] = (lives.get(view.storage, (i, i))[0], i)
    return lives


def arena(
    calls: list[Call], shared: bool = True, lives: Lives | None = None
) -> tuple[dict[Storage, int], int]:
    """Where each temp lies, and how long the memory is.

    Temps that are never needed at the same time may lie in the same place, unless not `shared`.
    Each lies as low as those that were placed before it leave room: first the large ones by size,
    which together rarely take more than what is needed at once; then the others by time, so that a
    new one lies where one has just ended, in the cache.
    """
    lives = lifetimes(calls) if lives is None else lives
    large = sorted((s for s in lives if s.nbytes >= LARGE), key=lambda s: -s.nbytes)
    order = [*large, *(s for s in lives if s.nbytes < LARGE)]
    taken = _Taken(len(order))
    places = {}
    for storage in order:
        first, last = lives[storage] if shared else (0, len(calls))
        places[storage] = taken.place(-(-storage.nbytes // ALIGNED) * ALIGNED, first, last)
    return places, int(taken.stop.max(initial=0))


class _Taken:
    """Bytes [start, stop) that are taken from call `first` to call `last`, for up to n temps."""

    def __init__(self, n: int):
        self.first, self.last, self.start, self.stop = np.zeros((4, n), np.int64)
        self._n = 0

    def place(self, size: int, first: int, last: int) -> int:
        """Take the lowest gap that is free all that time; returns its start."""
        n = self._n
        (then,) = np.nonzero((self.first[:n] <= last) & (self.last[:n] >= first))
        then = then[np.argsort(self.start[then])]
        ends = np.maximum.accumulate(np.concatenate([[0], self.stop[then]]))
        fits = self.start[then] - ends[:-1] >= size
        start = ends[fits.argmax() if fits.any() else -1]
        self.first[n], self.last[n], self.start[n], self.stop[n] = first, last, start, start + size
        self._n += 1
        return int(start)

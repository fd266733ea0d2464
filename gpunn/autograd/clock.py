"""One clock for ops and for changes in place, so that backward sees a change made too late.

Every recorded op and every announced change takes a tick. An array saved by an op and changed at a
later tick is not what the gradient needs any more.
"""

import itertools

from gpunn.backend import backend_of

_ticks = itertools.count(1)
tick = _ticks.__next__

_LIMIT = 4096
_changes: dict[tuple[int, int], int] = {}
last_change = 0


def mutated(array) -> None:
    """Announce that a raw array is changed in place."""
    mutated_span(backend_of(array).address(array))


def mutated_span(span: tuple[int, int]) -> None:
    """Announce a change of a memory range that was looked up before: `backend.address(array)`."""
    global last_change
    last_change = now = tick()
    if len(_changes) >= _LIMIT:  # the oldest half can hardly matter to a graph still alive
        for old in sorted(_changes, key=_changes.get)[: _LIMIT // 2]:
            del _changes[old]
    _changes[span] = now


def changed_since(array, then: int) -> bool:
    """Whether memory of the array was changed in place after the tick `then`."""
    low, high = backend_of(array).address(array)
    return any(t > then and a < high and low < b for (a, b), t in list(_changes.items()))


def last() -> int:
    """The tick of the last announced change."""
    return last_change

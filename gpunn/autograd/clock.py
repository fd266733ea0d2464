"""One clock for ops and for changes in place, so that backward sees a change made too late.

Every recorded op and every announced change takes a tick. An array saved by an op and changed at a
later tick is not what the gradient needs any more.
"""

import itertools
from contextlib import contextmanager
from contextvars import ContextVar

from gpunn.backend import backend_of
from gpunn.backend.late import make_all

_ticks = itertools.count(1)
tick = _ticks.__next__

_LIMIT = 4096
_changes: dict[tuple[int, int], int] = {}
last_change = 0


# In `checkpoint` and `values_kept`: by id, each array that was changed in place inside, with a copy
# of what it was before. None: nobody asked.
changed: ContextVar[dict | None] = ContextVar("gpunn_changed", default=None)


def changing(array) -> None:
    """Announce a change in place that no graph need know of, only `checkpoint` and `values_kept`.

    They put the array back: the part of the program is run again, or counts as not run.
    """
    before = changed.get()
    if before is not None and id(array) not in before:
        before[id(array)] = (array, backend_of(array).copy(array))


@contextmanager
def values_kept():
    """Put back at the end what is changed in place inside: for runs of which only shapes count."""
    before: dict = {}
    token = changed.set(before)
    try:
        yield
    finally:
        changed.reset(token)
        for array, value in before.values():
            backend_of(array).copyto(array, value)


def mutated(array) -> None:
    """Announce that a raw array is about to be changed in place."""
    changing(array)
    mutated_span(backend_of(array).address(array))


def mutated_span(span: tuple[int, int]) -> None:
    """Announce a change of the memory `backend.address(array)`, which the caller looked up once."""
    global last_change
    make_all()  # sums that wait may have this array as a term
    last_change = now = tick()
    if len(_changes) >= _LIMIT:  # a graph still alive is hardly as old as the oldest half
        for old in sorted(_changes, key=lambda span: _changes.get(span, 0))[: _LIMIT // 2]:
            _changes.pop(old, None)
    _changes[span] = now


def changes_since(then: int) -> list[tuple[tuple[int, int], int]]:
    """The memory [low, high) changed in place after the tick `then`, each with its last tick."""
    return [change for change in list(_changes.items()) if change[1] > then]


def overlapping(array, changes, then: int) -> bool:
    """Whether one of the changes was to memory of the array, after the tick `then`."""
    low, high = backend_of(array).address(array)
    return any(t > then and a < high and low < b for (a, b), t in changes)


def last() -> int:
    """The tick of the last announced change."""
    return last_change

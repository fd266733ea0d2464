"""Plan: the calls of a recording bound to memory that was made once."""

from collections.abc import Callable, Iterable
from time import perf_counter

import numpy as np

from gpunn.backend import get_num_threads, one_blas_thread
from gpunn.backend.host import trim
from gpunn.backend.pages import fresh
from gpunn.backend.team import TEAM, Calls, make
from gpunn.capture.arena import arena
from gpunn.capture.bind import bound
from gpunn.capture.ir import Call, Storage, View
from gpunn.capture.pace import Pace
from gpunn.capture.passes import PASSES
from gpunn.capture.recarray import RecArray
from gpunn.capture.record import Recorder
from gpunn.capture.side_by_side import allowed, arranged

MOST_THREADS = 4  # more have not been tried
LONG = 1.0  # seconds that a plan has run before it is arranged for several threads


class Plan:
    """What a recorder noted, ready to be done again and again.

    Args:
        recorder: the recording, which is over; its calls are used up.
        results: recorded arrays whose values shall be there after each run.
        passes: names of those of `PASSES` that are applied, and "arena" for memory that is shared;
            default: all.
        memory: memory to work in, if it is large enough: that of another plan, which never runs at
            the same time.
        threads: how many may make the calls; default: `gpunn.get_num_threads()`.

    >>> recorder, x = Recorder(), np.array([1.0, 2.0])
    >>> with recorder:
    ...     y = np.exp(recorder.external(x)) * 2
    >>> plan = Plan(recorder, [y])
    >>> x[:] = 0
    >>> plan.run()
    >>> plan.results
    [array([2., 2.])]
    """

    def __init__(
        self,
        recorder: Recorder,
        results: Iterable[RecArray] = (),
        passes=None,
        memory=None,
        threads: int | None = None,
    ):
        chosen = (*PASSES, "arena") if passes is None else passes
        wanted = [recorder.view(x) for x in results]
        for view in wanted:
            if view.storage.kind == "temp":
                view.storage.kind = "kept"
        calls = list(recorder.calls)
        recorder.calls.clear()  # the recorder lives on, in an optimizer's numbers
        for name, apply in PASSES.items():
            if name in chosen:
                calls = apply(calls)
        self.threads = min(threads or get_num_threads(), MOST_THREADS)
        self.pace = Pace()
        self.sections: list[list[Calls]] | None = None  # for several threads
        self._one_arena = "arena" in chosen
        places, size = arena(calls, self._one_arena)
        if memory is None or memory.size < size:
            size = size if self.threads == 1 else allowed(size)  # unused pages take no memory
            memory = fresh(size)
        self.arena = memory
        real = _Memory(self.arena, places)
        self.calls = real.calls(calls)
        self.results = [real.array(view) for view in wanted]
        # what `_arrange` needs, until it is done
        self._recorded = (calls, real.own) if self.threads > 1 else None
        self._worked = 0.0  # seconds of runs until then

    def run(self) -> None:
        """Make every call, by several threads if that is quicker lately."""
        arranged = self._recorded is None
        if (arranged and self.sections is None) or get_num_threads() < self.threads:
            make(self.calls)
            return
        start = perf_counter()
        with one_blas_thread:
            if self.sections is None or not self.pace.several:
                make(self.calls)
            elif not TEAM.run(self.sections):  # the team is at work for another plan
                make(self.calls)
                return
        seconds = perf_counter() - start
        if arranged:
            self.pace.took(seconds)
            return
        self._worked += seconds
        if self._worked > LONG:
            self._arrange()

    def _arrange(self) -> None:
        """Find what several threads can do, which takes as long as several runs."""
        (calls, own), self._recorded = self._recorded, None  # type: ignore[misc]
        sections, lives = arranged(calls, self.threads)
        if lives is None:
            return
        calls = [call for section in sections for call in section.calls]
        places, size = arena(calls, self._one_arena, lives)
        if self.arena.size < size:
            self.arena = fresh(size)
        real = _Memory(self.arena, places, own)
        self.calls = real.calls(calls)
        self.sections = _joined(sections, real)
        trim()

    def poison(self) -> None:
        """Fill the memory with NaN: a test's way to find calls that read what nobody wrote."""
        self.arena.fill(0xFF)


def _joined(sections, real: "_Memory") -> list[list[Calls]]:
    """The lists of each section; neighbours without any are one list."""
    joined: list[list] = []
    for section in sections:
        lists = [real.calls(calls) for calls in section.lists or [section.calls]]
        if joined and len(joined[-1]) == len(lists) == 1:
            joined[-1][0] += lists[0]
        else:
            joined.append(lists)
    return joined


class _Memory:
    """The real array of each view; needed while a plan is made, and no longer.

    Args:
        shared: what storages lie in,
        places: from which byte on.
        own: the bytes of those that lie elsewhere.
    """

    def __init__(self, shared: np.ndarray, places: dict[Storage, int], own=None):
        self.own: dict[Storage, np.ndarray] = {} if own is None else own
        self._shared = shared
        self._places = places
        self._arrays: dict[View, np.ndarray] = {}

    def calls(self, calls: list[Call]) -> list[tuple[Callable, tuple]]:
        """The calls with real arrays."""
        return [pair for call in calls for pair in bound(call, self.array)]

    def array(self, view: View) -> np.ndarray:
        """The array of a view."""
        found = self._arrays.get(view)
        if found is None:
            place = self._places.get(view.storage)
            memory = self._bytes(view.storage) if place is None else self._shared
            found = self._arrays[view] = np.ndarray(
                view.shape, view.dtype, memory, (place or 0) + view.offset, view.strides
            )
        return found

    def _bytes(self, storage: Storage) -> np.ndarray:
        """The bytes of a storage that does not lie in the shared memory."""
        memory = self.own.get(storage)
        if memory is None:
            array = storage.array
            if array is None:
                array = np.zeros(storage.nbytes, np.uint8)
            memory = self.own[storage] = array.reshape(-1).view(np.uint8)
        return memory

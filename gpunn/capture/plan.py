"""Plan: the calls of a recording bound to memory that was made once."""

from collections.abc import Iterable
from time import perf_counter

import numpy as np

from gpunn.backend import get_num_threads, one_blas_thread
from gpunn.backend.team import TEAM, Calls, make
from gpunn.capture.arena import arena
from gpunn.capture.bind import bound
from gpunn.capture.carrier import RecArray
from gpunn.capture.ir import Storage, View
from gpunn.capture.pace import Pace
from gpunn.capture.pages import fresh
from gpunn.capture.passes import PASSES
from gpunn.capture.record import Recorder
from gpunn.capture.side_by_side import arranged

MOST_THREADS = 4  # more have not been tried


class Plan:
    """What a recorder noted, ready to be done again and again.

    Args:
        recorder: the recording, which is over.
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
        calls = recorder.calls
        for name, apply in PASSES.items():
            if name in chosen:
                calls = apply(calls)
        self.threads = min(threads or get_num_threads(), MOST_THREADS)
        sections, lives = arranged(calls, self.threads)
        calls = [call for section in sections for call in section.calls]
        places, size = arena(calls, "arena" in chosen, lives)
        fits = memory is not None and memory.size >= size
        self.arena = memory if fits else np.ndarray(size, np.uint8, fresh(size))
        memory = _Memory(self.arena, places)

        def real(calls) -> Calls:
            return [pair for call in calls for pair in bound(call, memory.array)]

        self.calls = real(calls)
        self.sections = None if lives is None else _joined(sections, real)
        self.pace = Pace()
        self.results = [memory.array(view) for view in wanted]

    def run(self) -> None:
        """Make every call, by several threads if that is quicker lately."""
        if self.sections is None or get_num_threads() < self.threads:
            make(self.calls)
            return
        start = perf_counter()
        with one_blas_thread:
            if not self.pace.several:
                make(self.calls)
            elif not TEAM.run(self.sections):  # it works for another plan
                make(self.calls)
                return
        self.pace.took(perf_counter() - start)

    def poison(self) -> None:
        """Fill the memory with NaN: a test's way to find calls that read what nobody wrote."""
        self.arena.fill(0xFF)


def _joined(sections, real) -> list[list[Calls]]:
    """The lists of each section; neighbours without any are one list."""
    joined: list[list] = []
    for section in sections:
        lists = [real(calls) for calls in section.lists or [section.calls]]
        if joined and len(joined[-1]) == len(lists) == 1:
            joined[-1][0] += lists[0]
        else:
            joined.append(lists)
    return joined


class _Memory:
    """The real array of each view; needed while a plan is made, and no longer."""

    def __init__(self, shared: np.ndarray, places: dict[Storage, int]):
        self._shared = shared
        self._places = places
        self._own: dict[Storage, np.ndarray] = {}
        self._arrays: dict[View, np.ndarray] = {}

    def array(self, view: View) -> np.ndarray:
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
        memory = self._own.get(storage)
        if memory is None:
            array = storage.array
            if array is None:
                array = np.zeros(storage.nbytes, np.uint8)
            memory = self._own[storage] = array.reshape(-1).view(np.uint8)
        return memory

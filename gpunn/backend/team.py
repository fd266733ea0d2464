"""Python threads that make lists of calls side by side."""

import contextvars
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

Calls = Sequence[tuple[Callable, tuple]]


class Team:
    """The caller's thread and others that wait until there is work, shared by all plans.

    A thread that does not wake up in time is not waited for: the caller makes its calls too.
    NumPy lets other threads run while it calculates.
    """

    def __init__(self):
        self._free = threading.Lock()  # one caller at a time
        self._lists: deque = deque()  # that nobody has begun, each with the caller's context
        self._calls: queue.SimpleQueue = queue.SimpleQueue()  # of somebody to help
        self._busy: list = []  # an RLock for each thread, held while it makes calls
        self._failures: list[BaseException] = []

    def run(self, sections: Sequence[Sequence[Calls]]) -> bool:
        """Make the calls of one section after the other, the lists of one side by side.

        An exception of any thread is raised here, when no thread makes calls any more.

        Returns:
            False, and nothing was done, if the team works for another thread.
        """
        if not self._free.acquire(blocking=False):
            return False
        try:
            self._failures.clear()
            for lists in sections:
                if len(lists) == 1:
                    make(lists[0])
                else:
                    self._side_by_side(lists)
        finally:
            self._free.release()
        return True

    def _side_by_side(self, lists: Sequence[Calls]) -> None:
        own, *others = lists
        while len(self._busy) < len(others):
            self._start()
        try:
            try:
                self._lists.extend([(calls, contextvars.copy_context()) for calls in others])
                for _ in range(len(others) - self._calls.qsize()):
                    self._calls.put(None)
                make(own)
                while (found := self._next()) is not None:
                    make(found[0])
            finally:
                self._end()
        except BaseException:  # Ctrl-C, which may have interrupted the waiting itself
            self._end()
            self._let_go()
            raise
        if self._failures:
            raise self._failures[0]

    def _next(self):
        """A list that nobody has begun, or None."""
        try:
            return self._lists.popleft()
        except IndexError:
            return None

    def _end(self) -> None:
        """Have no more lists begun, and wait for those that others have begun."""
        self._lists.clear()
        for lock in self._busy:
            with lock:
                pass

    def _let_go(self) -> None:
        """Release locks that the caller took and was interrupted before it could release them."""
        for lock in self._busy:
            with suppress(RuntimeError):  # it is not the caller's
                while True:
                    lock.release()

    def _start(self) -> None:
        busy = threading.RLock()
        self._busy.append(busy)
        threading.Thread(target=self._help, args=(busy,), name="gpunn", daemon=True).start()

    def _help(self, busy) -> None:
        while True:
            self._calls.get()
            with busy:  # before a list is taken: who finds none left knows that all are begun
                if (found := self._next()) is not None:
                    calls, context = found
                    try:
                        context.run(make, calls)
                    except BaseException as e:
                        self._failures.append(e)
                    del found, calls, context  # arrays are not kept while there is nothing to do


def make(calls: Calls) -> None:
    """Make every call."""
    for function, args in calls:
        function(*args)


TEAM = Team()


def _after_fork() -> None:
    TEAM.__init__()  # type: ignore[misc]  # the threads are not there in the child


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

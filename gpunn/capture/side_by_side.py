"""Calls arranged for several threads, and memory that suits them."""

import numpy as np

from gpunn.backend import one_blas_thread
from gpunn.capture.arena import Lives, arena, lifetimes
from gpunn.capture.ir import Call, Storage, View
from gpunn.capture.sections import Section, sections


def arranged(calls: list[Call], n: int) -> tuple[list[Section], Lives | None]:
    """The calls as sections for n threads, and when each temp is used.

    One section, and None, if nothing is worth being done side by side.
    """
    if n > 1:
        with one_blas_thread:
            made = sections(renamed(calls), n)
        if any(section.lists for section in made):
            made = with_scratch(made)
            return made, _lives(made)
    return [Section(calls, [])], None


def renamed(calls: list[Call]) -> list[Call]:
    """Give a temp that is overwritten another name, so that nobody waits for its memory."""
    names: dict[Storage, Storage] = {}
    seen: set[Storage] = set()

    def named(view: View) -> View:
        name = names.get(view.storage)
        return view if name is None else view._replace(storage=name)

    result = []
    for call in calls:
        out = call.out
        if out is not None and out.storage.kind == "temp" and call.overwrites:
            if out.storage in seen:
                names[out.storage] = Storage("temp", out.storage.carrier)
            seen.add(out.storage)
        result.append(call.replaced(named) if names else call)
    return result


def with_scratch(made: list[Section]) -> list[Section]:
    """Put the temps that one list alone uses into a piece of memory of that list.

    Its next calls use the same bytes again. Other temps of lists side by side are all needed at
    once, as far as the plan's memory is concerned.
    """
    users: dict[Storage, set[tuple[int, int]]] = {}
    for i, section in enumerate(made):
        for j, calls in enumerate(section.lists or [section.calls]):
            for storage in lifetimes(calls):
                users.setdefault(storage, set()).add((i, j))
    result = []
    for i, section in enumerate(made):
        places: dict[Storage, tuple[Storage, int]] = {}
        for j, calls in enumerate(section.lists):
            own = {s: life for s, life in lifetimes(calls).items() if users[s] == {(i, j)}}
            offsets, size = arena(calls, lives=own)
            scratch = Storage("temp", np.empty(max(size, 1), np.uint8))
            places.update({s: (scratch, offset) for s, offset in offsets.items()})
        if places:
            calls, *lists = [_placed(calls, places) for calls in (section.calls, *section.lists)]
            section = Section(calls, lists)
        result.append(section)
    return result


def _placed(calls: list[Call], places: dict[Storage, tuple[Storage, int]]) -> list[Call]:
    def moved(view: View) -> View:
        place = places.get(view.storage)
        if place is None:
            return view
        return view._replace(storage=place[0], offset=place[1] + view.offset)

    return [call.replaced(moved) for call in calls]


def _lives(made: list[Section]) -> Lives:
    """The first and the last time that each temp is used; lists side by side are one time."""
    lives: Lives = {}
    now = 0
    for section in made:
        for calls in [section.calls] if section.lists else [[call] for call in section.calls]:
            for storage in lifetimes(calls):
                lives[storage] = (lives.get(storage, (now, now))[0], now)
            now += 1
    return lives

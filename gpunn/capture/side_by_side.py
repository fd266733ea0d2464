"""Calls arranged for several threads, and memory that suits them."""

from itertools import chain

import numpy as np

from gpunn.backend import one_blas_thread
from gpunn.capture.arena import Lives, arena, lifetimes
from gpunn.capture.ir import Call, Storage, View
from gpunn.capture.pages import Pages
from gpunn.capture.sections import Section, sections

# Several threads may take MORE times the memory of one, or LITTLE bytes more.
MORE, LITTLE = 1.1, 1 << 22


def arranged(calls: list[Call], n: int) -> tuple[list[Section], Lives | None]:
    """The calls as sections for n threads, and in which ones each temp is used.

    One section, and None, if nothing is worth being done side by side.
    """
    with one_blas_thread:
        made = sections(calls, n)
        most = allowed(_needed(lifetimes(calls), len(calls)).max(initial=0))
        while any(section.lists for section in made):
            places = _scratch(made)
            lives = _lives(made, places)
            fits = _needed(lives, len(made)) <= most
            if fits.all():
                return [_placed(*pair) for pair in zip(made, places, strict=True)], lives
            shorter = [[s] if ok else _halves(s, n) for s, ok in zip(made, fits, strict=True)]
            made = list(chain.from_iterable(shorter))
    return [Section(calls, [])], None


def allowed(nbytes: int) -> int:
    """How much memory several threads may use, if one thread needs so much."""
    return max(int(nbytes * MORE), nbytes + LITTLE)


def _needed(lives: Lives, times: int) -> np.ndarray:
    """The bytes of temps that are in use at each time."""
    change = np.zeros(times + 1, np.int64)
    for storage, (first, last) in lives.items():
        change[first] += storage.nbytes
        change[last + 1] -= storage.nbytes
    return change.cumsum()[:-1]


def _halves(section: Section, n: int) -> list[Section]:
    """Shorter sections, which need less memory at a time."""
    half = len(section.calls) // 2
    if not half:
        return [Section(section.calls, [])]
    return sections(section.calls[:half], n) + sections(section.calls[half:], n)


Places = dict[Storage, tuple[Storage, int]]


def _scratch(made: list[Section]) -> list[Places]:
    """For each section, where the temps lie that one list alone uses: in memory of that list.

    A list's later calls use the bytes of its earlier ones again. All other temps of lists side by
    side count as needed at once.
    """
    users: dict[Storage, set[tuple[int, int]]] = {}
    for i, section in enumerate(made):
        for j, calls in enumerate(section.lists or [section.calls]):
            for storage in lifetimes(calls):
                users.setdefault(storage, set()).add((i, j))
    result, pages = [], Pages()
    for i, section in enumerate(made):
        places: Places = {}
        for j, calls in enumerate(section.lists):
            own = {s: life for s, life in lifetimes(calls).items() if users[s] == {(i, j)}}
            offsets, size = arena(calls, lives=own)
            scratch = Storage("temp", pages.zeros(max(size, 1), np.dtype("uint8")))
            places.update({s: (scratch, offset) for s, offset in offsets.items()})
        result.append(places)
    return result


def _lives(made: list[Section], places: list[Places]) -> Lives:
    """The first and the last section that use each temp."""
    lives: Lives = {}
    for i, (section, own) in enumerate(zip(made, places, strict=True)):
        for storage in lifetimes(section.calls):
            home, _ = own.get(storage, (storage, 0))
            lives[home] = (lives.get(home, (i, i))[0], i)
    return lives


def _placed(section: Section, places: Places) -> Section:
    """The section with its scratch."""

    def moved(view: View) -> View:
        place = places.get(view.storage)
        if place is None:
            return view
        return View(place[0], place[1] + view.offset, view.shape, view.strides, view.dtype)

    calls, *lists = [[c.replaced(moved) for c in cs] for cs in (section.calls, *section.lists)]
    return Section(calls, lists)

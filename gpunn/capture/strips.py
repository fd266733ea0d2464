"""Pass: elementwise calls that follow each other go through long arrays strip by strip.

A strip stays in the CPU's cache from call to call, and what only these calls hand to each other
needs the memory of one strip.
"""

from functools import partial
from math import prod

import numpy as np

from gpunn.backend import native
from gpunn.capture.ir import Call, Storage, View, uses_of
from gpunn.capture.pages import Pages

STRIP = 1 << 16  # elements of a strip
LEAST = 4 * STRIP  # arrays of fewer elements stay whole
FEW = 3  # a run of fewer calls is not cut


def in_strips(calls: list[Call]) -> list[Call]:
    """Cut runs of elementwise calls into strips, unless loops of machine code do without."""
    if native.available():
        return calls
    result: list[Call] = []
    run: list[Call] = []
    uses = uses_of(calls)
    for i, call in enumerate([*calls, None]):
        if call is not None and _joins(call, run):
            run.append(call)
            continue
        result += run if len(run) < FEW else _cut(run, uses, i - len(run))
        run = []
        if call is not None:
            (run if _joins(call, run) else result).append(call)
    return result


def _joins(call: Call, run: list[Call]) -> bool:
    """Whether the call can be made strip by strip, together with those before it."""
    out = call.out
    if out is None or call.lasting or not call.elementwise:
        return False
    size = prod(out.shape)
    if size < LEAST or (run and size != _size(run)):
        return False
    if not all(v.contiguous and prod(v.shape) in (1, size) for v in call.uses()):
        return False
    places = {_place(v): v for before in run for v in before.uses()}
    for view in call.uses():
        places.setdefault(_place(view), view)
    views = list(places.values())
    return not any(a.overlaps(b) for i, a in enumerate(views) for b in views[:i])


def _place(view: View) -> tuple[Storage, int, int]:
    """What views have in common whose strips are the same bytes."""
    return view.storage, view.offset, prod(view.shape) * view.dtype.itemsize


def _size(run: list[Call]) -> int:
    return prod(run[0].out.shape)  # type: ignore[union-attr]


def _cut(run: list[Call], uses: dict[Storage, list[int]], first: int) -> list[Call]:
    """The calls of a run, which begins at a position, for one strip after the other."""
    size, pages = _size(run), Pages()
    inside = range(first, first + len(run))
    scratch: dict[Storage, Storage] = {}  # of temps that only the run uses
    for storage in {view.storage for call in run for view in call.uses()}:
        if storage.kind == "temp" and uses[storage][0] in inside and uses[storage][-1] in inside:
            nbytes = storage.nbytes // size * STRIP
            scratch[storage] = Storage("temp", pages.zeros(nbytes, np.dtype("uint8")))

    def strip(view: View, start: int) -> View:
        if prod(view.shape) == 1:
            return view
        item, count = view.dtype.itemsize, min(STRIP, size - start)
        if (home := scratch.get(view.storage)) is not None:
            return View(home, 0, (count,), (item,), view.dtype)
        offset = view.offset + start * item
        return View(view.storage, offset, (count,), (item,), view.dtype)

    return [
        call.replaced(partial(strip, start=start))
        for start in range(0, size, STRIP)
        for call in run
    ]

"""Pass: elementwise calls over one shape become one loop of machine code, with equal bits.

A call joins an earlier loop if it reads an array that the loop reads or makes, and if nothing in
between stands against its being made earlier. Temps that live in one loop are never in memory.
"""

from collections.abc import Iterator
from math import prod

from gpunn.backend import native
from gpunn.backend.instructions import CALLED
from gpunn.capture.forms import SHORT, Form, collapsed, common, form_of, split
from gpunn.capture.ir import Call, Storage, View
from gpunn.capture.loops import loop_over
from gpunn.capture.writer import Operand, Step

LEAST = 4096  # calls on fewer elements stay as they are: compiling takes longer than it saves
WORTH = 1 << 18  # elements that loops must save in all: for fewer, LLVM takes longer to load
BACK = 12  # places that a call may come earlier, to join a loop
MOST = 24  # arrays of a loop, at most: each takes a register for its address
LONG = 256  # least length of the inner axis of loops that call NumPy's functions, row by row


class _Item:
    """A place in the new list: a call, or the calls of a loop."""

    def __init__(self, call: Call, form: Form | None):
        self.calls = [call]
        self.forms = [] if form is None else [form]
        self.sizes = () if form is None else form.sizes  # of the loop's axes
        self.places = _places(self.forms, self.sizes)
        self.reads = list(call.reads)
        self.writes = _writes(call)
        self.storages = {view.storage for view in call.uses()}

    def takes(self, call: Call, form: Form) -> bool:
        """Add a call, if it can be made element by element together with the others."""
        if not self.sizes or (sizes := common(self.sizes, form.sizes)) is None:
            return False
        new = _places([form], sizes)
        old = self.places if sizes == self.sizes else _places(self.forms, sizes)
        inputs = [_place(x, form.sizes, sizes) for x in form.arrays[:-1]]
        if not any(place in old and all(place[2]) for place in inputs):
            return False  # they have no array in common, or only small ones that are broadcast
        for place, (view, written) in new.items():
            for other, (seen, before) in old.items():
                if place[0] is other[0] and place != other and (written or before):
                    if view.overlaps(seen):
                        return False
        places = {**old, **{p: (v, w or old.get(p, (v, False))[1]) for p, (v, w) in new.items()}}
        inner = collapsed(sizes, [place[2] for place in places])[0][-1]
        called = any(getattr(f.fn, "__name__", "") in CALLED for f in (*self.forms, form))
        if len(places) > MOST or inner < (LONG if called else SHORT):
            return False
        self.calls.append(call)
        self.forms.append(form)
        self.sizes, self.places = sizes, places
        self.reads += call.reads
        self.writes += _writes(call)
        self.storages.update([view.storage for view in call.uses()])
        return True

    def stands_against(self, call: Call) -> bool:
        """Whether a later call must not come before this place."""
        if not self.sizes and self.calls[0].out is None:
            return True  # a call that names no result may do anything
        if self.storages.isdisjoint([view.storage for view in call.uses()]):
            return False
        reads, writes = call.reads, _writes(call)
        return any(
            a.overlaps(b)
            for some, others in ((self.writes, (*reads, *writes)), (self.reads, writes))
            for a in some
            for b in others
        )


def fused(calls: list[Call]) -> list[Call]:
    """Make loops of what is elementwise, where machine code can be made."""
    if not native.available():
        return calls
    items: list[_Item] = []
    for call in calls:
        form = form_of(call) if call.out is not None and prod(call.out.shape) >= LEAST else None
        if form is None or not _joins(items, call, form):
            items.append(_Item(call, form))
    saved = sum([prod(item.sizes) * (len(item.calls) - 1) for item in items])
    return list(_with_loops(items)) if saved >= WORTH else calls


def _joins(items: list[_Item], call: Call, form: Form) -> bool:
    """Let a call join the last loop that takes it."""
    for item in reversed(items[-BACK:]):
        if item.takes(call, form):
            return True
        if item.stands_against(call):
            return False
    return False


def _with_loops(items: list[_Item]) -> Iterator[Call]:
    last: dict[Storage, int] = {}
    for i, item in enumerate(items):
        last.update(dict.fromkeys(item.storages, i))
    for i, item in enumerate(items):
        if item.sizes and (len(item.calls) > 1 or _slow(item.calls[0], item.forms[0])):
            yield _loop(item, {s for s in item.storages if s.kind == "temp" and last[s] == i})
        else:
            yield from item.calls


def _slow(call: Call, form: Form) -> bool:
    """Whether NumPy is slow at a call by itself: at `where`, at casts, at copies of many pieces."""
    if form.fn == "copy":
        return len(form.sizes) > 2
    return form.fn == "where" or len({v.dtype for v in call.reads if v.shape}) > 1


def _loop(item: _Item, ending: set[Storage]) -> Call:
    """The loop over the calls of an item, after which nobody needs some of its temps."""
    slots = {place: i for i, place in enumerate(item.places)}

    def operand(x, form) -> Operand:
        place = _place(x, form.sizes, item.sizes)
        return Operand(slots[place], place[2], x[0].dtype)

    steps, stored = [], set()
    for form in item.forms:
        inputs = tuple([operand(x, form) if type(x) is tuple else x for x in form.inputs])
        steps.append(Step(form.fn, form.dtypes, inputs, operand(form.out, form)))
        if form.out[0].storage not in ending:
            stored.add(steps[-1].out.slot)
    loop = loop_over(item.sizes, tuple(steps), frozenset(stored))
    arrays = [view for view, _ in item.places.values()]
    views = tuple([arrays[o.slot] for o in loop.operands])
    return Call("loop", loop, views, {}, views, None, lasting=True)


def _writes(call: Call) -> list[View]:
    return [] if call.out is None else [call.out]


def _place(x, sizes, wanted) -> tuple:
    """What arrays have in common that a loop walks through alike."""
    view, strides = x
    return (view.storage, view.offset, split(sizes, strides, wanted), view.dtype.itemsize)


def _places(forms, sizes) -> dict[tuple, tuple[View, bool]]:
    """By their places the arrays of forms, and whether they are written."""
    found: dict[tuple, tuple[View, bool]] = {}
    for form in forms:
        for x in form.arrays:
            place = _place(x, form.sizes, sizes)
            view, written = found.get(place, (x[0], False))
            found[place] = (view, written or x is form.out)
    return found

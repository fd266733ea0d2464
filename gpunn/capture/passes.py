"""Passes: a list of calls becomes a shorter one, or one that needs less memory, with equal bits."""

from gpunn.capture.early import early
from gpunn.capture.fuse import fused
from gpunn.capture.ir import Call, Storage, View, uses_of
from gpunn.capture.strips import in_strips


def without_dead(calls: list[Call]) -> list[Call]:
    """Leave out calls whose results nobody reads."""
    live: set[Storage] = set()
    kept = []
    for call in reversed(calls):
        out = call.out
        if out is not None and out.storage.kind == "temp" and not call.lasting:
            if out.storage not in live:
                continue
            if call.overwrites:
                live.discard(out.storage)
        live.update(view.storage for view in call.reads)
        kept.append(call)
    return kept[::-1]


def retargeted(calls: list[Call]) -> list[Call]:
    """Compute what is only copied to somebody's memory right there: weight gradients, mostly."""
    places: dict[Storage, View] = {}
    uses = uses_of(calls)
    for i, call in enumerate(calls):
        source, target = call.copies, call.out
        if source is None or target is None or target.storage.kind != "external":
            continue
        temp = source.storage
        if temp.kind != "temp" or temp in places or not (source.whole and source.contiguous):
            continue
        if not target.contiguous or not calls[uses[temp][0]].overwrites:
            continue
        if _free(calls, uses, temp, target, i):
            places[temp] = target
    if not places:
        return calls
    calls = [call.replaced(lambda view: _moved(view, places)) for call in calls]
    return [c for c in calls if c.out is None or c.copies != c.out]


def _free(calls, uses, temp: Storage, target: View, copy: int) -> bool:
    """Whether the target's memory can be the temp's, which is copied to it by call `copy`."""
    first, last = uses[temp][0], uses[temp][-1]
    later = [calls[j].out for j in uses[temp] if j > copy]
    if any(out is not None and out.storage is temp for out in later):
        return False
    for j in uses[target.storage]:
        if j == copy or j < first:
            continue
        if j < copy and any(view.overlaps(target) for view in calls[j].uses()):
            return False
        out = calls[j].out
        if copy < j <= last and out is not None and out.overlaps(target):
            return False
    return True


def _moved(view: View, places: dict[Storage, View]) -> View:
    place = places.get(view.storage)
    if place is None:
        return view
    return view._replace(storage=place.storage, offset=place.offset + view.offset)


def in_place(calls: list[Call]) -> list[Call]:
    """Write an elementwise result over an operand that is not needed any more."""
    last = {storage: at[-1] for storage, at in uses_of(calls).items()}
    seen: set[Storage] = set()
    homes: dict[Storage, Storage] = {}

    def moved(view: View) -> View:
        home = homes.get(view.storage)
        return view if home is None else view._replace(storage=home)

    result = []
    for i, call in enumerate(calls):
        call = call.replaced(moved) if homes else call
        out = call.out
        if out is not None and call.elementwise:
            fresh = out.storage
            # a single element takes NumPy longer in place
            several = out.storage.nbytes > out.dtype.itemsize
            if several and fresh.kind == "temp" and fresh not in seen and out.whole:
                host = next(
                    (v.storage for v in call.reads if _gives_way(v, out, call, last, i)), None
                )
                if host is not None:
                    homes[fresh] = host
                    last[host] = last[fresh]
                    call = call._replace(out=out._replace(storage=host))
        seen.update(view.storage for view in call.uses())
        result.append(call)
    return result


def _gives_way(view: View, out: View, call: Call, last: dict, i: int) -> bool:
    """Whether the operand ends here, and has the layout of the result."""
    storage = view.storage
    return (
        storage.kind == "temp"
        and last[storage] == i
        and view.whole
        and (view.shape, view.strides) == (out.shape, out.strides)
        and view.dtype.itemsize == out.dtype.itemsize
        and all(v == view for v in call.reads if v.storage is storage)
    )


def renamed(calls: list[Call]) -> list[Call]:
    """Give a temp that is overwritten another name: loops need not store what they overwrite next,
    and no thread waits for its memory."""
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


PASSES = {
    "dead": without_dead,
    "early": early,
    "retarget": retargeted,
    "in_place": in_place,
    "strips": in_strips,
    "rename": renamed,
    "fuse": fused,
}

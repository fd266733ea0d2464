"""Pass: a call is made sooner if its result is smaller than the arrays that only it still needs.

An example is the factor that an activation's gradient is multiplied by. It is computed in backward,
of arrays that are kept for it from forward on; computed in forward, it is kept in their place.
"""

from bisect import bisect_left, bisect_right

from gpunn.capture.ir import Call, Storage, uses_of

GAP = 16  # memory that would be free for fewer calls is not worth the search
WORTH = 1 << 20  # bytes that must become free
MOST = 16  # calls that are moved together, at most

Uses = dict[Storage, list[int]]


def early(calls: list[Call]) -> list[Call]:
    """Make elementwise calls right after another one where that frees memory until their turn."""
    uses = uses_of(calls)
    moved: dict[int, list[int]] = {}  # positions, by that of the call which they come after
    gone: set[int] = set()
    for storage, at in uses.items():
        if storage.kind != "temp" or storage.nbytes < WORTH or len(at) < 2:
            continue
        place, last = at[-2:]
        if last - place > GAP:
            group = _group(calls, uses, place, last)
            if gone.isdisjoint(group):
                moved.setdefault(place, []).extend(group)
                gone.update(group)
    if not moved:
        return calls
    order = [j for i in range(len(calls)) for j in ([] if i in gone else [i]) + moved.get(i, [])]
    return [calls[i] for i in order]


def _group(calls: list[Call], uses: Uses, place: int, seed: int) -> list[int]:
    """The calls, a late one among them, that free most when they come after another; or none."""
    best: list[int] = []
    most = WORTH - 1
    group = _with(calls, uses, place, [], seed)
    while group is not None and len(group) <= MOST:
        gain, follower = _outcome(calls, uses, place, group)
        if gain > most:
            best, most = group, gain
        group = None if follower is None else _with(calls, uses, place, group, follower)
    return best


def _with(calls: list[Call], uses: Uses, place: int, group: list[int], i: int) -> list[int] | None:
    """The group with a call more, and what that waits for; None if that cannot come so early."""
    call = calls[i]
    if not call.elementwise or call.lasting or call.out is None or call.out.storage.kind != "temp":
        return None
    before = set(_between(uses[call.out.storage], place, i))
    for view in call.reads:
        at = _between(uses[view.storage], place, i)
        before.update([j for j in at if any(w.storage is view.storage for w in calls[j].writes)])
    for j in sorted(before.difference(group)):
        larger = _with(calls, uses, place, group, j)
        if larger is None:
            return None
        group = larger
    return [*group, i]


def _outcome(calls: list[Call], uses: Uses, place: int, group: list[int]) -> tuple[int, int | None]:
    """How many bytes are free until the group's turn, and the next call that uses its results."""
    own = set(group)
    made = {calls[i].out.storage for i in group}  # type: ignore[union-attr]
    gain, followers = 0, []
    for storage in {view.storage for i in group for view in calls[i].uses()}:
        others = [i for i in _between(uses[storage], place, len(calls)) if i not in own]
        if storage in made and others:
            gain -= storage.nbytes
            followers.append(others[0])
        elif storage not in made and storage.kind == "temp" and not others:
            gain += storage.nbytes
    return gain, min(followers, default=None)


def _between(at: list[int], low: int, high: int) -> list[int]:
    """The positions above one and below another."""
    return at[bisect_right(at, low) : bisect_left(at, high)]

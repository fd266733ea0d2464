"""Sections: which calls of a plan are made side by side by several threads.

A section is a run of calls, and the same calls as lists that do not wait for each other. Between
sections the threads wait for each other. What depends on what, the bytes that calls read and write
tell.
"""

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from gpunn.capture.ir import Call, Storage
from gpunn.capture.split import PRODUCTS, parts

# Estimates, in seconds on one core. They decide how calls are arranged, and never change a result.
CALL = 0.5e-6
FLOP = 1 / 80e9
BYTE = 1 / 60e9
REDUCED = 1e-9  # for each element of a reduction
TURNED = 1e-9  # for each element of a copy whose source lies along another axis
FAST = 0.02e-9  # for each element, in each step of a loop of machine code
SLOW: dict = {np.exp: 1e-9, np.log: 1e-9, np.tanh: 0.7e-9, np.sqrt: 0.3e-9, np.divide: 0.3e-9}
WORTH = 1.1  # lists must be so many times quicker than one thread, or the calls stay in order
ENOUGH = 1.6  # likewise chains of whole calls, to be taken instead of calls in parts
JOIN = 50e-6  # until a thread that waits has begun, and until it has been waited for
SHORT = 16 * JOIN  # in shorter sections it matters that the other threads begin later
SOON = 40  # so many calls ahead, chains that do not wait for each other are looked for


class Section(NamedTuple):
    """Calls in order, and lists of them for a thread each; a call alone has none."""

    calls: list[Call]
    lists: list[list[Call]]


class _Part(NamedTuple):
    """A call, or a part of one, with the bytes [low, high) of storages that it uses."""

    call: Call
    cost: float
    reads: list[tuple[Storage, int, int]]
    writes: list[tuple[Storage, int, int]]


class _Chain:
    """Parts that must be done in order, by one thread."""

    __slots__ = ("parts", "cost", "into")

    def __init__(self):
        self.parts: list[tuple[int, _Part]] = []  # with the number of the call
        self.cost = 0.0
        self.into: _Chain | None = None  # the chain that this one has become a part of

    def whole(self) -> "_Chain":
        """The chain that this one is a part of now."""
        chain = self
        while chain.into is not None:
            chain = chain.into
        return chain


class _Draft:
    """A section to which calls are added.

    Args:
        n: how many threads there are.
    """

    def __init__(self, n: int):
        self.n = n
        self.calls: list[Call] = []
        self.total = self.longest = 0.0  # seconds of all calls, and of the longest chain
        self._chains: list[_Chain] = []
        self._read: dict[Storage, list[tuple[int, int, _Chain]]] = {}
        self._written: dict[Storage, list[tuple[int, int, _Chain]]] = {}

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return self._time(self.total, self.longest)

    @property
    def gain(self) -> float:
        """How many times quicker it is than one thread."""
        return self.total / min(self.total, self._dealt()[1]) if self.calls else 0.0

    def _time(self, total: float, longest: float) -> float:
        return min(total, max(longest, total / self.n) + JOIN)

    def alone(self, ways: list[list[_Part]]) -> float:
        """How long a call would take in a section of its own."""
        costs = [[part.cost for part in made] for made in ways]
        return min([self._time(sum(their), max(their)) for their in costs])

    def after(self, made: list[_Part]) -> tuple[float, list[set[_Chain]]]:
        """How long it would take with a call more, and the chains that its parts belong to."""
        chains = [self._before(part) for part in made]
        joined: list[tuple[set[_Chain], float]] = []  # what would become one chain
        for part, among in zip(made, chains, strict=True):
            own, cost, apart = set(among), part.cost, []
            for others, their in joined:
                if others & own:
                    own, cost = own | others, cost + their
                else:
                    apart.append((others, their))
            joined = [*apart, (own, cost)]
        costs = [cost + sum([chain.cost for chain in among]) for among, cost in joined]
        total = self.total + sum([part.cost for part in made])
        return self._time(total, max(self.longest, *costs)), chains

    def _before(self, part: _Part) -> set[_Chain]:
        """The chains that the part must come after."""
        found = set()
        for uses, earlier in (
            (part.reads, self._written), (part.writes, self._written), (part.writes, self._read)
        ):  # fmt: skip
            for storage, low, high in uses:
                for start, stop, chain in earlier.get(storage, ()):
                    if start < high and low < stop:
                        found.add(chain.whole())
        return found

    def add(self, call: Call, made: list[_Part], chains: list[set[_Chain]]) -> None:
        """Add a call as parts, to the chains that `after` has found."""
        for part, among in zip(made, chains, strict=True):
            chain, *others = {c.whole() for c in among} or {_Chain()}
            if not chain.parts:
                self._chains.append(chain)
            for other in others:
                chain.parts += other.parts
                chain.cost += other.cost
                other.into = chain
            chain.parts.append((len(self.calls), part))
            chain.cost += part.cost
            self.total += part.cost
            self.longest = max(self.longest, chain.cost)
            for uses, known in ((part.reads, self._read), (part.writes, self._written)):
                for storage, low, high in uses:
                    known.setdefault(storage, []).append((low, high, chain))
        self.calls.append(call)

    def sections(self) -> list[Section]:
        """The section, or one for each call if lists do not save time."""
        lists, seconds = self._dealt()
        if self.total < seconds * WORTH:
            return [Section([call], []) for call in self.calls]
        # in the calls' order, in which one thread makes them too: memory is given for that
        ordered = [sorted(made, key=lambda numbered: numbered[0]) for made in lists if made]
        return [Section(self.calls, [[part.call for _, part in made] for made in ordered])]

    def _dealt(self) -> tuple[list[list[tuple[int, _Part]]], float]:
        """The chains dealt out to the threads, the longest first, and the seconds of it all."""
        lists: list[list[tuple[int, _Part]]] = [[] for _ in range(self.n)]
        busy = [0.0] + [JOIN] * (self.n - 1)
        chains = [chain for chain in self._chains if chain.into is None]
        for chain in sorted(chains, key=lambda chain: -chain.cost):
            i = busy.index(min(busy))
            lists[i] += chain.parts
            busy[i] += chain.cost
        return lists, max([time for made, time in zip(lists, busy, strict=True) if made])


def sections(calls: list[Call], n: int) -> list[Section]:
    """The calls in order as sections for n threads.

    A section is of calls in parts, or of chains of whole calls where those alone gain as much.
    """
    whole = [_part(call) for call in calls]
    last = _last_before(whole)

    @lru_cache(256)
    def ways(i: int, ahead: bool) -> list[list[_Part]]:
        """The ways to do a call: whole, or in parts."""
        made = parts(calls[i], n, ahead)
        return [[whole[i]]] if len(made) == 1 else [[whole[i]], [_part(part) for part in made]]

    result: list[Section] = []
    at = 0
    while at < len(calls):
        draft = _of_parts(whole, ways, at, n)
        if draft.longest < draft.total < SHORT:
            other = _of_parts(whole[: at + len(draft.calls)], ways, at, n, ahead=True)
            if len(other.calls) == len(draft.calls):
                draft = max(draft, other, key=lambda draft: draft.gain)
        if any(j < at for j in last[at + 1 : at + SOON]):
            of_chains = _of_chains(whole, at, n)
            if of_chains.gain > max(draft.gain, ENOUGH):
                draft = of_chains
        result += draft.sections()
        at += len(draft.calls)
    return result


def _last_before(whole: list[_Part]) -> list[int]:
    """For each call the number of the last one that it must come after, or -1."""
    read: dict[Storage, list[tuple[int, int, int]]] = {}
    written: dict[Storage, list[tuple[int, int, int]]] = {}
    found = []
    for i, part in enumerate(whole):
        last = -1
        for uses, earlier in ((part.reads, written), (part.writes, written), (part.writes, read)):
            for storage, low, high in uses:
                for start, stop, j in reversed(earlier.get(storage, ())):
                    if j <= last:
                        break
                    if start < high and low < stop:
                        last = j
        for uses, known in ((part.reads, read), (part.writes, written)):
            for storage, low, high in uses:
                known.setdefault(storage, []).append((low, high, i))
        found.append(last)
    return found


def _part(call: Call) -> _Part:
    reads = [(view.storage, *view.span) for view in call.reads if view.storage.kind != "constant"]
    writes = [(view.storage, *view.span) for view in call.writes]
    return _Part(call, _cost(call), reads, writes)


def _of_parts(whole: list[_Part], ways, start: int, n: int, ahead: bool = False) -> _Draft:
    """A section of calls in parts: as many as are better made in it than after it."""
    draft = _Draft(n)
    for i in range(start, len(whole)):
        call = whole[i].call
        if _alone(call):
            if i == start:
                draft.add(call, [whole[i]], [set()])
            break
        choices = [[whole[i]]]
        if whole[i].cost > JOIN or draft.longest < draft.total:  # else parts gain nothing
            choices = ways(i, ahead)
        time, chains, made = min(
            [(*draft.after(made), made) for made in choices], key=lambda found: found[0]
        )
        if draft.calls and draft.seconds + draft.alone(choices) < time * (1 - 1e-9):
            break
        draft.add(call, made, chains)
    return draft


def _of_chains(whole: list[_Part], start: int, n: int) -> _Draft:
    """A section of whole calls that ends where the most time is saved."""
    draft, saved, best = _Draft(n), 0.0, 0
    for part in whole[start:]:
        if _alone(part.call) or len(draft.calls) - best > SOON:
            break
        draft.add(part.call, [part], draft.after([part])[1])
        if draft.total - draft.seconds > saved * (1 + 1e-9):
            saved, best = draft.total - draft.seconds, len(draft.calls)
    if best == len(draft.calls):
        return draft
    return _of_chains(whole[start : start + best], 0, n)


def _alone(call: Call) -> bool:
    """Whether it may do what no view tells: nothing is made beside it."""
    return call.lasting and call.form != "loop"


def _cost(call: Call) -> float:
    """Seconds that a call takes, about."""
    moved = sum([prod(view.shape) * view.dtype.itemsize for view in call.uses()])
    if call.form == "loop":
        loop: Any = call.fn
        slow = sum([SLOW.get(step.fn, FAST) for step in loop.steps])
        return CALL + moved * BYTE + prod(loop.shape) * slow
    if call.out is None:
        return CALL
    elements = prod(call.out.shape)
    if call.fn in PRODUCTS:
        flops = 2 * elements * call.args[0].shape[-1]
        return CALL + flops * FLOP * call.out.dtype.itemsize / 4
    if call.form == "into" and call.reads:
        return CALL + prod(call.reads[0].shape) * REDUCED
    turned = any(view.strides[-1:] > (view.dtype.itemsize,) for view in call.reads)
    slow = TURNED if call.fn is np.copyto and turned else SLOW.get(call.fn, 0.0)
    return CALL + moved * BYTE + elements * slow

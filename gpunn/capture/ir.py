"""What a recording is made of: storages, views of them, and calls."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np


class Storage:
    """A piece of memory.

    Args:
        kind: "temp" (planned), "kept" (planned, with memory of its own, to be read after the
            replay), "constant" or "external" (somebody's array, which calls may write to).
        carrier: the array that stands for it while recording.
        array: the real one of a constant or an external.
        born: how many calls came before it.
    """

    __slots__ = ("kind", "carrier", "low", "nbytes", "array", "born")

    def __init__(self, kind: str, carrier: np.ndarray, array: np.ndarray | None = None, born=0):
        self.kind = kind
        self.born = born
        self.carrier = carrier
        self.low, high = np.lib.array_utils.byte_bounds(carrier)
        self.nbytes = high - self.low
        self.array = array


class View(NamedTuple):
    """An array as a part of a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype

    @property
    def whole(self) -> bool:
        """Whether it is all of its storage."""
        return not self.offset and prod(self.shape) * self.dtype.itemsize == self.storage.nbytes

    @property
    def contiguous(self) -> bool:
        """Whether its elements lie one after the other in C order."""
        step = self.dtype.itemsize
        for n, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if n != 1 and stride != step:
                return False
            step *= n
        return True

    @property
    def span(self) -> tuple[int, int]:
        """The bytes [low, high) of the storage that it lies in."""
        low = high = self.offset
        for n, stride in zip(self.shape, self.strides, strict=True):
            low, high = min(low, low + (n - 1) * stride), max(high, high + (n - 1) * stride)
        return low, high + self.dtype.itemsize

    def overlaps(self, other: "View") -> bool:
        """Whether both may share memory."""
        if self.storage is not other.storage:
            return False
        (a, b), (c, d) = self.span, other.span
        return a < d and c < b


class Call(NamedTuple):
    """One call of a plan.

    Args:
        form: how `fn` is called. "ufunc": `fn(*args, out)`; "into": `fn(*args, out=out,
            **options)`; "store": the result of `fn(*args, **options)` is copied to out; "do":
            `fn(*args)`, which writes to `out`, one of its arguments, or nowhere; "loop": what
            `fn(*args)` gives is called, a function and its arguments (`loops.py`).
        args: views, and what is neither; lists and tuples of them.
        reads: the views whose values it needs.
        out: the view that it writes, or None.
        lasting: whether it must be made even if nobody reads its result.
    """

    form: str
    fn: Callable
    args: tuple
    options: dict
    reads: tuple[View, ...]
    out: View | None
    lasting: bool = False

    @property
    def elementwise(self) -> bool:
        """Whether it is a ufunc, each element of whose result depends on one of each operand."""
        return self.form == "ufunc" and getattr(self.fn, "signature", "") is None

    @property
    def overwrites(self) -> bool:
        """Whether it fills the whole storage of its result without a look at what was there."""
        out = self.out
        if out is None or not out.whole:
            return False
        return all(view.storage is not out.storage for view in self.reads)

    @property
    def copies(self) -> View | None:
        """The view that it copies to `out` as it is; None if it does anything else."""
        if self.fn is not np.copyto or self.out is None or not self.reads:
            return None
        (source,), out = self.reads, self.out
        return source if (source.dtype, source.shape) == (out.dtype, out.shape) else None

    @property
    def writes(self) -> tuple[View, ...]:
        """The views that it may change."""
        if self.form == "loop":
            loop: Any = self.fn
            operands = zip(self.args, loop.operands, strict=True)
            return tuple([view for view, operand in operands if operand.slot in loop.stored])
        return () if self.out is None else (self.out,)

    def uses(self) -> tuple[View, ...]:
        """All views it reads or writes."""
        return self.reads if self.out is None else (*self.reads, self.out)

    def replaced(self, replace: Callable[[View], View]) -> "Call":
        """The call with other views."""
        new = {view: replace(view) for view in self.uses()}
        if all(view is other for view, other in new.items()):
            return self
        args, reads = mapped(self.args, new.__getitem__), tuple([new[v] for v in self.reads])
        out = None if self.out is None else new[self.out]
        return Call(self.form, self.fn, args, self.options, reads, out, self.lasting)


def mapped(x: Any, f: Callable[[View], Any]) -> Any:
    """Nested arguments with f applied to each view."""
    if type(x) is View:
        return f(x)
    if type(x) in (tuple, list):
        return type(x)([mapped(v, f) for v in x])
    return x


def views_in(x: Any) -> Iterator[View]:
    """The views in nested arguments."""
    if type(x) is View:
        yield x
    elif type(x) in (tuple, list):
        for v in x:
            yield from views_in(v)


def uses_of(calls: list[Call]) -> dict[Storage, list[int]]:
    """The calls that read or write each storage, in order."""
    uses: dict[Storage, list[int]] = {}
    for i, call in enumerate(calls):
        for storage in dict.fromkeys(view.storage for view in call.uses()):
            uses.setdefault(storage, []).append(i)
    return uses

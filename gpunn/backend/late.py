"""Sums on a GPU that are not made at once: a normalization that comes next makes them on its way.

Until then a `Late` stands for the array. Whoever else asks for it makes it, by a launch of its own,
so nobody can tell but by counting launches.
"""

import threading
from math import prod
from weakref import WeakSet


class Late:
    """An array that is made when it is first asked for.

    Args:
        make: `make(*parts) -> array`.
        *parts: arrays or other late ones, the first of the shape and dtype of the result.
        draw: if it is the one part with some values dropped, what that takes (`dropout.py`).
    """

    __slots__ = ("__weakref__", "_array", "_make", "draw", "dtype", "kind", "parts", "shape")

    def __init__(self, make, *parts, draw=None):
        self._make, self.parts, self.draw = make, parts, draw
        self.shape, self.dtype, self._array = parts[0].shape, parts[0].dtype, None
        self.kind = parts[0].kind if type(parts[0]) is Late else type(parts[0])
        _mine.waiting.add(self)

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: prod(self.shape))

    def made(self):
        """The array."""
        if self._array is None:
            self.fill(self._make(*map(made, self.parts)))
        return self._array

    def fill(self, array) -> None:
        """Take an array that somebody else has made."""
        self._array, self.parts = array, ()
        _mine.waiting.discard(self)

    def terms(self) -> list[tuple]:
        """What it is the sum of: arrays, each with what dropping takes if it is to be dropped."""
        if self._array is not None:
            return [(self._array, None)]
        if self.draw is not None:
            return [(made(self.parts[0]), self.draw)]
        drops = [type(p) is Late and p._array is None and p.draw is not None for p in self.parts]
        return [
            p.terms()[0] if drop else (made(p), None)
            for p, drop in zip(self.parts, drops, strict=True)
        ]


class _Mine(threading.local):
    def __init__(self):
        self.waiting: WeakSet[Late] = WeakSet()


_mine = _Mine()


def made(x):
    """The array itself of one that may be late."""
    return x.made() if type(x) is Late else x


def make_all() -> None:
    """Make what is late in this thread: a part is about to be changed, or a recording to start."""
    while _mine.waiting:
        _mine.waiting.pop().made()

"""Late: an array on a GPU that is not made at once, since what comes after it can make it too.

In x + f(x) with a normalization behind it, the normalization's kernel reads both terms, and writes
their sum as well: one launch instead of two. In the gradient of relu(x w + b) w2 the product with
w2 can drop what the ReLU has dropped. Until then a `Late` stands for the array. Whoever else asks
for it makes it, by a launch of its own, so that results are the same.
"""

import threading
from math import prod
from weakref import WeakSet


class Late:
    """An array that is made when it is first asked for.

    Args:
        make: `make(*parts) -> array`.
        *parts: arrays or other late ones, the first of the dtype of the result.
        draw: where it is a dropout, of its one part: what the kernel draws by (`dropout.py`).
        shape: of the result; default: that of the first part.
    """

    __slots__ = ("__weakref__", "_array", "_make", "draw", "dtype", "kind", "parts", "shape")

    def __init__(self, make, *parts, draw=None, shape=None):
        self._make, self.parts, self.draw = make, parts, draw
        self.shape = parts[0].shape if shape is None else shape
        self.dtype, self._array = parts[0].dtype, None
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
    """Make all that waits in this thread: a part may be changed next, or a recording may start."""
    while _mine.waiting:
        _mine.waiting.pop().made()

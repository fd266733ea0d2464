"""Random streams: Philox4x64-10, with the same bits from NumPy and from a CUDA kernel.

A stream is (seed, name, position). Each draw uses its own counter, so a stream's state is one
integer, and two streams of one seed never meet. Uniforms take bits of the counter's output in
order; normals (used for initialisation) are drawn on the host.
"""

import hashlib
import secrets
import threading
from contextvars import ContextVar
from copy import copy
from functools import partial

import numpy as np

from gpunn.errors import ArgumentError, CaptureError, SerializationError

MASK = (1 << 64) - 1
_moving = threading.Lock()
# Whether no stream may move: while a step is recorded, nothing is drawn.
frozen: ContextVar[bool] = ContextVar("gpunn_frozen", default=False)

# What every stream and seed that is drawn of was before its first draw; None: nobody keeps it.
drawn: ContextVar[dict | None] = ContextVar("gpunn_drawn", default=None)


class _Philox(threading.local):
    """One bit generator a thread, set to a stream's counter at each draw: making one is slow."""

    def __init__(self):
        self.bits = np.random.Philox(counter=0)
        self.start = self.bits.state  # its counter and key are arrays that `words` writes to

    def words(self, n: int, position: int, key: tuple[int, int]) -> np.ndarray:
        state = self.start["state"]
        state["counter"][2] = position
        state["key"][0], state["key"][1] = key
        self.bits.state = self.start
        return self.bits.random_raw(n)


_philox = _Philox()


class Stream:
    """A named stream of random numbers; each draw moves `position` on by one.

    Args:
        seed: any integer; its low 64 bits are used.
        name: streams of different names are independent.
        position: how many draws have been made.

    >>> a, b = gpunn.backend.Stream(7, "dropout"), gpunn.backend.Stream(7, "dropout")
    >>> bool((a.words(4) == b.words(4)).all())
    True
    """

    __slots__ = ("seed", "name", "position", "key")

    def __init__(self, seed: int, name: str = "", position: int = 0):
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise ArgumentError(f"a seed must be an integer, not {seed!r}")
        if frozen.get():  # replays would draw its next numbers instead of the same ones
            raise CaptureError("a new random stream at every step cannot be recorded: keep one")
        self.seed = int(seed)
        self.name = name
        self.position = position
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        self.key = (self.seed & MASK, int.from_bytes(digest, "little"))

    def __repr__(self) -> str:
        return f"Stream(seed={self.seed}, name={self.name!r}, position={self.position})"

    def next_position(self) -> int:
        """The position of the draw about to be made; the stream moves on."""
        if frozen.get():
            raise CaptureError("numbers drawn on the host cannot be recorded")
        return self.move(1)

    def move(self, draws: int) -> int:
        """Leave out so many draws, made elsewhere; returns the position before."""
        with _moving:
            position = self.position
            self.position = position + draws
        if (before := drawn.get()) is not None:
            before.setdefault(self, position)
        return position

    def drawing(self, draw):
        """`draw(stream, ...)` as a function of its other arguments, for a recording."""
        return partial(draw, self)

    def ahead(self, draws: int) -> "Stream":
        """A stream that stands so many draws further on; this one stays."""
        found = copy(self)
        found.position += draws
        return found

    def words(self, n: int) -> np.ndarray:
        """The next draw as n uint64 words, on the host.

        Block b of the draw at position p is Philox4x64-10 of counter (b + 1, 0, p, 0).
        """
        return _philox.words(n, self.next_position(), self.key)

    def uniform(self, shape) -> np.ndarray:
        """The next draw as float64 in [0, 1), 53 bits each, on the host."""
        n = int(np.prod(shape, dtype=np.int64))
        return ((self.words(n) >> np.uint64(11)) * 2.0**-53).reshape(shape)

    def normal(self, shape) -> np.ndarray:
        """The next draw as float64 standard normals (Box-Muller), on the host."""
        n = int(np.prod(shape, dtype=np.int64))
        half = (n + 1) // 2
        u = ((self.words(2 * half) >> np.uint64(11)) + 0.5) * 2.0**-53
        radius, angle = np.sqrt(-2.0 * np.log(u[:half])), (2.0 * np.pi) * u[half:]
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:n].reshape(shape)

    def permutation(self, n: int) -> np.ndarray:
        """The next draw as a permutation of range(n), on the host."""
        # each row's number in the low bits of its word: values are sorted faster than indices
        bits = np.uint64(n.bit_length())
        words = self.words(n) >> bits << bits | np.arange(n, dtype=np.uint64)
        words.sort()
        return (words & np.uint64((1 << n.bit_length()) - 1)).astype(np.int64)

    def state(self) -> dict:
        """What `Stream.restore` needs to go on from here."""
        return {"seed": self.seed, "name": self.name, "position": self.position}

    @classmethod
    def restore(cls, state: dict) -> "Stream":
        """The stream that `state` was taken of."""
        try:
            return cls(state["seed"], state["name"], state["position"])
        except (KeyError, TypeError) as e:
            raise SerializationError(
                f"a stream's state has the keys seed, name and position, not {state!r}"
            ) from e


class Renewed(Stream):
    """In a recording, a stream that is made for a draw: so it is made anew at each replay.

    Args:
        make: makes it.
    """

    __slots__ = ("_make",)

    def __init__(self, make):
        self._make = make

    def drawing(self, draw):
        return lambda *args: draw(self._make(), *args)

    def ahead(self, draws: int) -> Stream:
        return self._make()

    def move(self, draws: int) -> int:
        return 0


class Seed:
    """A seed and the count of unnamed streams drawn from it."""

    def __init__(self, value: int):
        self.value = int(value)
        self.position = 0
        self._lock = threading.Lock()

    def stream(self, name: str | None = None) -> Stream:
        """A stream of this seed; without a name, the next of a numbered series."""
        if name is None:
            if frozen.get():
                raise CaptureError("a new random stream at every step cannot be recorded: keep one")
            with self._lock:
                count = self.position
                self.position = count + 1
            if (before := drawn.get()) is not None:
                before.setdefault(self, count)
            name = f"stream_{count}"
        return Stream(self.value, name)


_scoped: ContextVar[Seed | None] = ContextVar("gpunn_seed", default=None)
_global = Seed(secrets.randbits(63))


def set_seed(seed: int) -> None:
    """Seed everything gpunn draws: weights, shuffles, dropout (Keras: `set_random_seed`).

    Args:
        seed: any integer. Equal seeds give equal numbers, on every device.

    Raises:
        ArgumentError: if it is no integer.

    >>> gpunn.set_seed(42)
    """
    global _global
    Stream(seed)  # refuses what is not an integer
    _global = Seed(seed)


def current_seed() -> Seed:
    """The seed in force: of the `with gpunn.seed(...)` context, else the process'."""
    return _scoped.get() or _global


class seed:
    """Seed everything drawn inside a `with` block, for this thread or task only.

    >>> with gpunn.seed(1):
    ...     a = gpunn.random.uniform((2,)).numpy()
    >>> with gpunn.seed(1):
    ...     b = gpunn.random.uniform((2,)).numpy()
    >>> bool((a == b).all())
    True
    """

    def __init__(self, value: int):
        Stream(value)
        self.value = value
        self._tokens = []

    def __enter__(self) -> None:
        self._tokens.append(_scoped.set(Seed(self.value)))

    def __exit__(self, *exc) -> None:
        _scoped.reset(self._tokens.pop())

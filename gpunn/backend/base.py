"""The contract between ops and a device: what a primitive's `be` can do.

Everything here is written once against `self.xp`; `numpy_.py` and `cupy_.py` fill in what differs.
"""

from dataclasses import dataclass
from typing import Any

from gpunn.backend.device import Device
from gpunn.backend.dtypes import standardize
from gpunn.backend.random import Stream
from gpunn.backend.words import is_words
from gpunn.errors import DTypeError

# On a GPU, where an index out of range cannot raise, the row number NOWHERE + i stands for such an
# index i of one of several axes. All of these are at least FAR, as i may be negative.
NOWHERE, FAR = 1 << 48, 1 << 47


@dataclass(frozen=True)
class Memory:
    """Bytes of a device: in all, free for anyone, used by this process, kept for reuse by it."""

    total: int
    free: int
    used: int
    kept: int = 0

    @property
    def unused(self) -> int:
        """What this process can have more than it uses."""
        return self.free + self.kept


class Backend:
    """Arrays of one device: `xp` is the array module (numpy or cupy), `device` where they lie.

    `maximum` and `minimum` are the module's; `erf`, `erfinv`, `lgamma` and `digamma` take an array
    of floats and keep its dtype.
    """

    xp: Any
    array_type: type
    device: Device

    def __init__(self, device: Device):
        self.device = device
        self.kind = device.kind
        self.name = str(device)
        self._constants = {}

    def __repr__(self) -> str:
        return f"<backend {self.name}>"

    # --- making arrays ---

    def empty(self, shape, dtype):
        return self.xp.empty(shape, dtype)

    def zeros(self, shape, dtype):
        return self.xp.zeros(shape, dtype)

    def full(self, shape, value, dtype):
        return self.xp.full(shape, value, dtype)

    def lasting(self, n: int, dtype):
        """A vector of n zeros that is worked with again and again, as weights are."""
        return self.zeros(n, dtype)

    def ones(self, n: int, dtype):
        """A cached vector of n ones: `be.dot(be.ones(n, dtype), x)` is the fast sum over rows."""
        dtype = standardize(dtype)
        return self.const(("ones", n, dtype.char), lambda be: be.xp.ones(n, dtype))

    def one(self, shape, dtype):
        """The constant array of ones of a shape, always the same: what a gradient starts with."""
        return self.const(
            ("one", shape, standardize(dtype).char), lambda be: be.xp.ones(shape, dtype)
        )

    def const(self, key, make):
        """The constant `make(self)`, made once per key: the key says all that it depends on."""
        found = self._constants.get(key)
        if found is None:
            found = self._constants[key] = make(self)
        return found

    def copy(self, x):
        """A C-contiguous copy; an array of a NumPy scalar too."""
        return self.xp.array(x, order="C")

    # --- products, gathers, scatters ---

    def matmul(self, a, b, out=None):
        return self.xp.matmul(a, b, out=out)

    def dot(self, a, b, out=None):
        return self.xp.dot(a, b, out)

    def einsum(self, subscripts: str, a, b, out):
        """Fill out with sums of products, without arrays for what is summed on the CPU."""
        self.copyto(out, self.xp.einsum(subscripts, a, b))

    def take(self, x, indices, axis=0):
        return self.xp.take(x, indices, axis)

    def copyto(self, dst, src):
        self.xp.copyto(dst, src)

    def windows(self, x, shape, strides):
        """The memory of x, seen with a shape and strides in bytes; never write through it."""
        return self.xp.lib.stride_tricks.as_strided(x, shape, strides)

    def scatter_add(self, dst, indices, src):
        """dst[indices] += src along axis 0, in place; rows named twice are summed in order.

        An index out of range raises IndexError on the CPU and is left out on a GPU.
        """
        raise NotImplementedError

    def look(self, check, x, *more) -> None:
        """Let `check(x, *more)` raise if values of a host array are wrong; a GPU is not waited for.

        A recorded step looks again each time it is done.
        """

    def in_range(self, x, n: int, dtype):
        """Labels x as int64, 0 where one is not in [0, n), and 1 or there NaN; a GPU notes it.

        The CPU has looked at them before (`look`).
        """
        valid = (x >= 0) & (x < n)
        factor = self.xp.where(valid, 1.0, self.xp.nan).astype(dtype)
        return self.xp.where(valid, x, 0).astype("int64"), factor

    def check_indices(self) -> None:
        """Wait, and raise OutOfRangeError if an index that a GPU met was out of range.

        Reading values (`to_numpy`) raises it as well.
        """

    @property
    def recording(self) -> bool:
        """Whether what is asked of the device is noted instead of done."""
        return False

    def external(self, array):
        """What stands for somebody's array that shall be read and changed: here the array itself.

        In a recorded step, its values are those of the time of each replay.
        """
        return array

    # --- elementwise code ---

    def fused(self, body):
        """What computes the same as a body `(be, *operands, **static) -> (result, pullback)`.

        On a GPU it is one kernel for each direction: the body must compute element by element.
        """
        return body

    def in_one_launch(self, code, args: tuple, scratch: int = 0) -> None:
        """Run `code(self, *args, *scratch)`, which changes some of the arrays in its arguments.

        A GPU takes it in one launch where the code is elementwise and can be traced.

        Args:
            code: the function; other arguments than arrays, numbers and tuples of them go to it as
                they are.
            args: its arguments; the first array says how large the scratch arrays are.
            scratch: how many arrays it wants to work in.
        """
        if not scratch:
            code(self, *args)
            return
        first: Any = next((x for x in args if isinstance(x, self.array_type)), None)
        code(self, *args, *[self.empty(first.shape, first.dtype) for _ in range(scratch)])

    # --- random numbers: the same bits on every device ---

    def random_uint32(self, stream: Stream, shape):
        """The stream's next uniform 32-bit integers; the stream moves on by one draw."""
        raise NotImplementedError

    def uniform(self, stream: Stream, shape, dtype="float32"):
        """The stream's next uniform floats in [0, 1): 24 random bits each (float64: 53)."""
        raise NotImplementedError

    def from_host(self, draw, stream: Stream, shape, dtype):
        """What `draw(stream, shape)` gives on the host; the stream moves on by one draw."""
        return self.asarray(draw(stream, shape).astype(dtype))

    # --- moving ---

    def asarray(self, data, dtype=None):
        """An array of this device: the data itself where it lies here already."""
        raise NotImplementedError

    def wrap(self, x):
        """The 0-d array of a scalar result, which is what NumPy gives for one."""
        return self.xp.asarray(x)

    def send(self, arrays: list) -> list:
        """The arrays, on this device; words stay on the host."""
        return [a if is_words(a) else self.asarray(a) for a in arrays]

    def staging(self):
        """What does the same as `send` for one data set's batches, while a GPU computes."""
        return self.send

    def to_numpy(self, x):
        raise NotImplementedError

    def address(self, x) -> tuple[int, int]:
        """The memory range [low, high) that the array's elements lie in."""
        raise NotImplementedError

    # --- the device ---

    def activate(self) -> None:
        """Make this the thread's current device."""

    def synchronize(self) -> None:
        """Wait until everything asked of the device is done."""

    def memory(self) -> Memory:
        """How much memory the device has, and who uses it."""
        raise NotImplementedError

    def set_memory_limit(self, limit: int | None) -> None:
        """Take at most so many bytes of the device's memory."""

    def empty_cache(self) -> None:
        """Give memory that is kept for reuse back to the system."""


def check_scatter(dst, indices) -> None:
    """Raise unless `indices` can index rows of `dst`, and `dst` can be added to."""
    if indices.dtype.kind not in "iu":
        raise DTypeError(
            f"scatter_add takes integer indices, got {indices.dtype}"
            + (": use where(mask, src, 0) for a mask" if indices.dtype.kind == "b" else "")
        )
    if dst.dtype.kind == "b":
        raise DTypeError("scatter_add cannot add to booleans: use an integer dtype")
    if not dst.ndim:
        raise DTypeError("scatter_add needs an array with an axis to index, got a 0-d array")

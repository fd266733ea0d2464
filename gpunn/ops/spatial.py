"""Windows that slide over the spatial axes, and arguments as convolutions take them."""

import itertools
import math
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from gpunn.backend.conventions import channels_first
from gpunn.errors import ArgumentError, ArgumentTypeError, ShapeError, unknown
from gpunn.ops.shaping import _shape, moveaxis


@dataclass(frozen=True)
class Window:
    """A window over the spatial axes of an array whose channels are last; one entry an axis.

    Args:
        size: of the array.
        taps: how many values the window has.
        strides: how far it moves.
        dilation: how far its taps lie apart.
        before: how much padding lies before the array; after it lies as much as is needed.
        out: how many places the window takes.
    """

    size: tuple[int, ...]
    taps: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    out: tuple[int, ...]

    @property
    def padded(self) -> tuple[int, ...]:
        """The sizes with padding, of which a window past the end is cut off."""
        axes = zip(self.size, self.before, self.out, self.strides, self.reach, strict=True)
        return tuple([max(n + b, (o - 1) * s + r) for n, b, o, s, r in axes])

    @property
    def reach(self) -> tuple[int, ...]:
        """From the window's first value to behind its last."""
        return tuple([(k - 1) * d + 1 for k, d in zip(self.taps, self.dilation, strict=True)])

    @property
    def inner(self) -> tuple:
        """The index of the array in the padded array."""
        inside = [slice(b, b + n) for b, n in zip(self.before, self.size, strict=True)]
        return (slice(None), *inside)

    @property
    def apart(self) -> bool:
        """Whether no two places of the window share a value."""
        return all(r <= s for r, s in zip(self.reach, self.strides, strict=True))

    @property
    def covers(self) -> bool:
        """Whether each value of the padded array is seen by exactly one place."""
        axes = zip(self.taps, self.out, self.padded, strict=True)
        return self.apart and all(k * o == n for k, o, n in axes)

    def slices(self):
        """Each tap: its position in the window, and the index of its values in the padded array."""
        for at in itertools.product(*[range(k) for k in self.taps]):
            axes = zip(at, self.dilation, self.strides, self.out, strict=True)
            values = [slice(i * d, i * d + (o - 1) * s + 1, s) for i, d, s, o in axes]
            yield at, (slice(None), *values)

    def lines(self, first: int, behind: int) -> tuple[list[int], list[int]]:
        """From where to where the places [first, behind) of the first axis, and all of the others,
        see the array."""
        places = [(first, behind), *[(0, n) for n in self.out[1:]]]
        axes = list(zip(places, self.strides, self.reach, self.before, strict=True))
        low = [a * s - before for (a, _), s, _, before in axes]
        return low, [(b - 1) * s + reach - before for (_, b), s, reach, before in axes]


def window(op, size, taps, strides, padding, dilation) -> Window:
    """The window of a convolution or a pooling.

    Args:
        op: for the message.
        size, taps, strides, dilation: see `Window`.
        padding: "valid", "same" or "causal".

    Raises:
        ShapeError: if the window does not fit once.
    """
    out, before = [], []
    for n, k, s, d in zip(size, taps, strides, dilation, strict=True):
        reach = (k - 1) * d + 1
        places = output_size(n, k, s, padding, d)
        if places < 1:
            raise ShapeError(
                f"{op}: a window of {tuple(taps)} values, {reach} from end to end, does not fit "
                f"into spatial axes of {tuple(size)}; use larger inputs or padding='same'"
            )
        short = max((places - 1) * s + reach - n, 0)
        out.append(places)
        before.append({"valid": 0, "same": short // 2, "causal": reach - 1}[padding])
    return Window(tuple(size), taps, strides, dilation, tuple(before), tuple(out))


def output_size(n, taps: int, stride: int, padding: str, dilation: int = 1):
    """How many places a window takes along an axis of n values; None of None, 0 if it is too long.

    >>> output_size(5, 3, 2, "valid"), output_size(5, 3, 2, "same")
    (2, 3)
    """
    if n is None:
        return None
    reach = (taps - 1) * dilation + 1 if padding == "valid" else 1
    return max((n - reach) // stride + 1, 0)


def remainders(win: Window):
    """The transpose of a window, in parts whose values see the same taps.

    With strides a value sees only some of the taps: those of the same remainder.

    Yields:
        The index of the values, of the turned kernel's taps that they see, and the window with
        which these slide over the results.
    """
    axes = zip(win.size, win.taps, win.strides, win.dilation, win.before, win.out, strict=True)
    for parts in itertools.product(*[list(_of_axis(*axis)) for axis in axes]):
        values, taps, *rest = zip(*parts, strict=True)
        size, count, dilation, before, out = rest
        seen = Window(size, count, (1,) * len(size), dilation, before, out)
        yield (slice(None), *values), taps, seen


def _of_axis(size, taps, stride, dilation, before, out):
    """The same along one axis."""
    common = math.gcd(stride, dilation)
    for first in range(min(stride, size)):
        seen = [t for t in range(taps) if (first + before - t * dilation) % stride == 0]
        if seen:
            yield (
                slice(first, None, stride),
                slice(taps - 1 - seen[-1], taps - seen[0], stride // common),
                out,
                len(seen),
                dilation // common,
                (seen[-1] * dilation - first - before) // stride,
                len(range(first, size, stride)),
            )


def phases(win: Window):
    """A window whose taps lie apart, as windows of neighbours.

    Places at a distance of `dilation` see values at that distance: every such set is a convolution
    by itself, without dilation. Strides must be 1.

    Yields:
        The index of the values, of the places, and the window with which these see those.
    """
    axes = list(zip(win.size, win.dilation, win.before, win.out, strict=True))
    for firsts in itertools.product(*[range(min(d, out)) for _, d, _, out in axes]):
        values, places, size, before, out = [], [], [], [], []
        for first, (n, d, padding, places_along) in zip(firsts, axes, strict=True):
            start = (first - padding) % d
            values.append(slice(start, None, d))
            places.append(slice(first, None, d))
            size.append(len(range(start, n, d)))
            before.append((start + padding - first) // d)
            out.append(len(range(first, places_along, d)))
        ones = (1,) * len(axes)
        seen = Window(tuple(size), win.taps, ones, ones, tuple(before), tuple(out))
        yield (slice(None), *values), (slice(None), *places), seen


# --- parts of arrays ---


def cut(be, x, low, high, value=0):
    """The box [low, high) of the spatial axes, with a value where it goes over their edges.

    A view where it does not.
    """
    box = zip(low, high, x.shape[1:-1], strict=True)
    inside = [slice(min(max(a, 0), n), max(min(b, n), 0)) for a, b, n in box]
    seen = x[(slice(None), *inside)]
    shape = (len(x), *[b - a for a, b in zip(low, high, strict=True)], x.shape[-1])
    if seen.shape == shape:
        return seen
    found = be.full(shape, value, x.dtype) if value else be.zeros(shape, x.dtype)
    if seen.size:
        at = [slice(i.start - a, i.stop - a) for i, a in zip(inside, low, strict=True)]
        be.copyto(found[(slice(None), *at)], seen)
    return found


def lined(be, bias, places: int):
    """A vector of channels as that of a line of places, which is added faster; None of None."""
    if bias is None:
        return None
    line = be.empty((places, len(bias)), bias.dtype)
    be.copyto(line, bias)
    return line.reshape(-1)


def add(x, line) -> None:
    """Add what `lined` gives to whole lines, in place; nothing if that is None."""
    if line is not None and x.size:
        lines = x.reshape(-1, len(line))
        lines += line


def pad(be, x, win, value=0):
    """The array with the window's padding around it; itself where there is none."""
    low = [-b for b in win.before]
    return cut(be, x, low, [a + n for a, n in zip(low, win.padded, strict=True)], value)


def images(x, limit: int) -> list[slice]:
    """Parts of the images that have at most so many bytes, but for one that has more."""
    step = max(limit // max(x.size * x.dtype.itemsize // max(len(x), 1), 1), 1)
    return [slice(i, min(i + step, len(x))) for i in range(0, len(x), step)]


def strips(n: int, lines: int, size: int, limit: int) -> list[tuple[int, int, int, int]]:
    """Parts of n images, each of so many lines of `size` bytes, that are below a limit of bytes.

    Returns:
        (i, j, a, b): the lines [a, b) of the images [i, j).

    >>> strips(3, 4, 10, 80), strips(1, 4, 10, 30)
    ([(0, 2, 0, 4), (2, 3, 0, 4)], [(0, 1, 0, 3), (0, 1, 3, 4)])
    """
    images = limit // (lines * size)
    if images:
        return [(i, min(i + images, n), 0, lines) for i in range(0, n, images)]
    step = max(limit // size, 1)
    starts = range(0, lines, step)
    return [(i, i + 1, a, min(a + step, lines)) for i in range(n) for a in starts]


# --- arguments ---


def numbers(op: str, argument: str, value, n: int, low: int = 1) -> tuple[int, ...]:
    """One integer for each of n spatial axes, of one for all or a sequence of n.

    Raises:
        ArgumentTypeError: if it is not that.
        ArgumentError: if an integer is below `low`.
    """
    values = (value,) * n if isinstance(value, Integral) else value
    good = isinstance(values, list | tuple | np.ndarray) and len(values) == n
    if not good or not all(
        isinstance(v, Integral) and not isinstance(v, bool) and int(v) >= low for v in values
    ):
        wanted = f"an integer >= {low}" + (f", or {n} of them" if n > 1 else "")
        kind = ArgumentError if good else ArgumentTypeError
        raise kind(f"{op}: {argument} must be {wanted}, got {value!r}")
    return tuple([int(v) for v in values])


def padding_mode(op: str, value, known=("valid", "same")) -> str:
    """The padding in lower case.

    Raises:
        ArgumentError: if it is not one of the known ones.
    """
    mode = value.lower() if isinstance(value, str) else ""
    if mode not in known:
        raise unknown(f"padding of {op}", value, known)
    return mode


def channels_last(op: str, inputs, data_format):
    """The inputs with their channels last, and how many spatial axes they have.

    Raises:
        ArgumentError: if the format is unknown.
        ShapeError: unless the inputs have a batch, one to three spatial axes and channels.
    """
    first, shape = channels_first(data_format, op), _shape(inputs)
    if not 3 <= len(shape) <= 5:
        raise ShapeError(
            f"{op}: expected inputs with a batch, 1 to 3 spatial axes and channels, got {shape}"
        )
    return moveaxis(inputs, 1, -1) if first else inputs, len(shape) - 2


def as_given(y, data_format):
    """A result with its channels where the inputs had them."""
    return moveaxis(y, -1, 1) if channels_first(data_format, "the result") else y

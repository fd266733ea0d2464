"""Form: what an elementwise call does with each element, whatever the shapes of its arrays."""

from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import NamedTuple

import numpy as np

from gpunn.backend.instructions import cast, instructions, literal, loop_of
from gpunn.capture.ir import Call, View

SHORT = 16  # elements of the inner axis: NumPy is as quick with fewer


class Form(NamedTuple):
    """A call as a function of elements, over axes of its own.

    Args:
        fn: a ufunc, "copy" or "where".
        dtypes: what it takes and gives, before the cast to the result's dtype.
        sizes: of its axes, as few as there can be, in the order in which the result lies in memory.
        inputs: for each a view and its bytes from element to element along the axes, or a literal.
        out: the same for the result.
    """

    fn: np.ufunc | str
    dtypes: tuple[np.dtype, ...]
    sizes: tuple[int, ...]
    inputs: tuple
    out: tuple[View, tuple[int, ...]]

    @property
    def arrays(self) -> list[tuple[View, tuple[int, ...]]]:
        """The inputs that are no numbers, and the result."""
        return [*(x for x in self.inputs if type(x) is tuple), self.out]


def form_of(call: Call) -> Form | None:
    """The form of a call, if it is elementwise and its inner axis lies in memory in one piece."""
    fn, args = _function(call)
    out = call.out
    if fn is None or out is None or prod(out.shape) < SHORT:
        return None
    kinds = [_kind(x) for x in args]
    if any(kind is None for kind in kinds):  # float64 is "equal" to None
        return None
    dtypes = _dtypes(fn, tuple(kinds), out.dtype, call.options.get("dtype"))
    if dtypes is None:
        return None
    axes = [axis for axis, n in enumerate(out.shape) if n > 1]
    axes.sort(key=lambda axis: -out.strides[axis])
    views = [x for x in (*args, out) if type(x) is View]
    along = [_along(view, out.shape, axes) for view in views]
    sizes, along = collapsed([out.shape[axis] for axis in axes], along)
    widths = [view.dtype.itemsize for view in views]
    if sizes[-1] < SHORT or along[-1][-1] != widths[-1] or min(along[-1]) <= 0:
        return None
    if any(strides[-1] not in (0, width) for strides, width in zip(along, widths)):
        return None
    placed = zip(views, along)
    inputs = [next(placed) if type(x) is View else literal(x, t) for x, t in zip(args, dtypes)]
    return Form(fn, dtypes, sizes, tuple(inputs), next(placed))


def _function(call: Call):
    """The function and its arguments; None if it is none that a loop can have."""
    fn, args, form = call.fn, call.args, call.form
    if form == "do" and getattr(fn, "__name__", "") in ("copyto", "_copy_cast"):
        return "copy", args[1:]
    if form == "store" and fn is np.where and not call.options:
        return "where", args
    if form in ("ufunc", "into") and isinstance(fn, np.ufunc) and fn.signature is None:
        if len(args) == fn.nin and not set(call.options) - {"dtype"}:
            return fn, args
    return None, ()


def _kind(x):
    """What decides the dtypes: a dtype, or a type of Python's numbers."""
    if type(x) is View:
        return x.dtype
    if isinstance(x, np.generic | bool):
        return np.asarray(x).dtype
    if type(x) is float or (type(x) is int and abs(x) < 1 << 31):
        return type(x)
    return None


@lru_cache(1024)
def _dtypes(fn, kinds, out, wanted) -> tuple[np.dtype, ...] | None:
    """What a function takes and gives; None if it has no instructions for it."""
    dtypes: tuple[np.dtype, ...]
    if fn == "copy":
        dtypes = (kinds[0] if isinstance(kinds[0], np.dtype) else out,) * 2
    elif fn == "where":
        dtypes = (np.dtype(bool), out, out, out)
    else:
        signature = (*[None] * fn.nin, None if wanted is None else np.dtype(wanted))
        try:
            dtypes = fn.resolve_dtypes((*kinds, out), signature=signature)
        except TypeError:
            return None
        if len(set(dtypes[:-1])) > 1 or not (
            instructions(fn.__name__, dtypes[0]) or loop_of(fn, dtypes[0])
        ):
            return None
    casts = [(kind, dtype) for kind, dtype in zip(kinds, dtypes) if isinstance(kind, np.dtype)]
    casts.append((dtypes[-1], out))
    return None if any(cast(old, new) is None for old, new in casts) else dtypes


def _along(view: View, shape, axes) -> tuple[int, ...]:
    """The bytes from element to element of a view that is broadcast to a shape."""
    missing = len(shape) - len(view.shape)
    strides = [0 if n == 1 else s for n, s in zip(view.shape, view.strides)]
    return tuple([0 if axis < missing else strides[axis - missing] for axis in axes])


def collapsed(sizes, along):
    """Axes joined that lie one behind the other for all, and the strides along them."""
    if not sizes:
        return (1,), [(0,) for _ in along]
    joined, columns = [sizes[-1]], [[strides[-1]] for strides in along]
    for axis in range(len(sizes) - 2, -1, -1):
        n = joined[0]
        if all(s[axis] == column[0] * n for s, column in zip(along, columns)):
            joined[0] *= sizes[axis]
        else:
            joined.insert(0, sizes[axis])
            for s, column in zip(along, columns):
                column.insert(0, s[axis])
    return tuple(joined), [tuple(column) for column in columns]


@lru_cache(4096)
def common(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """The axes that both shapes' axes are made of: (6, 4) and (3, 8) have (3, 2, 4)."""
    if a == b:
        return a
    if prod(a) != prod(b):
        return None
    ends = sorted({prod(x[i:]) for x in (a, b) for i in range(len(x))})
    sizes = [ends[0]]
    for low, high in pairwise(ends):
        if high % low:
            return None
        sizes.insert(0, high // low)
    return tuple(sizes)


@lru_cache(4096)
def split(sizes, strides, wanted) -> tuple[int, ...]:
    """The strides along finer axes."""
    if sizes == wanted:
        return strides
    found, axes = [], list(wanted)
    for n, stride in zip(reversed(sizes), reversed(strides)):
        while n > 1:
            axis = axes.pop()
            found.insert(0, stride)
            stride, n = stride * axis, n // axis
    return tuple(found)

"""Calls with real arrays in place of views, in the form that costs NumPy least; the bits stay."""

from collections.abc import Callable
from functools import partial

import numpy as np

from gpunn.capture.ir import Call, View, mapped

Bound = tuple[Callable, tuple]

# Functions that are a ufunc's reduction behind a few layers of Python.
REDUCTIONS: dict[Callable, Callable] = {
    function: ufunc.reduce
    for name, ufunc in {
        "sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum,
        "any": np.logical_or, "all": np.logical_and,
    }.items()
    for function in (getattr(np, name), getattr(np.ndarray, name), ufunc.reduce)
}  # fmt: skip

# Of operands with two dtypes these are quicker if one operand is cast before, by a call of its own.
OF_TWO = {np.add, np.subtract, np.multiply, np.divide, np.equal, np.not_equal}
FEW = 4096  # elements: with more it makes no difference
WAY = 4096  # bytes: addresses so far apart share a set of the CPU's first cache


def bound(call: Call, array: Callable[[View], np.ndarray]) -> list[Bound]:
    """Functions and their arguments that together make a call.

    Args:
        call: the call.
        array: gives the real array of a view.
    """
    args = mapped(call.args, array)
    if call.form == "loop":
        return [call.fn(*args)]
    if call.fn is np.copyto and len(args) == 2 and isinstance(args[1], np.ndarray):
        return [(_direct(np.copyto), pair) for pair in _blocks(*args)]
    if call.form == "do" or call.out is None:
        return [(_direct(call.fn), args)]
    out = array(call.out)
    if call.form == "store":
        return [(partial(_store, out, call.fn, call.options), args)]
    if call.form == "ufunc" and getattr(call.fn, "signature", "") is None:  # not matmul
        return _ufunc(call.fn, args, out)
    reduce = REDUCTIONS.get(call.fn)
    if reduce is not None and len(args) <= 2 and not set(call.options) - {"axis", "keepdims"}:
        axis = args[1] if len(args) == 2 else call.options.get("axis", _default_axis(call.fn))
        return [(reduce, (args[0], axis, None, out, call.options.get("keepdims", False)))]
    if call.form == "into":
        return [(partial(call.fn, out=out, **call.options), args)]
    return [(_direct(call.fn), (*args, out))]


def _direct(fn: Callable) -> Callable:
    """NumPy's own function without the search for other kinds of arrays around it."""
    return fn.__wrapped__ if fn in (np.dot, np.copyto) else fn  # type: ignore[attr-defined]


def _blocks(target: np.ndarray, source: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """A copy in parts that the cache holds where the source is turned around.

    NumPy goes along the target's last axis. Where that jumps by multiples of half a way of the
    cache, the lines that it reads push each other out before their other elements are needed.
    """
    whole = [(target, source)]
    if target.ndim < 2 or source.shape != target.shape or target.nbytes < WAY:
        return whole
    step, near = abs(source.strides[-1]), source.strides[:-1]
    if not step or step % (WAY // 2) or source.itemsize not in near:
        return whole
    lines = 8 if step % WAY == 0 else 16
    starts = range(0, target.shape[-1], lines)
    return [(target[..., i : i + lines], source[..., i : i + lines]) for i in starts]


def _ufunc(fn: Callable, args: tuple, out: np.ndarray) -> list[Bound]:
    whole, out = out, _without_axes(out)
    # an operand that is the result stays the same object: NumPy need not look for overlaps
    args = tuple([out if x is whole else _without_axes(x) for x in args])
    before: list[Bound] = []
    after: list[Bound] = []
    if fn in OF_TWO and out.size <= FEW:
        a, b = args
        both = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
        if both and b.dtype != a.dtype == np.result_type(a, b) and out.dtype in (a.dtype, bool):
            wide = np.empty(b.shape, a.dtype)
            before, args = [(_direct(np.copyto), (wide, b))], (a, wide)
    if out.size == 1 and any(x is out for x in args):
        spare = np.empty_like(out)  # in place, NumPy takes three times as long for one element
        out, after = spare, [(_direct(np.copyto), (out, spare))]
    if fn in (np.maximum, np.minimum):  # NumPy wants out= by name
        return [*before, (partial(fn, out=out), args), *after]
    return [*before, (fn, (*args, out)), *after]


def _without_axes(x):
    """Without the first axes that have one element: NumPy is quickest where all have the same."""
    if not isinstance(x, np.ndarray) or not x.ndim or x.shape[0] != 1:
        return x
    first = next((axis for axis, n in enumerate(x.shape) if n != 1), x.ndim)
    return x.reshape(x.shape[first:])


def _default_axis(fn: Callable) -> int | None:
    return 0 if isinstance(getattr(fn, "__self__", None), np.ufunc) else None


def _store(out, function, options, *args) -> None:
    np.copyto(out, function(*args, **options))

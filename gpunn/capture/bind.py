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

ARITHMETIC = {np.add, np.subtract, np.multiply, np.divide}
FEW = 4096  # elements
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
    if out.size > 1:  # one element is broadcast by a quicker way if it has no axes
        args = tuple([_without_axes(x) for x in args])
    if fn in (np.maximum, np.minimum):  # NumPy wants out= by name
        return [(partial(fn, out=out), args)]
    before = []
    if fn in ARITHMETIC and out.size <= FEW:
        a, b = args
        both = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
        if both and b.dtype != out.dtype == a.dtype == np.result_type(a, b):
            wide = np.empty(b.shape, out.dtype)  # a cast of its own is quicker than the ufunc's
            before, args = [(_direct(np.copyto), (wide, b))], (a, wide)
    return [*before, (fn, (*args, out))]


def _without_axes(x):
    return x.reshape(()) if isinstance(x, np.ndarray) and x.size == 1 else x


def _default_axis(fn: Callable) -> int | None:
    return 0 if isinstance(getattr(fn, "__self__", None), np.ufunc) else None


def _store(out, function, options, *args) -> None:
    np.copyto(out, function(*args, **options))

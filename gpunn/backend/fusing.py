"""Elementwise code in one launch: the body of an op, or an optimizer's rule, becomes one kernel.

The kernel's text is made of the code itself (`expressions.py`), so that nothing is written twice.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import cupy
import numpy as np

from gpunn.backend.expressions import Symbol, Trace, statements
from gpunn.backend.kernels import enabled
from gpunn.errors import KernelError

# NaN wins, as in numpy.maximum
PREAMBLE = """
template <typename T> __device__ T larger(T a, T b) { return a != a || a > b ? a : b; }
template <typename T> __device__ T smaller(T a, T b) { return a != a || a < b ? a : b; }
"""


def fused(reference: Callable) -> Callable:
    """The body of an op that computes element by element, as one launch for each direction.

    The pullback reads the result where that is enough, else the operands, and computes what it
    needs of them anew: that is cheaper than to keep it.

    Args:
        reference: `body(be, *operands, **static) -> (result, pullback)`, of one result.
    """
    plans: dict[tuple, _Forward] = {}

    def body(be, *operands, **static):
        kinds = tuple([x.dtype if isinstance(x, cupy.ndarray) else type(x) for x in operands])
        key = (kinds, *static.items())
        plan = plans.get(key)
        if plan is None:
            plan = plans[key] = _Forward(reference, kinds, static)
        return plan(be, operands)

    return body


class _Forward:
    """The kernels of an op for operands of some kinds (a dtype, a Python type or None)."""

    def __init__(self, reference, kinds, static):
        self._reference, self._kinds, self._static = reference, kinds, static
        _, _, y, _ = self._traced()
        self.dtype = y.dtype
        self.run = _kernel(reference.__name__, self._names(), {"y": y})
        self._backward: dict[tuple, tuple] = {}

    def _traced(self):
        """The trace, the operands, the result, and the pullback."""
        trace = Trace()
        operands = [
            None if kind is type(None)
            else trace.leaf(f"x{i}", kind) if isinstance(kind, np.dtype) else trace.number(f"x{i}")
            for i, kind in enumerate(self._kinds)
        ]  # fmt: skip
        y, pullback = self._reference(trace, *operands, **self._static)
        return trace, operands, y, pullback

    def _names(self):
        return {f"x{i}": kind for i, kind in enumerate(self._kinds) if kind is not type(None)}

    def __call__(self, be, operands):
        shapes = [x.shape for x in operands if isinstance(x, cupy.ndarray)]
        shape = shapes[0] if len(set(shapes)) == 1 else np.broadcast_shapes(*shapes)
        y = be.empty(shape, self.dtype)
        given = [x for x in operands if x is not None]
        self.run(*given, y)

        def pullback(dy, needs):
            plan = self._backward.get(needs)
            if plan is None:
                plan = self._backward[needs] = self._pullback_kernel(needs, dy.dtype)
            run, reads_result, dtypes = plan
            dxs = [None if d is None else be.empty(shape, d) for d in dtypes]
            saved = (y,) if reads_result else given
            run(*saved, dy, *[dx for dx in dxs if dx is not None])
            return tuple(dxs)

        return y, pullback

    def _pullback_kernel(self, needs, dtype):
        """The kernel, whether it reads the result instead of the operands, and results' dtypes."""
        trace, _, y, pullback = self._traced()
        dxs = pullback(trace.leaf("dy", dtype), needs)
        wanted = {f"dx{i}": dx for i, dx in enumerate(dxs) if dx is not None}
        _, leaves = statements([dx.now for dx in wanted.values()], [y.now])
        reads_result = {leaf.name for leaf in leaves} <= {"dy", y.now.name}
        names = {y.now.name: y.dtype} if reads_result else self._names()
        known = [y.now] if reads_result else []
        run = _kernel(f"{self._reference.__name__}_pullback", {**names, "dy": dtype}, wanted, known)
        return run, reads_result, [None if dx is None else dx.dtype for dx in dxs]


def in_one_launch(be, code: Callable, args: tuple, scratch: int = 0) -> None:
    """See `Backend.in_one_launch`."""

    def call_by_call():
        code(be, *args, *[be.empty(whole.shape, whole.dtype) for _ in range(scratch)])

    trace = Trace()
    given: dict[str, Any] = {}
    symbols: dict[str, Symbol] = {}

    def symbol(x):
        if isinstance(x, tuple | list):
            return tuple([symbol(v) for v in x])
        if not isinstance(x, cupy.ndarray | float):
            return x
        name = f"a{len(given)}"
        given[name] = x
        symbols[name] = trace.number(name) if type(x) is float else trace.leaf(name, x.dtype)
        return symbols[name]

    operands = symbol(args)
    whole = next(x for x in given.values() if type(x) is not float)
    before = {name: s.now for name, s in symbols.items()}
    if not enabled():
        return call_by_call()
    try:
        code(trace, *operands, *[trace.scratch(whole.dtype) for _ in range(scratch)])
        results = {name: s for name, s in symbols.items() if s.now is not before[name]}
        _, leaves = statements([s.now for s in results.values()])
    except (KernelError, TypeError, AttributeError):  # it is more than elementwise
        return call_by_call()
    used = {leaf.name for leaf in leaves}
    reads = {n: float if type(x) is float else x.dtype for n, x in given.items() if n in used}
    run = _kernel(getattr(code, "__name__", "change"), reads, results)
    run(*[given[n] for n in reads], *[given[n] for n in results])


def _kernel(name: str, reads: dict, results: dict[str, Symbol], known=()):
    """The kernel that computes results (by name) of what it reads (name: dtype or number)."""
    lines, _ = statements([x.now for x in results.values()], known)
    lines += [f"out_{n} = {x.now.name};" for n, x in results.items()]
    inputs = [f"{_type(kind)} {n}" for n, kind in reads.items()]
    outputs = [f"{x.dtype.name} out_{n}" for n, x in results.items()]
    return _compiled(", ".join(inputs), ", ".join(outputs), "\n".join(lines), name)


def _type(kind) -> str:
    return kind.name if isinstance(kind, np.dtype) else "float64"


@cache
def _compiled(inputs: str, outputs: str, text: str, name: str):
    name = f"gpunn_{name.strip('_')}"
    options = ("--fmad=false",)
    return cupy.ElementwiseKernel(inputs, outputs, text, name, preamble=PREAMBLE, options=options)

"""Elementwise code in one launch: the body of an op, or an optimizer's rule, becomes one kernel.

The kernel's text is made of the code itself (`expressions.py`), so that nothing is written twice.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import cupy
import numpy as np

from gpunn.backend.elementwise import PREAMBLE, STORED, Elementwise
from gpunn.backend.expressions import TYPES, Symbol, Trace, statements
from gpunn.backend.graph import capturing
from gpunn.backend.kernels import enabled
from gpunn.errors import KernelError


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
        _, _, y, pullback = self._traced()
        self.dtype = y.dtype
        # operands need not be kept if the result is enough for all gradients
        everything = tuple([isinstance(kind, np.dtype) for kind in kinds])
        self._keeps = pullback is not None and not self._gradients(everything, y.dtype)[2]
        self.run = elementwise_kernel(reference.__name__, self._names(), {"y": y})
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
        return trace, operands, _stored(y, self._kinds), pullback

    def _names(self):
        return {f"x{i}": kind for i, kind in enumerate(self._kinds) if kind is not type(None)}

    def __call__(self, be, operands):
        shapes = [x.shape for x in operands if isinstance(x, cupy.ndarray)]
        shape = shapes[0] if len(set(shapes)) == 1 else np.broadcast_shapes(*shapes)
        y = be.empty(shape, self.dtype)
        given = [x for x in operands if x is not None]
        self.run(*given, y)
        given = given if self._keeps else []

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

    def _gradients(self, needs, dtype):
        """The result, the gradients, and whether these can be made of the result."""
        trace, _, y, pullback = self._traced()
        dxs = pullback(trace.leaf("dy", dtype), needs)
        dxs = [None if dx is None else _stored(dx, self._kinds) for dx in dxs]
        _, leaves = statements([dx.now for dx in dxs if dx is not None], [y.now])
        return y, dxs, {leaf.name for leaf in leaves} <= {"dy", y.now.name}

    def _pullback_kernel(self, needs, dtype):
        """The kernel, whether it reads the result instead of the operands, and results' dtypes."""
        y, dxs, reads_result = self._gradients(needs, dtype)
        wanted = {f"dx{i}": dx for i, dx in enumerate(dxs) if dx is not None}
        names = {y.now.name: y.dtype} if reads_result else self._names()
        known = [y.now] if reads_result else []
        name, names = f"{self._reference.__name__}_pullback", {**names, "dy": dtype}
        run = elementwise_kernel(name, names, wanted, known)
        return run, reads_result, [None if dx is None else dx.dtype for dx in dxs]


def _stored(x: Symbol, kinds) -> Symbol:
    """A result as it is kept: bfloat16 if operands are, which is computed in float32."""
    half = next((kind for kind in kinds if isinstance(kind, np.dtype) and kind.kind == "V"), None)
    return x if half is None or x.dtype != np.float32 else x.astype(half)


@cache
def activation(reference: Callable | None, dtype: np.dtype) -> tuple[str, bool]:
    """An elementwise op of one operand as CUDA text, for kernels that go on with its result.

    Args:
        reference: the op's body; None: the value itself.
        dtype: what is computed in.

    Returns:
        The text of a struct `Activation` with the functions `forward(x)` and `backward(saved, dy)`,
        and whether what the latter reads is the result, not the operand.
    """
    trace = Trace()
    x, dy = trace.leaf("x", dtype), trace.leaf("dy", dtype)
    y, dx = x, dy
    if reference is not None:
        y, pullback = reference(trace, x)
        (dx,) = pullback(dy, (True,))
    _, leaves = statements([dx.now], [y.now])
    reads_result = all(leaf.name in ("dy", y.now.name) for leaf in leaves)
    saved = y.now if reads_result else x.now
    parts = []
    for name, made, known, parameters in (
        ("forward", y, (), ("x",)),
        ("backward", dx, (saved,), (saved.name, "dy")),
    ):
        lines, _ = statements([made.now], known)
        given = ", ".join(f"{TYPES[dtype.name]} {p}" for p in parameters)
        parts += [f"static __device__ {TYPES[dtype.name]} {name}({given}) {{", *lines]
        parts += [f"return {made.now.name};", "}"]
    return "\n".join([PREAMBLE, "struct Activation {", *parts, "};\n"]), reads_result


class Inside:
    """Stands for the backend in code that a kernel does on its way, for each of its results.

    The code asks `in_one_launch` once, with arrays as long as the results.

    Args:
        dtype: of the kernel's results.
        *results: what stands for them in the code.
    """

    NONE = "struct Update { template <class... V> __device__ void operator()(V...) {} };\n"

    def __init__(self, dtype: np.dtype, *results):
        self._dtype, self._results = dtype, results
        self.text = self.NONE
        self.argument: Any = np.zeros((), [("nothing", np.uint8)])[()]

    def in_one_launch(self, code: Callable, args: tuple) -> None:
        """Make text of the code, a struct `Update` for the kernel to call, and its argument."""
        trace, fields, symbols = Trace(), [], []
        for i, x in enumerate(args):
            mine = [j for j, result in enumerate(self._results) if x is result]
            name = f"result{mine[0]}" if mine else f"a{i}"
            is_number = type(x) is float
            # halves are computed in float32
            dtype = None if is_number else np.float32 if x.dtype.itemsize == 2 else x.dtype
            symbols.append(trace.number(name) if is_number else trace.leaf(f"{name}_now", dtype))
            if not mine:
                fields.append((name, x, np.float64 if is_number else np.uint64))
        before = [s.now for s in symbols]
        code(trace, *symbols)
        changed = [i for i, s in enumerate(symbols) if s.now is not before[i]]
        lines, _ = statements([symbols[i].now for i in changed])
        members = [
            f"double {name};" if kind is np.float64 else f"{STORED[x.dtype.name]}* {name};"
            for name, x, kind in fields
        ]
        loads = [
            f"{TYPES[symbols[int(name[1:])].dtype.name]} {name}_now = {name}[i];"
            for name, _, kind in fields
            if kind is np.uint64
        ]
        stores = [
            f"a{i}[i] = ({STORED[args[i].dtype.name]}){symbols[i].now.name};" for i in changed
        ]
        values = [f"{TYPES[self._dtype.name]} result{j}_now" for j in range(len(self._results))]
        head = f"__device__ void operator()(long long i, {', '.join(values)}) {{"
        self.text = "\n".join(
            [
                PREAMBLE,
                "using float16 = __half;",
                "struct Update {",
                *members,
                head,
                *loads,
                *lines,
                *stores,
                "}",
                "};\n",
            ]
        )
        given = tuple([x if kind is np.float64 else x.data.ptr for _, x, kind in fields])
        self.argument = np.array(given, [(name, kind) for name, _, kind in fields])[()]


def in_one_launch(be, code: Callable, args: tuple, scratch: int = 0) -> None:
    """See `Backend.in_one_launch`."""

    def call_by_call():
        code(be, *args, *[be.empty(whole.shape, whole.dtype) for _ in range(scratch)])

    trace = Trace()
    given: dict[str, Any] = {}
    symbols: dict[str, Symbol] = {}

    operands = _symbols(args, trace, given, symbols)
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
    run = elementwise_kernel(getattr(code, "__name__", "change"), reads, results)
    graph, operands = capturing(), [given[n] for n in (*reads, *results)]
    if graph is None or graph.ready(run, operands):
        run(*operands)


def _symbols(x, trace: Trace, given: dict, symbols: dict):
    """What stands for the arrays and numbers in nested arguments; both are noted by name.

    No function inside another one, which would hold itself, and the arrays.
    """
    if isinstance(x, tuple | list):
        return tuple([_symbols(v, trace, given, symbols) for v in x])
    if not isinstance(x, cupy.ndarray | float):
        return x
    name = f"a{len(given)}"
    given[name] = x
    dtype = getattr(x, "dtype", None)  # a Python number has none
    symbols[name] = trace.number(name) if dtype is None else trace.leaf(name, dtype)
    return symbols[name]


def elementwise_kernel(name: str, reads: dict, results: dict[str, Symbol], known=()):
    """The kernel that computes results (by name) of what it reads (name: dtype or number)."""
    lines, _ = statements([x.now for x in results.values()], known)
    lines += [f"out_{n} = {x.now.name};" for n, x in results.items()]
    inputs = [(n, kind if isinstance(kind, np.dtype) else None) for n, kind in reads.items()]
    outputs = [(f"out_{n}", x.dtype) for n, x in results.items()]
    return _made(name, tuple(inputs), tuple(outputs), "\n".join(lines))


_made = cache(Elementwise)

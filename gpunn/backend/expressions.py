"""Trace: elementwise array code, run once on symbols, as statements of CUDA C.

A `Symbol` stands for one element of an array: it has no axes, knows its dtype, and notes what is
done with it. NumPy says which dtype each step is computed in.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from gpunn.errors import KernelError

# How a function of NumPy reads in C; {T} is the type it computes in.
TEMPLATES = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "power": "pow({0}, {1})",
    "maximum": "larger({0}, {1})",
    "minimum": "smaller({0}, {1})",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "bitwise_and": "{0} & {1}",
    "bitwise_or": "{0} | {1}",
    "logical_and": "{0} && {1}",
    "logical_or": "{0} || {1}",
    "logical_not": "!{0}",
    "negative": "-{0}",
    "absolute": "fabs({0})",
    "sign": "{0} != {0} ? {0} : {T}(({0} > 0) - ({0} < 0))",
    "square": "{0} * {0}",
    "reciprocal": "{T}(1) / {0}",
    "isnan": "isnan({0})",
    "isfinite": "isfinite({0})",
    "arctan": "atan({0})",
    "arcsinh": "asinh({0})",
    **{
        name: name + "({0})"
        for name in "sqrt exp expm1 log log1p sin cos tan sinh cosh tanh erf".split()
    },
}
ALIASES = {"true_divide": "divide", "abs": "absolute", "fabs": "absolute"}
TYPES = {
    "bool": "bool", "float16": "float16", "bfloat16": "bfloat16", "float32": "float",
    "float64": "double",
    "int32": "int", "int64": "long long", "uint32": "unsigned int", "uint8": "unsigned char",
}  # fmt: skip


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """A statement `type name = text`, or a leaf (no text), and the steps that it reads."""

    name: str
    dtype: np.dtype
    text: str | None
    reads: tuple["Step", ...]


class Trace:
    """Notes what is done with its symbols; stands for the backend in the code that is traced."""

    kind = "cuda"

    def __init__(self):
        self._count = 0
        self.xp = _Functions(self)
        self.maximum, self.minimum = self.xp.maximum, self.xp.minimum
        self.erf = self.xp.erf

    def leaf(self, name: str, dtype) -> "Symbol":
        """An element of an array that the code is given."""
        return Symbol(self, Step(name, np.dtype(dtype), None, ()))

    def number(self, name: str) -> "Symbol":
        """A number of the host's: it takes the dtype of what it meets, as Python's floats do."""
        return Symbol(self, Step(name, np.dtype(float), None, ()), is_weak=True)

    def scratch(self, dtype) -> "Symbol":
        """An element of an array that the code writes before it reads it."""
        return Symbol(self, Step("", np.dtype(dtype), None, ()))

    def copyto(self, target: "Symbol", source: "Symbol") -> None:
        """Give a symbol another one's value."""
        target.set(source)

    def wrap(self, x: "Symbol") -> "Symbol":
        """The symbol: it stands for elements of arrays of any rank."""
        return x

    def step(self, dtype, text: str, reads: Iterable[Step]) -> Step:
        """A new statement."""
        self._count += 1
        return Step(f"v{self._count}", np.dtype(dtype), text, tuple(reads))

    def call(self, name: str, args, out=None):
        """Note a function of NumPy; the result is a new symbol, or `out` with a new value."""
        name = ALIASES.get(name, name)
        template = TEMPLATES.get(name)
        if template is None:
            raise KernelError(f"{name} is no elementwise function that can be traced")
        operands = 2 if "{1}" in template else 1
        if len(args) > operands:  # `out` by position
            *args, out = args
        kinds = tuple([_kind(x) for x in args])
        *into, dtype = _loop(name, kinds)
        wide = [np.dtype("float32") if d == np.float16 else d for d in into]
        texts = [_converted(x, d) for x, d in zip(args, wide, strict=True)]
        text = template.format(*texts, T=TYPES[wide[0].name])
        return self._result(dtype, text, args, out)

    def where(self, condition, a, b):
        """a where the condition holds, b elsewhere."""
        dtype = _loop("add", (_kind(a), _kind(b)))[-1]
        texts = [_converted(x, d) for x, d in ((condition, np.dtype(bool)), (a, dtype), (b, dtype))]
        return self._result(dtype, "{} ? {} : {}".format(*texts), (condition, a, b), None)

    def clip(self, x, low, high, out=None):
        """x, but at least `low` and at most `high`."""
        return self.call("minimum", (self.call("maximum", (x, low)), high), out)

    def _result(self, dtype, text, args, out):
        step = self.step(dtype, text, [x.now for x in args if isinstance(x, Symbol)])
        if out is None:
            return Symbol(self, step)
        return out.set(Symbol(self, step))


class _Functions:
    """The functions of `xp` that can be traced."""

    def __init__(self, trace: Trace):
        self._trace = trace
        self.where, self.clip = trace.where, trace.clip
        self.nan, self.inf, self.pi = np.nan, np.inf, np.pi

    def __getattr__(self, name):
        return lambda *args, out=None: self._trace.call(name, args, out)


class Symbol:
    """One element of an array; `now` is the step that made its present value."""

    __slots__ = ("trace", "now", "is_weak")
    shape: tuple = ()
    ndim = 0
    size = 1

    def __init__(self, trace: Trace, now: Step, is_weak: bool = False):
        self.trace = trace
        self.now = now
        self.is_weak = is_weak

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the array."""
        return self.now.dtype

    def set(self, other) -> "Symbol":
        """Take another symbol's value, in the own dtype."""
        self.now = other.astype(self.dtype).now
        return self

    def astype(self, dtype, copy=True) -> "Symbol":
        """The value in another dtype."""
        dtype = np.dtype(dtype)
        if dtype == self.dtype and not self.is_weak:
            return Symbol(self.trace, self.now)
        text = _converted(self, dtype)
        return Symbol(self.trace, self.trace.step(dtype, text, (self.now,)))

    def clip(self, low, high) -> "Symbol":
        """As the method of arrays."""
        return self.trace.clip(self, low, high)

    def __bool__(self):
        raise KernelError("code that asks for values cannot be traced")

    __hash__ = object.__hash__


def _operator(name: str, swapped: bool = False, in_place: bool = False):
    def method(self, *others):
        args = (*others, self) if swapped else (self, *others)
        return self.trace.call(name, args, self if in_place else None)

    return method


for _symbol, _name in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power",
    "and": "bitwise_and", "or": "bitwise_or",
}.items():  # fmt: skip
    setattr(Symbol, f"__{_symbol}__", _operator(_name))
    setattr(Symbol, f"__r{_symbol}__", _operator(_name, swapped=True))
    setattr(Symbol, f"__i{_symbol}__", _operator(_name, in_place=True))
for _symbol, _name in {
    "gt": "greater", "ge": "greater_equal", "lt": "less", "le": "less_equal", "eq": "equal",
    "ne": "not_equal", "neg": "negative", "invert": "logical_not", "abs": "absolute",
}.items():  # fmt: skip
    setattr(Symbol, f"__{_symbol}__", _operator(_name))


def _kind(x):
    """What NumPy's dtype rules go by."""
    if isinstance(x, Symbol):
        if not x.now.name:
            raise KernelError("code that reads an array before it writes it cannot be traced")
        # bfloat16 is computed in float32
        return float if x.is_weak else np.dtype("float32") if x.dtype.kind == "V" else x.dtype
    if type(x) in (int, float, bool):
        return type(x)
    raise KernelError(f"a {type(x).__name__} cannot be traced")


@cache
def _loop(name: str, kinds: tuple) -> tuple[np.dtype, ...]:
    """The dtypes that operands are converted to, and that of the result."""
    if name == "erf":
        name = "exp"  # NumPy has none
    if name == "bitwise_and" and bool in kinds:
        kinds = tuple(np.dtype(bool) if k is bool else k for k in kinds)
    return getattr(np, name).resolve_dtypes((*kinds, None))


def _converted(x, dtype: np.dtype) -> str:
    """An operand as C text, in a dtype."""
    kind = TYPES.get(dtype.name)
    if kind is None:
        raise KernelError(f"dtype {dtype.name} cannot be traced")
    if isinstance(x, Symbol):
        return x.now.name if x.dtype == dtype else f"({kind}){x.now.name}"
    if not np.isfinite(x):
        return f"({kind})({'0.0' if np.isnan(x) else '-1.0' if x < 0 else '1.0'} / 0.0)"
    return f"({kind})({x!r})" if dtype.kind == "f" else f"({kind}){int(x)}"


def statements(wanted: Iterable[Step], known: Iterable[Step] = ()) -> tuple[list[str], set[Step]]:
    """The C statements that make some steps, and the leaves (or known steps) that they read."""
    known, lines, leaves, seen = set(known), [], set(), set()

    def visit(step: Step) -> None:
        if step in seen:
            return
        seen.add(step)
        if step.text is None or step in known:
            leaves.add(step)
            return
        for read in step.reads:
            visit(read)
        lines.append(f"{TYPES[step.dtype.name]} {step.name} = {step.text};")

    for step in wanted:
        visit(step)
    return lines, leaves

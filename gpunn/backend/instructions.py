"""What NumPy's elementwise functions are in LLVM's instructions, with the same bits.

Every instruction rounds as IEEE says, and LLVM joins none without being told to. What a CPU has no
instruction for (exp, tanh) stays NumPy's: see `loop_of`.
"""

import ctypes
import platform

import numpy as np

TYPES = {
    "bool": "i1", "float32": "float", "float64": "double",
    **{f"{u}int{n}": f"i{n}" for u in ("", "u") for n in (8, 16, 32, 64)},
}  # fmt: skip

# {0}, {1} are the operands, the next numbers the results of the instructions before; {T} is the
# type and {S} its name in intrinsics.
FLOATS: dict[str, tuple[str, ...]] = {
    "add": ("fadd {T} {0}, {1}",),
    "subtract": ("fsub {T} {0}, {1}",),
    "multiply": ("fmul {T} {0}, {1}",),
    "divide": ("fdiv {T} {0}, {1}",),
    "square": ("fmul {T} {0}, {0}",),
    "reciprocal": ("fdiv {T} 1.0, {0}",),
    "negative": ("fneg {T} {0}",),
    **{
        name: ("call {T} @llvm." + intrinsic + ".{S}({T} {0})",)
        for name, intrinsic in {
            "absolute": "fabs", "fabs": "fabs", "sqrt": "sqrt", "floor": "floor", "ceil": "ceil",
            "trunc": "trunc", "rint": "rint",
        }.items()
    },
    "isnan": ("fcmp uno {T} {0}, {0}",),
    "isfinite": ("call {T} @llvm.fabs.{S}({T} {0})", "fcmp one {T} {1}, 0x7FF0000000000000"),
    "isinf": ("call {T} @llvm.fabs.{S}({T} {0})", "fcmp oeq {T} {1}, 0x7FF0000000000000"),
    "sign": (
        "fcmp ogt {T} {0}, 0.0", "fcmp olt {T} {0}, 0.0", "fcmp oeq {T} {0}, 0.0",
        "select i1 {3}, {T} 0.0, {T} {0}", "select i1 {2}, {T} -1.0, {T} {4}",
        "select i1 {1}, {T} 1.0, {T} {5}",
    ),
    "clip": (
        "fcmp olt {T} {0}, {1}", "select i1 {3}, {T} {1}, {T} {0}",
        "fcmp ogt {T} {4}, {2}", "select i1 {5}, {T} {2}, {T} {4}",
    ),
    **{
        name: ("fcmp " + how + " {T} {0}, {1}",)
        for name, how in {
            "greater": "ogt", "greater_equal": "oge", "less": "olt", "less_equal": "ole",
            "equal": "oeq", "not_equal": "une",
        }.items()
    },
}  # fmt: skip
if platform.machine() in ("x86_64", "AMD64"):  # elsewhere NumPy orders the two zeros
    for _name, _how in (("maximum", "ogt"), ("minimum", "olt")):
        FLOATS[_name] = (
            "fcmp " + _how + " {T} {0}, {1}", "fcmp uno {T} {0}, {0}",
            "or i1 {2}, {3}", "select i1 {4}, {T} {0}, {T} {1}",
        )  # fmt: skip

# {s} is "s" or "u", for signed or not
INTEGERS: dict[str, tuple[str, ...]] = {
    "add": ("add {T} {0}, {1}",),
    "subtract": ("sub {T} {0}, {1}",),
    "multiply": ("mul {T} {0}, {1}",),
    "square": ("mul {T} {0}, {0}",),
    "negative": ("sub {T} 0, {0}",),
    "bitwise_and": ("and {T} {0}, {1}",),
    "bitwise_or": ("or {T} {0}, {1}",),
    "bitwise_xor": ("xor {T} {0}, {1}",),
    "invert": ("xor {T} {0}, -1",),
    "maximum": ("icmp {s}gt {T} {0}, {1}", "select i1 {2}, {T} {0}, {T} {1}"),
    "minimum": ("icmp {s}lt {T} {0}, {1}", "select i1 {2}, {T} {0}, {T} {1}"),
    "equal": ("icmp eq {T} {0}, {1}",),
    "not_equal": ("icmp ne {T} {0}, {1}",),
    "greater": ("icmp {s}gt {T} {0}, {1}",),
    "greater_equal": ("icmp {s}ge {T} {0}, {1}",),
    "less": ("icmp {s}lt {T} {0}, {1}",),
    "less_equal": ("icmp {s}le {T} {0}, {1}",),
}

BOOLEANS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("logical_and", "bitwise_and", "multiply", "minimum"), ("and i1 {0}, {1}",)),
    **dict.fromkeys(("logical_or", "bitwise_or", "add", "maximum"), ("or i1 {0}, {1}",)),
    **dict.fromkeys(("logical_xor", "bitwise_xor", "not_equal"), ("xor i1 {0}, {1}",)),
    **dict.fromkeys(("logical_not", "invert"), ("xor i1 {0}, true",)),
    "equal": ("xor i1 {0}, {1}", "xor i1 {2}, true"),
}

# Functions that are called on rows of elements, as NumPy calls them.
CALLED = set(
    "exp exp2 expm1 log log2 log1p sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh "
    "arctanh cbrt".split()
)


def instructions(name: str, dtype: np.dtype) -> tuple[str, ...] | None:
    """Templates of the instructions that a function is on operands of a dtype, if it is any."""
    if dtype.name not in TYPES:
        return None
    if name.startswith("logical_"):  # the operands are cast to bool first
        return BOOLEANS.get(name)
    return {"f": FLOATS, "i": INTEGERS, "u": INTEGERS, "b": BOOLEANS}[dtype.kind].get(name)


def filled(template: str, dtype: np.dtype, values: list[str]) -> str:
    """An instruction for operands of a dtype."""
    kind = "f" if dtype.kind == "f" else "i"
    return template.format(
        *values,
        T=TYPES[dtype.name],
        S=f"{kind}{dtype.itemsize * 8}",
        s="s" if dtype.kind == "i" else "u",
    )


def cast(old: np.dtype, new: np.dtype) -> str | None:
    """The template of a cast as NumPy's `astype`; "" for none, None where it is not known."""
    a, b = TYPES.get(old.name), TYPES.get(new.name)
    if a is None or b is None:
        return None
    if a == b:
        return ""
    if new.kind == "b":
        return f"fcmp une {a} {{0}}, 0.0" if old.kind == "f" else f"icmp ne {a} {{0}}, 0"
    if new.kind == "f":
        if old.kind == "f":
            how = "fpext" if new.itemsize > old.itemsize else "fptrunc"
        else:
            how = "sitofp" if old.kind == "i" else "uitofp"
    elif old.kind == "f":
        return None  # what becomes of numbers that are too large is the CPU's business
    elif old.kind != "b" and new.itemsize < old.itemsize:
        how = "trunc"
    else:
        how = "sext" if old.kind == "i" else "zext"
    return f"{how} {a} {{0}} to {b}"


def literal(value, dtype: np.dtype) -> str:
    """A number as LLVM reads it."""
    number = np.asarray(value).astype(dtype)[()]
    if dtype.kind == "f":
        return f"0x{np.float64(number).view(np.uint64):016X}"
    return str(bool(number)).lower() if dtype.kind == "b" else str(int(number))


class _UfuncHead(ctypes.Structure):
    """The first fields of NumPy's PyUFuncObject, which are a part of its C API."""

    _fields_ = [
        ("head", ctypes.c_byte * object.__basicsize__),
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
    ]


def loop_of(ufunc: np.ufunc, dtype: np.dtype) -> tuple[int, int] | None:
    """The addresses of NumPy's own loop for a function of one argument, and of its data."""
    if ufunc.__name__ not in CALLED or f"{dtype.char}->{dtype.char}" not in ufunc.types:
        return None
    head = _UfuncHead.from_address(id(ufunc))
    at = ufunc.types.index(f"{dtype.char}->{dtype.char}")
    return head.functions[at] or 0, head.data[at] or 0

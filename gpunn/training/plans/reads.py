"""What functions that are not gpunn's read by name, and which of it a plan may depend on.

A plan replays what a function asked of the arrays, not the function. So all else that it reads has
to be known, to see when that is another thing; and what is another thing at every call, or is done
beside the arrays, cannot be replayed at all.
"""

import builtins
import dis
import sys
from collections.abc import Iterator
from functools import lru_cache
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE
from types import CodeType, ModuleType
from typing import NamedTuple

import numpy as np

from gpunn.capture.functions import FUNCTIONS
from gpunn.errors import CaptureError
from gpunn.training.plans.watch import PASSING

OURS = ("gpunn", "numpy", "cupy", "cupyx", "llvmlite")
# Functions of Python that depend on their arguments alone, and change nothing else.
BUILTINS = {
    *("abs all any bool callable chr complex dict divmod enumerate filter float format "
      "frozenset getattr hasattr int isinstance issubclass iter len list map max min next object "
      "ord pow property range reversed round set setattr slice sorted staticmethod classmethod str "
      "sum super tuple type zip NotImplemented Ellipsis __debug__").split(),
    *(n for n, x in vars(builtins).items() if isinstance(x, type) and issubclass(x, Exception)),
}  # fmt: skip
STANDARD = {
    "abc", "cmath", "collections", "dataclasses", "enum", "functools", "itertools", "math",
    "numbers", "operator", "reprlib", "types", "typing", "_collections_abc", "collections.abc",
    "_operator", "_functools",
}  # fmt: skip
NAMED = "namedtuple_"  # the modules of what Python writes for a named tuple
# Of NumPy: what draws, reads files, or sets something.
NOT_OF_NUMPY = {
    *("random", "testing", "ctypeslib", "f2py", "distutils", "lib", "core", "_core", "memmap"),
    *("load", "save", "savez", "savez_compressed", "loadtxt", "savetxt", "genfromtxt"),
    *("fromfile", "fromregex", "seterr", "seterrcall", "setbufsize", "set_printoptions", "test"),
}
RECORDED = {f.__name__ for f in FUNCTIONS}
NUMPYS = ("numpy.linalg", "numpy.fft", "numpy._core", "numpy.core", "numpy.lib", "numpy.typing")
# Of gpunn: what a step may call.
PARTS = {
    "activations", "autograd", "backend", "config", "constraints", "dtype_policies", "errors",
    "initializers", "layers", "losses", "metrics", "mixed_precision", "models", "ops", "optimizers",
    "random", "regularizers", "tree", "utils",
}  # fmt: skip
SETTERS = ("set_", "enable_", "disable_", "clear_", "save", "load", "seed")
# What steps and the loop around them change, and recorded ones do not see.
CHANGING = PASSING | {"iterations", "stream"}


ASKING = ("LOAD_ATTR", "LOAD_METHOD")
# It is nobody's memory in a recording, and NumPy would read it all the same.
RAW = "it takes the array of a tensor"


class Load(NamedTuple):
    """A name that is loaded, and the attributes that are asked of it at once."""

    name: str
    attributes: tuple[str, ...]
    free: bool  # of a function around it, not of the module


class Reads(NamedTuple):
    """What a code object loads by name."""

    loads: tuple[Load, ...]
    names: frozenset[str]  # of attributes; those that may be asked for as strings as well
    all_names: bool  # whether any attribute may be asked for
    refused: str | None  # why it cannot be part of a plan, whatever it reads


@lru_cache(maxsize=1024)
def _reads(code: CodeType) -> Reads:
    loads: list[Load] = []
    asked: set[int] = set()  # instructions that are attributes of loads
    refused = "it waits" if code.co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR) else None
    steps = [i for i in dis.get_instructions(code) if i.opname != "EXTENDED_ARG"]
    for at, step in enumerate(steps):
        kind, name = step.opname, step.argval
        if kind.startswith("IMPORT_"):
            refused = "it imports while it runs"
        elif kind in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            refused = f"it sets the global {name!r}"
        elif kind == "LOAD_BUILD_CLASS":
            refused = "it makes classes while it runs"
        elif kind in ASKING and name == "array" and at not in asked:
            refused = RAW
        elif kind.startswith("LOAD_") and ("GLOBAL" in kind or "NAME" in kind or "DEREF" in kind):
            free = "DEREF" in kind
            if free and name not in code.co_freevars:
                continue
            attributes: list[str] = []
            for after, following in enumerate(steps[at + 1 :], at + 1):
                if following.opname not in ASKING:
                    break
                attributes.append(following.argval)
                asked.add(after)
            loads.append(Load(name, tuple(attributes), free))
    names = set(code.co_names)
    asks = {"getattr", "setattr", "hasattr", "attrgetter", "methodcaller", "__dict__"} & names
    changing = CHANGING & names
    if asks:
        constants = {c for c in code.co_consts if isinstance(c, str)}
        changing |= CHANGING & constants
    if changing:
        refused = f"it reads {sorted(changing)[0]!r}, which changes from step to step"
    return Reads(tuple(loads), frozenset(names), bool(asks), refused)


def reads(code: CodeType) -> Reads:
    """What a code object loads by name.

    Raises:
        CaptureError: if it does what no plan can do.
    """
    found = _reads(code)
    if found.refused:
        raise CaptureError(f"{describe(code)}: {found.refused}")
    return found


def describe(code: CodeType) -> str:
    """A code object's name and place."""
    return f"{code.co_qualname} (line {code.co_firstlineno})"


def is_users(module: str | None) -> bool:
    """Whether a module is the user's: neither gpunn's, nor of what gpunn stands on."""
    top = (module or "").partition(".")[0]
    known = top in OURS or top in sys.stdlib_module_names or top == "builtins"
    return not known and not top.startswith(NAMED)


def follow(value, load: Load, where: str, raw: bool) -> Iterator[tuple[ModuleType, str, object]]:
    """The attributes of modules that code asks for, one module after the other.

    Yields (module, name, value); the last value is not a module.

    Args:
        value: what the name stands for.
        load: the name, and what is asked of it.
        where: what reads it, for the message.
        raw: whether there is code among it that gets arrays instead of tensors.

    Raises:
        CaptureError: if the code keeps the module, so that nobody knows what it asks of it; or for
            what depends on more than its arguments.
    """
    attributes = list(load.attributes)
    while isinstance(value, ModuleType):
        module = value
        if not attributes:
            raise CaptureError(f"{where}: the module {module.__name__} is passed on")
        name = attributes.pop(0)
        if not hasattr(module, name):
            raise CaptureError(f"{where}: {module.__name__}.{name} is not there")
        value = getattr(module, name)
        if not is_users(module.__name__):
            _require_pure(module, name, value, where, raw)
        yield module, name, value
    if "array" in attributes:
        raise CaptureError(f"{where}: {RAW}")


def _require_pure(module, name, value, where: str, raw: bool) -> None:
    top, _, rest = module.__name__.partition(".")
    if top == "gpunn":
        parts = rest.partition(".")[0] or name
        pure = (parts in PARTS or not isinstance(value, ModuleType)) and not (
            callable(value) and name.startswith(SETTERS)
        )
    elif top == "numpy":
        pure = name not in NOT_OF_NUMPY and rest in ("", "linalg", "fft", "typing")
        if raw and callable(value):
            pure = isinstance(value, np.ufunc) or name in RECORDED
    elif top == "builtins":
        pure = name in BUILTINS
    else:
        pure = module.__name__ in STANDARD
    if not pure:
        raise CaptureError(f"{where}: {module.__name__}.{name} may be another thing at every call")


def require_pure(value, where: str, home: str | None = None) -> None:
    """Raise unless a function or class that is not the user's can be called in a plan.

    Args:
        value: the function or class.
        where: what reads it, for the message.
        home: the module it lies in. Default: what it says itself.

    Raises:
        CaptureError: if it depends on more than its arguments, or nobody knows.
    """
    if isinstance(value, np.ufunc):
        return
    name = getattr(value, "__name__", type(value).__name__)
    owner = getattr(value, "__self__", None)
    said = str(home or getattr(value, "__module__", None) or getattr(owner, "__name__", "builtins"))
    top = said.partition(".")[0]
    if top == "builtins":
        error = isinstance(value, type) and issubclass(value, Exception)
        pure = name in BUILTINS or error or not isinstance(owner, ModuleType | None)
    elif top == "numpy":
        pure = name not in NOT_OF_NUMPY and (said == top or said.startswith(NUMPYS))
    elif top == "gpunn":
        pure = not name.startswith(SETTERS)
    else:
        pure = said in STANDARD or said.startswith(NAMED)
    if not pure:
        raise CaptureError(f"{where}: {said}.{name} may be another thing at every call")

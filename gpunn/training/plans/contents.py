"""Contents: what code that is not gpunn's reads beside its arguments, as it is now."""

import types
from collections import deque
from functools import partial
from itertools import chain
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from gpunn.autograd import KerasTensor, Tensor
from gpunn.backend import Backend
from gpunn.errors import CaptureError
from gpunn.layers import Layer
from gpunn.metrics import Metric
from gpunn.optimizers import Optimizer
from gpunn.training.plans.places import (
    ABSENT,
    ITEMS,
    Attributes,
    ClassItems,
    Items,
    Place,
    array,
    attribute,
    content,
    parts_of_function,
    parts_of_partial,
    settings,
)
from gpunn.training.plans.reads import (
    BUILTINS,
    RAW,
    describe,
    follow,
    is_users,
    reads,
    require_pure,
)
from gpunn.training.plans.stand_in import COPIED
from gpunn.training.plans.watch import PASSING, is_simple

LARGEST = 1 << 20  # bytes of an array that is compared
MOST = 20_000  # things that are looked at
NOT_SEARCHED = PASSING | {
    *(
        "optimizer",
        "_arguments",
        "_compile_arguments",
        "_built_for",
        "_inbound_nodes",
        "_compile_loss",
    ),
    *("_compile_metrics", "_layers", "_tensors", "__dict__", "__weakref__", "__doc__"),
}
BASES = (object, type, list, dict, set, tuple, frozenset, int, float, str, Exception, BaseException)


class Ran(NamedTuple):
    """A function that ran: its code, and where it finds names.

    Args:
        raw: whether it is the body of a primitive, which gets arrays instead of tensors.
    """

    code: CodeType
    names: dict
    builtin: dict
    raw: bool


class Contents:
    """What code reads by name, with all that lies in it, to be compared with what it was.

    Args:
        codes: what runs.
        objects: what has attributes that it may read: layers, losses, metrics. Their variables, and
            those of what they hold in lists and dicts, are no constants: a recording knows them.

    Raises:
        CaptureError: if something is read that nobody can compare, such as a file, an iterator or
            the weights of a layer that is not the model's.
    """

    def __init__(self, codes: list[Ran], objects):
        self.places: list[Place] = []
        self._codes = {ran.code for ran in codes}
        self._raw = any(ran.raw for ran in codes)
        self._watched = set(map(id, objects))  # by a `Watch`, with the lists and dicts they hold
        found = [reads(code) for code in self._codes]
        self._names = frozenset(chain.from_iterable(r.names for r in found))
        self._all_names = any(r.all_names for r in found)
        self._seen: dict[int, Any] = {}
        self._globals: set[tuple[int, str]] = set()
        self._functions: set[CodeType] = set()  # whose closures were found
        self._todo: list[tuple[Any, str, bool]] = []
        for ran in codes:
            self._add_globals(*ran)
        for x in objects:
            self._add(x, type(x).__name__, copied=True)
        while self._todo:
            self._look(*self._todo.pop())
        self._require_closures()
        self._place(None, settings, "gpunn's settings")

    def changed(self) -> str | None:
        """What is another thing now, or None."""
        for place in self.places:
            if not place.unchanged():
                return place.named()
        return None

    # --- names ---

    def _add_globals(self, code, names, builtin, _) -> None:
        for load in reads(code).loads:
            if load.free:
                continue
            if (id(names), load.name) not in self._globals:  # somebody may define it, too
                self._globals.add((id(names), load.name))
                self._place(names, Items((load.name,)), f"the global {load.name!r}")
            if load.name in names:
                self._loaded(names[load.name], load, describe(code))
            elif load.name in builtin and load.name not in BUILTINS:
                raise CaptureError(f"{describe(code)}: it calls {load.name}")

    def _loaded(self, value, load, where: str) -> None:
        """A value that code loads by name, and what it asks of it if that is a module."""
        label = load.name
        if isinstance(value, ModuleType):
            for module, name, found in follow(value, load, where, self._raw):
                value = found
                label = f"{label}.{name}"
                if is_users(module.__name__):
                    self._place(vars(module), Items((name,)), label)
        elif "array" in load.attributes:
            raise CaptureError(f"{where}: {RAW}")
        self._add(value, label)

    def _require_closures(self) -> None:
        """Raise if a function ran whose variables of functions around it nobody has seen."""
        inside = {c for code in self._functions for c in _inner(code)}
        plain = {c for code in self._codes if not code.co_freevars for c in _inner(code)}
        for code in self._codes:
            if code.co_freevars and code not in self._functions | inside | plain:
                raise CaptureError(f"{describe(code)}: it is made in a way that cannot be seen")

    # --- values ---

    def _place(self, of, read, called: str) -> None:
        self.places.append(Place(of, read, read(of), called))

    def _add(self, x, label: str, copied: bool = False) -> None:
        if not is_simple(x) and id(x) not in self._seen:
            if len(self._seen) > MOST:
                raise CaptureError(f"{label}: more is held there than can be watched")
            self._seen[id(x)] = x
            self._todo.append((x, label, copied))

    def _look(self, x, label: str, copied: bool) -> None:
        """Note what a thing holds; `copied`: a recording runs on a copy of it."""
        if isinstance(x, ModuleType):
            raise CaptureError(f"{label}: a module that is held")
        if isinstance(x, type):
            self._look_at_class(x, label)
        elif isinstance(x, FunctionType):
            self._look_at_function(x, label)
        elif isinstance(x, MethodType):
            self._add(x.__func__, label)
            self._add(x.__self__, label, copied)
        elif isinstance(x, partial):
            self._items(x, parts_of_partial, label)
        elif isinstance(x, Tensor):
            if not copied:
                raise CaptureError(f"{label}: a tensor that the model does not hold")
        elif isinstance(x, KerasTensor | Optimizer):
            if not copied:
                raise CaptureError(f"{label}: a {type(x).__name__} is read")
        elif isinstance(x, np.ndarray):
            self._look_at_array(x, label)
        elif isinstance(x, tuple | frozenset):
            for value in x:
                self._add(value, label, copied)
            self._of_user(x, label)
        elif isinstance(x, list | dict | set | deque | types.MappingProxyType):
            self._items(x, ITEMS[_kind(x)], label, copied and isinstance(x, list | dict))
            self._of_user(x, label)
        elif isinstance(x, types.BuiltinFunctionType) and _is_object(x.__self__):
            self._add(x.__self__, label)
        elif isinstance(x, _FUNCTIONS):
            require_pure(x, label)
        elif isinstance(x, _DESCRIPTORS):
            pass
        elif is_users(type(x).__module__):
            self._look_at_object(x, label, copied)
        elif type(x).__module__.partition(".")[0] == "gpunn":
            self._look_at_ours(x, label, copied)
        else:
            raise CaptureError(f"{label}: a {type(x).__module__}.{type(x).__qualname__} is held")

    def _items(self, x, read, label: str, copied: bool = False) -> None:
        self._place(x, read, label)
        for value in self.places[-1].then:
            self._add(value, label, copied)

    def _of_user(self, x, label: str) -> None:
        """The class and the attributes of what is made of lists and the like."""
        if is_users(type(x).__module__):
            self._look_at_object(x, label, copied=False)

    def _look_at_array(self, x, label: str) -> None:
        if type(x) is not np.ndarray or x.dtype.hasobject or x.nbytes > LARGEST:
            raise CaptureError(f"{label}: an array that is too large to be watched: {x.nbytes} B")
        self._place(x, array, label)

    def _look_at_function(self, f: FunctionType, label: str) -> None:
        home = f.__globals__.get("__name__")
        if not is_users(home):
            require_pure(f, label, home)
            for cell in f.__closure__ or ():
                (value,) = content(cell)
                if _is_users_own(value):
                    self._add(value, label)
            return
        self._place(f, parts_of_function, label)
        if f.__code__ not in self._codes:
            return  # it has not run
        for value in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()):
            self._add(value, label)
        self._add(vars(f), label)
        self._functions.add(f.__code__)
        cells = dict(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))
        for code in (f.__code__, *_inner(f.__code__)):
            for load in reads(code).loads if code in self._codes else ():
                if load.free and load.name in cells:
                    (value,) = content(cells[load.name])
                    self._loaded(value, load, describe(code))
        for cell in cells.values():
            self._place(cell, content, label)

    def _look_at_class(self, cls: type, label: str) -> None:
        if not is_users(cls.__module__):
            require_pure(cls, label)
            return
        if is_users(type(cls).__module__):
            self._add(type(cls), label)
        for base in cls.__mro__:
            if not is_users(base.__module__):
                home = base.__module__.partition(".")[0]
                if base not in BASES and home not in ("gpunn", "typing", "abc", "enum"):
                    raise CaptureError(f"{label}: {cls.__name__} is a {base.__qualname__}")
                continue
            own = [n for n in vars(base) if n not in NOT_SEARCHED and not n.startswith("_abc_")]
            self._place(base, ClassItems(tuple(own)), base.__name__)
            for name in own:
                value = vars(base)[name]
                value = getattr(value, "__func__", value)
                methods = (value.fget, value.fset) if isinstance(value, property) else (value,)
                for method in methods:
                    if isinstance(method, FunctionType) or self._is_read(name):
                        self._add(method, f"{base.__name__}.{name}")

    def _is_read(self, name: str) -> bool:
        return self._all_names or name in self._names

    def _look_at_object(self, x, label: str, copied: bool) -> None:
        """An object of a class that is not gpunn's."""
        if not copied and isinstance(x, Layer | Metric):
            self._require_no_state(x, label)
        cls = type(x)
        self._add(cls, cls.__name__)
        below = copied and isinstance(x, COPIED)
        names = self._attributes(x)
        self._place(x, Attributes(tuple(names), id(x) in self._watched), label)
        for name in names:
            value = attribute(x, name)
            if value is not ABSENT:
                self._add(value, f"{cls.__name__}.{name}", below)

    def _attributes(self, x) -> list[str]:
        """The names of attributes that may be read of an object: those it has, or may get."""
        held = getattr(x, "__dict__", {})
        if self._all_names:
            slots = [n for c in type(x).__mro__ for n in _slots(c)]
            ours = NOT_SEARCHED if isinstance(x, COPIED) else ()
            return [n for n in (*held, *slots) if n not in ours]
        return [n for n in self._names if n in held or hasattr(type(x), n)]

    def _look_at_ours(self, x, label: str, copied: bool) -> None:
        """An object of gpunn's: only what it holds that is not may be read by other code."""
        if not copied and isinstance(x, Layer | Metric):
            self._require_no_state(x, label)
        if not hasattr(x, "__dict__"):
            return
        names = [n for n in vars(x) if n not in NOT_SEARCHED]
        below = copied and isinstance(x, COPIED)
        watched = id(x) in self._watched
        if not watched and (below or not copied):
            self._place(x, Attributes(tuple(names)), label)
        for name in names:
            value, called = vars(x)[name], f"{type(x).__name__}.{name}"
            if below and watched and type(value) in (list, dict):  # it is watched itself
                for item in ITEMS[type(value)](value):
                    self._add(item, called, copied=True)
            elif _may_hold(value):
                self._add(value, called, below)

    def _require_no_state(self, x, label: str) -> None:
        if x.variables:
            raise CaptureError(f"{label}: weights that the model does not hold")


_FUNCTIONS = (types.BuiltinFunctionType, types.MethodWrapperType, np.ufunc, type(np.sum))
_DESCRIPTORS = (  # of classes written in C: they do nothing to an object that is not seen itself
    *(types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType),
    *(types.MemberDescriptorType, types.ClassMethodDescriptorType, type(Place.of)),
)


def _is_object(x) -> bool:
    return x is not None and not isinstance(x, ModuleType)


def _kind(x) -> type:
    return next(k for k in ITEMS if isinstance(x, k))


def _is_users_own(value) -> bool:
    """Whether it is a function or an object that is not gpunn's, or holds one."""
    if isinstance(value, partial | MethodType):
        return _is_users_own(value.func if isinstance(value, partial) else value.__func__)
    if isinstance(value, FunctionType):
        return is_users(value.__globals__.get("__name__")) or bool(value.__closure__)
    return is_users((value if isinstance(value, type) else type(value)).__module__)


def _may_hold(value) -> bool:
    """Whether something that is not gpunn's may lie in an attribute of gpunn's."""
    if isinstance(value, list | tuple | dict | set | FunctionType | MethodType | partial):
        return True
    home = type(value).__module__
    return is_users(home) or (home.partition(".")[0] == "gpunn" and not isinstance(value, Backend))


def _slots(cls) -> tuple[str, ...]:
    slots = vars(cls).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _inner(code: CodeType):
    """The code objects of functions that are made in it."""
    for c in code.co_consts:
        if isinstance(c, CodeType):
            yield c
            yield from _inner(c)

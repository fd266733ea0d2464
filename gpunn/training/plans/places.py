"""Places: things that may change, and what is read of each to be compared."""

import types
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from gpunn.backend import epsilon, image_data_format
from gpunn.layers import dtype_policy
from gpunn.training.plans.watch import equal

ABSENT = object()  # where there is nothing


class Place(NamedTuple):
    """A thing that may change, and what was read of it."""

    of: Any
    read: Callable[[Any], tuple]
    then: tuple
    called: str

    def unchanged(self) -> bool:
        """Whether it is what it was."""
        try:
            now = self.read(self.of)
        except (ValueError, RuntimeError, AttributeError):
            return False
        return equal(now, self.then)

    def named(self) -> str:
        """What it is called, with the attribute that is another one, if that is known."""
        if not isinstance(self.read, Attributes | ClassItems):
            return self.called
        now, then = self.read(self.of)[1:], self.then[1:]
        values = zip(self.read.names, now, then, strict=True)
        name = next((n for n, a, b in values if not equal(a, b)), None)
        return self.called if name is None else f"{self.called}.{name}"


def settings(_) -> tuple:
    return epsilon(), image_data_format(), dtype_policy().name


def array(x) -> tuple:
    return x.shape, x.strides, x.dtype, x.tobytes()


def parts_of_partial(x) -> tuple:
    return x.func, *x.args, *x.keywords, *x.keywords.values()


def parts_of_function(f) -> tuple:
    defaults = f.__kwdefaults__ or {}
    return f.__code__, *(f.__defaults__ or ()), *defaults, *defaults.values()


def content(cell) -> tuple:
    try:
        return (cell.cell_contents,)
    except ValueError:  # nothing yet
        return (ABSENT,)


ITEMS: dict[type, Callable] = {
    list: tuple,
    deque: tuple,
    set: lambda x: (frozenset(x),),
    dict: lambda x: (*x, *x.values()),
    types.MappingProxyType: lambda x: (*x, *x.values()),
}


class Items(NamedTuple):
    """The values at some keys of a dict."""

    names: tuple[str, ...]

    def __call__(self, x) -> tuple:
        return tuple([x.get(n, ABSENT) for n in self.names])


class ClassItems(NamedTuple):
    """What a class itself holds, and how much: what is new may hide something of a base."""

    names: tuple[str, ...]

    def __call__(self, x) -> tuple:
        return len(vars(x)), *[vars(x).get(n, ABSENT) for n in self.names]


class Attributes(NamedTuple):
    """Some attributes of an object, and how many it has, unless it is `watched` otherwise."""

    names: tuple[str, ...]
    watched: bool = False

    def __call__(self, x) -> tuple:
        count = 0 if self.watched else len(getattr(x, "__dict__", ()))
        return count, *[attribute(x, n) for n in self.names]


def attribute(x, name: str):
    """What an object itself, not its class, holds by a name."""
    held = getattr(x, "__dict__", {})
    if name in held:
        return held[name]
    slot = next((vars(c)[name] for c in type(x).__mro__ if name in vars(c)), None)
    return getattr(x, name, ABSENT) if isinstance(slot, types.MemberDescriptorType) else ABSENT

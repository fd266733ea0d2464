"""Guard: an error that slips through every check is told in terms of what the user called."""

import inspect
import re
import reprlib
import sys
from functools import cache, wraps
from types import FunctionType

from gpunn.checks import check_flag
from gpunn.errors import ArgumentError, ArgumentTypeError, GpunnError, ShapeError

RAW = (AttributeError, TypeError, ValueError, LookupError, ArithmeticError)
_OURS = {"gpunn", "numpy", "cupy", *sys.stdlib_module_names}


def refuse(error: Exception, what: str, function, args, kwargs):
    """Raise, in place of an error from inside, one that says what was called with what.

    Errors of gpunn say enough, and those that code of the user's own raised are the user's: they
    go on as they are.

    Args:
        error: one of `RAW`, being handled in the frame that knows what was called.
        what: its name.
        function: whose parameters the arguments are for.
        args, kwargs: what it was given.
    """
    if isinstance(error, GpunnError) or not _from_inside(error):
        raise
    given = _named(function, args, kwargs)
    types = set(re.findall(r"\w+", str(error)))
    wrong = [name for name, x in given.items() if type(x).__name__ in types]
    wrong.sort(key=lambda name: isinstance(given[name], int | float))  # those it is compared with
    if isinstance(error, AttributeError | TypeError):
        kind: type[GpunnError] = ArgumentTypeError
    else:
        kind = ShapeError if isinstance(error, IndexError | ValueError) else ArgumentError
    told = ", ".join(f"{name}={described(x)}" for name, x in given.items())
    look = f"{wrong[0]} cannot be {described(given[wrong[0]])}: " if wrong else ""
    raise kind(f"{what}({told}): {look}{error}") from error


def described(x) -> str:
    """A value in a few words: an array by its dtype and shape.

    >>> described([np.ones((2, 3)), "sum"])
    "[float64(2, 3), 'sum']"
    """
    if hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, type):
        return f"{x.dtype}{tuple(x.shape)}"
    if isinstance(x, list | tuple) and any(hasattr(v, "shape") for v in x):
        return f"[{', '.join(map(described, x[:6]))}{', ...' if len(x) > 6 else ''}]"
    return reprlib.repr(x)


def _named(function, args, kwargs) -> dict:
    """The arguments by the names of their parameters."""
    names = [
        p.name for p in inspect.signature(function).parameters.values() if p.kind < p.VAR_POSITIONAL
    ]
    names += [f"argument {i}" for i in range(len(names) + 1, len(args) + 1)]
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _from_inside(error: Exception) -> bool:
    """Whether it came from gpunn's and NumPy's code, in which no other was running."""
    at = error.__traceback__
    while at is not None:
        if at.tb_frame.f_globals.get("__name__", "").partition(".")[0] not in _OURS:
            return False
        at = at.tb_next
    return True


@cache
def guarded(function):
    """The function, or method, with errors from inside told in terms of its arguments.

    It is the same one in each module that has the function.

    >>> @guarded
    ... def half(n):
    ...     return n / 2
    >>> half("7")
    Traceback (most recent call last):
    gpunn.errors.ArgumentTypeError: half(n='7'): n cannot be '7': unsupported operand type(s) ...
    """
    method = function.__code__.co_varnames[:1] == ("self",)

    @wraps(function)
    def call(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except RAW as e:
            if method:
                owner, of = args[0], getattr(args[0], function.__name__)
                refuse(e, f"{type(owner).__name__}.{function.__name__}", of, args[1:], kwargs)
            refuse(e, function.__name__, function, args, kwargs)

    call.guarded = True
    return call


def guard_functions(names: dict) -> None:
    """Put `guarded` of each public function of a module in its place.

    Args:
        names: the module's globals, with `__all__`.
    """
    for name in names["__all__"]:
        thing = names[name]
        if isinstance(thing, FunctionType) and not hasattr(thing, "guarded"):
            names[name] = guarded(thing)
            names[name].__module__ = names["__name__"]  # where pickle finds it


def guard_classes(classes) -> None:
    """Let constructors refuse flags that are none, and them and calls say what they cannot use.

    Args:
        classes: of gpunn; those they derive from are guarded too. One that says so in
            `guards_calls` does it in its `__call__`.
    """
    for cls in {c: None for derived in classes for c in derived.__mro__}:
        if not cls.__module__.startswith("gpunn."):
            continue
        init = vars(cls).get("__init__")
        if init and not hasattr(init, "guarded"):
            cls.__init__ = _guarded_constructor(init)
        for name in () if getattr(cls, "guards_calls", False) else ("__call__", "update_state"):
            method = vars(cls).get(name)
            if method and not hasattr(method, "guarded"):
                setattr(cls, name, guarded(method))


def _guarded_constructor(init):
    names = init.__code__.co_varnames[1 : init.__code__.co_argcount]
    given = init.__defaults__ or ()
    defaults = dict(zip(names[len(names) - len(given) :], given, strict=True))
    defaults.update(init.__kwdefaults__ or {})
    flags = {name for name, value in defaults.items() if isinstance(value, bool)}

    @wraps(init)
    def __init__(self, *args, **kwargs):
        for name, value in (*zip(names, args, strict=False), *kwargs.items()) if flags else ():
            if name in flags and value is not None:
                check_flag(f"{type(self).__name__}: {name}", value)
        try:
            init(self, *args, **kwargs)
        except RAW as e:
            refuse(e, type(self).__name__, type(self), args, kwargs)

    __init__.guarded = True
    return __init__

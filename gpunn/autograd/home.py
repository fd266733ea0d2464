"""Home: where a variable lies in the flat memory that an optimizer has made for it and others."""

from typing import Any, NamedTuple


class Flat(NamedTuple):
    """The buffers that some variables and their gradients are views of."""

    be: Any
    params: Any
    grads: Any


class Home(NamedTuple):
    """Where a variable lies in flat memory: `span` elements from `start`, gaps included."""

    flat: Flat
    start: int
    span: int
    array: Any


def home(variable) -> Home | None:
    """The variable's place in flat memory; None if it has none, or was moved out of it."""
    found = getattr(variable, "_home", None)
    return found if found is not None and variable.array is found.array else None

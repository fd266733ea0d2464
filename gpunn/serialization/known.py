"""Where gpunn's own objects are found by name: the registries of every kind of object."""

import inspect
from typing import TYPE_CHECKING

from gpunn.serialization.custom import registered_name

if TYPE_CHECKING:
    from gpunn.serialization.registry import Registry

registries: dict[str, "Registry"] = {}  # by the public module, such as "gpunn.layers"


def home(made_by: type) -> str | None:
    """The module that a config names: none for a class that is found by its registered name."""
    if registered_name(made_by):
        return None
    module = made_by.__module__
    return next((m for m in registries if module.startswith(m)), module)


def known_class(module: str, name: str):
    """The class of gpunn that has a name in a module ("gpunn.layers"); None if there is none."""
    registry = registries.get(module)
    return registry and registry.names.get(name)


def known_function(name: str):
    """The loss, activation or metric of gpunn that is a function of a name; None if none is."""
    found = [registry.names.get(name) for registry in registries.values()]
    return next((f for f in found if inspect.isroutine(f)), None)

"""Classes and functions of the user's own: registered for good, or known inside a `with` block."""

import contextlib
import inspect
from contextvars import ContextVar

from gpunn.errors import ArgumentError, ArgumentTypeError

_custom: dict[str, object] = {}  # by "package>name"
_scoped: ContextVar[dict | None] = ContextVar("gpunn_custom_objects", default=None)


@contextlib.contextmanager
def custom_object_scope(custom_objects: dict | None):
    """Make classes and functions of yours known inside a `with` block, by the names given.

    Args:
        custom_objects: from name to class or function; they win over gpunn's. None: none.

    Raises:
        ArgumentTypeError: if they are no dict.

    Source: keras.saving.custom_object_scope.

    >>> with gpunn.serialization.custom_object_scope({"Flat": gpunn.layers.Flatten}):
    ...     gpunn.layers.deserialize({"class_name": "Flat", "config": {"name": "f"}})
    <Flatten name=f, built=True>
    """
    if not isinstance(custom_objects, dict | None):
        raise ArgumentTypeError(f"custom_objects must be a dict by name, got {custom_objects!r}")
    token = _scoped.set({**(_scoped.get() or {}), **(custom_objects or {})})
    try:
        yield
    finally:
        _scoped.reset(token)


def register_serializable(package: str = "Custom", name: str | None = None):
    """Make a class or function of yours known, so that saved models that use it can be loaded.

    Args:
        package: a prefix of your own, against clashes.
        name: default: the object's name.

    Raises:
        ArgumentError: if a class has no `get_config`.

    Source: keras.saving.register_keras_serializable.

    >>> @gpunn.register_serializable("doc")
    ... def double(x):
    ...     return x * 2
    >>> gpunn.serialization.serialize_value(double)["registered_name"]
    'doc>double'
    """

    def register(obj):
        if inspect.isclass(obj) and not hasattr(obj, "get_config"):
            raise ArgumentError(
                f"{obj.__name__} cannot be registered: it needs a get_config() that gives the "
                "arguments of its constructor"
            )
        key = f"{package}>{name or obj.__name__}"
        _custom[key] = obj
        return obj

    return register


def registered_object(name: str, custom_objects: dict | None = None, module_objects=None):
    """The object that was registered as "package>name", or that one of the dicts has; or None.

    Source: keras.saving.get_registered_object.

    >>> gpunn.serialization.registered_object("nobody>nothing") is None
    True
    """
    own = own_object(name)
    if own is not None:
        return own
    return (custom_objects or {}).get(name, (module_objects or {}).get(name))


def registered_objects() -> dict:
    """All that was registered by `register_serializable`, by its name "package>name".

    Source: keras.saving.get_custom_objects.

    >>> "nobody>nothing" in gpunn.serialization.registered_objects()
    False
    """
    return _custom


def registered_name(obj) -> str | None:
    """The name that `register_serializable` gave an object, or None.

    Source: keras.saving.get_registered_name.

    >>> gpunn.serialization.registered_name(gpunn.layers.Dense) is None
    True
    """
    return next((key for key, known in _custom.items() if known is obj), None)


def own_object(key: str):
    """The object of the scope by its bare name, or registered as "package>name"; else None."""
    scoped = _scoped.get() or {}
    return scoped.get(key.rpartition(">")[2], _custom.get(key))


def custom_object(key: str):
    """What `own_object` finds; else the one object registered under that name in any package."""
    own = own_object(key)
    if own is not None:
        return own
    found = [obj for known, obj in _custom.items() if known.rpartition(">")[2] == key]
    return found[0] if len(found) == 1 else None

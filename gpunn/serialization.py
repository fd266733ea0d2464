"""Objects by name: what `get`, `serialize` and `deserialize` of every kind of object share."""

import contextlib
import inspect
import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from gpunn.errors import (
    ArgumentError,
    ArgumentTypeError,
    ConfigTypeError,
    SerializationError,
    unknown,
)


def snake_case(name: str) -> str:
    """The snake_case form of a class name (Keras: `to_snake_case`).

    >>> gpunn.serialization.snake_case("RandomNormal"), gpunn.serialization.snake_case("L1L2")
    ('random_normal', 'l1l2')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


class Registry:
    """The objects of one kind that have names, and the ways from a name or a config to an object.

    A class is known by its own name, by its snake_case form and in lower case.

    Args:
        kind: what the objects are, for messages ("initializer").
        base: the class that all of them derive from.
        classes: the classes.
        aliases: more names, a dict from name to class or function.
        module: where the public finds them, for configs.
    """

    def __init__(self, kind: str, base: type, classes, aliases=None, module: str | None = None):
        self.kind = kind
        self.base = base
        self.module = module or f"gpunn.{kind}s"
        self.classes = tuple(classes)
        self.names = {}
        for cls in self.classes:
            for name in (cls.__name__, snake_case(cls.__name__), cls.__name__.lower()):
                self.names[name] = cls
        self.names.update(aliases or {})
        _registries[self.module] = self

    def find(self, name: str):
        """The class or function of a name.

        Raises:
            ArgumentError: for a name that nothing has, with the nearest that are known.
        """
        try:
            return self.names[name]
        except KeyError:
            raise unknown(self.kind, name, self.names) from None

    def get(self, identifier):
        """The object that an identifier stands for.

        Args:
            identifier: an object of this kind or any function (returned as it is), a class, a name,
                a config `{"class_name": ..., "config": {...}}`, or None.

        Raises:
            ArgumentError: for an unknown name.
            ArgumentTypeError: for anything else.
        """
        if identifier is None:
            return None
        if isinstance(identifier, dict):
            return self.deserialize(identifier)
        found = self.find(identifier) if isinstance(identifier, str) else identifier
        if inspect.isclass(found) and issubclass(found, self.base):
            return found()
        if isinstance(found, self.base) or (callable(found) and not inspect.isclass(found)):
            return found
        raise ArgumentTypeError(
            f"{self.kind}: expected an object, its name, its config or None, got {identifier!r}"
        )

    def serialize(self, obj) -> dict | str | None:
        """The config of an object, from which `deserialize` makes its like; a function's name."""
        if obj is None:
            return None
        if inspect.isfunction(obj):
            return obj.__name__
        if not hasattr(obj, "get_config"):
            raise SerializationError(
                f"cannot serialize {obj!r}: it has no get_config() that gives its arguments"
            )
        return {
            "module": _home(type(obj)),
            "class_name": type(obj).__name__,
            "config": serialize_value(obj.get_config(), type(obj).__name__),
            "registered_name": registered_name(type(obj)),
        }

    def deserialize(self, config, custom_objects: dict | None = None):
        """The object of a config made by `serialize`.

        Args:
            config: `{"class_name": ..., "config": {...}}`, a name, or None.
            custom_objects: classes and functions of yours by name; they win over gpunn's.

        Raises:
            SerializationError: if it is no such config.
            ArgumentError: for an unknown class name.
        """
        if custom_objects:
            with custom_object_scope(custom_objects):
                return self.deserialize(config)
        if config is None:
            return None
        if isinstance(config, str):
            own = _own_object(config)
            return self.get(config) if own is None else own
        if not isinstance(config, dict) or "class_name" not in config:
            raise SerializationError(
                f"expected a config {{'class_name': ..., 'config': {{...}}}} of a {self.kind}, "
                f"got {config!r}"
            )
        name = config["class_name"]
        cls = _own_object(config.get("registered_name") or name)
        if cls is None:
            cls = self.names.get(name) or custom_object(name) or self.find(name)
        arguments = dict(config.get("config") or {})
        return cls.from_config(arguments) if hasattr(cls, "from_config") else cls(**arguments)


# --- values of any kind, and classes of the user's own ---

_registries: dict[str, Registry] = {}
_custom: dict[str, object] = {}
_scoped: ContextVar[dict | None] = ContextVar("gpunn_custom_objects", default=None)


@contextlib.contextmanager
def custom_object_scope(custom_objects: dict | None):
    """Make classes and functions of yours known inside a `with` block, by the names given.

    Args:
        custom_objects: from name to class or function; they win over gpunn's. None: none.

    Source: keras.saving.custom_object_scope.

    >>> with gpunn.serialization.custom_object_scope({"Flat": gpunn.layers.Flatten}):
    ...     gpunn.layers.deserialize({"class_name": "Flat", "config": {"name": "f"}})
    <Flatten name=f, built=True>
    """
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
    own = _own_object(name)
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
    """The name that `register_serializable` gave an object, or None."""
    return next((key for key, known in _custom.items() if known is obj), None)


def _own_object(key: str):
    """The object of the scope by its bare name, or registered as "package>name"; else None."""
    scoped = _scoped.get() or {}
    return scoped.get(key.rpartition(">")[2], _custom.get(key))


def custom_object(key: str):
    """The same, or the object registered as "name" in one package alone; else None."""
    own = _own_object(key)
    if own is not None:
        return own
    found = [obj for known, obj in _custom.items() if known.rpartition(">")[2] == key]
    return found[0] if len(found) == 1 else None


def serialize_value(value, where: str = "value"):
    """A value as JSON: numbers, strings, lists, dicts, dtypes, and objects with a config.

    Tuples stay tuples, which a file then has as lists.

    Raises:
        SerializationError: naming `where`, for what cannot be written.

    >>> gpunn.serialization.serialize_value({"units": 3, "shape": (1, 2)})
    {'units': 3, 'shape': (1, 2)}
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple | set):
        items = [serialize_value(v, where) for v in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, dict):
        return {str(k): serialize_value(v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) or hasattr(value, "numpy"):
        array = np.asarray(value)
        return {
            "class_name": "array",
            "config": {"value": array.tolist(), "dtype": str(array.dtype)},
        }
    if isinstance(value, bytes):
        return {"class_name": "__bytes__", "config": {"value": value.decode("latin-1")}}
    if isinstance(value, slice):
        limits = {name: getattr(value, name) for name in ("start", "stop", "step")}
        return {"class_name": "__slice__", "config": serialize_value(limits, where)}
    if value is ...:
        return {"class_name": "__ellipsis__", "config": {}}
    own = registered_name(value if inspect.isroutine(value) else type(value))
    if inspect.isroutine(value):
        if own:
            return {"class_name": "function", "config": value.__name__, "registered_name": own}
        if _is_ours(value):
            return value.__name__
        if value.__name__ == "<lambda>":
            raise SerializationError(
                f"{where}: a lambda cannot be saved; give it a name by `def`, and decorate it with "
                "@gpunn.register_serializable('your_package')"
            )
        return {"class_name": "function", "config": value.__name__, "registered_name": "function"}
    if not hasattr(value, "get_config"):
        raise SerializationError(
            f"{where}: a {type(value).__name__} cannot be saved; give it a get_config() method and "
            "decorate its class with @gpunn.register_serializable('your_package')"
        )
    described = {
        "module": _home(type(value)),
        "class_name": type(value).__name__,
        "config": serialize_value(value.get_config(), where),
        "registered_name": own,
    }
    building = getattr(type(value), "get_build_config", None)
    if building is not None and not _is_ours(building):
        described["build_config"] = serialize_value(value.get_build_config(), f"{where}.build")
    return described


def _home(made_by: type) -> str | None:
    """The module that a config names: none for a class that is found by its registered name."""
    if registered_name(made_by):
        return None
    module = made_by.__module__
    return next((m for m in _registries if module.startswith(m)), module)


def known_class(module: str, name: str):
    """The class of gpunn that has a name in a module ("gpunn.layers"); None if there is none."""
    registry = _registries.get(module)
    return registry and registry.names.get(name)


def known_function(name: str):
    """The loss, activation or metric of gpunn that is a function of a name; None if none is."""
    found = [registry.names.get(name) for registry in _registries.values()]
    return next((f for f in found if inspect.isroutine(f)), None)


def _is_ours(function) -> bool:
    return (function.__module__ or "").partition(".")[0] == "gpunn"  # None: made by exec


def deserialize_value(value, custom_objects: dict | None = None, safe_mode: bool = True):
    """The value that `serialize_value` wrote.

    Args:
        value: JSON.
        custom_objects: classes and functions of yours by name; they win over gpunn's.
        safe_mode: taken for Keras' sake: no code is read from configs in any case.

    Raises:
        SerializationError: if a class is not known; the message says how to make it known.
        ConfigTypeError: if a config is of a type that it cannot have.

    >>> gpunn.serialization.deserialize_value([1, {"a": None}])
    [1, {'a': None}]
    """
    if custom_objects:
        with custom_object_scope(custom_objects):
            return deserialize_value(value)
    if isinstance(value, list | tuple):
        return type(value)(map(deserialize_value, value))
    if not isinstance(value, dict):
        return value
    if not ("class_name" in value and "config" in value):
        return {k: deserialize_value(v) for k, v in value.items()}
    name, config = value["class_name"], value["config"]
    if name in _PLAIN:
        return _PLAIN[name](config)
    kind: Any = str if name == "function" else dict
    if not isinstance(config, kind):
        raise ConfigTypeError(f"the config of a {name} cannot be {config!r}")
    registered = value.get("registered_name")
    if name == "function":
        registered = None if registered in ("function", config) else registered
        name_or_own = registered or config
        found = custom_object(name_or_own) or (not registered and known_function(config))
    else:
        registered = None if registered == name else registered
        name_or_own = registered or name
        module = (value.get("module") or "").replace("keras", "gpunn", 1)
        found = _own_object(name_or_own)
        found = found or (not registered and known_class(module, name))
        found = found or custom_object(name_or_own)
    if not found:
        raise _unknown_object(name_or_own)
    if name == "function":
        return found
    made = found.from_config(config) if hasattr(found, "from_config") else found(**config)
    if value.get("build_config"):
        made.build_from_config(value["build_config"])
    return made


def _slice(config) -> slice:
    if isinstance(config, dict):
        return slice(*[config[name] for name in ("start", "stop", "step")])
    return slice(*config)  # of older files


# What has a form of its own in JSON.
_PLAIN: dict[str, Callable] = {
    "array": lambda config: np.array(config["value"], config["dtype"]),
    "__bytes__": lambda config: config["value"].encode("latin-1"),
    "__ellipsis__": lambda config: ...,
    "__slice__": _slice,
    "__tuple__": lambda config: tuple(deserialize_value(config)),
}


def _unknown_object(name: str) -> SerializationError:
    return SerializationError(
        f"{name!r} is not known: import the module that defines it, decorate it with "
        "@gpunn.register_serializable, or pass custom_objects={'name': the_class}"
    )

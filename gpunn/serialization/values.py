"""Values of any kind as JSON, and back: numbers, arrays, functions, and objects with a config."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from gpunn.errors import ConfigTypeError, SerializationError
from gpunn.origin import from_gpunn
from gpunn.serialization.custom import (
    custom_object,
    custom_object_scope,
    own_object,
    registered_name,
)
from gpunn.serialization.known import home, known_class, known_function


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
        if from_gpunn(value):
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
        "module": home(type(value)),
        "class_name": type(value).__name__,
        "config": serialize_value(value.get_config(), where),
        "registered_name": own,
    }
    building = getattr(type(value), "get_build_config", None)
    if building is not None and not from_gpunn(building):
        described["build_config"] = serialize_value(value.get_build_config(), f"{where}.build")
    return described


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
    if custom_objects is not None:
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
        found = own_object(name_or_own)
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

"""Registry: the objects of one kind that have names, such as losses."""

import inspect
import re

from gpunn.errors import ArgumentTypeError, SerializationError, unknown
from gpunn.guard import guard_classes
from gpunn.serialization.custom import (
    custom_object,
    custom_object_scope,
    own_object,
    registered_name,
)
from gpunn.serialization.known import home, registries
from gpunn.serialization.values import serialize_value


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

    >>> gpunn.layers.REGISTRY.find("flatten").__name__
    'Flatten'
    """

    def __init__(self, kind: str, base: type, classes, aliases=None, module: str | None = None):
        self.kind = kind
        self.base = base
        self.module = module or f"gpunn.{kind}s"
        self.classes = tuple(classes)
        guard_classes(self.classes)
        self.names = {}
        for cls in self.classes:
            for name in (cls.__name__, snake_case(cls.__name__), cls.__name__.lower()):
                self.names[name] = cls
        self.names.update(aliases or {})
        registries[self.module] = self

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
            "module": home(type(obj)),
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
        if custom_objects is not None:
            with custom_object_scope(custom_objects):
                return self.deserialize(config)
        if config is None:
            return None
        if isinstance(config, str):
            own = own_object(config)
            return self.get(config) if own is None else own
        if not isinstance(config, dict) or "class_name" not in config:
            raise SerializationError(
                f"expected a config {{'class_name': ..., 'config': {{...}}}} of a {self.kind}, "
                f"got {config!r}"
            )
        name = config["class_name"]
        cls = own_object(config.get("registered_name") or name)
        if cls is None:
            cls = self.names.get(name) or custom_object(name) or self.find(name)
        arguments = dict(config.get("config") or {})
        return cls.from_config(arguments) if hasattr(cls, "from_config") else cls(**arguments)

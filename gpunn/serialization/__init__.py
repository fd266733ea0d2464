"""Objects by name and as JSON: what `get`, `serialize` and `deserialize` of every kind share.

`registry.py` has gpunn's objects by name, `custom.py` the user's, and `values.py` writes values of
any kind as JSON and reads them.
"""

from gpunn.serialization.custom import (
    custom_object,
    custom_object_scope,
    register_serializable,
    registered_name,
    registered_object,
    registered_objects,
)
from gpunn.serialization.known import known_class, known_function
from gpunn.serialization.registry import Registry, snake_case
from gpunn.serialization.values import deserialize_value, serialize_value

__all__ = [
    "Registry",
    "custom_object",
    "custom_object_scope",
    "deserialize_value",
    "known_class",
    "known_function",
    "register_serializable",
    "registered_name",
    "registered_object",
    "registered_objects",
    "serialize_value",
    "snake_case",
]

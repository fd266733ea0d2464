"""Dtype policies by name and as configs (Keras: `keras.dtype_policies`)."""

from gpunn.errors import ArgumentError
from gpunn.layers import DTypePolicy
from gpunn.layers.policy import get_policy

FloatDTypePolicy = DTypePolicy  # Keras' older name for policies without quantization

__all__ = ["DTypePolicy", "FloatDTypePolicy", "deserialize", "get", "serialize"]


def get(identifier) -> DTypePolicy:
    """The policy that a name, dtype, config or policy stands for; None is the global one.

    Raises:
        ArgumentError: for an unknown name, with those that are known.

    Source: keras.dtype_policies.get.

    >>> gpunn.dtype_policies.get("mixed_float16").variable_dtype
    'float32'
    """
    return get_policy(identifier)


def serialize(dtype_policy: DTypePolicy) -> dict:
    """The config of a policy.

    Source: keras.dtype_policies.serialize.

    >>> gpunn.dtype_policies.serialize(gpunn.DTypePolicy("float64"))["config"]
    {'name': 'float64'}
    """
    return {
        "module": "gpunn.dtype_policies",
        "class_name": "DTypePolicy",
        "config": dtype_policy.get_config(),
        "registered_name": None,
    }


def deserialize(config: dict, custom_objects: dict | None = None) -> DTypePolicy:
    """The policy of a config that `serialize` made, here or in Keras.

    Args:
        config: the config.
        custom_objects: classes of yours by name.

    Raises:
        ArgumentError: if it is the config of something else.

    Source: keras.dtype_policies.deserialize.

    >>> config = gpunn.dtype_policies.serialize(gpunn.DTypePolicy("float16"))
    >>> gpunn.dtype_policies.deserialize(config)
    <DTypePolicy "float16">
    """
    name = config.get("class_name") if isinstance(config, dict) else config
    cls = {"DTypePolicy": DTypePolicy, **(custom_objects or {})}.get(name)
    if cls is None:
        raise ArgumentError(f"expected the config of a DTypePolicy, got {config!r}")
    return cls.from_config(config["config"])

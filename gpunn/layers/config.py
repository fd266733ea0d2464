"""Configs of layers, from the signatures of their constructors."""

import inspect

from gpunn.origin import from_gpunn
from gpunn.serialization import serialize_value


def constructor_config(layer, root: type, base: dict) -> dict:
    """The arguments that make a layer like this one, as JSON values.

    An argument is the attribute of its name, else what the constructor was given, else its default.
    Those of a class of yours that has a get_config of its own are for that to add.

    Args:
        layer: an instance of `root`.
        root: the class whose own arguments `base` holds.
        base: those, left out where no constructor passes keywords on to `root`.
    """
    given = _given(layer)
    config = {}
    classes = type(layer).__mro__[: type(layer).__mro__.index(root)]
    own = [i for i, cls in enumerate(classes) if _adds_its_own(cls)]
    for i, cls in enumerate(classes):
        if "__init__" not in cls.__dict__:
            continue
        parameters = list(inspect.signature(cls.__dict__["__init__"]).parameters.values())[1:]
        for p in parameters if i > max(own, default=-1) else ():
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
                value = getattr(layer, p.name, given.get(p.name, p.default))
                if p.name == "dtype":  # the attribute is that of the weights
                    value = base["dtype"]
                config.setdefault(p.name, serialize_value(value, f"{cls.__name__}.{p.name}"))
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return config
    return {**base, **config}


def _adds_its_own(cls: type) -> bool:
    return "get_config" in vars(cls) and not from_gpunn(cls)


def _given(layer) -> dict:
    """What the constructor was given, by name."""
    args, kwargs = layer._arguments
    try:
        bound = inspect.signature(type(layer).__init__).bind(layer, *args, **kwargs).arguments
    except TypeError:
        return kwargs
    return {**bound, **bound.get("kwargs", {})}

"""The configs in files of Keras 3 as gpunn's own, and back."""

import inspect

from gpunn import ops
from gpunn.errors import SerializationError
from gpunn.models.graph_config import HELD
from gpunn.serialization import known_class, snake_case

# Arguments of Keras' layers that say nothing where nothing is quantized.
NEEDLESS = {"quantization_config"}
_TENSOR, _TUPLE, _SLICE = "__keras_tensor__", "__tuple__", "__slice__"
_OPS_OF_NN = {
    *("Relu", "Relu6", "Sigmoid", "Softplus", "Softsign", "SoftShrink", "Silu", "SquaredRelu"),
    *("LogSigmoid", "LeakyRelu", "HardSigmoid", "HardSilu", "HardTanh", "HardShrink", "Elu"),
    *("Selu", "Gelu", "Celu", "Glu", "TanhShrink", "Threshold", "Softmax", "LogSoftmax", "OneHot"),
}


# --- from Keras ---


def from_keras(x):
    """A config, or anything in one, that Keras wrote, as gpunn writes it.

    Raises:
        SerializationError: for what gpunn does not have, by name.
    """
    if isinstance(x, list):
        return [from_keras(v) for v in x]
    if not isinstance(x, dict):
        return x
    if not ("class_name" in x and "config" in x):
        return {key: from_keras(v) for key, v in x.items()}
    name, config, module = x["class_name"], x["config"], x.get("module") or ""
    if name in (_TENSOR, _SLICE):
        return x
    if name in ("DTypePolicy", "FloatDTypePolicy"):
        return config["name"]
    if name == _TUPLE:
        return {"class_name": _TUPLE, "config": from_keras(_items(config))}
    if name in ("__tensor__", "__numpy__"):
        return {"class_name": "array", "config": config}
    if name == "function":
        ours = {"class_name": name, "config": config, "registered_name": x["registered_name"]}
        return config if module.startswith("keras") else ours
    if name == "__lambda__":
        raise SerializationError("the file holds a lambda's code: gpunn does not run such code")
    if module.startswith("keras.src.ops"):
        return _operation(x)
    if not module.startswith("keras"):
        return {**x, "config": from_keras(config)}
    return _known(x)


def _items(config):
    return config["value"] if isinstance(config, dict) else config


def _known(x: dict) -> dict:
    """The config of an object of a class that Keras and gpunn have."""
    name = x["class_name"]
    part = x["module"].removeprefix("keras").removeprefix(".").partition(".")[0]
    home = "gpunn.models" if name in ("Functional", "Sequential", "Model") else f"gpunn.{part}"
    cls = known_class(home, name)
    if cls is None:
        raise SerializationError(f"gpunn has no {x['module']}.{name}, which the file uses")
    config = {key: from_keras(v) for key, v in x["config"].items() if key != "build_input_shape"}
    if home != "gpunn.models":
        taken = _arguments(cls)
        config = {
            key: v
            for key, v in config.items()
            if key in taken or not (key in NEEDLESS or v in (None, False, [], {}))
        }
    elif name == "Sequential":
        config = {key: config[key] for key in ("name", "layers")}
    else:
        config["layers"] = [_entry(entry) for entry in config["layers"]]
    made = {"module": home, "class_name": name, "config": config}
    more = {key: from_keras(x[key]) for key in ("name", "inbound_nodes") if key in x}
    return {**made, **more, "registered_name": x.get("registered_name")}


def _entry(entry: dict) -> dict:
    """A layer of a graph; its calls take masks along by themselves."""
    nodes = [
        {**node, "kwargs": {k: v for k, v in node["kwargs"].items() if v is not None}}
        for node in entry["inbound_nodes"]
    ]
    return {**entry, "inbound_nodes": nodes}


def _arguments(cls: type) -> set[str]:
    """The names of the arguments of a class's constructor, and of those it passes keywords to."""
    names: set[str] = set()
    for c in cls.__mro__:
        if "__init__" not in vars(c) or c is object:
            continue
        parameters = list(inspect.signature(vars(c)["__init__"]).parameters.values())[1:]
        names.update(p.name for p in parameters if p.kind is not p.VAR_KEYWORD)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names


def _operation(x: dict) -> dict:
    """An op between layers: Keras has its static arguments in the config, gpunn in the calls."""
    function = snake_case(x["class_name"])
    if not hasattr(ops, function):
        raise SerializationError(f"gpunn has no ops.{function}, which the file uses")
    static = {key: from_keras(v) for key, v in x["config"].items() if key != "name"}
    nodes = []
    for node in x["inbound_nodes"]:
        args = from_keras(node["args"])
        if function == "get_item" and isinstance(args[1], list):
            args[1] = {"class_name": _TUPLE, "config": args[1]}
        nodes.append({"args": args, "kwargs": {**static, **from_keras(node["kwargs"])}})
    config = {"name": x["config"]["name"], "function": function}
    made = {"module": "gpunn.ops", "class_name": "Operation", "config": config}
    return {**made, "name": x["name"], "inbound_nodes": nodes}


# --- to Keras ---


def to_keras(x):
    """A config, or anything in one, that gpunn wrote, as Keras writes it.

    Raises:
        SerializationError: for what Keras does not have, by name.
    """
    if isinstance(x, list | tuple):
        return [to_keras(v) for v in x]
    if not isinstance(x, dict):
        return x
    if not ("class_name" in x and "config" in x):
        return {key: to_keras(v) for key, v in x.items()}
    name, config, module = x["class_name"], x["config"], x.get("module") or ""
    if name in (_TENSOR, _SLICE):
        return x
    if name == _TUPLE:
        return to_keras(config)
    if name == "array":
        return {"class_name": "__numpy__", "config": config}
    if name == HELD:
        raise SerializationError(
            f"layer {x['name']!r} lies inside {config['in']!r} and is called beside it: in a file "
            "of Keras they would be two layers"
        )
    if name == "Operation":
        return _keras_operation(x)
    if name == "Functional":
        return {**_renamed(x), "module": "keras.src.models.functional"}
    if name == "Sequential":
        return {**_renamed(x), "module": "keras"}
    if module.startswith("gpunn."):
        return {**_renamed(x), "module": module.replace("gpunn", "keras", 1)}
    return {**_renamed(x), "module": None}  # a class of yours, known by its registered name


def _renamed(x: dict) -> dict:
    return {key: to_keras(v) for key, v in x.items()}


def _keras_operation(x: dict) -> dict:
    function = x["config"]["function"]
    if not isinstance(function, str) or "." in function:
        raise SerializationError(f"Keras cannot read the function {function} between layers")
    name = "".join(part.capitalize() for part in function.split("_"))
    signature = inspect.signature(getattr(ops, function))
    static: dict = {}
    nodes = []
    for node in x["inbound_nodes"]:
        args = node["args"]
        args = args["config"] if isinstance(args, dict) else args
        given = signature.bind(*args, **node["kwargs"]).arguments
        tensors = [v for v in given.values() if function == "get_item" or _is_operand(v, given)]
        static = {k: to_keras(v) for k, v in given.items() if not any(v is t for t in tensors)}
        nodes.append({"args": to_keras(tensors), "kwargs": {}})
    config = {"name": x["config"]["name"], **static}
    module = "keras.src.ops.nn" if name in _OPS_OF_NN else "keras.src.ops.numpy"
    made = {"module": module, "class_name": name, "config": config, "registered_name": name}
    return {**made, "name": x["name"], "inbound_nodes": nodes}


def _is_operand(value, given: dict) -> bool:
    """Whether an argument of an op is a tensor, or a number in the place of one."""
    if _holds_tensor(value):
        return True
    number = isinstance(value, int | float) and not isinstance(value, bool)
    names = [name for name, v in given.items() if v is value]
    return number and any(name in ("x1", "x2") for name in names)


def _holds_tensor(x) -> bool:
    if isinstance(x, list | tuple):
        return any(map(_holds_tensor, x))
    if not isinstance(x, dict):
        return False
    if x.get("class_name") == _TENSOR:
        return True
    return any(map(_holds_tensor, x.values()))

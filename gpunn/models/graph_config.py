"""The config of a graph, as Keras has it: each layer with the calls it takes part in, and back."""

import inspect

from gpunn import ops
from gpunn.autograd import KerasTensor, primitives
from gpunn.autograd.symbolic import Operation
from gpunn.errors import SerializationError
from gpunn.layers.graph import Graph
from gpunn.origin import from_gpunn
from gpunn.serialization import custom_object_scope, deserialize_value, serialize_value

KEYS = ("layers", "input_layers", "output_layers")
HELD = "__held__"  # the class of a layer that is to be found inside another one


def takes_graph(cls):
    """Whether the constructor of a model's class can be given inputs and outputs."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    kinds = {p.kind for p in parameters}
    any_keyword = inspect.Parameter.VAR_KEYWORD in kinds
    names = {p.name for p in parameters}
    if any_keyword and inspect.Parameter.VAR_POSITIONAL in kinds:
        return True
    return {"inputs", "outputs"} <= names


def is_graph(config: dict) -> bool:
    """Whether a config was made of a graph."""
    return all(key in config for key in KEYS)


def of_graph(graph: Graph) -> dict:
    """The layers of a graph with their calls, and where its inputs and outputs come from."""
    calls: dict = {operation: [] for operation in graph.operations}
    for call in graph.calls:
        calls[call.operation].append(call)
    places = {
        id(x): [operation.name, n, i]
        for operation, of_it in calls.items()
        for n, call in enumerate(of_it)
        for i, x in enumerate(call.outputs)
    }

    inside = held(graph)

    def entry(operation):
        if operation in inside:
            outer, path = inside[operation]
            described = {"class_name": HELD, "config": {"in": outer.name, "path": path}}
        else:
            described = _described(operation)
        nodes = [
            {"args": _to_json(call.args, places), "kwargs": _to_json(call.kwargs, places)}
            for call in calls[operation]
            if call.inputs
        ]
        return {**described, "name": operation.name, "inbound_nodes": nodes}

    return {
        "layers": [entry(operation) for operation in graph.operations],
        "input_layers": _places(graph.inputs, places),
        "output_layers": _places(graph.outputs, places),
    }


def held(graph: Graph) -> dict:
    """The layers that are called here and lie inside another one too, with (outer, path)."""
    inside: dict = {}
    for outer in graph.layers:
        for path, layer in outer.named_layers():
            if layer is not outer:
                inside.setdefault(layer, (outer, path))
    return {
        layer: (outer, path)
        for layer, (outer, path) in inside.items()
        if layer in graph.operations and outer not in inside
    }


def _described(operation) -> dict:
    """The config of a layer, or of an op with the name of its function."""
    if not isinstance(operation, Operation):
        return serialize_value(operation, operation.name)
    config = {"name": operation.name, "function": _function_name(operation.function)}
    return {"module": "gpunn.ops", "class_name": "Operation", "config": config}


def _function_name(function):
    """The public name of an op ("linalg.det"), or what a registered function is known by."""
    name = function.__name__
    for prefix, names in (("", ops), ("linalg.", ops.linalg), ("image.", ops.image)):
        if getattr(names, name, None) is function:
            return prefix + name
    known = from_gpunn(function) and primitives.get(name) is function
    return name if known else serialize_value(function, name)


def _function(name):
    """The op of a public name."""
    if not isinstance(name, str):
        return deserialize_value(name)
    found = ops
    for part in name.split("."):
        found = getattr(found, part, None)
    found = found or primitives.get(name)
    if found is None:
        raise SerializationError(f"there is no gpunn.ops.{name}: is this file of a later gpunn?")
    return found


def _places(structure, places: dict):
    """Nested symbolic tensors as [name of the layer, number of the call, number of the output]."""
    if isinstance(structure, KerasTensor):
        return places[id(structure)]
    if isinstance(structure, dict):
        return {key: _places(x, places) for key, x in structure.items()}
    found = [_places(x, places) for x in structure]
    return {"class_name": "__tuple__", "config": found} if isinstance(structure, tuple) else found


def _to_json(x, places: dict):
    """Arguments of a call as JSON."""
    if isinstance(x, KerasTensor):
        config = {"shape": list(x.shape), "dtype": x.dtype.name, "keras_history": places[id(x)]}
        return {"class_name": "__keras_tensor__", "config": config}
    if isinstance(x, tuple):
        return {"class_name": "__tuple__", "config": [_to_json(v, places) for v in x]}
    if isinstance(x, list):
        return [_to_json(v, places) for v in x]
    if isinstance(x, dict):
        return {key: _to_json(v, places) for key, v in x.items()}
    return serialize_value(x, "an argument of a call")


def _of_json(x, tensor):
    """What `_to_json` wrote; `tensor` finds a symbolic tensor by its place."""
    if isinstance(x, list):
        return [_of_json(v, tensor) for v in x]
    if not isinstance(x, dict):
        return x
    match x.get("class_name"):
        case "__keras_tensor__":
            return tensor(*x["config"]["keras_history"])
        case "__tuple__":
            return tuple([_of_json(v, tensor) for v in x["config"]])
        case None:
            return {key: _of_json(v, tensor) for key, v in x.items()}
    return deserialize_value(x)


def to_graph(config: dict, custom_objects: dict | None = None) -> tuple:
    """Symbolic inputs and outputs of new layers, and what else is in a config.

    Raises:
        SerializationError: if calls lack what they depend on.
    """
    with custom_object_scope(custom_objects or {}):
        entries = {entry["name"]: entry for entry in config["layers"]}
        layers = {
            name: _revived(entry) for name, entry in entries.items() if entry["class_name"] != HELD
        }

        def layer(name):
            if name not in layers and name in entries:
                place = entries[name]["config"]
                inside = dict(layer(place["in"]).named_layers())
                if place["path"] not in inside:  # made when the outer one is built
                    raise _Later
                layers[name] = inside[place["path"]]
                layers[name].name = name
            if name not in layers:
                raise _Later
            return layers[name]

        calls: dict = {name: [] for name, entry in entries.items() if entry["inbound_nodes"]}

        def tensor(name, n, i):
            made = calls[name] if name in calls else layer(name)._inbound_nodes
            if n >= len(made):
                raise _Later
            return made[n].outputs[i]

        waiting = [(e["name"], node) for e in config["layers"] for node in e["inbound_nodes"]]
        while waiting:
            left = []
            stuck = set()  # a layer's calls keep their order
            for name, node in waiting:
                try:
                    if name in stuck:
                        raise _Later
                    args, kwargs = (_of_json(node[key], tensor) for key in ("args", "kwargs"))
                    called = layer(name)
                except _Later:
                    stuck.add(name)
                    left.append((name, node))
                else:
                    called(*args, **kwargs)
                    calls[name].append(called._inbound_nodes[-1])
            if len(left) == len(waiting):
                names = ", ".join(dict.fromkeys(name for name, _ in left))
                raise SerializationError(f"a config in which these layers hang in the air: {names}")
            waiting = left
    inputs = _found(config["input_layers"], tensor)
    outputs = _found(config["output_layers"], tensor)
    rest = {key: value for key, value in config.items() if key not in KEYS}
    return inputs, outputs, rest


class _Later(Exception):
    """What a call depends on is not there yet."""


def _revived(entry: dict):
    if entry["class_name"] == "Operation":
        config = entry["config"]
        return Operation(_function(config["function"]), config["name"])
    return deserialize_value({k: entry.get(k) for k in _WHAT})


_WHAT = ("module", "class_name", "config", "registered_name", "build_config")


def _found(places, tensor):
    """The nested tensors of nested places."""
    if isinstance(places, dict):
        if places.get("class_name") == "__tuple__":
            return tuple(_found(places["config"], tensor))
        return {key: _found(value, tensor) for key, value in places.items()}
    if len(places) == 3 and isinstance(places[0], str):
        return tensor(*places)
    return [_found(value, tensor) for value in places]

"""clone_model: a new model like another one, with new weights."""

from gpunn import tree
from gpunn.autograd.symbolic import Operation
from gpunn.errors import ArgumentError, ArgumentTypeError
from gpunn.layers import InputLayer
from gpunn.models.graph_config import held, takes_graph
from gpunn.models.model import Functional, Model
from gpunn.models.sequential import Sequential


def clone_model(
    model,
    input_tensors=None,
    clone_function=None,
    call_function=None,
    recursive: bool = False,
):
    """A new model like another one, with new layers and so with new weights; compiled likewise.

    Args:
        model: a `Model`; the options below are for graphs and for `Sequential`.
        input_tensors: symbolic tensors to build the new model on. Default: new Inputs.
        clone_function: from a layer to the one that stands in its place. Default: a new layer of
            the same config.
        call_function: `(layer, *args, **kwargs)` gives the outputs of a cloned layer; for graphs.
            Default: the layer is called.
        recursive: whether models inside are cloned in the same way, layer by layer.

    Raises:
        ArgumentError: for an option that this kind of model does not have.

    Source: keras.models.clone_model.

    >>> model = gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(2)])
    >>> gpunn.models.clone_model(model).count_params()
    10
    """
    clones: dict = {}
    inside = {} if getattr(model, "_call_graph", None) is None else held(model._call_graph)

    def clone(layer):
        if layer not in clones:
            if layer in inside:
                clones[layer] = _counterpart(clone, *inside[layer], layer.name)
            elif recursive and isinstance(layer, Functional | Sequential):
                options = None if isinstance(layer, Sequential) else call_function
                clones[layer] = clone_model(layer, None, clone_function, options, True)
            elif isinstance(layer, Operation):
                clones[layer] = Operation(layer.function, layer.name)
            else:
                clones[layer] = (clone_function or _alike)(layer)
        return clones[layer]

    if isinstance(model, Sequential):
        if call_function is not None:
            raise ArgumentError("clone_model: call_function is for graphs, not for a Sequential")
        return _compile_like(model, _clone_sequential(model, input_tensors, clone))
    if isinstance(model, Model) and model._call_graph is not None and takes_graph(type(model)):
        return _compile_like(model, _clone_graph(model, input_tensors, clone, call_function))
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"clone_model: expected a model, got {model!r}")
    if input_tensors is not None or clone_function is not None or call_function is not None:
        raise ArgumentError(
            f"clone_model: {type(model).__name__} is neither a graph nor a Sequential: it can only "
            "be cloned as a whole, by its config"
        )
    return _compile_like(model, _alike(model))


def _counterpart(clone, outer, path: str, name: str):
    """The layer inside a clone that lies where one inside its original does."""
    layers = dict(clone(outer).named_layers())
    if path not in layers:  # it is made when the outer one is built
        clone(outer).build_from_config(outer.get_build_config())
        layers = dict(clone(outer).named_layers())
    layers[path].name = name
    return layers[path]


def _alike(layer):
    """A new layer of the same config."""
    return type(layer).from_config(layer.get_config())


def _compile_like(model, clone):
    """The clone, compiled as the model is."""
    if model.compiled:
        clone.compile_from_config(model.get_compile_config())
    return clone


def _clone_sequential(model, input_tensors, clone):
    layers = [clone(layer) for layer in model.layers]
    if input_tensors is not None:
        layers.insert(0, tree.flatten(input_tensors)[0])
    elif model._input is not None:
        layers.insert(0, _alike(model._input))
    return type(model)(layers, trainable=model.trainable, name=model.name)


def _clone_graph(model, input_tensors, clone, call_function):
    graph = model._call_graph
    given = tree.flatten(graph.inputs)
    if input_tensors is None:
        fresh = [_alike(x.made_by.operation).output for x in given]
    else:
        fresh = tree.flatten(input_tensors)
        kinds = [isinstance(x, dict) for x in (graph.inputs, input_tensors)]
        if len(fresh) != len(given) or len(set(kinds)) > 1:
            raise ArgumentError(
                f"clone_model: input_tensors must be nested like the {len(given)} inputs of "
                f"{model.name!r}, got {input_tensors!r:.200}"
            )
    new = {id(x): y for x, y in zip(given, fresh, strict=True)}

    def in_place(structure):
        return tree.map_structure(lambda x: new.get(id(x), x), structure)

    for call in graph.calls:
        if not isinstance(call.operation, InputLayer):
            args, kwargs = in_place((call.args, call.kwargs))
            layer = clone(call.operation)
            if call_function is None:
                made = layer(*args, **kwargs)
            else:
                made = call_function(layer, *args, **kwargs)
            new.update(zip(map(id, call.outputs), tree.flatten(made), strict=True))
    return type(model)(
        inputs=in_place(graph.inputs), outputs=in_place(graph.outputs), name=model.name
    )

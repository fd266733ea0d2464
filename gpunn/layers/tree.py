"""Walks: over nested inputs of layers, and over the attributes of a layer.

`gpunn.tree` walks any nested lists; here a list of plain numbers is data, which becomes a tensor.
"""

from gpunn.autograd import Tensor
from gpunn.tree import map_shape_structure


def map_shapes(function, shapes):
    """`function(shape)` for every shape, a tuple of sizes and None, in nested ones."""
    return map_shape_structure(lambda shape: function(tuple(shape)), shapes)


def leaves(structure):
    """The tensors in nested lists, tuples and dicts, in order; anything else is passed over."""
    if isinstance(structure, dict):
        for value in structure.values():
            yield from leaves(value)
    elif isinstance(structure, list | tuple):
        for value in structure:
            yield from leaves(value)
    elif isinstance(structure, Tensor):
        yield structure


def map(function, structure, *others):
    """The same nesting with `function` applied to each leaf.

    A list that holds no tensor or array is data, and so a leaf.
    """
    if isinstance(structure, dict):
        return {k: map(function, v, *(o[k] for o in others)) for k, v in structure.items()}
    if isinstance(structure, list | tuple) and any(_holds_arrays(v) for v in structure):
        parts = [map(function, v, *(o[i] for o in others)) for i, v in enumerate(structure)]
        return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)
    return function(structure, *others)


def _holds_arrays(x) -> bool:
    if isinstance(x, dict):
        return any(_holds_arrays(v) for v in x.values())
    return hasattr(x, "shape") or (isinstance(x, list | tuple) and any(_holds_arrays(v) for v in x))


_NOT_SEARCHED = {
    "_added_weights", "_kept_states", "_arguments", "_compile_arguments", "_compile_metrics",
    "_inbound_nodes", "_built_for", "_tensors",
}  # fmt: skip


def find(owner, kind: type, opaque: type):
    """The attributes of an object that are of a kind, or hold such in lists and dicts.

    Yields (path, value) in order of assignment. Does not look into objects of type `opaque`.
    """
    kinds = (kind, dict, list, tuple)
    for name, value in vars(owner).items():
        if isinstance(value, kinds) and name not in _NOT_SEARCHED:
            yield from _find(name.lstrip("_"), value, kind, opaque, kinds)


def _find(path, value, kind, opaque, kinds, above=()):
    if isinstance(value, kind):
        yield path, value
    elif not isinstance(value, opaque) and id(value) not in above:  # a list may hold itself
        above = (*above, id(value))
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, kinds):
                yield from _find(f"{path}.{key}", item, kind, opaque, kinds, above)

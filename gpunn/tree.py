"""Nested lists, tuples and dicts of tensors: their leaves in a fixed order, and back."""

__all__ = ["flatten", "map_structure", "pack", "pack_sequence_as"]


def flatten(structure) -> list:
    """The leaves, dicts in the order of their sorted keys.

    Source: keras.tree.flatten.

    >>> gpunn.tree.flatten({"b": 1, "a": [2, (3, None)]})
    [2, 3, None, 1]
    """
    if isinstance(structure, dict):
        return [leaf for key in sorted(structure) for leaf in flatten(structure[key])]
    if isinstance(structure, (list, tuple)):
        return [leaf for part in structure for leaf in flatten(part)]
    return [structure]


def pack(structure, leaves):
    """The same structure with other leaves.

    Source: keras.tree.pack_sequence_as.

    >>> gpunn.tree.pack({"b": 1, "a": [2, 3]}, [10, 20, 30])
    {'b': 30, 'a': [10, 20]}
    """
    return _pack(structure, iter(leaves))


pack_sequence_as = pack


def _pack(structure, leaves):
    if isinstance(structure, dict):
        packed = {key: _pack(structure[key], leaves) for key in sorted(structure)}
        return type(structure)((key, packed[key]) for key in structure)
    if isinstance(structure, (list, tuple)):
        parts = [_pack(part, leaves) for part in structure]
        return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)
    return next(leaves)


def map_structure(function, *structures):
    """The structure of `function(leaf, ...)` for the leaves of equal structures.

    Source: keras.tree.map_structure.

    >>> gpunn.tree.map_structure(lambda a, b: a + b, {"x": 1}, {"x": 2})
    {'x': 3}
    """
    columns = zip(*map(flatten, structures), strict=True)
    return pack(structures[0], [function(*leaves) for leaves in columns])

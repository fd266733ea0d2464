"""Nested lists, tuples and dicts of tensors: their leaves in a fixed order, and back."""

from gpunn.errors import ArgumentError

__all__ = [
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "pack",
    "pack_sequence_as",
    "traverse",
]


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


def is_nested(structure) -> bool:
    """Whether a structure is a list, a tuple or a dict.

    Source: keras.tree.is_nested.

    >>> gpunn.tree.is_nested([1]), gpunn.tree.is_nested(1)
    (True, False)
    """
    return isinstance(structure, dict | list | tuple)


def flatten_with_path(structure) -> list:
    """The leaves in the order of `flatten`, each with the keys and indices that lead to it.

    Source: keras.tree.flatten_with_path.

    >>> gpunn.tree.flatten_with_path({"a": [1, 2]})
    [(('a', 0), 1), (('a', 1), 2)]
    """
    if isinstance(structure, dict):
        parts = [(key, structure[key]) for key in sorted(structure)]
    elif isinstance(structure, list | tuple):
        parts = list(enumerate(structure))
    else:
        return [((), structure)]
    return [((key, *path), leaf) for key, x in parts for path, leaf in flatten_with_path(x)]


def assert_same_structure(a, b) -> None:
    """Raise ArgumentError unless two structures are nested in the same way.

    Source: keras.tree.assert_same_structure.

    >>> gpunn.tree.assert_same_structure([1, {"a": 2}], [3, {"a": 4}])
    """
    if type(a) is not type(b) and (is_nested(a) or is_nested(b)):
        raise ArgumentError(f"the structures differ: {a!r} and {b!r}")
    if isinstance(a, dict):
        if sorted(a) != sorted(b):
            raise ArgumentError(f"the structures have other keys: {sorted(a)} and {sorted(b)}")
        for key in a:
            assert_same_structure(a[key], b[key])
    elif isinstance(a, list | tuple):
        if len(a) != len(b):
            raise ArgumentError(f"the structures differ in length: {a!r} and {b!r}")
        for x, y in zip(a, b, strict=True):
            assert_same_structure(x, y)


def lists_to_tuples(structure):
    """The structure with tuples in place of lists.

    Source: keras.tree.lists_to_tuples.

    >>> gpunn.tree.lists_to_tuples([1, [2, 3]])
    (1, (2, 3))
    """
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


def is_shape(x) -> bool:
    """Whether x is a list or tuple of sizes and None.

    >>> is_shape((None, 3)), is_shape([(None, 3), (2,)])
    (True, False)
    """
    return isinstance(x, list | tuple) and all(n is None or hasattr(n, "__index__") for n in x)


def map_shape_structure(function, structure):
    """The structure of `function(shape)` for the shapes, tuples of sizes and None, in it.

    Source: keras.tree.map_shape_structure.

    >>> gpunn.tree.map_shape_structure(len, {"a": (None, 3), "b": [(2,), ()]})
    {'a': 2, 'b': [1, 0]}
    """
    if isinstance(structure, dict):
        return {key: map_shape_structure(function, x) for key, x in structure.items()}
    if isinstance(structure, list | tuple) and not is_shape(structure):
        return type(structure)([map_shape_structure(function, x) for x in structure])
    return function(tuple(structure))


def traverse(function, structure, top_down=True):
    """The structure where each part for which `function` gives something is replaced by that.

    Args:
        function: of a part, nested or a leaf; gives None where the part is to stay.
        structure: nested lists, tuples and dicts.
        top_down: whether a part comes before what is in it, which a replacement hides.

    Source: keras.tree.traverse.

    >>> gpunn.tree.traverse(lambda x: x * 10 if isinstance(x, int) else None, [1, {"a": 2}])
    [10, {'a': 20}]
    """
    if top_down and (found := function(structure)) is not None:
        return found
    if isinstance(structure, dict):
        parts = {key: traverse(function, x, top_down) for key, x in structure.items()}
        structure = type(structure)(parts)
    elif isinstance(structure, list | tuple):
        items = [traverse(function, x, top_down) for x in structure]
        is_named = hasattr(structure, "_fields")
        structure = type(structure)(*items) if is_named else type(structure)(items)
    found = None if top_down else function(structure)
    return structure if found is None else found

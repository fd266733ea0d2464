"""Nested lists, tuples, deques and dicts: their leaves in a fixed order, and back."""

from collections import OrderedDict, defaultdict, deque

from gpunn.errors import ArgumentError, ArgumentTypeError

__all__ = [
    "MAP_TO_NONE",
    "assert_same_paths",
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "map_structure_up_to",
    "pack",
    "pack_sequence_as",
    "traverse",
]

SEQUENCES = (list, tuple, deque)


class MAP_TO_NONE:
    """What a function gives to `traverse` for None in place of a part (Keras' name)."""


def is_nested(structure) -> bool:
    """Whether a structure is a list, a tuple, a deque or a dict.

    Source: keras.tree.is_nested.

    >>> gpunn.tree.is_nested([1]), gpunn.tree.is_nested(1)
    (True, False)
    """
    return isinstance(structure, (dict, *SEQUENCES))


def flatten(structure) -> list:
    """The leaves; dicts in the order of their sorted keys, an OrderedDict in its own.

    Source: keras.tree.flatten.

    >>> gpunn.tree.flatten({"b": 1, "a": [2, (3, None)]})
    [2, 3, None, 1]
    """
    if isinstance(structure, dict):
        return [leaf for key in _keys(structure) for leaf in flatten(structure[key])]
    if isinstance(structure, SEQUENCES):
        return [leaf for part in structure for leaf in flatten(part)]
    return [structure]


def flatten_with_path(structure) -> list:
    """The leaves in the order of `flatten`, each with the keys and indices that lead to it.

    Source: keras.tree.flatten_with_path.

    >>> gpunn.tree.flatten_with_path({"a": [1, 2]})
    [(('a', 0), 1), (('a', 1), 2)]
    """
    if isinstance(structure, dict):
        parts = [(key, structure[key]) for key in _keys(structure)]
    elif isinstance(structure, SEQUENCES):
        parts = list(enumerate(structure))
    else:
        return [((), structure)]
    return [((key, *path), leaf) for key, x in parts for path, leaf in flatten_with_path(x)]


def pack(structure, flat_sequence):
    """The same structure with other leaves.

    Raises:
        ArgumentError: if there are too few leaves, or too many.

    Source: keras.tree.pack_sequence_as.

    >>> gpunn.tree.pack({"b": 1, "a": [2, 3]}, [10, 20, 30])
    {'b': 30, 'a': [10, 20]}
    """
    rest = iter(flat_sequence)
    try:
        packed = _pack(structure, rest)
    except StopIteration:
        raise ArgumentError(f"too few leaves for {structure!r}") from None
    if next(rest, rest) is not rest:
        raise ArgumentError(f"too many leaves for {structure!r}")
    return packed


pack_sequence_as = pack


def _pack(structure, leaves):
    if isinstance(structure, dict):
        return _like(structure, {key: _pack(structure[key], leaves) for key in _keys(structure)})
    if isinstance(structure, SEQUENCES):
        return _like(structure, [_pack(part, leaves) for part in structure])
    return next(leaves)


def _keys(structure: dict) -> list:
    """The keys in the order of the leaves."""
    return list(structure) if isinstance(structure, OrderedDict) else sorted(structure)


def _like(structure, parts):
    """Parts, by key for a dict, as a structure of the same type, in its order."""
    kind = type(structure)
    if isinstance(structure, dict):
        items = [(key, parts[key]) for key in structure]
        return kind(structure.default_factory, items) if kind is defaultdict else kind(items)
    return kind(*parts) if hasattr(structure, "_fields") else kind(parts)


def map_structure(func, *structures, none_is_leaf=True):
    """The structure of `func(leaf, ...)` for the leaves of equal structures.

    Args:
        func: a function of a leaf of each structure.
        *structures: nested lists, tuples and dicts.
        none_is_leaf: whether `func` is called for None too, rather than None kept. Default: True.

    Raises:
        ArgumentError: if the structures differ, or there is none.
        ArgumentTypeError: if the function is none.

    Source: keras.tree.map_structure.

    >>> gpunn.tree.map_structure(lambda a, b: a + b, {"x": 1}, {"x": 2})
    {'x': 3}
    """
    if not callable(func):
        raise ArgumentTypeError(f"map_structure: expected a function first, got {func!r}")
    if not structures:
        raise ArgumentError("map_structure needs at least one structure")
    if not none_is_leaf:
        return map_structure(
            lambda *leaves: None if leaves[0] is None else func(*leaves), *structures
        )
    first, *others = structures
    if not others:
        return pack(first, map(func, flatten(first)))
    for other in others:
        assert_same_structure(first, other)
    return map_structure_up_to(first, func, *structures)


def map_structure_up_to(shallow_structure, func, *structures):
    """`map_structure` down to the leaves of a shallow structure; others may be deeper there.

    Args:
        shallow_structure: says how deep to go.
        func: gets the parts of all structures at one leaf of the shallow one.
        *structures: nested like the shallow one, as far as that goes.

    Raises:
        ArgumentError: if the structures differ from the shallow one, as far as that goes.

    Source: keras.tree.map_structure_up_to.

    >>> gpunn.tree.map_structure_up_to(["a", ["b"]], len, [[1, 2], [[3]]])
    [2, [1]]
    """
    shallow = shallow_structure
    if not is_nested(shallow):
        return func(*structures)
    for other in structures:
        _check_alike(shallow, other)
    if isinstance(shallow, dict):
        return _like(
            shallow,
            {
                key: map_structure_up_to(shallow[key], func, *(s[key] for s in structures))
                for key in _keys(shallow)
            },
        )
    rows = zip(shallow, *structures, strict=True)
    return _like(shallow, [map_structure_up_to(part, func, *row) for part, *row in rows])


def assert_same_structure(a, b) -> None:
    """Raise ArgumentError unless two structures are nested in the same way.

    Dicts of any type are the same if their keys are; other types differ.

    Source: keras.tree.assert_same_structure.

    >>> gpunn.tree.assert_same_structure([1, {"a": 2}], [3, {"a": 4}])
    """
    _check_alike(a, b)
    if isinstance(a, dict):
        for key in a:
            assert_same_structure(a[key], b[key])
    elif is_nested(a):
        for x, y in zip(a, b, strict=True):
            assert_same_structure(x, y)


def _check_alike(a, b) -> None:
    """Raise unless two structures are of the same type, and have the same keys or length."""
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            raise ArgumentError(f"the structures have other keys: {list(a)} and {list(b)}")
    elif is_nested(a) or is_nested(b):
        if type(a) is not type(b):
            raise ArgumentError(f"the structures differ: {a!r} and {b!r}")
        if len(a) != len(b):
            raise ArgumentError(f"the structures differ in length: {a!r} and {b!r}")


def assert_same_paths(a, b) -> None:
    """Raise ArgumentError unless the same keys and indices lead to the leaves of two structures.

    Source: keras.tree.assert_same_paths.

    >>> gpunn.tree.assert_same_paths([1, {"a": 2}], (3, {"a": 4}))
    """
    paths = [{path for path, _ in flatten_with_path(x)} for x in (a, b)]
    if paths[0] != paths[1]:
        only = [sorted(map(str, one - other)) for one, other in (paths, paths[::-1])]
        raise ArgumentError(f"the structures have other paths: {only[0]} and {only[1]}")


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


def map_shape_structure(func, structure):
    """The structure of `func(shape)` for the shapes, tuples or lists of sizes and None, in it.

    Source: keras.tree.map_shape_structure.

    >>> gpunn.tree.map_shape_structure(len, {"a": (None, 3), "b": [(2,), ()]})
    {'a': 2, 'b': [1, 0]}
    """
    if isinstance(structure, dict):
        parts = {key: map_shape_structure(func, structure[key]) for key in _keys(structure)}
        return _like(structure, parts)
    if isinstance(structure, SEQUENCES) and not is_shape(structure):
        return _like(structure, [map_shape_structure(func, x) for x in structure])
    return func(structure)


def traverse(func, structure, top_down=True):
    """The structure where each part for which `func` gives something is replaced by that.

    Args:
        func: of a part, nested or a leaf; gives None where the part is to stay, MAP_TO_NONE
            where it is to become None.
        structure: nested lists, tuples and dicts.
        top_down: whether a part comes before what is in it, which a replacement hides.

    Raises:
        ArgumentTypeError: if the function is none.

    Source: keras.tree.traverse.

    >>> gpunn.tree.traverse(lambda x: x * 10 if isinstance(x, int) else None, [1, {"a": 2}])
    [10, {'a': 20}]
    """
    if not callable(func):
        raise ArgumentTypeError(f"traverse: expected a function first, got {func!r}")
    if top_down and (found := func(structure)) is not None:
        return None if found is MAP_TO_NONE else found
    if isinstance(structure, dict):
        parts = {key: traverse(func, structure[key], top_down) for key in _keys(structure)}
        structure = _like(structure, parts)
    elif isinstance(structure, SEQUENCES):
        structure = _like(structure, [traverse(func, x, top_down) for x in structure])
    found = None if top_down else func(structure)
    if found is MAP_TO_NONE:
        return None
    return structure if found is None else found

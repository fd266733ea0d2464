"""Nested structures, as in keras.tree."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest

from gpunn import tree
from gpunn.errors import ArgumentError

NESTED = {"b": [1, (2, None)], "a": {"x": 3}}
Pair = namedtuple("Pair", "left right")


def test_paths():
    found = tree.flatten_with_path(NESTED)
    assert found == [(("a", "x"), 3), (("b", 0), 1), (("b", 1, 0), 2), (("b", 1, 1), None)]
    assert [leaf for _, leaf in found] == tree.flatten(NESTED)
    assert tree.flatten_with_path(5) == [((), 5)]
    assert tree.is_nested(()) and tree.is_nested({}) and not tree.is_nested("ab")


def test_same_structure():
    tree.assert_same_structure(NESTED, {"a": {"x": 0}, "b": [0, (0, 0)]})
    for other in (5, [], {"a": 1}, {**NESTED, "b": [1, [2, 3]]}, {**NESTED, "b": [1, (2,)]}):
        with pytest.raises(ArgumentError, match="structures"):
            tree.assert_same_structure(NESTED, other)


def test_traverse():
    assert tree.lists_to_tuples([1, [2, {"a": [3]}]]) == (1, (2, {"a": (3,)}))
    assert tree.traverse(lambda x: "t" if isinstance(x, tuple) else None, NESTED) == {
        "b": [1, "t"],
        "a": {"x": 3},
    }
    doubled = tree.traverse(lambda x: 2 * x if isinstance(x, int) else None, Pair(1, [2]))
    assert doubled == Pair(2, [4]) and isinstance(doubled, Pair)
    sums = tree.traverse(lambda x: sum(x) if isinstance(x, list) else None, [1, [2, 3]], False)
    assert sums == 6


def test_shapes():
    assert tree.map_shape_structure(len, [(2, None), {"a": (1,)}]) == [2, {"a": 1}]
    assert tree.map_shape_structure(len, (None, 3)) == 2


KINDS = {
    "ordered": OrderedDict([("b", 2), ("a", 1)]),
    "default": defaultdict(int, {"b": 2, "a": 1}),
    "deque": deque([1, 2]),
    "named": Pair(1, 2),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_structures(kind):
    structure = KINDS[kind]
    leaves = [2, 1] if kind == "ordered" else [1, 2]  # in its own order, or by key
    assert tree.is_nested(structure) and tree.flatten(structure) == leaves
    tenfold = tree.map_structure(lambda x: 10 * x, structure)
    assert type(tenfold) is type(structure)
    assert tree.flatten(tenfold) == [10 * x for x in leaves]
    assert tree.pack(structure, leaves) == structure
    assert list(tree.traverse(lambda x: None, structure)) == list(structure)
    if kind == "default":
        assert tenfold["c"] == 0


def test_dicts_of_several_kinds_are_matched_by_key():
    ordered, plain = OrderedDict([("b", 2), ("a", 1)]), {"a": 10, "b": 20}
    found = tree.map_structure(lambda x, y: x + y, ordered, plain)
    assert list(found.items()) == [("b", 22), ("a", 11)]
    assert tree.map_structure(lambda x, y: x + y, plain, ordered) == {"a": 11, "b": 22}
    tree.assert_same_structure(ordered, defaultdict(int, plain))


@pytest.mark.parametrize(
    "others", [((), []), ([1, 2], [1]), ([], deque()), (Pair(1, 2), (1, 2)), ({"a": 1}, {"b": 1})]
)
def test_structures_that_differ_are_not_mapped(others):
    with pytest.raises(ArgumentError, match="structures"):
        tree.map_structure(lambda x, y: x, *others)


def test_what_cannot_be_mapped_or_packed():
    for call in (
        lambda: tree.map_structure("f", [1]),
        lambda: tree.traverse("f", [1]),
        lambda: tree.pack([10, 20], 1),
    ):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(ArgumentError, match="at least one"):
        tree.map_structure(len)
    for leaves, said in (([1], "few"), ([1, 2, 3], "many")):
        with pytest.raises(ArgumentError, match=f"too {said} leaves"):
            tree.pack([10, 20], leaves)


def test_shallow_structures():
    names, values = ["a", ["b", "c"]], [[1, 2], [[3], [4, 5, 6]]]
    found = tree.map_structure_up_to(names, lambda n, v: (n, len(v)), names, values)
    assert found == [("a", 2), [("b", 1), ("c", 3)]]
    with pytest.raises(ArgumentError, match="differ in length"):
        tree.map_structure_up_to(names, lambda v: v, [1])


def test_same_paths():
    tree.assert_same_paths({"a": [1, (2, 3)]}, OrderedDict(a=(1, Pair(2, 3))))
    with pytest.raises(ArgumentError, match=r"other paths: \[\"\('b',\)\"\] and \[\]"):
        tree.assert_same_paths({"a": 1, "b": 2}, {"a": 1})


def test_parts_that_become_none():
    found = tree.traverse(lambda x: tree.MAP_TO_NONE if x == 2 else None, [1, {"a": 2}])
    assert found == [1, {"a": None}]
    up = tree.traverse(lambda x: tree.MAP_TO_NONE if x == [2] else None, (1, [2]), top_down=False)
    assert up == (1, None)


def test_none_as_a_leaf_or_not():
    assert tree.map_structure(str, [1, None]) == ["1", "None"]
    assert tree.map_structure(str, [1, None], none_is_leaf=False) == ["1", None]

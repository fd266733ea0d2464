"""Nested structures, as in keras.tree."""

from collections import namedtuple

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

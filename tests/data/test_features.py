"""Columns of tables as numbers, and targets as classes or quantities."""

import json

import numpy as np
import pytest

from gpunn.data import Feature, Features, Table, Target
from gpunn.errors import ArgumentError, DataError, SerializationError


def table(**columns) -> Table:
    cells = {
        name: [None if c is None else str(c) for c in column] for name, column in columns.items()
    }
    rows = len(next(iter(cells.values())))
    return Table("t.csv", cells, list(range(2, rows + 2)))


def test_numbers_are_standardised_by_the_rows_of_training():
    t = table(a=[1, 3, None, 100])
    features = Features.fit(t, rows=[0, 1, 2])
    np.testing.assert_array_equal(features.encode(t), np.array([[-1], [1], [0], [98]], "float32"))
    assert features.remarks(t) == ["a: 1 of 4 missing, replaced by the median 2"]


def test_large_numbers_keep_their_differences():
    times = [1_700_000_000 + i for i in range(5)]
    x = Features.fit(table(a=times)).encode(table(a=times))
    assert len(np.unique(x)) == 5
    assert abs(x.std() - 1) < 1e-6


@pytest.mark.parametrize(
    "words", [("yes", "no"), ("TRUE", "False"), ("t", "f"), ("Y", "n")], ids=lambda w: w[0]
)
def test_booleans(words):
    t = table(a=[words[0], words[1], None, words[0]])
    features = Features.fit(t)
    assert features.features[0].kind == "boolean"
    np.testing.assert_array_equal(features.encode(t)[:, 0], [1, 0, 1, 1])


def test_categories_are_one_hot_and_unknown_ones_zero():
    features = Features.fit(table(a=["b", "a", "b", None]))
    new = table(a=["a", "b", None, "c"])
    np.testing.assert_array_equal(features.encode(new), [[1, 0], [0, 1], [0, 1], [0, 0]])
    assert features.remarks(new) == [
        "a: 1 of 4 missing, replaced by the most frequent 'b'",
        "a: 1 of 4 unknown ('c'), taken as none of the known",
    ]


def test_what_can_tell_nothing_is_left_out():
    names = [f"name {i}" for i in range(50)]
    t = table(x=range(50), name=names, same=[7] * 50, nothing=[None] * 50)
    features = Features.fit(t)
    assert features.names == ["x"]
    assert features.left_out == {
        "name": "text, 50 different ones in 50 rows",
        "same": "only one value",
        "nothing": "no value at all",
    }
    with pytest.raises(DataError, match="no column to learn from; same: only one value"):
        Features.fit(table(same=[1, 1]))


def test_rare_categories_beyond_a_hundred_are_unknown():
    cells = [f"c{i % 150}" for i in range(600)] + ["c0"]
    features = Features.fit(table(a=cells))
    assert features.width == 100
    assert "c0" in features.features[0].categories


def test_columns_of_a_new_table_by_name():
    features = Features.fit(table(a=[1, 2], b=["x", "y"]))
    same = features.encode(table(b=["y"], c=[5], a=[2]))
    np.testing.assert_array_equal(same, features.encode(table(a=[2], b=["y"])))
    with pytest.raises(DataError, match=r"it lacks 'a', 'b' and has c"):
        features.encode(table(c=[1]))
    with pytest.raises(DataError, match="line 3: a is 'x', expected a number"):
        features.encode(table(a=[1, "x"], b=["x", "y"]))
    with pytest.raises(DataError, match="fits float32"):
        features.encode(table(a=["inf"], b=["x"]))
    with pytest.raises(ArgumentError, match="unknown column"):
        Features.fit(table(a=[1, 2]), without=["z"])


def test_configs_are_json_and_come_back():
    t = table(a=[1, 2, None], b=["x", "y", "x"], c=["yes", "no", "yes"])
    features = Features.fit(t)
    again = Features.from_config(json.loads(json.dumps(features.get_config())))
    assert all(isinstance(f, Feature) for f in again.features)
    np.testing.assert_array_equal(again.encode(t), features.encode(t))
    target, _ = Target.fit(t, "b")
    assert Target.from_config(json.loads(json.dumps(target.get_config()))) == target
    with pytest.raises(SerializationError):
        Features.from_config({"features": [{}]})
    with pytest.raises(SerializationError):
        Target.from_config({"nothing": 1})


@pytest.mark.parametrize(
    ("cells", "task", "why"),
    [
        (["b", "a", "b"], "classification", "text with 2 different values"),
        ([0, 1, 0, 1], "classification", "2 different integers"),
        ([1.0, 2.0, 1.0], "classification", "2 different integers"),
        (["true", "false"], "classification", "text with 2"),
        ([0.5, 1, 2], "regression", "3 different numbers"),
        (list(range(21)) * 3, "regression", "21 different integers"),
        (list(range(20)) * 3, "classification", "20 different integers"),
        ([3, 1, 2], "regression", "3 different integers"),
    ],
)
def test_the_task_is_guessed(cells, task, why):
    target, said = Target.fit(table(y=cells), "y")
    assert target.task == task
    assert why in said


def test_classes():
    target, _ = Target.fit(table(y=["10", "9", "10.0", "x"] * 2), "y")
    assert target.classes == ["9", "10", "x"]
    assert target.units == 3
    np.testing.assert_array_equal(target.encode(table(y=["x", "10", "9.0"])), [2, 1, 0])
    p = np.array([[0.1, 0.2, 0.7]], "float32")
    assert target.probabilities(p) is p


def test_two_classes_need_one_output():
    target, _ = Target.fit(table(y=["no", "yes"]), "y")
    assert target.units == 1
    p = target.probabilities(np.array([[0.25]]))
    np.testing.assert_array_equal(p, [[0.75, 0.25]])


def test_a_quantity_is_standardised_and_comes_back():
    t = table(y=[10, 20.5, 30, 1000])
    target = Target.fit(t, "y")[0].scaled_on(t.rows([0, 1, 2]))
    y = target.encode(t)
    assert y.dtype == np.float32
    assert abs(y[:3].mean()) < 1e-6
    np.testing.assert_allclose(target.values(y[:, None]), [10, 20.5, 30, 1000], rtol=1e-6)


@pytest.mark.parametrize(
    ("cells", "task", "said"),
    [
        (["a", "a"], None, "only 'a': nothing to learn"),
        ([None, None], None, "no value at all"),
        ([f"n{i}" for i in range(50)], None, "too many for classes"),
        ([i + 0.5 for i in range(50)], "classification", "--task regression"),
        (["a", "b"], "regression", "line 2: y is 'a', expected a number"),
        (["a", "b"], "clasification", "did you mean 'classification'"),
    ],
)
def test_targets_that_cannot_be(cells, task, said):
    with pytest.raises(ValueError, match=said):
        Target.fit(table(y=cells), "y", task)


def test_cells_that_are_no_target():
    target, _ = Target.fit(table(y=["a", "b"]), "y")
    with pytest.raises(DataError, match="line 3: y is missing"):
        target.encode(table(y=["a", None]))
    with pytest.raises(DataError, match="'c', which is none of the model's classes: a, b"):
        target.encode(table(y=["c"]))

"""Generators, iterables and sequences give batches; epochs are cut from them."""

import itertools
import warnings

import numpy as np
import pytest

from gpunn.backend import Stream
from gpunn.data import make_source, unpack_x_y_sample_weight
from gpunn.errors import ArgumentError, DataError


def generator(n, rows=2):
    for i in range(n):
        yield np.full((rows, 1), float(i)), np.full(rows, i)


def numbers(source):
    """The number of each batch of one epoch."""
    return [int(x.numpy()[0, 0]) for x, _, _ in source.epoch()]


def test_generator(device):
    source = make_source(generator(3), device=device)
    assert source.num_batches is None
    got = list(source.epoch())
    assert [t[1].tolist() for t in got] == [[0, 0], [1, 1], [2, 2]]
    assert all(t[0].dtype == np.float32 and t[0].device == device for t in got)
    assert all(t[2] is None for t in got)


def test_generator_with_steps_goes_on():
    source = make_source(generator(5), steps=2)
    assert source.num_batches == 2
    assert numbers(source) == [0, 1]
    source.reset()  # a generator cannot start anew
    assert numbers(source) == [2, 3]
    assert source.ready()
    with pytest.warns(UserWarning, match=r"after 1 of 2 batches of this epoch \(5 in all\)"):
        assert numbers(source) == [4]
    with pytest.warns(UserWarning, match="ended after 5 batches"):
        assert not source.ready()
    assert numbers(make_source(generator(5), steps=2)) == [0, 1]


def test_generator_without_end():
    source = make_source(((np.ones((1, 1)) * i,) for i in itertools.count()), steps=3)
    assert [numbers(source) for _ in range(2)] == [[0, 1, 2], [3, 4, 5]]


def test_generator_that_has_come_to_its_end():
    source = make_source(generator(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert numbers(source) == [0, 1]
    with pytest.warns(UserWarning, match="ended after 2 batches"):
        assert not source.ready()
    assert numbers(source) == []


def test_list_of_batches_is_iterated_again():
    source = make_source(list(generator(3)))
    assert source.num_batches == 3
    assert numbers(source) == numbers(source) == [0, 1, 2]
    assert source.ready()


class Loader:
    """Like a torch DataLoader: can be iterated over, gives lists."""

    def __iter__(self):
        return ([x, y] for x, y in generator(4))


def test_iterable():
    source = make_source(Loader())
    assert numbers(source) == numbers(source) == [0, 1, 2, 3]
    source = make_source(Loader(), steps=2)
    assert [numbers(source) for _ in range(3)] == [[0, 1], [2, 3], [0, 1]]


class Sequence:
    """Like a Keras PyDataset."""

    def __init__(self):
        self.epochs = 0

    def __len__(self):
        return 5

    def __getitem__(self, i):
        if not 0 <= i < 5:
            raise IndexError(i)
        return np.full((2, 1), float(i)), np.zeros(2), np.ones(2)

    def on_epoch_end(self):
        self.epochs += 1


def test_sequence():
    data = Sequence()
    source = make_source(data)
    assert source.num_batches == 5
    assert numbers(source) == [0, 1, 2, 3, 4]
    assert data.epochs == 1
    source = make_source(data, shuffle=True, stream=Stream(3, "s"))
    assert numbers(source) == Stream(3, "s").permutation(5).tolist()


@pytest.mark.parametrize(
    "batch, parts",
    [
        (np.ones((2, 1)), 1),
        ((np.ones((2, 1)),), 1),
        ({"a": np.ones((2, 1))}, 1),
        ((np.ones((2, 1)), np.ones(2)), 2),
        ([np.ones((2, 1)), np.ones(2)], 2),
        ((np.ones((2, 1)), np.ones(2), np.ones(2)), 3),
    ],
)
def test_kinds_of_batches(batch, parts):
    ((x, y, w),) = make_source(iter([batch])).epoch()
    assert isinstance(x, dict) == isinstance(batch, dict)
    assert (y is not None) + (w is not None) + 1 == parts


def test_unpack_x_y_sample_weight():
    assert unpack_x_y_sample_weight(1) == (1, None, None)
    assert unpack_x_y_sample_weight([1, 2]) == (1, 2, None)
    with pytest.raises(DataError, match="got 4 parts"):
        unpack_x_y_sample_weight((1, 2, 3, 4))


def test_bad_batches():
    def at_second(bad):
        return make_source(iter([(np.ones((2, 1)), np.ones(2)), bad]))

    with pytest.raises(DataError, match="batch 1: unequal lengths: x has 2 rows, y has 3 rows"):
        list(at_second((np.ones((2, 1)), np.ones(3))).epoch())
    with pytest.raises(DataError, match=r"batch 1: x holds 1 value .* nan in row 1, column 0"):
        list(at_second((np.array([[1.0], [np.nan]]), np.ones(2))).epoch())
    with pytest.raises(DataError, match="got 4 parts"):
        list(at_second((1, 2, 3, 4)).epoch())


def test_targets_belong_into_the_batches():
    with pytest.raises(ArgumentError, match="y must be None where x is a generator"):
        make_source(generator(2), np.zeros(3))
    with pytest.raises(ArgumentError, match="sample_weight must be None"):
        make_source(generator(2), sample_weight=np.zeros(3))


def test_empty_sequence():
    class Empty(Sequence):
        def __len__(self):
            return 0

    with pytest.raises(DataError, match="the Empty has no batch"):
        make_source(Empty())


def test_inputs_of_a_batch_may_have_lengths_of_their_own():
    def graph(weights):
        return {"nodes": np.ones((5, 2)), "edges": np.ones((9, 2))}, np.ones(3), np.ones(weights)

    two = (np.ones((4, 2)), np.ones(4)), (np.ones((2, 2)), np.ones(2))
    ((x, y, _),) = make_source(iter([two])).epoch()  # two data sets, of which one is short
    assert (len(x[0]), len(y[0])) == (4, 2)
    ((x, y, _),) = make_source(iter([graph(3)])).epoch()
    assert (len(x["nodes"]), len(x["edges"]), len(y)) == (5, 9, 3)
    with pytest.raises(DataError, match="y has 3 rows, sample_weight has 2 rows"):
        list(make_source(iter([graph(2)])).epoch())
    with pytest.raises(DataError, match=r"x\['nodes'\] has 5 rows"):
        make_source(graph(3)[0], np.ones(3))

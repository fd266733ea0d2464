"""Dataset: batched, shuffled, mapped, prefetched; the validation split."""

import threading

import numpy as np
import pandas as pd
import pytest

import gpunn
from gpunn.data import Dataset, make_source, train_validation_split
from gpunn.data.prefetch import prefetch
from gpunn.errors import ArgumentError, ArgumentTypeError, DataError, NotSupportedError

X, Y = np.arange(10.0).reshape(5, 2), np.arange(5)


def test_batches():
    data = Dataset(X, Y).batch(2)
    assert len(data) == 3
    assert [(x.shape, y.tolist()) for x, y in data] == [
        ((2, 2), [0, 1]),
        ((2, 2), [2, 3]),
        ((1, 2), [4]),
    ]
    assert [len(y) for _, y in Dataset(X, Y).batch(2, drop_remainder=True)] == [2, 2]
    assert [len(b) for b in Dataset(X, Y, Y)] == [3]
    assert [b.shape for b in Dataset(X)] == [(5, 2)]
    assert [len(b) for b in Dataset([X, Y])] == [1]


def test_rows_one_by_one_and_the_first_batches():
    data = Dataset(X, Y).batch(None)
    assert len(data) == 5 and [y for _, y in data] == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal([x for x, _ in data], X)
    assert sorted(data.shuffle(1).map(lambda x, y: int(y))) == [0, 1, 2, 3, 4]
    first = Dataset(X, Y).batch(2).take(1)
    assert len(first) == 1 and [y.tolist() for _, y in first] == [[0, 1]]
    assert len(Dataset(X).take(3)) == 1


def test_shuffle():
    data = Dataset(X, Y).batch(5).shuffle(seed=1)
    (first,), (second,) = list(data), list(data)
    assert sorted(first[1]) == sorted(second[1]) == [0, 1, 2, 3, 4]
    assert first[1].tolist() != second[1].tolist()
    np.testing.assert_array_equal(first[0], X[first[1]])
    (again,) = Dataset(X, Y).batch(5).shuffle(seed=1)
    assert again[1].tolist() == first[1].tolist()


def test_map():
    data = Dataset(X, Y).batch(3).map(lambda x, y: (x * 2, y)).map(lambda x, y: (x, y + 1))
    assert [y.tolist() for _, y in data] == [[1, 2, 3], [4, 5]]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in data]), X * 2)


def test_each_method_gives_a_new_dataset():
    data = Dataset(X, Y)
    data.batch(1).shuffle(0).map(None).prefetch()
    assert len(list(data)) == 1


def test_nested():
    ((x, y),) = Dataset({"a": X, "b": Y}, [Y, Y])
    assert set(x) == {"a", "b"}
    assert len(y) == 2


def test_prefetch_gives_the_same():
    data = Dataset(X, Y).batch(2).map(lambda x, y: (x, y * 2))
    assert [y.tolist() for _, y in data.prefetch(2)] == [y.tolist() for _, y in data]


def test_cache_keeps_the_first_iteration():
    calls = []

    def noted(x, y):
        calls.append(len(y))
        return x, y + 10

    data = Dataset(X, Y).batch(2).shuffle(seed=1).map(noted)
    kept = data.cache().map(lambda x, y: (x, y * 2)).prefetch(buffer_size=-1)
    first = [y.tolist() for _, y in kept]
    assert sorted(y for batch in first for y in batch) == [20, 22, 24, 26, 28]
    assert calls == [2, 2, 1]
    assert [y.tolist() for _, y in kept] == first and len(calls) == 3
    assert kept.cardinality() == len(kept) == 3
    next(iter(data.cache()))  # an iteration that ends early keeps nothing
    cached = data.cache()
    next(iter(cached))
    assert len(list(cached)) == 3
    assert [len(y) for _, y in kept.batch(5)] == [5]  # other batches are made anew


def test_cache_takes_no_file():
    with pytest.raises(NotSupportedError, match="keeps them in memory"):
        Dataset(np.arange(3)).cache("/tmp/cached")


def test_a_cached_set_trains_the_same(device):
    def trained(data):
        model = gpunn.Sequential([gpunn.layers.Dense(1, kernel_initializer="ones")])
        model.to(device)
        model.compile("sgd", "mse")
        return model.fit(data, epochs=3, verbose=0).history["loss"]

    data = Dataset(X, Y).batch(2)
    assert trained(data.cache()) == trained(data)


def test_in_a_source(device):
    source = make_source(Dataset(X, Y).batch(2).prefetch(), device=device)
    assert (source.num_batches, source.num_samples, source.batch_size) == (3, 5, 2)
    for _ in range(2):
        assert [y.tolist() for _, y, _ in source.epoch()] == [[0, 1], [2, 3], [4]]


def prefetching() -> bool:
    return any(t.name == "prefetch" for t in threading.enumerate())


def test_prefetch_ends_its_thread():
    items = prefetch(iter(range(1000)), 2)
    assert next(items) == 0
    assert prefetching()
    items.close()
    assert not prefetching()


def test_prefetch_hands_errors_on():
    def bad():
        yield 1
        raise ValueError("oh")

    items = prefetch(bad(), 2)
    assert next(items) == 1
    with pytest.raises(ValueError, match="oh"):
        next(items)
    assert not prefetching()


def test_bad_arguments():
    with pytest.raises(ArgumentError, match="batch_size must be at least 1"):
        Dataset(X).batch(0)
    with pytest.raises(DataError, match="x has 5 rows, y has 4 rows"):
        Dataset(X, Y[:4])


def test_validation_split_takes_the_last_rows():
    (x, y, w), (vx, vy, vw) = train_validation_split((X, Y, None), 0.3)
    assert y.tolist() == [0, 1, 2]
    assert vy.tolist() == [3, 4]
    assert len(x) == 3
    assert len(vx) == 2
    assert w is None
    assert vw is None


def test_validation_split_of_nested_data_lists_and_frames():
    frame = pd.DataFrame({"a": Y})
    (x, y, w), (vx, vy, vw) = train_validation_split(
        ({"f": frame, "l": [X, None]}, [0, 1, 2, 3, 4], frame["a"]), 0.2
    )
    assert list(vx["f"]["a"]) == [4]
    assert vx["l"][0].shape == (1, 2)
    assert vx["l"][1] is None
    assert vy == [4]
    assert list(vw) == [4]
    assert len(x["f"]) == len(y) == len(w) == 4


@pytest.mark.parametrize("n, fraction, cut", [(10, 0.1, 9), (3, 0.5, 1), (100, 0.29, 71)])
def test_validation_split_rounds_as_keras(n, fraction, cut):
    assert len(train_validation_split((np.zeros(n), None, None), fraction)[0][0]) == cut


@pytest.mark.parametrize(
    "arrays, fraction, error, said",
    [
        ((X, Y, None), 1.0, ArgumentError, "between 0 and 1, got 1.0"),
        ((X[:1], None, None), 0.5, DataError, "leaves no row for training"),
        ((X, None, None), 1e-20, DataError, "leaves no row for validation"),
        ((X, Y[:3], None), 0.5, DataError, "x has 5 rows, y has 3 rows"),
        ((iter([]), None, None), 0.5, ArgumentTypeError, "needs arrays, not a list_iterator"),
    ],
)
def test_bad_validation_split(arrays, fraction, error, said):
    with pytest.raises(error, match=said):
        train_validation_split(arrays, fraction)


def test_batches_have_the_numpy_of_tensors(device):
    for x, y in Dataset({"a": X}, Y).batch(2).map(lambda x, y: (x, y * 2)).take(1):
        assert type(x["a"].numpy()) is type(y.numpy()) is np.ndarray
        assert x["a"][0].numpy().tolist() == [0, 1] and y.numpy()[1] == 2
        assert type((gpunn.Tensor(x["a"]) * 2).numpy()) is np.ndarray  # tensors have plain arrays
    windows = gpunn.utils.timeseries_dataset_from_array(np.arange(9), np.arange(9), 3)
    for inputs, targets in windows.take(1):
        assert inputs.numpy().shape == (7, 3) and targets.numpy().shape == (7,)


def test_batches_of_strings_too(tmp_path):
    for kind in "ab":
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "text.txt").write_text(f"of {kind}")
    for texts, labels in gpunn.utils.text_dataset_from_directory(tmp_path, shuffle=False).take(1):
        assert texts.numpy()[0] == "of a" and labels.numpy()[1] == 1

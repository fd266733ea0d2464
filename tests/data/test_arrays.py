"""Arrays of every kind become batches; bad ones are refused with their place."""

import warnings

import numpy as np
import pandas as pd
import pytest

import gpunn
from gpunn.backend import Stream
from gpunn.data import array_source, make_batch, make_source
from gpunn.errors import ArgumentError, ArgumentTypeError, DataError, DTypeError, ShapeError
from tests.harness import rand, to_numpy


def batches(source):
    """The batches of one epoch as NumPy arrays of their own."""
    return [tuple(None if p is None else to_numpy(p).copy() for p in b) for b in source.epoch()]


def test_consecutive_batches(device):
    x, y = rand(10, 3), np.arange(10)
    source = make_source(x, y, batch_size=4, device=device)
    got = batches(source)
    assert [len(b[0]) for b in got] == [4, 4, 2]
    assert (source.num_batches, source.num_samples, source.batch_size) == (3, 10, 4)
    np.testing.assert_array_equal(np.concatenate([b[0] for b in got]), x.astype("float32"))
    np.testing.assert_array_equal(np.concatenate([b[1] for b in got]), y)
    assert all(b[2] is None for b in got)
    tensors = next(iter(source.epoch()))
    assert isinstance(tensors[0], gpunn.Tensor)
    assert tensors[0].device == device
    assert tensors[0].dtype == np.float32
    assert tensors[1].dtype == y.dtype


def test_default_batch_size_is_32():
    assert make_source(np.zeros((65, 1))).num_batches == 3


def test_without_targets():
    ((x, y, w),) = batches(make_source(np.ones((2, 2))))
    assert x.shape == (2, 2)
    assert y is None
    assert w is None


@pytest.mark.parametrize("small", [True, False])
def test_shuffled_rows_stay_together(device, small, monkeypatch):
    if not small:
        monkeypatch.setattr(array_source, "SMALL", 0)
    x = np.arange(20.0).reshape(10, 2)
    source = make_source(
        x, x[:, 0], x[:, 1], batch_size=3, shuffle=True, stream=Stream(1, "s"), device=device
    )
    expected = Stream(1, "s")
    for _ in range(3):
        order = expected.permutation(10)
        got = batches(source)
        assert [len(b[0]) for b in got] == [3, 3, 3, 1]
        for part, data in enumerate((x, x[:, 0], x[:, 1])):
            np.testing.assert_array_equal(np.concatenate([b[part] for b in got]), data[order])
    np.testing.assert_array_equal(x, np.arange(20.0).reshape(10, 2))


def test_more_batches_than_views_are_kept(monkeypatch):
    monkeypatch.setattr(array_source, "MOST_VIEWS", 2)
    for shuffle in (False, True):
        got = batches(make_source(np.arange(9.0), batch_size=2, shuffle=shuffle))
        assert sorted(np.concatenate([b[0] for b in got])) == list(range(9))


def test_large_data_stay_on_the_host_until_their_batch(device, monkeypatch):
    monkeypatch.setattr(array_source, "ON_GPU", 0)
    monkeypatch.setattr(array_source, "SMALL", 0)
    x = rand(7, 2).astype("float32")
    for shuffle in (False, True):
        source = make_source(x, batch_size=3, shuffle=shuffle, device=device)
        assert all(isinstance(a, np.ndarray) for a in source._arrays)
        got = [b[0] for b in source.epoch()]
        assert all(t.device == device for t in got)
        assert sorted(np.concatenate([t.numpy() for t in got])[:, 0]) == sorted(x[:, 0])


def test_arrays_of_the_device_are_taken_as_they_are(device):
    be = gpunn.backend.get_backend(device)
    x = be.asarray(rand(6, 2).astype("float32"))
    ((t, _, _),) = make_source(x, batch_size=6, device=device).epoch()
    assert be.address(t.array) == be.address(x)
    ((t, _, _),) = make_source(gpunn.Tensor(x), batch_size=6, device=device).epoch()
    assert be.address(t.array) == be.address(x)


def test_arrays_of_a_gpu_for_a_model_on_the_cpu(cuda):
    x = gpunn.Tensor(rand(3, 2), device="cuda")
    ((t, _, _),) = make_source(x, device="cpu").epoch()
    np.testing.assert_array_equal(t.numpy(), rand(3, 2).astype("float32"))


def test_a_batch_does_not_share_its_gradient_with_another_epoch():
    source = make_source(np.ones((2, 2)), shuffle=True)
    first = next(iter(source.epoch()))[0]
    first.requires_grad_()
    assert not next(iter(source.epoch()))[0].requires_grad


def test_a_graph_that_outlives_its_batch_is_refused():
    source = make_source(np.ones((4, 2)), batch_size=2, shuffle=True)
    w = gpunn.Tensor([1.0, 1.0], requires_grad=True)
    loss = (next(iter(source.epoch()))[0] * w).sum()
    next(iter(source.epoch()))  # permutes the rows anew, in the same memory
    with pytest.raises(gpunn.errors.GradientError, match="changed in place"):
        loss.backward()


def test_dtypes():
    def dtypes(x, y=None, **options):
        b = next(iter(make_source(x, y, **options).epoch()))
        return [None if p is None else p.dtype.name for p in b]

    f64, i64, u8 = np.zeros(2), np.zeros(2, "int64"), np.zeros(2, "uint8")
    assert dtypes(f64, f64) == ["float32", "float32", None]
    assert dtypes(f64, i64) == ["float32", "int64", None]
    assert dtypes(f64, i64, dtype="float64") == ["float64", "int64", None]
    assert dtypes(u8, i64) == ["uint8", "int64", None]
    assert dtypes(u8, u8, x_dtype="float32") == ["float32", "uint8", None]
    assert dtypes(np.zeros(2, bool), x_dtype="float32")[0] == "float32"
    assert dtypes(f64.astype("float16"))[0] == "float32"
    assert dtypes(f64, i64, sample_weight=i64) == ["float32", "int64", "float32"]
    assert dtypes(np.zeros(2, ">f4"))[0] == "float32"
    assert next(iter(make_source(np.ones(2, ">i4")).epoch()))[0].tolist() == [1, 1]
    assert dtypes([[1.0, 2.0], [3.0, 4.0]], [0, 1]) == ["float32", "int32", None]
    assert dtypes(range(3))[0] == "int32"


def test_lists_of_numpy_scalars_are_one_array():
    ((x, y, _),) = batches(make_source([[1.0], [2.0]], [np.int64(0), np.int64(1)]))
    assert x.shape == (2, 1)
    assert y.tolist() == [0, 1]


def test_pandas():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3, 4], "c": [True, False]})
    ((x, y, w),) = batches(make_source(frame, frame["b"], frame["a"]))
    np.testing.assert_array_equal(x, [[1, 3, 1], [2, 4, 0]])
    assert x.dtype == np.float32
    assert y.tolist() == [3, 4]
    assert w.tolist() == [1, 2]
    assert batches(make_source(frame["a"]))[0][0].shape == (2, 1)


def test_nested_inputs_and_outputs(device):
    x = {"a": rand(4, 2), "b": [np.arange(4), None]}
    y = (np.arange(4), rand(4, 1))
    source = make_source(x, y, batch_size=3, device=device, sample_weight=np.ones(4))
    for bx, by, bw in source.epoch():
        assert set(bx) == {"a", "b"}
        assert isinstance(bx["b"], list)
        assert bx["b"][1] is None
        assert isinstance(by, tuple)
        assert [t.shape for t in bw] == [by[0].shape, by[0].shape]
    weights = {"p": np.ones(4), "q": np.zeros(4)}
    b = next(iter(make_source(x, {"p": y[0], "q": y[1]}, weights).epoch()))
    assert b[2]["q"].tolist() == [0, 0, 0, 0]
    with pytest.raises(ArgumentError, match=r"y has \['p'\], sample_weight \['z'\]"):
        make_source(x, {"p": y[0]}, {"z": y[0]})


def test_steps_make_the_batch_size():
    source = make_source(np.zeros(10), steps=4)
    assert (source.batch_size, source.num_batches) == (3, 4)


def test_epochs_of_steps_go_on_in_the_data():
    source = make_source(np.arange(10), batch_size=2, steps=3)
    assert source.num_batches == 3
    assert [b[0].tolist() for b in batches(source)] == [[0, 1], [2, 3], [4, 5]]
    with pytest.warns(UserWarning, match="after 2 of 3 batches"):
        assert [b[0].tolist() for b in batches(source)] == [[6, 7], [8, 9]]
    assert batches(source)[0][0].tolist() == [0, 1]
    source.reset()
    assert batches(source)[0][0].tolist() == [0, 1]


def test_a_pass_that_ends_with_an_epoch_needs_no_warning():
    source = make_source(np.arange(8), batch_size=2, steps=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = [b[0].tolist() for _ in range(4) for b in batches(source)]
    assert seen == [[0, 1], [2, 3], [4, 5], [6, 7]] * 2


def test_an_epoch_that_was_left_starts_anew():
    source = make_source(np.arange(6), batch_size=2)
    assert next(iter(source.epoch()))[0].tolist() == [0, 1]
    assert len(batches(source)) == 3


@pytest.mark.parametrize(
    "x, y, options, error, said",
    [
        (rand(3, 2), rand(4), {}, DataError, "x has 3 rows, y has 4 rows"),
        ({"a": rand(3), "b": rand(2)}, None, {}, DataError, r"x\['a'\] has 3 rows, x\['b'\] has 2"),
        ([rand(3), rand(3)], rand(2), {}, DataError, "numpy.stack"),
        (rand(3), None, {"sample_weight": rand(2)}, DataError, "sample_weight has 2 rows"),
        (np.zeros((0, 4)), None, {}, DataError, r"x is empty: its shape is \(0, 4\)"),
        (np.zeros((4, 0)), None, {}, DataError, r"x is empty"),
        ([], None, {}, DataError, "x is empty"),
        ({}, None, {}, DataError, "x holds no array"),
        (1.0, None, {}, ShapeError, "x is a single number"),
        (np.float64(1), None, {}, ShapeError, "x is a single number"),
        (rand(3), np.array(1), {}, ShapeError, "y is a single number"),
        (np.array([["a", "b"]]), None, {}, DTypeError, "x: expected numbers, got dtype <U1"),
        (np.array([[1, "b"], [2, 3]], object), None, {}, DTypeError, "no numbers in column 1"),
        (np.array([[1, 2]], object), None, {}, DTypeError, r"astype\('float32'\)"),
        (pd.DataFrame({"n": [1], "s": ["x"]}), None, {}, DTypeError, "x: .*not numbers: s"),
        (np.zeros(2, complex), None, {}, DTypeError, "complex128"),
        (np.zeros(2, "datetime64[s]"), None, {}, DTypeError, "datetime64"),
        ([[1, 2], [3]], None, {}, DataError, "x: cannot make an array"),
        ("data.csv", None, {}, ArgumentTypeError, "the string 'data.csv'"),
        (None, None, {}, ArgumentError, "x is missing"),
        (rand(3), None, {"batch_size": 0}, ArgumentError, "batch_size must be at least 1, got 0"),
        (rand(3), None, {"batch_size": 1.5}, ArgumentTypeError, "batch_size must be a whole"),
        (rand(3), None, {"steps": -1}, ArgumentError, "steps must be at least 1"),
    ],
)
def test_bad_data(x, y, options, error, said):
    with pytest.raises(error, match=said):
        make_source(x, y, **options)


def test_sparse_matrices_are_refused():
    from scipy.sparse import csr_matrix

    with pytest.raises(DTypeError, match=r"x is a sparse matrix: give x.toarray\(\)"):
        make_source(csr_matrix(np.eye(2)))


def test_values_that_are_not_finite(device):
    x = rand(5, 3)
    x[3, 1] = np.nan
    x[4, 0] = np.inf
    with pytest.raises(DataError, match=r"x holds 2 values .* first is nan in row 3, column 1"):
        make_source(x, device=device)
    with pytest.raises(DataError, match="x holds 2 values"):
        make_source(gpunn.Tensor(x, dtype="float32", device=device), device=device)
    with pytest.raises(DataError, match=r"y holds 1 value .* -inf in row 2"):
        make_source(rand(3, 1), [0.0, 1.0, -np.inf], device=device)
    with pytest.raises(DataError, match=r"sample_weight holds .* nan in row 0"):
        make_source(rand(2, 1), None, [np.nan, 1], device=device)
    with pytest.raises(DataError, match=r"row 0, at \(1, 0\) of it"):
        make_source(np.array([[[1.0], [np.nan]]]), device=device)
    assert make_source(x, check_finite=False, device=device).num_samples == 5


def test_values_too_large_for_the_dtype():
    with pytest.raises(DataError, match=r"1e\+300 \(too large for float32\) in row 1, column 0"):
        make_source([[0.0], [1.0]] * np.array([[1.0], [1e300]]))


def test_finite_values_whose_sum_overflows():
    x = np.full(8, 3e38, "float32")
    assert make_source(x).num_samples == 8
    assert make_source(x.astype("float64") * 2, dtype="float64").num_samples == 8


def test_columns_of_a_data_frame_are_named():
    frame = pd.DataFrame({"age": [1.0, 2.0], "height": [1.0, np.nan]})
    with pytest.raises(DataError, match=r"row 1, column 1 \('height'\)"):
        make_source(frame)
    with pytest.raises(DataError, match=r"x\['f'\] holds 1 value"):
        make_source({"f": frame})


def test_memmaps_are_plain_arrays(tmp_path):
    m = np.memmap(tmp_path / "x", "float32", "w+", shape=(4, 2))
    assert type(next(iter(make_source(m).epoch()))[0].array) is np.ndarray


def test_one_batch(device):
    x, y, w = make_batch({"a": rand(3, 2), "b": [[1], [2], [3]]}, np.arange(3), device=device)
    assert x["a"].device == y.device == device
    assert (x["a"].dtype, x["b"].dtype, w) == (np.float32, np.int32, None)
    assert make_batch(np.ones((2, 1), "uint8"), x_dtype="float32")[0].dtype == np.float32
    with pytest.raises(DataError, match="x has 2 rows, y has 3 rows"):
        make_batch(rand(2, 1), rand(3))

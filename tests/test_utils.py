"""Small helpers, as in keras.utils."""

import random

import numpy as np
import pytest

import gpunn
from gpunn import utils
from gpunn.errors import ArgumentError, ArgumentTypeError, ShapeError


def test_to_categorical():
    assert utils.to_categorical([[0], [2]]).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert utils.to_categorical([1], 4).dtype == "float64"
    assert utils.to_categorical(np.zeros((2, 3), int), 2).shape == (2, 3, 2)
    assert utils.to_categorical(gpunn.Tensor([[1]]), 2).tolist() == [[0, 1]]
    for bad in ([-1], [5]):
        with pytest.raises(ArgumentError, match="from 0 to 2"):
            utils.to_categorical(bad, 3)


def test_normalize():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert utils.normalize(x).tolist() == [[0.6, 0.8], [0, 0]]
    assert utils.normalize(x, axis=0, order=1)[0].tolist() == [1, 1]
    assert np.allclose(utils.normalize(gpunn.Tensor(x)).numpy(), utils.normalize(x))


def test_pad_sequences():
    ragged = [[1], [2, 3, 4], [], [5, 6]]
    y = utils.pad_sequences(ragged)
    assert y.dtype == "int32" and y.tolist() == [[0, 0, 1], [2, 3, 4], [0, 0, 0], [0, 5, 6]]
    y = utils.pad_sequences(ragged, padding="post", value=-1, dtype="float32")
    assert y.dtype == "float32" and y.tolist() == [[1, -1, -1], [2, 3, 4], [-1] * 3, [5, 6, -1]]
    assert utils.pad_sequences(ragged, maxlen=2).tolist() == [[0, 1], [3, 4], [0, 0], [5, 6]]
    post = utils.pad_sequences(ragged, maxlen=2, truncating="post", padding="post")
    assert post.tolist() == [[1, 0], [2, 3], [0, 0], [5, 6]]
    rows = utils.pad_sequences([np.ones((2, 3)), np.ones((1, 3))], dtype="float64")
    assert rows.shape == (2, 2, 3) and rows[1].tolist() == [[0] * 3, [1] * 3]
    words = utils.pad_sequences([["a"], ["b", "c"]], dtype=object, value="-")
    assert words.tolist() == [["-", "a"], ["b", "c"]]
    for options in ({"padding": "both"}, {"truncating": "no"}, {"value": "-"}):
        with pytest.raises(ArgumentError, match="pad_sequences"):
            utils.pad_sequences(ragged, **options)
    for bad in (3, [1, 2]):
        with pytest.raises(ArgumentError, match="sequences"):
            utils.pad_sequences(bad)
    with pytest.raises(ShapeError, match="at 1"):
        utils.pad_sequences([np.ones((2, 3)), np.ones((2, 2))])


def test_timeseries_dataset_from_array():
    series, targets = np.arange(20.0).reshape(10, 2), np.arange(10)
    windows = utils.timeseries_dataset_from_array(
        series, targets, 3, sequence_stride=2, sampling_rate=2, batch_size=2
    )
    batches = list(windows)
    assert len(windows) == len(batches) == 2
    x, y = batches[0]
    assert x[..., 0].tolist() == [[0, 4, 8], [4, 8, 12]] and y.tolist() == [0, 2]
    assert batches[1][1].tolist() == [4]
    part = utils.timeseries_dataset_from_array(series, None, 2, start_index=4, end_index=7)
    assert [x[..., 0].tolist() for x in part] == [[[8, 10], [10, 12]]]
    single = utils.timeseries_dataset_from_array(series, targets, 3, batch_size=None)
    assert len(single) == 8 and [int(y) for _, y in single] == list(range(8))
    assert {x.shape for x, _ in single} == {(3, 2)}
    options = {"shuffle": True, "seed": 1, "batch_size": 9}
    mixed = utils.timeseries_dataset_from_array(series, targets, 2, **options)
    (x, y), again = next(iter(mixed)), [next(iter(mixed))[1].tolist() for _ in range(3)]
    assert (x[:, 0, 0] == 2 * y).all() and sorted(y.tolist()) == list(range(9))
    assert y.tolist() != sorted(y.tolist()) and again[0] != again[1]
    model = gpunn.Sequential([gpunn.layers.Flatten(), gpunn.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert len(model.fit(mixed, epochs=2, verbose=0).history["loss"]) == 2
    for bad in ({"sequence_length": 0}, {"sequence_length": 11}, {"sampling_rate": -1},
                {"start_index": -1}, {"end_index": 11}, {"start_index": 5, "end_index": 5},
                {"format": "x"}):  # fmt: skip
        with pytest.raises(ArgumentError, match="timeseries_dataset_from_array"):
            utils.timeseries_dataset_from_array(series, targets, **{"sequence_length": 2, **bad})


def test_registered_objects():
    @utils.register_keras_serializable("here")
    def thing(x):
        return x

    assert utils.get_custom_objects()["here>thing"] is thing
    assert utils.get_registered_object("here>thing") is thing
    assert utils.get_registered_object("other", {"other": thing}) is thing
    assert utils.get_registered_object("other", None, {"other": thing}) is thing
    assert gpunn.saving.get_registered_object("other") is None
    assert utils.standardize_dtype("int64") == "int64"


def test_set_random_seed():
    def draw():
        utils.set_random_seed(3)
        old = np.random.rand()  # noqa: NPY002
        return random.random(), old, gpunn.random.normal((2,)).tolist()

    assert draw() == draw()
    with pytest.raises(ArgumentError, match="0 to 2"):
        utils.set_random_seed(-1)


def test_source_inputs_of_what_is_not_symbolic():
    with pytest.raises(ArgumentTypeError, match="symbolic tensor"):
        gpunn.utils.get_source_inputs(np.ones(3))


def test_progress_goes_to_the_log(capsys, caplog):
    model = gpunn.Sequential([gpunn.Input((2,)), gpunn.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 2))
    assert gpunn.utils.is_interactive_logging_enabled()
    gpunn.utils.disable_interactive_logging()
    try:
        with caplog.at_level("INFO", "gpunn"):
            model.fit(x, x[:, :1], epochs=2, verbose=1)
            model.fit(x, x[:, :1], verbose=0)
    finally:
        gpunn.config.enable_interactive_logging()
    assert not capsys.readouterr().out
    lines = [r.message for r in caplog.records if r.message.startswith("Epoch")]
    assert [line[:9] for line in lines] == ["Epoch 1/2", "Epoch 2/2"] and "loss: " in lines[0]
    model.fit(x, x[:, :1], verbose=2)
    assert capsys.readouterr().out.startswith("Epoch 1/1")


def test_names_of_keras_backend():
    backend = gpunn.backend
    assert backend.backend() == gpunn.config.backend() == "gpunn"
    assert backend.result_type("int32", "float16") == "float16"
    assert backend.result_type("uint8", int) == "uint8" and backend.result_type(float) == "float32"
    assert backend.is_int_dtype("int64") and not backend.is_int_dtype("float32")
    assert backend.is_float_dtype("bfloat16") and not backend.is_float_dtype("bool")
    assert backend.standardize_dtype(None) == "float32"
    gpunn.layers.Dense(1)
    backend.clear_session()
    assert gpunn.layers.Dense(1).name == "dense"
    assert not gpunn.config.is_traceback_filtering_enabled()
    gpunn.config.disable_traceback_filtering()
    assert gpunn.FloatDTypePolicy("float16") == gpunn.DTypePolicy("float16")


def test_weights_by_functions(tmp_path):
    model, other = (gpunn.Sequential([gpunn.Input((2,)), gpunn.layers.Dense(1)]) for _ in range(2))
    path = tmp_path / "a.weights.h5"
    gpunn.saving.save_weights(model, path)
    gpunn.saving.load_weights(other, path)
    np.testing.assert_array_equal(model.get_weights()[0], other.get_weights()[0])
    with pytest.raises(FileExistsError):
        gpunn.saving.save_weights(model, path, overwrite=False)


def test_smart_resize(device):
    resize = gpunn.preprocessing.image.smart_resize
    x = np.random.RandomState(0).rand(2, 30, 40, 3).astype("float32")
    expected = gpunn.ops.image.resize(x[:, :, 5:35], (15, 15)).numpy()
    np.testing.assert_allclose(resize(x, (15, 15)), expected, rtol=1e-6)
    y = resize(gpunn.Tensor(x[0], device=device), [15, 15])
    assert y.device == device
    np.testing.assert_allclose(y.numpy(), expected[0], rtol=1e-5)
    first = resize(np.moveaxis(x, -1, 1), (15, 15), "nearest", "channels_first")
    assert first.shape == (2, 3, 15, 15)
    with pytest.raises(ValueError, match="axes"):
        resize(x[0, 0], (2, 2))

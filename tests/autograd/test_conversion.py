"""What can become a tensor: without a copy where that is promised, and what is refused."""

import mmap

import numpy as np
import pandas as pd
import pytest

import gpunn
from gpunn.autograd import cast, convert
from gpunn.errors import DataError, DeviceError, DTypeError


class Exporter:
    """An array of another library: it has DLPack and nothing else."""

    def __init__(self, array, device=None):
        self.array = array
        self.device = device

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device or self.array.__dlpack_device__()


def same_memory(tensor, array):
    return (
        gpunn.backend.backend_of(tensor.array).address(tensor.array)[0]
        == (array.__array_interface__["data"][0])
    )


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "int32", "int64", "uint8", "bool"]
)
def test_numpy_is_not_copied(dtype):
    for array in (np.ones((3, 2), dtype), np.ones((4, 6), dtype)[::2, 1::2].T):
        t = gpunn.Tensor(array)
        assert t.array is array and t.dtype == dtype and t.numpy() is array
        assert convert(t) is t


def test_dlpack_is_not_copied():
    array = np.arange(6.0, dtype="float32").reshape(2, 3)
    t = gpunn.Tensor(Exporter(array))
    assert same_memory(t, array) and t.shape == (2, 3)
    array[0, 0] = 7
    assert t.numpy()[0, 0] == 7
    assert same_memory(gpunn.Tensor(Exporter(array.T)), array)


def test_dlpack_of_a_read_only_array():
    array = np.ones(3, "float32")
    array.flags.writeable = False
    assert gpunn.Tensor(Exporter(array)).numpy().tolist() == [1, 1, 1]


def test_dlpack_of_another_machine_is_refused():
    with pytest.raises(DeviceError, match="DLPack kind 10: expected host or CUDA memory"):
        gpunn.Tensor(Exporter(np.ones(3), device=(10, 0)))


def test_tensors_give_dlpack_and_array():
    t = gpunn.Tensor([1.0, 2.0])
    assert np.from_dlpack(t).tolist() == [1, 2] and same_memory(t, np.from_dlpack(t))
    assert np.asarray(t) is t.array and np.array(t) is not t.array
    assert np.asarray(t, "int32").dtype == np.int32 and np.array(t, copy=True) is not t.array
    assert not hasattr(t, "__cuda_array_interface__")


def test_cupy_is_not_copied(cuda):
    import cupy

    array = cupy.arange(6.0).reshape(2, 3)
    for given in (array, Exporter(array)):
        t = gpunn.Tensor(given)
        assert t.device == "cuda" and t.array.data.ptr == array.data.ptr

    class Interface:
        __cuda_array_interface__ = array.__cuda_array_interface__

    assert gpunn.Tensor(Interface()).array.data.ptr == array.data.ptr
    t = gpunn.Tensor(array)
    assert cupy.asarray(t).data.ptr == array.data.ptr
    assert cupy.from_dlpack(t).data.ptr == array.data.ptr
    assert t.cpu().numpy().tolist() == np.asarray(t).tolist() == array.get().tolist()
    with gpunn.device("cuda"):
        assert gpunn.Tensor([1.0]).device == "cuda"


def test_arrays_that_only_look_like_numpys():
    mapped = np.frombuffer(mmap.mmap(-1, 32), "float32")
    for array in (mapped, np.ones(4, "float32").view(np.recarray)):
        t = gpunn.Tensor(array)
        assert type(t.array) is np.ndarray and same_memory(t, np.asarray(array))


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float32"),
        (2, "int32"),
        (True, "bool"),
        ([1.0, 2.0], "float32"),
        ((1, 2), "int32"),
        ([[1, 2.5]], "float32"),
        ([True, False], "bool"),
        (range(3), "int32"),
        ([2**40], "int64"),
        ([], "float32"),
        ([[], []], "float32"),
        (np.float64(1.5), "float64"),
        (np.int8(1), "int8"),
        ([np.float64(1.5)], "float32"),
    ],
)
def test_lists_and_scalars(data, dtype, device):
    t = gpunn.Tensor(data)
    assert t.dtype == dtype and t.shape == np.shape(data) and t.device == device
    assert t.tolist() == (data.tolist() if hasattr(data, "tolist") else np.array(data).tolist())


def test_floats_of_lists_are_floatx(device):
    gpunn.backend.set_floatx("float64")
    assert gpunn.Tensor([1.5]).dtype == np.float64 and gpunn.Tensor(1.5).dtype == np.float64
    gpunn.backend.set_floatx("float16")
    assert gpunn.Tensor([1.5]).dtype == np.float16
    with pytest.raises(ValueError, match="floatx must be"):
        gpunn.backend.set_floatx("int32")


def test_dtype_is_asked_for(device):
    for name in ("float16", "float64", "int64", "bool"):
        assert gpunn.Tensor([0.0, 1.0], dtype=name).dtype == name
        assert convert(np.ones(2, "int8"), name).dtype == name
        assert cast([0.0, 1.0], name).dtype == name
    assert gpunn.Tensor([1.7, -1.7]).to("int32").tolist() == [1, -1]
    with pytest.raises(DTypeError, match="unknown dtype 'float31'; known: float16"):
        gpunn.Tensor([1.0], dtype="float31")


def test_pandas(device):
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": [3.0, 4.0]})
    assert gpunn.Tensor(frame).tolist() == [[1.5, 3], [2.5, 4]]
    assert gpunn.Tensor(frame["a"]).dtype == np.float64
    mixed = pd.DataFrame({"a": [1.5], "n": [2], "flag": [True]})
    assert gpunn.Tensor(mixed).tolist() == [[1.5, 2, 1]]
    missing = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [1.0, 2.0]})
    assert np.array_equal(gpunn.Tensor(missing).numpy(), [[1, 1], [np.nan, 2]], equal_nan=True)
    assert np.isnan(gpunn.Tensor(missing["a"]).numpy()[1])
    text = pd.DataFrame({"a": [1.0], "name": ["x"], "kind": pd.Categorical(["u"])})
    with pytest.raises(DTypeError, match=r"columns .* not numbers: name, kind; encode or drop"):
        gpunn.Tensor(text)
    with pytest.raises(DTypeError, match="not numbers: name"):
        gpunn.Tensor(text["name"])


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ("text", DTypeError, "expected numbers, got a str"),
        (["a", "b"], DTypeError, "expected numbers, got a list"),
        (None, DTypeError, "expected numbers, got a NoneType"),
        ({"a": 1}, DTypeError, "expected numbers, got a dict"),
        ([[1.0], [1.0, 2.0]], DataError, "cannot make an array of this list"),
        (np.array(["a"]), DTypeError, "expected numbers, got a ndarray of dtype <U1"),
        (np.array([object()]), DTypeError, "dtype object"),
        (np.zeros(2, [("a", "f4")]), DTypeError, "dtype"),
        (np.array(["2020-01-01"], "M8[D]"), DTypeError, "datetime64"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), DataError, "masked.*filled"),
    ],
)
def test_what_holds_no_numbers_is_refused(data, error, message, device):
    with pytest.raises(error, match=message):
        gpunn.Tensor(data)


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = gpunn.Tensor([1.0, 2.0], dtype="bfloat16", requires_grad=True)
    assert x.dtype == ml_dtypes.bfloat16
    (x * x).sum().backward()
    assert (x * 2.0 + 1).dtype == (2 - x).dtype == ml_dtypes.bfloat16
    assert (x * gpunn.Tensor([1.0, 2.0])).dtype == np.float32
    assert x.grad.dtype == ml_dtypes.bfloat16 and x.grad.to("float32").tolist() == [2, 4]


def test_tensors_of_lists_of_tensors():
    t = gpunn.Tensor([gpunn.Tensor(1.0), gpunn.Tensor(2.0)])
    assert t.tolist() == [1, 2]

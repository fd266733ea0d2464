import copy
import pickle

import numpy as np
import pytest

import gpunn
from gpunn.errors import ArgumentError, DeviceError, DTypeError, ShapeError


def test_what_it_is(device):
    t = gpunn.Tensor([[1.0, 2.0, 3.0]])
    assert (t.shape, t.ndim, t.size, len(t)) == ((1, 3), 2, 3, 1)
    assert t.device == device and t.dtype == np.float32 and t.is_leaf
    assert gpunn.Tensor(t).array is t.array and t.data.array is t.array
    assert t.detach().array is t.array and t.clone().array is not t.array


def test_repr(device):
    where = "" if device == "cpu" else ", device='cuda:0'"
    assert repr(gpunn.Tensor([1.0])) == f"Tensor([1.], shape=(1,), dtype=float32{where})"
    t = gpunn.Tensor([1.0], requires_grad=True)
    assert repr(t).endswith("requires_grad=True)") and f"{t}" == repr(t)
    assert f"{gpunn.Tensor(1.25):.1f}" == "1.2"
    assert repr(gpunn.Variable([1.0], name="w")) == (
        "<Variable path=w, shape=(1,), dtype=float32, value=[1.]>"
    )


def test_one_number(device):
    t = gpunn.Tensor([[2.5]])
    assert (t.item(), float(t), int(t), bool(t), complex(t)) == (2.5, 2.5, 2, True, 2.5 + 0j)
    assert [10, 20, 30][gpunn.Tensor(1)] == 20
    with pytest.raises(DTypeError, match="only integer tensors can be an index"):
        [10, 20][gpunn.Tensor(1.0)]
    many = gpunn.Tensor([1.0, 2.0])
    for read in (many.item, many.__float__, many.__int__, many.__bool__):
        with pytest.raises(ShapeError, match=r"\(2,\)"):
            read()
    for read in (len, iter):
        with pytest.raises(DTypeError, match="0-d"):
            read(gpunn.Tensor(1.0))


def test_iteration_keeps_gradients(device):
    t = gpunn.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    a, b, c = t
    (a * b * c).backward()
    assert t.grad.tolist() == [6, 3, 2]


@pytest.mark.parametrize("copied", [gpunn.Tensor.clone, gpunn.ops.array, gpunn.ops.copy])
def test_copies_keep_gradients(device, copied):
    t = gpunn.Tensor([1.0, 2.0], requires_grad=True)
    y = copied(t * 3)
    assert y.array.base is None
    (y * y).sum().backward()
    assert t.grad.tolist() == [18, 36]
    twice = gpunn.grad(gpunn.grad(lambda x: copied(x) ** 3))
    assert twice(2.0).item() == 12


def test_moving(cuda):
    t = gpunn.Tensor([1.0, 2.0])
    there = t.to("cuda")
    assert there.device == "cuda:0" and there.to("cuda") is there and t.cuda().device == "cuda"
    assert there.cpu().tolist() == [1, 2] and there.to("float64").device == "cuda"
    assert there.to(gpunn.backend.Device("cpu")).device == "cpu"
    with pytest.raises(DeviceError, match="there is no device 7: found 1"):
        t.to("cuda:7")


def test_unknown_devices_are_refused():
    for name in ("gpu7x", "cudas", "cuda:", "cuda:-1", "tpu", "cpu:1", "cpu:"):
        with pytest.raises(ArgumentError, match="unknown device"):
            gpunn.set_device(name)
    assert gpunn.backend.Device.parse("gpu:1") == "cuda:1"
    assert gpunn.backend.Device.parse("GPU:1") == "cuda:1"
    for name in ("cpu:0", "CPU:0", "CPU"):  # as Keras and TensorFlow name it
        with gpunn.device(name):
            assert gpunn.ops.ones(2).device == "cpu"


def test_device_of_the_environment(monkeypatch):
    module = __import__("sys").modules["gpunn.backend.device"]
    monkeypatch.setattr(module, "_default", None)
    monkeypatch.setenv("GPUNN_DEVICE", "cuda:3")
    assert str(gpunn.current_device()) == "cuda:3"
    monkeypatch.setattr(module, "_default", None)
    monkeypatch.setenv("GPUNN_DEVICE", "")
    assert gpunn.current_device() == "cpu"


@pytest.mark.parametrize("make", [gpunn.Tensor, gpunn.Variable])
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))]
)
def test_copies_of_objects(make, copied):
    t = make([1.0, 2.0])
    t.requires_grad = True
    other = copied(t)
    assert type(other) is type(t) and other.tolist() == [1, 2] and other.requires_grad
    (other * other).sum().backward()
    assert other.grad.tolist() == [2, 4] and t.grad is None


# --- Variable ---


def test_variable_of_values_and_of_a_function(device):
    v = gpunn.Variable([1.0, 2.0], name="w", regularizer="l2", constraint="non_neg")
    assert (v.name, v.path, v.regularizer, v.constraint) == ("w", "w", "l2", "non_neg")
    assert v.trainable and v.requires_grad and v.device == device and v.value is v
    made = gpunn.Variable(lambda shape, dtype: np.full(shape, 2, dtype), shape=(2, 3))
    assert made.shape == (2, 3) and made.dtype == np.float32
    with pytest.raises(ArgumentError, match="'variable': an initializer function needs a shape"):
        gpunn.Variable(lambda shape, dtype: np.ones(shape))
    with pytest.raises(ShapeError, match=r"'w': expected values of shape \(3,\), got \(2,\)"):
        gpunn.Variable([1.0, 2.0], shape=(3,), name="w")


def test_variable_owns_its_memory(device):
    array = np.ones(3, "float32")
    v = gpunn.Variable(array)
    w = gpunn.Variable(v)
    v.assign([5.0, 5.0, 5.0])
    assert array.tolist() == [1, 1, 1] and w.tolist() == [1, 1, 1]
    before = v.numpy()
    v.assign([6.0, 6.0, 6.0])
    assert before.tolist() == [5, 5, 5]


def test_variable_assignments(device):
    v = gpunn.Variable([1.0, 2.0])
    memory = v.array
    assert v.assign([3, 4]) is v and v.assign_add([1.0, 1.0]) is v and v.assign_sub(0.5) is v
    assert v.array is memory and v.tolist() == [3.5, 4.5] and v.dtype == np.float32
    v.assign(gpunn.Tensor([1.0, 2.0], dtype="float64"))
    assert v.tolist() == [1, 2] and v.dtype == np.float32
    with pytest.raises(ShapeError, match=r"shape \(2,\), cannot assign shape \(1,\)"):
        v.assign([1.0])
    assert v.tolist() == [1, 2]


def test_trainable_can_be_switched(device):
    v = gpunn.Variable([1.0])
    v.trainable = False
    assert not (v * 2.0).requires_grad
    v.trainable = True
    (v * 2.0).backward()
    assert v.grad.item() == 2
    assert not gpunn.Variable([1]).trainable


def test_gradients_of_a_slot_go_into_it(device):
    v = gpunn.Variable([1.0, 2.0])
    slot = v._grad_slot = gpunn.backend.get_backend().zeros(2, "float32")
    for n in (1, 2):
        (v * 3.0).sum().backward()
        assert v.grad.array is slot and v.grad.tolist() == [3.0 * n] * 2
    v.grad = None
    (v * 3.0).sum().backward()
    assert v.grad.array is slot and v.grad.tolist() == [3.0] * 2


def test_variable_moves_with_its_gradient(cuda):
    v = gpunn.Variable([1.0, 2.0])
    (v * 3.0).sum().backward()
    v.move("cuda")
    assert v.device == v.grad.device == "cuda" and v.grad.tolist() == [3, 3]
    v.move("cpu")
    assert v.device == "cpu" and v.assign([1.0, 2.0]).tolist() == [1, 2]

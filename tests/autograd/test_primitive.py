import inspect

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.autograd import primitives
from gpunn.errors import (
    ArgumentError,
    ArgumentTypeError,
    DeviceError,
    DTypeError,
    GradientError,
    ShapeError,
)


@gpunn.primitive
def scaled_sum(be, a, b=2.0, /, scale=1.0, shift=0.0):
    """scale (a + b) + shift."""
    return (a + b) * scale + shift, lambda dy, needs: (dy * scale, dy * scale)


@gpunn.primitive
def seen_kinds(be, a, b=None, /):
    """Gives back the kinds of its operands."""
    seen_kinds.last = [type(x).__name__ for x in (a, b)], be.name
    return a * 1, None


@gpunn.primitive(promote="same")
def same_dtype(be, a, b, /):
    return a + b, lambda dy, needs: (dy, dy)


@gpunn.primitive(promote="float")
def float_dtype(be, a, b, /):
    return a + b, lambda dy, needs: (dy, dy)


@gpunn.primitive
def joined(be, /, *xs, axis=0):
    y = be.xp.concatenate(xs, axis)

    def pullback(dy, needs):
        parts, start = [], 0
        for x in xs:
            parts.append(dy[start : start + len(x)])
            start += len(x)
        return tuple(parts)

    return y, pullback


def test_operands_and_parameters_by_position_and_name():
    assert scaled_sum([1.0]).numpy() == 3
    assert scaled_sum([1.0], [3.0]).numpy() == 4
    assert scaled_sum(b=[3.0], a=[1.0]).numpy() == 4
    assert scaled_sum([1.0], b=5.0, scale=2.0).numpy() == 12
    assert scaled_sum([1.0], [1.0], 3.0, 1.0).numpy() == 7
    assert str(inspect.signature(scaled_sum)) == "(a, b=2.0, scale=1.0, shift=0.0)"
    assert scaled_sum.__doc__ == "scale (a + b) + shift."
    assert primitives["scaled_sum"] is scaled_sum


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scaled_sum(), "missing 'a'"),
        (lambda: scaled_sum([1.0], [1.0], 1.0, 1.0, 1.0), "got 5 positional arguments"),
        (lambda: scaled_sum([1.0], [1.0], 1.0, scale=1.0), "got 'scale' twice"),
        (lambda: scaled_sum([1.0], [1.0], scal=1.0), "unknown argument of .*'scal'.*'scale'"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ArgumentTypeError, match=message):
        call()


def test_what_a_body_gets(device):
    array = {"cpu": "ndarray", "cuda": "ndarray"}[device]
    name = {"cpu": "cpu", "cuda": "cuda:0"}[device]
    x = gpunn.Tensor([1.0])
    for b, kind in [
        (x, array),
        (2.0, "float"),
        (2, "int"),
        (True, "bool"),
        (None, "NoneType"),
        ([2.0], array),
        ((2.0,), array),
        (np.float32(2), "float"),
        (np.int64(2), "int"),
        (np.ones(1, "float32"), array),
    ]:
        seen_kinds(x, b)
        assert seen_kinds.last == ([array, kind], name), b
    seen_kinds(2.0)
    assert seen_kinds.last == (["ndarray", "NoneType"], name)


@pytest.mark.parametrize(
    ("a", "b", "same", "as_float"),
    [
        ("float32", "float32", "float32", "float32"),
        ("int32", "float32", "float32", "float32"),
        ("float16", "float32", "float32", "float32"),
        ("float64", "float32", "float64", "float64"),
        ("int64", "float16", "float16", "float16"),
        ("int32", "int64", "int64", "float32"),
        ("bool", "bool", "bool", "float32"),
        ("bool", "uint8", "uint8", "float32"),
        ("int32", float, "float32", "float32"),
        ("float16", float, "float16", "float16"),
        ("float64", float, "float64", "float64"),
        ("float32", int, "float32", "float32"),
        ("uint8", int, "uint8", "float32"),
    ],
)
def test_promotion(a, b, same, as_float, device):
    x = np.ones(2, a)
    y = b(1) if isinstance(b, type) else np.ones(2, b)
    for p, q in ((x, y), (y, x)):
        assert same_dtype(p, q).dtype == same
        assert float_dtype(p, q).dtype == as_float


def test_a_promoted_operand_gets_its_gradient_in_its_own_dtype(device):
    x = gpunn.Tensor(np.ones(2, "float16"), requires_grad=True)
    y = gpunn.Tensor(np.ones(2, "float64"), requires_grad=True)
    same_dtype(x, y).sum().backward()
    assert x.grad.dtype == np.float16 and y.grad.dtype == np.float64


def test_any_number_of_operands(device):
    x, y = (gpunn.Tensor([float(i)] * i, requires_grad=True) for i in (1, 2))
    z = joined(x, y, [7.0])
    assert z.numpy().tolist() == [1.0, 2.0, 2.0, 7.0]
    z.backward([1.0, 2.0, 3.0, 4.0])
    assert x.grad.numpy().tolist() == [1.0] and y.grad.numpy().tolist() == [2.0, 3.0]


def bad_pullback(result):
    @gpunn.primitive
    def crooked(be, a, b, /):
        return a + b, lambda dy, needs: result(dy)

    return crooked


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda dy: (dy,), "pullback of crooked gave 1 gradients: expected a tuple of 2"),
        (lambda dy: (dy, dy, dy), "crooked gave 3 gradients"),
        (lambda dy: dy, "crooked gave ndarray: expected a tuple of 2"),
        (lambda dy: [dy, dy], "crooked gave 2 gradients: expected a tuple"),
        (lambda dy: (2.0, dy), "crooked gave a float as a gradient: expected an array"),
        (lambda dy: (gpunn.Tensor(dy), dy), "crooked gave a Tensor as a gradient"),
    ],
)
def test_a_pullback_that_gives_the_wrong_thing_is_named(result, message, device):
    a, b = (gpunn.Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    with pytest.raises(GradientError, match=message):
        bad_pullback(result)(a, b).sum().backward()


@pytest.mark.parametrize("shape", [(3,), (3, 1), (1, 2, 2)])
def test_a_pullback_that_gives_the_wrong_shape_is_named(shape, device):
    a, b = (gpunn.Tensor([[1.0, 2.0]] * 2, requires_grad=True) for _ in range(2))
    xp = gpunn.backend.get_backend(device).xp
    op = bad_pullback(lambda dy: (xp.ones(shape, "float32"), dy))
    if shape == (1, 2, 2):  # fits by broadcasting: summed over the axis too many
        op(a, b).sum().backward()
        assert a.grad.shape == (2, 2)
        return
    with pytest.raises(ShapeError, match=r"pullback of crooked gave a gradient of shape \(3"):
        op(a, b).sum().backward()


def test_none_is_no_gradient(device):
    a, b = (gpunn.Tensor([1.0], requires_grad=True) for _ in range(2))
    bad_pullback(lambda dy: (None, dy))(a, b).backward()
    assert a.grad is None and b.grad.item() == 1


def test_what_numpy_refuses_is_explained(device):
    x, y = gpunn.Tensor([1.0, 2.0]), gpunn.Tensor([1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match=r"add\(float32\[2\], float32\[3\]\): "):
        x + y
    with pytest.raises(ShapeError, match=r"matmul\(float32\[2\], float32\[3\]\)"):
        x @ y


def test_no_array_at_all():
    with pytest.raises(DTypeError, match="expected numbers, got a str"):
        same_dtype("a", [1.0])
    with pytest.raises(DTypeError, match="expected numbers, got a object"):
        same_dtype(object(), [1.0])


def test_primitives_need_operands():
    with pytest.raises(ArgumentError, match="has no operands: write them before a '/'"):

        @gpunn.primitive
        def operandless(be, x):
            return x, None

    with pytest.raises(ArgumentError, match="promote must be"):
        gpunn.primitive(promote="up")


def test_operands_on_different_devices_are_refused(cuda):
    x, y = gpunn.Tensor([1.0], device="cpu"), gpunn.Tensor([1.0], device="cuda")
    with pytest.raises(DeviceError, match=r"add\(\) got .*x1 on cpu, x2 on cuda:0.*\.to\(device\)"):
        ops.add(x, y)
    with pytest.raises(DeviceError, match="joined"):
        joined(y, y, x)
    assert ops.add(y, 1.0).device == "cuda" and ops.add(y, [1.0]).device == "cuda"


def test_numpy_arrays_beside_tensors_of_the_gpu(cuda):
    y = gpunn.Tensor([1.0], device="cuda")
    with pytest.raises(DeviceError, match="x2 on cpu"):
        ops.add(y, np.ones(1, "float32"))
    with gpunn.device("cuda"):
        assert ops.add(y, np.ones(1, "float32")).numpy().tolist() == [2.0]


def test_results_are_arrays_even_when_0d(device):
    y = gpunn.Tensor([1.0, 2.0]).sum()
    assert type(y.array) is gpunn.backend.get_backend().array_type and y.shape == ()


def test_operands_are_left_alone(device):
    x = np.ones(3, "float32")
    t = gpunn.Tensor(x, requires_grad=True)
    ((t * 2.0 + t).sum() * t.sum()).backward()
    assert x.tolist() == [1.0, 1.0, 1.0]


def test_the_signature_is_that_of_the_body_without_its_backend():
    @gpunn.primitive
    def op(be, x, y=2.0, /, axis=-1, *, keep=False):
        return x, None

    @gpunn.primitive
    def several(be, /, *xs, axis=0):
        return xs[0], None

    assert str(inspect.signature(op)) == "(x, y=2.0, axis=-1, *, keep=False)"
    assert str(inspect.signature(several)) == "(*xs, axis=0)"

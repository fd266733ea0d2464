"""Elementwise ops: values and gradients on both devices, against NumPy and SciPy.

Keras' own numbers, for reductions and activations too, are in test_keras_numbers.py.
"""

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentError, DTypeError, ShapeError
from tests.harness import assert_close, check_op, rand

X = rand(3, 4)  # no zeros, no integers: away from every kink
Y = rand(3, 4, seed=1)
ROW, COLUMN = rand(4, seed=2), rand(3, 1, seed=3)
P, Q = rand(3, 4, low=0.3, high=3.0), rand(3, 4, low=0.3, high=3.0, seed=1)
UNIT = rand(3, 4, low=-0.9, high=0.9)

DIFFERENTIABLE = [  # op, operands, reference
    ("add", (X, ROW), np.add),
    ("subtract", (COLUMN, X), np.subtract),
    ("multiply", (X, COLUMN), np.multiply),
    ("divide", (X, Q), np.divide),
    ("true_divide", (ROW, P), np.divide),
    ("divide_no_nan", (X, Q), np.divide),
    ("mod", (X, Q), np.mod),
    ("fmod", (X, Q), np.fmod),
    ("power", (P, Y), np.power),
    ("power", (X, 3), np.power),
    ("power", (P, -0.5), np.power),
    ("negative", (X,), np.negative),
    ("reciprocal", (P,), np.reciprocal),
    ("square", (X,), np.square),
    ("sqrt", (P,), np.sqrt),
    ("rsqrt", (P,), lambda x: 1 / np.sqrt(x)),
    ("cbrt", (X,), np.cbrt),
    ("hypot", (X, Y), np.hypot),
    ("maximum", (X, Y), np.maximum),
    ("minimum", (X, ROW), np.minimum),
    ("fmax", (X, Y), np.fmax),
    ("fmin", (X, Y), np.fmin),
    ("clip", (X, -0.5, 0.8), np.clip),
    ("clip", (X, -np.abs(ROW), np.abs(COLUMN)), np.clip),
    ("absolute", (X,), np.abs),
    ("abs", (X,), np.abs),
    ("fabs", (X,), np.fabs),
    ("exp", (X,), np.exp),
    ("exp2", (X,), np.exp2),
    ("expm1", (X,), np.expm1),
    ("log", (P,), np.log),
    ("log1p", (P,), np.log1p),
    ("log2", (P,), np.log2),
    ("log10", (P,), np.log10),
    ("logaddexp", (X, Y), np.logaddexp),
    ("logaddexp2", (X, COLUMN), np.logaddexp2),
    ("sin", (X,), np.sin),
    ("cos", (X,), np.cos),
    ("tan", (UNIT,), np.tan),
    ("arcsin", (UNIT,), np.arcsin),
    ("arccos", (UNIT,), np.arccos),
    ("arctan", (X,), np.arctan),
    ("arctan2", (X, Y), np.arctan2),
    ("sinc", (X,), np.sinc),
    ("deg2rad", (X,), np.deg2rad),
    ("rad2deg", (X,), np.rad2deg),
    ("sinh", (X,), np.sinh),
    ("cosh", (X,), np.cosh),
    ("tanh", (X,), np.tanh),
    ("arcsinh", (X,), np.arcsinh),
    ("arccosh", (1 + P,), np.arccosh),
    ("arctanh", (UNIT,), np.arctanh),
    ("erf", (X,), scipy.special.erf),
    ("erfc", (X,), scipy.special.erfc),
    ("erfinv", (UNIT,), scipy.special.erfinv),
    ("i0", (X,), scipy.special.i0),
    ("real", (X,), np.real),
    ("conj", (X,), np.conj),
    ("conjugate", (X,), np.conj),
    ("nan_to_num", (X,), np.nan_to_num),
    ("ldexp", (X, np.array([-1, 0, 2, 3], "int32")), np.ldexp),
]
STEPS = [  # of which the gradient is 0
    ("floor_divide", (X, Q), np.floor_divide),
    ("floor", (X,), np.floor),
    ("ceil", (X,), np.ceil),
    ("trunc", (X,), np.trunc),
    ("round", (X,), np.round),
    ("sign", (X,), np.sign),
    ("heaviside", (X, 0.5), np.heaviside),
    ("angle", (X,), np.angle),
]
INTEGERS = np.array([12, -7, 0, 9], "int32")
OTHERS = np.array([5, 3, 2, 6], "int32")
SPECIAL = np.array([1.0, -0.0, -3.0, np.inf, -np.inf, np.nan])
WITHOUT = [  # no gradient at all
    ("imag", (X,), np.imag),
    ("equal", (INTEGERS, OTHERS), np.equal),
    ("not_equal", (X, ROW), np.not_equal),
    ("greater", (X, Y), np.greater),
    ("greater_equal", (X, 0.5), np.greater_equal),
    ("less", (X, Y), np.less),
    ("less_equal", (X, ROW), np.less_equal),
    ("isclose", (X, X + 1e-9), np.isclose),
    ("allclose", (X, X + 1e-9), np.allclose),
    ("isin", (INTEGERS, OTHERS), np.isin),
    ("isnan", (SPECIAL,), np.isnan),
    ("isinf", (SPECIAL,), np.isinf),
    ("isfinite", (SPECIAL,), np.isfinite),
    ("isposinf", (SPECIAL,), np.isposinf),
    ("isneginf", (SPECIAL,), np.isneginf),
    ("isreal", (SPECIAL,), np.isreal),
    ("signbit", (SPECIAL,), np.signbit),
    ("logical_and", (INTEGERS, OTHERS), np.logical_and),
    ("logical_or", (INTEGERS, OTHERS), np.logical_or),
    ("logical_xor", (INTEGERS, OTHERS), np.logical_xor),
    ("logical_not", (INTEGERS,), np.logical_not),
    ("bitwise_and", (INTEGERS, OTHERS), np.bitwise_and),
    ("bitwise_or", (INTEGERS, OTHERS), np.bitwise_or),
    ("bitwise_xor", (INTEGERS, OTHERS), np.bitwise_xor),
    ("bitwise_not", (INTEGERS,), np.invert),
    ("bitwise_invert", (INTEGERS,), np.invert),
    ("bitwise_left_shift", (INTEGERS, 2), np.left_shift),
    ("bitwise_right_shift", (INTEGERS, 2), np.right_shift),
    ("left_shift", (INTEGERS, OTHERS), np.left_shift),
    ("right_shift", (INTEGERS, OTHERS), np.right_shift),
    ("gcd", (INTEGERS, OTHERS), np.gcd),
    ("lcm", (INTEGERS, OTHERS), np.lcm),
]


def names(table):
    return [f"{i}-{case[0]}" for i, case in enumerate(table)]


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=names(DIFFERENTIABLE))
def test_values_and_gradients(case, device):
    name, operands, reference = case
    half_is_coarse = name in ("mod", "fmod", "clip")  # float16 puts elements across the kinks
    dtypes = ("float32", "float64") if half_is_coarse and device == "cpu" else None
    check_op(getattr(ops, name), *operands, reference=reference, device=device, dtypes=dtypes)


@pytest.mark.parametrize("case", STEPS, ids=names(STEPS))
def test_steps_have_gradient_zero(case, device):
    name, operands, reference = case
    dtypes = ("float32", "float64") if device == "cpu" else None
    check_op(getattr(ops, name), *operands, reference=reference, device=device, dtypes=dtypes)


@pytest.mark.parametrize("case", WITHOUT, ids=names(WITHOUT))
def test_values_without_gradient(case, device):
    name, operands, reference = case
    dtypes = ("float32",)
    fn = getattr(ops, name)
    check_op(
        fn, *operands, reference=reference, device=device, dtypes=dtypes, grad=False, twice=False
    )


def test_nextafter(device):
    x = np.array([1.0, 0.0], "float32")
    y = ops.nextafter(gpunn.Tensor(x, device=device), 2.0)
    assert np.array_equal(y.numpy(), np.nextafter(x, np.float32(2)))


BROADCASTING = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3)


@given(BROADCASTING, st.sampled_from(["add", "multiply", "divide", "maximum", "logaddexp"]))
def test_any_shapes_that_broadcast(shapes, op):
    a, b = (rand(*s, low=0.5, seed=i) for i, s in enumerate(shapes.input_shapes))
    x, y = gpunn.Tensor(a, requires_grad=True), gpunn.Tensor(b, requires_grad=True)
    z = getattr(ops, op)(x, y)
    assert z.shape == shapes.result_shape
    assert_close(z, getattr(np, op)(a, b))
    z.backward(np.ones(z.shape))
    for leaf, other in ((x, b), (y, a)):
        stretched = np.broadcast_to(leaf.numpy(), z.shape)
        assert leaf.grad.shape == leaf.shape
        if op == "multiply":
            ratio = z.size / max(stretched.size, 1)
            summed = np.broadcast_to(other, z.shape).sum() * ratio
            assert_close(leaf.grad.numpy().sum(), summed, atol=1e-9)


@pytest.mark.filterwarnings("error")
def test_gradients_stay_finite_where_the_true_value_is(device):
    """0 times an infinite slope is 0, and points without a direction have gradient 0."""
    for op, operands in {
        "sqrt": ([0.0, 4.0],),
        "cbrt": ([0.0, 8.0],),
        "hypot": ([0.0, 3.0], [0.0, 4.0]),
        "arctan2": ([0.0, 1.0], [0.0, 1.0]),
        "power": ([0.0, 2.0], [0.0, 0.0]),
        "logaddexp": ([-np.inf, 1.0], [-np.inf, 2.0]),
        "logaddexp2": ([-np.inf, 1.0], [-np.inf, 2.0]),
        "sinc": ([0.0, 1.0],),
        "divide_no_nan": ([1.0, 1.0], [0.0, 2.0]),
    }.items():
        leaves = [gpunn.Tensor(x, requires_grad=True, device=device) for x in operands]
        y = getattr(ops, op)(*leaves)
        y.backward([0.0, 1.0])
        for leaf in leaves:
            assert np.isfinite(leaf.grad.numpy()).all(), (op, leaf.grad)


def test_infinite_operands_of_logaddexp(device):
    x = gpunn.Tensor([np.inf, np.inf, -np.inf, 1.0], device=device)
    y = gpunn.Tensor([np.inf, 1.0, -np.inf, -np.inf], device=device)
    expected = np.array([np.inf, np.inf, -np.inf, 1.0], "float32")
    assert np.array_equal(ops.logaddexp(x, y).numpy(), expected)


def test_scalars_stay_weak(device):
    half = gpunn.Tensor(np.ones(2, "float16"), device=device)
    whole = gpunn.Tensor(np.ones(2, "int32"), device=device)
    assert ops.add(half, 2.5).dtype == "float16"
    assert ops.multiply(2, half).dtype == "float16"
    assert ops.add(whole, 2).dtype == "int32"
    assert ops.add(whole, 2.5).dtype == "float32"
    assert ops.maximum(whole, 0.5).dtype == "float32"


BAD = [  # op, operands, error, words of its message
    ("add", (np.ones(2), np.ones(3)), ShapeError, ["add", "2", "3"]),
    ("subtract", (np.array([True]), np.array([True])), DTypeError, ["subtract", "bool"]),
    ("negative", (np.array([True]),), DTypeError, ["negative", "bool"]),
    ("sign", (np.array([True]),), DTypeError, ["sign", "bool"]),
    ("power", (np.array([2], "int32"), -1), ArgumentError, ["power", "int32", "-1"]),
    ("clip", (np.ones(2), None, None), ArgumentError, ["clip", "None"]),
    ("gcd", (np.array([1.5]), np.array([2])), DTypeError, ["gcd", "integers", "float64"]),
    ("lcm", (np.array([1.5]), np.array([2])), DTypeError, ["lcm", "integers"]),
    ("ldexp", (np.array([1.5]), np.array([2.0])), DTypeError, ["ldexp", "integer", "float64"]),
    ("bitwise_and", (np.array([1.5]), np.array([2])), DTypeError, ["bitwise_and"]),
    ("bitwise_not", (np.array([1.5]),), DTypeError, ["bitwise_invert"]),
    ("left_shift", (np.array([1.5]), 1), DTypeError, ["shift"]),
    ("maximum", (np.ones((2, 3)), np.ones((3, 2))), ShapeError, ["maximum", "(2,3)"]),
]


@pytest.mark.parametrize("case", BAD, ids=names(BAD))
def test_bad_input(case, device):
    name, operands, error, words = case
    given_ = [gpunn.Tensor(x, device=device) if isinstance(x, np.ndarray) else x for x in operands]
    with pytest.raises(error) as caught:
        getattr(ops, name)(*given_)
    for word in words:
        if device == "cpu" or word != "(2,3)":
            assert word in str(caught.value)


@pytest.mark.parametrize("name", ["logaddexp", "logaddexp2", "nextafter"])
def test_two_bfloat16_make_one(device, name):
    x = gpunn.Tensor([1.0, 2.0], dtype="bfloat16", device=device)
    assert getattr(ops, name)(x, x).dtype == x.dtype


def test_nan_in_bfloat16(device):
    x = gpunn.Tensor([1.0, np.nan, np.inf], dtype="bfloat16", device=device)
    assert ops.nan_to_num(x).dtype == x.dtype and ops.nan_to_num(x)[2].item() > 1e38
    for name in ("nansum", "nanmean", "nanmax", "nanmin", "nanvar", "nanstd", "nanprod"):
        assert getattr(ops, name)(x[:2]).dtype == x.dtype, name


def test_integers_that_become_floats(device):
    x = gpunn.Tensor(np.arange(3, dtype="int8"), device=device)
    assert_close(ops.ldexp(x, x), np.array([0, 2, 8], "float32"))
    assert_close(ops.correlate(x, x), np.array([5], "float32"))
    assert ops.correlate(x, ops.cast(x, "float16")).dtype == "float16"


COMPLEX = np.array([1 + 2j, -3.5, 0.5 - 1j, 2j])


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("name", ["real", "imag", "conj", "conjugate", "angle", "isreal", "exp"])
def test_complex_numbers(name, dtype, device):
    x = COMPLEX.astype(dtype)
    y = getattr(ops, name)(gpunn.Tensor(x, device=device))
    expected = getattr(np, name)(x)
    assert y.dtype == expected.dtype and y.device == device and not y.requires_grad
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_choosing_and_rounding_keep_halves(device, dtype):
    x = gpunn.Tensor([[1.25, -2.75], [0.5, 3.0]], True, dtype=dtype, device=device)
    for f in (lambda x: ops.where(x > 0, x, 1.0), ops.tril, ops.triu, ops.round):
        assert f(x).dtype == dtype
        assert gpunn.grad(lambda x, f=f: ops.sum(f(x)))(x).dtype == dtype

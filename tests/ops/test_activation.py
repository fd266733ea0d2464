"""Activations: values and gradients on both devices, far-out operands, NaN."""

import numpy as np
import pytest
import scipy.special as sp

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentError, ShapeError
from tests.harness import assert_close, check_op, rand

X = rand(4, 6, low=-4, high=4)  # away from the corners at 0, 0.5, 1, 3 and 6
X[0, :3] = 6.5, 3.7, -3.6


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(x))


def hard_sigmoid(x):
    return np.clip(x / 6 + 0.5, 0, 1)


def gelu(x, approximate=True):
    if approximate:
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * sp.ndtr(x)


def glu(x, axis=-1):
    a, b = np.split(x, 2, axis)
    return a * sp.expit(b)


TABLE = [  # op, sets of options, reference
    ("relu", [{}], lambda x: np.maximum(x, 0)),
    ("relu6", [{}], lambda x: np.clip(x, 0, 6)),
    ("leaky_relu", [{}, {"negative_slope": 1.5}, {"negative_slope": 0.0}],
     lambda x, negative_slope=0.2: np.where(x > 0, x, negative_slope * x)),
    ("elu", [{}, {"alpha": 0.5}], elu),
    ("selu", [{}], lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772)),
    ("celu", [{}, {"alpha": 0.5}], lambda x, alpha=1.0: np.where(
        x > 0, x, alpha * np.expm1(x / alpha))),
    ("hard_sigmoid", [{}], hard_sigmoid),
    ("hard_silu", [{}], lambda x: x * hard_sigmoid(x)),
    ("hard_swish", [{}], lambda x: x * hard_sigmoid(x)),
    ("hard_tanh", [{}], lambda x: np.clip(x, -1, 1)),
    ("hard_shrink", [{}, {"threshold": 1.0}],
     lambda x, threshold=0.5: np.where(abs(x) > threshold, x, 0)),
    ("soft_shrink", [{}, {"threshold": 1.0}],
     lambda x, threshold=0.5: np.sign(x) * np.maximum(abs(x) - threshold, 0)),
    ("threshold", [{"threshold": 0.6, "default_value": -3.0}],
     lambda x, threshold, default_value: np.where(x > threshold, x, default_value)),
    ("sparse_plus", [{}], lambda x: np.where(x >= 1, x, np.where(x > -1, (x + 1) ** 2 / 4, 0))),
    ("sparse_sigmoid", [{}], lambda x: np.clip((x + 1) / 2, 0, 1)),
    ("sigmoid", [{}], sp.expit),
    ("log_sigmoid", [{}], sp.log_expit),
    ("softplus", [{}], lambda x: np.logaddexp(x, 0)),
    ("silu", [{}], lambda x: x * sp.expit(x)),
    ("swish", [{}], lambda x: x * sp.expit(x)),
    ("softsign", [{}], lambda x: x / (1 + abs(x))),
    ("squareplus", [{}, {"b": 0.5}], lambda x, b=4: (x + np.sqrt(x * x + b)) / 2),
    ("tanh_shrink", [{}], lambda x: x - np.tanh(x)),
    ("gelu", [{}, {"approximate": False}], gelu),
    ("glu", [{}, {"axis": 0}], glu),
    ("softmax", [{}, {"axis": 0}, {"axis": (0, 1)}], lambda x, axis=-1: sp.softmax(x, axis)),
    ("log_softmax", [{}, {"axis": 0}], lambda x, axis=-1: sp.log_softmax(x, axis)),
]  # fmt: skip
CASES = [
    pytest.param(op, options, reference, id=f"{op}-{options}")
    for op, several, reference in TABLE
    for options in several
]


@pytest.mark.parametrize(("op", "options", "reference"), CASES)
def test_values_and_gradients(op, options, reference, device):
    check_op(
        lambda x: getattr(ops, op)(x, **options),
        X,
        reference=lambda x: reference(x, **options),
        device=device,
    )


def sparsemax(row):
    """The nearest point of the simplex, by bisection for the threshold."""
    low, high = row.min() - 1, row.max()
    for _ in range(200):
        tau = (low + high) / 2
        low, high = (tau, high) if np.maximum(row - tau, 0).sum() > 1 else (low, tau)
    return np.maximum(row - low, 0)


@pytest.mark.parametrize("axis", [-1, 0])
def test_sparsemax(axis, device):
    check_op(
        lambda x: ops.sparsemax(x, axis=axis),
        X,
        reference=lambda x: np.apply_along_axis(sparsemax, axis, x),
        device=device,
    )


FAR = np.array([-1e30, -1e4, -200.0, -89.0, -20.0, 20.0, 89.0, 200.0, 1e4, 1e30])
SATURATING = ["sigmoid", "log_sigmoid", "softplus", "silu", "softsign", "elu", "selu", "celu"]


@pytest.mark.parametrize("op", [*SATURATING, "hard_sigmoid", "hard_tanh", "relu", "relu6"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_far_out_without_overflow(op, dtype, device):
    """Warnings are errors here: nothing overflows on the way to a finite value or gradient."""
    x = gpunn.Tensor(FAR.astype(dtype), requires_grad=True, device=device)
    y = getattr(ops, op)(x)
    reference = {case.values[0]: case.values[2] for case in CASES if not case.values[1]}[op]
    with np.errstate(all="ignore"):
        assert_close(y, reference(FAR))
    ops.sum(y).backward()
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("op", ["tanh", "tanh_shrink", "gelu", "softsign"])
def test_ten_thousand(op, device):
    x = gpunn.Tensor([-1e4, 1e4], requires_grad=True, device=device)
    y = getattr(ops, op)(x)
    ops.sum(y).backward()
    assert np.isfinite(y.numpy()).all() and np.isfinite(x.grad.numpy()).all()


def test_sigmoid_keeps_its_digits_far_below_zero(device):
    x = np.linspace(-80, 20, 101)
    assert_close(ops.sigmoid(gpunn.Tensor(x.astype("float32"), device=device)), sp.expit(x), atol=0)


def test_sigmoid_reaches_zero(device):
    assert ops.sigmoid(gpunn.Tensor([-1000.0], device=device)).item() == 0


def test_softmax_of_huge_and_missing_scores(device):
    scores = [[1e30, 1e30, -np.inf], [-1e4, 0.0, 1e4], [-np.inf, 0.0, 0.0]]
    x = gpunn.Tensor(scores, requires_grad=True, device=device)
    y = ops.softmax(x)
    assert_close(y, [[0.5, 0.5, 0], [0, 0, 1], [0, 0.5, 0.5]])
    ops.sum(y * y).backward()
    assert np.isfinite(x.grad.numpy()).all()
    half = gpunn.Tensor(np.array([[60000.0, 60000.0, 0.0]], "float16"), device=device)
    assert_close(ops.softmax(half), np.array([[0.5, 0.5, 0.0]], "float16"))


@pytest.mark.parametrize("op", sorted({case.values[0] for case in CASES} | {"sparsemax"}))
def test_nan_stays_nan(op, device):
    options = {"threshold": 0.5, "default_value": 0.0} if op == "threshold" else {}
    x = gpunn.Tensor([np.nan, 1.0, -1.0, 0.5], device=device)
    assert np.isnan(getattr(ops, op)(x, **options).numpy()).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", ["relu", "leaky_relu", "elu", "selu", "softplus", "sigmoid", "silu"])
def test_long_arrays(op, dtype, device):
    """On the CPU they are compared with numbers in another way than short ones."""
    x = np.resize([*FAR, *np.linspace(-3, 3, 100), np.nan], (70, 71)).astype(dtype)
    x[0, :2] = np.inf, -np.inf if op != "silu" else 0
    reference = {case.values[0]: case.values[2] for case in CASES if not case.values[1]}[op]
    with np.errstate(all="ignore"):
        assert_close(getattr(ops, op)(gpunn.Tensor(x, device=device)), reference(x))


def test_relu_at_zero_and_of_integers(device):
    x = gpunn.Tensor([-1.0, 0.0, 2.0], requires_grad=True, device=device)
    ops.relu(x).backward([1.0, 1.0, 1.0])
    assert x.grad.numpy().tolist() == [0, 0, 1]
    assert ops.relu(gpunn.Tensor([-1, 2], device=device)).dtype == "int32"


def test_bad_input(device):
    x = gpunn.Tensor(np.ones((2, 3), "float32"), device=device)
    with pytest.raises(ShapeError, match=r"glu.*even.*\(2, 3\)"):
        ops.glu(x)
    with pytest.raises(ShapeError, match="glu"):
        ops.glu(x, axis=4)
    with pytest.raises(ShapeError, match="softmax"):
        ops.softmax(x, axis=2)
    with pytest.raises(ArgumentError, match="alpha"):
        ops.celu(x, alpha=0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("shape", [(), (3, 4)])
@pytest.mark.parametrize("name, options", [(row[0], row[1][0]) for row in TABLE])
def test_halves_stay_halves(device, name, options, shape, dtype):
    if name in ("glu", "softmax", "log_softmax"):  # along an axis
        shape = (3, 4)
    x = gpunn.Tensor(np.full(shape, 0.5), dtype=dtype, device=device)
    assert getattr(ops, name)(x, **options).dtype == x.dtype

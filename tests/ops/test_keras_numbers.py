"""Values, gradients and dtypes of elementwise ops, reductions and activations: those of Keras."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from tests.golden.cases_ops_elementwise import (
    ALL_DTYPES,
    BINARY_DTYPES,
    CASES,
    PAIRS,
    POINTS,
    REDUCTION_DTYPES,
    UNARY_DTYPES,
)
from tests.harness import assert_close, golden

ALL_CASES = {**CASES, **POINTS}
# Where gpunn differs from Keras on purpose. Keras' sparsemax does not sum to 1 if more than one
# element is left: only a case with one is compared.
NOT_KERAS = {label for label in CASES if label.startswith("sparsemax")} | {"sparsemax ties"}
TAKE_INTEGERS_TOO = {"erf", "rsqrt", "normalize"}
SCALARS_STAY_WEAK = {"arctan2", "logaddexp", "logaddexp2"}  # float16 with 2.5 is float16
# Another convention at a corner (PyTorch's: 0), or more exact than Keras.
OTHER_GRADIENT = {"absolute at 0", "sinc near 0", "logaddexp far out"}


def run(label, device, dtype="float64"):
    """The results of a case, and its operands as tensors (the float ones are leaves)."""
    op, operands, options = ALL_CASES[label]
    given = []
    for x in operands:
        if isinstance(x, np.ndarray):
            is_float = x.dtype == np.float64
            x = gpunn.Tensor(x.astype(dtype) if is_float else x, is_float, device=device)
        given.append(x)
    options = {
        name: gpunn.Tensor(v, device=device) if isinstance(v, np.ndarray) else v
        for name, v in options.items()
    }
    with gpunn.device(device):
        results = getattr(ops, op)(*given, **options)
    return results if isinstance(results, tuple) else (results,), given


@pytest.mark.parametrize("label", [k for k in ALL_CASES if k not in NOT_KERAS])
def test_values(label, device):
    op, _, _ = ALL_CASES[label]
    for dtype in ("float64", "float32") if device == "cpu" else ("float32",):
        if op == "nextafter" and dtype == "float32":
            continue  # the next float is another one
        results, _ = run(label, device, dtype)
        for i, y in enumerate(results):
            expected = golden("ops_elementwise")[f"{label}/value{i}"]
            kind = "i" if expected.dtype.kind in "iu" else expected.dtype.kind
            assert y.dtype.kind == kind, f"{y.dtype}, not {expected.dtype}"
            # Keras computes some in float32 whatever comes; float64 is compared with NumPy
            assert_close(y, expected, dtype="float32", atol=1e-30 if op == "erfc" else None)


def with_gradient():
    known = golden("ops_elementwise")
    others = NOT_KERAS | OTHER_GRADIENT | {"imag()"}
    return [k for k in ALL_CASES if f"{k}/gradient0" in known and k not in others]


@pytest.mark.parametrize("label", with_gradient())
def test_gradients(label):
    results, given = run(label, "cpu")
    total = 0
    for y in results:
        if y.requires_grad:
            weights = 1.0 + np.arange(y.size, dtype="float64").reshape(y.shape)
            total = total + (y * weights).sum()
    total.backward()
    leaves = [x for x in given if isinstance(x, gpunn.Tensor) and x.requires_grad]
    for i, leaf in enumerate(leaves):
        expected = golden("ops_elementwise")[f"{label}/gradient{i}"]
        actual = leaf.grad.numpy()
        assert np.isfinite(actual).all()
        expected = np.where(np.isnan(expected), actual, expected)  # Keras has NaN here and there
        assert_close(actual, expected, "gradient", "float32", label=f"operand {i}")


def ones(dtype):
    return gpunn.Tensor(np.ones(2, dtype)) if isinstance(dtype, str) else dtype


def name_of_result(op, *operands):
    try:
        with np.errstate(all="ignore"):
            return getattr(ops, op)(*operands).dtype.name
    except (TypeError, ValueError):
        return "error"


@pytest.mark.parametrize("op", [*UNARY_DTYPES, *REDUCTION_DTYPES])
def test_dtypes(op):
    expected = golden("ops_elementwise")[f"dtypes/{op}"]
    for dtype, wanted in zip(ALL_DTYPES, expected):
        if not (op in TAKE_INTEGERS_TOO and wanted == "error"):
            assert name_of_result(op, ones(dtype)) == wanted, dtype


@pytest.mark.parametrize("op", BINARY_DTYPES)
def test_dtypes_of_pairs(op):
    expected = golden("ops_elementwise")[f"dtypes/{op}"]
    for (a, b), wanted in zip(PAIRS, expected):
        if not (op in SCALARS_STAY_WEAK and a == "float16" and b == 2.5):
            assert name_of_result(op, ones(a), ones(b)) == wanted, (a, b)

"""Values and dtypes of the ops on shapes, positions, order and matrices, against Keras'."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from tests.golden.cases_ops_shape import CASES, INPUTS, run
from tests.harness import assert_close, golden, to_numpy

# CuPy's need cuSOLVER, which the emulated device lacks
LAPACK = {
    *("cholesky", "cholesky_inverse", "det", "inv", "logdet", "slogdet", "solve"),
    *("solve_triangular", "lstsq", "pinv", "matrix_rank", "qr", "svd", "eigh"),
}
# float32 through a factorisation: a few digits less than an elementwise op
LOOSE = LAPACK | {"lu_factor", "norm", "corrcoef", "geomspace", "logspace", "vander"}


def needs_lapack(name, text):
    return name in LAPACK or "'nuc'" in text


@pytest.mark.parametrize("case", CASES)
def test_keras_numbers(case, device):
    name, text = case.split("#")[0], CASES[case]
    if device == "cuda" and needs_lapack(name, text) and not has_cusolver():
        pytest.skip("the emulated device has no cuSOLVER")
    inputs = {key: gpunn.Tensor(x) for key, x in INPUTS.items()}
    results = run(ops, text, inputs)
    expected = [x for key, x in sorted(golden("ops_shape").items()) if key.startswith(case + "/")]
    assert len(results) == len(expected)
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if name in LOOSE else {}
    for number, y in enumerate(results):
        e = golden("ops_shape")[f"{case}/{number}"]
        if isinstance(y, gpunn.Tensor):
            assert y.dtype == e.dtype, f"{text}: {y.dtype}, Keras has {e.dtype}"
            assert y.device == device
        assert_close(to_numpy(y), e, label=text, **(tolerance if e.dtype.kind == "f" else {}))
    for key, x in INPUTS.items():
        assert np.array_equal(inputs[key].numpy(), x), f"{text} changed {key}"


def has_cusolver() -> bool:
    try:
        gpunn.backend.get_backend("cuda").xp.linalg.inv(
            gpunn.Tensor(np.eye(1), device="cuda").array
        )
    except Exception:
        return False
    return True

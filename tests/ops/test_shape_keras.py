"""Values and dtypes of the ops on shapes, positions, order and matrices, against Keras'."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentError, ShapeError
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


def test_unknown_sizes_that_meet_known_ones():
    x = gpunn.KerasTensor((None, None, 3))
    assert (gpunn.KerasTensor((None, 3)) + gpunn.KerasTensor((2, None))).shape == (2, 3)
    assert (x * np.ones((8, 1, 3), "float32")).shape == (8, None, 3)
    assert ops.broadcast_to(gpunn.KerasTensor((3, None)), (2, 3, 3)).shape == (2, 3, 3)
    with pytest.raises(ShapeError, match="broadcast"):
        gpunn.KerasTensor((None, 3)) + gpunn.KerasTensor((None, 4))


def test_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match="reshape: cannot give"):
        ops.reshape(np.zeros(20), (-2, 5))
    with pytest.raises(ShapeError, match="one axis"):
        ops.rfft(np.float32(1))
    for op in (ops.depth_to_space, ops.space_to_depth):
        with pytest.raises(ArgumentError, match="block_size"):
            op(np.zeros((1, 2, 2, 4)), 1)


def test_a_variance_beyond_float16(device):
    x = gpunn.Tensor([-741.0, 353.2, 1099.0, -1807.0], dtype="float16", device=device)
    assert ops.moments(x, 0)[1].item() == 65504

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


SYMBOLIC = gpunn.KerasTensor
SIZES_OF_RESULTS = [
    (lambda x: ops.max_pool(x, 2), [(None, None, None, 3)], (None, None, None, 3)),
    (lambda x: ops.average_pool(x, 7, 5, "same"), [(None, None, 3)], (None, None, 3)),
    (lambda x: ops.rfft(x)[0], [(None, None)], (None, None)),
    (lambda x: ops.array_split(x, 2)[1], [(None, 4)], (None, 4)),
    (lambda x: ops.vsplit(x, [1, 3])[0], [(None, 4)], (1, 4)),
    (lambda x: ops.diagonal(x), [(None, 3, 3)], (3, None)),
    (lambda x: x[:, :5], [(2, None)], (2, None)),
    (lambda x, y: ops.dstack([x, y]), [(None, 3), (None, None)], (None, 3, 2)),
    (lambda x: ops.unique(x, return_index=True)[1], [(None, 4)], (None,)),
    (lambda x: ops.nonzero(x)[0], [(5, 4)], (None,)),
    (lambda x, i: ops.segment_sum(x, ops.cast(i, "int32")), [(10, 4), (10,)], (None, 4)),
    (lambda x, k: ops.conv(x, k), [(2, 10, None), (3, 5, 4)], (2, 8, 4)),
    (lambda x, y: ops.inner(x, y), [(5, None), (4, 3)], (5, 4)),
    (lambda x, y: ops.vstack([x, y]), [(None, 3), (None, None)], (None, 3)),
    (lambda x: ops.unstack(x, 3, axis=1)[2], [(2, None, None)], (2, None)),
    (lambda x: ops.while_loop(lambda x: True, lambda x: x + 1, x), [(None, 2)], (None, 2)),
    (lambda x: ops.while_loop(lambda *s: True, None, [0, x])[0], [(None, 2)], ()),
    (lambda x: ops.meshgrid(x, x)[0], [(None, 3)], (None, None)),
]


@pytest.mark.parametrize(("function", "shapes", "expected"), SIZES_OF_RESULTS)
def test_sizes_that_are_not_known_yet(function, shapes, expected):
    assert function(*map(SYMBOLIC, shapes)).shape == expected


def test_symbolic_tensors_that_do_not_fit():
    with pytest.raises(ArgumentError, match=r"unstack: axis 1 .* give num"):
        ops.unstack(SYMBOLIC((2, None)), axis=1)
    with pytest.raises(ShapeError, match="has size 3, not 4"):
        ops.unstack(SYMBOLIC((2, 3)), 4, axis=1)
    with pytest.raises(ValueError, match="tuple of sizes"):
        SYMBOLIC(3)


def test_a_loop_in_a_model(device):
    x = gpunn.Input((3,))
    y = ops.while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, y * 2), (0, x))[1]
    model = gpunn.Model(x, y)
    given = np.array([[1.0, 2.0, 3.0]], "float32")
    assert_close(model(gpunn.Tensor(given, device=device)), given * 16)


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

"""Linear algebra on the CPU and, where there is cuSOLVER, on CUDA: values and gradients."""

import functools

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentError, GradientError, ShapeError
from tests.harness import assert_close, check_op, rand

A = rand(2, 3, 3) + 2 * np.eye(3)
B = rand(2, 3, 2, seed=1)
TALL, WIDE = rand(4, 3, seed=2), rand(3, 4, seed=3)
SINGULAR = np.array([[1.0, 2, 3], [2, 4, 6], [1, 1, 1]])


@functools.cache
def cusolver_problem() -> str | None:
    try:
        with gpunn.device("cuda"):
            ops.inv(np.eye(2, dtype="float32"))
    except Exception as error:
        return f"no cuSOLVER: {error}"
    return None


@pytest.fixture
def lapack(device):
    """The device, skipped where it has no LAPACK."""
    if device == "cuda" and (problem := cusolver_problem()):
        pytest.skip(problem)
    return device


def symmetric(x):
    return x @ x.swapaxes(-1, -2) + np.eye(x.shape[-1])


def positive(u, *others):
    """Factors whose columns have any sign, with a first row of u that is positive."""
    sign = (lambda x: ops.sign(x.detach())) if isinstance(u, gpunn.Tensor) else np.sign
    signs = sign(u[..., :1, :])
    return (u * signs, *[other * signs for other in others])


def values_and_vectors(eigh, x):
    w, v = eigh(x)
    return (w, *positive(v))


def left_and_right(svd, x, full_matrices=False):
    u, s, vt = svd(x, full_matrices=full_matrices)
    turned = np.swapaxes if isinstance(vt, np.ndarray) else ops.swapaxes
    u, v = positive(u, turned(vt, -1, -2))
    return u, s, v


def solve_lower(a, b):
    return np.linalg.solve(np.tril(a), b)


OPS = {
    "cholesky": (lambda x: ops.cholesky(x), lambda x: np.linalg.cholesky((x + x.mT) / 2),
                 symmetric(A)),
    "cholesky upper": (lambda x: ops.cholesky(x, upper=True),
                       lambda x: np.linalg.cholesky((x + x.mT) / 2).mT, symmetric(A)),
    "cholesky_inverse": (ops.cholesky_inverse,
                         lambda x: np.linalg.inv(np.tril(x) @ np.tril(x).mT), A),
    "det": (ops.det, np.linalg.det, A),
    "det singular": (ops.det, np.linalg.det, SINGULAR),
    "slogdet": (ops.slogdet, lambda x: tuple(np.linalg.slogdet(x)), A),
    "logdet": (ops.logdet, lambda x: np.linalg.slogdet(x)[1], A),
    "inv": (ops.inv, np.linalg.inv, A),
    "solve": (ops.solve, np.linalg.solve, A, B),
    "solve vectors": (ops.solve, lambda a, b: np.linalg.solve(a, b[..., None])[..., 0], A,
                      B[..., 0]),
    "solve broadcast": (ops.solve, np.linalg.solve, A[0], B),
    "solve_triangular": (lambda a, b: ops.solve_triangular(a, b, lower=True), solve_lower, A, B),
    "lstsq": (ops.lstsq, lambda a, b: np.linalg.lstsq(a, b)[0], TALL, rand(4, 2)),
    "lstsq wide": (ops.lstsq, lambda a, b: np.linalg.lstsq(a, b)[0], WIDE, rand(3)),
    "pinv": (ops.pinv, np.linalg.pinv, TALL),
    "pinv wide": (ops.pinv, np.linalg.pinv, WIDE),
    "qr": (ops.qr, lambda x: tuple(np.linalg.qr(x)), TALL),
    "qr wide": (ops.qr, lambda x: tuple(np.linalg.qr(x)), WIDE),
    "svd values": (lambda x: ops.svd(x, compute_uv=False), lambda x: np.linalg.svd(x)[1], WIDE),
    "svd tall": (lambda x: left_and_right(ops.svd, x), lambda x: left_and_right(np.linalg.svd, x),
                 TALL),
    "svd wide": (lambda x: left_and_right(ops.svd, x), lambda x: left_and_right(np.linalg.svd, x),
                 WIDE),
    "svd": (lambda x: left_and_right(ops.svd, x, True),
            lambda x: left_and_right(np.linalg.svd, x, True), A),
    "eigh": (lambda x: values_and_vectors(ops.eigh, x),
             lambda x: values_and_vectors(np.linalg.eigh, (x + x.mT) / 2), A),
    "norm nuc": (lambda x: ops.norm(x, "nuc"), lambda x: np.linalg.norm(x, "nuc"), TALL),
    "norm two": (lambda x: ops.norm(x, 2, (0, 1)), lambda x: np.linalg.norm(x, 2), TALL),
}  # fmt: skip


@pytest.mark.parametrize("name", OPS)
def test_lapack(name, lapack):
    function, reference, *operands = OPS[name]
    check_op(function, *operands, reference=reference, device=lapack, edges=False, twice=False,
             dtypes=("float32", "float64"), rtol=1e-4, atol=1e-5)  # fmt: skip


@pytest.mark.parametrize(
    "shapes", [((3, 3), (2, 3, 2)), ((1, 3, 3), (2, 3, 2)), ((2, 1, 3, 3), (2, 4, 3, 1))]
)
def test_solve_asks_for_what_cupys_takes(monkeypatch, shapes):
    """Its own solver takes matrices that are as many as the right sides."""
    real = np.linalg.solve

    def strict(a, b):
        assert a.shape[:-1] == b.shape[:-1], (a.shape, b.shape)
        return real(a, b)

    monkeypatch.setattr(np.linalg, "solve", strict)
    a, b = (rand(*shape, seed=i) for i, shape in enumerate(shapes))
    a = a + 3 * np.eye(3)
    check_op(ops.solve, a, b, reference=lambda a, b: np.linalg.inv(a) @ b, edges=False,
             dtypes=("float32", "float64"), rtol=1e-4, atol=1e-5)  # fmt: skip


def test_without_gradients(lapack):
    assert ops.matrix_rank(SINGULAR).numpy() == 2
    assert ops.matrix_rank(np.stack([np.eye(3), SINGULAR])).numpy().tolist() == [3, 2]
    w, v = ops.eig(A)
    assert w.dtype == "complex128"
    assert_close(A @ v.numpy(), v.numpy() * w.numpy()[:, None], rtol=1e-9, atol=1e-9)
    u, s, vt = ops.svd(TALL)
    assert (u.shape, s.shape, vt.shape) == ((4, 4), (3,), (3, 3))
    q, r = ops.qr(TALL, mode="complete")
    assert_close(q.numpy() @ r.numpy(), TALL)


@pytest.mark.parametrize("x", [A, TALL, WIDE, SINGULAR], ids=["batch", "tall", "wide", "singular"])
def test_lu_factor_values(x, device):
    lu, pivots = ops.lu_factor(gpunn.Tensor(x))
    lu, pivots = lu.numpy(), pivots.numpy()
    k = min(x.shape[-2:])
    low = np.tril(lu, -1)[..., :k] + np.eye(x.shape[-2], k)
    product = low @ np.triu(lu)[..., :k, :]
    for index in np.ndindex(*x.shape[:-2]):
        rows = x[index].copy()
        for i, p in enumerate(pivots[index]):
            rows[[i, p]] = rows[[p, i]]
        assert_close(product[index], rows)


def test_lu_factor_gradient(lapack):
    check_op(lambda x: ops.lu_factor(x)[0], A, device=lapack, edges=False, dtypes=("float32",),
             rtol=1e-4, atol=1e-5)  # fmt: skip


ORDERS = [None, 2, 1, 3, 0.5, -1, np.inf, -np.inf]


@pytest.mark.parametrize("order", ORDERS)
def test_norm_of_vectors(order, device):
    check_op(lambda x: ops.norm(x, order, 1, keepdims=True), rand(3, 4, 2), device=device,
             reference=lambda x: np.linalg.norm(x, order, 1, keepdims=True), edges=False,
             dtypes=("float32",))  # fmt: skip


@pytest.mark.parametrize("order", [None, "fro", 1, -1, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [(0, 1), (2, 0)])
def test_norm_of_matrices(order, axis, device):
    check_op(lambda x: ops.norm(x, order, axis), rand(3, 4, 2), device=device, edges=False,
             reference=lambda x: np.linalg.norm(x, order, axis), dtypes=("float32",))  # fmt: skip


def test_norm_at_zero_has_a_finite_gradient(device):
    for order in (None, 1, 3):
        x = gpunn.Tensor(np.zeros(3, "float32"), requires_grad=True)
        ops.norm(x, order).backward()
        assert np.isfinite(x.grad.numpy()).all(), order
    assert ops.norm([3, 0, 4], 0).numpy() == 2
    assert ops.norm(3.0).numpy() == 3


def test_refusals():
    for call, error, said in [
        (lambda: ops.inv(SINGULAR * 0), ArgumentError, "inv: singular matrix"),
        (lambda: ops.solve(SINGULAR * 0, B[0]), ArgumentError, "solve: singular matrix"),
        (lambda: ops.cholesky(-np.eye(2)), ArgumentError, "not positive definite"),
        (lambda: ops.det(TALL), ShapeError, "square"),
        (lambda: ops.solve(A, rand(4)), ShapeError, "does not fit b of shape (4,)"),
        (lambda: ops.qr(TALL, "full"), ArgumentError, "unknown qr mode 'full'"),
        (lambda: ops.pinv(rand(3)), ShapeError, "at least 2 dimensions"),
        (lambda: ops.norm(A, 1), ShapeError, "one axis or two"),
        (lambda: ops.norm(A, "nucl", (0, 1)), ArgumentError, "did you mean 'nuc'"),
        (lambda: ops.norm(A, "fro", 0), ArgumentError, "vector norm"),
        (lambda: sum_gradient(lambda x: ops.svd(x)[0], TALL), GradientError, "full_matrices=False"),
        (lambda: sum_gradient(lambda x: ops.qr(x, "complete")[0], TALL), GradientError, "reduced"),
    ]:
        with pytest.raises(error) as caught:
            call()
        assert said in str(caught.value)


def sum_gradient(function, x):
    function(gpunn.Tensor(x, requires_grad=True)).sum().backward()


def test_the_namespace():
    for name in ops.linalg.__all__:
        assert getattr(ops.linalg, name) is getattr(ops, name)


@pytest.mark.parametrize("name", ["inv", "cholesky", "solve", "solve_triangular", "det"])
def test_symbolic_matrices_are_regular(name):
    x = gpunn.KerasTensor((None, 3, 3))
    operands = (x, x) if name.startswith("solve") else (x,)
    y = getattr(ops, name)(*operands)
    assert y.shape == ((None,) if name == "det" else (None, 3, 3))

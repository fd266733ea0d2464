"""Gradients that come as several terms to a kernel that adds them up, beside their references."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.backend import kernels
from gpunn.ops.normalizers import group_normalization
from tests.harness import assert_close

NORMS = {
    "layer": lambda x, gamma, beta: ops.layer_normalization(x, gamma, beta, epsilon=1e-3),
    "rms": lambda x, gamma, beta: ops.rms_normalization(x, gamma),
    "groups": lambda x, gamma, beta: group_normalization(x, gamma, beta, 2),
}
USES = {
    "once": lambda x, y: y,
    "twice": lambda x, y: y + ops.tanh(y),
    "as often as a kernel takes": lambda x, y: y + ops.tanh(y) + ops.sin(y) + y * y,
    "more often": lambda x, y: sum([y * (1 / k) for k in range(2, 9)]) + y,
    "stretched": lambda x, y: (y * np.arange(1.0, 4).reshape(3, 1, 1).astype("float32")).sum(0),
    "stretched far": lambda x, y: (y * np.ones((9, 1, 1), "float32")).sum(0) + y,
    "stretched to nothing": lambda x, y: (y * np.ones((0, 1, 1), "float32")).sum(0) + y,
    "residual": lambda x, y: x + ops.tanh(y),
    "all": lambda x, y: x * 3 + ops.tanh(y) + y + (y * np.ones((2, 1, 1), "float32")).sum(0),
}


def gradients(norm, use, dtype, shape, through=False):
    """What a loss that uses a normalization's operand and result has for gradients."""
    rng = np.random.default_rng(0)
    leaf = gpunn.Tensor(rng.normal(0, 2, shape), dtype=dtype, requires_grad=True)
    gamma, beta = (
        gpunn.Tensor(rng.normal(1, 1, shape[-1]), dtype=dtype, requires_grad=True) for _ in "ab"
    )
    x = ops.tanh(leaf) * 2
    y = norm(norm(x, gamma, beta), gamma, beta) if through else norm(x, gamma, beta)
    weights = gpunn.Tensor(rng.normal(size=shape), dtype=dtype)
    (use(x, y).astype(dtype) * weights).sum().backward()
    return [t.grad for t in (leaf, gamma, beta) if t.grad is not None]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("norm", NORMS)
def test_terms(norm, use, dtype, cuda):
    for shape, through in (((6, 8), False), ((3, 4), True), ((5, 258), False)):
        with gpunn.device("cuda"):
            found = gradients(NORMS[norm], USES[use], dtype, shape, through)
            with kernels.reference_only():
                expected = gradients(NORMS[norm], USES[use], dtype, shape, through)
        assert len(found) >= 2
        for dx, e in zip(found, expected, strict=True):
            assert_close(dx, e, "gradient", label=f"{norm} {use} {dtype} {shape}")


def test_who_else_wants_the_sum(cuda):
    """A gradient that is kept, or asked for, is whole."""
    with gpunn.device("cuda"):
        x = gpunn.Tensor(np.random.default_rng(0).normal(size=(4, 8)), requires_grad=True)
        y = ops.layer_normalization(ops.tanh(x))
        y.retain_grad()
        ((y * 2).sum() + (y * 3).sum() + y.sum()).backward()
        assert_close(y.grad, np.full((4, 8), 6.0), "gradient")
        y = ops.layer_normalization(ops.tanh(x))
        with gpunn.autograd.detect_anomaly():
            ((y * 2).sum() + (y * 3).sum()).backward()

"""Batch, layer and RMS normalization against their formulas."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.errors import ShapeError
from gpunn.ops import batch_statistics
from gpunn.ops.batch_statistics import batch_standardization
from gpunn.ops.noise import alpha_dropout, dropout, gaussian_dropout, gaussian_noise
from tests.harness import assert_close, check_op, rand

EPSILON = 1e-2


def along(v, axis, ndim):
    return v.reshape([-1 if a == axis % ndim else 1 for a in range(ndim)])


def given_statistics(axis):
    def reference(x, mean, variance, offset, scale):
        mean, variance, offset, scale = (
            along(v, axis, x.ndim) for v in (mean, variance, offset, scale)
        )
        return (x - mean) / np.sqrt(variance + EPSILON) * scale + offset

    return reference


def own_statistics(axis):
    def reference(x, offset, scale):
        others = tuple(a for a in range(x.ndim) if a != axis % x.ndim)
        mean, variance = x.mean(others), x.var(others)
        return given_statistics(axis)(x, mean, variance, offset, scale)

    return reference


@pytest.mark.parametrize(
    ("shape", "axis"), [((6, 3), -1), ((2, 4, 3), 1), ((2, 3, 2, 4), -1), ((3, 5), 0), ((7,), 0)]
)
def test_batch(shape, axis, device):
    n = shape[axis]
    vectors = [rand(n, seed=1), rand(n, low=0.5, seed=2), rand(n, seed=3), rand(n, seed=4)]
    check_op(
        lambda x, m, v, o, s: ops.batch_normalization(x, m, v, axis, o, s, EPSILON),
        rand(*shape),
        *vectors,
        reference=given_statistics(axis),
        device=device,
        edges=False,
    )
    check_op(
        lambda x, o, s: batch_standardization(x, o, s, axis=axis, epsilon=EPSILON),
        rand(*shape),
        *vectors[2:],
        reference=own_statistics(axis),
        device=device,
        edges=False,
    )


def test_batch_of_many_rows(device):
    check_op(
        lambda x, o, s: batch_standardization(x, o, s, axis=-1, epsilon=EPSILON),
        rand(2500, 3),
        rand(3, seed=1),
        rand(3, seed=2),
        reference=own_statistics(-1),
        device=device,
        edges=False,
        rtol=1e-4,
    )


@pytest.mark.parametrize(("shape", "axis"), [((6, 4, 5, 3), -1), ((4, 3, 5, 2), 1)])
def test_batch_in_strips(shape, axis, device, monkeypatch):
    monkeypatch.setitem(batch_statistics.STRIP, device, 400)
    n = shape[axis]
    check_op(
        lambda x, o, s: batch_standardization(x, o, s, axis=axis, epsilon=EPSILON),
        rand(*shape),
        rand(n, seed=1),
        rand(n, seed=2),
        reference=own_statistics(axis),
        device=device,
        edges=False,
    )


def test_batch_alone(device):
    check_op(
        lambda x: batch_standardization(x, None, None, axis=-1, epsilon=EPSILON),
        rand(5, 3),
        reference=lambda x: (x - x.mean(0)) / np.sqrt(x.var(0) + EPSILON),
        device=device,
    )


def kept(v, axes, ndim):
    shape = iter(v.shape)
    axes = {a % ndim for a in axes}
    return v.reshape([next(shape) if a in axes else 1 for a in range(ndim)])


AXES = [(-1,), (1,), (1, 2), (-1, 0), (0, 1, 2), (-2, -1)]


@pytest.mark.parametrize("axes", AXES)
def test_layer(axes, device):
    x = rand(3, 4, 5)
    sizes = [x.shape[a] for a in sorted(a % 3 for a in axes)]

    def reference(x, gamma, beta):
        mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        gamma, beta = kept(gamma, axes, x.ndim), kept(beta, axes, x.ndim)
        return (x - mean) / np.sqrt(variance + EPSILON) * gamma + beta

    check_op(
        lambda x, g, b: ops.layer_normalization(x, g, b, axis=axes, epsilon=EPSILON),
        x,
        rand(*sizes, seed=1),
        rand(*sizes, seed=2),
        reference=reference,
        device=device,
        edges=False,
    )
    check_op(
        lambda x, g: ops.layer_normalization(x, g, axis=axes, epsilon=EPSILON, rms_scaling=True),
        x,
        rand(*sizes, seed=1),
        reference=lambda x, g: (
            x / np.sqrt(x.var(axes, keepdims=True) + EPSILON) * kept(g, axes, x.ndim)
        ),
        device=device,
        edges=False,
    )
    check_op(
        lambda x, s: ops.rms_normalization(x, s, axis=axes, epsilon=EPSILON),
        x,
        rand(*sizes, seed=1),
        reference=lambda x, s: (
            x / np.sqrt((x * x).mean(axes, keepdims=True) + EPSILON) * kept(s, axes, x.ndim)
        ),
        device=device,
        edges=False,
    )


def test_layer_alone(device):
    check_op(
        lambda x: ops.layer_normalization(x, epsilon=EPSILON),
        rand(4, 5),
        reference=lambda x: (
            (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + EPSILON)
        ),
        device=device,
    )
    check_op(
        lambda x: ops.rms_normalization(x, epsilon=EPSILON),
        rand(4, 5),
        reference=lambda x: x / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON),
        device=device,
    )


def test_shapes_that_do_not_fit():
    x = rand(4, 5)
    with pytest.raises(ShapeError, match=r"mean of shape \(4,\), expected \(5,\)"):
        ops.batch_normalization(x, rand(4), rand(5), -1)
    with pytest.raises(ShapeError, match=r"factors of shape \(4,\), expected \(5,\)"):
        ops.layer_normalization(x, rand(4))
    with pytest.raises(ShapeError, match="axis 2 is out of range"):
        ops.rms_normalization(x, axis=2)


@pytest.mark.parametrize(
    ("op", "options"),
    [
        (dropout, {"rate": 0.4}),
        (dropout, {"rate": 0.4, "noise_shape": (3, 1)}),
        (alpha_dropout, {"rate": 0.4}),
        (gaussian_noise, {"deviation": 0.4}),
        (gaussian_dropout, {"deviation": 0.4}),
    ],
)
def test_noise(op, options, device):
    def noisy(x):
        return op(x, stream=gpunn.backend.Stream(3), **options)

    check_op(noisy, rand(3, 4), device=device, edges="noise_shape" not in options)


@pytest.mark.parametrize("op", [ops.layer_normalization, ops.rms_normalization])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_values_with_float_factors_stay_half(op, dtype, device):
    x = gpunn.Tensor(rand(4, 6), True, dtype=dtype, device=device)
    scale = gpunn.Tensor(rand(6, seed=1), True, dtype="float32", device=device)
    y = op(x, scale)
    assert y.dtype == x.dtype
    wide = [gpunn.Tensor(v.detach().to("float64"), True) for v in (x, scale)]
    exact = op(*wide)
    assert_close(y, exact.to(dtype))
    dy = gpunn.Tensor(rand(4, 6, seed=2), dtype=dtype, device=device)
    (y * dy).sum().backward()
    (exact * dy).sum().backward()
    assert x.grad.dtype == x.dtype and scale.grad.dtype == "float32"
    assert_close(x.grad, wide[0].grad.to(dtype))
    assert_close(scale.grad, wide[1].grad)
    assert op(x.detach().to("float64"), scale.detach()).dtype == "float64"
    assert op(scale.detach()[None], x.detach()[0]).dtype == "float32"

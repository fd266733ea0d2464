"""Reductions: values and gradients on both devices, ties, zeros, NaN, empty axes, long sums."""

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentError, ShapeError
from tests.harness import assert_close, check_op, rand

X = rand(3, 4, 5)
ROWS = rand(6, 7, seed=1)
WEIGHTS = np.array([1, 2, 3, 4], "int32")
NANS = X.copy()
NANS[0, 1:, 1] = NANS[2, 1, 3] = np.nan
AXES = [{}, {"axis": 1}, {"axis": (0, 2), "keepdims": True}]
PLAIN = [*AXES, {"axis": -1}, {"axis": 0}]


def nan_cumulative(fn, value):
    return lambda x, axis=None: fn(np.where(np.isnan(x), value, x), axis)


DIFFERENTIABLE = [  # op, operand, sets of options, reference
    ("sum", X, PLAIN, np.sum),
    ("sum", ROWS, [{"axis": 0}, {"axis": 1}, {"axis": -1, "keepdims": True}], np.sum),
    ("mean", X, PLAIN, np.mean),
    ("prod", X, AXES, np.prod),
    ("max", X, AXES, np.max),
    ("min", X, AXES, np.min),
    ("amax", X, [{"axis": 1}], np.max),
    ("amin", X, [{"axis": 1}], np.min),
    ("ptp", X, AXES, np.ptp),
    ("var", X, PLAIN, np.var),
    ("std", X, PLAIN, np.std),
    ("logsumexp", X, AXES, scipy.special.logsumexp),
    ("average", X, [{}, {"axis": 1}, {"axis": 1, "weights": WEIGHTS}], np.average),
    ("cumsum", X, [{}, {"axis": 1}, {"axis": -1}], np.cumsum),
    ("cumprod", X, [{}, {"axis": 1}, {"axis": -1}], np.cumprod),
    ("median", X, AXES, np.median),
    ("quantile", X, [{"q": 0.3}, {"q": [0.1, 0.9], "axis": 1, "keepdims": True}], np.quantile),
    ("percentile", X, [{"q": 30}, {"q": [10, 90], "axis": (0, 2)}], np.percentile),
    ("nansum", NANS, AXES, np.nansum),
    ("nanmean", NANS, AXES, np.nanmean),
    ("nanprod", NANS, AXES, np.nanprod),
    ("nanmax", NANS, AXES, np.nanmax),
    ("nanmin", NANS, AXES, np.nanmin),
    ("nanvar", NANS, AXES, np.nanvar),
    ("nanstd", NANS, AXES, np.nanstd),
    ("nanmedian", NANS, AXES, np.nanmedian),
    ("nanquantile", NANS, [{"q": 0.3, "axis": 1}], np.nanquantile),
    ("nanpercentile", NANS, [{"q": [30, 70], "axis": 0}], np.nanpercentile),
    ("nancumsum", NANS, [{}, {"axis": 1}], nan_cumulative(np.cumsum, 0)),
    ("nancumprod", NANS, [{}, {"axis": 1}], nan_cumulative(np.cumprod, 1)),
    ("trapezoid", X, [{}, {"dx": 0.5, "axis": 1}], np.trapezoid),
]
WITHOUT = [
    ("any", X > 1.5, AXES, np.any),
    ("all", X > -1.5, AXES, np.all),
    ("count_nonzero", X.round(), [{}, {"axis": 1}], np.count_nonzero),
    ("argmax", X, [{}, {"axis": 1}, {"axis": -1, "keepdims": True}], np.argmax),
    ("argmin", X, [{}, {"axis": 1}], np.argmin),
    ("nanargmax", NANS, [{}, {"axis": 1}], np.nanargmax),
    ("nanargmin", NANS, [{}, {"axis": 2}], np.nanargmin),
]


def cases(table):
    return [
        pytest.param(op, x, options, reference, id=f"{op}-{x.ndim}d-{options}")
        for op, x, several, reference in table
        for options in several
    ]


@pytest.mark.parametrize(("op", "x", "options", "reference"), cases(DIFFERENTIABLE))
def test_values_and_gradients(op, x, options, reference, device):
    if op.startswith("nan"):  # a central difference of NaN is NaN: see test_nan_gradients
        return check_values(op, x, options, reference, device)
    check_op(
        lambda x: getattr(ops, op)(x, **options),
        x,
        reference=lambda x: reference(x, **options),
        device=device,
        edges="weights" not in options,
    )


def check_values(op, x, options, reference, device):
    y = getattr(ops, op)(gpunn.Tensor(x.astype("float32"), device=device), **options)
    assert_close(y, reference(x, **options))


@pytest.mark.parametrize(("op", "x", "options", "reference"), cases(WITHOUT))
def test_values_without_gradient(op, x, options, reference, device):
    if op.startswith("nan"):
        return check_values(op, x, options, reference, device)
    check_op(
        lambda x: getattr(ops, op)(x, **options),
        x,
        reference=lambda x: reference(x, **options),
        device=device,
        grad=False,
        dtypes=("float32",),
    )


NAN_OPS = [case for case in cases(DIFFERENTIABLE) if case.values[0].startswith("nan")]


@pytest.mark.parametrize(("op", "x", "options", "reference"), NAN_OPS)
def test_nan_gradients(op, x, options, reference):
    """With the NaN left alone, the rest moves the result as a central difference says."""
    nan = np.isnan(x)

    def f(known):
        return getattr(ops, op)(ops.where(nan, np.nan, known), **options)

    gpunn.autograd.check_gradients(f, np.where(nan, 0.5, x))


def test_ties_share_the_gradient(device):
    x = gpunn.Tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], requires_grad=True, device=device)
    ops.max(x, axis=1).backward([1.0, 3.0])
    assert_close(x.grad, [[0, 0.5, 0.5], [1, 1, 1]])


def test_products_with_zeros_have_their_gradient(device):
    values = [[0.0, 2.0, 3.0], [0.0, 0.0, 5.0], [1.0, 2.0, 3.0]]
    x = gpunn.Tensor(values, requires_grad=True, device=device)
    ops.prod(x, axis=1).backward([1.0, 1.0, 1.0])
    assert_close(x.grad, [[6, 0, 0], [0, 0, 0], [6, 3, 2]])
    gpunn.autograd.check_gradients(lambda x: ops.cumprod(x, axis=1), gpunn.Tensor(values))


def test_where_spread_is_zero_so_is_the_gradient(device):
    x = gpunn.Tensor([[2.0], [3.0]], requires_grad=True, device=device)
    ops.std(x, axis=1).backward([1.0, 1.0])
    assert_close(x.grad, [[0], [0]])
    x = gpunn.Tensor([[5.0, 5.0]], requires_grad=True, device=device)
    (ops.std(x) + ops.var(x)).backward()
    assert_close(x.grad, [[0, 0]])


def test_logsumexp_far_out(device):
    x = gpunn.Tensor(
        [[-np.inf, -np.inf], [np.inf, 0.0], [1e4, 1e4], [-np.inf, 3.0]],
        requires_grad=True,
        device=device,
    )
    y = ops.logsumexp(x, axis=1)
    assert_close(y, [-np.inf, np.inf, 1e4 + np.log(2), 3.0])
    y.backward([1.0, 1.0, 1.0, 1.0])
    assert_close(x.grad, [[0, 0], [1, 0], [0.5, 0.5], [0, 1]])


def test_normalize_and_moments(device):
    check_op(lambda x: ops.normalize(x, axis=1), X, device=device, reference=lambda x: (
        x / np.linalg.norm(x, axis=1, keepdims=True)))  # fmt: skip
    check_op(lambda x: ops.normalize(x, order=3), X, device=device, reference=lambda x: (
        x / np.linalg.norm(x, 3, axis=-1, keepdims=True)))  # fmt: skip
    check_op(lambda x: ops.moments(x, (0, 2)), X, device=device, edges=False, reference=lambda x: (
        x.mean((0, 2)), x.var((0, 2))))  # fmt: skip
    zeros = gpunn.Tensor([[0.0, 0.0]], requires_grad=True, device=device)
    ops.normalize(zeros).sum().backward()
    assert np.isfinite(zeros.grad.numpy()).all()


def test_psnr(device):
    check_op(
        lambda x, y: ops.psnr(x, y, 2.0),
        X,
        rand(3, 4, 5, seed=1),
        reference=lambda x, y: 10 * np.log10(4 / ((x - y) ** 2).mean()),
        device=device,
        edges=False,
        twice=False,
    )
    with pytest.raises(ShapeError, match="psnr"):
        ops.psnr(gpunn.Tensor([1.0], device=device), gpunn.Tensor([1.0, 2.0], device=device), 1.0)


def test_trapezoid_over_points(device):
    points = np.array([0.0, 0.5, 2.0, 2.5])
    check_op(
        lambda y, x: ops.trapezoid(y, x, axis=1),
        X,
        points,
        reference=lambda y, x: np.trapezoid(y, x, axis=1),
        device=device,
        edges=False,
    )


def test_half_floats_are_summed_in_float32(device):
    x = gpunn.Tensor(np.full((2, 5000), 12.5, "float16"), device=device)
    assert_close(ops.mean(x, axis=1), np.full(2, 12.5, "float16"))
    assert_close(ops.var(x, axis=1), np.zeros(2, "float16"))
    assert_close(ops.sum(x, axis=1), np.full(2, 62500.0, "float16"))


@pytest.mark.parametrize("shape", [(20000, 3), (3, 20000), (2, 4096), (4097, 2)])
def test_long_sums_are_accurate(shape):
    x = np.random.default_rng(0).uniform(0, 1, shape).astype("float32")
    for axis in (0, 1, None):
        exact = x.astype("float64").sum(axis)
        assert_close(ops.sum(gpunn.Tensor(x), axis), exact, rtol=3e-6, dtype="float32")


@given(
    hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=3).flatmap(
        lambda shape: st.tuples(
            st.just(shape),
            st.none() | st.sets(st.integers(-len(shape), len(shape) - 1), min_size=1),
            st.booleans(),
        )
    ),
    st.sampled_from(["sum", "mean", "max", "prod", "var", "logsumexp"]),
)
def test_any_axes(case, op):
    shape, axes, keepdims = case
    if axes is not None:
        axes = tuple({a % len(shape) for a in axes})
    x = rand(*shape)
    reference = scipy.special.logsumexp if op == "logsumexp" else getattr(np, op)
    leaf = gpunn.Tensor(x, requires_grad=True)
    y = getattr(ops, op)(leaf, axis=axes, keepdims=keepdims)
    assert_close(y, reference(x, axis=axes, keepdims=keepdims))
    y.backward(np.ones(y.shape))
    assert leaf.grad.shape == shape


def test_nothing_to_reduce(device):
    empty = gpunn.Tensor(np.zeros((0, 3), "float32"), device=device)
    assert_close(ops.sum(empty, axis=0), np.zeros(3))
    assert_close(ops.prod(empty, axis=0), np.ones(3))
    assert np.isnan(ops.mean(empty, axis=0).numpy()).all()
    assert_close(ops.max(empty, axis=0, initial=-1.0), np.full(3, -1.0))
    for op, initial in ((ops.max, 1), (ops.min, 0)):
        y = op([True, True], initial=initial)
        assert y.dtype == bool and y.item() == bool(initial)
    assert ops.max(empty, axis=1).shape == (0,)
    assert ops.all(empty).item() and not ops.any(empty).item()


def test_rows_of_nan_alone(device):
    x = gpunn.Tensor([[np.nan, np.nan], [1.0, np.nan]], device=device)
    for op in ("nanmean", "nanmax", "nanmin", "nanvar", "nanstd", "nanmedian"):
        y = getattr(ops, op)(x, axis=1).numpy()
        assert np.isnan(y[0]) and np.isfinite(y[1]), op
    assert ops.nanargmax(x, axis=1).numpy().tolist() == [-1, 0]
    assert ops.nansum(x, axis=1).numpy().tolist() == [0, 1]


BAD = [  # op, shape, options, error, words of its message
    ("sum", (2, 3), {"axis": 2}, ShapeError, ["sum", "axis 2"]),
    ("mean", (2, 3), {"axis": -3}, ShapeError, ["mean", "-3"]),
    ("max", (0, 3), {"axis": 0}, ShapeError, ["max", "(0, 3)", "initial"]),
    ("logsumexp", (2, 3), {"axis": 5}, ShapeError, ["logsumexp", "5"]),
    ("argmax", (2, 3), {"axis": 2}, ShapeError, ["argmax", "axis 2"]),
    ("quantile", (2, 3), {"q": 1.5}, ArgumentError, ["1.5"]),
    ("quantile", (2, 3), {"q": 0.5, "method": "middle"}, ArgumentError, ["middle", "midpoint"]),
    ("normalize", (2, 3), {"order": 0}, ArgumentError, ["normalize", "order", "0"]),
    ("moments", (2, 3), {"axes": 0, "synchronized": True}, ArgumentError, ["synchronized"]),
    ("average", (2, 3), {"axis": 0, "weights": np.ones(3)}, ShapeError, ["average", "(2, 3)"]),
    ("trapezoid", (2, 3), {"x": np.ones(2)}, ShapeError, ["trapezoid", "(2,)", "(2, 3)"]),
]


@pytest.mark.parametrize("case", BAD, ids=[f"{i}-{c[0]}" for i, c in enumerate(BAD)])
def test_bad_input(case, device):
    op, shape, options, error, words = case
    with pytest.raises(error) as caught:
        getattr(ops, op)(gpunn.Tensor(np.ones(shape), device=device), **options)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gradients_of_running_sums_of_halves(dtype, device):
    x = gpunn.Tensor(np.zeros((2, 700)), True, dtype=dtype)
    dy = gpunn.Tensor(np.tile(rand(700), (2, 1)), dtype=dtype)
    ops.cumsum(x, 1).backward(dy)
    exact = np.cumsum(dy.numpy().astype("float64")[:, ::-1], 1)[:, ::-1]
    assert x.grad.dtype == dtype
    assert_close(x.grad, gpunn.Tensor(exact).to(dtype))  # not even rounded twice


@pytest.mark.parametrize("q", [0.0, 0.25, 0.5, 1.0])
def test_of_equal_values_quantiles_take_the_first(q, device):
    x = np.random.default_rng(0).integers(0, 4, 401).astype("float32")
    t = gpunn.Tensor(x, True)
    ops.quantile(t, q).backward()
    assert t.grad.numpy().argmax() == np.argsort(x, kind="stable")[int(q * 400)]
    assert t.grad.numpy().sum() == 1

"""Dot-product attention: whole and by tiles, against plain NumPy and Keras."""

import itertools
import tracemalloc

import numpy as np
import pytest

import gpunn
from gpunn.errors import ArgumentError, ShapeError
from gpunn.ops import attention_tiles
from gpunn.ops.attention import attend, attend_with_scores, dot_product_attention
from tests.harness import assert_close, check_op, rand


def plain(q, k, v, bias=None, mask=None, scale=0.5, causal=False, window=None, zeros=False):
    """Result and probabilities, by the book."""
    group = q.shape[2] // k.shape[2]
    s = np.einsum("btnh,bsnh->bnts", q, np.repeat(k, group, 2)) * scale
    s = s if bias is None else s + bias
    seen = np.ones_like(s, bool) if mask is None else np.ones_like(s, bool) & (mask > 0)
    i, j = np.arange(q.shape[1])[:, None], np.arange(k.shape[1])
    seen &= (j <= i) | (not causal)
    seen &= (abs(i - j) < window) | (window is None) if window else True
    s = np.where(seen, s, -1e30)
    p = np.exp(s - s.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    p = p * seen if zeros else p
    return np.einsum("bnts,bsnh->btnh", p, np.repeat(v, group, 2)), p


def operands(t=5, s=6, heads=4, shared=2):
    return (
        rand(2, t, heads, 3, seed=1), rand(2, s, shared, 3, seed=2), rand(2, s, shared, 5, seed=3)
    )  # fmt: skip


BIAS = rand(4, 1, 6, seed=4)
MASK = (rand(2, 4, 5, 6, seed=5) > 0).astype("float64")
MASK[0, :, 1] = 0  # rows from which everything is hidden
PADDING = (rand(2, 1, 1, 6, seed=6) > -1).astype("float64")
CASES = {
    "plain": {},
    "bias": {"bias": BIAS},
    "mask": {"mask": MASK},
    "mask, zeros": {"mask": MASK, "zeros": True},
    "padding, causal": {"mask": PADDING, "causal": True},
    "causal": {"causal": True},
    "window": {"window": 2},
    "causal window, bias": {"causal": True, "window": 2, "bias": BIAS},
}


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of two by two, or hardly more."""
    monkeypatch.setattr(attention_tiles, "SHORTEST", 2)
    monkeypatch.setattr(attention_tiles, "TILE", {"cpu": 1, "cuda": 1})


@pytest.mark.parametrize("tiles", [False, True], ids=["whole", "tiles"])
@pytest.mark.parametrize("case", CASES)
def test_against_numpy(case, tiles, small_tiles, device):
    options = {"scale": 0.5, **CASES[case]}
    given = [options.pop("bias", None), options.pop("mask", None)]
    check_op(
        lambda *x: attend(*x, tiles=tiles, **options),
        *operands(),
        *given,
        reference=lambda *x: plain(*x, **options)[0],
        device=device,
        wrt=[0, 1, 2] + [3] * (given[0] is not None),
        dtypes=None if device == "cpu" else ("float32",),
        edges=False,
        twice=False,
    )


@pytest.mark.parametrize("tiles", [False, True], ids=["whole", "tiles"])
def test_lengths_and_groups(tiles, small_tiles):
    for (t, s), shared, causal, window, zeros in itertools.product(
        [(7, 3), (3, 7), (1, 5), (4, 4)], [1, 4], [False, True], [None, 1, 3], [False, True]
    ):
        q, k, v = operands(t, s, 4, shared)
        options = {"scale": 0.5, "causal": causal, "window": window, "zeros": zeros}
        y = attend(q, k, v, tiles=tiles, **options)
        assert_close(y, plain(q, k, v, **options)[0])
        gpunn.autograd.check_gradients(lambda *x: attend(*x, tiles=tiles, **options), q, k, v)  # noqa: B023


def test_edges(device):
    q, k, v = (x.astype("float32") for x in operands(heads=2))
    for tiles in (False, True):
        y = dot_product_attention(q[:0], k[:0], v[:0], flash_attention=tiles)
        assert y.shape == (0, 5, 2, 5)
        x = gpunn.Tensor(k, requires_grad=True)
        y = dot_product_attention(q[:, :0], x, v, flash_attention=tiles)
        assert y.shape == (2, 0, 2, 5)
        y.sum().backward()
        assert (x.grad.numpy() == 0).all()


def test_huge_scores_and_halves(device):
    q, k, v = (x.astype("float16") for x in operands(heads=2))
    for tiles in (False, True):
        y = dot_product_attention(q, k, v, flash_attention=tiles)
        assert y.dtype == "float16"
        e = plain(*(x.astype("float64") for x in (q, k, v)), scale=3**-0.5)[0]
        assert_close(y, e, rtol=1e-2, atol=1e-2)
        y = dot_product_attention(q.astype("float32") * 1e4, k, v, flash_attention=tiles)
        assert y.dtype == "float32" and np.isfinite(y.numpy()).all()


@pytest.mark.parametrize("case", ["plain", "mask, zeros", "causal"])
def test_scores(case, device):
    options = {"scale": 0.5, **CASES[case]}
    mask = options.pop("mask", np.ones(1)) > 0
    check_op(
        lambda *x: attend_with_scores(*x, None, mask, **options),
        *operands(shared=4),
        reference=lambda *x: plain(*x, None, mask, **options),
        device=device,
        dtypes=("float32",),
        edges=False,
        twice=False,
    )


def test_dropout(device):
    q, k, v = operands(shared=4)
    v = np.ones_like(v)

    def run(*x, rate=0.5):
        stream = gpunn.backend.Stream(3, "dropout")
        return attend_with_scores(*x, scale=0.5, rate=rate, stream=stream)

    given = [gpunn.Tensor(x) for x in (q, k, v)]
    y, p = run(*given)
    assert_close(p, plain(q, k, v)[1])
    assert_close(run(*given)[0], y.numpy(), rtol=0, atol=0)
    assert (y.numpy() != 1).any()
    assert (run(*given, rate=1.0)[0].numpy() == 0).all()
    if device == "cpu":
        gpunn.autograd.check_gradients(run, q, k, v)


def test_long_sequences_need_little_memory(monkeypatch):
    monkeypatch.setattr("gpunn.ops.attention.LARGEST", 0)
    rng = np.random.default_rng(0)
    q, k, v = (rng.normal(size=(1, 1500, 2, 8)).astype("float32") for _ in range(3))
    for causal in (False, True):
        found = []
        for flash in (False, None):
            x = gpunn.Tensor(q, requires_grad=True)
            y = dot_product_attention(x, k, v, is_causal=causal, flash_attention=flash)
            y.backward(v)
            found.append((y.numpy(), x.grad.numpy()))
        assert_close(found[1][0], found[0][0], atol=1e-5)
        assert_close(found[1][1], found[0][1], atol=1e-5)


def test_the_matrix_of_long_sequences_is_never_made():
    x = np.random.default_rng(0).normal(size=(1, 4200, 1, 4)).astype("float32")
    q, k, v = (gpunn.Tensor(x, requires_grad=True) for _ in range(3))
    tracemalloc.start()
    dot_product_attention(q, k, v).sum().backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4200 * 4200 * 4 / 4


def test_masks_of_any_kind(device):
    q, k, v = (x.astype("float32") for x in operands(heads=2))
    expected = dot_product_attention(q, k, v, mask=PADDING == 1)
    for mask in (PADDING, PADDING.astype("int32"), (PADDING == 1).tolist()):
        assert_close(dot_product_attention(q, k, v, mask=mask), expected.numpy())
    bias = (1 - PADDING) * -1e9
    assert_close(dot_product_attention(q, k, v, bias=bias), expected.numpy())


def test_errors():
    q, k, v = operands()
    for given, match in [
        ((q[0], k, v), "expected tensors of shape"),
        ((q[:1], k, v), "batches differ"),
        ((q, k, v[:, :3]), "differ in length"),
        ((q[..., :2], k, v), "sizes of queries"),
        ((q[:, :, :3], k, v), "3 heads of queries cannot share the 2"),
        ((q, k[:, :0], v[:, :0]), "there are no keys"),
    ]:
        with pytest.raises(ShapeError, match=match):
            dot_product_attention(*given)
    with pytest.raises(ShapeError):
        dot_product_attention(q, k, v, mask=np.ones((2, 1, 3, 6), bool))
    with pytest.raises(ArgumentError, match="soft_cap"):
        dot_product_attention(q, k, v, attn_logits_soft_cap=30.0)


@pytest.mark.parametrize("shape", [(5, 5), (1, 3), (3, 1, 3, 3), (2, 3, 3, 3), (1, 1, 1, 3, 3)])
@pytest.mark.parametrize("name", ["mask", "bias"])
def test_pairs_that_do_not_fit_the_scores_are_refused(name, shape):
    x = np.ones((2, 3, 2, 4), "float32")
    pairs = np.ones(shape, "bool" if name == "mask" else "float32")
    fits = shape == (1, 3)
    for tiles in (False, True):
        if fits:
            dot_product_attention(x, x, x, flash_attention=tiles, **{name: pairs})
        else:
            with pytest.raises(ShapeError, match=f"{name} of shape"):
                dot_product_attention(x, x, x, flash_attention=tiles, **{name: pairs})

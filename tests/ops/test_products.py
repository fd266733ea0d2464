"""Matrix products, einsum and what is built of them, on both devices, against NumPy."""

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentError, ShapeError
from tests.harness import assert_close, check_op, rand


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3), (3,)], ids=str)
def test_linear(shape, bias, device):
    operands = [rand(*shape), rand(3, 5, seed=1)] + [rand(5, seed=2)] * bias

    def reference(x, w, b=0.0):
        return x @ w + b

    check_op(ops.linear, *operands, reference=reference, device=device)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("shape", "weights", "axes"),
    [((4, 6), (2, 3, 5), 2), ((2, 4, 6), (6, 2, 20), 1), ((4, 6), (3, 2, 2, 3), 2),
     ((3, 0), (0, 2, 3), 1)],
)  # fmt: skip
def test_linear_of_weights_with_more_axes(shape, weights, axes, bias, device):
    operands = [rand(*shape), rand(*weights, seed=1)] + [rand(*weights[axes:], seed=2)] * bias

    def reference(x, w, b=0.0):
        rows = w.reshape(shape[-1], np.prod(weights[axes:]))
        return x @ rows + np.reshape(b, -1)

    check_op(lambda *xs: ops.linear(*xs, axes=axes), *operands, reference=reference,
             device=device, edges=False)  # fmt: skip
    with pytest.raises(ShapeError, match="linear"):
        ops.linear(rand(4, 7), rand(2, 3, 5), axes=2)


def test_linear_takes_what_lies_there_and_refuses_the_rest(device):
    x, w = gpunn.Tensor(rand(2, 3).astype("float32")), rand(4, 5).astype("float32")
    with pytest.raises(ShapeError, match="linear"):
        ops.linear(x, w)
    y = ops.linear(np.ones((2, 3), "int32"), np.ones((3, 1), "float32"))
    assert y.dtype == "float32"


SHAPES = [
    ((2, 3), (3, 4)), ((3,), (3,)), ((3,), (3, 4)), ((2, 3), (3,)), ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (3,)), ((5, 2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)),
    ((3,), (5, 3, 4)), ((2, 3), (5, 3, 4)), ((0, 3), (3, 4)), ((2, 0), (0, 4)),
    ((5, 2, 3), (1, 3, 4)), ((0, 2, 3), (3, 4)),
]  # fmt: skip


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_matmul(shapes, device):
    a, b = (rand(*s, seed=i) for i, s in enumerate(shapes))
    dtypes = ("float32", "float64") if device == "cpu" else ("float32",)
    check_op(ops.matmul, a, b, reference=np.matmul, device=device, edges=False, dtypes=dtypes)


@given(st.data())
def test_matmul_broadcasts_like_numpy(data):
    sizes = st.integers(1, 3)
    n, k, m = (data.draw(sizes) for _ in range(3))
    batch = data.draw(st.lists(sizes, max_size=2))
    cut = data.draw(st.integers(0, len(batch)))
    other = [1 if data.draw(st.booleans()) else s for s in batch[cut:]]
    a, b = rand(*batch, n, k), rand(*other, k, m, seed=1)
    assert_close(ops.matmul(a, b), a @ b)
    assert_close(
        ops.matmul(b.swapaxes(-1, -2), a.swapaxes(-1, -2)), b.swapaxes(-1, -2) @ a.swapaxes(-1, -2)
    )


def test_matmul_refuses():
    for a, b in ((rand(2, 3), rand(2, 3)), (rand(3), 2.0), (rand(2, 2, 3), rand(3, 3, 4))):
        with pytest.raises(ShapeError, match="matmul"):
            ops.matmul(a, b)


PRODUCTS = {
    "dot": (rand(2, 3), rand(3, 4), ops.dot, np.dot),
    "dot vector": (rand(2, 5, 3), rand(3), ops.dot, np.dot),
    "dot many": (rand(2, 3), rand(4, 3, 5), ops.dot, np.dot),
    "inner": (rand(2, 3), rand(4, 3), ops.inner, np.inner),
    "outer": (rand(2, 3), rand(4), ops.outer, np.outer),
    "vdot": (rand(2, 3), rand(2, 3, seed=1), ops.vdot, np.vdot),
    "kron": (rand(2, 3), rand(2, 1, 2), ops.kron, np.kron),
    "tensordot": (rand(2, 3, 4), rand(4, 3, 2), lambda x, y: ops.tensordot(x, y, ([1, 2], [1, 0])),
                  lambda x, y: np.tensordot(x, y, ([1, 2], [1, 0]))),
    "tensordot outer": (rand(2), rand(3), lambda x, y: ops.tensordot(x, y, 0),
                        lambda x, y: np.tensordot(x, y, 0)),
    "cross": (rand(4, 3), rand(3, seed=1), ops.cross, np.cross),
    "cross axes": (rand(3, 4), rand(4, 3, seed=1), lambda x, y: ops.cross(x, y, axisa=0, axisc=0),
                   lambda x, y: np.cross(x, y, axisa=0, axisc=0)),
    "correlate": (rand(6), rand(3), lambda x, y: ops.correlate(x, y, "same"),
                  lambda x, y: np.correlate(x, y, "same")),
    "correlate short": (rand(2), rand(5), lambda x, y: ops.correlate(x, y, "full"),
                        lambda x, y: np.correlate(x, y, "full")),
    "cdist": (rand(3, 2), rand(4, 2, seed=1), ops.cdist,
              lambda x, y: np.sqrt(((x[:, None] - y) ** 2).sum(-1))),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name, device):
    x, y, function, reference = PRODUCTS[name]
    dtypes = ("float32", "float64") if device == "cpu" else ("float32",)
    check_op(function, x, y, reference=reference, device=device, edges=False, twice=False,
             dtypes=dtypes)  # fmt: skip


def test_corrcoef(device):
    check_op(ops.corrcoef, rand(3, 6), reference=np.corrcoef, device=device, edges=False,
             dtypes=("float32",))  # fmt: skip


def test_scalars_and_refusals():
    assert ops.dot(3, [1, 2]).numpy().tolist() == [3, 6]
    assert ops.inner(3, 2).numpy() == 6
    with pytest.raises(ShapeError, match="tensordot: axes"):
        ops.tensordot(rand(2, 3), rand(2, 3), axes=1)
    with pytest.raises(ShapeError, match="2 or 3 components"):
        ops.cross(rand(4), rand(4))
    with pytest.raises(ShapeError, match="two vectors"):
        ops.correlate(rand(2, 2), rand(2))
    with pytest.raises(ShapeError, match="cdist"):
        ops.cdist(rand(2, 2), rand(2, 3))


EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("ii->i", (3, 3)),
    ("ii", (3, 3)), ("ba", (2, 3)), ("i,j->ij", (2,), (3,)), ("i,i", (3,), (3,)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)), ("...i->...", (2, 3)),
    ("ij,ij,ij->i", (2, 3), (2, 3), (2, 3)), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("iij,j->i", (3, 3, 2), (2,)), ("btnh,bsnh->bnts", (2, 3, 4, 5), (2, 6, 4, 5)),
    ("i...j->j...", (2, 3, 4)), ("ij,k->ij", (2, 3), (4,)), ("iii->i", (3, 3, 3)),
    (",ij->ij", (), (2, 3)), ("abc,cd->", (2, 3, 4), (4, 5)), (" i j , j ", (2, 3), (3,)),
]  # fmt: skip


@pytest.mark.parametrize("case", EINSUMS, ids=lambda case: case[0])
def test_einsum(case, device):
    text, *shapes = case
    operands = [rand(*s, seed=i) for i, s in enumerate(shapes)]
    check_op(lambda *xs: ops.einsum(text, *xs), *operands, device=device, edges=False,
             reference=lambda *xs: np.einsum(text, *xs), twice=False, dtypes=("float32",),
             rtol=1e-4, atol=1e-5)  # fmt: skip


@given(st.data())
def test_einsum_like_numpy(data):
    letters = st.sampled_from(string.ascii_lowercase[:5])
    terms = data.draw(st.lists(st.lists(letters, max_size=4), min_size=1, max_size=3))
    used = sorted({c for term in terms for c in term})
    output = data.draw(st.permutations(used)) if used else []
    output = output[: data.draw(st.integers(0, len(output)))]
    text = ",".join("".join(t) for t in terms) + "->" + "".join(output)
    sizes = {c: i + 1 for i, c in enumerate(string.ascii_lowercase[:5])}
    operands = [rand(*(sizes[c] for c in term), seed=i) for i, term in enumerate(terms)]
    assert_close(ops.einsum(text, *operands), np.einsum(text, *operands), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "text,shapes,error,said",
    [
        ("ij,jk->ik", [(2, 3)], ArgumentError, "for 2 operands, got 1"),
        ("ij->ik", [(2, 3)], ArgumentError, "'k' of the result"),
        ("ij->ii", [(2, 3)], ArgumentError, "twice in the result"),
        ("i&->i", [(2, 3)], ArgumentError, "cannot read"),
        ("ijk->i", [(2, 3)], ShapeError, "names 3 axes of an operand of 2"),
        ("ij,jk->ik", [(2, 3), (4, 5)], ShapeError, "sizes 3 and 4"),
    ],
)
def test_einsum_refuses(text, shapes, error, said):
    with pytest.raises(error) as caught:
        ops.einsum(text, *(rand(*s) for s in shapes))
    assert said in str(caught.value)

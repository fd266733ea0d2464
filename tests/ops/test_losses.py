"""Cross-entropy ops: values, gradients, extremes, labels out of range."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.errors import DataError, ShapeError
from gpunn.ops import losses
from gpunn.ops.losses import check_labels
from tests.harness import assert_close, check_op, rand

X = rand(6, 5, low=-3, high=3, seed=1)
P = rand(6, 5, low=0.05, high=0.95, seed=2)
T = rand(6, 5, low=0.05, high=0.95, seed=3)
LABELS = np.array([0, 4, 2, 2, 1, 3])


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def bce(t, p):
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


def picked(labels, p, axis=-1):
    p = np.take_along_axis(p, np.expand_dims(labels, axis), axis)
    return -np.log(p.squeeze(axis))


CASES = {
    "binary": (ops.binary_crossentropy, {}, T, P, bce),
    "binary logits": (
        ops.binary_crossentropy,
        {"from_logits": True},
        T,
        X,
        lambda t, x: bce(t, 1 / (1 + np.exp(-x))),
    ),
    "binary mean": (ops.binary_crossentropy, {"axis": -1}, T, P, lambda t, p: bce(t, p).mean(-1)),
    "binary mean rows": (
        ops.binary_crossentropy,
        {"axis": 0, "label_smoothing": 0.2},
        T,
        P,
        lambda t, p: bce(t * 0.8 + 0.1, p).mean(0),
    ),
    "categorical": (
        ops.categorical_crossentropy,
        {},
        T,
        P,
        lambda t, p: -(t * np.log(p / p.sum(-1, keepdims=True))).sum(-1),
    ),
    "categorical logits": (
        ops.categorical_crossentropy,
        {"from_logits": True},
        T,
        X,
        lambda t, x: -(t * np.log(softmax(x))).sum(-1),
    ),
    "categorical axis": (
        ops.categorical_crossentropy,
        {"from_logits": True, "axis": 0, "label_smoothing": 0.3},
        T,
        X,
        lambda t, x: -((t * 0.7 + 0.3 / len(t)) * np.log(softmax(x, 0))).sum(0),
    ),
    "categorical deep": (
        ops.categorical_crossentropy,
        {"axis": 1},
        rand(2, 3, 4, low=0.1, high=1, seed=4),
        rand(2, 3, 4, low=0.1, high=1, seed=5),
        lambda t, p: -(t * np.log(p / p.sum(1, keepdims=True))).sum(1),
    ),
    "sparse": (
        ops.sparse_categorical_crossentropy,
        {},
        LABELS,
        P,
        lambda y, p: picked(y, p / p.sum(-1, keepdims=True)),
    ),
    "sparse logits": (
        ops.sparse_categorical_crossentropy,
        {"from_logits": True},
        LABELS,
        X,
        lambda y, x: picked(y, softmax(x)),
    ),
    "sparse column": (
        ops.sparse_categorical_crossentropy,
        {"from_logits": True},
        LABELS[:, None],
        X,
        lambda y, x: picked(y[:, 0], softmax(x)),
    ),
    "sparse axis": (
        ops.sparse_categorical_crossentropy,
        {"from_logits": True, "axis": 1},
        LABELS[:4].reshape(2, 2) % 3,
        rand(2, 3, 2, seed=6),
        lambda y, x: picked(y, softmax(x, 1), 1),
    ),
    "sparse ignore": (
        ops.sparse_categorical_crossentropy,
        {"ignore_class": 2},
        LABELS,
        P,
        lambda y, p: np.where(y == 2, 0, picked(y, p / p.sum(-1, keepdims=True))),
    ),
    "sparse wide": (
        ops.sparse_categorical_crossentropy,
        {"from_logits": True},
        np.array([0, 99, 50]),
        rand(3, 100, seed=7),
        lambda y, x: picked(y, softmax(x)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name, device):
    op, options, target, output, reference = CASES[name]
    check_op(
        lambda t, x: op(t, x, **options),
        target,
        output,
        reference=reference,
        device=device,
        rtol=2e-5,
    )


def test_every_op_has_a_case():
    plain = {"sigmoid_cross_entropy", "softmax_cross_entropy"}  # test_extreme_logits
    assert {op.__name__ for op, *_ in CASES.values()} | plain == set(losses.__all__)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_logits(device, dtype):
    x = np.array([-1e4, -100, -20, 0, 20, 100, 1e4], dtype)
    for label in (0.0, 1.0):
        t = np.full_like(x, label)
        logits = gpunn.Tensor(x, requires_grad=True)
        loss = ops.sigmoid_cross_entropy(gpunn.Tensor(t), logits)
        sign = -1 if label else 1
        assert_close(loss, np.logaddexp(0, sign * x.astype("float64")), dtype=dtype)
        loss.sum().backward()
        with np.errstate(over="ignore"):
            p = 1 / (1 + np.exp(-x.astype("float64")))
        assert_close(logits.grad, p - label, "gradient", dtype=dtype)
    pairs = gpunn.Tensor(np.stack([x, -x], 1), requires_grad=True)
    loss = ops.softmax_cross_entropy(gpunn.Tensor(np.zeros(len(x), "int32")), pairs)
    assert_close(loss, np.logaddexp(0, -2 * x.astype("float64")), dtype=dtype)
    loss.sum().backward()
    assert np.isfinite(pairs.grad.numpy()).all()


def test_saturated_probabilities(device):
    p = gpunn.Tensor(np.array([[0.0, 1.0]], "float32"), requires_grad=True)
    loss = ops.binary_crossentropy(gpunn.Tensor(np.array([[1.0, 0.0]], "float32")), p)
    assert_close(loss, [[16.118095, 15.942385]], rtol=1e-5)
    loss.sum().backward()
    assert_close(p.grad, [[0.0, 0.0]])


def test_dense_and_sparse_agree(device):
    one_hot = gpunn.Tensor(np.eye(5, dtype="float32")[LABELS])
    labels, x = gpunn.Tensor(LABELS), gpunn.Tensor(X.astype("float32"))
    assert_close(ops.softmax_cross_entropy(one_hot, x), ops.softmax_cross_entropy(labels, x))


def test_half_precision_is_computed_in_float32(device):
    p = gpunn.Tensor(np.array([0.0, 0.5, 1.0], "float16"), requires_grad=True)
    loss = ops.binary_crossentropy(gpunn.Tensor(np.array([0, 1, 1], "float16")), p)
    assert loss.dtype == np.float16
    assert np.isfinite(loss.numpy()).all()
    loss.sum().backward()
    assert p.grad.dtype == np.float16


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("bad", [-1, 5, 2**33])
def test_labels_out_of_range(device, from_logits, bad):
    labels = LABELS.copy()
    labels[3] = bad
    x = gpunn.Tensor(P.astype("float32"), requires_grad=True)

    def loss():
        return ops.sparse_categorical_crossentropy(gpunn.Tensor(labels), x, from_logits=from_logits)

    if device == "cpu":
        with pytest.raises(DataError, match=f"label {bad} in row 3 .* 0 ... 4 for 5 classes"):
            loss()
        return
    values = loss()
    with pytest.raises(DataError, match=f"^label {bad} is out of range: expected 0 ... 4"):
        values.numpy()
    assert list(np.flatnonzero(np.isnan(values.numpy()))) == [3]
    values.sum().backward()
    assert list(np.flatnonzero(np.isnan(x.grad.numpy()).any(1))) == [3]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64", "bool", "float64"])
def test_labels_of_any_dtype(dtype):
    check_labels(np.array([[0, 1], [1, 1]], dtype), 2)
    check_labels(np.zeros(0, dtype), 2)
    if dtype != "bool":
        bad = np.array([[0, 1, 0], [1, 0, 2]], dtype)[:, ::-1]
        with pytest.raises(DataError, match=r"label 2.* in row \(1, 0\) .* 0 ... 1 for 2 classes"):
            check_labels(bad, 2)
    if dtype[0] in "if":
        with pytest.raises(DataError, match=r"label -1.* in row 1"):
            check_labels(np.array([0, -1], dtype), 300)


def test_float_labels(device):
    x = X.astype("float32")
    wanted = ops.softmax_cross_entropy(gpunn.Tensor(LABELS), gpunn.Tensor(x))
    got = ops.softmax_cross_entropy(gpunn.Tensor(LABELS.astype("float32")), gpunn.Tensor(x))
    assert_close(got, wanted)
    if device == "cpu":
        with pytest.raises(DataError, match="label nan in row 0"):
            ops.softmax_cross_entropy(np.full(6, np.nan, "float32"), x)


@pytest.mark.parametrize("ignored", [-1, 255])
def test_an_ignored_class_may_have_any_label(device, ignored):
    x = X.astype("float32")
    x[1] = np.nan
    logits = gpunn.Tensor(x, requires_grad=True)
    loss = ops.sparse_categorical_crossentropy(
        gpunn.Tensor(np.array([0, ignored, ignored, 4, 1, 1])),
        logits,
        from_logits=True,
        ignore_class=ignored,
    )
    assert list(np.flatnonzero(loss.numpy() == 0)) == [1, 2]
    loss.sum().backward()
    assert not logits.grad.numpy()[1:3].any()


@pytest.mark.parametrize(
    ("op", "target", "output"),
    [
        (ops.binary_crossentropy, T[:, :4], P),
        (ops.binary_crossentropy, T[:, 0], P[:, :1]),
        (ops.categorical_crossentropy, T[:5], P),
        (ops.categorical_crossentropy, np.float64(1.0), np.float64(1.0)),
        (ops.sparse_categorical_crossentropy, LABELS[:5], P),
        (ops.sparse_categorical_crossentropy, np.eye(5)[LABELS], P),
    ],
)
def test_shapes_that_do_not_fit(op, target, output):
    with pytest.raises(ShapeError, match=r"shape"):
        op(target, output)

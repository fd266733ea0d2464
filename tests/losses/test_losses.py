"""Every loss against Keras, with weights, masks, gradients and bad input."""

import json

import numpy as np
import pytest

import gpunn
from gpunn import losses, ops
from gpunn.autograd import check_gradients
from gpunn.errors import ArgumentError, DataError, ShapeError
from gpunn.losses.terms import MeanOfTerms
from tests.golden.cases_losses import CASES, REDUCTIONS, data
from tests.harness import assert_close, golden

NAMES = [name for name, *_ in CASES]
BY_NAME = {name: rest for name, *rest in CASES}


def tensor(x, **options):
    return gpunn.Tensor(x, **options)


def make(name, **more):
    cls, options, kind = BY_NAME[name]
    return getattr(losses, cls)(**options, **more), data(kind)


@pytest.mark.parametrize("weighting", ["plain", "weighted"])
@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradient_are_those_of_keras(name, weighting, device):
    wanted = golden("losses")
    for reduction in REDUCTIONS:
        key = f"{name}/{weighting}/{reduction}"
        if key not in wanted:  # one value for the whole batch: weights do not fit
            continue
        loss, (y, p, w) = make(name, reduction=reduction)
        w = None if weighting == "plain" else tensor(w)
        assert_close(loss(tensor(y), tensor(p), w), wanted[key], label=key)
    if f"{name}/{weighting}/gradient" in wanted:
        loss, (y, p, w) = make(name)
        p = tensor(p, requires_grad=True)
        loss(tensor(y), p, None if weighting == "plain" else tensor(w)).backward()
        assert_close(p.grad, wanted[f"{name}/{weighting}/gradient"], "gradient")


@pytest.mark.parametrize("name", [n for n in NAMES if "saturated" not in n])
def test_gradients_in_float64(name):
    loss, (y, p, w) = make(name)
    check_gradients(lambda p: loss(y, p), p.astype("float64"), eps=1e-7)
    if f"{name}/weighted/sum" in golden("losses"):
        check_gradients(lambda p: loss(y, p, w), p.astype("float64"), eps=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_dtypes(name):
    loss, (y, p, _) = make(name)
    wanted = golden("losses")[f"{name}/plain/sum_over_batch_size"]
    exact = loss(y.astype("float64"), p.astype("float64"))
    assert exact.dtype == np.float64
    if "saturated" not in name:  # 1 - 1e-7 is another number there
        assert_close(exact, wanted, dtype="float32")
    half = tensor(p.astype("float16"), requires_grad=True)
    value = loss(y, half)
    assert value.dtype == np.float32  # computed in at least floatx
    value.backward()
    assert half.grad.dtype == np.float16
    if "saturated" not in name:
        assert_close(value, wanted, dtype="float16")
    assert type(loss)(**BY_NAME[name][1], dtype="float16")(y, p).dtype == np.float16


def test_every_loss_has_a_case():
    compared = {cls for _, cls, *_ in CASES}
    missing = "a loss is not in tests/golden/cases_losses.py"
    assert compared == {cls.__name__ for cls in losses.CLASSES}, missing
    assert {make(name)[0].fn for name in NAMES} == set(losses.FUNCTIONS)
    assert set(losses.__all__) >= {x.__name__ for x in (*losses.CLASSES, *losses.FUNCTIONS)}


@pytest.mark.parametrize("name", NAMES)
def test_config_makes_an_equal_loss(name):
    loss, (y, p, _) = make(name, reduction="sum")
    config = json.loads(json.dumps(losses.serialize(loss)))
    again = losses.deserialize(config)
    assert type(again) is type(loss)
    assert again.get_config() == json.loads(json.dumps(loss.get_config()))
    assert again(y, p).item() == loss(y, p).item()


def test_a_wrapped_function_has_a_config():
    loss = losses.LossFunctionWrapper(losses.huber, name="h", reduction="sum", delta=2.0)
    again = losses.deserialize(json.loads(json.dumps(losses.serialize(loss))))
    assert again.fn is losses.huber
    assert again.get_config() == loss.get_config()


def test_dtype_survives_the_config():
    loss = losses.MeanSquaredError(dtype="float64")
    assert losses.MeanSquaredError.from_config(loss.get_config()).dtype == "float64"
    assert "dtype" not in losses.MeanSquaredError().get_config()


def test_names():
    for short, fn in losses.SHORT_NAMES.items():
        assert losses.get(short) is fn is losses.get(short.upper())
    for fn in losses.FUNCTIONS:
        assert losses.get(fn.__name__) is fn
    for cls in losses.CLASSES:
        assert type(losses.get(cls.__name__)) is cls
    assert losses.get(None) is None
    assert losses.get(len) is len
    loss = losses.Huber()
    assert losses.get(loss) is loss
    assert type(losses.get(losses.Huber)) is losses.Huber
    with pytest.raises(
        ArgumentError, match=r"unknown loss 'mean_squard_error'.*mean_squared_error"
    ):
        losses.get("mean_squard_error")


@pytest.mark.parametrize("fn", [losses.mean_squared_error, losses.binary_crossentropy])
def test_a_column_never_becomes_a_square(fn, device):
    y, p = np.array([0, 1, 1], "float32"), np.array([0.2, 0.4, 0.9], "float32")
    wanted = fn(tensor(y[:, None]), tensor(p[:, None]))
    assert wanted.shape == (3,)
    assert_close(fn(tensor(y), tensor(p[:, None])), wanted)
    assert_close(fn(tensor(y[:, None]), tensor(p)), wanted)


ELEMENTWISE = [
    fn
    for fn in losses.FUNCTIONS
    if fn
    not in (
        losses.sparse_categorical_crossentropy,
        losses.categorical_generalized_cross_entropy,
        losses.circle,
    )
]
SPREADING = {
    losses.mean_squared_error,
    losses.mean_absolute_error,
    losses.mean_absolute_percentage_error,
    losses.mean_squared_logarithmic_error,
    losses.huber,
    losses.log_cosh,
    losses.hinge,
    losses.squared_hinge,
    losses.kl_divergence,
    losses.poisson,
}


@pytest.mark.parametrize("fn", ELEMENTWISE)
def test_nothing_is_broadcast_but_one_label_a_row(fn, device):
    p = np.linspace(0.1, 0.9, 12, dtype="float32").reshape(4, 3)
    labels = np.array([[0.2], [0.4], [0.6], [0.9]], "float32")
    with pytest.raises(ShapeError, match=r"\(3,\).*\(4, 3\)"):
        fn(np.ones(3, "float32"), p)
    with pytest.raises(ShapeError, match=r"\(4, 2\).*\(4, 3\)"):
        fn(np.ones((4, 2), "float32"), p)
    for y in (labels, labels[:, 0]):
        if fn not in SPREADING:
            with pytest.raises(ShapeError, match=r"\(4, 3\)"):
                fn(y, p)
            continue
        with pytest.warns(UserWarning, match="each of the 3 outputs"):
            values = fn(tensor(y), tensor(p))
        assert_close(values, fn(tensor(np.repeat(labels, 3, 1)), tensor(p)).numpy())


def test_weights_fit_or_raise(device):
    y, p = np.zeros((4, 3, 2), "float32"), np.ones((4, 3, 2), "float32")
    mse = losses.MeanSquaredError()
    w = np.array([1, 2, 3, 0], "float32")
    wanted = mse(tensor(y), tensor(p), tensor(np.repeat(w[:, None], 3, 1)))
    for fitting in (w, w[:, None], np.repeat(w[:, None, None], 3, 1)):
        assert_close(mse(tensor(y), tensor(p), tensor(fitting)), wanted)
    assert_close(mse(tensor(y), tensor(p), 2.0), 2.0)
    for bad in (np.ones(3), np.ones((4, 2)), np.ones((4, 3, 2)), np.ones((2, 4, 3))):
        with pytest.raises(ShapeError, match="sample_weight of shape"):
            mse(tensor(y), tensor(p), tensor(bad))


def test_weights_per_sample_of_a_square_go_along_the_rows():
    y, p = np.zeros((3, 3, 1), "float32"), np.arange(9, dtype="float32").reshape(3, 3, 1)
    values = losses.MeanSquaredError(reduction=None)(y, p, np.array([1, 0, 0], "float32"))
    assert_close(values, [[0, 1, 4], [0, 0, 0], [0, 0, 0]], dtype="float32")


def test_masks(device):
    y, p = np.zeros((4, 2), "float32"), np.ones((4, 2), "float32") * [[1], [2], [3], [4]]
    y, p = tensor(y), tensor(p.astype("float32"))
    mask = tensor(np.array([True, False, True, False]))
    assert_close(losses.MeanSquaredError()(y, p, mask=mask), 5.0)
    assert_close(losses.MeanSquaredError(reduction="sum")(y, p, mask=mask), 10.0)
    assert_close(losses.MeanSquaredError(reduction=None)(y, p, mask=mask), [1.0, 0, 9, 0])
    weights = tensor(np.array([1, 1, 2, 1], "float32"))
    by_weight = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    assert_close(by_weight(y, p, weights, mask=mask), 19 / 3)
    assert_close(losses.MeanSquaredError()(y, p, mask=tensor(np.zeros(4, bool))), 0.0)


def test_host_labels_go_to_where_the_predictions_lie(device):
    p = tensor(np.array([[0.2, 0.8]], "float32"))
    with gpunn.device("cpu"):
        assert str(losses.CategoricalCrossentropy()([[0, 1]], p).device).startswith(device)
        assert str(losses.sparse_categorical_crossentropy([1], p).device).startswith(device)


def test_integer_labels_are_never_rounded():
    wide = np.zeros((1, 2), "float32")
    with pytest.raises(DataError, match="label 16777217 in row 0"):
        losses.SparseCategoricalCrossentropy()([16777217], wide)


@pytest.mark.parametrize(
    "loss", [losses.SparseCategoricalCrossentropy(), losses.CategoricalGeneralizedCrossEntropy()]
)
def test_labels_out_of_range(loss, device):
    y, p = tensor(np.array([0, 1, 2])), tensor(np.full((3, 2), 0.5, "float32"))
    if device == "cpu":
        with pytest.raises(DataError, match="label 2 in row 2"):
            loss(y, p)
    else:
        value = loss(y, p)
        with pytest.raises(DataError, match=f"loss '{loss.name}': label 2 is out of range"):
            value.item()
        assert np.isnan(value.item())


def test_bad_arguments():
    with pytest.raises(ArgumentError, match="reduction must be one of"):
        losses.MeanSquaredError(reduction="average")
    with pytest.raises(ArgumentError, match=r"q must be in \(0, 1\)"):
        losses.CategoricalGeneralizedCrossEntropy(q=1.0)
    with pytest.raises(ArgumentError, match="label_smoothing must be in"):
        losses.BinaryCrossentropy(label_smoothing=2)
    with pytest.raises(ArgumentError, match="axis must be an integer"):
        losses.CategoricalCrossentropy(axis=True)
    with pytest.raises(ShapeError, match="circle: expected embeddings"):
        losses.Circle()([0, 1, 2], np.ones((2, 2), "float32"))
    with pytest.raises(NotImplementedError, match="Loss has no call"):
        losses.Loss()([1.0], [1.0])


def test_one_class_is_warned_of():
    with pytest.warns(SyntaxWarning, match="one class"):
        losses.categorical_crossentropy(np.ones((2, 1)), np.ones((2, 1)))


def test_a_loss_of_yours(device):
    class Off(losses.Loss):
        def call(self, y_true, y_pred):
            assert y_true.dtype == y_pred.dtype == np.float32
            return gpunn.ops.abs(y_true - y_pred)

    loss = Off()
    assert loss.name == "off"
    p = tensor(np.array([1.0, 3.0], "float32"), requires_grad=True)
    value = loss(tensor(np.array([0, 1])), p)
    value.backward()
    assert_close(value, 1.5)
    assert_close(p.grad, [0.5, 0.5])


def test_structures_of_tensors_are_given_to_a_loss_of_yours(device):
    class Features(losses.Loss):
        def call(self, y_true, y_pred):
            assert isinstance(y_true, list) and isinstance(y_pred, list)
            pairs = zip(y_true, y_pred, strict=True)
            return sum(ops.mean(ops.abs(a - b), axis=(1,)) for a, b in pairs)

    p = [tensor(np.ones((2, n), "float32"), device=device) for n in (3, 4)]
    y = [np.zeros((2, 3)), np.full((2, 4), 3)]
    assert Features()(y, p).item() == 3
    assert_close(Features(reduction=None)(y, p, sample_weight=[1.0, 0.5]), [3.0, 1.5])
    same = [tensor(np.ones(3, "float32"), device=device)] * 2  # for ours, one tensor
    assert losses.MeanSquaredError()(np.zeros((2, 3)), same).item() == 1


@pytest.mark.parametrize("fn", [losses.hinge, losses.mean_squared_error])
def test_one_number_for_all_labels(fn, device):
    p = tensor(np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3), device=device)
    assert_close(fn(1.0, p), fn(np.ones((4, 3), "float32"), p).numpy())


def test_resolve_crossentropy():
    assert type(losses.resolve_crossentropy((8,), (8, 1))) is losses.BinaryCrossentropy
    sparse = losses.SparseCategoricalCrossentropy
    assert type(losses.resolve_crossentropy((8, 1), (8, 4))) is sparse
    assert type(losses.resolve_crossentropy((8,), (8, 4))) is sparse
    assert type(losses.resolve_crossentropy((8, 4), (8, 4))) is losses.CategoricalCrossentropy


def test_no_loss_reads_the_device(cuda):
    cudaemu = pytest.importorskip("cudaemu")
    for name in NAMES:
        loss, (y, p, w) = make(name)
        with gpunn.device("cuda"):
            y, p, w = tensor(y), tensor(p, requires_grad=True), tensor(w)
            weights = w if f"{name}/weighted/sum" in golden("losses") else None
            loss(y, p, weights).backward()
            with cudaemu.measure() as measured, cudaemu.log() as said:
                loss(y, p, weights).backward()
            assert measured.d2h == measured.h2d == measured.stream_syncs == 0, (name, said)


MEANS = [cls for cls in losses.REGISTRY.classes if issubclass(cls, MeanOfTerms)]


@pytest.mark.parametrize("cls", MEANS)
def test_means_of_terms_are_one_launch_each_way(cls, cuda):
    cudaemu = pytest.importorskip("cudaemu")
    rng = np.random.default_rng(0)
    with gpunn.device("cuda"):
        y, p = (tensor(rng.random((40, 7)).astype("f4")) for _ in range(2))
        loss = cls()
        for _ in range(2):
            x = tensor(p, requires_grad=True)
            with cudaemu.measure() as forward:
                value = loss(y, x)
            with cudaemu.measure() as backward:
                value.backward()
    assert forward.kernels + forward.cublas == 1
    assert backward.kernels + backward.cublas == 2  # with the copy for the leaf
    with gpunn.device("cpu"):
        assert_close(value, loss(tensor(y.numpy()), tensor(x.numpy())))


def test_terms_are_of_the_last_axis_however_a_loss_is_reduced(device):
    """The mean over all at once is that of the values of the rows."""
    y, p = (np.random.default_rng(i).random((4, 6)).astype("f4") + 0.1 for i in range(2))
    for cls in MEANS:
        values = cls(reduction=None)(y, p)
        assert values.shape == (4,)
        assert_close(cls()(y, p), values.numpy().mean())
        assert_close(cls(reduction="sum")(y, p), values.numpy().sum())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", [n for n in NAMES if "saturated" not in n])
def test_the_dtype_of_results_is_the_one_asked_for(name, dtype, device):
    loss, (y, p, _) = make(name, dtype=dtype)
    p = tensor(p, requires_grad=True)
    value = loss(tensor(y), p)
    assert value.dtype == dtype
    value.backward()
    assert p.grad.dtype == p.dtype
    assert make(name, dtype=dtype, reduction=None)[0](tensor(y), p).dtype == dtype

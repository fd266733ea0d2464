"""Every metric against Keras, batch by batch, and what all metrics have in common."""

import json

import numpy as np
import pytest

import gpunn
from gpunn import losses, metrics
from gpunn.errors import ArgumentError, DataError, ShapeError
from tests.golden.cases_metrics import CASES, batches
from tests.harness import assert_close, golden

BY_NAME = {name: rest for name, *rest in CASES}
OWN = {"ConfusionMatrix"}  # not in Keras: tested below


def make(name):
    cls, options, kind = BY_NAME[name]
    return getattr(metrics, cls)(**options), batches(kind)


def update(metric, batch, weighted):
    y, p, w = (None if a is None else gpunn.Tensor(a) for a in batch)
    given = (y,) if p is None else (y, p)
    metric.update_state(*given, sample_weight=w if weighted else None)


@pytest.mark.parametrize("weighting", ["plain", "weighted"])
@pytest.mark.parametrize("name", BY_NAME)
def test_results_are_those_of_keras(name, weighting, device):
    key = f"{name}/{weighting}"
    if key not in golden("metrics"):
        assert key == "pearson_axis/weighted"  # one value per column: no sample to weigh
        return
    metric, given = make(name)
    for _ in range(2):  # again after a reset
        for batch, wanted in zip(given, golden("metrics")[key], strict=True):
            update(metric, batch, weighting == "weighted")
            result = metric.result()
            assert_close(result, wanted, label=key)
            assert str(result.device).startswith(device)
            assert not result.requires_grad
        metric.reset_state()


@pytest.mark.parametrize("name", BY_NAME)
def test_state_as_values(name, device):
    (metric, given), (other, _) = make(name), make(name)
    weighted = f"{name}/weighted" in golden("metrics")
    with gpunn.device(device):
        for batch in given:
            update(other, batch, weighted)

    class Stateless:
        state = metric.variables

        def update_state(self, *args, **kwargs):
            self.state = metric.stateless_update_state(self.state, *args, **kwargs)

    stateless = Stateless()
    with gpunn.device(device):
        for batch in given:
            update(stateless, batch, weighted)
    for x, v in zip(stateless.state, other.variables, strict=True):
        np.testing.assert_array_equal(x.numpy(), v.numpy())
    assert_same(metric.stateless_result(stateless.state), other.result())
    assert all(not v.numpy().any() for v in metric.variables)
    for x in other.stateless_reset_state():
        assert not x.numpy().any()
    assert_same(metric.stateless_result(stateless.state), other.result())  # as it was


def assert_same(a, b):
    gpunn.tree.map_structure(
        lambda x, y: np.testing.assert_array_equal(np.asarray(x), np.asarray(y)), a, b
    )


def test_state_that_does_not_fit():
    metric = gpunn.metrics.Mean()
    with pytest.raises(ArgumentError, match="got 1 values for 2 variables"):
        metric.stateless_result([1.0])
    with pytest.raises(ShapeError, match=r"mean/total has shape \(\), got \(2,\)"):
        metric.stateless_update_state([[1.0, 2.0], 1.0], 3.0)


def test_every_metric_has_a_case():
    assert {cls for _, cls, *_ in CASES} | OWN == {cls.__name__ for cls in metrics.CLASSES}
    assert set(metrics.__all__) >= {x.__name__ for x in (*metrics.CLASSES, *metrics.FUNCTIONS)}
    used = {getattr(make(name)[0], "fn", None) for name in BY_NAME}
    rest = set(metrics.FUNCTIONS) - used - set(losses.FUNCTIONS)
    assert not rest


@pytest.mark.parametrize("name", BY_NAME)
def test_config_makes_an_equal_metric(name):
    metric, given = make(name)
    config = json.loads(json.dumps(metrics.serialize(metric)))
    again = metrics.deserialize(config)
    assert type(again) is type(metric)
    assert json.loads(json.dumps(again.get_config())) == config["config"]
    for m in (metric, again):
        update(m, given[0], weighted=False)
    assert_close(again.result(), metric.result())


@pytest.mark.parametrize("name", BY_NAME)
def test_predictions_in_other_dtypes(name):
    metric, given = make(name)
    for batch in given:
        update(metric, tuple(None if a is None else a.astype("float64") for a in batch), False)
    assert metric.result().dtype == np.float32
    if name != "bce":  # saturated: 1 - 1e-7 is another number in float64
        assert_close(metric.result(), golden("metrics")[f"{name}/plain"][-1])


@pytest.mark.parametrize("name", BY_NAME)
def test_updates_leave_the_batch_as_it_was_and_build_no_graph(name):
    metric, given = make(name)
    y, p, _ = given[0]
    if p is None:
        return
    before = y.copy(), p.copy()
    predictions = gpunn.Tensor(p, requires_grad=True)
    metric.update_state(y, predictions)
    assert not any(v.requires_grad for v in metric.variables)
    assert (y == before[0]).all() and (p == before[1]).all()


def test_a_long_epoch_is_summed_exactly():
    mean = metrics.Mean()
    mean.total.assign(2.0**24)
    mean.count.assign(2.0**25)
    for _ in range(4):
        mean.update_state([1.0])
    assert mean.total.item() == 2**24 + 4
    assert mean.count.item() == 2**25 + 4


def test_state_follows_the_predictions(device):
    with gpunn.device("cpu"):
        metric = metrics.SparseCategoricalAccuracy()
    p = gpunn.Tensor(np.eye(3, dtype="float32"))
    metric.update_state([0, 1, 1], p)  # host labels go there too
    assert all(str(v.device).startswith(device) for v in metric.variables)
    metric.update_state([0, 1, 2], p)
    assert_close(metric.result(), 5 / 6)


def test_a_metric_of_yours(device):
    class Largest(metrics.Metric):
        def __init__(self):
            super().__init__(name="largest")
            self.largest = self.add_variable((), "ones", name="largest")
            self.mean = metrics.Mean()

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.largest.assign(gpunn.ops.maximum(self.largest, gpunn.ops.max(y_pred)))
            self.mean.update_state(y_pred)

        def result(self):
            return self.largest

    metric = Largest()
    assert metric(gpunn.Tensor([0.0]), gpunn.Tensor([3.0])).item() == 3.0
    assert [v.name for v in metric.variables] == ["largest", "total", "count"]
    metric.reset_state()
    assert metric.result().item() == 0.0
    assert metric.mean.result().item() == 0.0
    assert metric.dtype == "float32"


def test_results_do_not_change_with_later_batches(device):
    for metric in (metrics.Sum(), metrics.Mean(), metrics.TruePositives([0.1, 0.2])):
        given = ([1.0],) if isinstance(metric, metrics.Sum | metrics.Mean) else ([1], [0.9])
        given = [gpunn.Tensor(g) for g in given]
        before = metric(*given)
        kept = before.numpy().copy()
        metric.update_state(*given)
        assert_close(before, kept)


def test_names():
    for short, cls in metrics.SHORT_NAMES.items():
        assert type(metrics.get(short)) is cls is type(metrics.get(short.upper()))
    assert type(metrics.get("auc")) is type(metrics.get("AUC")) is metrics.AUC
    assert type(metrics.get("root_mean_squared_error")) is metrics.RootMeanSquaredError
    assert metrics.get(None) is None
    with pytest.raises(ArgumentError, match=r"unknown metric 'acuracy'.*'accuracy'"):
        metrics.get("acuracy")


def test_a_wrapped_function_has_a_config():
    for fn in (losses.huber, metrics.pearson_correlation):
        metric = metrics.MeanMetricWrapper(fn, name="own")
        again = metrics.deserialize(json.loads(json.dumps(metrics.serialize(metric))))
        assert again.fn is fn
        assert again.get_config() == metric.get_config()


def test_resolve_accuracy():
    def kind(y_true, y_pred):
        metric = metrics.resolve_accuracy(y_true, y_pred, "acc")
        assert metric.name == "acc"
        return type(metric)

    assert kind((8,), (8, 1)) is kind((8, 1), (8, 1)) is metrics.BinaryAccuracy
    assert kind((8,), (8,)) is metrics.BinaryAccuracy  # Keras would compare the batch's argmax
    assert kind((8,), (8, 3)) is kind((8, 1), (8, 3)) is metrics.SparseCategoricalAccuracy
    assert kind((8, 3), (8, 3)) is metrics.CategoricalAccuracy
    assert kind((None, 5), (None, 5, 3)) is metrics.SparseCategoricalAccuracy


@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_confusion_matrix_is_that_of_scikit_learn(normalize, device):
    sklearn = pytest.importorskip("sklearn.metrics")
    r = np.random.default_rng(0)
    y, ids, w = r.integers(0, 3, 20), r.integers(0, 3, 20), r.uniform(0, 2, 20)
    metric = metrics.ConfusionMatrix(4, normalize=normalize, sparse_y_pred=True)
    for part in (slice(0, 12), slice(12, 20)):
        metric.update_state(*(gpunn.Tensor(a[part]) for a in (y, ids, w)))
    wanted = sklearn.confusion_matrix(y, ids, labels=range(4), sample_weight=w, normalize=normalize)
    assert_close(metric.result(), wanted.astype("float32"))


def test_confusion_matrix_of_scores(device):
    scores = gpunn.Tensor(np.array([[0.1, 0.9], [0.8, 0.2]], "float32"))
    metric = metrics.ConfusionMatrix(2, ignore_class=7)
    assert_close(metric(gpunn.Tensor([1, 1]), scores), np.array([[0, 0], [1, 1]], "float32"))
    assert_close(metric(gpunn.Tensor([7, 0]), scores), np.array([[1, 0], [1, 1]], "float32"))
    if device == "cpu":
        with pytest.raises(DataError, match="label 2 in row 1"):
            metric.update_state([0, 2], scores)
        return
    metric.update_state(gpunn.Tensor([0, 2]), scores)
    with pytest.raises(DataError, match="metric 'confusion_matrix': label 2 is out of range"):
        metric.result().numpy()
    counted = metrics.ConfusionMatrix(2, sparse_y_pred=True)
    counted.update_state(gpunn.Tensor([0, 1]), gpunn.Tensor([0, -3]))
    with pytest.raises(DataError, match="prediction -3 is out of range"):
        counted.result().numpy()


CLASSES, ROWS = 11, 300
DRAWN = np.random.default_rng(5)
SCORES = DRAWN.normal(size=(ROWS, CLASSES)).astype("float32")
IDS = DRAWN.integers(0, CLASSES, (2, ROWS)).astype("int32")
ONE_HOT = np.eye(CLASSES, dtype="float32")[IDS[0]]
BINARY = DRAWN.integers(0, 2, (ROWS, CLASSES)).astype("float32")
CHANCES = DRAWN.random((ROWS, CLASSES)).astype("float32")
WEIGHTS = DRAWN.random(ROWS).astype("float32")
# how many launches an update is, for labels and predictions
LAUNCHES = {
    "mean": (lambda: metrics.Mean(), (CHANCES,), 1),
    "sum": (lambda: metrics.Sum(), (CHANCES,), 1),
    "accuracy": (lambda: metrics.Accuracy(), (*IDS,), 1),
    "binary": (lambda: metrics.BinaryAccuracy(threshold=0.4), (BINARY, CHANCES), 1),
    "sparse": (lambda: metrics.SparseCategoricalAccuracy(), (IDS[0], SCORES), 1),
    "one hot": (lambda: metrics.CategoricalAccuracy(), (ONE_HOT, SCORES), 1),
    "top k": (lambda: metrics.TopKCategoricalAccuracy(3), (ONE_HOT, SCORES), 1),
    "sparse top k": (lambda: metrics.SparseTopKCategoricalAccuracy(3), (IDS[0], SCORES), 1),
    "auc": (lambda: metrics.AUC(), (BINARY, CHANCES), 1),
    "auc of columns": (lambda: metrics.AUC(30, multi_label=True), (BINARY, CHANCES), 1),
    "precision": (lambda: metrics.Precision(), (BINARY, CHANCES), 1),
    "recall": (lambda: metrics.Recall([0.2, 0.5, 0.9]), (BINARY, CHANCES), 1),
    "negatives": (lambda: metrics.FalseNegatives(), (BINARY, CHANCES), 1),
    "true negatives": (lambda: metrics.TrueNegatives(0.3), (BINARY, CHANCES), 1),
    "sensitivity": (lambda: metrics.SensitivityAtSpecificity(0.5), (BINARY, CHANCES), 1),
    "iou": (lambda: metrics.MeanIoU(CLASSES, ignore_class=3), (*IDS,), 2),
    "binary iou": (lambda: metrics.BinaryIoU(), (BINARY, CHANCES), 3),
    "confusion": (lambda: metrics.ConfusionMatrix(CLASSES), (IDS[0], SCORES), 3),
    "squared error": (lambda: metrics.MeanSquaredError(), (BINARY, CHANCES), 2),
    "root": (lambda: metrics.RootMeanSquaredError(), (BINARY, CHANCES), 2),
    "log cosh": (lambda: metrics.LogCoshError(), (BINARY, CHANCES), 2),
    "poisson": (lambda: metrics.Poisson(), (BINARY, CHANCES), 2),
    "f1": (lambda: metrics.F1Score(), (BINARY, CHANCES), 4),
    "f1 above": (lambda: metrics.F1Score("micro", threshold=0.5), (BINARY, CHANCES), 3),
    "r2": (lambda: metrics.R2Score(), (BINARY, CHANCES), 4),
}


@pytest.mark.parametrize("weighted", (False, True))
@pytest.mark.parametrize("name", LAUNCHES)
def test_a_gpu_counts_in_few_launches_what_the_cpu_counts(name, weighted, cuda):
    make, operands, launches = LAUNCHES[name]
    operands = [*operands, *([WEIGHTS] if weighted else [])]
    found = []
    for device in ("cpu", "cuda"):
        with gpunn.device(device):
            metric = make()
            given = [gpunn.Tensor(x) for x in operands]
            for _ in range(2):
                metric.update_state(*given)
            found.append([v.numpy() for v in metric.variables])
    for x, e in zip(*found, strict=True):
        np.testing.assert_allclose(x, e, rtol=1e-5)
    cudaemu = pytest.importorskip("cudaemu")
    with gpunn.device("cuda"), cudaemu.measure() as counted:
        metric.update_state(*given)
    # a weighted sum is of sums times weights; weights of a matrix are converted to double
    more = {"sum": 2, "iou": 1, "binary iou": 1, "confusion": 1}.get(name, 0) if weighted else 0
    assert counted.kernels + counted.cublas == launches + more
    assert not counted.d2h and not counted.h2d


def test_means_of_many_values(cuda):
    """More than one block sums."""
    rng = np.random.default_rng(0)
    y, p, w = (rng.random((70_000, 3)).astype("float32") for _ in range(3))
    for make in (metrics.Mean, metrics.CategoricalAccuracy, metrics.BinaryAccuracy):
        results = []
        for device in ("cpu", "cuda"):
            with gpunn.device(device):
                metric = make()
                operands = [p] if make is metrics.Mean else [y > 0.5, p]
                weights = w if make is not metrics.CategoricalAccuracy else w[:, 0]
                metric.update_state(*map(gpunn.Tensor, operands), sample_weight=weights)
                results.append(metric.result().item())
        assert results[0] == pytest.approx(results[1], rel=1e-5)


def test_perfect_and_constant_r2():
    column = np.array([[1.0], [1.0]], "float32")
    assert metrics.R2Score()(column, column).item() == 1.0
    assert metrics.R2Score()(column, column + 1).item() == 0.0
    assert metrics.R2Score(num_regressors=5)([[1.0], [2.0]], [[1.0], [2.5]]).item() == 0.5


def test_nan_predictions_are_no_positives(device):
    p = gpunn.Tensor(np.array([np.nan, 0.9], "float32"))
    y = gpunn.Tensor(np.array([1, 1]))
    assert metrics.Recall()(y, p).item() == 0.5
    auc = metrics.AUC()
    auc.update_state(y, p)
    assert auc.true_positives.numpy().max() == 2  # above the threshold below 0, and no other
    assert (
        metrics.SparseTopKCategoricalAccuracy(2)(
            gpunn.Tensor([0]), gpunn.Tensor(np.full((1, 3), np.nan, "float32"))
        ).item()
        == 0.0
    )


@pytest.mark.parametrize(
    ("metric", "y", "p"),
    [
        (metrics.BinaryAccuracy(), np.ones(4), np.ones((4, 3))),
        (metrics.CategoricalAccuracy(), np.ones(4), np.ones((4, 3))),
        (metrics.SparseCategoricalAccuracy(), np.ones(5), np.ones((4, 3))),
        (metrics.SparseTopKCategoricalAccuracy(), np.ones((4, 2)), np.ones((4, 3))),
        (metrics.MeanSquaredError(), np.ones(3), np.ones((4, 3))),
        (metrics.RootMeanSquaredError(), np.ones(3), np.ones((4, 3))),
        (metrics.Precision(), np.ones(4), np.ones((4, 3))),
        (metrics.Precision(class_id=3), np.ones((4, 3)), np.ones((4, 3))),
        (metrics.AUC(multi_label=True), np.ones(4), np.ones(4)),
        (metrics.AUC(label_weights=[1.0]), np.ones((4, 3)), np.ones((4, 3))),
        (metrics.F1Score(), np.ones(4), np.ones(4)),
        (metrics.MeanIoU(2), np.ones(4), np.ones(5)),
        (metrics.R2Score(), np.ones((4, 3, 2)), np.ones((4, 3, 2))),
    ],
)
def test_shapes_that_do_not_fit(metric, y, p):
    with pytest.raises(ShapeError, match="shape"):
        metric.update_state(y, p)
    assert all(not v.numpy().any() for v in metric.variables)


@pytest.mark.parametrize("name", ["mse", "precision", "r2", "f1", "mean_iou", "mean"])
def test_weights_that_do_not_fit(name):
    metric, given = make(name)
    y, p, w = given[0]
    rest = (y,) if p is None else (y, p)
    with pytest.raises(ShapeError, match="sample_weight of shape"):
        metric.update_state(*rest, sample_weight=w[:-1])


def test_classes_that_change():
    metric = metrics.F1Score()
    metric.update_state(np.eye(3), np.eye(3))
    with pytest.raises(ShapeError, match="4 classes, before there were 3"):
        metric.update_state(np.eye(4), np.eye(4))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: metrics.Precision(thresholds=1.5), "thresholds must be in"),
        (lambda: metrics.Recall(thresholds=[0.5, None]), "thresholds must be in"),
        (lambda: metrics.AUC(curve="ROCK"), "curve must be one of"),
        (lambda: metrics.AUC(summation_method="best"), "summation_method must be one of"),
        (lambda: metrics.AUC(num_thresholds=1), "num_thresholds must be over 1"),
        (lambda: metrics.AUC(num_labels=3), "num_labels needs multi_label"),
        (lambda: metrics.SensitivityAtSpecificity(1.5), "specificity must be in"),
        (lambda: metrics.PrecisionAtRecall(0.5, num_thresholds=0), "num_thresholds must be pos"),
        (lambda: metrics.FBetaScore(average="mean"), "average must be one of"),
        (lambda: metrics.FBetaScore(beta=0.0), "beta must be a finite number > 0"),
        (lambda: metrics.F1Score(threshold=0.0), "threshold must be a finite number <= 1 and > 0"),
        (lambda: metrics.IoU(2, [2]), "target_class_ids"),
        (lambda: metrics.MeanIoU(0), "num_classes must be a positive"),
        (lambda: metrics.R2Score("sum"), "class_aggregation must be one of"),
        (lambda: metrics.R2Score(num_regressors=-1), "num_regressors must not be negative"),
        (lambda: metrics.ConfusionMatrix(2, "rows"), "normalize must be one of"),
    ],
)
def test_bad_arguments(make, said):
    with pytest.raises(ArgumentError, match=said):
        make()


def test_no_update_reads_the_device(cuda):
    cudaemu = pytest.importorskip("cudaemu")
    for name in BY_NAME:
        with gpunn.device("cuda"):
            metric, given = make(name)
            weighted = f"{name}/weighted" in golden("metrics")
            batch = tuple(None if a is None else gpunn.Tensor(a) for a in given[0])
            update(metric, batch, weighted)
            with cudaemu.measure() as measured, cudaemu.log() as said:
                update(metric, batch, weighted)
            assert measured.d2h == measured.h2d == measured.stream_syncs == 0, (name, said)


def test_mean_of_one_number_that_stands_for_several_samples(device):
    mean = metrics.Mean()
    for loss, size in ((1.0, 3), (5.0, 1)):
        mean.update_state(gpunn.Tensor(loss, device=device), sample_weight=size)
    assert mean.result().item() == 2.0
    assert mean.count.array.item() == 4


@pytest.mark.parametrize("weight", [2, 2.0, np.float32(2.0), np.array(2.0, "float32")])
def test_one_weight_for_all(weight, device):
    mean, total = metrics.Mean(), metrics.Sum()
    for metric in (mean, total):
        metric.update_state([[1.0, 2.0], [3.0, 6.0]], sample_weight=weight)
    assert mean.result().item() == 3.0 and total.result().item() == 24.0
    metric = metrics.MeanSquaredError()
    metric.update_state([[1.0, 2.0]], [[1.0, 4.0]], sample_weight=weight)
    assert metric.result().item() == 2.0


def test_rates_that_are_one_but_for_the_rounding_of_weights(device):
    # with weights, TP + FN is the sum of all positive ones however it is summed
    rng = np.random.default_rng(0)
    for _ in range(20):
        y, p = np.round(rng.uniform(size=18)), rng.uniform(0.01, 1, 18)
        metric = metrics.PrecisionAtRecall(1.0)
        w = rng.uniform(0.1, 2, 18)
        metric.update_state(y, p, sample_weight=w)
        assert metric.result().item() >= (y * w).sum() / w.sum() - 1e-6


def test_a_rate_that_is_good_enough_but_for_rounding(device):
    y = np.array([1.0, 1.0] + [0.0] * 10)
    p = np.array([0.5, 0.5, 0.4] + [0.6] * 9)
    metric = metrics.SensitivityAtSpecificity(0.1)
    metric.update_state(y, p, sample_weight=np.float32(0.7))
    assert metric.result().item() == 1.0


def test_name_of_a_wrapped_function():
    assert metrics.MeanMetricWrapper(gpunn.losses.huber).name == "mean_metric_wrapper"


@pytest.mark.parametrize("labels, ids", [([0, 2, 1], [0, 1, 1]), ([0, 1, 1], [0, -1, 1])])
def test_ids_out_of_range_count_for_nothing(device, labels, ids):
    metric = metrics.MeanIoU(2)
    assert round(metric(gpunn.Tensor(labels), gpunn.Tensor(ids)).item(), 5) == 1.0


def test_state_in_lists_and_dicts_is_found():
    metric = metrics.Mean()
    metric.more = {"a": [gpunn.Variable(0.0), metrics.Sum()], "b": (metrics.Mean(),)}
    assert len(metric.variables) == 2 + 1 + 1 + 2


def test_a_policy_says_the_dtype():
    policy = gpunn.dtype_policies.DTypePolicy("mixed_float16")
    assert metrics.Mean(dtype=policy).dtype == "float16"
    assert gpunn.losses.MeanSquaredError(dtype=policy).dtype == "float16"


def test_labels_in_a_column_of_samples_in_rows(device):
    scores = gpunn.Tensor([[[0.9, 0.1, 0.0], [0.2, 0.7, 0.1]]])
    assert metrics.SparseCategoricalAccuracy()(gpunn.Tensor([[0], [2]]), scores).item() == 0.5

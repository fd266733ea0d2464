"""Masks: made, passed on, used and dropped as in Keras; losses, metrics and pooling under them."""

import numpy as np
import pytest

import gpunn
from gpunn import layers, ops
from gpunn.autograd import mask_of, with_mask
from gpunn.errors import ShapeError
from tests.golden.cases_masks import (
    CHAINS,
    IDS,
    MERGED,
    inputs,
    second,
    sequences,
    values,
    weights,
)
from tests.harness import assert_close, golden

GOLDEN = golden("masks")


def chain(case):
    """A model of the layers of a case with their weights."""
    parts = CHAINS[case][0](layers)
    model = gpunn.Sequential(parts)
    model(inputs(case))
    for layer, given in zip(parts, weights(parts), strict=True):
        if given:
            layer.set_weights(given)
    return model


def found(prefix):
    """The golden arrays whose names go on with a number, in order."""
    names = [name for name in GOLDEN if name.startswith(prefix) and name[len(prefix) :].isdigit()]
    return [GOLDEN[f"{prefix}{i}"] for i in range(len(names))]


def assert_mask(y, case):
    """Raise unless a result has the mask that Keras gives it."""
    expected = GOLDEN.get(f"{case}/mask")
    assert (mask_of(y) is None) == (expected is None)
    if expected is not None:
        assert mask_of(y).dtype == bool and mask_of(y).device == y.device
        assert (mask_of(y).numpy() == expected).all()


@pytest.mark.parametrize("case", CHAINS)
def test_chain(case, device):
    model = chain(case)
    y = model(inputs(case), training=True)
    assert_close(y, GOLDEN[f"{case}/y"], rtol=2e-5, atol=2e-6)
    assert_mask(y, case)
    labels = values(y.shape, 9)
    loss = gpunn.losses.MeanSquaredError()(labels, y)
    assert_close(loss, GOLDEN[f"{case}/loss"], rtol=1e-5)
    metric = gpunn.metrics.MeanAbsoluteError()
    metric.update_state(labels, y)
    assert_close(metric.result(), GOLDEN[f"{case}/metric"], rtol=1e-5)
    if loss.requires_grad:
        loss.backward()
    for v, dw in zip(model.trainable_weights, found(f"{case}/dw"), strict=True):
        dx = np.zeros(v.shape) if v.grad is None else v.grad
        assert_close(dx, dw, "gradient", label=v.path)
    for v, moved in zip(model.non_trainable_weights, found(f"{case}/moved"), strict=True):
        assert_close(v, moved, rtol=2e-5, label=v.path)


@pytest.mark.parametrize("case", MERGED)
def test_merged(case, device):
    cls, options, masked = MERGED[case]
    given = zip((sequences(), second()), masked, strict=True)
    y = getattr(layers, cls)(**options)(
        [layers.Masking()(x) if m else gpunn.Tensor(x) for x, m in given]
    )
    assert_close(y, GOLDEN[f"{case}/y"], rtol=2e-5, atol=2e-6)
    assert_mask(y, case)


# --- where masks go ---


def test_ops_drop_masks_and_gradients_pass_them():
    x = gpunn.Tensor(values((2, 3), 1)).requires_grad_()
    masked = with_mask(x, [True, False])
    assert mask_of(masked * 2) is None and mask_of(masked.detach()) is None
    assert mask_of(x) is None and gpunn.Tensor([1.0])._keras_mask is None
    (masked * 3).sum().backward()
    assert (x.grad.numpy() == 3).all()
    y = with_mask(x * 2, [True, False])
    assert mask_of(with_mask(y, None)) is None
    y.sum().backward()
    assert (x.grad.numpy() == 5).all()


def test_layers_that_do_not_support_masking_say_so():
    x = layers.Masking()(sequences())
    with pytest.warns(UserWarning, match=r"'flat' \(Flatten\).*does not support masking"):
        assert mask_of(layers.Flatten(name="flat")(x)) is None
    y = layers.Dense(2)(x)
    assert mask_of(y) is mask_of(x)


def test_a_mask_survives_a_cast():
    x = with_mask(gpunn.Tensor(sequences(), dtype="float64"), IDS != 0)
    assert mask_of(layers.Dense(2)(x)) is not None


def test_an_explicit_mask_comes_first():
    layer = layers.LSTM(3, return_sequences=True)
    x = layers.Masking()(sequences())
    mask = np.ones(IDS.shape, bool)
    y = layer(x, mask=mask)
    assert_close(y, layer(sequences()).numpy(), rtol=1e-6)
    assert mask_of(y).numpy().all()
    by_position = layer(x, None, mask)
    assert_close(by_position, y.numpy(), rtol=0, atol=0)


def test_initial_states_beside_a_mask():
    """Keras gives the mask of the only tensor: beside states it must be given by hand."""
    layer, x = layers.GRU(3, return_sequences=True), layers.Masking()(sequences())
    states = [np.zeros((len(IDS), 3), "float32")]
    plain = layer(sequences())
    assert_close(layer(x, initial_state=states), plain.numpy(), rtol=1e-6)
    assert (layer(x).numpy() != plain.numpy()).any()


def test_several_masks_go_to_their_arguments():
    class Two(layers.Layer):
        def call(self, query, value, query_mask=None, value_mask=None):
            assert query_mask is not None and value_mask is None
            return query + value

    x = layers.Masking()(sequences())
    with pytest.warns(UserWarning, match="does not support masking"):
        Two()(x, gpunn.Tensor(sequences()))
    with pytest.warns(UserWarning, match="does not support masking"):
        Two()(query=x, value=gpunn.Tensor(sequences()))


def test_states_get_no_mask():
    y, h, c = layers.LSTM(2, return_sequences=True, return_state=True)(
        layers.Masking()(sequences())
    )
    assert mask_of(y) is not None and mask_of(h) is None and mask_of(c) is None
    both = layers.Bidirectional(layers.GRU(2, return_sequences=True), merge_mode=None)(
        layers.Masking()(sequences())
    )
    assert [mask_of(y) is not None for y in both] == [True, True]


def test_models_pass_masks_on_without_a_warning():
    inner = gpunn.Sequential([layers.Dense(2), gpunn.Sequential([layers.Dense(3)])])
    assert mask_of(inner(layers.Masking()(sequences()))) is not None

    class Net(gpunn.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x, mask=None):
            assert mask is not None
            return self.dense(x)

    assert mask_of(Net()(layers.Masking()(sequences()))) is not None
    x, mask = sequences(), IDS != 0
    inputs, lstm = gpunn.Input((5, 3)), layers.LSTM(3)
    for model in (gpunn.Sequential([lstm]), gpunn.Model(inputs, lstm(inputs))):
        assert_close(model(x, mask=mask), lstm(x, mask=mask).numpy(), rtol=0, atol=0)


def test_nested_inputs_and_outputs_keep_their_own_masks():
    class Both(layers.Layer):
        supports_masking = True

        def call(self, inputs):
            return {"b": inputs["b"] * 2, "a": inputs["a"] + 1}

    x = layers.Masking()(sequences())
    y = Both()({"b": x, "a": gpunn.Tensor(sequences())})
    assert mask_of(y["b"]) is mask_of(x) and mask_of(y["a"]) is None


def test_time_distributed_over_a_layer_with_a_mask():
    layer = layers.TimeDistributed(layers.GlobalAveragePooling1D())
    x = values((2, 3, 4, 5), 1)
    mask = np.random.default_rng(0).uniform(size=(2, 3, 4)) < 0.7
    y = layer(x, mask=mask)
    for step in range(3):
        expected = layers.GlobalAveragePooling1D()(x[:, step], mask=mask[:, step])
        assert_close(y[:, step], expected.numpy(), rtol=1e-6)


def test_a_layer_that_makes_masks_by_hand():
    class Ends(layers.Layer):
        def call(self, x):
            return with_mask(x * 1, np.arange(x.shape[1]) < [[1], [2]])

    y = layers.Dense(1)(Ends()(values((2, 3, 2), 0)))
    assert mask_of(y).numpy().tolist() == [[True, False, False], [True, True, False]]


def test_batch_statistics_under_a_mask(device):
    for axis in (1, -1):
        x = values((4, 5, 3), 1)
        mask = np.random.default_rng(0).uniform(size=(4, 5)) < 0.6
        layer = layers.BatchNormalization(axis=axis, dtype="float64")
        gpunn.autograd.check_gradients(
            lambda x, layer=layer, mask=mask: layer(x, training=True, mask=mask),
            x.astype("float64"),
        )
        given = np.broadcast_to(mask[:, :1], mask.shape)
        wide, narrow = (
            layer(x, training=True, mask=given),
            layer(x, training=True, mask=mask[:, :1]),
        )
        assert_close(narrow, wide.numpy(), rtol=0, atol=0)
    with pytest.raises(ShapeError, match="mask of shape"):
        layer(x, training=True, mask=mask[:, :2])


# --- losses and metrics ---


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_loss_of_masked_predictions(reduction, device):
    y, labels = values((3, 4, 2), 1), values((3, 4, 2), 2)
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]], bool)
    weight = values((3,), 3, 0.5, 2)
    loss = gpunn.losses.MeanSquaredError(reduction=reduction)
    errors = ((y - labels) ** 2).mean(-1) * mask
    by = {
        "sum_over_batch_size": mask.sum(),
        "sum": 1,
        "mean_with_sample_weight": (mask * weight[:, None]).sum(),
    }[reduction]
    expected = (errors * weight[:, None]).sum() / by
    assert_close(loss(labels, with_mask(y, mask), weight), expected, rtol=1e-5)
    assert_close(loss(labels, y, weight, mask=mask), expected, rtol=1e-5)
    none = loss(labels, with_mask(y, np.zeros_like(mask)), weight)
    assert none.item() == 0


def test_mask_and_ignored_class_together():
    labels = np.array([[0, 1, 2], [2, 2, 1]])
    y = np.random.default_rng(0).dirichlet(np.ones(3), (2, 3)).astype("float32")
    mask = np.array([[True, True, False], [True, False, True]])
    loss = gpunn.losses.SparseCategoricalCrossentropy(ignore_class=1)(labels, with_mask(y, mask))
    expected = -np.log([y[0, 0, 0], y[1, 0, 2]]).mean()
    assert_close(loss, expected, rtol=1e-5)


def test_metric_of_masked_predictions(device):
    y, labels = values((2, 3), 1), values((2, 3), 2)
    mask = np.array([[True, False, True], [False, False, True]])
    metric = gpunn.metrics.MeanMetricWrapper(lambda a, b: ops.abs(a - b))
    metric.update_state(labels, with_mask(y, mask), [2.0, 1.0])
    weights = mask * [[2.0], [1.0]]
    assert_close(metric.result(), (abs(y - labels) * weights).sum() / weights.sum(), rtol=1e-5)
    with pytest.raises(ShapeError, match="sample_weight"):
        metric.update_state(labels, with_mask(y, mask), [1.0, 2.0, 3.0])


def test_masked_model_trains_on_what_counts(device):
    """What stands at masked steps changes neither the weights nor what is reported."""
    histories = []
    for fill in (0.0, 7.0):
        gpunn.set_seed(1)
        model = gpunn.Sequential(
            [
                layers.Embedding(5, 4, mask_zero=True),
                layers.LSTM(4, return_sequences=True),
                layers.Dense(1),
            ]
        )
        model.compile("adam", "mse", metrics=["mae"])
        y = np.where(IDS != 0, values(IDS.shape, 3), fill).astype("float32")[..., None]
        history = model.fit(IDS, y, epochs=3, batch_size=2, shuffle=False, verbose=0).history
        histories.append([np.round(v, 5).tolist() for v in history.values()])
    assert histories[0] == histories[1]

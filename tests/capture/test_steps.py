"""A captured step gives the bits of the eager one: layers, losses, optimizers, metrics, options."""

import inspect

import numpy as np
import pytest

import gpunn
from gpunn.capture import PASSES
from gpunn.layers import Dense
from tests.capture.steps import batches, rows, train

layers = gpunn.layers
L1L2 = gpunn.regularizers.L1L2(0.01, 0.02)
ACTIVATIONS = sorted(
    set(gpunn.activations.__all__) - {"deserialize", "get", "serialize", "glu", "threshold"}
)


class Own(layers.Layer):
    """Makes arrays in `call`."""

    def call(self, inputs):
        ops = gpunn.ops
        steps = ops.arange(inputs.shape[-1], dtype="float32") / ops.full((5,), 2.0)
        mask = ops.concatenate([ops.zeros((1, 2)), ops.ones((1, 3))], -1)
        turned = ops.matmul(inputs, ops.eye(5) + ops.tri(5))
        return turned * mask + steps + ops.zeros_like(inputs)


LAYERS = {
    "dense": lambda: [Dense(8)],
    "no bias": lambda: [Dense(8, use_bias=False)],
    "dense on rank 3": lambda: [layers.Reshape((5, 1)), Dense(4, "tanh"), layers.Flatten()],
    "batch norm": lambda: [Dense(8), layers.BatchNormalization(momentum=0.5)],
    "batch norm on rank 3": lambda: [
        layers.Reshape((5, 1)), Dense(4), layers.BatchNormalization(), layers.Flatten()
    ],
    "layer norm": lambda: [Dense(8), layers.LayerNormalization()],
    "dropout": lambda: [Dense(8), layers.Dropout(0.4)],
    "dropout of columns": lambda: [Dense(8), layers.Dropout(0.4, noise_shape=(None, 1))],
    "gaussian dropout": lambda: [Dense(8), layers.GaussianDropout(0.4)],
    "gaussian noise": lambda: [Dense(8), layers.GaussianNoise(0.4)],
    "alpha dropout": lambda: [Dense(8), layers.AlphaDropout(0.4)],
    "activity": lambda: [Dense(8), layers.ActivityRegularization(0.1, 0.1)],
    "regularizers": lambda: [Dense(8, kernel_regularizer=L1L2, bias_regularizer="l2")],
    "orthogonal": lambda: [Dense(4, kernel_regularizer=gpunn.regularizers.OrthogonalRegularizer())],
    "arrays of its own": lambda: [Own()],
    "constraint": lambda: [Dense(8, kernel_constraint=gpunn.constraints.MaxNorm(0.5))],
    "rescaling": lambda: [layers.Rescaling(0.5, 1.0)],
    "normalization": lambda: [layers.Normalization(mean=1.0, variance=2.0)],
    "nested": lambda: [gpunn.Sequential([Dense(4, "relu"), layers.BatchNormalization()])],
    "nothing": list,
}  # fmt: skip


ON_IMAGES = {
    "convolution": lambda: [layers.Conv2D(4, 3, activation="relu")],
    "strided": lambda: [layers.Conv2D(4, 3, strides=2, padding="same")],
    "transposed": lambda: [layers.Conv2DTranspose(4, 3)],
    "depthwise": lambda: [layers.DepthwiseConv2D(3)],
    "separable": lambda: [layers.SeparableConv2D(4, 3), layers.BatchNormalization()],
    "max": lambda: [layers.Conv2D(4, 3), layers.MaxPooling2D(2)],
    "average": lambda: [layers.Conv2D(4, 3), layers.AveragePooling2D(2)],
    "global max": lambda: [layers.Conv2D(4, 3), layers.GlobalMaxPooling2D()],
    "borders": lambda: [layers.Conv2D(4, 3), layers.ZeroPadding2D(), layers.Cropping2D(2)],
    "larger": lambda: [layers.Conv2D(4, 3), layers.UpSampling2D()],
}
ON_SEQUENCES = {
    "causal": lambda: [layers.Conv1D(4, 3, padding="causal")],
    "SimpleRNN": lambda: [layers.SimpleRNN(5, return_sequences=True)],
    "LSTM": lambda: [layers.LSTM(5, return_sequences=True), layers.LSTM(3)],
    "GRU": lambda: [layers.GRU(5, return_sequences=True), layers.GRU(3)],
    "Bidirectional": lambda: [layers.Bidirectional(layers.LSTM(3))],
}


def subclasses(module, base, without=()):
    """The names of a module's public classes of a kind."""
    found = []
    for name in sorted(module.__all__):
        thing = getattr(module, name)
        if inspect.isclass(thing) and issubclass(thing, base) and name not in without:
            found.append(name)
    return found


LOSSES = subclasses(
    gpunn.losses, gpunn.losses.Loss, {"Loss", "LossFunctionWrapper", "Circle", "CTC"}
)  # Circle takes embeddings, CTC sequences
OPTIMIZERS = subclasses(
    gpunn.optimizers,
    gpunn.optimizers.Optimizer,
    {"Optimizer", "LossScaleOptimizer", "MultiOptimizer"},
)  # those that take optimizers have tests of their own below
METRICS = {
    **{n: {} for n in subclasses(gpunn.metrics, gpunn.metrics.Metric, {"Metric", "Sum"})},
    "ConfusionMatrix": {"num_classes": 3},
    "IoU": {"num_classes": 3, "target_class_ids": [0]},
    "MeanIoU": {"num_classes": 3},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [0]},
    "OneHotMeanIoU": {"num_classes": 3},
    **{
        n: {n.partition("At")[2].lower(): 0.5}
        for n in ("PrecisionAtRecall", "RecallAtPrecision", "SensitivityAtSpecificity",
                  "SpecificityAtSensitivity")
    },
}  # fmt: skip
for wrapped in ("Mean", "MeanMetricWrapper"):
    METRICS.pop(wrapped)


def sequence(parts=list, out=3, activation=None, width=5, **compiled):
    """A function that makes a compiled model of the layers that `parts` gives."""
    compiled = {"optimizer": "adam", "loss": "mse", **compiled}

    def make():
        inputs = gpunn.Input((width,))
        model = gpunn.Sequential([inputs, *parts(), Dense(out, activation)])
        model.compile(**{k: v() if inspect.isclass(v) else v for k, v in compiled.items()})
        return model

    return make


def assert_captured(captured, plans=1, inside=("optimizer", "metrics")):
    assert captured.refused is None
    assert len(captured._steps) == plans
    assert all(plan.inside == inside for plan in captured._steps.values())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name):
    assert_captured(train(sequence(lambda: [Dense(8, name)]), batches(4, target=3)))


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    assert_captured(train(sequence(LAYERS[name]), batches(5, target=3)))


@pytest.mark.parametrize(
    "shape, parts",
    [pytest.param((8, 8, 3), parts, id=name) for name, parts in ON_IMAGES.items()]
    + [pytest.param((6, 4), parts, id=name) for name, parts in ON_SEQUENCES.items()],
)
def test_layer_of_more_axes(shape, parts):
    def make():
        flat = [layers.Flatten(), Dense(3)]
        model = gpunn.Sequential([gpunn.Input(shape), *parts(), *flat])
        model.compile("adam", "mse")
        return model

    size = int(np.prod(shape))
    data = [(x.reshape(-1, *shape), y) for x, y in batches(4, 3, size, target=3)]
    assert_captured(train(make, data))


@pytest.mark.parametrize("weights", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("name", LOSSES)
def test_loss(name, weights):
    labels = "Sparse" in name or name == "CategoricalGeneralizedCrossEntropy"
    data = batches(4, classes=3 if labels else None, target=3, weights=weights)
    make = sequence(lambda: [Dense(8, "relu")], 3, "softmax", loss=getattr(gpunn.losses, name))
    assert_captured(train(make, data))


CLIPPING = [{"clipnorm": 0.1}, {"global_clipnorm": 0.1}, {"clipvalue": 0.01}]
OPTIONS = [
    *CLIPPING, {"use_ema": True}, {"weight_decay": 0.01}, {"loss_scale_factor": 8.0},
    {"use_ema": True, "weight_decay": 0.01, "global_clipnorm": 0.1},
    {"use_ema": True, "ema_overwrite_frequency": 2}, {"gradient_accumulation_steps": 2},
]  # fmt: skip
UNEQUAL_STEPS = {"ema_overwrite_frequency", "gradient_accumulation_steps"}


def train_with(optimizer, inside=("optimizer", "metrics")):
    def make():
        model = gpunn.Sequential([gpunn.Input((5,)), Dense(8, "relu"), Dense(3)])
        model.compile(optimizer(), "mse", metrics=["mae"])
        return model

    captured = train(make, batches(6, target=3))
    assert_captured(captured, inside=inside)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name):
    train_with(getattr(gpunn.optimizers, name))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", ["Adam", "SGD"])
def test_options(name, options):
    inside = ("metrics",) if UNEQUAL_STEPS & set(options) else ("optimizer", "metrics")
    train_with(lambda: getattr(gpunn.optimizers, name)(**options), inside)


def test_an_optimizer_for_each_part():
    def parts():
        sgd, adam = gpunn.optimizers.SGD(0.1, momentum=0.9), gpunn.optimizers.Adam()
        return gpunn.optimizers.MultiOptimizer(gpunn.optimizers.OptimizerMap(sgd, {".*bias": adam}))

    train_with(parts, inside=("metrics",))


def test_a_loss_scale():
    scaled = gpunn.optimizers.LossScaleOptimizer
    train_with(lambda: scaled(gpunn.optimizers.Adam(), 8.0, 2), inside=("metrics",))


def test_a_schedule():
    schedule = gpunn.optimizers.schedules.CosineDecay(0.1, 5)
    train_with(lambda: gpunn.optimizers.Adam(schedule))


@pytest.mark.parametrize("name", METRICS)
def test_metric(name):
    kind, options = getattr(gpunn.metrics, name), METRICS[name]

    def make():
        model = gpunn.Sequential([gpunn.Input((5,)), Dense(3, "softmax")])
        loss = "sparse_categorical_crossentropy" if labels else "mse"
        model.compile("sgd", loss, metrics=[kind(**options)])
        return model

    labels = "Sparse" in name or name == "ConfusionMatrix"
    assert_captured(train(make, batches(4, classes=3 if labels else None, target=3)))


@pytest.mark.parametrize("batch", [1, 2, 33, 130])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sizes(batch, dtype):
    gpunn.backend.set_floatx(dtype)
    parts = lambda: [Dense(67, "relu"), layers.BatchNormalization(), Dense(33, "tanh")]  # noqa: E731
    make = sequence(parts, 11, "softmax", width=41, loss="sparse_categorical_crossentropy",
                    metrics=["accuracy"])  # fmt: skip
    data = batches(5, n=batch, width=41, classes=11, dtype=dtype)
    assert_captured(train(make, data))


CHOICES = [(), *[(name,) for name in PASSES], ("arena",), ("dead", "retarget"),
           ("retarget", "in_place", "arena"), ("dead", "in_place", "arena")]  # fmt: skip


@pytest.mark.parametrize("passes", CHOICES, ids="+".join)
def test_passes(passes):
    parts = lambda: [Dense(8, "gelu", kernel_regularizer="l2"), layers.LayerNormalization(),  # noqa: E731
                     layers.Dropout(0.3), layers.BatchNormalization()]  # fmt: skip
    make = sequence(parts, metrics=["mae"])
    assert_captured(train(make, batches(5, target=3, weights=True), passes))


def test_several_shapes_in_turn():
    data = batches(5, n=8, target=3) + batches(5, n=3, target=3)
    order = [0, 5, 1, 6, 2, 7, 3, 8, 4, 9]
    make = sequence(LAYERS["dropout"], metrics=["mae"])
    assert_captured(train(make, [data[i] for i in order]), plans=2)


class TwoHeads(gpunn.Model):
    """One trunk, tied twice, and two outputs."""

    def __init__(self):
        super().__init__()
        self.trunk = Dense(5, "relu")
        self.one, self.two = Dense(3), Dense(3)
        self.output_names = ("one", "two")

    def call(self, x):
        x = self.trunk(self.trunk(x))
        self.add_loss(gpunn.ops.mean(x * x))
        return {"one": self.one(x), "two": self.two(x)}


def test_several_outputs_and_tied_weights():
    def make():
        model = TwoHeads()
        model.compile("adam", {"one": "mse", "two": "mae"}, loss_weights={"one": 0.3, "two": 2.0},
                      metrics={"one": ["mae"]})  # fmt: skip
        return model

    data = [(x, {"one": y, "two": y * 2}) for x, y in batches(6, target=3)]
    assert_captured(train(make, data))


def test_fit():
    histories, weights = [], []
    for jit in (False, True):
        gpunn.set_seed(3)
        model = sequence(LAYERS["dropout"], 1, "sigmoid", loss="binary_crossentropy",
                         metrics=["accuracy", "auc"])()  # fmt: skip
        model.compile("adam", "binary_crossentropy", metrics=["accuracy", "auc"], jit_compile=jit)
        x = rows(53)
        y = (x.sum(1) > 0).astype("float32")
        slower = gpunn.callbacks.LearningRateScheduler(lambda epoch, lr: lr * 0.7)
        found = model.fit(x, y, batch_size=8, epochs=4, verbose=0, validation_split=0.2,
                          callbacks=[slower], class_weight={0: 1.0, 1: 2.0})  # fmt: skip
        histories.append(found.history)
        weights.append([w.tobytes() for w in model.get_weights()])
        if jit:
            assert_captured(model._captured, plans=2)
    assert histories[0] == histories[1]
    assert weights[0] == weights[1]


def test_memory_is_shared():
    make = sequence(lambda: [Dense(64, "relu")] * 1 + [Dense(64, "gelu"), Dense(64, "tanh")])
    sizes = []
    for passes in (("arena",), ()):
        captured = train(make, batches(4, n=64, target=3), passes)
        sizes.append(next(iter(captured._steps.values())).plan.arena.size)
    assert sizes[0] < sizes[1] / 2


def test_weight_gradients_are_computed_in_place():
    captured = train(sequence(lambda: [Dense(8, "relu")]), batches(4, target=3))
    plan = next(iter(captured._steps.values())).plan
    slots = [v._grad_slot for v in next(iter(captured._steps.values())).trained]
    products = [args[2] for function, args in plan.calls if function is np.dot.__wrapped__]
    assert all(any(np.may_share_memory(out, slot) for out in products) for slot in slots)

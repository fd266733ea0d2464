"""When plans are made, dropped and refused, and that a recording changes nothing."""

import copy
import pickle

import numpy as np
import pytest

import gpunn
from gpunn.errors import CaptureError, DataError
from gpunn.layers import BatchNormalization, Dense, Dropout
from gpunn.training.plans.captured import CapturedStep
from tests.capture.steps import assert_same, batches, state, train, twins


def net(**compiled):
    model = gpunn.Sequential(
        [gpunn.Input((5,)), Dense(8, "relu"), Dropout(0.3), BatchNormalization(), Dense(3)]
    )
    model.compile(**{"optimizer": "adam", "loss": "mse", "metrics": ["mae"], **compiled})
    return model


def packed(model, batch):
    made = model._tensors_of_batch(*batch, None)
    model._prepare_for_batch(made)
    return gpunn.data.pack_x_y_sample_weight(*made)


class Failing(gpunn.layers.Layer):
    """Reads a value when told to, in the gradient or in the forward pass."""

    reads = None

    def call(self, inputs):
        if self.reads == "forward":
            float(gpunn.ops.sum(inputs))
        if self.reads == "numpy":
            return inputs * inputs.numpy().mean()
        if self.reads == "draw":
            return inputs + gpunn.random.normal(inputs.shape, seed=gpunn.random.SeedGenerator(1))
        if self.reads == "attribute":
            self.seen = inputs
        if self.reads == "list":
            self.kept.append(1)
        return reading(inputs) if self.reads == "backward" else inputs


@gpunn.primitive
def reading(be, x, /):
    def pullback(dy, needs):
        return (dy * float(dy.reshape(-1)[0]),)

    return x * 1.0, pullback


@gpunn.primitive
def overwriting_operand(be, x, /):
    x *= 2
    return x, lambda dy, needs: (dy * 2,)


@gpunn.primitive
def overwriting_gradient(be, x, /):
    def pullback(dy, needs):
        dy *= 2
        return (dy,)

    return x * 2, pullback


@pytest.mark.parametrize("wrong", [overwriting_operand, overwriting_gradient])
def test_a_body_that_changes_what_it_did_not_make(wrong):
    parts = [Dense(8), gpunn.layers.Lambda(lambda x: wrong(x)), Dense(3)]
    model = gpunn.Sequential([gpunn.Input((5,)), *parts])
    model.compile("sgd", "mse", jit_compile=True)
    x, y = batches(1, target=3)[0]
    with pytest.raises(CaptureError, match=f"{wrong.__name__} changes an array in place"):
        for _ in range(3):
            model.train_on_batch(x, y)


def failing(reads, strict=False):
    layer = Failing()
    layer.kept = []
    layer.reads = reads
    model = gpunn.Sequential([gpunn.Input((5,)), Dense(8), BatchNormalization(), layer, Dense(3)])
    model.compile("adam", "mse", metrics=["mae"])
    return model, CapturedStep(strict)


@pytest.mark.parametrize("reads", ["forward", "backward", "numpy", "draw", "attribute", "list"])
def test_what_cannot_be_recorded_runs_eagerly_and_changes_nothing(reads):
    model, captured = failing(reads, strict=True)
    made = [packed(model, b) for b in batches(3, target=3)]
    captured(model, made[0])
    captured(model, made[1])
    before, kept = state(model), len(model.layers[2].kept)
    with pytest.raises(CaptureError):
        captured(model, made[2])
    assert state(model) == before
    assert len(model.layers[2].kept) == kept
    assert all(type(v.array) is np.ndarray and v._grad is None for v in model.weights)
    model.train_step(made[2])
    assert state(model) != before
    lenient, captured = failing(reads)
    for b in batches(3, target=3):
        captured(lenient, packed(lenient, b))
    assert captured.refused and not captured._steps


def test_a_recording_changes_nothing(monkeypatch):
    model, captured = net(), CapturedStep(strict=True)
    made = [packed(model, b) for b in batches(4, target=3)]
    for b in made[:2]:
        captured(model, b)
    attributes = [dict(vars(layer)) for layer in model.walk()]
    before = state(model)
    monkeypatch.setattr("gpunn.training.plans.steps.TrainPlan.run", lambda *args: None)
    captured(model, made[2])
    assert captured._steps
    assert state(model) == before
    assert attributes == [vars(layer) for layer in model.walk()]
    assert model.train_step(made[3])["loss"] > 0


def flip_trainable(model):
    model.layers[0].trainable = False


def new_rate(model):
    model.layers[1].rate = 0.6


def new_momentum(model):
    model.layers[2].momentum = 0.1


def new_weights(model):
    model.set_weights([w * 0.5 for w in model.get_weights()])


def new_memory(model):
    v = model.layers[0].kernel
    v.array = v.array.copy()


def new_learning_rate(model):
    model.optimizer.learning_rate = 0.5


def new_optimizer(model):
    model.compile("sgd", "mse", metrics=["mae"])


def new_loss_option(model):
    model._compile_loss.terms[0].loss.reduction = "sum"


def new_layer(model):
    model.add(Dense(3, kernel_initializer="ones"))
    model.optimizer = gpunn.optimizers.SGD()


def evaluation(model):
    model.evaluate(np.ones((4, 5)), np.ones((4, 3)), verbose=0)
    model.predict(np.ones((4, 5)), verbose=0)
    model.reset_metrics()


def a_gradient_of_ones_own(model):
    model.layers[0].kernel.grad = np.ones((5, 8), "float32")


CHANGES = {
    flip_trainable: True,
    new_rate: True,
    new_momentum: True,
    new_memory: True,
    new_loss_option: True,
    new_layer: True,
    new_weights: False,
    new_learning_rate: False,
    evaluation: False,
    a_gradient_of_ones_own: False,
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_a_change_between_steps(change):
    eager, other = twins(net)
    captured = CapturedStep(strict=True)
    data = batches(10, target=3)
    plan = None
    for i, batch in enumerate(data):
        if i == 5:
            plan = next(iter(captured._steps.values()))
            change(eager)
            change(other)
        eager.train_step(packed(eager, batch))
        captured(other, packed(other, batch))
        assert_same(eager, other, f"step {i}")
    assert (plan is not next(iter(captured._steps.values()))) == CHANGES[change]


def test_compile_starts_anew():
    model = net(jit_compile=True)
    x, y = batches(1, target=3)[0]
    for _ in range(4):
        model.train_on_batch(x, y)
    assert model._captured._steps
    new_optimizer(model)
    assert not model._captured._steps
    for jit, eagerly in ((False, False), ("auto", True), (True, True)):
        model.compile("sgd", "mse", jit_compile=jit, run_eagerly=eagerly)
        assert model._captured is None


def test_jit_compile_says_what_it_cannot_do():
    class Own(gpunn.Sequential):
        def train_step(self, batch):
            logs = super().train_step(batch)
            return {"loss": float(logs["loss"])}

    model = Own([gpunn.Input((5,)), Dense(3)])
    model.compile("sgd", "mse", jit_compile=True)
    x, y = batches(1, target=3)[0]
    with pytest.raises(CaptureError, match="values of a tensor"):
        for _ in range(3):
            model.train_on_batch(x, y)


def test_labels_are_checked_at_every_step():
    model = gpunn.Sequential([gpunn.Input((5,)), Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    captured = CapturedStep(strict=True)
    data = batches(5, classes=3)
    for batch in data[:4]:
        captured(model, packed(model, batch))
    before = model.get_weights()
    data[4][1][2] = 3
    with pytest.raises(DataError, match="in row 2 of its batch is out of range"):
        captured(model, packed(model, data[4]))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_indices_are_checked_at_every_step():
    x, at = gpunn.Input((5,)), gpunn.Input((2,), dtype="int32")
    y = gpunn.layers.Lambda(lambda xs: gpunn.ops.take_along_axis(*xs, axis=1))([Dense(3)(x), at])
    model = gpunn.Model([x, at], y)
    model.compile("sgd", "mse")
    captured = CapturedStep(strict=True)
    at = np.tile(np.int32([0, 2]), (4, 1))
    for _ in range(4):
        captured(model, packed(model, ([np.ones((4, 5), "float32"), at], np.zeros((4, 2)))))
    before = model.get_weights()
    at[3, 0] = 3
    with pytest.raises(IndexError, match="index 3 is out of range for an axis of size 3"):
        captured(model, packed(model, ([np.ones((4, 5), "float32"), at], np.zeros((4, 2)))))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_metric_that_cannot_be_recorded_is_called():
    class Rows(gpunn.metrics.Metric):
        def __init__(self):
            super().__init__(name="rows")
            self.seen = 0
            self.last = []

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.seen += len(y_true)
            self.last.append(y_pred.numpy().copy())

        def result(self):
            return gpunn.Tensor(float(sum(p.sum() for p in self.last)))

    captured = train(lambda: net(metrics=[Rows()]), batches(6, target=3))
    (step,) = captured._steps.values()
    assert step._outputs is not None


def test_inputs_in_another_order_run_eagerly():
    def packed_in_fortran_order(model, batch):
        x, y = packed(model, batch)
        return gpunn.Tensor(np.asfortranarray(x.array)), y

    eager, other = twins(net)
    captured = CapturedStep(strict=True)
    for batch in batches(5, target=3):
        eager.train_step(packed_in_fortran_order(eager, batch))
        captured(other, packed_in_fortran_order(other, batch))
        assert_same(eager, other)
    (step,) = captured._steps.values()
    assert not step.runs


def test_a_smaller_last_batch_works_in_the_same_memory():
    data = batches(5, n=8, target=3) + batches(5, n=3, target=3)
    captured = train(net, [data[i // 2 + 5 * (i % 2)] for i in range(10)])
    large, small = captured._steps.values()
    assert large.plan.arena is small.plan.arena and large.busy is small.busy


def test_what_changes_all_the_time_is_left_alone():
    model, captured = net(), CapturedStep()
    made = packed(model, batches(1, target=3)[0])
    for i in range(40):
        model.layers[1].rate = i / 100
        captured(model, made)
    assert "again and again" in captured.refused


@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_train_batch_end", "on_epoch_end"])
def test_what_a_callback_changes_is_seen_at_the_next_step(hook):
    weights = []
    for jit in (False, "auto"):
        gpunn.set_seed(4)
        model = net(jit_compile=jit)

        def change(at, logs, model=model):
            model.layers[1].rate = 0.1 + at % 2 / 2

        x, y = batches(1, n=40, target=3)[0]
        calls = [gpunn.callbacks.LambdaCallback(**{hook: change})]
        model.fit(x, y, batch_size=8, epochs=4, verbose=0, callbacks=calls)
        weights.append([w.tobytes() for w in model.get_weights()])
    assert weights[0] == weights[1]


def test_batches_of_a_generator_may_change_the_model():
    weights = []
    for jit in (False, "auto"):
        gpunn.set_seed(4)
        model = net(jit_compile=jit)

        def given(model=model):
            for i, batch in enumerate(batches(12, target=3)):
                model.layers[1].rate = 0.6 if i > 8 else 0.1
                yield batch

        model.fit(given(), epochs=1, verbose=0)
        weights.append([w.tobytes() for w in model.get_weights()])
    assert weights[0] == weights[1]


def test_copies_take_no_plans_along():
    model = net(jit_compile=True)
    x, y = batches(1, target=3)[0]
    for _ in range(4):
        model.train_on_batch(x, y)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert not other._captured._steps
        for _ in range(4):
            other.train_on_batch(x, y)
    assert model._captured._steps


def test_anomaly_mode_runs_eagerly():
    model, captured = net(), CapturedStep(strict=True)
    made = packed(model, batches(1, target=3)[0])
    for _ in range(4):
        captured(model, made)
    made[0].array[0, 0] = np.nan
    with pytest.raises(gpunn.errors.AnomalyError), gpunn.autograd.detect_anomaly():
        captured(model, made)

"""Training of large batches is recorded at the first step, where all code is gpunn's own."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import GpunnError
from gpunn.training.plans import captured

X = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
LABELS = np.arange(20) % 3


@pytest.fixture(autouse=True)
def all_are_large(monkeypatch):
    monkeypatch.setattr(captured, "LARGE", 0)


def classifier(loss="sparse_categorical_crossentropy", metrics=("accuracy",), **options):
    gpunn.set_seed(3)
    parts = [layers.Dense(8, "relu"), layers.Dropout(0.5), layers.BatchNormalization()]
    model = gpunn.Sequential([gpunn.Input((4,)), *parts, layers.Dense(3, "softmax")])
    model.compile("adam", loss, metrics=list(metrics), **options)
    return model


def eager_steps(model) -> int:
    """How many steps went call by call."""
    return model.optimizer.iterations.numpy().item() - sum(
        plan.runs for plan in model._captured._steps.values()
    )


def state(model):
    return [v.numpy().tobytes() for v in (*model.weights, *model.optimizer.variables)]


@pytest.mark.parametrize("metrics", [(), ("accuracy",), ("accuracy", "crossentropy")])
@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "crossentropy"])
def test_no_step_goes_call_by_call(loss, metrics):
    model, eager = (classifier(loss, metrics, jit_compile=jit) for jit in ("auto", False))
    histories = [m.fit(X, LABELS, 8, epochs=2, verbose=0).history for m in (model, eager)]
    assert histories[0] == histories[1] and state(model) == state(eager)
    assert len(model._captured._steps) == 2 and not eager_steps(model)


def test_models_of_several_outputs():
    def made(jit):
        gpunn.set_seed(3)
        x = gpunn.Input((4,))
        h = layers.Dense(8, "tanh")(x)
        outputs = {"a": layers.Dense(1)(h), "b": layers.Dense(3, "softmax")(h)}
        model = gpunn.Model(x, outputs)
        losses = {"a": "mse", "b": "sparse_categorical_crossentropy"}
        model.compile("sgd", losses, metrics={"b": ["accuracy"]}, jit_compile=jit)
        return model

    y = {"a": X[:, :1], "b": LABELS}
    model, eager = made("auto"), made(False)
    histories = [m.fit(X, y, 8, epochs=2, verbose=0).history for m in (model, eager)]
    assert histories[0] == histories[1] and {"a_loss", "b_loss"} < histories[0].keys()
    assert state(model) == state(eager) and not eager_steps(model)


def test_small_batches_are_recorded_when_they_come_again(monkeypatch):
    monkeypatch.setattr(captured, "LARGE", 20 * 4 * (4 + 8 + 8 + 8 + 3))
    for n, expected in ((19, 2), (20, 0)):
        model = classifier()
        for _ in range(4):
            model.train_on_batch(X[:n], LABELS[:n])
        assert eager_steps(model) == expected and len(model._captured._steps) == 1


def test_shapes_that_are_new_all_the_time_go_call_by_call():
    model = classifier()
    for n in range(4, 10):
        model.train_on_batch(X[:n], LABELS[:n])
    assert len(model._captured._steps) == 2 and eager_steps(model) == 4


def test_code_of_others_is_run_before_it_is_recorded():
    ran = []

    class Noted(layers.Layer):
        def call(self, x):
            ran.append(type(x.array))
            return x * 2

    gpunn.set_seed(3)
    model = gpunn.Sequential([gpunn.Input((4,)), Noted(), layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=True)
    ran.clear()
    for _ in range(5):
        model.train_on_batch(X, LABELS[:, None])
    assert ran[:2] == [np.ndarray] * 2 and len(ran) == 3  # the third is the recording


class Late(gpunn.metrics.Metric):
    """Makes its state when it sees the first batch."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        if not hasattr(self, "total"):
            self.total = self.add_variable((), initializer="zeros")
        self.total.assign_add(gpunn.ops.sum(y_pred))

    def result(self):
        return self.total.value if hasattr(self, "total") else gpunn.ops.zeros(())


def test_what_is_built_late_is_built_by_a_step_that_goes_call_by_call(monkeypatch):
    monkeypatch.setattr(Late, "__module__", "gpunn.metrics.late")
    model, eager = (classifier(metrics=[Late()], jit_compile=jit) for jit in ("auto", False))
    histories = [m.fit(X, LABELS, 20, epochs=6, verbose=0).history for m in (model, eager)]
    assert histories[0] == histories[1] and state(model) == state(eager)
    assert eager_steps(model) == 2 and model._captured.refused is None


@pytest.mark.parametrize(
    "y, loss",
    [
        (np.full(20, 7), "sparse_categorical_crossentropy"),
        (np.ones((20, 5), "float32"), "categorical_crossentropy"),
        (np.ones((20, 2), "float32"), "mse"),
    ],
)
def test_errors_are_those_of_a_step_that_goes_call_by_call(y, loss):
    messages = []
    for jit in ("auto", False):
        model = classifier(loss, jit_compile=jit)
        before = [v.numpy().tobytes() for v in model.trainable_weights]
        with pytest.raises(GpunnError) as found:
            model.fit(X, y, verbose=0)
        messages.append((type(found.value), str(found.value)))
        assert [v.numpy().tobytes() for v in model.trainable_weights] == before
    assert messages[0] == messages[1]


def test_after_an_error_training_is_recorded_all_the_same():
    model = classifier("mse", metrics=())
    with pytest.raises(GpunnError):
        model.fit(X, np.ones((20, 2), "float32"), verbose=0)
    model.fit(X, np.ones((20, 3), "float32"), epochs=3, verbose=0)
    assert model._captured.refused is None and model._captured._steps


def test_a_step_of_the_users_own_sees_losses_that_are_not_bound_yet():
    class Other(gpunn.Model):
        def train_step(self, batch):
            x, y = batch
            outputs = [self(x), self(x) * 2]  # not what `call` gives
            loss = self.compute_loss(x, [y, y], outputs)
            loss.backward()
            self.optimizer.step()
            return {"loss": loss}

    x = gpunn.Input((4,))
    model = Other(x, layers.Dense(1)(x))
    model.compile("sgd", ["mse", "mae"])
    model.fit(X, X[:, :1], verbose=0)
    assert len(model._compile_loss.terms) == 2

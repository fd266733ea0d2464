"""Steps that users write anew, captured: eager's bits, or refused with the reason."""

import re
import warnings

import numpy as np
import pytest

import gpunn
from gpunn.errors import CaptureError
from tests.capture import cases_own_guides, cases_own_refused  # noqa: F401
from tests.capture.cases_own_steps import CASES

X = np.random.default_rng(0).normal(size=(44, 4)).astype("float32")
Y = X[:, :1] * 2 - 1


def data_of(name, model):
    if name == "nested_batches_and_results":
        return ({"left": X, "right": [X[:, :2]]}, {"target": Y}), {}
    weights = np.linspace(0.5, 2, len(X), dtype="float32")
    return (X, Y), {"sample_weight": weights} if getattr(model, "weighted", False) else {}


def state(model) -> list[bytes]:
    optimizers = [
        model.optimizer,
        *[o for o in vars(model).values() if isinstance(o, gpunn.optimizers.Optimizer)],
        *getattr(model, "optimizers", {}).values(),
    ]
    numbers = [v for o in optimizers if o is not None and o.built for v in o.variables]
    return [v.numpy().tobytes() for v in (*model.weights, *numbers)]


def trained(name, jit):
    make, _ = CASES[name]
    gpunn.set_seed(1)
    model = make(jit)
    data, more = data_of(name, model)
    histories = []
    for _ in range(2):
        history = model.fit(*data, batch_size=10, epochs=4, verbose=0, shuffle=True, **more)
        histories.append(history.history)
        if model.own_steps(("test_step",)):
            for _ in range(2):
                histories.append(model.evaluate(*data, batch_size=10, verbose=0))
    return model, histories, state(model)


@pytest.mark.parametrize("name", CASES)
def test_auto_gives_the_bits_of_eager_steps(name, device):
    refused = CASES[name][1]
    if refused and refused.startswith("cpu: "):
        refused = refused.removeprefix("cpu: ") if device == "cpu" else None
    _, history, end = trained(name, False)
    model, found, captured = trained(name, "auto")
    assert found == history
    assert captured == end
    step = model._captured
    if refused is None:
        assert step.refused is None and len(step._steps) == 2, step.refused
        assert all(plan.runs > 5 for plan in step._steps.values())
    else:
        assert re.search(refused, step.refused)
        assert not step._steps
    if refused is None and model.own_steps(("test_step",)):
        assert model._captured_test._steps and model._captured_test.refused is None


def test_a_captured_step_of_several_optimizers_is_one_graph(cuda):
    cudaemu = pytest.importorskip("cudaemu", reason="counted on the emulated device only")
    with gpunn.device("cuda"):
        make, _ = CASES["a_critic_with_a_gradient_penalty"]
        model = make(True)
        batch = model._tensors_of_batch(X[:10], Y[:10], None)
        for _ in range(4):
            model._run_train_step(batch[:2])
        with cudaemu.measure() as counted:
            model._run_train_step(batch[:2])
    assert counted.graph_launches == 1
    assert counted.kernels == counted.graph_kernels
    assert counted.h2d == 4  # of noise that the host draws
    for name in ("d2h", "mallocs", "device_syncs", "stream_syncs", "event_syncs"):
        assert getattr(counted, name) == 0, name


class Changes(gpunn.callbacks.Callback):
    """Changes something in the middle of training, and keeps what it is told of each batch."""

    def __init__(self, change):
        self.change, self.told = change, []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            self.change(self.model)

    def on_train_batch_end(self, batch, logs=None):
        assert all(type(value) is float for value in logs.values())
        self.told.append(dict(logs))


def replace_an_optimizer(model):
    model.d_optimizer = gpunn.optimizers.SGD(0.1)


def set_rates(model):
    model.d_optimizer.learning_rate = 0.1
    model.g_optimizer.beta_1 = 0.3


def freeze(model):
    model.teacher.trainable = False
    model.alpha = 0.9
    model.student.layers[0].trainable = False


def leave_a_gradient(model):
    gpunn.ops.sum(model(X) ** 2).backward()


CHANGES = {
    "another optimizer": ("the_guides_gan", replace_an_optimizer, True),
    "settings of optimizers": ("the_guides_gan", set_rates, True),
    "what is trained, and an attribute": ("a_student_of_a_frozen_teacher", freeze, True),
    "a gradient that somebody has left": ("a_variational_autoencoder", leave_a_gradient, False),
    "weights": ("a_target_that_follows", lambda m: m.target.set_weights(m.online.weights), False),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_between_steps_is_seen(name, device):
    case, change, anew = CHANGES[name]
    ends = []
    for jit in (False, "auto"):
        gpunn.set_seed(1)
        model = CASES[case][0](jit)
        changes = Changes(change)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="no gradients for variables")
            model.fit(X[:40], Y[:40], batch_size=10, epochs=1, verbose=0)
            before = None if jit is False else list(model._captured._steps.values())
            model.fit(X[:40], Y[:40], batch_size=10, epochs=6, verbose=0, callbacks=[changes])
        ends.append((changes.told, state(model)))
    assert ends[0] == ends[1]
    (plan,) = model._captured._steps.values()
    assert len(before) == 1 and (plan is not before[0]) == anew


def test_jit_compile_captures_the_step_or_raises(device):
    for name in ("the_guides_gan", "a_critic_with_a_gradient_penalty", "what_prints"):
        model = CASES[name][0](True)
        model.fit(X, Y, batch_size=11, epochs=2, verbose=0)
        assert model._captured._steps
    for name, reason in (
        ("a_counter", "attributes are set while it runs: steps"),
        ("a_value_that_is_read", "values of a tensor|in a capture"),
        ("the_learning_rate", "learning_rate is read"),
    ):
        with pytest.raises(CaptureError, match=reason):
            CASES[name][0](True).fit(X, Y, batch_size=11, epochs=2, verbose=0)


def test_a_step_that_returns_nothing_gives_no_logs(device):
    class Silent(gpunn.Sequential):
        def train_step(self, data):
            super().train_step(data)

    model = Silent([gpunn.Input((4,)), gpunn.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert model.fit(X, Y, batch_size=11, epochs=3, verbose=0).history == {}
    assert model._captured._steps


def test_results_of_several_numbers_stay_what_they_were(device):
    """They lie in the plan's memory, which the next step writes to."""

    class PerRow(gpunn.Sequential):
        def train_step(self, data):
            x, y = data
            losses = gpunn.ops.sum((self(x) - y) ** 2, axis=1)
            losses.mean().backward()
            self.optimizer.step()
            return {"losses": losses}

    histories = []
    for jit in (False, "auto"):
        gpunn.set_seed(1)
        model = PerRow([gpunn.Input((4,)), gpunn.layers.Dense(1)])
        model.compile("sgd", jit_compile=jit)
        found = model.fit(X, Y, batch_size=11, epochs=4, verbose=0).history["losses"]
        histories.append([x.tolist() for x in found])
    assert model._captured._steps
    assert histories[0] == histories[1]
    assert histories[0][-1] != histories[0][-2]

"""Steps of a LossScaleOptimizer that a GPU decides on: those that the host decides, bit by bit."""

import copy
import pickle

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.optimizers import LossScaleOptimizer, loss_scale, scaled_step
from gpunn.optimizers.schedules import CosineDecay, ExponentialDecay

try:
    import cudaemu
except ImportError:
    cudaemu = None

INNER = {
    "sgd": lambda: gpunn.optimizers.SGD(0.1, momentum=0.9, nesterov=True, clipvalue=0.5),
    "adam": lambda: gpunn.optimizers.Adam(ExponentialDecay(0.1, 3, 0.9), amsgrad=True),
    "adamw": lambda: gpunn.optimizers.AdamW(0.05, weight_decay=0.02, global_clipnorm=1.0),
    "clipnorm": lambda: gpunn.optimizers.RMSprop(0.01, clipnorm=0.3),
    "nadam": lambda: gpunn.optimizers.Nadam(0.1),
    "schedule_free": lambda: gpunn.optimizers.ScheduleFreeAdamW(0.1, warmup_steps=5),
    "lamb": lambda: gpunn.optimizers.Lamb(0.1),
    "adafactor": lambda: gpunn.optimizers.Adafactor(0.1),
    "muon": lambda: gpunn.optimizers.Muon(0.1),
    "ema": lambda: gpunn.optimizers.SGD(0.1, use_ema=True),
    "overwriting": lambda: gpunn.optimizers.Adam(0.1, use_ema=True, ema_overwrite_frequency=3),
    "accumulating": lambda: gpunn.optimizers.Adam(
        ExponentialDecay(0.1, 3, 0.9), gradient_accumulation_steps=3
    ),
    "all of it": lambda: gpunn.optimizers.AdamW(
        0.05,
        weight_decay=0.02,
        global_clipnorm=1.0,
        use_ema=True,
        ema_momentum=0.8,
        ema_overwrite_frequency=2,
        gradient_accumulation_steps=2,
    ),
    "accumulating muon": lambda: gpunn.optimizers.Muon(0.1, gradient_accumulation_steps=2),
}


@pytest.fixture(autouse=True)
def on_cuda(cuda):
    with gpunn.device("cuda"):
        yield
    gpunn.set_dtype_policy(None)


def gradients(steps=14):
    rng = np.random.default_rng(1)
    for i in range(steps):
        a, b = rng.normal(size=(2, 5, 3)).astype("float32") * 30
        if i in (0, 4, 5, 9):
            a[i % 5, 1] = (np.inf, -np.inf, np.nan)[i % 3]
        yield a, b[0] if i != 7 else None


def trained(inner, by, constrained=False):
    v = [gpunn.Variable(np.ones((5, 3), "float32")), gpunn.Variable(np.ones(3, "float32"))]
    if constrained:
        v[0].constraint = gpunn.constraints.MaxNorm(1.1)
        v[1].constraint = gpunn.constraints.NonNeg()
    optimizer = LossScaleOptimizer(inner(), initial_scale=8.0, dynamic_growth_steps=3)
    optimizer.build(v)
    for grads in gradients():
        grads = [None if g is None else gpunn.Tensor(g) for g in grads]
        if by == "apply":
            some = [(g, w) for g, w in zip(grads, v, strict=True) if g is not None]
            optimizer.apply(*map(list, zip(*some, strict=True)))
        else:
            for g, w in zip(grads, v, strict=True):
                w.grad = g
            optimizer.step()
    return optimizer


@pytest.mark.parametrize("by", ("step", "apply", "constrained"))
@pytest.mark.parametrize("name", INNER)
def test_the_device_decides_as_the_host_does(name, by, monkeypatch):
    on_device = trained(INNER[name], by, by == "constrained")
    assert on_device._scaled is not None
    steps = on_device.inner_optimizer.gradient_accumulation_steps or 1
    assert on_device.skipped_steps == 4 and on_device.iterations.item() == 10 // steps
    monkeypatch.setattr(loss_scale, "takes", lambda *args: False)
    on_host = trained(INNER[name], by, by == "constrained")
    assert on_host._scaled is None and on_host.skipped_steps == 4
    states = on_device.state_dict(), on_host.state_dict()
    assert states[0].keys() == states[1].keys()
    for key, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][key], key)
    weights = [o.inner_optimizer._trainable_variables for o in (on_device, on_host)]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_step_does_not_touch_the_host():
    if cudaemu is None:
        pytest.skip("counted on the emulated device only")
    w = gpunn.Variable(np.ones(40, "float32"))
    optimizer = LossScaleOptimizer(gpunn.optimizers.AdamW(0.1))
    g = gpunn.Tensor(np.ones(40, "float32"))
    for _ in range(2):
        optimizer.apply([g], [w])
    with cudaemu.measure() as counted:
        optimizer.apply([g], [w])
    for name in ("d2h", "h2d", "device_syncs", "stream_syncs", "event_syncs"):
        assert getattr(counted, name) == 0, name
    assert counted.kernels == 3  # is it finite, what follows, the update


def test_the_host_reads_the_counters_before_its_table_is_full(monkeypatch):
    monkeypatch.setattr(scaled_step, "ROWS", 8)
    few = trained(INNER["adam"], "step")
    monkeypatch.setattr(scaled_step, "ROWS", 1024)
    many = trained(INNER["adam"], "step")
    for key, array in few.state_dict().items():
        np.testing.assert_array_equal(array, many.state_dict()[key])


def test_state_that_is_set_restored_and_copied():
    def go_on(optimizer, v, count):
        for i in range(count):
            g = np.full(2, np.inf if i == 1 else i + 1.0, "float32")
            optimizer.apply([g], [v])

    v = gpunn.Variable([1.0, 2.0], name="v")
    optimizer = LossScaleOptimizer(gpunn.optimizers.Adam(CosineDecay(0.1, 9)), 8.0, 3)
    go_on(optimizer, v, 4)
    assert optimizer.iterations.item() == 3 and optimizer.dynamic_scale.item() == 4
    assert optimizer.step_counter.item() == 2
    state, then = optimizer.state_dict(), v.numpy()
    copies = [copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
    go_on(optimizer, v, 4)
    ends = [v.numpy(), optimizer.state_dict()]
    assert optimizer.skipped_steps == 2
    for other in copies:
        own = other.inner_optimizer._trainable_variables[0]
        go_on(other, own, 4)
        np.testing.assert_array_equal(own.numpy(), ends[0])
        assert other.dynamic_scale.item() == optimizer.dynamic_scale.item()
        assert other.skipped_steps == 2
    optimizer.load_state_dict(state)
    v.assign(then)
    go_on(optimizer, v, 4)
    for key, array in optimizer.state_dict().items():
        np.testing.assert_array_equal(array, ends[1][key])
    optimizer.iterations.assign(7)
    go_on(optimizer, v, 1)
    assert optimizer.iterations.item() == 8


def mixed(jit, inner, x, y, epochs):
    gpunn.utils.set_random_seed(0)
    gpunn.set_dtype_policy("mixed_float16")
    model = gpunn.Sequential(
        [
            gpunn.Input((6,)),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.3),
            layers.BatchNormalization(),
            layers.Dense(3, kernel_constraint=gpunn.constraints.MaxNorm(0.8)),
            layers.Activation("softmax", dtype="float32"),
        ]
    )
    optimizer = LossScaleOptimizer(inner(), initial_scale=2.0**24, dynamic_growth_steps=7)
    model.compile(
        optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=jit
    )
    return model, model.fit(x, y, batch_size=16, epochs=epochs, verbose=0)


@pytest.mark.parametrize(
    "inner",
    (
        lambda: gpunn.optimizers.AdamW(CosineDecay(0.01, 90), global_clipnorm=0.5),
        lambda: gpunn.optimizers.Adam(0.01, clipvalue=0.1),
        lambda: gpunn.optimizers.Adam(
            CosineDecay(0.01, 90),
            use_ema=True,
            ema_overwrite_frequency=5,
            gradient_accumulation_steps=3,
        ),
    ),
)
def test_100_captured_steps_with_dropout_schedule_and_clipping(inner):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 6)).astype("float32")
    y = x[:, :3].argmax(1)
    eager, history = mixed(False, inner, x, y, 10)
    captured, same = mixed(True, inner, x, y, 10)
    plan = captured._captured.last()
    assert plan is not None and "optimizer" in plan.inside
    assert history.history == same.history
    assert history.skipped_steps == same.skipped_steps and history.skipped_steps[0] > 5
    steps = inner().gradient_accumulation_steps or 1
    assert (100 - sum(same.skipped_steps)) // steps == captured.optimizer.iterations.item() > 10
    for a, b in zip(eager.weights, captured.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    states = eager.optimizer.state_dict(), captured.optimizer.state_dict()
    for a, b in zip(*(s.values() for s in states), strict=True):
        np.testing.assert_array_equal(a, b)
    if cudaemu is None:
        return
    with cudaemu.measure() as counted:
        captured.fit(x, y, batch_size=16, epochs=1, verbose=0)
    assert counted.graph_launches == 10
    assert counted.d2h <= 5, "reads of an epoch"  # two metrics, the counters

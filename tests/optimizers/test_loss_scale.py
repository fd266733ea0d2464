"""LossScaleOptimizer: its trajectory, and models that train with it."""

import pickle

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import ArgumentError, ArgumentTypeError, GradientError, SerializationError
from gpunn.optimizers import SGD, Adam, LossScaleOptimizer
from tests.golden.cases_mixed import GRADIENTS
from tests.harness import assert_close, golden


@pytest.fixture(autouse=True)
def own_policy():
    """The global policy, as it was."""
    yield
    gpunn.set_dtype_policy(None)


@pytest.mark.parametrize("by", ["apply", "step"])
def test_trajectory_is_that_of_keras(by, device):
    w = gpunn.Variable([1.0, 2.0], device=device)
    optimizer = LossScaleOptimizer(Adam(0.1), initial_scale=8.0, dynamic_growth_steps=3)
    optimizer.build([w])
    rows = []
    for g in GRADIENTS:
        g = gpunn.Tensor(np.array([1.0, g], np.float32), device=device)
        if by == "apply":
            optimizer.apply([g], [w])
        else:
            w.grad = g
            optimizer.step()
        assert w.grad is None
        numbers = optimizer.dynamic_scale, optimizer.step_counter, optimizer.iterations
        rows.append([*w.numpy(), *[n.item() for n in numbers]])
    assert_close(np.array(rows), golden("mixed")["trajectory"], rtol=3e-5)


def test_a_skipped_step_changes_nothing_else():
    w = gpunn.Variable([1.0, 2.0])
    optimizer = LossScaleOptimizer(Adam(0.1, use_ema=True))
    optimizer.apply([np.array([1.0, 2.0])], [w])
    before = {k: a.copy() for k, a in optimizer.state_dict().items()}, w.numpy()
    optimizer.apply([np.array([np.nan, 2.0])], [w])
    after = optimizer.state_dict()
    assert after.pop("dynamic_scale") == before[0].pop("dynamic_scale") / 2
    assert before[0].pop("step_counter") == 1 and after.pop("step_counter") == 0
    assert after.keys() == before[0].keys()
    assert all((after[k] == a).all() for k, a in before[0].items())
    np.testing.assert_array_equal(w.numpy(), before[1])


def test_config_state_and_copies():
    w = gpunn.Variable([1.0, 2.0], name="w")
    optimizer = LossScaleOptimizer(SGD(0.1, momentum=0.9), 64, 5, name="scaled")
    for g in (1.0, 2.0, np.inf):
        optimizer.apply([np.array([g, 1.0])], [w])
    config = gpunn.optimizers.serialize(optimizer)
    other = gpunn.optimizers.deserialize(config)
    assert other.get_config() == optimizer.get_config() and other.inner_optimizer.momentum == 0.9
    other.build([w])
    other.load_state_dict(optimizer.state_dict())
    copied = pickle.loads(pickle.dumps(optimizer))
    for like in (other, copied):
        assert like.dynamic_scale.item() == 32 and like.iterations.item() == 2
        assert len(like.variables) == 2 + len(optimizer.inner_optimizer.variables)
    with pytest.raises(SerializationError, match="without step_counter, dynamic_scale"):
        other.load_state_dict(SGD(0.1).state_dict())
    other.learning_rate = 0.5
    assert other.inner_optimizer.learning_rate.item() == 0.5


def test_wrong_arguments():
    with pytest.raises(ArgumentTypeError, match="inner_optimizer must be"):
        LossScaleOptimizer("adam")
    with pytest.raises(ArgumentError, match="clipnorm is a setting of the inner"):
        LossScaleOptimizer(SGD(), clipnorm=1.0)
    with pytest.raises(ArgumentError, match="initial_scale"):
        LossScaleOptimizer(SGD(), initial_scale=0)
    optimizer = LossScaleOptimizer(SGD())
    optimizer.build([gpunn.Variable([1.0])])
    with pytest.raises(GradientError):
        optimizer.step()


def trained(jit, epochs=3, **options):
    gpunn.utils.set_random_seed(0)
    gpunn.set_dtype_policy("mixed_float16")
    model = gpunn.Sequential(
        [
            gpunn.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(3),
            layers.Activation("softmax", dtype="float32"),
        ]
    )
    model.compile(
        options.pop("optimizer", "adam"),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=jit,
        **options,
    )
    x = np.random.default_rng(0).normal(size=(64, 6)).astype(np.float32)
    y = x[:, :3].argmax(1)
    history = model.fit(x, y, batch_size=16, epochs=epochs, verbose=0).history
    return model, history, x


def test_compile_wraps_and_captures_bit_for_bit(tmp_path):
    scale = {"initial_scale": 2.0**24, "dynamic_growth_steps": 2}  # overflows float16 at first
    models, losses = [], []
    for jit in (False, "auto"):
        model, history, x = trained(jit, optimizer=LossScaleOptimizer(Adam(0.01), **scale))
        models.append(model)
        losses.append(history["loss"])
    eager, captured = models
    assert captured._captured.last() is not None  # its forward and backward are replayed
    assert losses[0] == losses[1]
    assert 0 < eager.optimizer.iterations.item() < 12  # some steps were skipped, some not
    for a, b in zip(eager.weights, captured.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    captured.save(tmp_path / "model.gpunn")
    loaded = gpunn.models.load_model(tmp_path / "model.gpunn")
    assert type(loaded.optimizer) is LossScaleOptimizer
    scales = [m.optimizer.dynamic_scale.item() for m in (loaded, captured)]
    assert scales[0] == scales[1] != scale["initial_scale"]
    assert [x.dtype_policy.name for x in loaded.layers] == ["mixed_float16"] * 3 + ["float32"]
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), captured.predict(x, verbose=0))


def test_compile_says_whether_to_wrap():
    assert type(trained(False, epochs=1)[0].optimizer) is LossScaleOptimizer
    assert type(trained(False, epochs=1, auto_scale_loss=False)[0].optimizer) is Adam
    gpunn.set_dtype_policy(None)
    model = gpunn.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    assert type(model.optimizer) is SGD


def test_fit_scales_the_loss_by_a_constant_factor_too():
    ends = []
    for factor in (None, 8.0):
        gpunn.utils.set_random_seed(0)
        model = gpunn.Sequential([gpunn.Input((2,)), layers.Dense(1)])
        model.compile(SGD(0.1, loss_scale_factor=factor), "mse")
        model.fit(np.ones((8, 2)), np.ones((8, 1)), batch_size=2, epochs=2, verbose=0)
        ends.append(model.get_weights()[0])
    np.testing.assert_array_equal(ends[0], ends[1])


def test_a_number_can_be_scaled_and_old_configs_be_read():
    optimizer = LossScaleOptimizer(SGD(0.5), initial_scale=8.0)
    assert optimizer.scale_loss(2.0).item() == 16.0
    config = {**optimizer.get_config(), "weight_decay": None, "use_ema": False, "dynamic": True}
    assert LossScaleOptimizer.from_config(config).initial_scale == 8.0

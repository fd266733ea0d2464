"""Arguments, learning rates, decay, averages, configs and state of optimizers."""

import numpy as np
import pytest

import gpunn
from gpunn import optimizers
from gpunn.errors import (
    ArgumentError,
    ArgumentTypeError,
    NotBuiltError,
    SerializationError,
    ShapeError,
)
from gpunn.optimizers.schedules import ExponentialDecay
from tests.harness import assert_close

ALL = list(optimizers.REGISTRY.classes)
EVERY = pytest.mark.parametrize("cls", ALL, ids=[c.__name__ for c in ALL])


def make():
    r = np.random.RandomState(0)
    shapes = {"dense/kernel": (3, 2), "dense/bias": (2,), "conv/kernel": (2, 2, 1, 3)}
    variables = []
    for path, shape in shapes.items():
        v = gpunn.Variable(r.randn(*shape).astype("f4"), name=path.split("/")[1])
        v.path = path
        variables.append(v)
    return variables


def train(optimizer, variables, steps, start=0):
    for step in range(start, start + steps):
        r = np.random.RandomState(step)
        optimizer.apply([r.randn(*v.shape).astype("f4") for v in variables], variables)


@EVERY
def test_config_round_trip(cls):
    optimizer = cls(0.02, clipnorm=1.5, use_ema=True, ema_momentum=0.5, name="mine")
    config = optimizer.get_config()
    assert config["learning_rate"] == 0.02 and config["name"] == "mine"
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(again) is cls and again.get_config() == config
    assert cls(**config).get_config() == config
    assert isinstance(optimizers.get(cls.__name__.lower()), cls)
    assert optimizers.get(optimizer) is optimizer
    assert cls.__name__ in repr(optimizer)


@EVERY
def test_hyperparameters_are_checked(cls):
    for argument, value in (
        ("learning_rate", -1.0),
        ("learning_rate", float("nan")),
        ("clipnorm", 0),
        ("clipvalue", -1),
        ("weight_decay", -0.1),
        ("gradient_accumulation_steps", 1),
        ("ema_overwrite_frequency", 0),
        ("beta_2", 1.0) if "beta_2" in cls.hyperparameters else ("clipnorm", -1),
    ):
        if cls is optimizers.Lion and argument == "beta_2":
            value = 1.5
        with pytest.raises(ArgumentError, match=rf"{argument}.*{value}"):
            cls(**{argument: value})
    for argument in ("learning_rate", "weight_decay", "clipnorm"):
        with pytest.raises(ArgumentTypeError, match=f"{argument}.*'fast'"):
            cls(**{argument: "fast"})
    with pytest.raises(ArgumentError, match="only one of"):
        cls(clipnorm=1.0, clipvalue=1.0)
    with pytest.raises(ArgumentError, match="did you mean 'clipnorm'"):
        cls(clipnrm=1.0)


def test_rules_check_their_own():
    for bad in (
        lambda: optimizers.SGD(momentum=1.5),
        lambda: optimizers.RMSprop(rho=-0.1),
        lambda: optimizers.Adagrad(initial_accumulator_value=-1),
        lambda: optimizers.Adadelta(rho=2),
        lambda: optimizers.Ftrl(learning_rate_power=0.5),
        lambda: optimizers.Ftrl(l1_regularization_strength=-1),
        lambda: optimizers.Lion(beta_1=0),
        lambda: optimizers.Muon(ns_steps=-1),
        lambda: optimizers.Adafactor(clip_threshold=0),
        lambda: optimizers.ScheduleFreeAdamW(beta_1=0),
        lambda: optimizers.AdamW(weight_decay=None),
    ):
        with pytest.raises(ArgumentError):
            bad()
    with pytest.raises(ArgumentTypeError, match="nesterov"):
        optimizers.SGD(nesterov="yes")
    with pytest.warns(UserWarning, match="decay"):
        optimizers.SGD(decay=0.1)


def test_names():
    with pytest.raises(ArgumentError, match="'adam'"):
        optimizers.get("adm")
    with pytest.raises(ArgumentTypeError):
        optimizers.get(3)
    assert optimizers.get(None) is None
    assert isinstance(optimizers.get("rmsprop"), optimizers.RMSprop)
    assert isinstance(optimizers.get({"class_name": "Nadam", "config": {}}), optimizers.Nadam)


def test_the_learning_rate_can_be_set(device):
    w = gpunn.Variable([1.0])
    optimizer = optimizers.SGD(0.5)
    optimizer.apply([np.ones(1)], [w])
    optimizer.learning_rate = 0.25
    optimizer.apply([np.ones(1)])
    optimizer.learning_rate.assign(0.125)
    optimizer.apply([np.ones(1)])
    assert w.numpy().tolist() == [0.125]
    assert float(optimizer.learning_rate) == 0.125
    assert optimizer.get_config()["learning_rate"] == 0.125
    optimizer.learning_rate = lambda: 2.0
    assert float(optimizer.learning_rate) == 2.0
    optimizer.learning_rate = ExponentialDecay(1.0, 1, 0.5)
    assert float(optimizer.learning_rate) == 0.125  # after three steps
    with pytest.raises(ArgumentTypeError, match="ExponentialDecay"):
        optimizer.learning_rate = 0.1


def test_a_schedule_is_part_of_the_config():
    optimizer = optimizers.SGD(ExponentialDecay(0.1, 10, 0.5))
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    assert float(again.learning_rate) == float(optimizer.learning_rate)


def test_iterations(device):
    variables = make()
    optimizer = optimizers.SGD(gradient_accumulation_steps=2)
    train(optimizer, variables, 5)
    assert int(optimizer.iterations) == 2
    optimizer = optimizers.SGD()
    train(optimizer, variables, 5)
    assert int(optimizer.iterations) == 5


def test_exclude_from_weight_decay():
    kernel, bias, conv = variables = make()
    optimizer = optimizers.SGD(0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[conv], var_names=["bias"])
    before = [v.numpy() for v in variables]
    optimizer.apply([np.zeros(v.shape) for v in variables], variables)
    assert_close(kernel, before[0] * 0.75)
    assert (bias.numpy() == before[1]).all() and (conv.numpy() == before[2]).all()
    with pytest.raises(ArgumentError, match="before build"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])


def test_accumulation_loses_no_gradient(device):
    """A variable that has a gradient in one of the steps only is updated by it."""
    a, b = gpunn.Variable([0.0]), gpunn.Variable([0.0])
    optimizer = optimizers.SGD(1.0, gradient_accumulation_steps=2)
    optimizer.build([a, b])
    a.grad = b.grad = [2.0]
    optimizer.step()
    assert a.item() == b.item() == 0
    a.grad = [4.0]
    optimizer.step()
    assert a.item() == -3 and b.item() == -1


def test_non_finite_gradients_show(device):
    w = gpunn.Variable([1.0, 1.0])
    optimizers.SGD(0.1, global_clipnorm=1.0).apply([np.array([1.0, np.inf])], [w])
    assert np.isnan(w.numpy()).all()


@EVERY
def test_state_round_trip(device, cls):
    """Saved and restored after 3 steps, the next 3 give the same bits."""
    options = {"use_ema": True, "gradient_accumulation_steps": 2, "weight_decay": 0.01}
    variables, resumed = make(), make()
    optimizer, other = cls(0.05, **options), cls(0.9, **options)
    train(optimizer, variables, 3)
    state = optimizer.state_dict()
    other.build(resumed)
    for v, w in zip(variables, resumed):
        w.assign(v)
    other.load_state_dict(state)
    train(optimizer, variables, 3, start=3)
    train(other, resumed, 3, start=3)
    for v, w in zip(variables, resumed):
        assert (v.numpy() == w.numpy()).all()
    ours, theirs = optimizer.state_dict(), other.state_dict()
    assert list(ours) == list(theirs) and all((ours[k] == theirs[k]).all() for k in ours)


def test_state_names():
    optimizer = optimizers.Adam()
    assert set(optimizer.state_dict()) == {"iterations", "learning_rate"}
    optimizer.build(make())
    assert set(optimizer.state_dict()) == {
        *("iterations", "learning_rate", "momentum/dense/kernel", "velocity/dense/kernel"),
        *("momentum/dense/bias", "velocity/dense/bias"),
        *("momentum/conv/kernel", "velocity/conv/kernel"),
    }
    factored = optimizers.Adafactor()
    factored.build(make())
    shapes = {name: a.shape for name, a in factored.state_dict().items() if "conv" in name}
    assert shapes == {"row/conv/kernel": (2, 2, 1), "column/conv/kernel": (2, 2, 3)}
    same = optimizers.SGD(momentum=0.5)
    same.build([gpunn.Variable([1.0]), gpunn.Variable([1.0, 2.0])])
    assert {"momentum/variable", "momentum/variable_1"} < set(same.state_dict())


def test_a_state_that_does_not_fit_changes_nothing():
    variables = make()
    optimizer = optimizers.Adam()
    with pytest.raises(NotBuiltError, match="build"):
        optimizer.load_state_dict({**optimizer.state_dict(), "momentum/w": np.ones(3)})
    train(optimizer, variables, 2)
    state = optimizer.state_dict()
    bad = {**state, "momentum/other": np.ones(3), "velocity/dense/bias": np.ones(7)}
    del bad["momentum/conv/kernel"]
    bad["iterations"] = np.int64(99)
    with pytest.raises(SerializationError) as e:
        optimizer.load_state_dict(bad)
    for said in (
        "missing: momentum/conv/kernel",
        "unexpected: momentum/other",
        "velocity/dense/bias: expected shape (2,), got (7,)",
    ):
        assert said in str(e.value)
    assert all((optimizer.state_dict()[k] == a).all() for k, a in state.items())


def test_variables_and_set_weights(device):
    variables = make()
    optimizer = optimizers.Adam(0.1)
    assert len(optimizer.variables) == 2
    with pytest.raises(NotBuiltError):
        optimizer.set_weights([])
    train(optimizer, variables, 2)
    names = [v.name for v in optimizer.variables]
    assert names[:4] == [
        *("iteration", "learning_rate", "dense_kernel_momentum", "dense_kernel_velocity")
    ]
    assert len(names) == 2 + 2 * 3
    again = optimizers.Adam()
    again.build(make())
    again.set_weights([v.numpy() for v in optimizer.variables])
    assert int(again.iterations) == 2
    assert (again.state_dict()["velocity/conv/kernel"] != 0).all()
    with pytest.raises(ArgumentError, match="1 weights for 8"):
        again.set_weights([np.ones(3)])
    with pytest.raises(ShapeError, match="dense_kernel_momentum"):
        again.set_weights([np.ones(3)] * 8)


def test_averages_take_the_place_of_variables(device):
    w = gpunn.Variable([1.0])
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(3):
        optimizer.apply([np.ones(1)], [w])  # 0, -1, -2
    optimizer.finalize_variable_values([w])
    assert w.item() == ((0 + -1) / 2 + -2) / 2


def test_loss_scale():
    w = gpunn.Variable([1.0])
    optimizer = optimizers.SGD(1.0, loss_scale_factor=4.0)
    optimizer.build([w])
    loss = gpunn.ops.sum(w * 3.0)
    optimizer.scale_loss(loss).backward()
    optimizer.step()
    assert w.item() == -2.0


def test_an_own_rule_needs_update_only():
    class Plain(optimizers.Optimizer):
        def update(self, be, p, g, slots, h, scratch):
            p -= h[0] * g

    w = gpunn.Variable([1.0, 2.0])
    Plain(0.5, weight_decay=0.1).apply([np.ones(2)], [w])
    assert_close(w, np.float32([1 - 0.05 - 0.5, 2 - 0.1 - 0.5]))
    with pytest.raises(NotImplementedError, match="update"):
        optimizers.Optimizer(0.1).apply([np.ones(2)], [w])


@EVERY
@pytest.mark.parametrize("option", [{}, {"clipnorm": 1.0}, {"global_clipnorm": 1.0}])
def test_no_step_reads_the_device(cuda, cls, option):
    cudaemu = pytest.importorskip("cudaemu")
    with gpunn.device("cuda"):
        variables = make()
        optimizer = cls(0.1, weight_decay=0.1, use_ema=True, **option)
        optimizer.build(variables)
        for _ in range(4):
            for v in variables:
                v.accumulate(v.array)
            with cudaemu.measure() as counted:
                optimizer.step()
    assert counted.d2h == counted.h2d == counted.stream_syncs == 0


STATELESS = [(cls, {}) for cls in ALL]
STATELESS += [
    (optimizers.SGD, {"momentum": 0.9, "gradient_accumulation_steps": 2}),
    (optimizers.Adam, {"use_ema": True, "ema_overwrite_frequency": 2, "clipnorm": 1.0}),
    (optimizers.Adam, {"learning_rate": ExponentialDecay(0.1, 1, 0.5), "weight_decay": 0.1}),
]


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    "cls, options", STATELESS, ids=["-".join([c.__name__, *o]) for c, o in STATELESS]
)
def test_a_step_as_a_function_of_values(cls, options, wrapped, device):
    def built():
        optimizer = cls(**options)
        if wrapped:
            optimizer = optimizers.LossScaleOptimizer(optimizer, initial_scale=4.0)
        with gpunn.device(device):
            variables = make()
        optimizer.build(variables)
        return optimizer, variables

    def values_of(optimizer, variables):
        return [v.numpy().tolist() for v in [*variables, *optimizer.variables]]

    optimizer, variables = built()
    other, expected = built()
    before = values_of(optimizer, variables)
    state, values = [v.detach() for v in optimizer.variables], [v.detach() for v in variables]
    for step in range(3):
        r = np.random.RandomState(step)
        grads = [r.randn(*v.shape).astype("f4") for v in variables]
        values, state = optimizer.stateless_apply(state, grads, values)
        assert values_of(optimizer, variables) == before
        other.apply(grads, expected)
    for got, v in zip([*values, *state], [*expected, *other.variables], strict=True):
        np.testing.assert_array_equal(got.numpy(), v.numpy(), err_msg=v.path)
    train(optimizer, variables, 3)  # as if nothing had been
    for v, w in zip([*variables, *optimizer.variables], [*values, *state], strict=True):
        np.testing.assert_array_equal(v.numpy(), w.numpy(), err_msg=v.path)


def test_values_that_do_not_fit_a_step():
    optimizer, variables = optimizers.SGD(0.1), make()
    grads = [np.ones(v.shape) for v in variables]
    with pytest.raises(NotBuiltError, match="stateless_apply"):
        optimizer.stateless_apply([], grads, variables)
    optimizer.build(variables)
    for args, said in [
        (([], grads, variables), "optimizer_variables: got 0 values for 2"),
        ((optimizer.variables, grads[:1], variables), "1 gradients for 3"),
        ((optimizer.variables, grads, variables[:2]), "trainable_variables: got 2 values for 3"),
    ]:
        with pytest.raises(ArgumentError, match=said):
            optimizer.stateless_apply(*args)
    with pytest.raises(ShapeError, match=r"dense/kernel has shape \(3, 2\), got \(2,\)"):
        optimizer.stateless_apply(optimizer.variables, grads, [v[0] for v in variables])

"""Optimizers of one's own in Keras' style: update_step, assign_sub, add_variable_from_reference."""

import pickle

import numpy as np
import pytest

import gpunn
from gpunn import layers, ops, optimizers
from gpunn.errors import ArgumentError
from tests.harness import assert_close, rand


class Momentum(optimizers.Optimizer):
    """SGD with momentum, as Keras' guide would write it."""

    def __init__(self, learning_rate=0.01, momentum=0.9, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.momentums = [
            self.add_variable_from_reference(reference_variable=v, name="momentum")
            for v in variables
        ]

    def update_step(self, gradient, variable, learning_rate):
        learning_rate = ops.cast(learning_rate, variable.dtype)
        m = self.momentums[self._get_variable_index(variable)]
        self.assign(m, m * self.momentum - gradient * learning_rate)
        self.assign_add(variable, m)

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}


def variables(device):
    with gpunn.device(device):
        return [
            gpunn.Variable(rand(*s, seed=i).astype("float32"), name=f"v{i}")
            for i, s in enumerate([(3, 4), (4,), ()])
        ]


OPTIONS = [
    {},
    {"weight_decay": 0.1},
    {"clipnorm": 0.5},
    {"clipvalue": 0.3},
    {"global_clipnorm": 0.5},
    {"use_ema": True, "ema_overwrite_frequency": 3},
    {"gradient_accumulation_steps": 2},
    {"loss_scale_factor": 8.0},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_same_as_the_built_in_one(options, device):
    ours, theirs = variables(device), variables(device)
    mine = Momentum(0.1, momentum=0.9, **options)
    built_in = optimizers.SGD(0.1, momentum=0.9, **options)
    for step in range(7):
        grads = [rand(*v.shape, seed=10 * step + i) for i, v in enumerate(ours)]
        mine.apply(grads, ours)
        built_in.apply(grads, theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_close(a, b.numpy(), rtol=1e-6)
    assert [v.shape for v in mine.variables] == [v.shape for v in built_in.variables]
    assert {"v0_momentum", "v1_momentum"} <= {v.name for v in mine.variables}


def test_state_is_saved_and_restored(device):
    first, second = variables(device), variables(device)
    a, b = Momentum(0.1), Momentum(0.1)
    b.build(second)
    for step in range(6):
        if step == 3:
            for v, w in zip(second, first, strict=True):
                v.assign(w)
            b.load_state_dict(a.state_dict())
        grads = [rand(*v.shape, seed=step) for v in first]
        a.apply(grads, first)
        if step >= 3:
            b.apply(grads, second)
    for v, w in zip(second, first, strict=True):
        assert_close(v, w.numpy(), rtol=0)
    again = pickle.loads(pickle.dumps(a))
    assert_close(again.momentums[0], a.momentums[0].numpy(), rtol=0)


def test_fit_and_config(device):
    x, y = rand(32, 3).astype("float32"), rand(32, 1, seed=1).astype("float32")
    found = []
    for optimizer in (Momentum(0.1), optimizers.SGD(0.1, momentum=0.9)):
        gpunn.set_seed(0)
        with gpunn.device(device):
            model = gpunn.Sequential([layers.Dense(4, activation="tanh"), layers.Dense(1)])
        model.compile(optimizer=optimizer, loss="mse")
        model.fit(x, y, batch_size=8, epochs=3, verbose=0)
        found.append(model.predict(x, verbose=0))
    assert_close(found[0], found[1], rtol=1e-5)
    again = Momentum.from_config(Momentum(0.2, momentum=0.5, clipnorm=1.0).get_config())
    assert (again.momentum, again.clipnorm) == (0.5, 1.0)


def test_variables_of_several_names():
    (v,) = (gpunn.Variable([1.0, 2.0], name="w"),)
    optimizer = Momentum()
    optimizer.build([v])
    a, b = optimizer.add_optimizer_variables([v], ["a", "b"])
    c = optimizer.add_variable((3,), initializer="ones", name="c")
    assert (a[0].name, b[0].name, c.name) == ("w_a", "w_b", "c")
    assert c.numpy().tolist() == [1.0, 1.0, 1.0]
    optimizer.assign_sub(v, [1.0, 1.0])
    assert v.numpy().tolist() == [0.0, 1.0]
    with pytest.raises(ArgumentError, match="was not built for"):
        optimizer._get_variable_index(gpunn.Variable(1.0))


def test_without_a_rule():
    with pytest.raises(NotImplementedError, match="update_step"):
        optimizers.Optimizer(0.1).apply([np.ones(2)], [gpunn.Variable([1.0, 2.0])])

"""RematScope: layers that compute their values again in backward give what they gave without."""

import numpy as np
import pytest

import gpunn
from gpunn.autograd.backward import topological
from gpunn.errors import ArgumentError, CaptureError
from tests.harness import rand


def model(scope):
    gpunn.set_seed(5)
    with scope:
        layers = [
            gpunn.layers.Dense(8, activation="gelu", name="first"),
            gpunn.layers.BatchNormalization(name="second"),
            gpunn.layers.Dropout(0.5, name="third"),
            gpunn.layers.Dense(3, name="fourth"),
        ]
    return gpunn.Sequential(layers)


def parts(y) -> int:
    """How many parts of the graph are computed again in backward."""
    return sum(node.op == "checkpoint" and isinstance(node.shape[0], tuple)
               for node in topological(y.node))  # fmt: skip


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"mode": None}, 0),
        ({}, 4),
        ({"mode": "activations"}, 1),
        ({"mode": "larger_than", "output_size_threshold": 30}, 3),
        ({"mode": "list_of_layers", "layer_names": ["second"]}, 1),
    ],
)
def test_numbers_and_parts(device, options, count):
    with gpunn.device(device):
        x = gpunn.Tensor(rand(4, 5).astype("float32"))
        found = []
        for scope in (gpunn.RematScope(None), gpunn.RematScope(**options)):
            net = model(scope)
            y = net(x, training=True)
            (y * y).sum().backward(retain_graph=True)
            found.append([y.numpy(), *net.get_weights()])
            found[-1] += [v.grad.numpy() for v in net.trainable_variables]
        assert parts(y) == count
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)


def test_a_composite_layer_knows_that_it_is_trained():
    """Its layers ask the call around them, which is over when backward comes."""

    class Block(gpunn.layers.Layer):
        def __init__(self):
            super().__init__()
            self.drop = gpunn.layers.Dropout(0.5, seed=3)

        def call(self, x):
            return self.drop(x * x)

    with gpunn.RematScope():
        block = Block()
    x = gpunn.Tensor(np.ones((1, 100), "float32"), requires_grad=True)
    y = block(x, training=True)
    y.sum().backward()
    assert set(y.tolist()[0]) == {0.0, 2.0} and np.array_equal(x.grad.numpy(), 2 * y.numpy())


@pytest.mark.parametrize("captured", [False, True])
def test_fit(captured):
    weights = []
    for scope in (gpunn.RematScope(None), gpunn.RematScope()):
        gpunn.set_seed(5)
        with scope:
            net = gpunn.Sequential(
                [gpunn.layers.Dense(8, activation="tanh"), gpunn.layers.BatchNormalization(),
                 gpunn.layers.Dense(1)]
            )  # fmt: skip
        net.compile("adam", "mse", jit_compile=captured)
        net.fit(rand(64, 4), rand(64, 1), batch_size=16, epochs=2, verbose=0, shuffle=False)
        weights.append(net.get_weights())
    for one, other in zip(*weights, strict=True):
        assert np.array_equal(one, other)


def test_random_numbers_are_not_drawn_again_by_a_recorded_step():
    net = model(gpunn.RematScope())
    net.compile("adam", "mse", jit_compile="auto")  # goes on call by call
    net.fit(rand(64, 5), rand(64, 3), batch_size=16, epochs=2, verbose=0)
    net.compile("adam", "mse", jit_compile=True)
    with pytest.raises(CaptureError, match="numbers drawn in a checkpoint"):
        net.fit(rand(64, 5), rand(64, 3), batch_size=16, epochs=2, verbose=0)


def test_scopes_are_nested_and_checked():
    with gpunn.RematScope():
        with gpunn.RematScope(None):
            inner = gpunn.layers.Dense(1)
        outer = gpunn.layers.Dense(1)
    assert inner._remat is None and outer._remat.mode == "full"
    assert gpunn.layers.Dense(1)._remat is None
    with pytest.raises(ArgumentError, match="unknown mode of RematScope 'ful'; did you mean"):
        gpunn.RematScope("ful")

"""MultiOptimizer: each variable is trained as its own optimizer would train it alone."""

import copy

import numpy as np
import pytest

import gpunn
from gpunn import layers, optimizers
from gpunn.errors import ArgumentError, ArgumentTypeError, GradientError
from gpunn.optimizers import MultiOptimizer, OptimizerMap

X = np.random.RandomState(0).randn(16, 3).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")


def rules():
    return optimizers.SGD(0.1, momentum=0.9), optimizers.Adam(0.01, clipnorm=1.0)


def make(optimizer=None):
    gpunn.set_seed(0)
    model = gpunn.Sequential(
        [gpunn.Input((3,)), layers.Dense(4, "tanh", name="body"), layers.Dense(1, name="head")]
    )
    if optimizer is None:
        sgd, adam = rules()
        optimizer = MultiOptimizer(OptimizerMap(sgd, {"head/.*": adam}))
    model.compile(optimizer, "mse")
    return model


def test_each_variable_is_trained_as_alone(device):
    variables = [gpunn.Variable(np.ones(n, "f4"), name=f"v{n}", device=device) for n in (2, 3, 4)]
    alone = [gpunn.Variable(v.numpy(), name=v.name, device=device) for v in variables]
    together = MultiOptimizer(OptimizerMap(*(lambda sgd, adam: (sgd, {"v3": adam}))(*rules())))
    sgd, adam = rules()
    for step in range(4):
        r = np.random.RandomState(step)
        grads = [r.randn(*v.shape).astype("f4") for v in variables]
        if step % 2:
            together.apply(grads, variables)
        else:
            together.build(variables)
            for v, g in zip(variables, grads, strict=True):
                v.accumulate(gpunn.Tensor(g, device=device).array)
            together.step()
            assert all(v.grad is None for v in variables)
        sgd.apply([grads[0], grads[2]], [alone[0], alone[2]])
        adam.apply(grads[1:2], alone[1:2])
    for v, w in zip(variables, alone, strict=True):
        np.testing.assert_array_equal(v.numpy(), w.numpy())
    assert int(together.iterations) == 4 and len(together.variables) == 9
    together.apply([None, grads[1], None])  # the other optimizer has nothing to do
    assert [int(o.iterations) for o in together.optimizers] == [5, 4]
    values, state = together.stateless_apply(together.variables, grads, variables)
    together.apply(grads, variables)
    for x, v in zip([*values, *state], [*variables, *together.variables], strict=True):
        np.testing.assert_array_equal(x.numpy(), v.numpy())


@pytest.mark.parametrize("jit", [True, False])
def test_fit(jit, device):
    model = make()
    model.to(device)
    model.compile(model.optimizer, "mse", jit_compile="auto" if jit else False)
    start = model.get_weights()
    losses = model.fit(X, Y, batch_size=4, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0] * 0.8
    assert not any(map(np.array_equal, start, model.get_weights()))
    sgd = model.optimizer.optimizers[1]
    assert sgd.name == "sgd" and int(sgd.iterations) == 32


def test_saving_and_copying(tmp_path):
    model = make()
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0)
    model.save(tmp_path / "model.gpunn")
    again = gpunn.load_model(tmp_path / "model.gpunn")
    copied = copy.deepcopy(model.optimizer)
    assert [v.numpy().tolist() for v in copied.variables] == [
        v.numpy().tolist() for v in model.optimizer.variables
    ]
    for m in (model, again):
        m.fit(X, Y, batch_size=4, epochs=2, verbose=0, shuffle=False)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.optimizer.get_config() == model.optimizer.get_config()


def test_scaled_losses(device):
    sgd, adam = rules()
    inner = MultiOptimizer(OptimizerMap(adam, {"w": sgd}), loss_scale_factor=3.0)
    assert sgd.loss_scale_factor == 3.0
    optimizer = optimizers.LossScaleOptimizer(inner, initial_scale=8.0)
    assert sgd.loss_scale_factor is adam.loss_scale_factor is None
    w = gpunn.Variable([1.0], name="w", device=device)
    v = gpunn.Variable([1.0], name="v", device=device)
    optimizer.apply([[8.0], [8.0]], [w, v])
    optimizer.apply([[np.inf], [8.0]], [w, v])
    assert w.numpy() == np.float32(0.9) and v.numpy() == np.float32(0.99)
    assert optimizer.dynamic_scale.item() == 4.0 and int(optimizer.iterations) == 1


def test_callbacks_change_every_rate():
    model = make()
    halve = gpunn.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    logs = model.fit(X, Y, epochs=2, verbose=0, callbacks=[halve]).history
    np.testing.assert_allclose(logs["learning_rate_sgd"], [0.05, 0.025])
    np.testing.assert_allclose(logs["learning_rate_adam"], [0.005, 0.0025])
    reduce = gpunn.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_lr=1e-3)
    reduce.set_model(model)
    for loss in (1.0, 1.0):
        reduce.on_epoch_end(0, {"loss": loss})
    rates = [float(o.learning_rate) for o in model.optimizer.optimizers]
    np.testing.assert_allclose(rates, [0.001, 0.0025])


def test_variables_of_an_iterator():
    variables = [gpunn.Variable(np.ones(2), name=name) for name in ("a", "b")]
    optimizer = MultiOptimizer(OptimizerMap(optimizers.SGD(0.5)))
    optimizer.apply([np.ones(2), np.ones(2)], iter(variables))
    assert [v.numpy().tolist() for v in variables] == [[0.5, 0.5]] * 2


def test_a_function_chooses():
    sgd, adam = rules()
    optimizer = MultiOptimizer(lambda v: adam if "head" in v.path else sgd)
    model = make(optimizer)
    model.fit(X, Y, epochs=1, verbose=0)
    assert optimizer.optimizers == [sgd, adam]


def test_what_is_wrong():
    sgd, adam = rules()
    which = OptimizerMap(sgd, {"a.*": adam, ".*b": sgd})
    assert which["a"] is adam and which["c"] is sgd and len(which) == 2 and list(which)
    with pytest.raises(ArgumentError, match="several optimizers fit 'ab'"):
        which["ab"]
    with pytest.raises(ArgumentError, match="has an optimizer already"):
        which["a.*"] = sgd
    with pytest.raises(ArgumentError, match="no regular expression"):
        which["("] = sgd
    with pytest.raises(ArgumentTypeError, match="holds no others"):
        which["d"] = optimizers.LossScaleOptimizer(sgd)
    with pytest.raises(ArgumentTypeError, match="expected an optimizer"):
        OptimizerMap("adam")
    with pytest.raises(ArgumentTypeError, match="must be an OptimizerMap"):
        MultiOptimizer({"a": sgd})
    optimizer = MultiOptimizer(OptimizerMap(sgd))
    with pytest.raises(AttributeError, match="no learning_rate"):
        float(optimizer.learning_rate)
    v = gpunn.Variable([1.0])
    optimizer.build([v])
    with pytest.raises(GradientError, match="found no gradient"):
        optimizer.step()
    with pytest.raises(ArgumentError, match="was built for 1 variables"):
        optimizer.apply([[1.0]], [gpunn.Variable([1.0])])
    with pytest.raises(ArgumentError, match="no gradient was given"):
        optimizer.apply([None])

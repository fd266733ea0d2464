"""`evaluate` and `predict` by plans: the bits of the eager ones, and when plans are dropped."""

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.layers import Dense
from gpunn.training.plans.captured import CapturedStep
from tests.capture.steps import batches, state, twins
from tests.capture.test_captured import net, packed
from tests.capture.test_steps import LAYERS, METRICS, ON_IMAGES, ON_SEQUENCES, sequence

X = np.random.default_rng(0).normal(size=(70, 5)).astype("float32")
Y = X[:, :3] * 2 - 1
PARTS = {
    **{name: ((5,), parts) for name, parts in LAYERS.items()},
    **{name: ((8, 8, 3), parts) for name, parts in ON_IMAGES.items()},
    **{name: ((6, 4), parts) for name, parts in ON_SEQUENCES.items()},
}


@pytest.mark.parametrize("name", PARTS)
def test_layer(name):
    shape, parts = PARTS[name]

    def make():
        model = gpunn.Sequential([gpunn.Input(shape), *parts(), layers.Flatten(), Dense(3)])
        model.compile("sgd", "mse", metrics=["mae"])
        return model

    eager, other = twins(make)
    predict, test = CapturedStep(kind="predict"), CapturedStep(kind="test")
    rng = np.random.default_rng(1)
    for i in range(8):
        x = rng.normal(size=(3, *shape)).astype("float32")
        y = rng.normal(size=(3, 3)).astype("float32")
        for captured in (predict, test):
            for plan in captured._steps.values():
                plan.plan.poison()
        with gpunn.no_grad():
            expected = eager.predict_step((gpunn.Tensor(x),)).numpy()
            found = predict(other, (gpunn.Tensor(x),)).numpy()
            logs = dict(eager.test_step(packed(eager, (x, y))))
            assert logs == dict(test(other, packed(other, (x, y)))), i
        assert found.tobytes() == expected.tobytes(), i
        assert state(eager) == state(other), i
    assert predict._steps and test._steps and next(iter(test._steps.values())).inside


@pytest.mark.parametrize("name", METRICS)
def test_metric(name):
    kind, options = getattr(gpunn.metrics, name), METRICS[name]
    labels = "Sparse" in name or name == "ConfusionMatrix"
    loss = "sparse_categorical_crossentropy" if labels else "mse"

    def make():
        return sequence(
            activation="softmax", optimizer="sgd", loss=loss, metrics=[kind(**options)]
        )()

    eager, other = twins(make)
    captured = CapturedStep(kind="test")
    for batch in batches(4, classes=3 if labels else None, target=3):
        with gpunn.no_grad():
            eager.test_step(packed(eager, batch))
            captured(other, packed(other, batch))
        assert state(eager) == state(other)
    assert [plan.inside for plan in captured._steps.values()] == [("metrics",)]


def compiled(jit):
    gpunn.set_seed(2)
    return net(jit_compile=jit)


def test_evaluate_and_predict():
    results = []
    for jit in (False, "auto"):
        model = compiled(jit)
        model.fit(X, Y, epochs=2, validation_split=0.3, verbose=0)
        found = [model.evaluate(X, Y, batch_size=8, verbose=0) for _ in range(3)]
        outputs = [model.predict(X, batch_size=9, verbose=0) for _ in range(3)]
        outputs += [model.predict(X[i : i + 1], verbose=0) for i in range(6)]
        outputs += [model.predict_on_batch(X[:4]) for _ in range(6)]
        results.append((found, [y.tobytes() for y in outputs]))
    assert results[0] == results[1]
    assert {len(plan.inputs[0]) for plan in model._captured_test._steps.values()} == {8, 6}
    assert {len(plan.inputs[0]) for plan in model._captured_predict._steps.values()} == {9, 1, 4}


def test_predictions_are_the_callers_own():
    model = compiled("auto")
    first, *others = [model.predict(X[i : i + 1], verbose=0) for i in range(8)]
    kept = first.copy()
    assert not any(np.shares_memory(first, y) for y in others)
    assert first.tobytes() == kept.tobytes()


def test_a_model_that_is_not_compiled():
    model = gpunn.Sequential([gpunn.Input((5,)), Dense(3)])
    found = [model.predict(X[:2], verbose=0) for _ in range(6)]
    assert all(y.tobytes() == found[0].tobytes() for y in found)
    assert model._captured_predict._steps
    model.compile("sgd", "mse", run_eagerly=True)
    model.predict(X[:2], verbose=0)
    assert model._captured_predict is None


class Nested(gpunn.Model):
    """Says how its input came."""

    def call(self, x):
        return x["a"] * 2.0 if isinstance(x, dict) else x * 3.0


def test_inputs_that_are_nested_otherwise():
    model = Nested()
    model.compile("sgd", "mse", jit_compile=True)
    for _ in range(8):
        assert np.array_equal(model.predict({"a": X[:2]}, verbose=0), X[:2] * 2)
        assert np.array_equal(model.predict(X[:2], verbose=0), X[:2] * 3)
    assert len(model._captured_predict._steps) == 2


def new_layer(model):
    model.add(Dense(3, kernel_initializer="ones"))


def frozen_statistics(model):
    model.layers[2].trainable = False


def new_weights(model):
    model.set_weights([w * 0.5 for w in model.get_weights()])


def other_epsilon(model):
    model.layers[2].epsilon = 0.5


def new_memory(model):
    v = model.layers[0].kernel
    v.array = v.array * 2


@pytest.mark.parametrize(
    "change", [new_layer, frozen_statistics, new_weights, other_epsilon, new_memory]
)
def test_a_change_between_predictions(change):
    found = []
    for jit in (False, "auto"):
        model = compiled(jit)
        for _ in range(6):
            model.predict(X[:3], verbose=0)
        change(model)
        found.append([model.predict(X[:3], verbose=0).tobytes() for _ in range(6)])
    assert found[0] == found[1]
    assert model._captured_predict._steps


def test_memory_does_not_grow():
    import tracemalloc

    model = compiled("auto")
    tracemalloc.start()
    for _ in range(2500):  # Python itself keeps so many small tuples for later
        model.predict(X[:1], verbose=0)
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(300):
        model.predict(X[:1], verbose=0)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000


def test_own_steps_are_captured_too():
    class Own(gpunn.Sequential):
        def test_step(self, batch):
            return {"one": 1.0}

        def predict_step(self, batch):
            return super().predict_step(batch) * 0

    model = Own([gpunn.Input((5,)), Dense(3)])
    model.compile("sgd", "mse", jit_compile=True)
    for _ in range(6):
        assert model.evaluate(X, Y, verbose=0, return_dict=True) == {"one": 1.0}
        assert not model.predict(X, verbose=0).any()
    assert model._captured_test._steps and model._captured_predict._steps

"""Code that is not gpunn's in captured steps: eager's bits, whatever it reads, does or changes."""

import re

import numpy as np
import pytest

import gpunn
from gpunn import layers
from tests.capture import cases_captured, cases_changing, cases_refused  # noqa: F401
from tests.capture.cases import CASES

X = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
Y = X[:, :1] * 2 - 1


@pytest.fixture(autouse=True)
def format_put_back():
    yield
    gpunn.config.set_image_data_format("channels_last")


def at_epoch(change):
    """A callback that changes something before the epochs 2, 3, ... (`change(epoch)`)."""
    return gpunn.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs=None: change(epoch) if epoch > 1 else None
    )


def fitted(make, jit):
    gpunn.set_seed(1)
    made = make()
    model = made.get("model")
    if model is None:
        parts = made.get("parts", [layers.Dense(4, "tanh")])
        model = gpunn.Sequential([gpunn.Input((4,)), *parts, layers.Dense(1)])
    compiled = {"loss": "mse", "optimizer": "adam", "metrics": ["mae"], **made}
    options = {n: compiled[n] for n in ("loss", "optimizer", "metrics")}
    model.compile(**options, jit_compile=jit)
    callbacks = [at_epoch(made["callback"])] if "callback" in made else []
    data = {"batch_size": 10, "epochs": 5, "verbose": 0, "callbacks": callbacks}
    history = model.fit(X, Y, validation_data=(X[:20], Y[:20]), **data).history
    predicted = [model.predict(X[:10], verbose=0) for _ in range(6)]
    return model, history, [w.tobytes() for w in (*model.get_weights(), *predicted)]


@pytest.mark.parametrize("name", CASES)
def test_auto_gives_the_bits_of_eager_steps(name, device):
    make, expected = CASES[name]
    _, history, ends = fitted(make, False)
    model, captured, found = fitted(make, "auto")
    assert captured == history
    assert found == ends
    step = model._captured
    if isinstance(expected, str):
        assert re.search(expected, step.refused)
        assert not step._steps
    else:
        assert step.refused is None
        inside = ("optimizer", "metrics") if expected is None else expected
        assert [p.inside for p in step._steps.values()] == [inside]

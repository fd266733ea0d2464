"""Recording and replaying beside other threads: they see the model as it is."""

import sys
import threading

import numpy as np
import pytest

import gpunn
from gpunn.layers import BatchNormalization, Dense, Dropout

X = np.random.default_rng(0).normal(size=(48, 6)).astype("float32")
Y = X[:, :2] * 2 - 1


@pytest.fixture(autouse=True)
def turns():
    """Threads take turns often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def net():
    model = gpunn.Sequential(
        [gpunn.Input((6,)), Dense(16, "relu"), Dropout(0.2), BatchNormalization(), Dense(2)]
    )
    model.compile("adam", "mse", metrics=["mae"])
    return model


def fit(model, epochs=2):
    model.fit(X, Y, batch_size=16, epochs=epochs, verbose=0)


class Beside:
    """Does something again and again in a thread of its own while a `with` block runs."""

    def __init__(self, work):
        self._work = work
        self._stop = threading.Event()
        self.count = 0
        self.error = None
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            while not self._stop.is_set():
                self._work()
                self.count += 1
        except Exception as e:
            self.error = e

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()
        if self.error is not None:
            raise self.error


USES = {
    "predict": lambda model: model.predict(X[:5], verbose=0),
    "call": lambda model: model(X[:5]).numpy(),
    "large": lambda model: model.predict(X, batch_size=16, verbose=0),
}


@pytest.mark.parametrize("use", USES)
def test_another_thread_uses_the_model_while_steps_are_recorded(use):
    model = net()
    fit(model)

    def work():
        assert np.isfinite(USES[use](model)).all()

    with Beside(work) as beside:
        for _ in range(4):
            model.compile("adam", "mse", metrics=["mae"])
            fit(model)
            assert model._captured._steps
    assert beside.count > 10


def test_predictions_of_several_threads_are_those_of_one():
    model = net()
    rows = [X[:1], X[:7], X[7:14], X]
    expected = [model.predict(x, verbose=0) for x in rows]
    wrong = []

    def work():
        for _ in range(30):
            for x, y in zip(rows, expected, strict=True):
                if not np.array_equal(model.predict(x, verbose=0), y):
                    wrong.append(len(x))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert model._captured_predict._steps


def test_two_threads_fit_two_models():
    def trained(model):
        for _ in range(3):
            model.compile("adam", "mse", metrics=["mae"])
            fit(model)

    gpunn.set_seed(5)
    models = [net() for _ in range(2)]
    gpunn.set_seed(5)
    twins = [net() for _ in range(2)]
    for model in (*models, *twins):  # streams for shuffles of their own
        gpunn.set_seed(11)
        fit(model, 1)
    for model in twins:
        trained(model)
    threads = [threading.Thread(target=trained, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for model, twin in zip(models, twins, strict=True):
        for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
            assert a.tobytes() == b.tobytes()

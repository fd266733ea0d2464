"""compile_inference: plans of prediction that are there before the first batch."""

import copy

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import ArgumentError, CaptureError, NotBuiltError

try:
    import cudaemu
except ImportError:
    cudaemu = None

X = np.random.default_rng(0).normal(size=(20, 6)).astype("float32")


def model():
    return gpunn.Sequential(
        [
            gpunn.Input((6,)),
            layers.Dense(8, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(3, "softmax"),
        ]
    )


def runs(made) -> dict:
    """How often each plan of prediction was used, by rows."""
    steps = made._captured_predict._steps
    return {step.inputs[0].shape[0]: step.runs for step in steps.values()}


def test_the_first_prediction_is_by_a_plan(device):
    made = model()
    wanted = {n: made(X[:n]).numpy() for n in (1, 8)}
    made.compile_inference(batch_sizes=[8, 1, 8])
    assert runs(made) == {1: 0, 8: 0}
    for n in (1, 8):
        np.testing.assert_array_equal(made.predict(X[:n], verbose=0), wanted[n])
        np.testing.assert_array_equal(made.predict_on_batch(X[:n]), wanted[n])
    assert runs(made) == {1: 2, 8: 2}
    made.predict(X, batch_size=8, verbose=0)
    made.predict(X[:5], verbose=0)
    assert runs(made) == {1: 2, 8: 4}  # the rest, 4 rows and 5, run call by call
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(made), "predict_step", None)  # nobody calls it
        made.predict(X[:8], verbose=0)
    for weight in made.weights:
        weight.assign(weight * 2)
    np.testing.assert_array_equal(made.predict(X[:8], verbose=0), made(X[:8]).numpy())
    assert runs(made)[8] == 6


def test_it_is_one_launch_of_a_graph(cuda):
    if cudaemu is None:
        pytest.skip("counted on the emulated device only")
    with gpunn.device("cuda"):
        made = model()
        x = gpunn.Tensor(X[:8]).array
    made.compile_inference(8)
    made.predict(x, verbose=0)
    with cudaemu.measure() as counted:
        made.predict(x, verbose=0)
    assert counted.graph_launches == 1
    assert counted.kernels == counted.graph_kernels + 1  # the outputs are copied
    assert counted.d2h == counted.h2d == counted.mallocs == 0


def test_padding(device):
    made = model()
    made.compile_inference([4, 8], pad=True)
    wanted = made(X).numpy()
    for n in (1, 4, 5, 8):
        np.testing.assert_allclose(made.predict(X[:n], verbose=0), wanted[:n], rtol=1e-5)
    np.testing.assert_allclose(made.predict(X, batch_size=8, verbose=0), wanted, rtol=1e-5)
    assert runs(made) == {4: 2 + 1, 8: 2 + 2}
    assert made.predict(X, batch_size=20, verbose=0).shape == (20, 3)  # larger than any


def test_inputs_of_other_kinds(device):
    a, b = gpunn.Input((5,), dtype="int32", name="a"), gpunn.Input((None, 2), name="b")
    h = layers.Flatten()(layers.Embedding(7, 3)(a))
    h = h + layers.Dense(15)(layers.GlobalAveragePooling1D()(b))
    made = gpunn.Model({"a": a, "b": b}, [layers.Dense(2)(h), h])
    x = {"a": np.ones((3, 5), "int32"), "b": np.ones((3, 4, 2), "float32")}
    with pytest.raises(ArgumentError, match="beside the rows is open: give x"):
        made.compile_inference([3])
    made.compile_inference([3], x=x)
    got = made.predict(x, verbose=0)
    assert runs(made) == {3: 1}
    for y, wanted in zip(got, made(x), strict=True):
        np.testing.assert_array_equal(y, wanted.numpy())


class Asks(gpunn.layers.Layer):
    def call(self, inputs):
        return inputs * (1.0 if inputs.numpy().sum() < 1e9 else 2.0)


def test_what_cannot_be_made(device):
    made = model()
    for bad in ([], [0], ["8"], 0, [2.5]):
        with pytest.raises(ArgumentError, match="batch_sizes must be"):
            made.compile_inference(bad)
    with pytest.raises(ArgumentError, match="at most 16"):
        made.compile_inference(range(1, 18))
    with pytest.raises(NotBuiltError):
        gpunn.Sequential([layers.Dense(3)]).compile_inference()
    asks = gpunn.Sequential([gpunn.Input((6,)), Asks()])
    with pytest.raises(CaptureError):
        asks.compile_inference([2])
    assert asks.predict(X[:2], verbose=0).shape == (2, 6)


def test_copies_predict(device):
    made = model()
    made.compile_inference([8])
    np.testing.assert_array_equal(
        copy.deepcopy(made).predict(X[:8], verbose=0), made.predict(X[:8], verbose=0)
    )

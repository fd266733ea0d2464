"""Input and InputLayer: what they are given, and what they refuse."""

import pytest

import gpunn
from gpunn import layers
from gpunn.errors import ArgumentError, ArgumentTypeError


def test_a_symbolic_tensor_that_nothing_made_is_the_input_itself():
    tensor = gpunn.KerasTensor((2, 3), "int32", name="t")
    layer = layers.InputLayer(shape=(3,), batch_size=2, input_tensor=tensor)
    assert layer.output is tensor and layer.name == "t" and layer.dtype == "int32"
    made = gpunn.Input((4,)) + 1.0
    assert layers.InputLayer(input_tensor=made).output is not made


@pytest.mark.parametrize(
    "arguments",
    [
        {"shape": (2, 4)},
        {"batch_shape": (2, 4)},
        {"batch_size": 3},
        {"dtype": "int32"},
    ],
)
def test_what_contradicts_the_tensor(arguments):
    with pytest.raises(ArgumentError, match="is not that of input_tensor"):
        gpunn.Input(**arguments, tensor=gpunn.KerasTensor((2, 3), "float32"))


def test_older_names():
    assert layers.InputLayer(input_shape=(3,), batch_size=2).batch_shape == (2, 3)
    assert layers.InputLayer(batch_input_shape=(2, 3)).batch_shape == (2, 3)


def test_errors():
    with pytest.raises(ArgumentError, match="needs either its shape or its batch_shape, got both"):
        gpunn.Input((3,), batch_shape=(None, 3))
    with pytest.raises(ArgumentError, match="its batch_shape says the batch_size"):
        gpunn.Input(batch_shape=(None, 3), batch_size=2)
    with pytest.raises(ArgumentTypeError, match="optional must be True or False, got 'x'"):
        gpunn.Input((3,), optional="x")

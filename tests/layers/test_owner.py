"""WeightOwner: finding weights."""

import pytest

import gpunn
from gpunn.errors import ArgumentError
from gpunn.layers import Dense, Layer


class Own(Layer):
    """A layer whose weight is a plain attribute."""

    def __init__(self):
        super().__init__()
        self.factor = gpunn.Variable([1.0])


def test_first_weight_is_one_of_the_weights():
    model = gpunn.Sequential([gpunn.Input((3,)), Dense(2), Dense(1)])
    assert model.first_weight() is model.weights[0]


def test_first_weight_finds_variables_in_attributes():
    layer = Own()
    assert layer.first_weight() is layer.factor


def test_first_weight_without_weights():
    assert gpunn.Sequential().first_weight() is None


def test_paths_begin_with_the_names_of_scopes():
    with gpunn.name_scope("model"):
        first = gpunn.layers.Dense(1, name="first")
        with gpunn.name_scope("block"):
            x = gpunn.Input((2,))
            gpunn.layers.Dense(3, name="second")(x)
            inside = gpunn.Sequential([gpunn.layers.Dense(2, name="third")], name="inside")
            inside.build((None, 2))
        with pytest.raises(ArgumentError, match="without a slash"), gpunn.name_scope("a/b"):
            pass
        first.build((None, 2))
    outside = gpunn.layers.Dense(1, name="outside")
    outside.build((None, 2))
    paths = [layer.weights[0].path for layer in (first, inside, outside)]
    assert paths == ["model/first/kernel", "model/block/inside/third/kernel", "outside/kernel"]

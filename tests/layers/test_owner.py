"""WeightOwner: finding weights."""

import gpunn
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

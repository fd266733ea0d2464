"""Captured steps of models whose inputs and outputs have names."""

import gpunn
from gpunn.layers import Dense
from tests.capture.steps import batches, train
from tests.capture.test_steps import assert_captured


class TwoInputs(gpunn.Model):
    """Two inputs by name and two outputs by name."""

    def __init__(self):
        super().__init__()
        self.one, self.two = Dense(3), Dense(3)
        self.output_names = ("one", "two")

    def call(self, x):
        return {"one": self.one(x["a"]), "two": self.two(x["a"] * x["b"])}


def test_several_inputs_and_outputs_by_name():
    def make():
        model = TwoInputs()
        model.compile("adam", {"one": "mse", "two": "mae"})
        return model

    data = [({"a": x, "b": x * 2}, {"one": y, "two": y * 2}) for x, y in batches(6, target=3)]
    assert_captured(train(make, data))

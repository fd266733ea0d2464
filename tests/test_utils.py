"""Small helpers, as in keras.utils."""

import random

import numpy as np
import pytest

import gpunn
from gpunn import utils
from gpunn.errors import ArgumentError


def test_to_categorical():
    assert utils.to_categorical([[0], [2]]).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert utils.to_categorical([1], 4).dtype == "float64"
    assert utils.to_categorical(np.zeros((2, 3), int), 2).shape == (2, 3, 2)
    assert utils.to_categorical(gpunn.Tensor([[1]]), 2).tolist() == [[0, 1]]
    for bad in ([-1], [5]):
        with pytest.raises(ArgumentError, match="from 0 to 2"):
            utils.to_categorical(bad, 3)


def test_normalize():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert utils.normalize(x).tolist() == [[0.6, 0.8], [0, 0]]
    assert utils.normalize(x, axis=0, order=1)[0].tolist() == [1, 1]
    assert np.allclose(utils.normalize(gpunn.Tensor(x)).numpy(), utils.normalize(x))


def test_set_random_seed():
    def draw():
        utils.set_random_seed(3)
        old = np.random.rand()  # noqa: NPY002
        return random.random(), old, gpunn.random.normal((2,)).tolist()

    assert draw() == draw()
    with pytest.raises(ArgumentError, match="0 to 2"):
        utils.set_random_seed(-1)

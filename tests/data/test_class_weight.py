"""Class weights become sample weights, as in Keras."""

import numpy as np
import pytest

from gpunn.data import make_batch, make_source
from gpunn.errors import ArgumentError, ArgumentTypeError


def weights(y, class_weight, device="cpu"):
    x = np.zeros((len(y), 1))
    ((_, _, w),) = make_source(x, y, class_weight=class_weight, device=device).epoch()
    assert w.dtype == np.float32
    return w.tolist()


@pytest.mark.parametrize(
    "y",
    [
        np.array([0, 2, 1, 2]),
        np.array([[0], [2], [1], [2]]),
        np.array([0.0, 2.0, 1.0, 2.0]),
        np.eye(3)[[0, 2, 1, 2]],
        [0, 2, 1, 2],
    ],
)
def test_labels(y, device):
    assert weights(y, {0: 0.5, 2: 3}, device) == [0.5, 3, 1, 3]


def test_negative_labels():
    assert weights(np.array([-1, 1]), {-1: 2.0, 1: 1.0}) == [2, 1]


def test_for_batches_of_a_generator():
    data = [(np.zeros((2, 1)), np.array([0, 1])), (np.zeros((1, 1)), np.array([0]))]
    got = [w.tolist() for _, _, w in make_source(data, class_weight={1: 4.0}).epoch()]
    assert got == [[1, 4], [1]]


@pytest.mark.parametrize(
    "y, class_weight, error, said",
    [
        ([0, 1], {2: 1.0, 3: 1.0}, ArgumentError, r"classes \[2, 3\], y none of them: it has \[0"),
        (np.eye(2), {2: 1.0}, ArgumentError, "y has the classes 0 to 1, not 2"),
        ([0, 1], {"cat": 1.0}, ArgumentTypeError, "classes are integers, got 'cat'"),
        ([0, 1], {0: "a"}, ArgumentError, "the weight of class 0 is 'a'"),
        ([0, 1], {0: np.nan}, ArgumentError, "the weight of class 0 is nan"),
        ([0, 1], [1.0, 2.0], ArgumentTypeError, "must be a dict"),
        (None, {0: 1.0}, ArgumentError, "class_weight needs y"),
        ([np.zeros(2), np.zeros(2)], {0: 1.0}, ArgumentError, "a single array"),
    ],
)
def test_bad_class_weights(y, class_weight, error, said):
    with pytest.raises(error, match=said):
        make_source(np.zeros((2, 1)), y, class_weight=class_weight)


def test_not_with_sample_weights():
    with pytest.raises(ArgumentError, match="class_weight or sample_weight, not both"):
        make_source(np.zeros((2, 1)), [0, 1], [1.0, 1.0], class_weight={0: 1.0})


def test_a_batch_need_not_have_the_classes():
    assert make_batch(np.zeros((2, 1)), [0, 0], class_weight={1: 5.0})[2].tolist() == [1, 1]

"""A change in place of what an op saved for its gradient is found, and nothing else is blamed."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.autograd import clock, mutated
from gpunn.errors import GradientError

CHANGED = "saved for its gradient was changed in place after the op ran"


@pytest.fixture
def v(device):
    return gpunn.Variable([1.0, 2.0, 3.0, 4.0])


def changes():
    return {
        "assign": lambda v: v.assign([0.0, 0.0, 0.0, 0.0]),
        "assign_add": lambda v: v.assign_add([1.0, 1.0, 1.0, 1.0]),
        "assign_sub": lambda v: v.assign_sub(1.0 * v.detach()),
        "data": lambda v: setattr(v, "data", [0.0, 0.0, 0.0, 0.0]),
        "announced": lambda v: mutated(v.array),
        "announced of a part": lambda v: mutated(v.array[1:2]),
        "announced of a view": lambda v: mutated(v.array.reshape(2, 2)),
    }


@pytest.mark.parametrize("change", changes())
def test_change_of_a_saved_array_is_refused(v, change):
    y = (v * v).sum()
    changes()[change](v)
    with pytest.raises(GradientError, match=r"shape \(4,\) that multiply " + CHANGED):
        y.backward()
    assert v.grad is None


def test_change_through_a_flat_buffer_is_found(device):
    """As an optimizer does: the variable is a view of a buffer that is changed as a whole."""
    v = gpunn.Variable([1.0, 2.0])
    be = gpunn.backend.get_backend(device)
    flat = be.zeros(10, "float32")
    v.array = flat[4:6]
    y = (v * v).sum()
    mutated(flat)
    with pytest.raises(GradientError, match=CHANGED):
        y.backward()
    z = (v * v).sum()
    mutated(flat[:4])
    mutated(flat[6:])
    z.backward()


def test_change_of_a_view_that_an_op_saved():
    x = gpunn.Tensor(np.ones((4, 4), "float32"))
    v = gpunn.Variable(np.ones((4, 2), "float32"))
    y = (v * x.array[:, 1:3]).sum()
    mutated(x.array)
    with pytest.raises(GradientError, match=CHANGED):
        y.backward()


def test_change_before_the_op_is_fine(v):
    v.assign([2.0, 2.0, 2.0, 2.0])
    (v * v).sum().backward()
    assert v.grad.numpy().tolist() == [4.0] * 4


def test_change_after_backward_is_fine(v):
    for _ in range(3):
        v.grad = None
        (v * v).sum().backward()
        v.assign(v.detach() * 0.5)
    assert v.numpy().tolist() == [0.125, 0.25, 0.375, 0.5]


def test_ops_that_save_nothing_do_not_mind(v):
    y = (v + 1.0).sum()
    v.assign([0.0, 0.0, 0.0, 0.0])
    y.backward()
    assert v.grad.numpy().tolist() == [1.0] * 4


def test_changes_elsewhere_do_not_matter(v):
    other = gpunn.Variable([1.0, 2.0, 3.0, 4.0])
    y = (v * v).sum()
    other.assign([0.0, 0.0, 0.0, 0.0])
    y.backward()
    assert v.grad.numpy().tolist() == [2.0, 4.0, 6.0, 8.0]


def test_a_part_of_the_graph_that_is_not_walked_does_not_matter(v):
    w = gpunn.Variable([1.0, 1.0, 1.0, 1.0])
    kept = v * v
    y = (w * w).sum()
    v.assign([0.0, 0.0, 0.0, 0.0])
    y.backward()
    with pytest.raises(GradientError, match=CHANGED):
        kept.backward([1.0] * 4)


def test_an_assignment_of_another_shape_changes_nothing(v):
    y = (v * v).sum()
    with pytest.raises(gpunn.errors.ShapeError, match=r"shape \(4,\), cannot assign shape \(2,\)"):
        v.assign([1.0, 2.0])
    with pytest.raises(gpunn.errors.ShapeError):
        v.data = [1.0, 2.0]
    y.backward()


def test_results_of_views_are_found(device):
    x = gpunn.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    rows = ops.reshape(x, (4,))
    y = (rows * rows).sum()
    x.data = [[0.0, 0.0], [0.0, 0.0]]
    with pytest.raises(GradientError, match=CHANGED):
        y.backward()


def test_the_record_of_changes_stays_small():
    buffer = np.zeros(3 * clock._LIMIT, np.float32)
    for i in range(2 * clock._LIMIT):
        mutated(buffer[i : i + 1])
    assert len(clock._changes) <= clock._LIMIT
    v = gpunn.Variable([2.0])
    y = v * v
    v.assign([1.0])
    with pytest.raises(GradientError, match=CHANGED):
        y.backward()

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.autograd import detect_anomaly
from gpunn.autograd.anomaly import current_layer
from gpunn.autograd.mode import observers
from gpunn.errors import AnomalyError, GradientError


@gpunn.primitive
def spoils_backward(be, x, /):
    return x * 1, lambda dy, needs: (dy * float("nan"),)


class in_layer:
    """Says, as `Layer` does, which layer is being called."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.token = current_layer.set(self.path)

    def __exit__(self, *exc):
        current_layer.reset(self.token)


def test_first_bad_result_is_named(device):
    x = gpunn.Tensor([[1.0, 2.0], [0.0, 4.0]])
    with (
        detect_anomaly(),
        pytest.raises(AnomalyError, match=r"log made -inf at \(1, 0\) of finite operands"),
    ):
        ops.log(x)


def test_layer_is_named(device):
    x = gpunn.Tensor([0.0], requires_grad=True)
    with detect_anomaly(), in_layer("model/dense_1"):
        with pytest.raises(AnomalyError, match="log in layer 'model/dense_1' made -inf"):
            ops.log(x)


def test_nan_that_came_in_is_not_blamed(device):
    x = gpunn.Tensor([float("nan"), 1.0, float("inf")], requires_grad=True)
    with detect_anomaly():
        y = (x * 2.0).sum()
        y.backward()
    assert np.isnan(y.numpy())


def test_bad_gradient_names_op_operand_and_layer(device):
    x = gpunn.Tensor([1.0, 2.0], requires_grad=True)
    with detect_anomaly():
        with in_layer("spoiler"):
            y = spoils_backward(x)
        with pytest.raises(
            AnomalyError,
            match=r"gradient of spoils_backward in layer 'spoiler' by operand 0 is nan at \(0,\)",
        ):
            y.sum().backward()


def test_gradient_of_sqrt_at_zero(device):
    x = gpunn.Tensor([4.0, 0.0], requires_grad=True)
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"gradient of sqrt .*inf at \(1,\)"):
        ops.sqrt(x).sum().backward()


def test_change_behind_the_engines_back_is_found():
    x = gpunn.Tensor([1.0, 2.0], requires_grad=True)
    with detect_anomaly():
        with in_layer("dense"):
            y = (x * x).sum()
        x.array[0] = 7.0  # raw NumPy: nobody announces it
        with pytest.raises(GradientError, match=r"multiply in layer 'dense' saved .* changed"):
            y.backward()


def test_sound_programs_pass(device):
    w = gpunn.Variable([[1.0], [2.0]])
    with detect_anomaly():
        for _ in range(3):
            w.grad = None
            loss = ops.tanh(gpunn.Tensor([[1.0, 2.0]]) @ w).sum()
            loss.backward()
            w.assign_sub(w.grad)
    assert np.isfinite(w.numpy()).all()


def test_mode_ends_with_its_block():
    with pytest.raises(AnomalyError), detect_anomaly():
        ops.log(gpunn.Tensor([0.0]))
    assert observers == []
    with np.errstate(all="ignore"):
        assert ops.log(gpunn.Tensor([0.0])).item() == -np.inf


def test_blocks_nest():
    with detect_anomaly() as outer:
        with detect_anomaly():
            pass
        assert observers == [outer]
        with pytest.raises(AnomalyError):
            ops.log(gpunn.Tensor([0.0]))


def test_integers_and_several_results_are_fine():
    with detect_anomaly():
        assert (gpunn.Tensor([1, 2]) + gpunn.Tensor([3, 4])).numpy().tolist() == [4, 6]

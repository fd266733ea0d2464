"""The ops of whole sequences: values, gradients, devices, layouts, with and without masks."""

import numpy as np
import pytest

import gpunn
from gpunn.errors import ArgumentError, ShapeError
from gpunn.ops.recurrence import steps
from gpunn.ops.recurrent import lstm, simple_rnn
from gpunn.ops.recurrent_gru import gru
from tests.harness import check_op, rand

MASK = np.array([[1, 1, 0], [0, 1, 1]], bool)
UNITS = 4


def weights(gates, bias_shape):
    """Kernel, recurrent kernel and bias."""
    columns = gates * UNITS
    return [rand(*s, low=-1, high=1, seed=i) for i, s in
            enumerate([(2, columns), (UNITS, columns), bias_shape])]  # fmt: skip


STATE = rand(2, UNITS, low=-1, high=1, seed=5)
X = rand(2, 3, 2, low=-1, high=1, seed=6)
CASES = {
    "simple_rnn": (simple_rnn, [STATE], weights(1, (UNITS,)), {}),
    "relu": (simple_rnn, [STATE], weights(1, (UNITS,)), {"activation": "relu"}),
    "lstm": (lstm, [STATE, STATE[::-1].copy()], weights(4, (4 * UNITS,)), {}),
    "gru": (gru, [STATE], weights(3, (2, 3 * UNITS)), {}),
    "gru_before": (gru, [STATE], weights(3, (3 * UNITS,)), {"reset_after": False}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "mask"])
def test_op(case, sequences, mask, device):
    op, states, weights, options = CASES[case]

    def f(x, *rest):
        return op(x, *rest, mask, sequences=sequences, **options)

    check_op(f, X, *states, *weights, device=device, edges=False, twice=False, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "mask"])
def test_in_spans(case, mask, device, monkeypatch):
    """Steps that do not fit the cache together: two and one."""
    op, states, weights, options = CASES[case]
    monkeypatch.setattr("gpunn.ops.recurrence.SPAN", 2 * weights[0].shape[1] * len(X))

    def f(x, *rest):
        return op(x, *rest, mask, **options)

    check_op(f, X, *states, *weights, device=device, edges=False, twice=False, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_masked_rows_keep_their_states(case, device):
    op, states, weights, options = CASES[case]
    _, *last = op(X, *states, *weights, np.zeros((2, 3)), **options)
    for s, first in zip(last, states, strict=True):
        assert (s.numpy() == first).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_what_is_masked_may_be_anything(case, dtype, device):
    """States are put back whatever came out, also those of the next steps."""
    op, states, weights, options = CASES[case]
    bad = np.where(MASK[..., None], X, np.nan).astype(dtype)
    good = np.where(MASK[..., None], X, 0).astype(dtype)
    rest = [gpunn.Tensor(x.astype(dtype), device=device) for x in (*states, *weights)]
    mask = gpunn.Tensor(MASK, device=device)
    for a, b in zip(
        op(gpunn.Tensor(bad, device=device), *rest, mask, **options),
        op(gpunn.Tensor(good, device=device), *rest, mask, **options),
        strict=True,
    ):
        assert np.isfinite(a.numpy()).all()
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_steps(device):
    check_op(steps, rand(2, 3, 4), device=device, edges=False)
    with pytest.raises(ShapeError, match="no steps"):
        steps(np.ones((2, 0, 3)))


def test_other_activations_are_refused():
    with pytest.raises(ArgumentError, match="'tanh' or 'relu', not 'elu'"):
        simple_rnn(X, None, *CASES["relu"][2], activation="elu")

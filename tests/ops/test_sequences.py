"""Ops on sequences and spectra against Keras' numbers, and their gradients, on both devices."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.errors import ArgumentError, DTypeError, GpunnError, ShapeError
from tests.golden.cases_sequences import CASES, INPUTS, run
from tests.harness import assert_close, check_op, golden, require_fft

SPECTRA = {"fft", "fft2", "ifft2", "rfft", "irfft", "stft", "istft"}


@pytest.mark.parametrize("case", CASES)
def test_keras_numbers(case, device):
    if case.partition("#")[0] in SPECTRA:
        require_fft(device)
    inputs = {name: gpunn.Tensor(x) for name, x in INPUTS.items()}
    results = run(ops, CASES[case], inputs)
    for number, y in enumerate(results):
        expected = golden("sequences")[f"{case}/{number}"]
        assert y.dtype == expected.dtype and y.device.kind == device
        assert_close(y, expected, rtol=1e-4, atol=2e-5, label=CASES[case])
    assert len(results) == sum(n.startswith(f"{case}/") for n in golden("sequences")) - (
        case == "ctc_loss"
    )
    for name, x in INPUTS.items():
        assert np.array_equal(inputs[name].numpy(), x), f"{case} changed {name}"


def test_gradient_of_ctc_like_keras(device):
    logits = gpunn.Tensor(INPUTS["logits"], requires_grad=True)
    loss = run(ops, CASES["ctc_loss"], {**INPUTS, "logits": logits})[0]
    loss.sum().backward()
    assert_close(logits.grad, golden("sequences")["ctc_loss/gradient"], rtol=1e-4, atol=1e-5)


SMALL = {name: x[..., :6] if x.dtype == "float32" else x for name, x in INPUTS.items()}
DIFFERENTIABLE = {
    "ctc_loss": lambda x: ops.ctc_loss(INPUTS["labels"], x, INPUTS["count"], INPUTS["steps"]),
    "fft": lambda r, i: ops.fft((r, i)),
    "fft2": lambda r, i: ops.fft2((r, i)),
    "ifft2": lambda r, i: ops.ifft2((r, i)),
    "rfft": lambda r: ops.rfft(r),
    "rfft_longer": lambda r: ops.rfft(r, 8),
    "rfft_shorter": lambda r: ops.rfft(r, 5),
    "irfft": lambda r, i: ops.irfft((r, i)),
    "irfft_odd": lambda r, i: ops.irfft((r, i), 7),
    "irfft_longer": lambda r, i: ops.irfft((r, i), 14),
    "extract_sequences": lambda r: ops.extract_sequences(r, 3, 2),
    "extract_apart": lambda r: ops.extract_sequences(r, 2, 4),
    "stft": lambda r: ops.stft(ops.cast(r, r.dtype), 4, 2, 5),
    "istft": lambda r, i: ops.istft((r, i), 8, 4, 10),
    "depth_to_space": lambda d: ops.depth_to_space(d, 2, "channels_first"),
    "space_to_depth": lambda d: ops.space_to_depth(d, 2, "channels_first"),
    "unfold": lambda d: ops.unfold(d, (2, 3), 1, 1, 2),
    "fold": lambda u: ops.fold(u, (3, 4), 2),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients(name, device):
    if "fft" in name or "stft" in name:
        require_fft(device)
    function = DIFFERENTIABLE[name]
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    operands = [INPUTS["logits"] if n == "x" else SMALL[n] for n in names]
    check_op(function, *operands, device=device, edges=False, twice=False, rtol=1e-4, atol=1e-4,
             dtypes=("float32",))  # fmt: skip


def alignments(labels, steps, blank=0):
    """All sequences of classes that come down to the labels."""
    for path in np.ndindex(*[3] * steps):
        kept = [c for t, c in enumerate(path) if (t == 0 or path[t - 1] != c) and c != blank]
        if kept == labels:
            yield path


@pytest.mark.parametrize("labels", [[], [1], [1, 2], [1, 1], [2, 1, 2]])
def test_ctc_sums_over_alignments(labels):
    x = np.random.default_rng(0).normal(size=(1, 5, 3))
    p = np.exp(x[0]) / np.exp(x[0]).sum(-1, keepdims=True)
    total = sum(np.prod([p[t, c] for t, c in enumerate(path)]) for path in alignments(labels, 5))
    target = np.array([labels + [0] * (3 - len(labels))])
    loss = ops.ctc_loss(target, x, [len(labels)], [5])
    assert_close(loss, np.array([-np.log(total)]), rtol=1e-6)
    found, scores = ops.ctc_decode(x, [5], "beam_search", beam_width=100, top_paths=100)
    row = (labels + [-1] * 5)[:5]
    at = next(i for i, path in enumerate(found.numpy()[:, 0].tolist()) if path == row)
    assert_close(scores.numpy()[0, at], np.log(total), rtol=1e-6)


def test_ctc_edges(device):
    loss = ops.ctc_loss([[1, 1, 1]], np.zeros((1, 2, 3), "float32"), [3], [2])
    assert 9e4 < loss.item() < 4e5
    assert ops.ctc_loss(np.zeros((0, 2)), np.zeros((0, 4, 3), "float32"),
                        np.zeros(0), np.zeros(0)).shape == (0,)  # fmt: skip
    far = np.zeros((1, 3, 2), "float32")
    far[..., 0] = 200
    x = gpunn.Tensor(far, requires_grad=True)
    ops.ctc_loss([[1]], x, [1], [3]).sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_ways_back():
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 8))
    assert_close(ops.space_to_depth(ops.depth_to_space(x, 2), 2), x)
    assert_close(ops.ifft2(ops.fft2((x, x)))[0], x, atol=1e-12)
    assert_close(ops.irfft(ops.rfft(x)), x, atol=1e-12)
    once = ops.fold(ops.unfold(np.ones((1, 1, 4, 4)), 2, stride=2), (4, 4), 2, stride=2)
    assert (once.numpy() == 1).all()


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: ops.ctc_loss([1], np.zeros((1, 2, 3)), [1], [2]), ShapeError, "target of shape"),
        (lambda: ops.ctc_loss([[1]], np.zeros((1, 2, 3)), [1, 2], [2]), ShapeError, "lengths"),
        (lambda: ops.ctc_decode(np.zeros((2, 3)), [1]), ShapeError, "batch, steps, classes"),
        (lambda: ops.ctc_decode(np.zeros((1, 2, 3)), [1], "best"), ArgumentError, "greedy"),
        (
            lambda: ops.ctc_decode(np.zeros((1, 2, 3)), [1], "beam_search", 2, 3),
            ArgumentError,
            "top_paths",
        ),
        (lambda: ops.fft(np.zeros(3)), ArgumentError, "pair"),
        (lambda: ops.fft((np.zeros(3), np.zeros(2))), ShapeError, "(3,) and (2,)"),
        (lambda: ops.fft(([1, 2], [1, 2])), DTypeError, "int32"),
        (lambda: ops.rfft([1.0], 0), ArgumentError, "positive integer"),
        (lambda: ops.extract_sequences([1.0], 2, 1), ShapeError, "do not fit"),
        (lambda: ops.stft([1, 2], 2, 1, 2), DTypeError, "int32"),
        (lambda: ops.stft([1.0] * 9, 4, 1, 2), ArgumentError, "below sequence_length"),
        (lambda: ops.stft([1.0] * 9, 4, 1, 4, "kaiser"), ArgumentError, "hamming"),
        (lambda: ops.stft([1.0] * 9, 4, 1, 4, [1.0, 2.0]), ArgumentError, "vector of 4"),
        (lambda: ops.stft([1.0], 4, 1, 4), ShapeError, "mirrored"),
        (lambda: ops.istft(([1.0], [1.0]), 4, 1, 4), ShapeError, "2 dimensions"),
        (lambda: ops.depth_to_space(np.zeros((1, 2, 2, 3)), 2), ShapeError, "do not make squares"),
        (lambda: ops.space_to_depth(np.zeros((1, 3, 2, 3)), 2), ShapeError, "do not make squares"),
        (lambda: ops.space_to_depth(np.zeros((3, 2, 3)), 2), ShapeError, "4 axes"),
        (lambda: ops.depth_to_space(np.zeros((1, 2, 2, 4)), 2, "last"), ArgumentError, "channels"),
        (lambda: ops.unfold(np.zeros((1, 1, 2, 2)), 3), ShapeError, "does not fit"),
        (lambda: ops.unfold(np.zeros((1, 2, 2)), 1), ShapeError, "channels, rows"),
        (lambda: ops.fold(np.zeros((1, 3, 4)), (3, 3), 2), ShapeError, "channels * 4, 4"),
    ],
)
def test_wrong_arguments(call, error, said):
    with pytest.raises(error) as caught:
        call()
    assert said in str(caught.value) and isinstance(caught.value, GpunnError)

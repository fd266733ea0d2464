"""Convolutions and pooling: devices, strips, shapes, ties and errors. Keras' numbers: layers."""

import numpy as np
import pytest

import gpunn
from gpunn import ops
from gpunn.backend import CPU_BACKEND
from gpunn.errors import ArgumentError, GpunnError, ShapeError
from gpunn.ops import columns, depthwise, winograd
from gpunn.ops.convolution import convolve
from gpunn.ops.spatial import cut, window
from tests.harness import assert_close, check_op, rand

X = {1: rand(2, 7, 4), 2: rand(2, 6, 5, 4), 3: rand(2, 4, 3, 5, 4)}


def naive(x, w, strides=1, dilation=1):
    """A valid convolution as its definition has it: one place at a time, in float64."""
    taps = w.shape[:-2]
    axes = zip(x.shape[1:-1], taps, strict=True)
    out = [(n - (k - 1) * dilation - 1) // strides + 1 for n, k in axes]
    assert x.size and w.size and min(out) > 0
    y = np.zeros((len(x), *out, w.shape[-1]))
    for place in np.ndindex(*out):
        for tap in np.ndindex(*taps):
            at = [p * strides + t * dilation for p, t in zip(place, tap, strict=True)]
            y[(slice(None), *place)] += x[(slice(None), *at)] @ w[tap]
    return y


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv(rank, device):
    w = rand(*(3, 2, 2)[:rank], 4, 3, seed=1)
    check_op(ops.conv, X[rank], w, reference=naive, device=device, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("strides", "dilation"), [(2, 1), (3, 1), (4, 1), (1, 2), (2, 2)])
def test_conv_with_steps(strides, dilation, device):
    check_op(
        lambda x, w: ops.conv(x, w, strides, dilation_rate=dilation),
        *(X[2], rand(2, 3, 4, 3, seed=1)),
        reference=lambda x, w: naive(x, w, strides, dilation),
        device=device,
        edges=False,
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_depthwise_and_separable_conv(rank, device):
    """A depthwise kernel is a kernel that is zero between the channels."""
    w, p = rand(*(3, 2, 2)[:rank], 4, 2, seed=1), rand(*(1,) * rank, 8, 3, seed=2)
    whole = np.zeros((*w.shape[:-1], 8))
    for c in range(4):
        whole[..., c, 2 * c : 2 * c + 2] = w[..., c, :]
    y = naive(X[rank], whole)
    assert_close(ops.depthwise_conv(X[rank], w), y, rtol=1e-9, atol=1e-9)
    assert_close(ops.separable_conv(X[rank], w, p), naive(y, p), rtol=1e-9, atol=1e-9)
    if rank == 2:
        check_op(ops.depthwise_conv, X[2], w, device=device, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("strides", "multiplier"), [(1, 1), (2, 3)])
def test_depthwise_in_strips(strides, multiplier, device, monkeypatch):
    monkeypatch.setitem(depthwise.STRIP, device, 500)
    w = rand(3, 2, 4, multiplier, seed=1)

    def reference(x, w):
        whole = np.zeros((3, 2, 4, 4 * multiplier))
        for c in range(4):
            whole[:, :, c, c * multiplier : (c + 1) * multiplier] = w[:, :, c]
        short = [(-n) % strides + k - strides for n, k in ((6, 3), (5, 2))]
        x = np.pad(x, [(0, 0), *[(s // 2, s - s // 2) for s in short], (0, 0)])
        return naive(x, whole, strides)

    check_op(
        lambda x, w: ops.depthwise_conv(x, w, strides, "same"),
        *(rand(5, 6, 5, 4), w),
        reference=reference,
        device=device,
        edges=False,
        rtol=1e-4,
        atol=1e-5,
    )


def test_depthwise_of_a_view(device):
    """Lines that do not lie in one piece."""
    w = rand(3, 2, 4, 1, seed=1)
    turned = gpunn.Tensor(rand(2, 4, 6, 5), device=device).transpose((0, 3, 2, 1))
    y = ops.depthwise_conv(turned, gpunn.Tensor(w, device=device))
    whole = ops.depthwise_conv(turned.numpy().copy("C"), w)
    assert_close(y.numpy(), whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("strides", [1, 2, 3])
def test_conv_transpose_is_the_transpose(strides, device):
    """<conv(x), y> = <x, conv_transpose(y)> wherever the windows reach."""
    w = rand(3, 2, 4, 3, seed=1)
    y = ops.conv(X[2], w, strides)
    back = ops.conv_transpose(rand(*y.shape, seed=2), w, strides)
    n, m = back.shape[1:3]
    x = np.zeros((2, n, m, 4))
    inside = X[2][:, :n, :m]
    x[:, : inside.shape[1], : inside.shape[2]] = inside
    left = (ops.conv(x, w, strides).numpy() * rand(*y.shape, seed=2)).sum()
    assert_close(left, (x * back.numpy()).sum(), rtol=1e-9)


def test_strips_change_nothing(monkeypatch):
    x, w = rand(5, 9, 8, 3), rand(3, 3, 3, 4, seed=1)

    def run():
        tensors = [gpunn.Tensor(a, requires_grad=True) for a in (x, w)]
        y = ops.conv(*tensors, padding="same")
        y.backward(rand(*y.shape, seed=2))
        return y, *(t.grad for t in tensors)

    whole = run()
    for size in (100, 3000, 20000, 60000):
        monkeypatch.setitem(columns.STRIP, "cpu", size)
        for part, one in zip(run(), whole, strict=True):
            assert_close(part, one, rtol=1e-11, atol=1e-11)


def test_a_part_outside_of_the_array():
    x = rand(1, 3, 2)
    for low, high in ((-5, -2), (4, 6), (-1, 5), (1, 2)):
        whole = np.pad(x, ((0, 0), (5, 5), (0, 0)), constant_values=7)
        found = cut(CPU_BACKEND, x, [low], [high], 7)
        assert (found == whole[:, low + 5 : high + 5]).all()


def test_strides_with_far_taps(monkeypatch):
    """Some values of the first line see only places before it."""
    monkeypatch.setitem(columns.STRIP, "cpu", 100)
    check_op(
        lambda x, w: ops.conv(x, w, 2, dilation_rate=5),
        *(rand(1, 12, 7, 2), rand(3, 2, 2, 1, seed=1)),
        reference=lambda x, w: naive(x, w, 2, 5),
        edges=False,
        rtol=1e-4,
        atol=1e-5,
    )


def test_float16_sums_in_float32(device):
    x, w = np.full((1, 4, 4, 64), 8, "float16"), np.full((3, 3, 64, 1), 8, "float16")
    y = ops.conv(x / 16, w / 16)
    assert y.dtype == "float16" and (y.numpy() == 3 * 3 * 64 / 4).all()


def test_integers_become_floats():
    x, w = np.ones((1, 4, 2), "int32"), np.ones((3, 2, 1), "int32")
    assert ops.conv(x, w).dtype == "float32"
    assert ops.max_pool(x, 2).dtype == "int32"
    assert ops.max_pool(-x, 3, padding="same").numpy().max() == -1
    assert ops.average_pool(x, 2).dtype == "float32"


@pytest.mark.parametrize("op", [ops.max_pool, ops.average_pool])
def test_pool(op, device):
    pick = {"max_pool": np.max, "average_pool": np.mean}[op.__name__]

    def reference(x):
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2), (1, 2))
        return pick(windows[:, ::2, ::1], (-1, -2))

    check_op(lambda x: op(x, (3, 2), (2, 1)), X[2], reference=reference, device=device, rtol=1e-5)


def test_the_first_of_equals_gets_the_gradient(device):
    x = gpunn.Tensor(np.zeros((1, 4, 4, 1), "float32"), requires_grad=True)
    ops.max_pool(x, 2).sum().backward()
    wanted = np.zeros((4, 4), "float32")
    wanted[::2, ::2] = 1
    assert_close(x.grad.numpy()[0, ..., 0], wanted)


def test_nan_stays(device):
    x = np.zeros((1, 4, 1), "float32")
    x[0, 1] = np.nan
    for y in (ops.max_pool(x, 2), ops.average_pool(x, 2)):
        assert np.isnan(y.numpy()[0, 0, 0]) and y.numpy()[0, 1, 0] == 0


@pytest.mark.parametrize("size", [2, 15, 16, 17])
def test_the_gradient_finds_the_largest_of_any_number(size, device):
    """More taps than a byte can number, too; where a NaN is the largest there is no gradient."""
    x = rand(2, 2 * size, size, 3, seed=size)
    x[1, 0, 0, 1] = np.nan
    given = gpunn.Tensor(x, device=device, requires_grad=True)
    dy = np.arange(1.0, 13).reshape(2, 2, 1, 3)
    (ops.max_pool(given, size) * gpunn.Tensor(dy, device=device)).sum().backward()
    windows = x.reshape(2, 2, size * size, 3)
    expected = np.zeros_like(windows)
    np.put_along_axis(expected, windows.argmax(2, keepdims=True), dy.astype(x.dtype), 2)
    expected[1, 0, :, 1] = 0
    assert_close(given.grad.numpy(), expected.reshape(x.shape))


@pytest.mark.parametrize("op", [ops.adaptive_average_pool, ops.adaptive_max_pool])
def test_adaptive_pool(op, device):
    def reference(x):
        pick = np.mean if "average" in op.__name__ else np.max
        parts = [slice(i * 7 // 3, -(-(i + 1) * 7 // 3)) for i in range(3)]
        return np.stack([pick(x[:, part], 1) for part in parts], 1)

    check_op(lambda x: op(x, 3), X[1], reference=reference, device=device, edges=False, rtol=1e-5)


def test_empty_batches(device):
    x = gpunn.Tensor(np.zeros((0, 5, 4, 2), "float32"), requires_grad=True)
    w = gpunn.Tensor(rand(3, 2, 2, 6).astype("float32"), requires_grad=True)
    for strides in (1, 2):
        y = ops.conv(x, w, strides, "same")
        y.sum().backward()
        assert y.shape[0] == 0 and x.grad.shape == x.shape and not w.grad.numpy().any()
    assert ops.conv_transpose(y, w, 2).shape == (0, 7, 4, 2)
    assert ops.max_pool(x, 2).shape == (0, 2, 2, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: ops.conv(x, np.ones((3, 4, 2))), ShapeError, "take a kernel of 4 axes"),
        (lambda x: ops.conv(x, np.ones((3, 3, 3, 2))), ShapeError, "4 channels do not fit"),
        (lambda x: ops.conv(x, np.ones((3, 3, 2, 5))), ShapeError, "a multiple of groups"),
        (lambda x: ops.conv(x, np.ones((7, 1, 4, 2))), ShapeError, "does not fit"),
        (lambda x: ops.conv(x[0, 0], np.ones((3, 4, 2))), ShapeError, "1 to 3 spatial axes"),
        (lambda x: ops.conv(x, np.ones((3, 3, 4, 2)), 0), ArgumentError, "strides must be"),
        (lambda x: ops.conv(x, np.ones((3, 3, 4, 2)), (1,)), ArgumentError, "or 2 of them"),
        (lambda x: ops.conv(x, np.ones((3, 3, 4, 2)), 1, "sam"), ArgumentError, "'same'"),
        (lambda x: ops.conv(x, np.ones((3, 3, 4, 2)), 1, "same", "NCHW"), ArgumentError, "NCHW"),
        (lambda x: ops.depthwise_conv(x, np.ones((3, 3, 3, 2))), ShapeError, "multiplier"),
        (lambda x: ops.conv_transpose(x, np.ones((3, 3, 4, 2))), ShapeError, "last axis"),
        (lambda x: ops.max_pool(x, 7), ShapeError, "does not fit"),
        (lambda x: ops.max_pool(x, 0), ArgumentError, "pool_size must be an integer >= 1"),
        (lambda x: ops.average_pool(x, 2, 1.5), ArgumentError, "strides must be"),
        (lambda x: ops.adaptive_max_pool(x, -1), ArgumentError, "output_size must be"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(GpunnError, match=message) as raised:
        call(X[2])
    assert isinstance(raised.value, error)


# --- Winograd's algorithm ---


@pytest.mark.parametrize("size", [(8, 8), (7, 6), (5, 13), (1, 2)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_winograd(size, padding, device, monkeypatch):
    """The same numbers as by columns, also where tiles go over the edge and in several strips."""
    n, m = size if padding == "same" else (size[0] + 2, size[1] + 2)
    arrays = rand(3, n, m, 5), rand(3, 3, 5, 4, seed=1), rand(4, seed=2)

    def run(pays):
        monkeypatch.setattr(winograd, "pays", lambda *args: pays)
        tensors = [gpunn.Tensor(a, requires_grad=True, device=device) for a in arrays]
        y = convolve("conv", *tensors, 1, padding, None, 1)
        y.backward(gpunn.Tensor(rand(*y.shape, seed=3), device=device))
        return y, *(t.grad for t in tensors)

    wanted = run(False)
    for limit in (1 << 20, 20000, 100):
        monkeypatch.setitem(winograd.STRIP, device, limit)
        monkeypatch.setattr(winograd, "REREAD", 1 << 30)
        for found, right in zip(run(True), wanted, strict=True):
            assert_close(found, right, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [(8, 8), (7, 6), (5, 13), (1, 2)])
@pytest.mark.parametrize("dilation", [2, (3, 2), (1, 4)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_winograd_for_taps_that_lie_apart(size, dilation, padding, device, monkeypatch):
    """Part by part, also where a part has no place or no value."""
    d = np.broadcast_to(dilation, 2)
    n, m = size if padding == "same" else np.add(size, 2 * d)
    arrays = rand(3, n, m, 5), rand(3, 3, 5, 4, seed=1), rand(4, seed=2)
    made = []

    def run(pays):
        def answer(win, *args):
            made.append(win)
            return pays and win.dilation == (1, 1)

        monkeypatch.setattr(winograd, "pays", answer)
        tensors = [gpunn.Tensor(a, requires_grad=True, device=device) for a in arrays]
        y = convolve("conv", *tensors, 1, padding, None, dilation)
        y.backward(gpunn.Tensor(rand(*y.shape, seed=3), device=device))
        return y, *(t.grad for t in tensors)

    for found, right in zip(run(True), run(False), strict=True):
        assert_close(found, right, rtol=1e-9, atol=1e-9)
    assert device == "cuda" or any(win.dilation == (1, 1) for win in made)  # it has a kernel


def test_winograd_where_it_pays():
    """By shapes alone: many channels, 3 x 3 taps, tiles that are not mostly edge."""

    def pays(size, channels, taps=(3, 3), strides=(1, 1), groups=1):
        win = window("conv", size, taps, strides, "same", (1, 1))
        return winograd.pays(win, groups, channels, channels)

    assert pays((32, 32), 64) and pays((8, 8), 256)
    assert not (pays((32, 32), 16) or pays((2, 2), 64))
    assert not (pays((32, 32), 64, (5, 5)) or pays((32, 32), 64, strides=(2, 2)))
    assert not pays((32, 32), 64, groups=2)


def test_winograd_rounds_little():
    x, w = rand(2, 12, 12, 128).astype("float32"), rand(3, 3, 128, 96, seed=1).astype("float32")
    y, right = ops.conv(x, w).numpy(), ops.conv(x.astype("float64"), w.astype("float64")).numpy()
    assert abs(y - right).max() < 5e-6 * abs(right).max()

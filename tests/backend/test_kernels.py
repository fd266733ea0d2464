"""Every registered kernel against its reference: values and gradients, on shapes of all kinds."""

import contextlib
import re
from importlib import resources

import numpy as np
import pytest

import gpunn
import gpunn.metrics
import gpunn.ops
from gpunn.autograd import primitives
from gpunn.backend import get_backend, kernels
from gpunn.backend.cuda.elementwise import OPS
from gpunn.backend.dtypes import is_float
from gpunn.errors import ArgumentError, KernelError
from gpunn.losses import terms
from gpunn.ops import (  # noqa: F401 - so that their ops are known
    attention,
    batch_statistics,
    normalizers,
    projection,
    recurrent,
    recurrent_gru,
    upsampling,
)
from gpunn.ops.pooling import _averages
from gpunn.ops.resampling import Interpolation
from gpunn.ops.spatial import window
from tests.harness import assert_close

SHAPES = [(0,), (1,), (7,), (3, 5), (0, 4), (2, 3, 129), (1000,), (65, 513)]
ROWS = [(0, 3), (1, 1), (1, 2), (7, 3), (5, 33), (3, 64), (2, 1000), (300, 10), (2, 3, 17)]


def values(shape, seed=0):
    return np.random.default_rng(seed).normal(0, 2, shape)


STATIC = {
    "threshold": {"threshold": 0.5, "default_value": 0.25},
    "exponential_unit": {"alpha": 1.5, "rate": 0.7, "scale": 1.1},
}


def elementwise(op):
    def cases(dtype):
        for shape in SHAPES:
            yield [values(shape).astype(dtype)], STATIC.get(op, {})
        odd = [0, -0.0, 3, -3, 1, -1, 6, np.nan, np.inf, -np.inf]
        yield [np.array(odd).astype(dtype)], STATIC.get(op, {})

    return cases


def sparse_categorical_crossentropy(dtype):
    for i, shape in enumerate(ROWS):
        labels = np.random.default_rng(i).integers(0, shape[-1], shape[:-1]).astype(dtype)
        for logits in ("float16", "float32", "float64"):
            x = 3 * values(shape, i).astype(logits)
            yield [labels, x], {"from_logits": True}
        yield [labels, x], {"from_logits": True, "ignore_class": 1}
        yield [labels[..., None], x], {"from_logits": True, "axis": len(shape) - 1}
        if x.size:
            yield [labels, x], {"from_logits": True, "mean": True}
        kind = ("float16", "float32", "float64")[i % 3]
        yield [labels, np.abs(x).astype(kind)], {"from_logits": False}
        if i % 3 == 0:
            yield [labels, np.exp(x)], {"ignore_class": 1, "mean": x.size > 0}
    x = values((5000, 3)).astype("float32")  # more rows than one block takes
    yield [np.arange(5000).astype(dtype) % 3, x], {"from_logits": True, "mean": True}
    bad = np.array([0, 3, 2, 200]).astype(dtype)
    x = np.array([[1.0, 2, 3], [1, 2, 3], [np.inf, 1, 2], [1, 2, 3]])
    yield [bad, x], {"from_logits": True}
    yield [bad[:3], x[:3] * 1000], {"from_logits": True, "ignore_class": 3}
    yield [bad, np.array([[0.0, 0, 0], [1, 1, 1], [np.inf, 1, 2], [0, 0, 1]])], {}


def dense_crossentropy(dtype):
    for i, shape in enumerate(ROWS[::2]):
        t, x = np.abs(values(shape, i + 1)), 2 * values(shape, i)
        t = (t / t.sum(-1, keepdims=True)).astype(dtype)
        static = {"label_smoothing": 0.2, "mean": x.size > 0, "axis": len(shape) - 1}
        for logits in (True, False):
            given = x if logits else np.clip(np.abs(x), 0.05, 0.9)
            yield [t, given.astype(dtype)], {"from_logits": logits, "axis": -1}
            yield [t, given.astype(dtype)], {"from_logits": logits, **static}
    x = values((5000, 3)).astype(dtype)  # more rows than one block takes
    static = {"from_logits": True, "mean": True, "axis": -1}
    yield [np.eye(3)[np.arange(5000) % 3].astype(dtype), x], static
    odd = [[1000, -1000, 0], [0, 2, np.nan], [1, 0, 1], [np.inf, 1, 0], [1, -np.inf, 2], [0, 0, 0]]
    labels = np.eye(3)[[0, 1, 2, 0, 1, 2]].astype(dtype)
    for logits in (True, False):
        given = np.array(odd) if logits else np.clip(odd, -1, np.inf)
        yield [labels, given.astype(dtype)], {"from_logits": logits, "axis": -1}


def binary_crossentropy(dtype):
    yield from dense_crossentropy(dtype)
    for logits in (True, False):
        for shape in ((), (0,), (7,), (3, 50)):
            t, x = values(shape, 1) > 0, np.clip(np.abs(values(shape)), 0.01, 0.98)
            yield [t.astype(dtype), x.astype(dtype)], {"from_logits": logits, "axis": None}


def mean(dtype):
    for shape in ((1,), (7,), (3, 5), (2, 3, 129), (65, 513)):
        x = values(shape).astype(dtype)
        yield [x], {}
        yield [x], {"axis": -1, "keepdims": True}
        if len(shape) > 1:
            yield [x], {"axis": 0}
            yield [x], {"axis": (0, 1)}
    yield [values((0, 4)).astype(dtype)], {"axis": 1}


def weights_for(shape, dtype="float32"):
    """None, one for each row, and one for each value."""
    rng = np.random.default_rng(3)
    yield None
    if shape:
        yield rng.random(shape[:1]).astype(dtype)
        yield rng.random((*shape[:1], *(1,) * (len(shape) - 1))).astype(dtype)
    yield rng.random(shape).astype(dtype)


def mean_sums(dtype):
    for shape in ((), (1,), (7,), (3, 5), (2, 3, 129), (70_000, 3)):
        for w in weights_for(shape, dtype):
            yield [np.abs(values(shape) / 20).astype(dtype), w], {}


def right_values(dtype):
    rng = np.random.default_rng(1)
    for shape in ((1,), (7, 1), (3, 5), (2, 3, 129), (140_000,)):  # one block, and several
        y = rng.integers(0, 2, shape).astype(dtype)
        for w in weights_for(shape):
            yield [y, rng.integers(0, 2, shape).astype("float32"), w], {}
            yield [y, rng.random(shape).astype("float16"), w], {"threshold": 0.3}
        yield [y, rng.integers(0, 2, shape), None], {}


def right_classes(dtype):
    for i, shape in enumerate([(1, 1), (7, 3), (5, 33), (2, 1000), (2, 3, 17)]):
        labels = np.random.default_rng(i).integers(0, shape[-1], shape[:-1])
        scores = np.round(values(shape, i), 1)  # some are equal
        scores[..., :1][::3] = np.nan
        for w in weights_for(shape[:-1]):
            yield [labels.astype(dtype), scores.astype("float32"), w], {}
        for k in (1, 3):
            yield [labels.astype(dtype), scores.astype("float32"), None], {"k": k}
        hot = np.eye(shape[-1])[labels].astype(dtype)
        yield [hot, scores.astype("float64"), None], {}
        yield [hot, scores.astype("float16"), None], {"k": 2}
    yield [np.array([5, 100]).astype(dtype), values((2, 3)).astype("float32"), None], {"k": 2}
    many = values((9000, 20)).astype("float32")  # more than one block takes
    yield [np.arange(9000).astype(dtype) % 20, many, None], {}


def threshold_counts(dtype):
    rng = np.random.default_rng(2)
    for shape in ((1,), (7, 1), (300,), (40, 3)):
        y, p = rng.integers(0, 2, shape).astype(dtype), rng.random(shape).astype(dtype)
        p.reshape(-1)[:3] = (0, 1, np.nan)[: p.size]
        even = tuple(i / 8 for i in range(9))
        for w in (None, rng.random((*shape[:1], *(1,) * (len(shape) - 1))).astype(dtype)):
            for thresholds, is_even in (
                ((0.5,), False),
                ((0.2, 0.7), False),
                (even, True),
                ((-1e-7, *even[1:-1], 1 + 1e-7), True),
            ):
                yield [y, p, w], {"thresholds": thresholds, "even": is_even, "columns": 1}
                if len(shape) > 1:
                    yield (
                        [y, p, w],
                        {"thresholds": thresholds, "even": is_even, "columns": shape[1]},
                    )


def confusion_cells(dtype):
    rng = np.random.default_rng(4)
    for shape in ((1,), (300,), (4, 5, 6)):
        y, p = rng.integers(0, 6, (2, *shape)).astype(dtype)
        for w in (None, rng.random((*shape[:1], *(1,) * (len(shape) - 1)))):
            yield [y, p.astype("int64"), w], {"classes": 6}
            yield [y, p.astype("uint8"), w], {"classes": 6, "ignore_class": 2}
            yield [y, p, w], {"classes": 4}
            yield [y, p, w], {"classes": 4, "ignore_class": 5, "strict": True}
    yield [y % 2, (p > 2), None], {"classes": 2, "strict": True}


def affine_pixels(dtype):
    rng = np.random.default_rng(0)
    for shape in ((1, 1, 1, 1), (3, 5, 7, 2), (2, 1, 9, 3), (0, 4, 4, 3)):
        x = values(shape).astype(dtype)
        t = np.tile([1.0, 0, 0, 0, 1, 0, 0, 0], (shape[0], 1)) + rng.normal(0, 0.7, (shape[0], 8))
        t[:, 2::3] *= 9  # also off the image by more than its size
        for mode in ("constant", "nearest", "wrap", "mirror", "reflect"):
            for order in (0, 1):
                static = {"order": order, "mode": mode, "fill": 0.25}
                yield [x, t.astype("float32")], static
        if len(t):  # one for all
            yield [x, t[:1]], static


class Still(gpunn.backend.Stream):
    """Gives the same numbers at every draw."""

    def next_position(self):
        return 5


def kept(dtype):
    for shape in SHAPES:
        static = {"rate": 0.3, "stream": Still(1), "shape": None, "scale": 1 / 0.7}
        yield [values(shape).astype(dtype)], static
        yield [values(shape).astype(dtype)], static | {"shape": shape[:1], "scale": 1}


def dropped(dtype):
    for shape in SHAPES:
        yield [values(shape).astype(dtype)], {"rate": 0.3, "stream": Still(1), "scale": 1 / 0.7}
    odd = np.array([0, -0.0, np.nan, np.inf, -np.inf] * 3).astype(dtype)
    yield [odd], {"rate": 0.5, "stream": Still(2), "scale": 2.0}


def batch_standardization(dtype):
    for i, (shape, axis) in enumerate(
        [
            ((7, 3), -1),
            ((2, 5, 4, 33), 3),
            ((2, 3, 5, 6), 1),
            ((9000, 2), 1),
            ((257, 33), 1),
            ((0, 3), 1),
        ]
    ):
        n = shape[axis]
        x = (2 * values(shape, i) + 2).astype(dtype)
        offset, scale = (values((n,), i + j).astype(dtype) for j in (1, 2))
        static = {"axis": axis, "epsilon": 1e-3}
        yield [x, offset, scale], static
    yield [values((6, 2)).astype(dtype), offset[:2], scale[:2]], static | {"axis": 0 - 1}


def batch_normalization(dtype):
    for i, (shape, axis) in enumerate(
        (((7, 3), -1), ((2, 5, 4, 33), 3), ((2, 3, 5, 6), 1), ((300, 2), 1), ((0, 3), 1))
    ):
        x = values(shape, i).astype(dtype)
        vectors = [values(shape[axis : axis + 1 or None], i + j).astype(dtype) for j in range(4)]
        vectors[1] = abs(vectors[1]) + 1
        static = {"axis": axis, "epsilon": 1e-3}
        yield [x, *vectors], static
        yield [x, *vectors[:2], None, None], static


def layer_normalization(dtype):
    for i, shape in enumerate(((7, 3), (2, 5, 33), (3, 1100), (0, 3), (4,), (4100, 8))):
        x = (2 * values(shape, i) + 1).astype(dtype)
        gamma, beta = (values(shape[-1:], i + j).astype(dtype) / 4 for j in (1, 2))
        yield [x, gamma, beta], {"axis": -1, "epsilon": 1e-3}
        yield [x, gamma], {"axis": len(shape) - 1}
        yield [x], {}
    for shape, axes in (((3, 4, 5), (1, 2)), ((2, 33, 40), [-1, -2]), ((4, 3), (0, 1))):
        kept = shape[len(shape) - len(axes) :]
        x = (2 * values(shape) + 1).astype(dtype)
        gamma, beta = (values(kept, j).astype(dtype) / 4 for j in (1, 2))
        yield [x, gamma, beta], {"axis": axes}


def rms_normalization(dtype):
    for operands, static in layer_normalization(dtype):
        yield operands[:2], static


def convolve(dtype):
    """All paddings, strides, dilations, groups and ranks; tiles of all widths; no images."""
    for i, (shape, taps, filters, groups, options) in enumerate(
        (
            ((2, 5, 6, 3), (3, 3), 4, 1, {"padding": "same"}),
            ((2, 7, 5, 4), (3, 2), 40, 2, {"strides": (2, 3)}),
            ((1, 9, 8, 2), (3, 3), 18, 1, {"dilation": (2, 3), "padding": "same"}),
            ((3, 11, 2), (4,), 3, 1, {"padding": "causal", "dilation": (2,)}),
            ((1, 4, 5, 3, 2), (2, 3, 2), 5, 1, {"strides": (2, 1, 3), "padding": "same"}),
            ((0, 4, 4, 1), (2, 2), 2, 1, {}),
            ((2, 17, 19, 5), (1, 1), 70, 1, {}),
            ((4, 12, 12, 1), (3, 3), 2, 1, {"padding": "same"}),
        )
    ):
        win, (x, kernel, bias) = convolution(dtype, i, shape, taps, filters, groups, options)
        static = {"win": win, "groups": groups}
        yield [x, kernel, bias], static
        if i == 0:
            yield [x, kernel], static
            yield [x, kernel, bias], {**static, "activation": gpunn.ops.relu}
            yield [x, kernel, bias], {**static, "activation": gpunn.ops.silu}
        if i in (1, 4):
            yield [x, kernel, bias], {**static, "activation": gpunn.ops.tanh}


def convolve_many(dtype):
    """More filters than an own kernel takes; strips of an image."""
    for i, (shape, taps, filters, groups, options) in enumerate(
        (
            ((2, 5, 6, 8), (3, 3), 130, 1, {"padding": "same"}),
            ((3, 7, 5, 4), (3, 2), 260, 2, {"strides": (2, 3)}),
            ((2, 9, 8, 16), (3, 3), 260, 2, {"dilation": (2, 3), "padding": "same"}),
            ((3, 11, 2), (4,), 131, 1, {"padding": "causal", "dilation": (2,)}),
            ((1, 4, 5, 3, 2), (2, 3, 2), 129, 1, {"strides": (2, 1, 3), "padding": "same"}),
            ((0, 4, 4, 1), (2, 2), 129, 1, {}),
            ((2, 3, 4, 6), (1, 1), 258, 2, {}),
        )
    ):
        win, operands = convolution(dtype, i, shape, taps, filters, groups, options)
        operands[1] /= 8  # in halves, each tap's share of a gradient is rounded
        static = {"win": win, "groups": groups}
        yield operands, static
        if i < 2:
            yield operands[:2], static
            if np.dtype(dtype).itemsize > 2:  # halves are rounded before the bias is added
                yield operands, {**static, "activation": gpunn.ops.silu}
                yield operands, {**static, "activation": gpunn.ops.relu}


def convolution(dtype, seed, shape, taps, filters, groups, options):
    """A window, and inputs, kernel and bias."""
    rank = len(taps)
    settings = {"strides": (1,) * rank, "padding": "valid", "dilation": (1,) * rank, **options}
    win = window("conv", shape[1:-1], taps, **settings)
    x = values(shape, seed).astype(dtype) / 2
    kernel = values((*taps, shape[-1] // groups, filters), seed + 1).astype(dtype) / 4
    return win, [x, kernel, values((filters,), seed + 2).astype(dtype)]


def convolve_transposed(dtype):
    """The windows of a convolution whose inputs are the results."""
    for i, (shape, taps, filters, options) in enumerate(
        (
            ((2, 5, 6, 3), (3, 3), 4, {"padding": "same"}),
            ((2, 7, 5, 4), (3, 2), 20, {"strides": (2, 3)}),
            ((1, 9, 8, 2), (3, 3), 18, {"dilation": (2, 3), "padding": "same"}),
            ((3, 11, 2), (4,), 131, {"strides": (2,)}),
            ((2, 4, 5, 132), (2, 3), 8, {"strides": (2, 1), "padding": "same"}),
            ((0, 4, 4, 1), (2, 2), 2, {}),
            ((2, 3, 4, 6), (1, 1), 130, {}),
        )
    ):
        win, (like, kernel, _) = convolution(dtype, i, shape, taps, filters, 1, options)
        x = values((shape[0], *win.out, filters), i + 3).astype(dtype) / 4
        yield [x, kernel, like.reshape(-1, shape[-1]).sum(0)[: shape[-1]]], {"win": win}
        yield [x, kernel, None], {"win": win}


def convolve_depthwise(dtype):
    for i, (shape, taps, each, options) in enumerate(
        (
            ((2, 5, 6, 3), (3, 3), 1, {"padding": "same"}),
            ((2, 7, 5, 33), (3, 2), 2, {"strides": (2, 3)}),
            ((1, 9, 8, 2), (3, 3), 3, {"dilation": (2, 3), "padding": "same"}),
            ((3, 11, 2), (4,), 1, {"padding": "same"}),
            ((0, 4, 4, 1), (2, 2), 2, {}),
            ((4, 12, 12, 1), (3, 3), 2, {"padding": "same"}),
        )
    ):
        win, (x, kernel, bias) = convolution(dtype, i, shape, taps, shape[-1] * each, 1, options)
        kernel = values((*taps, shape[-1], each), i + 1).astype(dtype) / 4
        yield [x, kernel, bias], {"win": win}
        yield [x, kernel, None], {"win": win}


def linear(dtype):
    """Narrow and wide layers, more rows than one block sums, an input without values.

    Halves have no x w + b that rounding makes 0, or the gradient of relu would hang on it.
    """
    relu, silu = gpunn.ops.relu, gpunn.ops.silu  # whose gradients read the result, and the operand
    long = ((2100, 3), 18) if dtype != "float16" else ((100, 3), 18)  # halves round sums too much
    for i, (shape, units) in enumerate(
        (((7, 5), 3), ((2, 3, 33), 20), ((2, 3, 33), 16), ((65, 70), 1), ((4,), 3), ((0, 4), 3),
         ((3, 0), 3), ((7, 5), 33), ((7, 5), 24), ((0, 4), 17), ((3, 0), 20), long)
    ):  # fmt: skip
        x, w = ((values(s, i) / 2).astype(dtype) for s in (shape, (shape[-1], units)))
        b = values((units,), i + 1).astype(dtype)
        if x.itemsize == 2:
            x, w, b = ((np.round(2 * v.astype("f8")) / 2).astype(dtype) for v in (x, w, b))
            b += np.asarray(1 / 8).astype(dtype)
        yield [x, w, b], {}
        yield [x, w, b], {"activation": relu}
        if i < 2:
            yield [x, w], {}
            yield [x, w], {"activation": relu}
            yield [x, w, b], {"activation": silu}


def group_normalization(dtype):
    for i, (shape, groups) in enumerate(
        (((2, 3, 4), 2), ((3, 5, 6, 33), 3), ((2, 12), 4), ((2, 300, 8), 2), ((0, 4, 6), 3))
    ):
        x = (2 * values(shape, i) + 1).astype(dtype)
        gamma, beta = (values(shape[-1:], i + j).astype(dtype) / 4 for j in (1, 2))
        yield [x, gamma, beta], {"groups": groups}
        yield [x], {"groups": groups, "axis": len(shape) - 1, "epsilon": 0.1}
        if len(shape) > 2:  # channels first
            x = np.ascontiguousarray(np.moveaxis(x, -1, 1))
            yield [x, gamma, beta], {"groups": groups, "axis": 1}
            yield [x, gamma], {"groups": groups, "axis": 1 - len(shape)}


def softmax(dtype):
    for i, shape in enumerate(((7, 3), (2, 5, 33), (3, 1100), (0, 3), (4,), (2, 1))):
        yield [values(shape, i).astype(dtype)], {"axis": len(shape) - 1}
    odd = [[1000, -1000, np.nan], [np.inf, 1, 2], [-np.inf, 1, 2], [-np.inf] * 3]
    yield [np.array(odd).astype(dtype)], {}


def take(dtype):
    for shape, indices in (((7, 3), (4,)), ((5, 2, 3), (2, 70)), ((4,), (3, 3)), ((3, 4), (0,))):
        at = np.random.default_rng(1).integers(0, shape[0], indices)
        yield [values(shape).astype(dtype), at.astype("int32")], {"axis": 0}
        yield [values(shape).astype(dtype), at], {"axis": 0}


def max_pool(dtype):
    for shape, taps, strides, padding in (
        ((2, 6, 4, 3), (2, 2), (2, 2), "valid"),
        ((2, 7, 5, 3), (3, 2), (2, 1), "same"),
        ((1, 9, 2), (3,), (1,), "valid"),
        ((2, 4, 5, 3, 1), (2, 2, 2), (1, 2, 2), "same"),
        ((0, 4, 4, 1), (2, 2), (2, 2), "valid"),
    ):
        x = np.round(values(shape)).astype(dtype)  # with equal values
        x.reshape(-1)[::17] = np.nan
        win = window("max_pool", shape[1:-1], taps, strides, padding, (1,) * len(taps))
        yield [x], {"win": win}


def extreme(dtype):
    for shape, axis in (
        ((3, 4, 5, 6), (1, 2)), ((3, 40), 0), ((2, 3, 5), -1), ((2, 3, 5), [2, 1]), ((7,), None)
    ):  # fmt: skip
        x = np.round(values(shape)).astype(dtype)  # with equal values
        x.reshape(-1)[::17] = np.nan
        yield [x], {"axis": axis, "keepdims": True}
        yield [np.nan_to_num(x)], {"axis": axis, "keepdims": False}


def average_pool(dtype):
    for operands, static in max_pool(dtype):
        yield [np.nan_to_num(operands[0])], static


def up_sample(dtype):
    for shape, factors in (
        ((2, 3, 4, 5), (1, 2, 3, 1)),
        ((2, 3, 4, 5), (1, 1, 3, 2)),
        ((2, 3, 4), (1, 3, 1)),
        ((1, 2, 3, 2, 3), (1, 2, 1, 3, 1)),
        ((3, 4), (1, 1)),
        ((0, 3, 4, 1), (1, 2, 2, 1)),
    ):
        yield [values(shape).astype(dtype)], {"factors": factors}


def mix(dtype):
    for shape, size, axis, make in (
        ((2, 5, 3), 12, 1, Interpolation("bilinear")),
        ((2, 3, 5), 3, 2, Interpolation("bicubic", True)),
        ((7, 33), 4, 0, _averages),
        ((4, 1, 2), 3, 1, Interpolation("lanczos3")),
        ((0, 5, 3), 12, 1, _averages),
    ):
        yield [values(shape).astype(dtype)], {"make": make, "size": size, "axis": axis}


def attend(dtype):
    """Odd lengths, groups of heads, every way to hide, masks that broadcast, dropout."""

    def operands(t, s, heads, shared, n, m, batch=2):
        shapes = (batch, t, heads, n), (batch, s, shared, n), (batch, s, shared, m)
        return [(values(shape, i) / 2).astype(dtype) for i, shape in enumerate(shapes)]

    def seen(*shape):
        return (values(shape, 5) > -0.5).astype(dtype)

    for t, s, heads, shared, n, m in (
        (5, 7, 2, 2, 3, 4), (33, 40, 4, 2, 16, 8), (1, 1, 1, 1, 1, 1), (65, 31, 2, 1, 40, 33)
    ):  # fmt: skip
        x, scale = operands(t, s, heads, shared, n, m), 0.4 * n**-0.5
        yield x, {"scale": scale}
        if t == 5 and dtype.itemsize > 2:
            yield operands(3, 8, 1, 1, 256, 130, 1), {"scale": 0.02}
        yield x, {"scale": scale, "causal": True}
        yield x, {"scale": scale, "window": 3, "causal": True, "zeros": True}
        yield [*x, values((heads, 1, s), 4).astype(dtype)], {"scale": scale, "window": 2}
        mask = seen(2, 1, t, s)
        mask[0, :, -1] = 0  # a query that sees nothing
        for zeros in (False, True):
            yield [*x, None, mask], {"scale": scale, "causal": True, "zeros": zeros}
        static = {"scale": scale, "rate": 0.3, "stream": Still(1)}
        yield [*x, values((t, 1), 4).astype(dtype), seen(2, 1, 1, s)], static
    yield operands(0, 4, 2, 2, 3, 3), {}
    yield operands(4, 5, 2, 1, 3, 3, batch=0), {"causal": True}


def recurrent_layer(gates, states, biases, **options):
    """Cases of a recurrent op: with and without states, a bias, a mask; one step and several."""

    def cases(dtype):
        for batch, steps, n, units in ((1, 1, 1, 1), (3, 4, 2, 5), (8, 2, 3, 33)):
            x, mask = values((batch, steps, n)), (values((batch, steps), 6) > 0) * 1.0
            first = [values((batch, units), i) for i in range(states)]
            weights = [values((k, gates * units), k) / k**0.5 / 2 for k in (n, units)]
            bias = values((*biases, gates * units), 5) / 2
            for given in (
                [x, *[None] * states, *weights],
                [x, *[None] * states, *weights, bias],
                [x, *first, *weights, bias],
                [x, *first, *weights, bias, mask],
                [x, *[None] * states, *weights, None, mask],
            ):
                operands = [None if a is None else a.astype(dtype) for a in given]
                yield operands, {"sequences": True, **options}
            yield operands, {"sequences": False, **options}

    return cases


def several(*cases):
    def all_cases(dtype):
        for some in cases:
            yield from some(dtype)

    return all_cases


def reduced_terms(dtype):
    found = {
        terms.squares: {},
        terms.distances: {},
        terms.percents: {},
        terms.squared_logarithms: {},
        terms.huber_terms: {"options": (1.25,)},
        terms.log_cosh_terms: {},
        terms.poisson_terms: {},
        terms.divergences: {"total": True},
        terms.margins: {},
        terms.squared_margins: {},
    }
    positive = (terms.squared_logarithms, terms.poisson_terms, terms.divergences)
    for term, static in found.items():
        for i, shape in enumerate([(1,), (7,), (5, 1), (3, 5), (2, 3, 40), (3, 1300), (300, 9)]):
            y, p = (values(shape, seed).astype(dtype) for seed in (i, i + 1))
            if term in positive:
                y, p = (np.abs(x) / 9 + x.dtype.type(0.05) for x in (y, p))
            elif term is terms.percents:
                y, p = y + np.sign(y), y + np.sign(y) + p / 100
            elif term in (terms.margins, terms.squared_margins):
                p = np.where(np.abs(1 - y * p) < 0.05, 0, p).astype(dtype)  # not near the kink
            for whole in (False, True):
                yield [y, p], {"term": term, "whole": whole, **static}
    many = values((2, 200, 101)).astype(dtype)
    yield list(many), {"term": terms.distances, "whole": True}
    odd = np.array([[0, np.nan], [np.inf, 1], [1, 1]]).astype(dtype)
    yield [odd, odd[::-1].copy()], {"term": terms.squares}


def add(dtype):
    for shape in ((1, 1), (0, 4), (2, 3, 129), (65, 513)):
        yield [values(shape).astype(dtype), values(shape, 1).astype(dtype)], {}


# How to call each op that has a kernel, by the dtype it is registered for.
CASES = {
    **{op: elementwise(op) for op in OPS},
    "_convolve": several(convolve, convolve_many),
    "_convolve_depthwise": convolve_depthwise,
    "_convolve_transposed": convolve_transposed,
    "_average_pool": average_pool,
    "_batch_normalization": batch_normalization,
    "_dropped": dropped,
    "_kept": kept,
    "_max_pool": max_pool,
    "_take": take,
    "add": add,
    "attend": attend,
    "batch_standardization": batch_standardization,
    "binary_crossentropy": binary_crossentropy,
    "categorical_crossentropy": dense_crossentropy,
    "layer_normalization": layer_normalization,
    "group_normalization": group_normalization,
    "gru": several(recurrent_layer(3, 1, (2,)), recurrent_layer(3, 1, (), reset_after=False)),
    "log_softmax": softmax,
    "lstm": recurrent_layer(4, 2, ()),
    "linear": linear,
    "affine_pixels": affine_pixels,
    "confusion_cells": confusion_cells,
    "mean": mean,
    "mean_sums": mean_sums,
    "right_classes": right_classes,
    "right_values": right_values,
    "threshold_counts": threshold_counts,
    "max": extreme,
    "min": extreme,
    "mix": mix,
    "reduced_terms": reduced_terms,
    "rms_normalization": rms_normalization,
    "simple_rnn": several(recurrent_layer(1, 1, ()), recurrent_layer(1, 1, (), activation="relu")),
    "softmax": softmax,
    "sparse_categorical_crossentropy": sparse_categorical_crossentropy,
    "up_sample": up_sample,
}


# Ops that ask where their operands lie, which have tests of their own below.
OF_PLACES = {"projections"}


def registered(device):
    """The (op, dtype) that have a kernel on a device."""
    get_backend(device)
    return [(op, dtype) for op, kind, dtype in kernels.registered() if kind == device]


def run(op, device, operands, static):
    """Results, and the gradients of the float operands."""
    given = [
        None if x is None else gpunn.Tensor(x, requires_grad=is_float(x.dtype), device=device)
        for x in operands
    ]
    results = primitives[op](*given, **static)
    results = results if isinstance(results, tuple) else (results,)
    grads = []
    for y in results:
        if y.requires_grad:
            y.backward(values(y.shape, 9).astype(y.dtype), retain_graph=True)
            grads += [x.grad for x in given if x is not None and x.grad is not None]
    with contextlib.suppress(gpunn.errors.OutOfRangeError):  # what some cases are about
        gpunn.backend.get_backend(device).check_indices()
    return results, grads


def test_every_kernel_has_a_test(device):
    assert {op for op, _ in registered(device)} <= {*CASES, *OF_PLACES}, "a kernel has no CASES"


def test_the_kernels_of_cuda_are_there(cuda):
    assert {op for op, _ in registered("cuda")} == {*CASES, *OF_PLACES}


@pytest.mark.parametrize("op", CASES)
def test_kernel_is_its_reference(op, device):
    for dtype in [dtype for name, dtype in registered(device) if name == op]:
        for operands, static in CASES[op](dtype):
            shapes = [None if x is None else x.shape for x in operands]
            label = f"{dtype} {shapes} {operands[0].dtype} {static}"
            takes = kernels.table(op)[device, dtype].takes
            assert takes(*operands, **static), f"the kernel does not take {label}"
            results, grads = run(op, device, operands, static)
            with kernels.reference_only():
                expected, expected_grads = run(op, device, operands, static)
            for y, e in zip(results, expected, strict=True):
                assert y.dtype == e.dtype, label
                assert_close(y, e, label=label)
            for dx, e in zip(grads, expected_grads, strict=True):
                assert dx.dtype == e.dtype, label
                assert_close(dx, e, "gradient", label=f"gradient of {label}")


@pytest.mark.parametrize("dtype", kernels.FLOATS)
def test_projections(dtype, cuda):
    """Weights as in the flat vector of a model: one product for all, of what lies as it is."""
    be = get_backend("cuda")
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    for count, rows, n, m in ((3, 1, 1, 1), (3, 7, 5, 4), (2, 40, 8, 12)):
        made = [values((count, n + 1, 2, m), 1) / 2, values((rows, 2, n)) / 2]
        both, x = (gpunn.Tensor(v, device="cuda", dtype=dtype) for v in made)
        for given in ([w[:n] for w in both.array], [*both.array[:, :n], *both.array[:, n]]):
            assert kernels.table("projections")["cuda", x.array.dtype].takes(x.array, *given)
            found = []
            for reference in (False, True):
                operands = [gpunn.Tensor(a, requires_grad=True) for a in (x.array, *given)]
                with kernels.reference_only() if reference else contextlib.nullcontext():
                    ys = projection.projections(*operands)
                    gpunn.ops.stack(ys).backward(values((count, rows, 2, 2, m), 3).astype(dtype))
                found.append([*ys, *(a.grad for a in operands)])
            for i, (y, e) in enumerate(zip(*found, strict=True)):
                assert_close(y, e, "gradient", label=f"{dtype} {count, rows, n, m} {i}")
    apart = [gpunn.Tensor(w, device="cuda").array for w in made[0]]
    assert not kernels.table("projections")["cuda", apart[0].dtype].takes(be.ones(8, "f8"), *apart)


def test_attention_of_flat_weights_copies_nothing(cuda):
    cudaemu = pytest.importorskip("cudaemu")
    with gpunn.device("cuda"):
        layer = gpunn.layers.MultiHeadAttention(2, 3)
        x = gpunn.Tensor(values((2, 5, 6)).astype("float32"), requires_grad=True)
        y = layer(x, x)
        gpunn.optimizers.SGD().build(layer.trainable_variables)
        layer(x, x).sum().backward()
        with cudaemu.log() as operations:
            again = layer(x, x)
        assert_close(again, y)
    assert [op.startswith("cublas") for op in operations] == [True, False, False]
    assert "attention" in operations[1]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gradients_of_convolutions_of_halves_are_rounded_once(cuda, dtype, monkeypatch):
    monkeypatch.setattr("gpunn.backend.cuda.columns.STRIP", 1)  # images one by one
    x, w, dy = values((3, 6, 6, 8)), values((3, 3, 8, 24), 1) / 9, values((3, 6, 6, 24), 2)
    found = []
    for device, kind in (("cuda", dtype), ("cpu", "float64")):
        x, w, dy = (gpunn.Tensor(v, True, dtype=dtype, device=device).detach() for v in (x, w, dy))
        operands = [gpunn.Tensor(v.to(kind), True) for v in (x, w)]
        gpunn.ops.conv(*operands, padding="same").backward(dy.to(kind))
        found.append([v.grad.numpy().astype("float64") for v in operands])
        x, w, dy = (v.numpy() for v in (x, w, dy))
    half_a_step = 2.0 ** (-9 if dtype == "bfloat16" else -12) * 2
    for dx, exact in zip(*found, strict=True):
        assert (np.abs(dx - exact) <= half_a_step * np.abs(exact) + 1e-5).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_launches_of_activations(cuda, dtype):
    cudaemu = pytest.importorskip("cudaemu")
    x = gpunn.Tensor(values((5, 40)), True, dtype=dtype, device="cuda")
    dy = gpunn.Tensor(values((5, 40), 1), dtype=dtype, device="cuda")
    for name in OPS:
        with cudaemu.measure() as forward:
            y = primitives[name](x, **STATIC.get(name, {}))
        with cudaemu.measure() as backward:
            y.backward(dy)
        assert y.dtype == x.grad.dtype == dtype
        assert (forward.kernels, backward.kernels) == (1, 2), name  # and the leaf keeps its own
        x.grad = None


@pytest.mark.parametrize(
    ("name", "args", "options", "forward", "backward"),
    [
        ("Dropout", (0.5,), {}, 1, 1),
        ("AveragePooling2D", (2,), {}, 1, 1),
        ("UpSampling2D", (), {}, 1, 1),
        ("UpSampling2D", (), {"interpolation": "bilinear"}, 2, 2),
        ("UpSampling2D", (), {"data_format": "channels_first"}, 1, 1),
        ("GlobalAveragePooling2D", (), {}, 1, 1),
        ("GlobalMaxPooling2D", (), {}, 1, 1),
        ("LayerNormalization", (), {"axis": (1, 2, 3)}, 1, 1),
        ("GroupNormalization", (2,), {"axis": 1}, 1, 1),
        ("BatchNormalization", (), {"axis": 1}, 2, 2),
        ("DepthwiseConv2D", (3,), {}, 1, 2),
        ("Conv2DTranspose", (4, 3), {}, 2, 3),
        ("Conv2D", (4, 3), {"activation": "relu"}, 1, 2),
        ("Conv2D", (132, 3), {"activation": "relu"}, 3, 5),
    ],
)
def test_launches_of_layers(cuda, name, args, options, forward, backward):
    """Kernels and products of a training step of one layer."""
    cudaemu = pytest.importorskip("cudaemu")
    with gpunn.device("cuda"):
        layer = getattr(gpunn.layers, name)(*args, **options)
        x = gpunn.Tensor(values((2, 4, 4, 4)).astype("float32"), requires_grad=True)
        dy = gpunn.ops.ones_like(layer(x, training=True))
        for _ in range(2):  # what is made once, and then a step
            for v in (x, *layer.trainable_variables):
                v.grad = None
            with cudaemu.log() as ahead:
                y = layer(x, training=True)
            with cudaemu.log() as back:
                y.backward(dy)
    given = [op for op in back if "copy" not in op and not op.startswith("mem")]  # to leaves
    assert (len(ahead), len(given)) == (forward, backward), (ahead, back)


def test_a_model_that_predicts_has_one_launch_for_batch_normalization(cuda):
    cudaemu = pytest.importorskip("cudaemu")
    layer = gpunn.layers.BatchNormalization()
    with gpunn.device("cuda"):
        x = gpunn.Tensor(values((3, 4)).astype("float32"))
        layer(x)
        with cudaemu.log() as operations:
            layer(x)
    assert len(operations) == 1


@pytest.mark.parametrize("loss", ["BinaryCrossentropy", "CategoricalCrossentropy"])
@pytest.mark.parametrize("from_logits", [False, True])
def test_a_loss_and_its_gradient_are_one_launch(cuda, loss, from_logits):
    cudaemu = pytest.importorskip("cudaemu")
    with gpunn.device("cuda"):
        loss = getattr(gpunn.losses, loss)(from_logits=from_logits, label_smoothing=0.1)
        x = gpunn.Tensor(np.full((5, 3), 0.5, "float32"), requires_grad=True)
        labels = gpunn.Tensor(np.eye(3, dtype="float32")[[0, 1, 2, 1, 1]])
        loss(labels, x).backward()
        x.grad = None
        with cudaemu.log() as operations:
            loss(labels, x).backward()
    assert len([op for op in operations if "copy" not in op]) == 1, operations


def test_dropout_draws_the_same_numbers_again(cuda):
    """Backward, and for the gradient of a gradient."""
    with gpunn.device("cuda"):
        x = gpunn.Tensor(np.ones((40, 5), "float32"), requires_grad=True)
        y = gpunn.ops.noise.dropout(x * x, 0.5, gpunn.backend.Stream(1, "test"))
        (dx,) = gpunn.gradients((y * y).sum(), [x], create_graph=True)
        (dxx,) = gpunn.gradients(dx.sum(), [x])
    assert 0 < (y.numpy() > 0).mean() < 1
    assert_close(dxx, np.where(y.numpy() > 0, 48.0, 0.0))


def test_what_a_kernel_does_not_take_goes_to_the_reference(cuda):
    """Probabilities, other axes and float labels have no kernel; strides are straightened."""
    x = gpunn.Tensor(values((4, 3)).astype("float32"), device="cuda", requires_grad=True)
    ops = gpunn.ops
    labels = gpunn.Tensor([0, 2, 1, 1], device="cuda")
    rows = ops.sparse_categorical_crossentropy(labels, x, from_logits=True)
    across = ops.sparse_categorical_crossentropy(
        labels, gpunn.Tensor(x.array.T), from_logits=True, axis=0
    )
    strided = ops.sparse_categorical_crossentropy(
        labels, gpunn.Tensor(x.array.T.copy().T), from_logits=True
    )
    floats = ops.sparse_categorical_crossentropy(labels.to("float32"), x, from_logits=True)
    for other in (across, strided, floats):
        assert_close(other, rows)
    with pytest.raises(gpunn.errors.ShapeError, match="expected labels of shape"):
        ops.sparse_categorical_crossentropy(labels, gpunn.Tensor(x.array[:3]), from_logits=True)


def test_registry():
    def doubled(be, x):
        return 2 * x, None

    @gpunn.primitive
    def only_here(be, x, /):
        return x, None

    for bad in ("tpu", "cuda:0"):
        with pytest.raises(ArgumentError, match="'cpu' or 'cuda'"):
            kernels.kernel("only_here", bad, ("float32",))
    takes_short = kernels.kernel("only_here", "cpu", ("float32",), lambda x: len(x) < 3)
    try:
        takes_short(doubled)
        assert ("only_here", "cpu", np.dtype("float32")) in kernels.registered()
        assert only_here([1.0, 2.0]).numpy().tolist() == [2.0, 4.0]
        assert only_here([1.0, 2.0, 3.0]).numpy().tolist() == [1.0, 2.0, 3.0]
        assert only_here(np.ones(1)).numpy().tolist() == [1.0]  # float64 has none
        with kernels.reference_only():
            assert only_here([1.0, 2.0]).numpy().tolist() == [1.0, 2.0]
        with pytest.raises(ArgumentError, match="has a kernel for cpu float32 already"):
            takes_short(doubled)
    finally:
        kernels.table("only_here").clear()
    assert only_here([1.0, 2.0]).numpy().tolist() == [1.0, 2.0]


def test_kernels_refuse_strides_and_unknown_types(cuda):
    be = get_backend("cuda")
    x = be.zeros((4, 4), "float32")
    with pytest.raises(KernelError, match="takes C-contiguous arrays, got strides"):
        be.launch("segment", "scatter_add<float, float, float>", 16, (x, x.T))
    from gpunn.backend.cupy_ import cuda_type

    with pytest.raises(gpunn.errors.DTypeError, match="no kernel takes dtype bool"):
        cuda_type("bool")


def test_a_kernel_that_does_not_compile_is_an_error(cuda):
    be = get_backend("cuda")
    x = be.zeros(4, "float32")
    with pytest.raises(KernelError, match=r"scatter_add<nothing> of segment.cu"):
        be.launch("segment", "scatter_add<nothing>", 4, (x, x))


@pytest.mark.parametrize("op", ["linear", "_convolve", "_max_pool", "batch_standardization"])
def test_kernels_count_in_64_bits(cuda, monkeypatch, op):
    """As they do for more than 2^30 elements."""
    from gpunn.backend.cuda import batch_norm, convolution, linear, pooling

    for module in (batch_norm, convolution, linear, pooling):
        monkeypatch.setattr(module, "index_type", lambda *sizes: "long long")
    for i, (operands, static) in enumerate(CASES[op]("float32")):
        if i in (0, 3, 4):
            results, grads = run(op, "cuda", operands, static)
            with kernels.reference_only():
                expected, expected_grads = run(op, "cuda", operands, static)
            for x, e in zip((*results, *grads), (*expected, *expected_grads), strict=True):
                assert_close(x, e, "gradient", label=op)


@pytest.mark.parametrize("policy", [*kernels.FLOATS, "mixed_float16"])
def test_moving_statistics_in_the_kernel(cuda, policy):
    """What a layer does with the statistics becomes a part of the kernel that makes them."""
    moved = []
    for reference in (False, True):
        layer = gpunn.layers.BatchNormalization(momentum=0.8, dtype=policy)
        with gpunn.device("cuda"):
            x = gpunn.Tensor(3 * values((300, 5)).astype("float32") + 1)
            if reference:
                with kernels.reference_only():
                    layer(x, training=True)
            else:
                layer(x, training=True)
            moved.append([layer.moving_mean, layer.moving_variance])
    for x, e in zip(*moved, strict=True):
        assert (np.abs(e.numpy()) > 0.1).any()
        assert_close(x, e, label=policy)
    empty = gpunn.layers.BatchNormalization()
    with gpunn.device("cuda"):
        empty(gpunn.Tensor(np.zeros((0, 3), "float32")), training=True)
        assert empty.moving_variance.numpy().tolist() == [1, 1, 1]


def test_code_in_one_launch_holds_no_arrays(cuda):
    import gc
    import weakref

    def code(be, x):
        be.xp.add(x, 1, out=x)

    be = get_backend("cuda")
    x = be.zeros(3, "float32")
    gone = weakref.ref(x)
    gc.disable()
    try:
        be.in_one_launch(code, (x,))
        del x
        assert gone() is None
    finally:
        gc.enable()


def test_fused_bodies(cuda):
    """Operands that are numbers, absent or broadcast; code that cannot be one kernel."""
    from gpunn.backend.fusing import fused

    be = get_backend("cuda")
    x, row = be.asarray(values((4, 3)), "float32"), be.asarray(values((3,)), "float32")

    def body(be, a, b, c=None, /, power=2):
        y = be.xp.where(a > b, a * b, 0.0) ** power
        y += 1
        y = be.xp.add(y, 1, y)
        return y, lambda dy, needs: (dy * y if needs[0] else None, dy / b if needs[1] else None)

    def constants(be, x, /):
        return be.xp.where(x > be.xp.pi, be.xp.nan, be.xp.maximum(x, -be.xp.inf)), None

    assert_close(fused(constants)(be, 4 * x)[0], constants(be, 4 * x)[0])
    run = fused(body)
    for a, b in ((x, row), (x[:, ::2], row[0]), (x, 0.5), (x.T, x.T.copy())):
        y, pullback = run(be, a, b, None, power=3)
        expected, expected_pullback = body(be, a, b, None, power=3)
        assert_close(y, expected)
        for needs in ((True, False, False), (True, type(b) is not float, False)):
            dxs, expected_dxs = pullback(y, needs), expected_pullback(expected, needs)
            for dx, e in zip(dxs, expected_dxs, strict=False):
                assert (dx is None) == (e is None)
                if dx is not None:
                    assert_close(dx, e, rtol=1e-5)
    for bad, message in (
        (lambda be, x: (be.xp.sort(x), None), "sort is no elementwise function"),
        (lambda be, x: (x if x > 0 else -x, None), "asks for values"),
        (lambda be, x: (x + be.xp.sum, None), "a function cannot be traced"),
    ):
        with pytest.raises(KernelError, match=message):
            fused(bad)(be, x)


def test_code_in_one_launch(cuda):
    """Arrays and numbers of all kinds; code that is more than elementwise runs call by call."""
    be = get_backend("cuda")

    def code(be, flag, p, slots, numbers, gone, work, more):
        be.xp.multiply(p, numbers[0], out=work)
        be.xp.add(slots[0], work, out=slots[0])
        more = be.xp.sqrt(be.xp.absolute(slots[0], out=more), out=more)
        if flag:
            p -= more / numbers[1]

    def sorting(be, flag, p, slots, numbers, gone, work, more):
        be.xp.add(be.xp.sort(p), numbers[0], out=work)
        be.xp.subtract(p, work, out=p)

    def too_early(be, flag, p, slots, numbers, gone, work, more):
        work.fill(0) if hasattr(work, "fill") else None
        be.xp.add(p, work, out=p)

    for dtype in ("float16", "float32", "float64"):
        for shape in ((0,), (7,), (33, 5)):
            for run in (code, sorting, too_early):
                results = []
                for reference in (False, True):
                    p, m = (be.asarray(values(shape, i), dtype) for i in range(2))
                    args = (True, p, (m,), (0.25, be.full((), 3.0, dtype)), None)
                    if reference:
                        with kernels.reference_only():
                            be.in_one_launch(run, args, 2)
                    else:
                        be.in_one_launch(run, args, 2)
                    results.append((p, m))
                for x, e in zip(*results, strict=True):
                    assert_close(x, e, label=f"{run.__name__} {dtype} {shape}")


FLOATS_ONLY = ("recurrent.cu", "threshold_counts.cu")


def test_halves_are_not_made_of_integers():
    """The bfloat16 of CUDA 12.0 and 12.1 is made of floats alone: an integer is ambiguous."""
    sources = [
        f
        for f in resources.files("gpunn.backend.cuda").iterdir()
        if f.name.endswith((".cu", ".cuh"))
    ]
    assert len(sources) > 20
    for source in sources:
        made = re.findall(r"\bT\(\d+\)", source.read_text())
        assert source.name in FLOATS_ONLY or not made, f"{source.name}: {made}"

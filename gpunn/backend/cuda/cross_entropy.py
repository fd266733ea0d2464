"""Cross-entropies: value, or mean of the values, and gradient at once, in one launch."""

from typing import Any

import numpy as np

from gpunn.backend.cuda.sums import NOTHING, sum_splits
from gpunn.backend.cupy_ import THREADS, cuda_type, wide
from gpunn.backend.kernels import FLOATS, kernel

VALUES_A_LANE = 8
ROUNDS = 16  # of rows, that one block takes; for more, several share the mean, in a second launch
MOST_BLOCKS = 256  # that share a mean
EPSILON = 1e-7  # as in cross_entropy.cu


def _is_float(dtype) -> bool:
    return dtype.name in FLOATS


def _takes(target, output, from_logits=False, axis=-1, ignore_class=None, mean=False) -> bool:
    shape = output.shape
    return (
        _is_float(output.dtype)
        and len(shape) > 0
        and shape[-1] > 0
        and axis in (-1, len(shape) - 1)
        and target.shape in (shape[:-1], (*shape[:-1], 1))
        and (ignore_class is None or ignore_class == int(ignore_class))
        and (not mean or output.size > 0)
    )


@kernel("sparse_categorical_crossentropy", "cuda", ("int32", "int64", "uint8"), _takes)
def sparse_categorical_crossentropy(
    be, target, output, from_logits=False, axis=-1, ignore_class=None, mean=False
):
    classes = output.shape[-1]
    more = np.int32(ignore_class is not None), int(ignore_class or 0)
    noted = be.noted.place("label", 0, classes)
    rows = _Rows(be, output, output.shape[:-1], mean)
    loss, dx = rows("sparse_cross_entropy", target, from_logits, *more, noted, kinds=target.dtype)
    return loss, lambda dy, needs: (None, rows.times(dx, dy) if needs[1] else None)


def _takes_dense(target, output, from_logits=False, axis=-1, label_smoothing=0.0, mean=False):
    shape = output.shape
    last = len(shape) > 0 and shape[-1] > 0 and axis in (-1, len(shape) - 1)
    return last and target.shape == shape and (not mean or output.size > 0)


@kernel("categorical_crossentropy", "cuda", FLOATS, _takes_dense)
def categorical_crossentropy(
    be, target, output, from_logits=False, axis=-1, label_smoothing=0.0, mean=False
):
    rows = _Rows(be, output, output.shape[:-1], mean)
    loss, dx = rows("dense_cross_entropy", target, from_logits, float(label_smoothing))

    def of_labels():
        x = output.astype(wide(output.dtype), copy=False)
        if from_logits:
            x = x - x.max(-1, keepdims=True)
            return x - be.xp.log(be.xp.exp(x).sum(-1, keepdims=True))
        return be.xp.log(be.xp.clip(x / x.sum(-1, keepdims=True), EPSILON, 1 - EPSILON))

    def pullback(dy, needs):
        dt = (
            rows.times(of_labels() * ((label_smoothing - 1) * rows.scale), dy) if needs[0] else None
        )
        return dt, rows.times(dx, dy) if needs[1] else None

    return loss, pullback


def _takes_binary(target, output, from_logits=False, axis=None, label_smoothing=0.0, mean=False):
    shape = output.shape
    rows = axis is None or (len(shape) > 0 and shape[-1] > 0 and axis in (-1, len(shape) - 1))
    return rows and target.shape == shape and (not mean or output.size > 0)


@kernel("binary_crossentropy", "cuda", FLOATS, _takes_binary)
def binary_crossentropy(
    be, target, output, from_logits=False, axis=None, label_smoothing=0.0, mean=False
):
    shape = output.shape if axis is None else output.shape[:-1]
    rows = _Rows(be, output, shape, mean)
    loss, dx = rows("binary_cross_entropy", target, from_logits, float(label_smoothing))

    def of_labels():
        x = output.astype(wide(output.dtype), copy=False)
        if from_logits:
            return x
        p = be.xp.clip(x, EPSILON, 1 - EPSILON)
        return be.xp.log(p) - be.xp.log(1 - p)

    def pullback(dy, needs):
        factor = (label_smoothing - 1) * rows.scale / max(rows.n, 1)
        dt = rows.times(of_labels() * factor, dy) if needs[0] else None
        return dt, rows.times(dx, dy) if needs[1] else None

    return loss, pullback


class _Rows:
    """Predictions as rows, of which each has a loss.

    Args:
        be: the backend.
        output: the predictions.
        shape: of the losses: that of the predictions, or without the last axis.
        mean: whether the mean of the losses is wanted.
    """

    def __init__(self, be, output, shape, mean: bool):
        self.be, self.output, self.shape, self.mean = be, output, shape, mean
        self.n = 1 if shape == output.shape else output.shape[-1]
        self.rows = output.size // self.n
        self.scale = 1 / self.rows if mean else 1.0

    def __call__(self, name: str, target, from_logits: bool, *more, kinds=None) -> tuple:
        """The losses or their mean, and the gradient of the predictions by it."""
        be, output = self.be, self.output
        dtype, lanes = wide(output.dtype), 1
        while lanes < min(self.n / VALUES_A_LANE, THREADS):
            lanes *= 2
        blocks = -(-self.rows * lanes // THREADS)
        if self.mean:
            blocks = 1 if blocks <= ROUNDS else min(blocks, MOST_BLOCKS)
        loss: Any = NOTHING if self.mean else be.empty(self.shape, output.dtype)
        sums: Any = be.empty((blocks,), dtype) if self.mean else NOTHING
        dx = be.empty(output.shape, dtype)
        types = [cuda_type(t) for t in (output.dtype, dtype, kinds) if t is not None]
        types.append("true" if from_logits else "false")
        given = (be.xp.ascontiguousarray(x) for x in (target, output))
        args = (loss, sums, dx, *given, self.rows, self.n, np.int32(lanes), self.scale, *more)
        be.launch("cross_entropy", f"{name}<{', '.join(types)}>", blocks * THREADS, args)
        if self.mean:
            loss = sums[0]
            if blocks > 1:
                loss = be.empty((), dtype)
                sum_splits(be, sums, loss)
            loss = loss.astype(output.dtype, copy=False)
        return loss, dx

    def times(self, dx, dy):
        """The gradient by what the losses are used for."""
        if self.mean:  # most often the loss itself, whose gradient is 1
            return dx if dy is self.be.one(dy.shape, dy.dtype) else dx * dy
        return dx * dy.reshape(*self.shape, *(1,) * (dx.ndim - len(self.shape)))

"""Softmax cross-entropy of integer labels: value, or mean of the values, and gradient at once."""

import numpy as np

from gpunn.backend.cuda.sums import NOTHING, sum_splits
from gpunn.backend.cupy_ import THREADS, cuda_type, wide
from gpunn.backend.kernels import kernel

CLASSES_A_LANE = 8
ROUNDS = 16  # of rows, that one block takes before the mean is worth a second launch
MOST_BLOCKS = 256  # that share a mean


def _takes(target, output, from_logits=False, axis=-1, ignore_class=None, mean=False) -> bool:
    shape = output.shape
    return (
        from_logits
        and output.dtype.kind == "f"
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
    classes, dtype = output.shape[-1], wide(output.dtype)
    rows = output.size // classes
    lanes = 1
    while lanes < min(classes / CLASSES_A_LANE, THREADS):
        lanes *= 2
    blocks = -(-rows * lanes // THREADS)
    if mean:
        blocks = 1 if blocks <= ROUNDS else min(blocks, MOST_BLOCKS)
    loss = NOTHING if mean else be.empty(output.shape[:-1], output.dtype)
    sums = be.empty((blocks,), dtype) if mean else NOTHING
    dx = be.empty(output.shape, dtype)
    types = (cuda_type(t) for t in (output.dtype, dtype, target.dtype))
    be.launch(
        "cross_entropy",
        f"softmax_cross_entropy<{', '.join(types)}>",
        blocks * THREADS,
        (
            loss,
            sums,
            dx,
            be.xp.ascontiguousarray(target),
            be.xp.ascontiguousarray(output),
            rows,
            classes,
            np.int32(lanes),
            1 / rows if mean else 1.0,
            np.int32(ignore_class is not None),
            int(ignore_class or 0),
            be.noted.place("label", 0, classes),
        ),
    )
    if mean:
        loss = sums[0]
        if blocks > 1:
            loss = be.empty((), dtype)
            sum_splits(be, sums, loss)
        loss = loss.astype(output.dtype, copy=False)

    def pullback(dy, needs):
        if not needs[1]:
            return None, None
        if mean:  # most often the loss itself, whose gradient is 1
            return None, dx if dy is be.one(dy.shape, dy.dtype) else dx * dy
        return None, dx * dy[..., None]

    return loss, pullback

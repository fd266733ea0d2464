"""Sums of metrics in one launch, with what is added to their state."""

from math import prod

import numpy as np

from gpunn.backend.cuda.sums import NOTHING
from gpunn.backend.cupy_ import CUDA_TYPES, cuda_type, wide
from gpunn.backend.dtypes import standardize
from gpunn.backend.fusing import Inside
from gpunn.backend.kernels import kernel

SHARE = 1 << 15  # values for each block; up to four times as many are left to one
MOST_BLOCKS = 256
MOST_THREADS = 1024
MOST_PAIRS = 1 << 24  # predictions times thresholds, at most: each pair is looked at
FLOATS = ("float16", "float32", "float64")
LABELS = ("int32", "int64", "uint8", *FLOATS)


def _known(*arrays) -> bool:
    return all(a.size and a.dtype.name in CUDA_TYPES for a in arrays)


def _each_weighs(weights, shape, dtype) -> bool:
    """Whether there is a weight for each entry of the first axes, or none at all."""
    if weights is None:
        return True
    own = weights.shape
    while own[-1:] == (1,):
        own = own[:-1]
    return weights.dtype.name in FLOATS and weights.ndim <= len(shape) and own == shape[: len(own)]


def _takes_values(values, weights, name=None, update=None) -> bool:
    return _known(values) and _each_weighs(weights, values.shape, values.dtype)


@kernel("mean_sums", "cuda", FLOATS, _takes_values)
def mean_sums(be, values, weights, name="mean", update=None):
    types = (values.dtype, wide(values.dtype)) * 2
    args = (NOTHING, be.xp.ascontiguousarray(values))
    sums = _Sums(be, values.shape, weights, values.dtype)
    return sums("mean_sums", types, "Itself", args, (values.size,), (NOTHING_AT_ALL,), update), None


def _takes_labels(y, p, weights, threshold=None, name=None, update=None) -> bool:
    return y.shape == p.shape and _known(y, p) and _each_weighs(weights, p.shape, standardize(None))


@kernel("right_values", "cuda", LABELS, _takes_labels)
def right_values(be, y, p, weights, threshold=None, name="accuracy", update=None):
    types = (p.dtype, wide(p.dtype), y.dtype, wide(y.dtype))
    value, argument = "Equal", NOTHING_AT_ALL
    if threshold is not None:
        value = f"SameSide<{cuda_type(types[1])}>"
        argument = np.asarray(threshold, p.dtype).astype(types[1])[()]
    args = (be.xp.ascontiguousarray(y), be.xp.ascontiguousarray(p))
    sums = _Sums(be, p.shape, weights, standardize(None))
    return sums("mean_sums", types, value, args, (p.size,), (argument,), update), None


def _takes_rows(y, p, weights, k=None, name=None, update=None) -> bool:
    return (
        p.ndim > 0
        and y.shape in (p.shape, p.shape[:-1])
        and _known(y, p)
        and _each_weighs(weights, p.shape[:-1], standardize(None))
        and (k is None or k > 0)
    )


@kernel("right_classes", "cuda", LABELS, _takes_rows)
def right_classes(be, y, p, weights, k=None, name="accuracy", update=None):
    types = (p.dtype, wide(p.dtype), y.dtype, wide(y.dtype))
    classes = p.shape[-1]
    lanes = min(1 << (classes - 1).bit_length(), 32)
    args = (be.xp.ascontiguousarray(y), be.xp.ascontiguousarray(p))
    numbers = (p.size // classes, classes, np.int32(lanes), np.int32(y.ndim == p.ndim), k or 0)
    sums = _Sums(be, p.shape[:-1], weights, standardize(None), lanes * -(-classes // lanes))
    return sums("right_classes", types, None, args, numbers, (), update), None


class _Sums:
    """Launches a kernel that sums over entries with weights.

    Args:
        be: the backend.
        shape: of the entries.
        weights: one for each entry of the first axes, or None.
        dtype: of the result.
        each: how many values make an entry.
    """

    def __init__(self, be, shape, weights, dtype, each: int = 1):
        self._be, self._dtype = be, dtype
        size = prod(shape)
        self._weights, self._inner = _weighing(be, weights, size)
        # means over the inner axes, as in `samplewise`
        count = 1.0 if weights is None else 1 / prod(weights.shape[1:])
        mean = (shape[0] if shape else 1) / size if weights is None else count / self._inner
        self._factors = mean, (shape[0] if shape else 1.0) if weights is None else count
        values = size * each
        self._blocks = 1 if values <= 4 * SHARE else min(-(-values // SHARE), MOST_BLOCKS)
        self._threads = _threads(values)

    def __call__(self, name, types, value, arrays, numbers, more, update):
        be, out = self._be, self._be.empty((), self._dtype)
        inside = Inside(np.dtype(np.float64), *RESULTS[:2])
        if update is not None:
            update(inside, *RESULTS[:2])
        blocks, several = self._blocks, self._blocks > 1
        partial = be.empty((blocks, 2), np.float64) if several else NOTHING
        names = [cuda_type(t) for t in (self._dtype, *types)]
        names += [value] if value else []
        factors = tuple(map(float, self._factors))
        args = (out, partial, *arrays, self._weights, *numbers, self._inner, *factors, *more)
        be.launch(
            "metric_sums",
            f"{name}<{', '.join(names)}>",
            blocks * self._threads,
            (*args, NOTHING_AT_ALL if several else inside.argument),
            self._threads,
            Inside.NONE if several else inside.text,
        )
        if several:
            args = (out, partial, blocks, inside.argument)
            kind = f"finish_sums<{cuda_type(self._dtype)}>"
            be.launch("metric_sums", kind, MOST_BLOCKS, args, before=inside.text)
        return out


# Stand for what kernels give to the code of an update.
RESULTS = [np.zeros(()) for _ in range(4)]
NOTHING_AT_ALL = np.zeros((), [("nothing", np.uint8)])[()]  # an empty structure


def _threads(values: int) -> int:
    threads = 32
    while threads < min(values, MOST_THREADS):
        threads *= 2
    return threads


def _weighing(be, weights, size: int):
    """Weights (or none) for a kernel, and how many values each is for."""
    if weights is None:
        return NOTHING, 1
    return be.xp.ascontiguousarray(weights), size // weights.size


def _takes_counts(y, p, w, thresholds, even, columns, kept=None, update=None) -> bool:
    return (
        _known(y, p)
        and y.dtype == p.dtype
        and _each_weighs(w, p.shape, p.dtype)
        and (columns == 1 or (p.ndim == 2 and p.shape[1] == columns))
        and p.size * len(thresholds) <= MOST_PAIRS
    )


@kernel("threshold_counts", "cuda", ("float32", "float64"), _takes_counts)
def threshold_counts(be, y, p, w, thresholds, even, columns, kept=None, update=None):
    rows, count = p.size // columns, len(thresholds)
    key = ("thresholds", tuple(thresholds), p.dtype.char)
    steps = be.const(key, lambda be: be.asarray(thresholds, p.dtype))
    w, inner = _weighing(be, w, p.size)
    shape = (count,) if p.ndim == 1 or columns == 1 else (count, columns)
    out = be.empty(shape, np.float64 if even else p.dtype)
    inside = Inside(np.dtype(np.float64), *RESULTS)
    if update is not None:
        update(inside, *RESULTS)
    threads = _threads(rows)
    y, p = be.xp.ascontiguousarray(y), be.xp.ascontiguousarray(p)
    args = (out, y, p, w, rows, columns, inner, steps, count, np.int32(even), inside.argument)
    name = f"threshold_counts<{cuda_type(out.dtype)}, {cuda_type(p.dtype)}>"
    be.launch("threshold_counts", name, out.size * threads, args, threads, inside.text)
    return out, None


def _bytes(x):
    """Booleans as integers."""
    return x.view(np.uint8) if x.dtype == np.bool_ else x


def _takes_cells(y, p, w, classes, ignore_class=None, strict=False) -> bool:
    whole = ignore_class is None or ignore_class == int(ignore_class)
    return (
        _known(y, _bytes(p)) and y.size == p.size and _each_weighs(w, y.shape, np.float64) and whole
    )


@kernel("confusion_cells", "cuda", ("int32", "int64", "uint8", "float32"), _takes_cells)
def confusion_cells(be, y, p, w, classes, ignore_class=None, strict=False):
    cell, weight = be.empty((y.size,), np.int64), be.empty((y.size,), np.float64)
    w, inner = _weighing(be, w, y.size)
    places = (NOTHING, NOTHING)
    if strict:
        places = tuple(be.noted.place(what, 0, classes) for what in ("label", "prediction"))
    p = _bytes(p)
    types = f"{cuda_type(y.dtype)}, {cuda_type(p.dtype)}"
    y, p = be.xp.ascontiguousarray(y), be.xp.ascontiguousarray(p)
    ignored = (np.int32(ignore_class is not None), int(ignore_class or 0))
    unknown = float("nan") if strict else 0.0
    args = (cell, weight, y, p, w, y.size, inner, classes, *ignored, unknown, *places)
    be.launch("confusion", f"confusion_cells<{types}>", y.size, args)
    return (cell, weight), None

"""Parity: every kernel that a GPU runs, beside the reference body that it stands for."""

from dataclasses import dataclass
from typing import Any

import numpy as np

import gpunn
from gpunn import layers, losses, metrics, ops, optimizers
from gpunn.autograd import primitives
from gpunn.backend import backend_of, get_backend, is_array, kernels
from gpunn.backend.late import made
from gpunn.backend.random import Stream
from gpunn.errors import GpunnError, KernelError

DTYPES = ("float32", "float16", "bfloat16", "float64")
# How far a kernel may be from its reference: of the largest value.
TOLERANCE = {"float64": 1e-9, "float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}


@dataclass
class Met:
    """What is known of a kernel: its calls, values and gradients, and the worst of them."""

    problem: str | None = None  # why it cannot run
    calls: int = 0
    worst: float = 0.0
    tolerance: float = 0.0

    @property
    def agrees(self) -> bool:
        """Whether it ran, and every result was near enough; False for NaN."""
        return self.problem is None and self.worst <= self.tolerance


class Parity:
    """Inside a `with` block, runs the reference after each kernel and compares what they give.

    Attributes:
        met: by op and dtype, what is known of its kernel.
    """

    def __init__(self):
        self.met: dict[tuple[str, str], Met] = {}

    def __enter__(self):
        kernels.set_watcher(self._watched)
        return self

    def __exit__(self, *exc):
        kernels.set_watcher(None)

    def _watched(self, reference, kernel, dtype):
        met = self.met.setdefault((reference.__name__, dtype.name), Met())

        def run(be, *operands, **static):
            met.calls += 1
            stream = static.get("stream")
            before = stream.position if isinstance(stream, Stream) else None
            copies = [be.copy(x) if is_array(x) else x for x in operands]
            again = {**static, "update": None} if "update" in static else static
            try:
                result = kernel(be, *operands, **static)
            except KernelError as e:  # the others are to be tried all the same
                met.problem = str(e)
                with kernels.reference_only():
                    return reference(be, *operands, **again)
            after = None if before is None else stream.position
            if before is not None:
                stream.position = before
            with kernels.reference_only():
                expected, expected_pull = reference(be, *copies, **again)
            if before is not None:
                stream.position = after
            y, pull = made(result[0]), result[1]
            self.compare(met, y, expected)
            if pull is None or expected_pull is None:
                return y, pull

            def pullback(dy, needs):
                with kernels.reference_only():
                    wanted = expected_pull(dy, needs)
                try:
                    dxs = pull(dy, needs)
                except KernelError as e:
                    met.problem = str(e)
                    return wanted
                for dx, other in zip(dxs, wanted, strict=False):
                    if dx is not None and other is not None:
                        self.compare(met, dx, other)
                return dxs

            return y, pullback

        return run

    def compare(self, met: Met, a, b) -> None:
        """Note how far a kernel's arrays are from the reference's."""
        if isinstance(a, tuple | list):
            for x, y in zip(a, b, strict=True):
                self.compare(met, x, y)
            return
        be = backend_of(a)
        met.tolerance = max(met.tolerance, TOLERANCE.get(a.dtype.name, 0.0))
        x, y = (be.to_numpy(v).astype(np.float64) for v in (a, b))
        while x.ndim > y.ndim:  # a gradient in a shape that its operand was broadcast to
            x = x.sum(0)
        if x.shape != y.shape:
            x, y = np.broadcast_arrays(x, y)
        if x.size:
            with np.errstate(all="ignore"):
                apart = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
                scale = np.abs(y[np.isfinite(y)]).max(initial=1e-6)
            met.worst = float(np.maximum(met.worst, apart.max() / scale))


def networks(rng):
    """Networks of random sizes, with inputs and labels, that between them run every kernel."""

    def size(low, high):
        return int(rng.integers(low, high))

    def floats(*shape):
        return rng.normal(size=shape).astype("float32")

    rows, classes = size(2, 9), size(2, 40)
    for activation in (
        "relu", "gelu", "silu", "tanh", "sigmoid", "selu", "softmax", "log_softmax"
    ):  # fmt: skip
        width = size(3, 70)
        yield (
            [
                layers.Dense(size(3, 50), activation),
                layers.LayerNormalization(),
                layers.Dropout(0.3),
                layers.Dense(size(16, 90), activation),
                layers.RMSNormalization(),
                layers.Dense(classes),
            ],
            floats(rows, width),
        )
    for padding in ("same", "valid"):
        for activation in ("relu", "silu", None):
            yield (
                [
                    layers.Conv2D(
                        2 * size(1, 6), size(1, 4), padding=padding, activation=activation
                    ),
                    layers.MaxPooling2D(2, padding=padding),
                    # before a normalization a bias has a gradient of little but rounding
                    layers.Conv2D(2 * size(1, 6), 3, padding="same", use_bias=False),
                    layers.BatchNormalization(),
                    layers.ReLU(),
                    layers.Conv2D(
                        2 * size(1, 20), 3, strides=2, groups=2, padding="same", use_bias=False
                    ),
                    layers.GroupNormalization(2),
                    layers.ReLU(),  # or the gradient of a group is 0, but for noise
                    layers.GlobalAveragePooling2D(),
                    layers.Dense(classes),
                ],
                floats(rows, size(7, 12), size(7, 12), size(1, 5)),
            )  # fmt: skip
    yield (
        [
            layers.DepthwiseConv2D(3, padding="same"),
            layers.AveragePooling2D(2),
            layers.UpSampling2D(),
            layers.SpatialDropout2D(0.3),
            layers.UpSampling2D(interpolation="bilinear"),
            layers.Conv2DTranspose(3, 3, strides=2),
            layers.GlobalMaxPooling2D(),
            layers.Dense(classes),
        ],
        floats(rows, 8, 6, size(1, 4)),
    )
    for recurrent in (layers.LSTM, layers.GRU, layers.SimpleRNN):
        yield [recurrent(size(3, 40)), layers.Dense(classes)], floats(rows, size(2, 9), size(1, 9))
    words = rng.integers(0, 19, (rows, size(3, 40))).astype("int32")
    yield (
        [
            layers.Embedding(19, 16),
            layers.TransformerEncoder(size(8, 40), 4, dropout=0.2),
            layers.GlobalAveragePooling1D(),
            layers.Dense(classes),
        ],
        words,
    )


def check(seed: int = 0, until=lambda: False) -> Parity:
    """Compare the kernels of the current device on random shapes.

    Args:
        seed: of the shapes and values.
        until: asked before each network, whether time is over.
    """
    get_backend()  # registers its kernels
    rng = np.random.default_rng(seed)
    parity = Parity()
    known = kernels.registered()
    with parity:
        for dtype in DTYPES:
            for op in sorted({op for op, kind, d in known if kind == "cuda" and d == dtype}):
                _call(op, dtype, rng)
            _measure(dtype, rng)
            _reduce(dtype, rng)
            for parts, x in networks(rng):
                if until():
                    return parity
                labels = rng.integers(0, 2, len(x)).astype(rng.choice(("int32", "int64", "uint8")))
                _train(parts, x, labels, dtype)
    return parity


def _call(op: str, dtype: str, rng) -> None:
    """Call an op of one operand, which is what elementwise ones are; others are in networks."""
    if op not in primitives or kernels.table(op)["cuda", np.dtype(dtype)].body is not None:
        return
    shape = tuple(rng.integers(1, 40, rng.integers(1, 4)).tolist())
    x = gpunn.Tensor(rng.normal(0, 2, shape), dtype=dtype, requires_grad=True)
    static = {
        "threshold": {"threshold": 0.5, "default_value": 0.25},
        "exponential_unit": {"alpha": 1.5, "rate": 0.7, "scale": 1.1},
    }.get(op, {})
    try:
        run: Any = primitives[op]
        y = run(x, **static)
    except KernelError:
        raise
    except GpunnError:  # it takes something else
        return
    ops.sum(y).backward()


def _measure(dtype: str, rng) -> None:
    """Count a batch by metrics, and turn images."""
    images = gpunn.Tensor(rng.normal(size=(2, *rng.integers(1, 20, 2), 3)), dtype=dtype)
    places = "float64" if dtype == "float64" else "float32"
    turns = gpunn.Tensor(rng.normal(size=(2, 8)), dtype=places)
    ops.image.affine_transform(images, turns, fill_mode="reflect")
    rows, classes = rng.integers(2, 300), rng.integers(2, 40)
    scores = gpunn.Tensor(rng.random((rows, classes)), dtype=dtype)
    ids = rng.integers(0, classes, rows)
    weights = gpunn.Tensor(rng.random(rows), dtype=dtype)
    for labels in (*map(ids.astype, ("int32", "int64", "uint8")), gpunn.Tensor(ids, dtype=dtype)):
        metrics.SparseCategoricalAccuracy().update_state(labels, scores, weights)
        metrics.SparseTopKCategoricalAccuracy(3).update_state(labels, scores)
        metrics.Accuracy().update_state(labels, labels)
        if dtype in ("float32", "float64"):
            metrics.MeanIoU(int(classes)).update_state(gpunn.Tensor(labels), ids)
    metrics.Mean().update_state(scores, weights)
    yes = gpunn.Tensor(rng.integers(0, 2, scores.shape), dtype=dtype)
    metrics.AUC(dtype=dtype).update_state(yes, scores, weights)


def _reduce(dtype: str, rng) -> None:
    """Losses of rows, and their largest and smallest values, with gradients."""
    shape = rng.integers(2, 60, 2).tolist()
    y, x = (gpunn.Tensor(rng.normal(size=shape), dtype=dtype, requires_grad=True) for _ in "yx")
    for result in (ops.max(x, axis=-1), ops.min(x, axis=-1), losses.mean_squared_error(y, x)):
        ops.sum(result).backward()


def _train(parts, x, labels, dtype: str) -> None:
    """Run a network that is made anew in the dtype, and its gradients."""
    with gpunn.seed(0):
        made = [type(p).from_config({**p.get_config(), "dtype": dtype}) for p in parts]
        model = gpunn.Sequential(made)
        x = gpunn.Tensor(x) if x.dtype.kind in "iu" else gpunn.Tensor(x, dtype=dtype)
        model(x)
        optimizers.SGD().build(model.trainable_variables)  # lays them out as in training
        y = model(x, training=True)
        cost: Any = losses.SparseCategoricalCrossentropy(from_logits=True, dtype=dtype)(labels, y)
        shares = ops.one_hot(labels, y.shape[-1], dtype=dtype)
        for loss in (losses.CategoricalCrossentropy, losses.BinaryCrossentropy):
            cost = cost + loss(from_logits=True, dtype=dtype)(shares, y)
        cost.backward()

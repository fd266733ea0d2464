"""Speeds: how quick a device is at kernels, products and training steps."""

import time

import numpy as np

import gpunn
from gpunn import layers, ops
from gpunn.backend import get_backend, one_blas_thread

LEAST = 0.02  # seconds that something takes at the size it is measured at
LARGEST = 1 << 26  # elements
ROUNDS = 5


def timed(be, run, least: float = LEAST) -> float:
    """Seconds that `run()` takes on a device, the best of some rounds."""
    run()
    count, times = 1, []
    while True:
        be.synchronize()
        start = time.perf_counter()
        for _ in range(count):
            run()
        be.synchronize()
        took = time.perf_counter() - start
        if took < least / 4 and count < 1000:
            count *= 4
            continue
        times.append(took / count)
        if len(times) == ROUNDS or took > 1:
            return min(times)


def _sized(be, make, size: int, limit: int):
    """What `make(size)` gives to be timed, as large as it takes for it to last a while."""
    while True:
        run, work = make(size)
        seconds = timed(be, run, LEAST / 10)
        if seconds > LEAST / 10 or size * 4 > limit:
            return seconds, work
        size *= 4


def kernels(device: str):
    """Rows of (what, "GB/s", how many) for what memory limits, forward and backward."""
    be = get_backend(device)
    for name, op, moved in (
        ("gelu", ops.gelu, 5),
        ("softmax over 512", ops.softmax, 5),
        ("layer normalization of 512", ops.layer_normalization, 5),
        ("sum over rows", lambda x: ops.sum(x, axis=0), 2),
    ):

        def make(n, op=op, moved=moved):
            with gpunn.device(device):
                x = gpunn.Tensor(np.ones((n // 512, 512), "float32"), requires_grad=True)

            def run():
                y = op(x)
                y.backward(y.detach())
                x.grad = None

            return run, moved * x.array.nbytes

        seconds, work = _sized(be, make, 1 << 14, LARGEST)
        yield name, "GB/s", work / seconds / 1e9


def products(device: str):
    """Rows of (what, "GFLOP/s", how many) for matrix products and a convolution."""
    be = get_backend(device)
    for dtype in ("float32", "float16") if be.kind == "cuda" else ("float32",):

        def make(n, dtype=dtype):
            side = int(n**0.5)
            a = be.asarray(np.ones((side, side)), dtype)
            return lambda: be.matmul(a, a), 2 * side**3

        seconds, work = _sized(be, make, 1 << 14, 1 << 24)
        yield f"product of {dtype} matrices", "GFLOP/s", work / seconds / 1e9

    def convolution(n):
        with gpunn.device(device):
            x = gpunn.Tensor(np.ones((n, 32, 32, 16), "float32"))
            kernel = gpunn.Tensor(np.ones((3, 3, 16, 16), "float32"))
        flops = 2 * n * 32 * 32 * 16 * 16 * 9
        return lambda: ops.conv(x, kernel, padding="same"), flops

    seconds, work = _sized(be, convolution, 1, 1 << 9)
    yield "3x3 convolution of 16 channels", "GFLOP/s", work / seconds / 1e9


NETWORKS: dict[str, tuple] = {
    "784-512-256-10, batch 64": (
        lambda: [layers.Dense(512, "relu"), layers.Dense(256, "relu"), layers.Dense(10)],
        (64, 784),
    ),
    "two convolutions of 8x8, batch 32": (
        lambda: [
            layers.Conv2D(8, 3, activation="relu"),
            layers.Conv2D(16, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ],
        (32, 8, 8, 1),
    ),
}


def steps(device: str):
    """Rows of (what, "ms", how many) for training steps, call by call and captured."""
    be = get_backend(device)
    for name, (parts, shape) in NETWORKS.items():
        for kind, jit in (("call by call", False), ("captured", True)):
            with gpunn.device(device), gpunn.seed(0):
                model = gpunn.Sequential([gpunn.Input(shape[1:]), *parts()])
                loss = gpunn.losses.SparseCategoricalCrossentropy(from_logits=True)
                model.compile("adam", loss, jit_compile=jit)
                x = np.random.default_rng(0).normal(size=shape).astype("float32")
                batch = gpunn.Tensor(x), gpunn.Tensor(np.arange(shape[0], dtype="int32") % 10)
                model.optimizer.build(model.trainable_variables)
                with one_blas_thread:  # as in fit
                    for _ in range(4):
                        model._run_train_step(batch)
                    seconds = timed(
                        be, lambda model=model, batch=batch: model._run_train_step(batch, True)
                    )
            yield f"{name}, {kind}", "ms", seconds * 1e3

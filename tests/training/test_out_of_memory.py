"""A device that is out of memory: what is said, and that what is advised fits."""

import gc
import re

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import ArgumentError, GpunnError, OutOfMemoryError

MB = 1 << 20


@pytest.fixture
def limit(cuda):
    gpunn.set_device("cuda")
    for make in (mlp, cnn):  # what is made once and stays, such as the memory that cuBLAS works in
        model = make()
        model.compile("adam", "mse")
        model.fit(np.ones((8, 32)), np.ones((8, 8)), batch_size=2, verbose=0)
    del model
    gc.collect()
    gpunn.cuda.empty_cache()
    be = gpunn.backend.get_backend()
    pieces = fill(be)
    memory = be.memory()
    yield lambda more: gpunn.cuda.set_memory_limit(memory.used + memory.kept + more)
    gpunn.cuda.set_memory_limit(None)
    del pieces


def fill(be):
    """Arrays in all large pieces of blocks of which other tests' arrays hold the rest."""
    pieces = []
    gpunn.cuda.set_memory_limit(be.memory().used + be.memory().kept)
    nbytes = 1 << 30
    while nbytes >= 1 << 16:
        try:
            pieces.append(be.empty((nbytes,), "uint8"))
        except MemoryError:
            nbytes //= 2
    gpunn.cuda.set_memory_limit(None)
    return pieces


def mlp():
    return gpunn.Sequential(
        [
            gpunn.Input((32,)),
            layers.Dense(1024, "gelu", name="wide"),
            layers.Dropout(0.2),
            layers.Dense(8, name="narrow"),
        ]
    )


def cnn():
    return gpunn.Sequential(
        [
            gpunn.Input((32,)),
            layers.Reshape((4, 4, 2)),
            layers.UpSampling2D(4),
            layers.Conv2D(16, 3, padding="same", name="conv"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(8),
        ]
    )


def advised(error) -> int:
    return int(re.search(r"batch_size=(\d+) should fit", str(error.value)).group(1))


def require_that_it_fits(call, batch_size: int):
    """With half of it at least: pieces that tests before left are of no use to large arrays."""
    try:
        call(batch_size)
    except OutOfMemoryError:
        call(batch_size // 2)


@pytest.mark.parametrize("jit_compile", (False, "auto"))
@pytest.mark.parametrize("make", (mlp, cnn))
def test_fit_says_what_takes_the_memory_and_what_fits(make, jit_compile, limit):
    model = make()
    model.compile("adam", "mse", jit_compile=jit_compile)
    model.build((None, 32))
    x, y = np.ones((4096, 32), "float32"), np.ones((4096, 8), "float32")
    before = model.get_weights()
    limit(7 * MB)
    with pytest.raises(OutOfMemoryError) as error:
        model.fit(x, y, batch_size=1024, verbose=0)
    assert isinstance(error.value, GpunnError) and isinstance(error.value, MemoryError)
    message = str(error.value)
    assert re.search(
        r"^cuda:0 is out of memory in fit at batches of 1024: [\d.]+ \w+ were", message
    )
    layer = {"mlp": r"wide \(Dense\) +132.0 KiB +\d+\.\d MiB", "cnn": r"conv \(Conv2D\)"}
    assert re.search(layer[make.__name__], message), message
    assert "the optimizer's state: " in message
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    batch_size = advised(error)
    assert batch_size >= 32, message  # it is of some use
    require_that_it_fits(
        lambda n: model.fit(x, y, batch_size=n, steps_per_epoch=4, verbose=0), batch_size
    )


def test_predict_and_evaluate(limit):
    model = mlp()
    model.compile("sgd", "mse")
    x, y = np.ones((1024, 32), "float32"), np.ones((1024, 8), "float32")
    limit(5 * MB)
    with pytest.raises(OutOfMemoryError, match="in evaluate at batches of 1024"):
        model.evaluate(x, y, batch_size=1024, verbose=0)
    with pytest.raises(OutOfMemoryError, match="in predict at batches of 1024") as error:
        model.predict(x, batch_size=1024, verbose=0)
    require_that_it_fits(lambda n: model.predict(x, batch_size=n, verbose=0), advised(error))


def test_the_cpu_says_so_too():
    model = gpunn.Sequential(
        [gpunn.Input((2, 3)), layers.Dense(4, name="small"), layers.UpSampling1D(10**12)]
    )
    model.compile("adam", "mse")
    x, y = np.ones((4, 2, 3), "float32"), np.ones((4, 2), "float32")
    for what, call in (("predict", lambda: model.predict(x, verbose=0)),
                       ("evaluate", lambda: model.evaluate(x, y, verbose=0)),
                       ("fit", lambda: model.fit(x, y, verbose=0))):  # fmt: skip
        message = rf"cpu is out of memory in {what} at batches of 4: 116.4 TiB were asked for"
        with pytest.raises(OutOfMemoryError, match=message) as error:
            call()
        assert re.search(r"small \(Dense\) +64 B", str(error.value))


def test_a_model_that_is_too_large(limit):
    model = gpunn.Sequential([gpunn.Input((1024,)), layers.Dense(1024), layers.Dense(1024)])
    model.compile("adam", "mse")
    limit(20 * MB)  # 8 MB of weights, as much of gradients, twice as much of slots
    with pytest.raises(OutOfMemoryError):
        model.fit(np.ones((4, 1024)), np.ones((4, 1024)), batch_size=4, verbose=0)


def test_the_limit_is_all_there_is_and_the_summary_says_so(limit):
    limit(10 * MB)
    be = gpunn.backend.get_backend()
    total, before = be.memory().total, be.memory().kept
    held = be.empty((6 * MB,), "uint8")
    assert gpunn.cuda.memory_summary().endswith(f"of {gpunn.backend.memory.size(total)}")
    with pytest.raises(MemoryError):
        be.empty((6 * MB,), "uint8")
    assert be.memory().free <= 4 * MB
    del held
    assert be.memory().kept >= 6 * MB
    gpunn.cuda.empty_cache()
    assert be.memory().kept <= before  # pieces, which others have the rest of
    gpunn.cuda.set_memory_limit(0.5)
    half = be.memory().total
    gpunn.cuda.set_memory_limit(None)
    assert half == be.memory().total // 2
    for bad in (0, -5, 1.5, True, "1 GB"):
        with pytest.raises(ArgumentError, match="limit must be bytes"):
            gpunn.cuda.set_memory_limit(bad)
    with pytest.raises(ArgumentError, match="expected a GPU"):
        gpunn.cuda.memory_summary("cpu")


def test_what_graphs_hold_counts(limit):
    model = mlp()
    model.compile("adam", "mse", jit_compile=True)
    x, y = np.ones((64, 32), "float32"), np.ones((64, 8), "float32")
    be = gpunn.backend.get_backend()
    limit(64 * MB)
    model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    with_graph = be.memory().used
    model.compile("adam", "mse")  # drops it
    gc.collect()
    assert be.memory().used < with_graph


def test_no_room_for_the_optimizer(limit):
    """What it would have taken counts, or no batch size that is advised would fit."""
    model = gpunn.Sequential([gpunn.Input((32,)), layers.Dense(16384, name="wide")])
    model.compile("adam", "mse")
    x, y = np.ones((8, 32), "float32"), np.ones((8, 16384), "float32")
    limit(6 * MB)
    with pytest.raises(OutOfMemoryError) as error:
        model.fit(x, y, batch_size=2, verbose=0)
    assert "the optimizer's state: 4.1 MiB; gradients: as the parameters" in str(error.value)
    assert "not even one row fits" in str(error.value)
    gpunn.cuda.set_memory_limit(None)
    model.fit(x, y, batch_size=2, verbose=0)

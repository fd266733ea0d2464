"""Batches on their way to a GPU: the same bits as on the CPU, whatever the order of streams."""

import gc

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.backend import get_backend
from gpunn.backend.base import Memory
from gpunn.data import array_source

try:
    import cudaemu
except ImportError:
    cudaemu = None

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 12)).astype("float32")
Y = RNG.integers(0, 3, 70).astype("int32")
W = RNG.uniform(0.5, 1, 70).astype("float32")


@pytest.fixture(autouse=True)
def on_cuda(cuda):
    with gpunn.device("cuda"):
        yield


@pytest.fixture
def streamed(monkeypatch):
    """As if no data set fitted."""
    monkeypatch.setattr(array_source, "ON_GPU", 0)


class Batches(gpunn.utils.PyDataset):
    def __len__(self):
        return 9

    def __getitem__(self, i):
        rows = slice(8 * i, 8 * i + 8)
        return X[rows], Y[rows], W[rows]


def generator():
    while True:
        yield from Batches()


class Keeping(gpunn.callbacks.Callback):
    """Keeps what it is shown of the batches, without a copy."""

    def on_train_begin(self, logs=None):
        self.kept = []

    def on_train_batch_end(self, batch, logs=None):
        self.kept.append(self.model.last_batch[0])


def arrays():
    return (X, Y), {"sample_weight": W, "batch_size": 16}


def in_order():
    return (X, Y), {"batch_size": 16, "shuffle": False}


def from_generator():
    return (generator(),), {"steps_per_epoch": 7}


def from_sequence():
    return (Batches(),), {"shuffle": True}


def prefetched():
    data = gpunn.data.Dataset(X, Y).shuffle(3).batch(16).map(lambda x, y: (x * 2, y)).prefetch(2)
    return (data,), {}


DATA = (arrays, in_order, from_generator, from_sequence, prefetched)


def trained(data, jit, callbacks=()):
    gpunn.utils.set_random_seed(0)
    model = gpunn.Sequential(
        [
            gpunn.Input((12,)),
            layers.Dense(16, "relu"),
            layers.Dropout(0.2),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=jit)
    given, options = data()
    history = model.fit(*given, **options, epochs=3, verbose=0, callbacks=list(callbacks))
    scores = model.evaluate(X, Y, batch_size=16, verbose=0)
    return history.history, scores, model.get_weights(), model.predict(X, 16, verbose=0)


def assert_equal(a, b):
    assert a[0] == b[0] and a[1] == b[1]
    for left, right in zip([*a[2], a[3]], [*b[2], b[3]], strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("jit", (False, True))
def test_streamed_batches_are_the_data(data, jit, streamed, monkeypatch):
    got = trained(data, jit)
    monkeypatch.setattr(type(get_backend()), "staging", lambda be: be.send)
    assert_equal(trained(data, jit), got)


def order_of_streams():
    """As many orders of what streams leave open as there is time for."""
    return range(1, 4)


@pytest.mark.parametrize("seed", order_of_streams())
@pytest.mark.parametrize("data", DATA)
def test_in_any_order_of_streams(data, seed, streamed):
    if cudaemu is None:
        pytest.skip("only the emulated device can change the order")
    wanted = trained(data, True)
    with cudaemu.modes(async_=seed):
        assert_equal(trained(data, True), wanted)


def test_a_batch_that_somebody_keeps_is_not_overwritten(streamed):
    keeping = Keeping()
    trained(in_order, False, [keeping])
    for i, x in enumerate(keeping.kept):
        rows = slice(16 * (i % 5), 16 * (i % 5) + 16)
        np.testing.assert_array_equal(x.numpy(), X[rows])


def test_outputs_that_are_the_inputs(streamed):
    model = gpunn.Sequential([gpunn.Input((12,)), layers.Reshape((3, 4))])
    np.testing.assert_array_equal(model.predict(X, 16, verbose=0), X.reshape(-1, 3, 4))


def copies(data):
    """Copies to the device a step, in a captured fit."""
    made = gpunn.Sequential([gpunn.Input((12,)), layers.Dense(3, "softmax")])
    made.compile("sgd", "sparse_categorical_crossentropy", jit_compile=True)
    given, more = data()
    more["verbose"] = 0
    made.fit(*given, **more, epochs=4)
    made.fit(*given, **more, epochs=1)
    gc.collect()
    gc.disable()  # streams are waited for before they go, whenever that is
    try:
        with cudaemu.measure() as short:
            made.fit(*given, **more, epochs=1)
        with cudaemu.measure() as long:
            made.fit(*given, **more, epochs=3)
    finally:
        gc.enable()
    steps = {arrays: 5, in_order: 5, from_generator: 7, from_sequence: 9, prefetched: 5}[data]
    assert long.mallocs < steps  # the pool holds what other tests left, in pieces
    assert long.device_syncs == 0
    return (long.h2d - short.h2d) / (2 * steps), (long.stream_syncs - short.stream_syncs) / 2


@pytest.mark.parametrize("data", DATA)
def test_one_copy_a_step_and_no_wait(data, streamed):
    if cudaemu is None:
        pytest.skip("counted on the emulated device only")
    assert copies(data) == (1, 1)  # the loss, at the end of the epoch, is waited for


@pytest.mark.parametrize("data", (arrays, in_order))
def test_data_that_fit_are_copied_once(data):
    if cudaemu is None:
        pytest.skip("counted on the emulated device only")
    per_step, waits = copies(data)
    assert per_step == (1 / 5 if data is arrays else 0)  # the order of an epoch's rows
    assert waits == 1


def test_what_fits_depends_on_the_memory_that_is_free(monkeypatch):
    free = Memory(total=10 * X.nbytes, free=2 * X.nbytes, used=7 * X.nbytes, kept=X.nbytes)
    monkeypatch.setattr(type(get_backend()), "memory", lambda be: free)
    for copies_of_x, fits in ((1, True), (2, False)):
        source = gpunn.data.make_source(np.tile(X, (copies_of_x, 1)), device="cuda")
        assert source._here == fits


def launched(epochs, model, **given):
    """Graphs, and kernels beside them, of a fit."""
    with cudaemu.measure() as counted:
        model.fit(**given, epochs=epochs)
    return np.array([counted.graph_launches, counted.kernels - counted.graph_kernels])


def test_a_graph_gathers_shuffled_rows_itself():
    """Nothing but graphs is launched for a step, also of a last batch that is smaller."""
    if cudaemu is None:
        pytest.skip("counted on the emulated device only")
    model = gpunn.Sequential([gpunn.Input((12,)), layers.Dense(3)])
    loss = gpunn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, jit_compile=True)
    given = {"x": X, "y": Y, "batch_size": 8, "verbose": 0}
    launched(4, model, **given)
    graphs, beside = (launched(3, model, **given) - launched(1, model, **given)) / 2
    assert graphs == -(-len(X) // 8)
    assert beside <= 5  # an epoch's: the loss is computed and reset


@pytest.mark.parametrize("order", ("C", "F"))
def test_rows_are_gathered_when_somebody_looks(order):
    """By callbacks, and by layers that run call by call; of arrays of the user's GPU as well."""
    x = gpunn.backend.get_backend("cuda").xp.asarray(X, order=order)
    seen = []

    class Looks(gpunn.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.last_batch[0].numpy())

    model = gpunn.Sequential([gpunn.Input((12,)), layers.Dense(3)])
    model.compile("sgd", "mse", jit_compile=True)
    y = np.zeros((len(X), 3), "f4")
    model.fit(x, y, batch_size=16, epochs=3, verbose=0, callbacks=[Looks()])
    assert model._captured.last() is not None
    assert len(seen) == 3 * -(-len(X) // 16)
    for epoch in np.array_split(np.arange(len(seen)), 3):
        rows = np.concatenate([seen[i] for i in epoch])
        np.testing.assert_array_equal(rows[np.lexsort(rows.T)], X[np.lexsort(X.T)])

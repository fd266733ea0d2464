"""Training steps captured on CUDA: the bits of the steps that run call by call."""

import logging

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import CaptureError
from gpunn.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from gpunn.training.plans.captured import CapturedStep
from tests.capture.steps import assert_same, twins
from tests.harness import cuda_problem

if not cuda_problem():
    from gpunn.backend.graph import Graph, capturing
    from gpunn.backend.rows import Rows

try:
    import cudaemu
except ImportError:
    cudaemu = None


@pytest.fixture(autouse=True)
def on_cuda(cuda):
    with gpunn.device("cuda"):
        yield


@pytest.fixture(autouse=True)
def nothing_is_loaded_in_a_capture(monkeypatch):
    """No kernel, by whomever: a driver may refuse it."""
    if cuda_problem():
        yield
        return
    from cupy.cuda import compiler

    real = compiler._compile_module_with_cache

    def checked(source, *args, **options):
        assert capturing() is None, source
        return real(source, *args, **options)

    monkeypatch.setattr(compiler, "_compile_module_with_cache", checked)
    yield


def model(*parts, shape=(5,), loss="mse", **compiled):
    def make():
        made = gpunn.Sequential([gpunn.Input(shape), *(part() for part in parts)])
        made.compile(**{"optimizer": "adam", "loss": loss, **compiled})
        return made

    return make


def batches(steps, shape, targets, rows=8, classes=0, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        x = rng.normal(size=(rows, *shape)).astype("float32")
        if classes:
            yield x, rng.integers(0, classes, (rows, *targets)).astype("int32")
        else:
            yield x, rng.normal(size=(rows, *targets)).astype("float32")


def train(make, data) -> CapturedStep:
    """Train two equal models, one of them captured; their bits must agree after every step."""
    eager, other = twins(make)
    captured = CapturedStep(strict=True)
    for i, batch in enumerate(data):
        logs = []
        for trained in (eager, other):
            made = trained._tensors_of_batch(*batch, None)
            trained._prepare_for_batch(made)
            packed = gpunn.data.pack_x_y_sample_weight(*made)
            logs.append(
                dict(trained.train_step(packed) if trained is eager else captured(trained, packed))
            )
        assert logs[0] == logs[1], f"logs of step {i}"
        assert_same(eager, other, f"step {i}")
    assert captured._steps, "nothing was captured"
    return captured


def test_100_steps_with_dropout_schedule_and_clipping():
    optimizer = lambda: gpunn.optimizers.AdamW(  # noqa: E731
        gpunn.optimizers.schedules.CosineDecay(0.01, 80), global_clipnorm=0.5
    )
    make = model(
        lambda: Dense(16, "relu"),
        lambda: Dropout(0.3),
        lambda: BatchNormalization(),
        lambda: Dropout(0.2),
        lambda: Dense(4),
        loss="mse",
        metrics=["mae"],
    )

    def with_own_optimizer():
        made = make()
        made.compile(optimizer(), "mse", metrics=["mae"])
        return made

    train(with_own_optimizer, batches(100, (5,), (4,)))


@pytest.mark.parametrize(
    "options",
    (
        {"gradient_accumulation_steps": 3},
        {"use_ema": True, "ema_overwrite_frequency": 4},
        {
            "gradient_accumulation_steps": 2,
            "use_ema": True,
            "ema_overwrite_frequency": 3,
            "loss_scale_factor": 8.0,
            "clipnorm": 0.3,
            "weight_decay": 0.01,
        },
    ),
    ids=str,
)
def test_optimizers_whose_steps_are_not_all_alike(options):
    """A graph does them all; the flags of a step are numbers that it is given."""

    def make():
        made = gpunn.Sequential(
            [
                gpunn.Input((5,)),
                Dense(6, "tanh", kernel_constraint=gpunn.constraints.MaxNorm(0.9)),
                Dense(2),
            ]
        )
        made.compile(gpunn.optimizers.Adam(0.05, **options), "mse")
        return made

    captured = train(make, batches(17, (5,), (2,)))
    assert "optimizer" in captured.last().inside
    if cudaemu is None:
        return
    made = make()
    made.compile(made.optimizer, "mse", jit_compile=True)
    x, y = next(batches(1, (5,), (2,), rows=80))
    made.fit(x, y, batch_size=8, verbose=0)
    with cudaemu.measure() as counted:
        made.fit(x, y, batch_size=8, verbose=0)
    assert counted.graph_launches == 10
    assert counted.d2h <= 2 and counted.sync_memcpys <= 4


def test_convolutions():
    make = model(
        lambda: Conv2D(4, 3, padding="same", activation="relu"),
        lambda: MaxPooling2D(),
        lambda: Conv2D(6, 3),
        lambda: BatchNormalization(),
        lambda: layers.ReLU(),
        lambda: Flatten(),
        lambda: Dense(3),
        shape=(8, 8, 2),
        loss=gpunn.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    train(make, batches(5, (8, 8, 2), (), classes=3))


@pytest.mark.parametrize("kind", (layers.LSTM, layers.GRU))
def test_recurrence(kind):
    make = model(lambda: kind(6), lambda: Dense(2), shape=(4, 3), optimizer="rmsprop")
    train(make, batches(5, (4, 3), (2,)))


def test_embedding_and_attention():
    make = model(
        lambda: layers.Embedding(11, 6),
        lambda: layers.LayerNormalization(),
        lambda: Dense(5, "gelu"),
        lambda: layers.GlobalAveragePooling1D(),
        lambda: Dense(3, "softmax"),
        shape=(7,),
        loss="sparse_categorical_crossentropy",
    )
    rng = np.random.default_rng(3)
    data = [
        (rng.integers(0, 11, (4, 7)).astype("int32"), rng.integers(0, 3, 4).astype("int32"))
        for _ in range(5)
    ]
    train(make, data)


def test_batches_of_two_shapes_and_a_weight_that_was_replaced():
    make = model(lambda: Dense(4, "tanh"), lambda: Dropout(0.5), lambda: Dense(2))
    long, short = batches(5, (5,), (2,)), batches(5, (5,), (2,), rows=3)
    captured = train(make, [batch for pair in zip(long, short, strict=True) for batch in pair])
    assert len(captured._steps) == 2


def test_a_captured_step_is_one_graph():
    if cudaemu is None:
        pytest.skip("counted on the emulated device only")
    make = model(lambda: Dense(16, "relu"), lambda: Dropout(0.3), lambda: Dense(4))
    trained = make()
    data = [trained._tensors_of_batch(*batch, None) for batch in batches(6, (5,), (4,))]
    trained._prepare_for_batch(data[0])
    captured = CapturedStep(strict=True)
    packed = [gpunn.data.pack_x_y_sample_weight(*batch) for batch in data]
    for batch in packed[:4]:
        captured(trained, batch)
    with cudaemu.measure() as counted:
        captured(trained, packed[4])
    assert counted.graph_launches == 1
    assert counted.kernels == counted.graph_kernels
    for name in ("d2h", "d2d", "h2d", "mallocs", "device_syncs", "stream_syncs", "event_syncs"):
        assert getattr(counted, name) == 0, name


def test_a_graph_fetches_its_batch_from_wherever_it_lies():
    """Also from addresses and in sizes that vectors of numbers do not fit."""
    be = gpunn.backend.get_backend()
    for dtype in ("float32", "float16", "uint8"):
        for shape in ((8,), (3, 5), (2, 7, 1), (64, 33)):
            buffer = be.zeros(shape, dtype)
            buffer + be.full((), 1, dtype)
            with Graph(be, [buffer]) as graph:
                y = buffer + be.full((), 1, dtype)
            whole = be.asarray(np.arange(3 * buffer.size + 5) % 100, dtype)
            for start in (0, 1, 4, buffer.size):
                x = whole[start : start + buffer.size].reshape(shape)
                graph.sources = [x]
                graph.run()
                np.testing.assert_array_equal(be.to_numpy(y), be.to_numpy(x) + 1)
                assert not graph.sources


def test_a_graph_gathers_rows_at_each_of_many_launches():
    """More than the host may be ahead, with numbers that change as well."""
    be = gpunn.backend.get_backend()
    rng = np.random.default_rng(5)
    for dtype, row in (("float32", (3,)), ("float16", (3, 5)), ("int64", ()), ("float32", (8,))):
        x = be.asarray(rng.integers(0, 100, (40, *row)), dtype)
        order = be.asarray(rng.permutation(40))
        buffer, total = be.zeros((6, *row), dtype), be.zeros((6, *row), dtype)
        total += buffer
        count = [0]
        with Graph(be, [buffer]) as graph:
            total += buffer
            number = graph.number(lambda count=count: count[0], "int32")
        wanted = np.zeros(total.shape, dtype)
        for start in range(34):
            count[0] += 1
            graph.sources = [Rows(x, order, start, start + 6)]
            graph.run()
            wanted += be.to_numpy(x)[be.to_numpy(order)[start : start + 6]]
        np.testing.assert_array_equal(be.to_numpy(total), wanted)
        assert be.to_numpy(number) == 34


def test_evaluate_and_predict_are_captured_too():
    make = model(lambda: Dense(8, "relu"), lambda: BatchNormalization(), lambda: Dense(2))
    eager, other = twins(make)
    eager.compile("adam", "mse", metrics=["mae"], jit_compile=False)
    other.compile("adam", "mse", metrics=["mae"], jit_compile=True)
    x, y = next(batches(1, (5,), (2,), rows=50))
    for _ in range(2):
        results = [
            m.evaluate(x, y, batch_size=10, verbose=0, return_dict=True) for m in (eager, other)
        ]
        assert results[0] == results[1]
        left, right = (m.predict(x, batch_size=10, verbose=0) for m in (eager, other))
        np.testing.assert_array_equal(left, right)
    assert other._captured_test._steps and other._captured_predict._steps


def test_operands_of_products_are_not_copied():
    """Heads beside each other in memory, transposed weights, windows of a convolution."""
    if cudaemu is None:
        pytest.skip("counted on the emulated device only")
    x = gpunn.Tensor(np.ones((2, 6, 8), "f4"), requires_grad=True)
    attention = layers.MultiHeadAttention(2, 4, use_bias=False)
    attention(x, x).sum().backward()
    with cudaemu.log() as operations:
        attention(x, x).sum().backward()
    copies = [o for o in operations if "copy" in o]
    assert len(copies) <= 2, copies  # of the sum's gradient


class Reads(gpunn.layers.Layer):
    """Reads a value of the device."""

    def call(self, inputs):
        return inputs * (2.0 if inputs.numpy().sum() > -1e9 else 1.0)


def test_what_cannot_be_captured_runs_call_by_call_and_says_so_once(caplog):
    make = model(lambda: Dense(4), lambda: Reads(), lambda: Dense(2))
    eager, other = twins(make)
    captured = CapturedStep()
    with caplog.at_level(logging.INFO, "gpunn"):
        for batch in batches(5, (5,), (2,)):
            for trained in (eager, other):
                made = trained._tensors_of_batch(*batch, None)
                trained._prepare_for_batch(made)
                packed = gpunn.data.pack_x_y_sample_weight(*made)
                trained.train_step(packed) if trained is eager else captured(trained, packed)
            assert_same(eager, other)
    said = [r.getMessage() for r in caplog.records if "call by call, they are" in r.getMessage()]
    assert len(said) == 1 and "refused it in a capture" in said[0]
    with pytest.raises(CaptureError, match="refused it in a capture"):
        strict = CapturedStep(strict=True)
        for _ in range(3):
            strict(other, packed)


class RaisesOnce(gpunn.layers.Layer):
    """Raises when it is told to."""

    at = None

    def call(self, inputs):
        if RaisesOnce.at is not None:
            RaisesOnce.at -= 1
            if RaisesOnce.at == 0:
                raise RuntimeError("in the layer")
        return inputs * 2.0


@pytest.mark.parametrize("at", (1, 2, 3))  # the third call is recorded
def test_an_error_of_a_layer_is_its_own_and_nothing_is_lost(at):
    make = model(lambda: Dense(4), lambda: RaisesOnce(), lambda: Dense(2), jit_compile=True)
    made, other = twins(make)
    x, y = next(batches(1, (5,), (2,), rows=48))
    RaisesOnce.at = at
    with pytest.raises(RuntimeError, match=r"^in the layer$"):
        made.fit(x, y, batch_size=8, verbose=0, shuffle=False)
    RaisesOnce.at = None
    done = (at - 1) * 8
    made.fit(x[done:], y[done:], batch_size=8, verbose=0, shuffle=False)
    other.fit(x, y, batch_size=8, verbose=0, shuffle=False)
    assert made._captured.last() is not None
    for a, b in zip(made.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("bad", ("label", "index"))
def test_what_is_out_of_range_is_named_at_the_end_of_the_epoch(bad):
    """Steps are captured, and cost neither a launch nor a wait more for it."""
    made = gpunn.Sequential(
        [
            gpunn.Input((3,)),
            layers.Embedding(7, 4, name="words"),
            Flatten(),
            Dense(5),
        ]
    )
    loss = gpunn.losses.SparseCategoricalCrossentropy(from_logits=True, name="which")
    made.compile("adam", loss, metrics=["accuracy"], jit_compile=True)
    x, y = np.tile(np.arange(3, dtype="int32"), (40, 1)), np.arange(40) % 5
    made.fit(x, y, batch_size=8, verbose=0)
    if bad == "label":
        y[21] = 5
        message = "^loss 'which': label 5 is out of range: expected 0 ... 4"
    else:
        x[21, 1] = -1
        message = r"^layer 'words' \(Embedding\): index -1 is out of range: expected 0 ... 6"
    with pytest.raises(gpunn.errors.DataError, match=message):
        made.fit(x, y, batch_size=8, verbose=0)
    with pytest.raises(gpunn.errors.DataError, match=message):
        made.evaluate(x, y, batch_size=8, verbose=0)
    if bad == "index":
        with pytest.raises(gpunn.errors.DataError, match=message):
            made.predict(x, batch_size=8, verbose=0)
    with gpunn.autograd.detect_anomaly(), pytest.raises(gpunn.errors.DataError, match=message):
        made.train_step((gpunn.Tensor(x), gpunn.Tensor(y)))

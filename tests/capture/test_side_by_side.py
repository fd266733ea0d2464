"""Steps done by several threads have the bits of those done by one."""

import threading
import tracemalloc
from functools import partial

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.backend.team import TEAM
from gpunn.backend.threads import _function
from gpunn.capture import plan, sections, side_by_side, split
from gpunn.capture.ir import Call, Storage, View
from gpunn.capture.record import Recorder
from tests.capture.steps import assert_same, rows, train, twins

needs_threads = pytest.mark.skipif(
    _function("set") is None, reason="the BLAS of this NumPy cannot be told its threads"
)


class _Turns:
    """Several threads and one in turns, whatever it costs."""

    several = True

    def took(self, seconds):
        self.several = not self.several


@pytest.fixture(params=[2, 3])
def eager_to_split(request, monkeypatch):
    """Whatever can be done side by side is."""
    for name, value in {"JOIN": 0.0, "CALL": 1e-9, "BYTE": 1e-6, "ENOUGH": 1.0}.items():
        monkeypatch.setattr(sections, name, value)
    monkeypatch.setattr(plan, "Pace", _Turns)
    monkeypatch.setattr(plan, "LONG", 0.0)
    monkeypatch.setattr("gpunn.backend.threads._chosen", request.param)
    return request.param


def mlp():
    model = gpunn.Sequential(
        [
            gpunn.Input((5,)),
            layers.Dense(24, "relu"),
            layers.Dropout(0.3),
            layers.Dense(16, "tanh"),
            layers.Dense(3),
        ]
    )
    model.compile(gpunn.optimizers.Adam(0.01, clipnorm=1.0), "mse", metrics=["mae"])
    return model


def convolutions():
    model = gpunn.Sequential(
        [
            gpunn.Input((9, 8, 3)),
            layers.Conv2D(8, 3, padding="same"),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(6, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    model.compile("adam", "mse")
    return model


def recurrent():
    model = gpunn.Sequential(
        [
            gpunn.Input((6, 5)),
            layers.LSTM(24, return_sequences=True),
            layers.GRU(32),
            layers.Dense(2),
        ]
    )
    model.compile("rmsprop", "mse")
    return model


def decoder():
    model = gpunn.Sequential(
        [
            gpunn.Input((8,)),
            layers.TokenAndPositionEmbedding(11, 8, 16),
            layers.TransformerDecoder(24, 4, activation="gelu", normalize_first=True, dropout=0.1),
            layers.LayerNormalization(),
            layers.Dense(11),
        ]
    )
    loss = gpunn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adamw", loss, metrics=["accuracy"])
    return model


def numbers(*shape, targets):
    return lambda n, i: (
        np.random.default_rng(i).normal(size=(n, *shape)).astype("float32"),
        rows(n, targets, i),
    )


def texts(n, i):
    text = np.random.default_rng(i).integers(0, 11, (n, 9))
    return text[:, :-1].astype("int32"), text[:, 1:].copy()


MODELS = {
    "mlp": (mlp, numbers(5, targets=3)),
    "convolutions": (convolutions, numbers(9, 8, 3, targets=2)),
    "recurrent": (recurrent, numbers(6, 5, targets=2)),
    "decoder": (decoder, texts),
}


@needs_threads
@pytest.mark.parametrize("name", MODELS)
def test_bits_over_many_steps(name, eager_to_split):
    """The memory is filled with NaN before each step."""
    make, batch = MODELS[name]
    found = train(make, [batch(n, i) for i, n in enumerate([72, 65] * 8)])
    assert found.refused is None
    for step in found._steps.values():
        lists = [len(s) for s in step.plan.sections]
        assert max(lists) == eager_to_split, "nothing is done side by side"


def large():
    inner = [layers.Dense(256, "relu") for _ in range(2)]
    model = gpunn.Sequential([gpunn.Input((256,)), *inner, layers.Dense(10)])
    model.compile("adam", "mse")
    return model


@needs_threads
def test_a_step_that_is_worth_it_as_it_is_made(monkeypatch):
    monkeypatch.setattr("gpunn.backend.threads._chosen", 2)
    monkeypatch.setattr(plan, "LONG", 0.0)
    batches = [(rows(256, 256, i), rows(256, 10, i)) for i in range(30)]
    (step,) = train(large, batches)._steps.values()
    assert max(len(lists) for lists in step.plan.sections) == 2


@needs_threads
def test_small_steps_stay_with_one_thread(monkeypatch):
    monkeypatch.setattr("gpunn.backend.threads._chosen", 2)
    monkeypatch.setattr(plan, "LONG", 0.0)
    make, batch = MODELS["mlp"]
    (step,) = train(make, [batch(12, i) for i in range(4)])._steps.values()
    assert step.plan.sections is None


@needs_threads
def test_a_plan_keeps_to_fewer_threads(eager_to_split, monkeypatch):
    make, batch = MODELS["mlp"]
    model = make()
    for i in range(4):
        model.train_on_batch(*batch(12, i))
    (step,) = model._captured._steps.values()
    step.plan.pace.several = True
    used = []
    monkeypatch.setattr(TEAM, "run", lambda lists: used.append(1))
    model.train_on_batch(*batch(12, 5))
    assert used == [1]
    monkeypatch.setattr("gpunn.backend.threads._chosen", 1)
    model.train_on_batch(*batch(12, 6))
    assert used == [1]


@needs_threads
def test_several_models_in_several_threads(eager_to_split):
    def fit(model, batch):
        for i in range(12):
            model.train_on_batch(*batch(12, i))

    pairs = [(twins(make), batch) for make, batch in MODELS.values()]
    for (model, _), batch in pairs:
        fit(model, batch)
    threads = [threading.Thread(target=fit, args=(other, batch)) for (_, other), batch in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for (model, other), _ in pairs:
        assert_same(model, other)


@needs_threads
def test_a_failure_in_another_thread_reaches_the_caller(eager_to_split):
    make, batch = MODELS["mlp"]
    model = make()
    for i in range(4):
        model.train_on_batch(*batch(12, i))
    (step,) = model._captured._steps.values()
    lists = next(lists for lists in step.plan.sections if len(lists) > 1)
    last = lists[-1].pop()
    lists[-1].append((divmod, (1, 0)))
    step.plan.pace.several = True
    with pytest.raises(ZeroDivisionError):
        model.train_on_batch(*batch(12, 5))
    lists[-1][-1] = last
    assert np.isfinite(model.train_on_batch(*batch(12, 6))[0])


UFUNCS = (
    "add subtract multiply divide maximum minimum greater exp log log1p expm1 sqrt square tanh sin "
    "cos tan arctan sinh cosh arcsinh negative abs sign floor rint power reciprocal"
).split()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UFUNCS)
def test_elementwise_parts_have_the_bits_of_the_whole(name, dtype):
    """What `split` takes for granted of NumPy."""
    function = getattr(np, name)
    rng = np.random.default_rng(0)
    operands = [rng.random((61, 53)).astype(dtype) for _ in range(function.nin)]
    whole = function(*operands)
    for cut in (1, 16, 33):
        made = np.empty_like(whole)
        for part in (slice(cut), slice(cut, None)):
            np.copyto(made[part], function(*[x[part] for x in operands]))
        assert made.tobytes() == whole.tobytes()


def call(function, a, b, out, form="ufunc"):
    """A call on views of storages: each is (storage, offset, shape) of float32 in C order."""
    views = []
    for storage, offset, shape in (a, b, out):
        strides = np.empty(shape, np.float32).strides
        views.append(View(storage, offset, shape, strides, np.dtype("float32")))
    return Call(form, function, tuple(views[:2]), {}, tuple(views[:2]), views[2])


def storage(*shape):
    return Storage("temp", np.zeros(shape, np.float32))


def test_what_a_part_would_overwrite_for_another_is_not_split():
    x, y = storage(101, 4), storage(100, 4)
    shifted = call(np.add, (x, 16, (100, 4)), (y, 0, (100, 4)), (x, 0, (100, 4)))
    assert split.parts(shifted, 2) == [shifted]
    inside = call(np.add, (x, 0, (100, 4)), (y, 0, (100, 4)), (x, 0, (100, 4)))
    assert len(split.parts(inside, 2)) == 2


def test_rows_that_others_are_broadcast_to():
    x, row, y = storage(8, 5, 4), storage(5, 1), storage(8, 5, 4)
    first, second = split.parts(
        call(np.add, (x, 0, (8, 5, 4)), (row, 0, (5, 1)), (y, 0, (8, 5, 4))), 2
    )
    assert [v.shape for v in (*first.reads, first.out)] == [(4, 5, 4), (5, 1), (4, 5, 4)]
    assert [v.offset for v in (*second.reads, second.out)] == [320, 0, 320]


def test_products_whose_parts_have_other_bits_stay_whole(monkeypatch):
    monkeypatch.setattr(split, "ROWS", 1)
    monkeypatch.setattr(split, "block", lambda: 1)
    a, b, y = storage(9, 300), storage(300, 7), storage(9, 7)
    product = call(np.dot, (a, 0, (9, 300)), (b, 0, (300, 7)), (y, 0, (9, 7)))

    def dot(a, b, out, other):
        """Sums of one element in another order, if there are so many rows."""
        np.einsum("ik,kj->ij", a, b, out=out)
        if len(a) == other:
            out[-1, -1] = np.dot(a[-1, ::-1], b[::-1, -1])

    for other, n in ((9, 1), (3, 1), (4, 3)):
        product = product._replace(fn=partial(dot, other=other))
        monkeypatch.setattr(split, "PRODUCTS", (product.fn,))
        assert len(split.parts(product, 3)) == n


def test_parts_of_what_is_turned_are_made_without_copies():
    x, dy, y = storage(1024, 512), storage(1024, 64), storage(512, 64)
    whole = call(np.dot, (x, 0, (512, 1024)), (dy, 0, (1024, 64)), (y, 0, (512, 64)))
    turned = (whole.args[0]._replace(strides=(4, 2048)), whole.args[1])
    made = split.parts(whole._replace(args=turned, reads=turned), 2)
    assert len(made) == 2
    for part in made:
        a, b, out = [
            np.ndarray(v.shape, v.dtype, v.storage.carrier.data, v.offset, v.strides)
            for v in (*part.args, part.out)
        ]
        part.fn(a, b, out=out)  # once before: a BLAS may keep what it works in
        tracemalloc.start()
        part.fn(a, b, out=out)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < a.nbytes / 2


def recorded(steps, rows):
    """A recorder and the result of so many functions of (rows, 64), one after the other."""
    recorder = Recorder()
    x = np.random.default_rng(0).random((rows, 64))
    with recorder:
        y = recorder.external(x)
        for _ in range(steps):
            y = np.sqrt(y)
    return recorder, y, x


@needs_threads
def test_a_plan_is_arranged_when_it_has_run_for_long(eager_to_split, monkeypatch):
    recorder, y, x = recorded(4, 512)
    made = plan.Plan(recorder, [y], passes=("arena",))
    monkeypatch.setattr(plan, "LONG", 1e9)
    for _ in range(5):
        made.run()
    (result,) = made.results
    assert made.sections is None
    monkeypatch.setattr(plan, "LONG", 0.0)
    made.run()
    assert max(map(len, made.sections)) == eager_to_split
    x[:] = np.random.default_rng(1).random(x.shape)
    for _ in range(2):  # several threads, and one
        result.fill(0)
        made.poison()
        made.run()
        np.testing.assert_array_equal(result, np.sqrt(np.sqrt(np.sqrt(np.sqrt(x)))))


@needs_threads
def test_memory_is_little_more_than_for_one_thread(eager_to_split, monkeypatch):
    """All temps of a section are needed at once: it is cut where those are too many."""
    monkeypatch.setattr(side_by_side, "LITTLE", 0)
    recorder, y, _ = recorded(32, 512)
    made = plan.Plan(recorder, [y], passes=("arena",))
    allowed = made.arena.size
    assert allowed <= 1.1 * 2 * 512 * 64 * 8
    made.run()
    assert made.arena.size == allowed
    assert max(map(len, made.sections)) == eager_to_split


@pytest.mark.parametrize("size", [1, 2, 5, 63, 64, 100, 1024])
@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("ahead", [False, True])
def test_parts_cover_all_rows_once(size, n, ahead):
    x, y = storage(size, 4), storage(size, 4)
    whole = call(np.add, (x, 0, (size, 4)), (x, 0, (size, 4)), (y, 0, (size, 4)))
    made = split.parts(whole, n, ahead)
    views = [part.out for part in made]
    assert len(views) <= n
    if size >= n:
        assert [view.offset for view in views] + [size * 16] == [
            0, *[view.offset + view.shape[0] * 16 for view in views]
        ]  # fmt: skip

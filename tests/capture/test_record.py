"""Recording: shapes, dtypes and memory as NumPy's; what is refused; what the passes do."""

import operator

import numpy as np
import pytest

from gpunn.backend import CPU_BACKEND
from gpunn.capture import PASSES, Plan, Recorder
from gpunn.capture.arena import arena
from gpunn.errors import CaptureError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 6)).astype(np.float32)
Y = RNG.uniform(0.5, 1.5, size=(4, 6)).astype(np.float32)


def replayed(f, *arrays, passes=None, runs=2):
    """What a plan of f gives, with the memory full of NaN before each run."""
    recorder = Recorder()
    with recorder:
        results = f(recorder, *[recorder.external(a) for a in arrays])
    results = results if isinstance(results, tuple) else (results,)
    plan = Plan(recorder, results, passes)
    for _ in range(runs):
        plan.poison()
        plan.run()
    return results, plan.results


EXPRESSIONS = {
    "operators": lambda xp, x, y: (x + 2) * y - x / y + 1.5 * -x,
    "mixed dtypes": lambda xp, x, y: x.astype("float64") + y * np.float32(2) + (x > 0),
    "masks as factors": lambda xp, x, y: (x * (y > 1), (y > 1) * x, 2.0 * (y > 1), x - (y > 1)),
    "one element": lambda xp, x, y: (x + y[:1, :1], x[:1, :1] @ y[:1, :1], x[:, :1] @ y[:1, :1]),
    "one row": lambda xp, x, y: (
        x[:1] + y[0], x[:1] * y[1:2] + 1, xp.maximum(x[None, :1], y[0]), x[None] * 2 + y[None],
    ),
    "one label and another type": lambda xp, x, y: (x == (y > 1), (y > 1) != x, x > (y > 1)),
    "reductions": lambda xp, x, y: (
        xp.sum(x, axis=(0, 1)), x.prod(1), xp.max(x, keepdims=True), xp.add.reduce(x),
        xp.maximum.reduce(x, axis=1), x.sum(1, dtype="float64"), (x > 0).all(1), (x > 0).sum(0),
    ),
    "powers": lambda xp, x, y: (y**2, y**0.5, y**-1, y**3, 2**x),
    "integers": lambda xp, x, y: ((x * 3).astype("int32") // 2, (x > y) & (y > 1), ~(x > y)),
    "order of memory": lambda xp, x, y: (x.T + y.T, (x.T * 2).sum(0), xp.exp(x.T) + y.T),
    "broadcasting": lambda xp, x, y: x + y[0] + y[:, :1] + y[1, 2],
    "slices": lambda xp, x, y: x[1:3, ::2] * y[:2, 1::2] + x[..., None, 0][:2],
    "reshape of a view": lambda xp, x, y: x.reshape(2, 12) + x.T.reshape(2, 12),
    "reshape of a turned array": lambda xp, x, y: (
        x.T.reshape(-1), xp.reshape(y.T, (3, 8)), x.T.ravel(), x.T.reshape((2, 12), order="F"),
    ),
    "sums": lambda xp, x, y: (x.sum(0), x.sum(), x.mean((0, 1)), x.std(1)),
    "extrema": lambda xp, x, y: (x.max(1), x.min(), x.argmax(1), x.argmin(), (x > 0).any(0)),
    "keepdims": lambda xp, x, y: x - xp.max(x, axis=1, keepdims=True) / xp.sum(y, 0, keepdims=True),
    "products": lambda xp, x, y: (xp.dot(x, y.T), x @ y.T, x.T @ y, xp.dot(x[0], y[1])),
    "batched products": lambda xp, x, y: x.reshape(2, 2, 6) @ y.reshape(2, 6, 2),
    "clips": lambda xp, x, y: (
        x.clip(-0.5, 0.5), x.T.clip(0, np.inf), x.clip(0), x.clip(None, 1.0), x.clip(y - 1, y),
        (x * 9).astype("int32").clip(-2, 2),
    ),
    "where": lambda xp, x, y: xp.where(x > 0, x, y * 2),
    "joins": lambda xp, x, y: (xp.concatenate([x, y], 1), xp.stack([x, y])),
    "made arrays": lambda xp, x, y: x + xp.arange(6) + xp.ones((4, 1)) + xp.zeros((4, 6), "f4"),
    "numbers of other kinds": lambda xp, x, y: (
        xp.full((2, 3), 1, "bool"), xp.full(2, 2.5, "int32"), xp.full((2,), True, "float32"),
    ),
    "views": lambda xp, x, y: xp.broadcast_to(x[:1], (4, 6)) + xp.moveaxis(y, 0, 1).T,
    "sorting": lambda xp, x, y: (xp.sort(x, 1), xp.argsort(x, 1), xp.cumsum(x, 0)),
    "takes": lambda xp, x, y: (x.take([0, 2], 1), xp.take(x, x.argmax(1) * 0 + 1, 0)),
    "clip": lambda xp, x, y: x.clip(-0.5, 0.5) + xp.clip(y, 0.6, 1.0),
    "scalars": lambda xp, x, y: x.sum() * 2 + y.max() - np.float32(3),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_values_dtypes_and_layouts(name):
    f = EXPRESSIONS[name]
    wanted = f(np, X, Y)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    recorded, found = replayed(lambda be, x, y: f(be.xp, x, y), X, Y)
    for w, r, a in zip(map(np.asarray, wanted), recorded, found, strict=True):
        assert (a.dtype, a.shape) == (w.dtype, w.shape)
        assert a.tobytes() == w.tobytes()
        assert r.strides == w.strides or w.size == 1


@pytest.mark.parametrize("shape", [(64, 1024), (40, 512), (17, 8, 128), (1, 4096), (9, 3, 5, 256)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_copies_of_turned_arrays(shape, dtype):
    x = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    turned = (*range(1, x.ndim), 0)
    _, (found,) = replayed(lambda be, x: be.copy(x.transpose(turned)), x)
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, x.transpose(turned))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_erf_has_the_bits_of_its_chunks(dtype):
    x = RNG.normal(size=(300, 250)).astype(dtype)
    x[0, :4] = np.nan, np.inf, -np.inf, 0
    _, found = replayed(lambda be, x: (be.erf(x), be.erf(x.T), be.erf(x[::3, 1::2])), x)
    for a, of in zip(found, (x, x.T, x[::3, 1::2]), strict=True):
        assert (a.dtype, a.tobytes()) == (x.dtype, CPU_BACKEND.erf(of).tobytes())


def test_nothing_is_calculated_and_nothing_changes():
    x = X.copy()
    recorder = Recorder()
    with recorder:
        a = recorder.external(x)
        a += 1
        a[1:, :2] = 0
        recorder.copyto(a, a * 2)
        recorder.scatter_add(a, recorder.constant(np.array([0, 0])), a[:2])
    assert x.tobytes() == X.tobytes()
    Plan(recorder).run()
    wanted = X + 1
    wanted[1:, :2] = 0
    wanted *= 2
    np.add.at(wanted, np.array([0, 0]), wanted[:2].copy())
    assert x.tobytes() == wanted.tobytes()


REFUSED = {
    "bool": lambda a: bool(a.sum() > 0),
    "float": lambda a: float(a[0, 0]),
    "index": lambda a: [0, 1][a[0, 0].astype("int32")],
    "item": lambda a: a.sum().item(),
    "tolist": lambda a: a.tolist(),
    "iteration": lambda a: list(a),
    "membership": lambda a: 1.0 in a,
    "mask": lambda a: a[a > 0],
    "list index": lambda a: a[[0, 1]],
    "set by mask": lambda a: operator.setitem(a, a > 0, 0),
    "nonzero": lambda a: np.nonzero(a),
    "where of one": lambda a: np.where(a > 0),
    "unique": lambda a: np.unique(a),
    "add.at": lambda a: np.add.at(a, [0], 1),
    "foreign array": lambda a: a + np.ones(6, np.float32),
    "copy into a foreign array": lambda a: np.copyto(np.ones((4, 6), np.float32), a),
    "two results": lambda a: np.divmod(a, 2.0),
    "where=": lambda a: np.add(a, a, where=a > 0),
    "in-place sort": lambda a: a.sort(),
    "empty": lambda a: a[:0] + 1,
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    recorder = Recorder()
    with recorder, pytest.raises(CaptureError):
        REFUSED[name](recorder.external(X))


def test_constants_do_not_change():
    recorder = Recorder()
    with recorder, pytest.raises(CaptureError, match="constant"):
        ones = recorder.ones(6, "float32")
        ones += 1


def test_an_array_of_a_recording_that_is_over():
    recorder = Recorder()
    with recorder:
        a = recorder.external(X)
    with pytest.raises(CaptureError, match="after it"):
        a + 1


def test_casts_as_numpy():
    recorder = Recorder()
    with recorder:
        a = recorder.external(np.arange(3))
        with pytest.raises(TypeError):
            a += 0.5
        with pytest.raises(ValueError):
            a + recorder.external(np.arange(4))


def test_a_result_goes_straight_to_its_place():
    place = np.zeros((6, 6), np.float32)

    def f(be, x, y, out):
        be.copyto(out, be.dot(x.T, y) * 2)
        return ()

    recorder = Recorder()
    with recorder:
        f(recorder, *[recorder.external(a) for a in (X, Y, place)])
    plan = Plan(recorder)
    plan.run()
    assert place.tobytes() == (np.dot(X.T, Y) * 2).tobytes()
    assert len(plan.calls) == 2
    assert np.may_share_memory(plan.calls[-1][1][-1], place)


def test_not_to_a_place_that_is_read_before_the_copy():
    place = np.ones((4, 6), np.float32)

    def f(be, x, out):
        a = x * 2
        b = out + 1
        be.copyto(out, a)
        return b

    _, (b,) = replayed(f, X, place, runs=1)
    assert (b == 2).all()
    assert place.tobytes() == (X * 2).tobytes()


def test_not_to_a_place_that_changes_while_the_result_is_needed():
    place = np.ones((4, 6), np.float32)

    def f(be, x, out):
        a = x * 2
        be.copyto(out, a)
        out += 1
        return a + 0

    _, (b,) = replayed(f, X, place)
    assert b.tobytes() == (X * 2).tobytes()
    assert place.tobytes() == (X * 2 + 1).tobytes()


def test_dead_calls_go():
    recorder = Recorder()
    with recorder:
        x = recorder.external(X)
        np.exp(x) * 3
        y = x + 1
        y *= 2
        np.sin(y)
    assert len(PASSES["dead"](recorder.calls)) == 0


def test_elementwise_results_take_the_place_of_their_operands():
    recorder = Recorder()
    with recorder:
        x = recorder.external(X)
        y = np.tanh(np.exp(x * 2) + 1) * x
    plain = arena(recorder.calls, shared=False)[1]
    calls = PASSES["in_place"](recorder.calls)
    assert len({c.out.storage for c in calls}) == 1
    assert arena(calls)[1] * 5 == plain
    assert y.shape == X.shape


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_element_in_place(shape):
    """Sums of metrics: the replay adds beside them and copies, where NumPy is slow in place."""
    total, count = np.full(shape, 5.0), np.full(shape, 3.0, np.float32)

    def step(be, total, count, x):
        total += x[0, 0]
        total *= total
        count += 2
        np.maximum(count, x[0, 0] + 5, out=count)
        return (-(x[:1, :1] * 2) + 1) / 3

    (_,), (y,) = replayed(step, total, count, X, runs=1)
    expected, found = np.float64(5) + X[0, 0], np.float32(5)
    assert total == expected * expected and total.dtype == np.float64
    assert count == np.maximum(found, X[0, 0] + np.float32(5))
    assert y.tobytes() == ((-(X[:1, :1] * 2) + 1) / 3).tobytes()


def test_draws_move_the_stream_when_they_are_replayed():
    from gpunn.backend import CPU_BACKEND, Stream

    stream, other = Stream(3, "a"), Stream(3, "a")
    recorder = Recorder()
    with recorder:
        recorder.random_uint32(stream, (3,))  # read by nobody, and drawn all the same
        bits = recorder.random_uint32(stream, (5,))
        unit = recorder.uniform(stream, (2, 2))
        with pytest.raises(CaptureError):
            stream.words(1)
    assert stream.position == 0
    plan = Plan(recorder, [bits, unit])
    for _ in range(2):
        plan.run()
        CPU_BACKEND.random_uint32(other, (3,))
        assert plan.results[0].tobytes() == CPU_BACKEND.random_uint32(other, (5,)).tobytes()
        assert plan.results[1].tobytes() == CPU_BACKEND.uniform(other, (2, 2)).tobytes()
    assert stream.position == 6

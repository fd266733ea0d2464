"""Loops of machine code give the bits of NumPy's calls, and take the calls that they may take."""

import subprocess
import sys
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpunn
from gpunn import layers
from gpunn.backend import instructions, native
from gpunn.capture import Plan, Recorder, forms, fuse
from gpunn.errors import KernelError
from tests.capture.steps import batches, rows, train
from tests.capture.test_record import EXPRESSIONS

pytestmark = pytest.mark.skipif(not native.available(), reason="llvmlite is not installed")
SPECIAL = [0.0, -0.0, 1.0, -1.5, 2.0, np.inf, -np.inf, np.nan, 1e-42, -1e-42, 3e38, -3e38, 0.3, 7.0]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Loops of few elements too."""
    monkeypatch.setattr(fuse, "LEAST", 2)
    monkeypatch.setattr(fuse, "LONG", 2)
    monkeypatch.setattr(fuse, "WORTH", 0)
    for module in (fuse, forms):
        monkeypatch.setattr(module, "SHORT", 1)


def planned(f, *arrays, passes=None):
    recorder = Recorder()
    with recorder:
        results = f(recorder.xp, *[recorder.external(a) for a in arrays])
    return Plan(recorder, results if isinstance(results, tuple) else (results,), passes)


def loops(plan) -> list[str]:
    """The names of a plan's loops."""
    return [args[0].name for _, args in plan.calls if args and isinstance(args[0], native.Block)]


@np.errstate(all="ignore")
def assert_same(f, *arrays):
    """Compare a plan with loops, the memory full of NaN before, with NumPy; returns the loops."""
    wanted = f(np, *[a.copy() for a in arrays])
    plan = planned(f, *arrays)
    plan.poison()
    plan.run()
    for w, found in zip(wanted if isinstance(wanted, tuple) else (wanted,), plan.results):
        assert w.dtype == found.dtype
        assert bits(w) == bits(found)
    return loops(plan)


def bits(x) -> bytes:
    """The bytes of an array; there is one NaN only."""
    x = np.array(x)
    if x.dtype.kind == "f":
        x[np.isnan(x)] = np.nan
    return x.tobytes()


def values(dtype):
    """Two arrays of all pairs of special values, then of integers of all sizes."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        pairs = np.array(list(product(SPECIAL, SPECIAL)))
        with np.errstate(over="ignore"):
            return pairs.T.astype(dtype).copy()
    if dtype.kind == "b":
        return np.array([[0, 0, 1, 1] * 9, [0, 1, 0, 1] * 9]).astype(bool)
    rng = np.random.default_rng(0)
    limits = np.iinfo(dtype)
    found = rng.integers(limits.min, limits.max, (2, 200), dtype, endpoint=True)
    found[:, :9] = [0, 1, 2, 3, limits.min, limits.max, 5, 6, 7]
    found[1, 4:6] = limits.max, limits.min
    return found


TABLES = {"f": instructions.FLOATS, "i": instructions.INTEGERS, "b": instructions.BOOLEANS}
CASES = [
    (name, dtype)
    for dtype in ("float32", "float64", "int8", "uint8", "int32", "int64", "uint32", "bool")
    for name in (*TABLES[np.dtype(dtype).kind.replace("u", "i")], *sorted(instructions.CALLED))
    if instructions.instructions(name, np.dtype(dtype)) or np.dtype(dtype).kind == "f"
    if name != "clip"  # below, with numbers as bounds
]


@pytest.mark.parametrize("name, dtype", CASES)
@np.errstate(all="ignore")
def test_every_function(name, dtype):
    fn = getattr(np, name)
    x, y = values(dtype)
    args = (x, y)[: fn.nin]

    def f(xp, *given):
        z = getattr(xp, name)(*given)
        return z, z == z, getattr(xp, name)(*given[::-1])

    try:
        fn(*args)
    except TypeError:
        pytest.skip("NumPy has none of these")
    assert len(assert_same(f, *args)) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("low, high", [(0, np.inf), (-np.inf, 0.0), (-1.5, 2), (-0.0, 0.0)])
def test_clip(dtype, low, high):
    def f(xp, x, y):
        z = x.clip(low, high)
        return z, z == z, y.clip(low, high)

    assert len(assert_same(f, *values(dtype))) == 1


FLOAT_OR_INT = ["float32", "float64", "int8", "int32", "int64", "uint8", "uint32", "bool"]


@pytest.mark.parametrize("old, new", list(product(FLOAT_OR_INT, FLOAT_OR_INT)))
def test_every_cast(old, new):
    x = values(old)[0]
    known = instructions.cast(np.dtype(old), np.dtype(new)) is not None
    if not known:
        x = np.abs(np.nan_to_num(x, posinf=1, neginf=1)) % 100
    made = assert_same(lambda xp, x: (x.astype(new), x + x), x)
    assert bool(made) == (known or old == new)
    assert known == (not (old.startswith("float") and "int" in new))


def test_where_and_numbers():
    x, y = values("float32")
    (name,) = assert_same(lambda xp, x, y: xp.where(x > 0.5, x * 2, x - np.float32(0.1)), x, y)
    assert name == "greater+multiply+subtract+where"
    assert_same(lambda xp, x, y: (xp.where(x > 0, 0.0, -0.0) * y, (x > y) * 3 + 1), x, y)


def test_bits_read_as_another_dtype():
    x, y = values("float32")

    def f(xp, x, y):
        z = x + y
        return (z.view("int32") & 0x7FFFFFFF).view("float32") * 2, z

    assert len(assert_same(f, x, y)) == 1


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions(name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 6)).astype(np.float32)
    y = rng.uniform(0.5, 1.5, size=(4, 6)).astype(np.float32)
    assert_same(EXPRESSIONS[name], x, y)


SHAPES = [(3, 4, 40), (12, 40), (40,), (12, 1), (1, 40), (3, 1, 40), (1, 1), ()]
ONE = ["tanh", "exp", "sqrt", "negative", "absolute", "square", "view", "flip", "reshape", "half"]
TWO = ["add", "subtract", "multiply", "maximum", "minimum", "greater", "where", "into", "divide"]
STEP = st.tuples(st.sampled_from(ONE + TWO * 2), st.integers(0, 99), st.integers(0, 99))


def interpreted(xp, program, arrays):
    """The results of a program: each step takes two of the values so far."""
    found = list(arrays)
    for name, i, j in program:
        a, b = found[i % len(found)], found[j % len(found)]
        if name in ("view", "flip", "half"):
            if a.ndim > 1 and a.shape[0] == 12:
                a = {"view": a.reshape(3, 4, -1), "flip": a[::-1], "half": a[:, : a.shape[1]]}[name]
        elif name == "reshape":
            a = a.reshape(12, 40) if a.size == 480 else a
        elif name in ONE:
            a = getattr(xp, name)(a)
        elif a.ndim != b.ndim and 3 in (a.ndim, b.ndim) and 2 in (a.ndim, b.ndim):
            continue  # (3, 4, 40) with (12, 40)
        elif name == "into":
            if a.size == 480 and np.broadcast_shapes(a.shape, b.shape) == a.shape:
                a = a + 1
                a -= b
        elif name == "where":
            a = xp.where(a > b, a, b)
        elif name == "greater":
            a = (a > b) * a
        else:
            a = getattr(xp, name)(a, b)
        found.append(a)
    return tuple(x for x in found[len(arrays) :] if x.size)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(program=st.lists(STEP, min_size=4, max_size=14))
def test_random_chains(program, dtype):
    rng = np.random.default_rng(len(program))
    arrays = [rng.normal(size=shape).astype(dtype) for shape in SHAPES[:-1]]
    arrays[0].reshape(-1)[: len(SPECIAL)] = SPECIAL[:4] + [1.0] * (len(SPECIAL) - 4)
    assert_same(lambda xp, *given: interpreted(xp, program, given), *arrays)


# --- which calls a loop takes ---

X = np.random.default_rng(1).normal(size=(12, 40)).astype(np.float32)


def test_temps_of_a_loop_take_no_memory():
    plan = planned(lambda xp, x: ((x * 2 + x) * x - 1) * 3, X)
    assert len(plan.calls) == 1 and not plan.arena.size


def test_what_is_read_shifted_is_complete_before():
    def f(xp, x):
        y = x * 2
        z = y[1:] + y[:-1]
        z += y[1:]
        return z

    assert assert_same(f, X) == ["add+add"]


def test_memory_that_changes_later_is_read_before():
    def f(xp, x, y):
        a = x * 2
        b = a @ y  # no loop
        x += 1
        c = a + x
        x[1:] *= 3
        return b, c + x, a

    x = X.copy()
    assert_same(f, x, X.T.copy())


def test_not_across_a_product_that_reads_it():
    def f(xp, x, y):
        a = x * 2
        b = a @ y
        a += 1
        return a * 3, b

    assert_same(f, X, X.T.copy())


@pytest.mark.parametrize("number", [0, 1.5])
def test_copies_of_many_pieces(number):
    def f(xp, x):
        y = xp.zeros((3, 6, 12, 20), x.dtype)
        y[:, 1:-1, 2:-2] = x.reshape(3, 4, 2, 20)[:, :, :1]
        y[:, 2:4, 1:3, 1:] = number
        return y

    assert assert_same(f, X) == ["copy", "copy"]


def test_calls_without_anything_in_common_are_loops_of_their_own():
    y = X + 1
    made = assert_same(lambda xp, x, y: (x * 2 + x, y - 3 - y), X, y)
    assert made == ["multiply+add", "subtract+subtract"]


def test_a_call_goes_before_what_it_does_not_depend_on():
    made = assert_same(lambda xp, x, y: (x * 2, y @ y.T, x * 2 + 1), X, X[:5] + 1)
    assert made == ["multiply+multiply+add"]


def test_what_is_overwritten_next_is_not_stored():
    """Memory that several loops work in, one after the other: none writes to it."""

    def f(xp, x):
        work = xp.empty(8, "float64")
        for i in range(2):
            part = x[8 * i : 8 * i + 8]
            xp.multiply(part, part, out=work)
            xp.add(part, work, out=part)
        return x * 1

    x = np.arange(16.0)
    plan = planned(f, x)
    plan.run()
    assert (plan.results[0] == np.arange(16.0) + np.arange(16.0) ** 2).all()
    blocks = [args[0] for _, args in plan.calls if args and isinstance(args[0], native.Block)]
    chunks = [block for block in blocks if block.name == "multiply+add"]
    assert [len(block.arrays) for block in chunks] == [1, 1]


def test_one_text_for_all_sizes():
    def f(xp, x, b):
        return xp.tanh(x + b) * 2

    calls = [planned(f, X[:n, :m].copy(), X[0, :m].copy()).calls for n, m in ((12, 40), (7, 9))]
    assert calls[0][0][0] is calls[1][0][0] and len(calls[0]) == len(calls[1]) == 1


@pytest.mark.parametrize("name, least", [("LEAST", X.size), ("WORTH", 2 * X.size)])
def test_only_what_is_large_is_compiled(name, least, monkeypatch):
    monkeypatch.setattr(fuse, name, least)
    assert len(assert_same(lambda xp, x: (x * 2 + x) * x, X)) == 1
    monkeypatch.setattr(fuse, name, least + 1)
    assert not assert_same(lambda xp, x: (x * 2 + x) * x, X)


def test_a_small_array_in_common_is_no_reason():
    b = X[0].copy()
    y = X + 1
    assert not assert_same(lambda xp, x, y, b: (x * b, y * b), X, y, b)


# --- models ---


def dense():
    model = gpunn.Sequential(
        [
            gpunn.Input((5,)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.3),
            layers.LayerNormalization(),
            layers.Dense(32, activation="gelu"),
            layers.BatchNormalization(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    optimizer = gpunn.optimizers.AdamW(0.01, global_clipnorm=1.0, use_ema=True)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def recurrent():
    model = gpunn.Sequential(
        [
            gpunn.Input((6, 4)),
            layers.LSTM(8, return_sequences=True),
            layers.GRU(8, return_sequences=True),
            layers.TransformerEncoder(16, 2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile(gpunn.optimizers.RMSprop(0.01, momentum=0.9), "mse")
    return model


def pictures():
    model = gpunn.Sequential(
        [
            gpunn.Input((9, 8, 3)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.DepthwiseConv2D(3, activation="silu"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile(gpunn.optimizers.SGD(0.01, momentum=0.9, nesterov=True), "huber")
    return model


MODELS = {
    dense: lambda: batches(6, classes=3),
    recurrent: lambda: [(rows(3, 24, i).reshape(3, 6, 4), rows(3, 1, i)) for i in range(5)],
    pictures: lambda: [(rows(3, 216, i).reshape(3, 9, 8, 3), rows(3, 1, i)) for i in range(5)],
}


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_models(make):
    captured = train(make, MODELS[make]())
    (step,) = captured._steps.values()
    assert len(loops(step.plan)) > 5


# --- machine code ---


def test_switched_off(monkeypatch):
    monkeypatch.setenv("GPUNN_FAST", "0")
    assert "GPUNN_FAST" in native.about() and not native.available()
    assert not assert_same(lambda xp, x: x * 2 + x, X)


@pytest.mark.parametrize(
    "version, words", [("", "not installed"), ("0.44.0", "llvmlite 0.44.0 is too old")]
)
def test_without_llvmlite(version, words, monkeypatch):
    monkeypatch.setattr(native, "_version", lambda: version)
    monkeypatch.setattr(native, "_problem", native._problem.__wrapped__)
    assert words in native.about() and "gpunn[fast]" in native.about()
    assert not assert_same(lambda xp, x: x * 2 + x, X)


TEXT = """define void @kernel(ptr %block) {
store i64 NUMBER, ptr %block
ret void
}
"""


@pytest.fixture
def answer(monkeypatch):
    """What the function of a text writes to the block, in a compiler with nothing compiled yet."""

    def answer(text: str) -> int:
        monkeypatch.setattr(native, "_made", {})
        monkeypatch.setattr(native, "_compiler", cache(native._Compiler))
        block = native.Block("test", [0], ())
        native.compiled(text)(block)
        return int(block.numbers[0])

    return answer


def test_code_is_kept_for_later_processes(answer, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    text = TEXT.replace("NUMBER", "42")
    assert answer(text) == 42
    (file,) = native.folder().iterdir()
    with monkeypatch.context() as m:
        m.setattr(native._Compiler, "_compile", None)
        assert answer(text) == 42
    whole = file.read_bytes()
    for damaged in (whole[:-40], b"", b"x" + whole[1:]):
        file.write_bytes(damaged)
        assert answer(text) == 42
        assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_written(answer, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert answer(TEXT.replace("NUMBER", "43")) == 43


def test_a_wrong_text():
    with pytest.raises(KernelError, match="does not take"):
        native.compiled("define void @kernel(ptr %block) { oops }")


def test_not_imported_before_a_plan_is_made():
    code = "import sys, gpunn; gpunn.layers.Dense(1); assert 'llvmlite' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_forms_of_calls_that_are_no_steps():
    recorder = Recorder()
    with recorder:
        x = recorder.external(X)
        x.sum(1)
        x @ x.T
        np.clip(x, 0, 1)
        x.astype("int32")
        x[:, ::2] * 2
    assert [forms.form_of(call) for call in recorder.calls] == [None] * len(recorder.calls)

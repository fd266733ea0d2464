"""Products with an epilogue: numbers beside NumPy's, and what is done where none can be trusted."""

import ctypes
from contextlib import nullcontext

import numpy as np
import pytest

import gpunn
from gpunn.autograd import primitive
from gpunn.backend import get_backend
from gpunn.errors import DeviceError
from tests.harness import assert_close, to_numpy

try:
    import cudaemu
except ImportError:
    cudaemu = None

DTYPES = ("float16", "bfloat16", "float32")
EPILOGUES = ("bias", "relu_bias", "sums")


@pytest.fixture
def be(cuda):
    return get_backend("cuda")


@pytest.fixture
def lt(cuda, monkeypatch):
    """The module as a new process has it."""
    from gpunn.backend import cublas, cublaslt

    monkeypatch.setattr(cublaslt, "_why_not", {})
    monkeypatch.setattr(cublaslt, "_algorithms", {})
    monkeypatch.setattr(cublas.handle(), "plans", {})
    monkeypatch.delenv("GPUNN_CUBLASLT", raising=False)
    return cublaslt


def product(be, epilogue, a, b, vector, out=None, mask=None):
    from gpunn.backend.products import with_epilogue

    return with_epilogue(be, epilogue, a, b, vector, out, mask)


def made(be, epilogue, *args):
    """A product with its epilogue. A GPU may have no algorithm for it: then there is no test."""
    y = product(be, epilogue, *args)
    if y is None and cudaemu is None:
        pytest.skip(f"cuBLASLt has no algorithm for {epilogue!r} here, or it hides NaN")
    assert y is not None
    return y


def array(be, dtype, *shape, seed=0):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    return be.asarray(np.random.default_rng(seed).normal(0, 1, shape), dtype)


def check(be, epilogue, a, b, out=None, label=""):
    """Against NumPy in float64."""
    leading, (m, n) = b.shape[:-2], (a.shape[-2], b.shape[-1])
    vector = array(be, b.dtype.name, *leading, n, seed=7)
    x, w, v = (to_numpy(t).astype(np.float64) for t in (a, b, vector))
    expected = x @ w
    if epilogue != "sums":
        expected = expected + v[..., None, :]
    if epilogue == "relu_bias":
        expected = np.maximum(expected, 0)
    y = made(be, epilogue, a, b, vector, out)
    assert y.shape == (*leading, m, n) and y.dtype == b.dtype, label
    rtol = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 1e-5}[b.dtype.name]
    rtol *= np.abs(expected).max(initial=1)
    assert_close(y, expected, rtol=0, atol=rtol, label=label)
    if epilogue == "sums":
        assert_close(vector, w.sum(-2), rtol=0, atol=rtol, label=f"sums of {label}")
    else:
        assert_close(vector, v, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("epilogue", EPILOGUES)
def test_matrices_as_they_lie(be, lt, epilogue, dtype):
    m, n, k = 5, 20, 7
    wide = array(be, dtype, 40, 60)
    left = (array(be, dtype, m, k), array(be, dtype, k, m).T, wide[:m, 3 : 3 + k], wide[:k, :m].T)
    right = (array(be, dtype, k, n), array(be, dtype, n, k).T, wide[3 : 3 + k, 11 : 11 + n])
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            check(be, epilogue, a, b, label=f"{i} {j}")
    check(be, epilogue, left[0], right[0], wide[20:25, 8:28], "in a part of a matrix")
    for m, n, k in ((1, 20, 7), (5, 1, 7), (5, 20, 1), (1, 1, 1), (70, 65, 600)):
        check(be, epilogue, array(be, dtype, m, k), array(be, dtype, k, n), label=f"{m, n, k}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mask_of_what_is_positive(be, lt, dtype):
    """The one product notes it, another reads it and sums the rows of what is left."""
    from gpunn.backend.products import relu_mask

    rtol = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 1e-5}[dtype]
    for m, n, k in ((5, 20, 7), (3, 128, 8), (2, 300, 4), (70, 65, 600), (1, 1, 1)):
        a, b, v = array(be, dtype, m, k), array(be, dtype, k, n, seed=1), array(be, dtype, n)
        mask = relu_mask(m, n)
        y = made(be, "relu_mask", a, b, v, None, mask)
        x, w = (to_numpy(t).astype(np.float64) for t in (a, b))
        expected = np.maximum(x @ w + to_numpy(v).astype(np.float64), 0)
        bound = rtol * np.abs(expected).max(initial=1)
        assert_close(y, expected, rtol=0, atol=bound, label=f"{m, n, k}")
        for turned in (False, True):
            dy = array(be, dtype, m, k, seed=3)
            w2 = array(be, dtype, n, k, seed=4).T if turned else array(be, dtype, k, n, seed=4)
            dz = made(be, "relu_back", dy, w2, v, None, mask)
            d, w = (to_numpy(t).astype(np.float64) for t in (dy, w2))
            left = np.where(to_numpy(y) > 0, d @ w, 0)
            bound = rtol * max(np.abs(left).max(), np.abs(left).sum(0).max())
            assert_close(dz, left, rtol=0, atol=bound, label=f"{m, n, k}")
            assert_close(v, left.sum(0), rtol=0, atol=bound, label=f"sums of {m, n, k}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("epilogue", EPILOGUES)
def test_batches(be, lt, epilogue, dtype):
    count, m, n, k = 3, 5, 20, 7
    b = array(be, dtype, count, k, n)
    far = array(be, dtype, count, 2 * k, n)[:, :k]  # with something between them
    for label, a, w in (
        ("one for all", array(be, dtype, m, k), b),
        ("one for all, turned", array(be, dtype, k, m).T, far),
        ("one each", array(be, dtype, count, m, k), far),
        ("one each, turned", array(be, dtype, count, k, m).swapaxes(1, 2), b.copy()),
    ):
        check(be, epilogue, a, w, label=label)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("leading", [(), (3,)])
def test_halves_to_float32(be, lt, dtype, leading):
    """What exceeds the halves, and their rounding, in the product and in the sums."""
    a, b = array(be, dtype, 5, 70), array(be, dtype, *leading, 70, 20, seed=1)
    a *= 300
    b *= 300
    out, sums = be.empty((*leading, 5, 20), "float32"), be.empty((*leading, 20), "float32")
    assert product(be, "sums", a, b, sums, out) is out
    x, w = (to_numpy(t).astype(np.float64) for t in (a, b))
    assert np.abs(x @ w).max() > 65504
    assert_close(out, x @ w, rtol=0, atol=1e-5 * np.abs(x @ w).max())
    assert_close(sums, w.sum(-2), rtol=0, atol=1e-5 * np.abs(w.sum(-2)).max())
    assert product(be, "sums", a, b, sums) is None  # the result would be half
    assert product(be, "sums", a, b, sums.astype(dtype), out) is None


def test_vectors_of_any_alignment(be, lt):
    """An algorithm chosen for one is not used for one that is aligned less."""
    a, b = array(be, "float32", 5, 8), array(be, "float32", 8, 20)
    many = array(be, "float32", 64)
    for start in (0, 1, 2, 4, 3):
        vector = many[start : start + 20]
        y = made(be, "bias", a, b, vector)
        assert_close(y, to_numpy(a) @ to_numpy(b) + to_numpy(vector))
    assert len({product.alignments for product in _plans()}) == 3


def _plans():
    from gpunn.backend import cublas

    return [p for p in cublas.handle().plans if p.shape == (20, 5, 8)]


def test_what_it_does_not_take(be, lt):
    def shaped(*shape, dtype="float32"):
        return array(be, dtype, *shape)

    a, b, v = shaped(5, 8), shaped(8, 20), shaped(20)
    made(be, "bias", a, b, v)
    assert product(be, "bias", a.astype("f8"), b.astype("f8"), v.astype("f8")) is None
    assert product(be, "bias", a[:0], b, v) is None
    assert product(be, "bias", a[:, :0], b[:0], v) is None
    assert product(be, "bias", a[:, ::-1], b, v) is None
    assert product(be, "bias", a, b, shaped(40)[::2]) is None
    assert product(be, "sums", a, b, v, shaped(20, 5).T) is None
    uneven = shaped(2, 3, 8, 40)[..., :20]
    assert product(be, "bias", shaped(2, 3, 5, 8)[:, :2], uneven[:, :2], shaped(2, 2, 20)) is None


def test_sums_of_large_products_are_a_launch_of_their_own(be, lt, monkeypatch):
    from gpunn.backend import products

    monkeypatch.setattr(products, "MOST_WITH_SUMS", 5 * 20 * 8)
    b, v = array(be, "float32", 8, 20), array(be, "float32", 20)
    made(be, "sums", array(be, "float32", 5, 8), b, v)
    assert product(be, "sums", array(be, "float32", 6, 8), b, v) is None
    made(be, "bias", array(be, "float32", 6, 8), b, v)


def test_nan_and_infinity_stay(be, lt):
    x = np.ones((3, 2), "float32")
    x[0, 0], x[1, 0], x[2, 0] = np.nan, np.inf, -np.inf
    y = made(be, "relu_bias", be.asarray(x), be.asarray(np.ones((2, 20), "f4")), be.zeros(20, "f4"))
    assert np.isnan(to_numpy(y)[0]).all()
    assert to_numpy(y)[1:].tolist() == [[np.inf] * 20, [0] * 20]


def dense(activation=None, seed=1):
    """Result and gradients of a layer wide enough, by the kernel and by the reference."""
    found = []
    for reference in (False, True):
        x, w, b = (
            gpunn.Tensor(
                np.random.default_rng(seed + i).normal(0, 1, s).astype("f4"), requires_grad=True
            )
            for i, s in enumerate(((6, 9), (9, 21), (21,)))
        )
        if reference:
            with gpunn.backend.kernels.reference_only():
                y = gpunn.ops.linear(x, w, b, activation=activation)
                (y * y).sum().backward()
        else:
            y = gpunn.ops.linear(x, w, b, activation=activation)
            (y * y).sum().backward()
        found.append((y, x.grad, w.grad, b.grad))
    for a, e in zip(*found, strict=True):
        assert_close(a, e, "gradient")


def launched(function) -> list[str]:
    if cudaemu is None:
        function()
        return []
    with cudaemu.log() as operations:
        function()
    return [o for o in operations if o.startswith("cublasLt")]


@primitive(promote="float")
def nearly_relu(be, x, /):
    y = be.xp.maximum(x, 0)
    return y, lambda dy, needs: (dy * (y >= 0),)


def test_dense_layers(be, lt):
    with gpunn.device("cuda"):
        asked = {name: launched(lambda f=f: dense(f)) for name, f in ACTIVATIONS.items()}
    if cudaemu:
        trials = 2  # of each epilogue, when it is first asked for
        assert asked == {
            "none": ["cublasLtMatmul(bias)"] * (trials + 1)
            + ["cublasLtMatmul(bgrada)"] * (trials + 1),
            "relu": (["cublasLtMatmul(relu_aux_bias)", "cublasLtMatmul(drelu_bgrad)"] * trials)
            + ["cublasLtMatmul(relu_aux_bias)"],
            "silu": [],
            "not quite": [],
        }


ACTIVATIONS = {
    "none": None,
    "relu": gpunn.ops.relu,
    "silu": gpunn.ops.silu,
    "not quite": nearly_relu,
}


def two_layers(use, trainable=True):
    """Gradients of two dense layers with a ReLU between, by the kernels and by the reference."""
    found = []
    for reference in (False, True):
        rng = np.random.default_rng(5)
        x, w1, b1, w2, b2 = (
            gpunn.Tensor(rng.normal(0, 1, s).astype("f4"), requires_grad=True)
            for s in ((6, 9), (9, 20), (20,), (20, 21), (21,))
        )
        b1.requires_grad = trainable
        with gpunn.backend.kernels.reference_only() if reference else nullcontext():
            h = gpunn.ops.linear(x, w1, b1, activation=gpunn.ops.relu)
            if use == "asked for":
                h.retain_grad()
            y = gpunn.ops.linear(h, w2, b2)
            if use == "used twice":
                y = gpunn.ops.sum(y) + gpunn.ops.sum(h * h)
            if use == "used by two layers":
                y = y * gpunn.ops.linear(h, w2 + 1, b2)
            if use == "with respect to it":
                found.append(gpunn.autograd.gradients((y * y).sum(), [h, w1, w2]))
                continue
            (y * y).sum().backward(retain_graph=use == "twice")
            if use == "twice":
                (y * y).sum().backward()
        leaves = (x, w1, b1, w2, b2) if trainable else (x, w1, w2, b2)
        grads = [t.grad for t in leaves]
        found.append([*grads, h.grad] if use == "asked for" else grads)
    for a, e in zip(*found, strict=True):
        assert_close(a, e, "gradient")


@pytest.mark.parametrize(
    "use", ["once", "twice", "asked for", "used twice", "used by two layers", "with respect to it"]
)
def test_the_gradient_of_a_relu_comes_with_the_product(be, lt, use):
    with gpunn.device("cuda"):
        two_layers(use)  # with the trials
        asked = launched(lambda: two_layers(use))
    if cudaemu:
        at_once = {"once": 1, "twice": 2}.get(use, 0)
        assert asked.count("cublasLtMatmul(drelu_bgrad)") == at_once, asked


def test_the_gradient_of_a_relu_without_that_of_the_bias(be, lt):
    with gpunn.device("cuda"):
        two_layers("once", trainable=False)


def test_a_relu_before_products_over_several_axes(be, lt):
    """The product that its gradient comes of has rows of another length."""
    found = []
    for reference in (False, True):
        rng = np.random.default_rng(5)
        with gpunn.device("cuda"):
            x, w1, b1, w2, b2 = (
                gpunn.Tensor(rng.normal(0, 1, s).astype("f4"), requires_grad=True)
                for s in ((6, 3, 9), (9, 20), (20,), (3, 20, 21), (21,))
            )
            with gpunn.backend.kernels.reference_only() if reference else nullcontext():
                h = gpunn.ops.linear(x, w1, b1, activation=gpunn.ops.relu)
                y = gpunn.ops.linear(h.reshape(6, 60), w2.reshape(60, 21), b2)
                (y * y).sum().backward()
        found.append([t.grad for t in (x, w1, b1, w2, b2)])
    for a, e in zip(*found, strict=True):
        assert_close(a, e, "gradient")


def test_a_mask_is_not_written_for_large_results(be, lt, monkeypatch):
    from gpunn.backend.cuda import linear

    monkeypatch.setattr(linear, "MOST_MASKED", 6 * 20 - 1)
    with gpunn.device("cuda"):
        two_layers("once")
        asked = launched(lambda: two_layers("once"))
    assert not any("aux" in o or "drelu" in o for o in asked)


def spied(lt, monkeypatch, **functions):
    """The library with functions of one's own in place of some."""
    lib = lt._library()

    class Spy:
        def __getattr__(self, name):
            return functions.get(name) or getattr(lib, name)

    monkeypatch.setattr(lt, "_library", Spy)


def missing():
    raise OSError("libcublasLt.so.13: no such file")


def nothing_found(*args):
    args[-1]._obj.value = 0
    return 0


@pytest.mark.parametrize(
    ("why", "functions"),
    [
        ("no such file", None),
        ("status 14", {"cublasLtMatmul": lambda *args: 14}),
        ("numbers are not those of NumPy", {"cublasLtMatmul": lambda *args: 0}),
    ],
)
def test_what_is_wrong_is_not_used_and_said_once(be, lt, monkeypatch, why, functions):
    if functions is None:
        monkeypatch.setattr(lt, "_library", missing)
    else:
        spied(lt, monkeypatch, **functions)
    with gpunn.device("cuda"):
        with pytest.warns(UserWarning, match=rf"epilogue 'relu_(mask|bias)': .*{why}") as told:
            dense(gpunn.ops.relu)
            dense(gpunn.ops.relu)
        assert ["relu_mask" in str(w.message) for w in told] == [True, False]
    if cudaemu:  # a GPU may lack what is tried last
        assert why in lt.about() and lt.about().startswith("none (")


@pytest.mark.parametrize(
    "functions",
    [
        {"cublasLtMatmulAlgoGetHeuristic": nothing_found},
        {"cublasLtMatmulAlgoGetHeuristic": lambda *args: 15},
        {"cublasLtMatmul": lambda *args: 15},
    ],
)
def test_what_a_device_does_not_have_is_no_news(be, lt, monkeypatch, functions):
    spied(lt, monkeypatch, **functions)
    with gpunn.device("cuda"):
        dense(gpunn.ops.relu)
    assert lt.about() == "none (it has no algorithm for it)"


def test_a_relu_that_hides_nan_is_not_used(be, lt, monkeypatch):
    lib = lt._library()

    def hiding(*args):
        status = lib.cublasLtMatmul(*args)
        if trials:
            y = be.xp.ndarray((24 * 40,), "f4", _memory(be, args[8]))
            be.xp.nan_to_num(y, copy=False)
        return status

    def comparing(*args):
        trials.append(args)
        try:
            compare(*args)
        finally:
            trials.pop()

    trials: list = []
    compare = lt._compare
    monkeypatch.setattr(lt, "_compare", comparing)
    spied(lt, monkeypatch, cublasLtMatmul=hiding)
    with gpunn.device("cuda"):
        dense(gpunn.ops.relu)
    assert list(lt._why_not.values()) == ["it hides NaN"] * 2


def _memory(be, address):
    memory = be.xp.cuda.UnownedMemory(address, 4 * 24 * 40, None)
    return be.xp.cuda.MemoryPointer(memory, 0)


def test_it_can_be_turned_off(be, lt, monkeypatch):
    monkeypatch.setenv("GPUNN_CUBLASLT", "0")
    with gpunn.device("cuda"):
        assert launched(lambda: dense(gpunn.ops.relu)) == []
    assert lt.about() == "none (GPUNN_CUBLASLT=0)"


def test_a_product_that_is_refused_is_made_plainly(be, lt, monkeypatch):
    a, b, v = (array(be, "float32", *s) for s in ((5, 8), (8, 20), (20,)))
    made(be, "bias", a, b, v)
    spied(lt, monkeypatch, cublasLtMatmul=lambda *args: 15)
    assert product(be, "bias", a, b, v) is None
    asked = []
    spied(lt, monkeypatch, cublasLtMatmul=lambda *args: asked.append(args) or 0)
    assert product(be, "bias", a, b, v) is None and not asked  # nor asked for again
    spied(lt, monkeypatch, cublasLtMatmul=lambda *args: 13)
    with pytest.raises(DeviceError, match=r"status 13 \(execution failed\)"):
        product(be, "bias", a[:4], b, v)


def test_a_stream_may_capture_it(be, lt):
    a, b, v = (array(be, "float32", *s) for s in ((5, 8), (8, 20), (20,)))
    stream = be.xp.cuda.Stream(non_blocking=True)
    be.synchronize()

    def captured():
        with stream:
            from gpunn.backend import cublas

            cublas.handle()
            stream.begin_capture()
            y = product(be, "bias", a, b, v)
            graph = stream.end_capture()
        return y, graph

    y, _ = captured()
    assert y is None and not lt._why_not  # not tried yet, and not there
    eager = made(be, "bias", a, b, v)
    y, graph = captured()
    assert len(lt._algorithms) == 3  # two of the trial; the stream's is that of the eager one
    graph.launch()
    be.synchronize()
    assert to_numpy(y).tobytes() == to_numpy(eager).tobytes()
    v += 1
    graph.launch()
    be.synchronize()
    assert_close(y, to_numpy(eager) + 1)


def test_precision_is_asked_for(be, lt):
    a, b, v = (array(be, "float32", *s) for s in ((5, 8), (8, 20), (20,)))
    from gpunn.backend import cublas

    made(be, "bias", a, b, v)
    try:
        gpunn.set_float32_matmul_precision("high")
        made(be, "bias", a, b, v)
    finally:
        gpunn.set_float32_matmul_precision("highest")
    assert [p.compute for p in _plans()] == [cublas.COMPUTE_32F, cublas.COMPUTE_32F_FAST_TF32]
    assert {key[3] for key in lt._why_not} == {p.compute for p in _plans()}  # each is tried


def test_plans_do_not_grow_without_end(be, lt, monkeypatch):
    from gpunn.backend import cublas

    monkeypatch.setattr(lt, "MOST_PLANS", 4)
    b, v = array(be, "float32", 8, 20), array(be, "float32", 20)
    for m in range(1, 12):
        a = array(be, "float32", m, 8)
        assert_close(made(be, "bias", a, b, v), to_numpy(a) @ to_numpy(b) + to_numpy(v))
    assert len(cublas.handle().plans) == len(lt._algorithms) == 4


def test_the_trial_tells_tf32_from_float32(be, lt, monkeypatch):
    """Products of operands with 10 bits of mantissa are not what "highest" promises."""
    asarray = be.xp.asarray

    def rounded(x):
        if x.dtype == np.float32:
            bits = x.view(np.uint32) + np.uint32(1 << 12)
            x = (bits & np.uint32(0xFFFFE000)).view(np.float32)
        return asarray(x)

    from gpunn.backend import cublas

    handle = cublas.handle()
    for compute in (68, 77):
        monkeypatch.setattr(be.xp, "asarray", asarray)
        lt._compare(handle, "bias", "ff", compute, False, lt.TRIED[1])
        monkeypatch.setattr(be.xp, "asarray", rounded)
        with pytest.raises(DeviceError, match="numbers") if compute == 68 else nullcontext():
            lt._compare(handle, "bias", "ff", compute, False, lt.TRIED[1])


def test_halves_are_never_what_sums_are_kept_in(be, lt, monkeypatch):
    """Blocks that share a sum leave their parts of it in float32, which does not overflow."""
    asked, lib = {}, lt._library()

    def noting(preference, attribute, value, size):
        asked[attribute] = value._obj.value
        return lib.cublasLtMatmulPreferenceSetAttribute(preference, attribute, value, size)

    spied(lt, monkeypatch, cublasLtMatmulPreferenceSetAttribute=noting)
    a, b = (be.xp.full(s, 8, "float16") for s in ((5, 2048), (2048, 20)))
    b[1024:] = -8  # the first half of each sum is 65536, which is infinite as float16
    y = made(be, "bias", a, b, be.zeros(20, "float16"))
    assert (to_numpy(y) == 0).all() and asked[lt.REDUCTIONS] == lt.IN_COMPUTE_TYPE


def test_structures_have_the_sizes_of_the_header(cuda):
    from gpunn.backend import cublaslt

    assert ctypes.sizeof(cublaslt.Algorithm) == 96

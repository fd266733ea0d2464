"""Matrix products on CUDA: values in every layout, and operands that are never copied."""

import ctypes
import gc
import threading

import numpy as np
import pytest

import gpunn
from gpunn.backend import get_backend
from gpunn.errors import ArgumentError
from tests.harness import assert_close, to_numpy

try:
    import cudaemu
except ImportError:
    cudaemu = None

DTYPES = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")


@pytest.fixture
def be(cuda):
    return get_backend("cuda")


def matrix(be, dtype, *shape, seed=0):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    values = np.random.default_rng(seed).normal(0, 1, shape)
    if dtype.startswith("complex"):
        values = values + 1j * np.random.default_rng(seed + 1).normal(0, 1, shape)
    return be.asarray(values, dtype)


def operations(function):
    """What the device was asked to do; None on a GPU, which does not tell."""
    if cudaemu is None:
        function()
        return None
    with cudaemu.log() as operations:
        function()
    return operations


def check(be, a, b, label=""):
    """The product, for halves beside that of the same numbers in float32."""
    wide = np.float32 if a.dtype.itemsize == 2 else a.dtype
    expected = to_numpy(a).astype(wide) @ to_numpy(b).astype(wide)
    y = be.matmul(a, b)
    assert y.dtype == a.dtype and y.shape == expected.shape, label
    if a.dtype.itemsize == 2:  # one rounding, of a sum in float32
        np.testing.assert_allclose(
            to_numpy(y).astype(wide), expected, rtol=2**-7, atol=1e-2, err_msg=label
        )
    else:
        rtol = 1e-5 if a.dtype.char in "fF" else 1e-12
        assert_close(y, expected, rtol=rtol, atol=rtol, label=label)
    return y


@pytest.mark.parametrize("dtype", DTYPES)
def test_matrices_as_they_lie(be, dtype):
    a, b = matrix(be, dtype, 5, 7), matrix(be, dtype, 7, 3, seed=3)
    wide = matrix(be, dtype, 10, 20)
    left = (a, matrix(be, dtype, 7, 5).T, wide[:5, 3:10], wide[::2, 3:10], wide[:7, 2:7].T)
    right = (b, matrix(be, dtype, 3, 7).T, wide[3:, 17:], wide[5:8, :7].T)

    def run():
        for x in left:
            for y in right:
                be.matmul(x, y)

    for i, x in enumerate(left):
        for j, y in enumerate(right):
            check(be, x, y, f"{i} {j}")
    done = operations(run)
    assert done is None or set(done) == {"cublasGemmEx"}, done


def test_threads_that_end_leave_their_handles_to_others(be):
    from gpunn.backend import cublas

    mine, x, used = cublas.handle(), matrix(be, "float32", 4, 4), []

    def product():
        be.matmul(x, x)
        used.append(cublas.handle().pointer.value)

    for _ in range(5):
        thread = threading.Thread(target=product)
        thread.start()
        thread.join()
        gc.collect()
    assert len(set(used)) == 1 and mine.pointer.value not in used


def test_halves_are_never_what_sums_are_kept_in(be):
    """Blocks that share a sum leave their parts of it in float32, which does not overflow."""
    from gpunn.backend import cublas

    a, b = (be.xp.full(s, 8, "float16") for s in ((5, 2048), (2048, 3)))
    b[1024:] = -8  # the first half of each sum is 65536, which is infinite as float16
    for x in (a, be.xp.stack([a, a])):
        assert (to_numpy(be.matmul(x, b)) == 0).all()
    get, mode = ctypes.CDLL(cublas._cupys.__file__).cublasGetMathMode, ctypes.c_int()
    assert get(cublas.handle().pointer, ctypes.byref(mode)) == 0
    assert mode.value == cublas.NO_SUMS_IN_HALVES


@pytest.mark.parametrize("dtype", ("float16", "float32"))
def test_batches_as_they_lie(be, dtype):
    """Heads beside each other in memory, broadcast operands, one matrix for all, odd steps."""
    q, k = matrix(be, dtype, 2, 4, 3, 5), matrix(be, dtype, 2, 6, 3, 5, seed=1)
    heads, keys = q.swapaxes(1, 2), k.transpose(0, 2, 3, 1)
    one, five = matrix(be, dtype, 5, 6), matrix(be, dtype, 2, 3, 2, 2, 4, 5)
    pairs = {
        "batch": (q, k.swapaxes(2, 3)[:, :4]),
        "heads": (heads, keys),
        "broadcast": (q[:, :1], k.swapaxes(2, 3)[:1]),
        "one": (q, one),
        "one for all heads": (heads, one),
        "every other": (q[:, ::2], k.swapaxes(2, 3)[:, ::3]),
        "one batch": (q[:1, :1], k[:1, :1].swapaxes(2, 3)),
    }
    for label, (a, b) in pairs.items():
        check(be, a, b, label)
        done = operations(lambda a=a, b=b: be.matmul(a, b))
        assert done is None or (len(done) <= 2 and "Gemm" in done[-1]), (label, done)
        assert done is None or not any("copy" in d for d in done), (label, done)
    many = five.transpose(3, 1, 0, 2, 4, 5)  # more steps than addresses are computed for
    check(be, many, one[:, :3], "many axes")
    check(be, q[..., ::-1], k.swapaxes(2, 3)[:, :4], "backwards")
    check(be, be.xp.broadcast_to(q[0, 0, 0], (2, 4, 5)), one, "the same row")


def test_vectors(be):
    m, v = matrix(be, "float32", 5, 7), matrix(be, "float32", 7)
    check(be, m, v)
    check(be, v, m.T)
    check(be, v, v)
    check(be, v[::2], v[::-2])
    check(be, matrix(be, "float32", 2, 3, 4, 7), v)
    check(be, matrix(be, "float16", 33), matrix(be, "float16", 33, seed=1))
    assert be.dot(v, v).shape == ()
    out = be.empty((5,), "float32")
    assert be.dot(m, v, out) is out
    assert_close(out, to_numpy(m) @ to_numpy(v))


def test_empty_and_mixed(be):
    for a, b in (((0, 3), (3, 2)), ((2, 0), (0, 3)), ((2, 3), (3, 0)), ((0, 2, 3), (3, 4))):
        y = be.matmul(be.zeros(a, "float32"), be.zeros(b, "float32"))
        assert y.shape == (np.zeros(a) @ np.zeros(b)).shape
        assert not to_numpy(y).any()
    a, b = matrix(be, "float32", 3, 4), matrix(be, "float64", 4, 2)
    assert be.matmul(a, b).dtype == np.float64
    i = be.asarray(np.arange(6).reshape(2, 3))
    assert_close(be.matmul(i, i.T), np.arange(6).reshape(2, 3) @ np.arange(6).reshape(2, 3).T)


def test_a_batch_that_lies_backwards_is_told_by_addresses(be):
    from gpunn.backend import products

    a, b = matrix(be, "float32", 4, 5, 7), matrix(be, "float32", 7, 3)
    expected = to_numpy(a)[::-1] @ to_numpy(b)
    assert_close(be.matmul(a[::-1], b), expected)
    found = operations(lambda: be.matmul(a[::-1], b))
    assert found is None or any("pointers" in op for op in found)
    vector = be.zeros((4, 3), "float32")
    assert products.with_epilogue(be, "bias", a[::-1], b[None].repeat(4, 0), vector) is None


def test_out_of_any_layout(be):
    a, b = matrix(be, "float32", 5, 7), matrix(be, "float32", 7, 3)
    expected = to_numpy(a) @ to_numpy(b)
    wide = be.zeros((5, 9), "float32")
    plain, turned = be.empty((5, 3), "float32"), be.empty((3, 5), "float32").T
    for out in (plain, turned, wide[:, 4:7], wide[:, ::3]):
        assert be.matmul(a, b, out=out) is out
        assert_close(out, expected)
    assert not to_numpy(wide)[:, [1, 2, 7, 8]].any()
    double = be.empty((5, 3), "float64")
    assert_close(be.matmul(a, b, out=double), expected, dtype="float32")
    with pytest.raises(ValueError, match=r"out has shape \(5, 2\), the product \(5, 3\)"):
        be.matmul(a, b, out=wide[:, :2])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_may_stay_as_they_are_summed(be, dtype):
    a, b = matrix(be, dtype, 4, 3, 50, 70), matrix(be, dtype, 70, 30)
    for left in (a[0, 0], a[0], a.swapaxes(1, 2)[:, ::2], matrix(be, dtype, 70, 50).T):
        exact = to_numpy(left).astype("float64") @ to_numpy(b).astype("float64")
        turned = be.empty(exact.swapaxes(-1, -2).shape, "float32").swapaxes(-1, -2)
        for out in (be.empty(exact.shape, "float32"), turned):
            assert be.matmul(left, b, out=out) is out
            np.testing.assert_allclose(to_numpy(out), exact, 1e-5, 1e-5 * np.abs(exact).max())


def test_shapes_that_do_not_fit(be):
    with pytest.raises(ValueError, match=r"shapes \(5, 7\) and \(5, 7\)"):
        be.dot(be.zeros((5, 7), "float32"), be.zeros((5, 7), "float32"))
    with pytest.raises(ValueError, match="vectors of 3 and 4"):
        be.dot(be.zeros(3, "float32"), be.zeros(4, "float32"))


def test_a_stream_may_capture_products(be):
    """CuPy's own calls of cuBLAS are refused there."""
    a, b = matrix(be, "float32", 4, 3, 5, 7), matrix(be, "float32", 7, 3)
    heads = a.swapaxes(1, 2)
    stream = be.xp.cuda.Stream(non_blocking=True)
    be.synchronize()
    results = []
    with stream:
        be.matmul(heads, b)
        stream.synchronize()
        stream.begin_capture()
        results += [be.matmul(heads, b), be.dot(a[0, 0], b), be.dot(b[:, 0], b[:, 1])]
        graph = stream.end_capture()
    graph.launch()
    be.synchronize()
    assert_close(results[0], to_numpy(heads) @ to_numpy(b))
    assert_close(results[1], to_numpy(a)[0, 0] @ to_numpy(b))
    assert_close(results[2], to_numpy(b)[:, 0] @ to_numpy(b)[:, 1])


def test_threads_have_handles_of_their_own(be):
    from gpunn.backend import cublas

    found = [cublas.handle()]
    thread = threading.Thread(target=lambda: found.append(cublas.handle()))
    thread.start()
    thread.join()
    assert found[0] is cublas.handle() and found[0] is not found[1]


def test_a_failure_of_cublas_is_an_error(be):
    from gpunn.backend import cublas

    with pytest.raises(gpunn.errors.DeviceError, match=r"status 7 \(invalid"):
        cublas.handle().gemm("ff", (-1, 1, 1), (0, 0, 1), (0, 0, 1), (0, 1))


def test_precision_of_float32_products(be, monkeypatch):
    from gpunn.backend import cublas

    asked = []
    lib = cublas.handle()._lib

    class Spy:
        def __getattr__(self, name):
            def call(*args):
                asked.append(args[-2])
                return getattr(lib, name)(*args)

            return call

    monkeypatch.setattr(cublas.handle(), "_lib", Spy())
    single, double = matrix(be, "float32", 3, 3), matrix(be, "float64", 3, 3)
    try:
        be.dot(single, single)
        gpunn.set_float32_matmul_precision("high")
        assert gpunn.get_float32_matmul_precision() == "high"
        be.dot(single, single)
        be.dot(double, double)
    finally:
        gpunn.set_float32_matmul_precision("highest")
    assert asked == [cublas.COMPUTE_32F, cublas.COMPUTE_32F_FAST_TF32, cublas.COMPUTE_64F]


def test_precision_is_checked():
    with pytest.raises(ArgumentError, match="'highest' or 'high', not 'low'"):
        gpunn.set_float32_matmul_precision("low")
    assert gpunn.get_float32_matmul_precision() == "highest"

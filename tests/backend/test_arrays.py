"""What a primitive's `be` can do, on every device."""

import numpy as np
import pytest

import gpunn
from gpunn.backend import backend_of, get_backend, is_array
from gpunn.errors import DTypeError


@pytest.fixture
def be(device):
    return get_backend(device)


FLOATS_AND_INTEGERS = ["float16", "float32", "float64", "int8", "int32", "int64", "uint8"]


def test_makers(be, device):
    assert be.kind == device and be.name == {"cpu": "cpu", "cuda": "cuda:0"}[device]
    assert repr(be) == f"<backend {be.name}>"
    for x, value in (
        (be.zeros((2, 3), "float32"), 0),
        (be.full((2, 3), 7, "float32"), 7),
        (be.asarray(np.ones((2, 3), "float32")), 1),
    ):
        assert is_array(x) and type(x) is be.array_type and backend_of(x) is be
        assert (be.to_numpy(x) == value).all() and x.dtype == np.float32
    assert be.empty((0, 2), "int32").shape == (0, 2)


def test_constants_are_made_once(be):
    made = []

    def make(be):
        made.append(1)
        return be.full(3, 2, "float32")

    key = ("test constant", 3)
    assert be.const(key, make) is be.const(key, make) and len(made) == 1
    assert be.ones(4, "float32") is be.ones(4, np.float32)
    assert be.ones(4, "float64") is not be.ones(4, "float32")
    assert be.to_numpy(be.ones(4, "int32")).tolist() == [1] * 4


def test_copy_is_an_array_of_its_own(be):
    x = be.asarray(np.arange(6.0).reshape(2, 3)).T
    y = be.copy(x)
    assert y.flags.c_contiguous and be.address(y) != be.address(x)
    assert be.to_numpy(y).tolist() == be.to_numpy(x).tolist()
    assert type(be.copy(x.sum())) is be.array_type and type(be.wrap(x.sum())) is be.array_type


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_products(be, dtype):
    a = np.random.default_rng(0).normal(size=(5, 4)).astype(dtype)
    b = np.random.default_rng(1).normal(size=(4, 3)).astype(dtype)
    x, y = be.asarray(a), be.asarray(b)
    expected = a.astype("float64") @ b.astype("float64")
    tolerance = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-12}[dtype]
    for product in (be.dot, be.matmul):
        out = be.empty((5, 3), dtype)
        for result in (product(x, y), product(x, y, out)):
            assert result.dtype == dtype
            np.testing.assert_allclose(be.to_numpy(result), expected, tolerance, tolerance)
        assert result is out
        strided = product(be.asarray(np.repeat(a, 2, 0))[::2], be.asarray(b.T.copy()).T)
        np.testing.assert_allclose(be.to_numpy(strided), expected, tolerance, tolerance)
    batch = be.matmul(be.asarray(np.stack([a, a])), y)
    np.testing.assert_allclose(be.to_numpy(batch)[1], expected, tolerance, tolerance)
    assert be.matmul(x[:0], y).shape == (0, 3)
    assert (be.to_numpy(be.dot(be.zeros((2, 0), dtype), be.zeros((0, 3), dtype))) == 0).all()


def test_ufuncs(be):
    x = be.asarray(np.float32([1, np.nan, 3]))
    assert np.array_equal(be.to_numpy(be.maximum(x, 2)), [2, np.nan, 3], equal_nan=True)
    assert np.array_equal(be.to_numpy(be.minimum(x, 2)), [1, np.nan, 2], equal_nan=True)


def test_copyto_casts_and_broadcasts(be):
    x = be.zeros((2, 3), "float32")
    be.copyto(x, be.asarray(np.arange(3.0)))
    assert be.to_numpy(x).tolist() == [[0, 1, 2]] * 2
    be.copyto(x[:, 1:], be.asarray(np.float32(9)))
    assert be.to_numpy(x).tolist() == [[0, 9, 9]] * 2


def test_take(be):
    x = np.arange(24.0).reshape(4, 3, 2)
    i = np.array([[3, 0], [1, 1]])
    for axis in (0, 1):
        j = i if axis == 0 else i % 3
        y = be.take(be.asarray(x), be.asarray(j), axis)
        assert np.array_equal(be.to_numpy(y), np.take(x, j, axis))


@pytest.fixture(params=["few", "many"])
def few(request, be, monkeypatch):
    """Rows that a GPU compares with each other, and rows that it sorts."""
    if be.kind == "cuda" and request.param == "many":
        monkeypatch.setattr("gpunn.backend.cupy_.FEW", 0)


@pytest.mark.parametrize("dtype", FLOATS_AND_INTEGERS)
@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 5), (6, 2, 3), (6, 300), (6, 0)])
def test_scatter_add(be, dtype, shape, few):
    rng = np.random.default_rng(0)
    dst = rng.integers(0, 9, shape).astype(dtype)
    for indices in (
        rng.integers(-6, 6, 50),
        rng.integers(0, 6, (4, 3)).astype("int32"),
        np.zeros(0, int),
        np.array(5),
        np.zeros(30, "uint8"),
    ):
        src = rng.integers(0, 3, indices.shape + shape[1:]).astype(dtype)
        expected = dst.copy()
        np.add.at(expected, indices, src)
        out = be.asarray(dst.copy())
        be.scatter_add(out, be.asarray(indices), be.asarray(src))
        assert np.array_equal(be.to_numpy(out), expected)


def test_scatter_add_of_a_broadcast_and_into_a_view(be):
    whole = be.zeros((4, 6), "float32")
    view = whole[:, ::2]
    be.scatter_add(view, be.asarray(np.array([1, 1, 3])), be.asarray(np.ones(3, "float32")))
    expected = np.zeros((4, 6))
    expected[1, ::2], expected[3, ::2] = 2, 1
    assert np.array_equal(be.to_numpy(whole), expected)


def test_scatter_add_of_halves_to_float32(be, few):
    src = np.array([[70.0, 1 / 3], [1 / 7, 5.0], [2.0, 1e-4]], "float16")
    out = be.zeros((4, 2), "float32")
    be.scatter_add(out, be.asarray(np.array([1, 1, 3])), be.asarray(src))
    expected = np.zeros((4, 2), "float32")
    np.add.at(expected, [1, 1, 3], src.astype("float32"))
    np.testing.assert_array_equal(be.to_numpy(out), expected)


def test_scatter_add_has_one_result(be, few):
    rng = np.random.default_rng(0)
    indices = be.asarray(rng.integers(0, 3, 2000))
    src = be.asarray(rng.normal(size=(2000, 4)).astype("float32"))
    results = []
    for _ in range(5):
        out = be.zeros((3, 4), "float32")
        be.scatter_add(out, indices, src)
        results.append(be.to_numpy(out).tobytes())
    assert len(set(results)) == 1


def test_scatter_add_refuses(be):
    x, one = be.zeros((3, 2), "float32"), be.asarray(np.ones(2, "float32"))
    mask = be.asarray(np.array([True, False, True]))
    with pytest.raises(DTypeError, match=r"integer indices, got bool: use where\(mask"):
        be.scatter_add(x, mask, one)
    with pytest.raises(DTypeError, match="integer indices, got float32"):
        be.scatter_add(x, one, one)
    with pytest.raises(DTypeError, match="cannot add to booleans"):
        be.scatter_add(be.zeros((3,), "bool"), be.asarray(np.array([0])), one[:1])
    with pytest.raises(DTypeError, match="0-d"):
        be.scatter_add(be.zeros((), "float32"), be.asarray(np.array([0])), one[:1])


def test_scatter_add_out_of_range(be, device):
    """On the CPU an error; on a GPU nothing is written, as it could be anybody's memory."""
    for shape in [(3,), (3, 2)]:
        for bad in (3, 200, -4):
            x = be.zeros(shape, "float32")
            src = be.full((2, *shape[1:]), 1, "float32")
            indices = be.asarray(np.array([0, bad]))
            if device == "cpu":
                with pytest.raises(IndexError):
                    be.scatter_add(x, indices, src)
            else:
                be.scatter_add(x, indices, src)
                assert be.to_numpy(x).sum() == src[0].size


def test_address(be):
    x = be.zeros((4, 6), "float32")
    low, high = be.address(x)
    assert high - low == 96
    assert be.address(x[1]) == (low + 24, low + 48)
    assert be.address(x[:, 1:3]) == (low + 4, low + 84)
    assert be.address(x[::-1]) == (low, high) and be.address(x.T) == (low, high)
    assert be.address(x[:0])[0] == be.address(x[:0])[1]


def test_asarray(be, device):
    x = be.zeros(3, "float32")
    assert be.asarray(x) is x and be.asarray(x, "float32") is x
    assert be.asarray(x, "float64").dtype == np.float64
    if device == "cpu":
        host = np.zeros(3)
        assert be.asarray(host) is host


def test_memory(be, device):
    m = be.memory()
    assert 0 < m.free <= m.total and 0 <= m.used <= m.total
    assert gpunn.backend.memory_summary(device).startswith(f"{be.name}: ")
    be.synchronize()
    gpunn.backend.empty_cache(device)


def test_the_cache_of_a_gpu_is_given_back(cuda):
    be = get_backend("cuda")
    before = be.memory().kept
    nbytes = before + (1 << 22)  # no block that is kept has room for it
    x = be.zeros(nbytes, "uint8")
    used = be.memory().used
    del x
    assert be.memory().used <= used - nbytes and be.memory().kept >= nbytes
    gpunn.backend.empty_cache("cuda")
    assert be.memory().kept <= before


def test_device_arrays_of_unknown_type_are_refused():
    with pytest.raises(DTypeError, match="expected an array, got list"):
        backend_of([1, 2])


def test_sizes_for_people():
    size = gpunn.backend.memory.size
    assert [size(n) for n in (0, 1023, 1024, 1536, 3 << 20, 5 << 30, 7 << 40, 9 << 50)] == [
        "0 B", "1023 B", "1.0 KiB", "1.5 KiB", "3.0 MiB", "5.0 GiB", "7.0 TiB", "9216.0 TiB",
    ]  # fmt: skip


def test_of_several_gpus_the_one_that_is_meant_is_made_current(cuda, monkeypatch):
    """Arrays without operands, events, and what a graph launches belong to the current one."""
    from gpunn.backend.graph import Graph
    from gpunn.backend.staging import Staging

    be, used = get_backend("cuda"), []
    x = be.zeros(3, "float32")
    be.copyto(x, x)
    graph = Graph(be)
    with graph:
        be.copyto(x, x)

    class Device:
        def use(self):
            used.append(be.name)

    monkeypatch.setattr(be, "_cuda", Device())
    monkeypatch.setattr(be, "alone", False)
    for work in (lambda: get_backend("cuda"), lambda: Staging(be), graph.run):
        work()
        assert used and not used.clear(), work

"""Random streams: published vectors, the same bits everywhere, and states that go on."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gpunn
from gpunn.backend import CPU_BACKEND, Stream, current_seed, get_backend
from gpunn.errors import ArgumentError, SerializationError

# Salmon et al., Random123, kat_vectors: philox4x64-10 of (counter, key)
PUBLISHED = [
    (
        (0, 0, 0, 0),
        (0, 0),
        (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B),
    ),
    (
        (2**64 - 1,) * 4,
        (2**64 - 1,) * 2,
        (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
    ),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
    ),
]


def philox(counter, key, blocks=1):
    """Philox4x64-10 in plain Python, of the given counter and those after it."""
    mask, words = 2**64 - 1, []
    for b in range(blocks):
        c = [(counter[0] + b) & mask, *counter[1:]]
        k = list(key)
        for _ in range(10):
            p0, p1 = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
            c = [(p1 >> 64) ^ c[1] ^ k[0], p1 & mask, (p0 >> 64) ^ c[3] ^ k[1], p0 & mask]
            k = [(k[0] + 0x9E3779B97F4A7C15) & mask, (k[1] + 0xBB67AE8584CAA73B) & mask]
        words += c
    return words


@pytest.mark.parametrize(("counter", "key", "words"), PUBLISHED)
def test_published_vectors(counter, key, words):
    assert tuple(philox(counter, key)) == words


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63 - 1, 2**63, 2**64 - 1, 2**70 + 3])
def test_words_are_philox_of_the_streams_counter(seed):
    stream = Stream(seed, "weights")
    assert stream.key[0] == seed % 2**64
    for position in range(3):
        words = stream.words(11)
        assert words.tolist() == philox((1, 0, position, 0), stream.key, 3)[:11]
    numpy = np.random.Philox(
        counter=np.array([0, 0, 3, 0], np.uint64), key=np.array(stream.key, np.uint64)
    )
    assert (stream.words(100) == numpy.random_raw(100)).all()


def test_uniforms_are_the_top_bits_of_the_words(device):
    be = get_backend(device)
    words = Stream(3, "u").words(50)
    halves = np.stack([words & 0xFFFFFFFF, words >> np.uint64(32)], 1).reshape(-1)
    u32 = be.to_numpy(be.random_uint32(Stream(3, "u"), (100,)))
    assert (u32 == halves).all() and u32.dtype == np.uint32
    f32 = be.to_numpy(be.uniform(Stream(3, "u"), (100,)))
    assert (f32 == (halves >> np.uint64(8)) / 2**24).all() and f32.dtype == np.float32
    f64 = be.to_numpy(be.uniform(Stream(3, "u"), (50,), "float64"))
    assert (f64 == (words >> np.uint64(11)) / 2**53).all() and f64.dtype == np.float64


def test_thousands_of_draws_are_equal_on_both_devices(cuda):
    cpu, gpu = get_backend("cpu"), get_backend("cuda")
    here, there = Stream(11, "dropout"), Stream(11, "dropout")
    rng = np.random.default_rng(0)
    draws = [
        lambda be, s, n: be.random_uint32(s, n),
        lambda be, s, n: be.uniform(s, n),
        lambda be, s, n: be.uniform(s, n, "float64"),
    ]
    for i in range(3000):
        n = int(rng.integers(0, 300)) if i else 200_001
        draw = draws[i % 3]
        assert np.array_equal(draw(cpu, here, (n,)), draw(gpu, there, (n,)).get()), (i, n)
    assert here.position == there.position == 3000
    for seed in (-5, 2**63 + 1, 2**64 - 1):
        a, b = (be.uniform(Stream(seed, "x", 2**40), (3, 5)) for be in (cpu, gpu))
        assert np.array_equal(a, b.get())


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (1,), (0,), (0, 3), (7,), (3, 5, 2)])
def test_shapes_and_dtypes(shape, dtype, device):
    be = get_backend(device)
    x = be.uniform(Stream(0), shape, dtype)
    assert x.shape == shape and x.dtype == dtype
    assert be.random_uint32(Stream(0), shape).shape == shape


def test_distributions():
    n = 100_000
    u = CPU_BACKEND.uniform(Stream(1), (n,))
    assert 0 <= u.min() and u.max() < 1
    assert abs(u.mean() - 0.5) < 0.005 and abs(u.var() - 1 / 12) < 0.002
    counts = np.bincount((u * 16).astype(int), minlength=16)
    assert ((counts - n / 16) ** 2 / (n / 16)).sum() < 45  # chi-square, 15 degrees
    z = Stream(2).normal((n,))
    assert abs(z.mean()) < 0.015 and abs(z.std() - 1) < 0.01
    assert abs((z**3).mean()) < 0.05 and abs((z**4).mean() - 3) < 0.15
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 0.015
    assert np.isfinite(z).all() and Stream(2).normal((3,)).shape == (3,)


def test_permutation():
    p = Stream(4).permutation(1000)
    assert sorted(p.tolist()) == list(range(1000)) and not (p == np.arange(1000)).all()
    assert (Stream(4).permutation(1000) == p).all()
    assert (p == np.argsort(Stream(4).words(1000), kind="stable")).all()
    assert Stream(4).permutation(0).tolist() == [] and Stream(4).permutation(1).tolist() == [0]


def test_streams_differ_by_seed_name_and_position():
    first = [
        Stream(seed, name, position).words(4).tolist()
        for seed in (0, 1)
        for name in ("", "a", "b")
        for position in (0, 1)
    ]
    assert len({tuple(w) for w in first}) == 12


def test_state_goes_on_where_it_was(device):
    be = get_backend(device)
    stream = Stream(9, "dropout")
    be.uniform(stream, (5,))
    state = stream.state()
    assert state == {"seed": 9, "name": "dropout", "position": 1}
    wanted = [be.to_numpy(be.uniform(stream, (5,))).tolist() for _ in range(3)]
    for again in (
        Stream.restore(state),
        pickle.loads(pickle.dumps(Stream.restore(state))),
        copy.deepcopy(Stream.restore(state)),
    ):
        assert [be.to_numpy(be.uniform(again, (5,))).tolist() for _ in range(3)] == wanted
    for bad in ({}, {"seed": 1, "name": "x"}, None):
        with pytest.raises(SerializationError, match="keys seed, name and position"):
            Stream.restore(bad)


@pytest.mark.parametrize("seed", [1.5, "1", None, True])
def test_a_seed_is_an_integer(seed):
    for attempt in (Stream, gpunn.set_seed, gpunn.seed):
        with pytest.raises(ArgumentError, match="a seed must be an integer"):
            attempt(seed)


def test_every_draw_of_many_threads_has_its_own_position():
    stream = Stream(0, "shared")
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda _: tuple(stream.words(4)), range(2000)))
    assert stream.position == 2000 and len(set(drawn)) == 2000
    assert set(drawn) == {tuple(Stream(0, "shared", p).words(4)) for p in range(2000)}


def test_seed_context():
    gpunn.set_seed(3)
    outer = current_seed().stream().words(2).tolist()
    with gpunn.seed(3):
        assert current_seed().stream().words(2).tolist() == outer
        with gpunn.seed(4):
            inner = current_seed().stream().words(2).tolist()
        assert inner != outer
        assert current_seed().stream().name == "stream_1"
    assert current_seed().value == 3 and current_seed().stream().name == "stream_1"
    gpunn.set_seed(np.int64(3))
    assert current_seed().stream().words(2).tolist() == outer
    assert current_seed().stream("named").key == Stream(3, "named").key

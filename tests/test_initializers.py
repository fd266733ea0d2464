"""Initializers: Keras' statistics, the same bits on both devices, seeds, configs."""

import json

import numpy as np
import pytest

import gpunn
from gpunn import initializers
from gpunn.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from tests.golden import cases_audio
from tests.golden.cases_weights import DRAWN, FANS, SHAPES
from tests.harness import assert_close, golden

ALL = [cls.__name__ for cls in initializers.REGISTRY.classes]
RANDOM = [n for n in ALL if n not in ("Constant", "Zeros", "Ones", "Identity", "STFT")]
SNAKE_CASE = [
    *("constant", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity"),
    *("lecun_normal", "lecun_uniform", "ones", "orthogonal", "random_normal", "random_uniform"),
    *("stft", "truncated_normal", "variance_scaling", "zeros"),
]


def cases():
    for i, (name, options) in enumerate(DRAWN):
        for j, shape in enumerate(SHAPES):
            if "input_axes" not in options or len(shape) == 3:
                yield pytest.param(f"drawn/{i}/{j}", name, options, shape, id=f"{name}-{i}-{j}")


def test_every_random_initializer_is_compared():
    assert {name for name, _ in DRAWN} == set(RANDOM)


@pytest.mark.parametrize("key, name, options, shape", list(cases()))
def test_statistics_are_those_of_keras(key, name, options, shape):
    mean, std, low, high = golden("weights")[key]
    x = getattr(initializers, name)(**options, seed=1)(shape).numpy().astype(np.float64)
    error = 5 * std / np.sqrt(x.size)  # of two independent means, 3.5 deviations
    assert abs(x.mean() - mean) < error + 1e-12
    assert abs(x.std() - std) < 5 * std / np.sqrt(x.size) + 1e-12
    if "niform" in name or options.get("distribution") == "uniform":
        assert_close(np.array([x.min(), x.max()]), np.array([low, high]), rtol=2e-3, atol=2e-3)
    elif "runcated" in name or "Glorot" in name:
        assert x.min() >= low - 0.02 * std and x.max() <= high + 0.02 * std


@pytest.mark.parametrize("i, shape", list(enumerate(FANS)))
def test_fans_are_those_of_keras(i, shape):
    assert initializers.compute_fans(shape) == tuple(golden("weights")[f"fans/{i}"])


def test_fans_of_given_axes():
    assert initializers.compute_fans((2, 3, 5), [0, 1], [2]) == (6, 5)


def test_what_is_not_random(device):
    for name, value in (("Zeros", 0), ("Ones", 1), ("Constant", 0)):
        x = getattr(initializers, name)()((2, 3), "int32")
        assert x.numpy().tolist() == [[value] * 3] * 2 and x.dtype == np.int32
        assert x.device == device
    assert_close(initializers.Constant(2.5)((2, 2)), np.full((2, 2), 2.5, np.float32))
    assert_close(initializers.Constant([1.0, 2.0])((2, 2)), np.float32([[1, 2], [1, 2]]))
    assert_close(initializers.Identity(gain=3.0)((3, 4)), golden("weights")["identity"])


@pytest.mark.parametrize("name", RANDOM)
def test_same_bits_on_the_device(device, name):
    with gpunn.device("cpu"):
        host = getattr(initializers, name)(seed=7)((5, 4)).numpy()
    x = getattr(initializers, name)(seed=7)((5, 4))
    assert x.device == device
    assert (x.numpy() == host).all()


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name):
    make = getattr(initializers, name)
    assert (make(seed=7)((5, 4)).numpy() == make(seed=7)((5, 4)).numpy()).all()
    assert (make(seed=7)((5, 4)).numpy() != make(seed=8)((5, 4)).numpy()).any()
    unseeded = make()
    first = unseeded((5, 4)).numpy()
    assert (first == unseeded((5, 4)).numpy()).all()  # as in Keras
    assert (first != make()((5, 4)).numpy()).any()
    assert (first != unseeded.clone()((5, 4)).numpy()).any()
    with gpunn.seed(3):
        a = make()((5, 4)).numpy()
    with gpunn.seed(3):
        b = make()((5, 4)).numpy()
    assert (a == b).all()


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_float32_is_the_rounded_float64(name, dtype):
    make = getattr(initializers, name)
    wide = make(seed=7)((5, 4), "float64").numpy()
    x = make(seed=7)((5, 4), dtype)
    assert x.dtype == dtype and (x.numpy() == wide.astype(dtype)).all()


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 3, 4), (3, 3)])
def test_orthogonal(shape):
    q = initializers.Orthogonal(gain=2.0, seed=1)(shape, "float64").numpy()
    q = q.reshape(-1, shape[-1]) / 2
    q = q if q.shape[0] >= q.shape[1] else q.T
    assert_close(q.T @ q, np.eye(q.shape[1]))


@pytest.mark.parametrize("name", ALL)
def test_config_round_trip(name):
    made = initializers.get(name)
    again = initializers.deserialize(initializers.serialize(made))
    assert type(again) is type(made) and again.get_config() == made.get_config()


def test_names():
    for name in SNAKE_CASE:
        assert getattr(initializers, name) is type(initializers.get(name))
    assert isinstance(initializers.get("normal"), initializers.RandomNormal)
    assert isinstance(initializers.get(initializers.Zeros), initializers.Initializer)
    assert isinstance(initializers.get("zeros")((2,)), gpunn.Tensor)
    assert initializers.get(None) is None
    with pytest.raises(ArgumentError, match="he_normal"):
        initializers.get("he_norml")


def test_arrays_and_functions_are_initializers(device):
    values = np.float32([[1, 2], [3, 4]])
    for given in (values, gpunn.Tensor(values)):
        assert_close(initializers.get(given)((2, 2)), values)
        with pytest.raises(ShapeError, match=r"\(2, 2\)"):
            initializers.get(given)((4,))
    assert initializers.get(np.zeros) is np.zeros
    v = gpunn.Variable(initializers.get("ones"), shape=(2,), dtype="float64")
    assert v.numpy().tolist() == [1.0, 1.0] and v.dtype == np.float64


def test_bad_arguments():
    for make in (
        lambda: initializers.VarianceScaling(scale=0),
        lambda: initializers.VarianceScaling(mode="fan"),
        lambda: initializers.VarianceScaling(distribution="cauchy"),
        lambda: initializers.RandomNormal(stddev=-1),
        lambda: initializers.RandomUniform(1, 0),
    ):
        with pytest.raises(ArgumentError):
            make()
    with pytest.raises(ArgumentTypeError, match="seed"):
        initializers.RandomInitializer(seed="one")
    with pytest.raises(ShapeError):
        initializers.Orthogonal()((3,))
    with pytest.raises(ShapeError):
        initializers.Identity()((3,))
    with pytest.raises(ShapeError):
        initializers.Constant([1.0, 2.0])((3,))
    with pytest.raises(DTypeError, match="int32"):
        initializers.HeNormal()((2, 2), "int32")


def test_other_names():
    assert initializers.IdentityInitializer is initializers.Identity
    assert initializers.OrthogonalInitializer is initializers.Orthogonal


@pytest.mark.parametrize("case", cases_audio.KERNELS)
def test_kernels_of_fourier_transforms(case):
    make = initializers.STFT(**cases_audio.KERNELS[case])
    assert_close(make((6, 1, 9)), golden("audio")[f"kernel/{case}"], rtol=1e-5, atol=1e-6)
    again = initializers.deserialize(initializers.serialize(make))
    assert_close(again((6, 1, 9)), make((6, 1, 9)).numpy(), rtol=0)


def test_wrong_kernels_of_fourier_transforms():
    for options, message in (
        ({"side": "x"}, "side must be"),
        ({"window": "hamm"}, "did you mean 'hamming'"),
        ({"scaling": "x"}, "scaling must be"),
    ):
        with pytest.raises(ArgumentError, match=message):
            initializers.STFT(**options)
    for shape, window in (((6, 2, 9), None), ((6, 9), None), ((6, 1, 9), [1.0, 2.0])):
        with pytest.raises(ShapeError):
            initializers.STFT(window=window)(shape)


def test_configs_of_values_and_generators():
    value = np.arange(6.0).reshape(2, 3)
    config = json.loads(json.dumps(initializers.Constant(value).get_config()))
    again = initializers.Constant.from_config(config)
    assert_close(again((2, 3)), value, rtol=0, atol=0)
    seed = gpunn.random.SeedGenerator(3)
    config = json.loads(json.dumps(initializers.GlorotUniform(seed=seed).get_config()))
    first = initializers.GlorotUniform.from_config(config)((2, 3)).numpy()
    assert_close(initializers.GlorotUniform(seed=seed)((2, 3)), first, rtol=0, atol=0)

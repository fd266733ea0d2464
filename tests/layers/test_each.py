"""What is asked of single layers beyond Keras' numbers: noise, state, devices, errors."""

import copy

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.backend import Stream
from gpunn.errors import ArgumentError, ArgumentTypeError, DataError, GpunnError, ShapeError
from tests.golden import (
    cases_attention,
    cases_audio,
    cases_conv_lstm,
    cases_convolution,
    cases_image_layers,
    cases_layers,
    cases_masks,
    cases_merging,
    cases_normalization,
    cases_recurrent,
)
from tests.harness import assert_close, rand

# arguments for the layers that draw at random
NOISY = {
    "Dropout": {"rate": 0.4},
    "AlphaDropout": {"rate": 0.4},
    "GaussianDropout": {"rate": 0.4},
    "GaussianNoise": {"stddev": 0.4},
    "SpatialDropout1D": {"rate": 0.4},
    "SpatialDropout2D": {"rate": 0.4},
    "SpatialDropout3D": {"rate": 0.4},
}
RANK = {"SpatialDropout1D": 3, "SpatialDropout2D": 4, "SpatialDropout3D": 5}

# compared in test_images.py, or tested there alone
IMAGES = {cls for cls, _, _ in cases_image_layers.CASES.values()}
IMAGES |= {"RandomElasticTransform", "RandAugment", "AugMix", "Pipeline"}
# in test_categories.py
CATEGORIES = {"CategoryEncoding", "Discretization", "Hashing", "HashedCrossing"}
CATEGORIES |= {"StringLookup", "IntegerLookup", "TextVectorization"}


def test_every_layer_has_a_case():
    cases = {**cases_layers.CASES, **cases_convolution.CASES, **cases_normalization.CASES}
    compared = {cls for cls, _, _ in [*cases.values(), *cases_audio.CASES.values()]}
    compared |= {cls for cls, _, _ in cases_merging.CASES.values()}
    for make, *_ in [*cases_recurrent.CASES.values(), *cases_attention.CASES.values()]:
        compared |= {type(layer).__name__ for layer in make(layers).walk()}
    for make, _ in cases_masks.CHAINS.values():
        compared |= {type(layer).__name__ for layer in make(layers)}
    for make, _ in cases_normalization.SPECTRAL.values():
        compared.add(type(make(layers)).__name__)
    compared |= {cls for cls, *_ in cases_conv_lstm.CASES.values()}
    names = {cls.__name__ for cls in layers.REGISTRY.classes}
    left = names - compared - set(NOISY) - IMAGES - CATEGORIES
    assert left == {"InputLayer", "Wrapper"}, "a layer is in none of tests/golden/cases_*.py"


def noisy(name, **options):
    """A layer that draws at random, and ones to give it."""
    layer = getattr(layers, name)(**NOISY[name], **options)
    return layer, np.ones((20, *[6] * (RANK.get(name, 3) - 1)), "float32")


# --- noise ---


@pytest.mark.parametrize("name", NOISY)
def test_noise(name, device):
    layer, x = noisy(name, seed=3)
    assert (layer(x).numpy() == x).all() and (layer(x, training=False).numpy() == x).all()
    a, b = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    assert (a != x).any() and (a != b).any()
    again, _ = noisy(name, seed=3)
    assert_close(again(x, training=True), a, rtol=0, atol=0)
    assert layer.compute_output_shape((None, *x.shape[1:])) == (None, *x.shape[1:])
    config = layer.get_config()
    assert type(layer).from_config(config).get_config() == config


@pytest.mark.parametrize("name", NOISY)
def test_noise_follows_the_global_seed(name):
    draws = []
    for seed in (1, 1, 2):
        gpunn.set_seed(seed)
        layer, x = noisy(name)
        draws.append(layer(x, training=True).numpy())
    assert (draws[0] == draws[1]).all() and (draws[0] != draws[2]).any()


@pytest.mark.parametrize("name", NOISY)
def test_noise_is_the_same_on_both_devices(name, cuda):
    layer, x = noisy(name, seed=3)
    there = copy.deepcopy(layer)
    host = layer(x, training=True).numpy()
    device = there(gpunn.Tensor(x, device="cuda"), training=True).numpy()
    exact = "Dropout" in name and name != "GaussianDropout"
    assert_close(device, host, rtol=0 if exact else 1e-5, atol=0 if exact else 1e-6)


@pytest.mark.parametrize("name", NOISY)
def test_gradient_of_noise(name):
    layer, x = noisy(name, seed=3, dtype="float64")

    def f(x):
        layer.seed_generator.position = 0
        return layer(x, training=True)

    gpunn.autograd.check_gradients(f, x.astype("float64")[:2])


def test_dropout_keeps_the_mean(device):
    y = layers.Dropout(0.3, seed=1)(np.ones((200, 200)), training=True).numpy()
    kept = y != 0
    assert abs(kept.mean() - 0.7) < 0.01
    assert_close(y[kept], np.full(kept.sum(), 1 / 0.7, "float32"))


def test_dropout_of_nothing_and_all(device):
    x = np.ones((3, 4), "float32")
    assert (layers.Dropout(0.0)(x, training=True).numpy() == 1).all()
    x = gpunn.Tensor(x, requires_grad=True)
    y = layers.Dropout(1.0)(x, training=True)
    y.sum().backward()
    assert (y.numpy() == 0).all() and (x.grad.numpy() == 0).all()
    assert layers.Dropout(0.5)(np.ones((0, 4)), training=True).shape == (0, 4)


def test_noise_shape(device):
    x = np.ones((4, 5, 6), "float32")
    y = layers.Dropout(0.5, noise_shape=(None, 1, None), seed=2)(x, training=True).numpy()
    assert (y == y[:, :1]).all() and 0 < (y == 0).mean() < 1
    y = layers.Dropout(0.5, noise_shape=[4, 1, 1], seed=2)(x, training=True).numpy()
    assert (y == y[:, :1, :1]).all()
    with pytest.raises(ShapeError, match=r"noise_shape \(3, 1, 1\) does not fit"):
        layers.Dropout(0.5, noise_shape=(3, 1, 1))(x, training=True)


@pytest.mark.parametrize("rank", [3, 4, 5])
def test_spatial_dropout_drops_channels(rank, device):
    cls = getattr(layers, f"SpatialDropout{rank - 2}D")
    x = np.ones((5, *[3] * (rank - 2), 8), "float32")
    y = cls(0.5, seed=1)(x, training=True).numpy().reshape(5, -1, 8)
    assert (y == y[:, :1]).all() and 0 < (y == 0).mean() < 1
    if rank > 3:
        x = np.ones((5, 8, *[3] * (rank - 2)), "float32")
        first = cls(0.5, data_format="channels_first", seed=1)(x, training=True).numpy()
        assert (first.reshape(5, 8, -1)[:, :, 0] == y[:, 0]).all()
    with pytest.raises(ShapeError, match=f"rank {rank}"):
        cls(0.5)(np.ones((2, 2)))


def test_alpha_dropout_keeps_mean_and_variance():
    x = np.random.default_rng(0).normal(size=(300, 300))
    y = layers.AlphaDropout(0.2, seed=1, dtype="float64")(x, training=True).numpy()
    assert abs(y.mean()) < 0.02 and abs(y.var() - 1) < 0.02


def test_gaussian_moments(device):
    x = np.ones((200, 200), "float32")
    y = layers.GaussianNoise(0.5, seed=1)(x, training=True).numpy()
    assert abs(y.mean() - 1) < 0.01 and abs(y.std() - 0.5) < 0.01
    y = layers.GaussianDropout(0.2, seed=1)(x, training=True).numpy()
    assert abs(y.mean() - 1) < 0.01 and abs(y.std() - 0.5) < 0.01


def test_seeds():
    stream = Stream(5)
    assert layers.Dropout(0.5, seed=stream).seed_generator is stream
    generator = gpunn.random.SeedGenerator(5)
    assert layers.Dropout(0.5, seed=generator).seed_generator is generator.stream
    with pytest.raises(ArgumentTypeError, match="seed must be an integer"):
        layers.Dropout(0.5, seed="one")


def test_saved_position_of_a_stream():
    layer, x = noisy("Dropout", seed=1)
    layer(x, training=True)
    state = layer.seed_generator.state()
    wanted = layer(x, training=True).numpy()
    layer.seed_generator = Stream.restore(state)
    assert (layer(x, training=True).numpy() == wanted).all()


# --- normalization ---


def test_batch_norm_goes_on_in_place(device):
    layer = layers.BatchNormalization(momentum=0.5)
    layer.build((None, 2))
    mean = layer.moving_mean.array
    layer(np.array([[1.0, 2.0], [3.0, 4.0]]), training=True)
    assert layer.moving_mean.array is mean
    assert_close(layer.moving_mean, np.array([1.0, 1.5], "float32"))
    assert_close(layer.moving_variance, np.array([1.0, 1.0], "float32"))
    layer(np.zeros((0, 2)), training=True)
    assert_close(layer.moving_mean, np.array([1.0, 1.5], "float32"))


def test_inference_gradient_does_not_see_later_statistics(device):
    layer = layers.BatchNormalization()
    x = gpunn.Tensor(rand(4, 3).astype("float32"), requires_grad=True)
    layer(x).sum().backward()
    wanted = layer.gamma.grad.numpy().copy()
    layer.gamma.grad = None
    y = layer(x).sum()
    layer(x, training=True)
    y.backward()
    assert_close(layer.gamma.grad, wanted)


def test_long_batches_round_little(device):
    x = rand(100_000, 2).astype("float32") + 100
    layer = layers.BatchNormalization(momentum=0.0)
    y = layer(x, training=True).numpy()
    assert_close(layer.moving_mean, x.mean(0, dtype="float64").astype("float32"), rtol=1e-6)
    assert_close(layer.moving_variance, x.var(0, dtype="float64").astype("float32"), rtol=1e-4)
    assert abs(y.mean(0)).max() < 1e-3


@pytest.mark.parametrize("cls", [layers.BatchNormalization, layers.LayerNormalization])
def test_normalization_in_float16(cls, device):
    x = (rand(64, 8) * 100 + 300).astype("float16")  # squares overflow float16
    wide = x.astype("float64")
    axis = 0 if cls is layers.BatchNormalization else -1
    wanted = (wide - wide.mean(axis, keepdims=True)) / wide.std(axis, keepdims=True)
    y = cls(dtype="float16")(x, training=True)
    assert y.dtype == "float16"
    assert_close(y, wanted.astype("float16"), atol=3e-2)


def test_layer_norm_takes_another_rank():
    layer = layers.LayerNormalization()
    assert layer(np.ones((2, 3))).shape == (2, 3) and layer(np.ones((2, 5, 3))).shape == (2, 5, 3)


def test_no_device_reads_while_training(cuda):
    cudaemu = pytest.importorskip("cudaemu")
    x = gpunn.Tensor(rand(8, 4).astype("float32"), device="cuda").requires_grad_()
    steps = [
        layers.Dense(4, activation="relu"),
        layers.BatchNormalization(),
        layers.LayerNormalization(),
        layers.Dropout(0.5),
        layers.GaussianNoise(0.5),
        layers.PReLU(),
        layers.Flatten(),
        layers.Rescaling([1.0, 2.0, 3.0, 4.0]),
        layers.Normalization(mean=1.0, variance=2.0),
    ]

    def step():
        y = x
        for layer in steps:
            y = layer(y, training=True)
        y.sum().backward()

    step()
    with cudaemu.measure() as counted:
        step()
    assert counted.d2h == 0 and counted.h2d == 0 and counted.stream_syncs == 0


# --- embedding ---


@pytest.mark.parametrize("bad", [5, -1])
def test_an_index_out_of_range(bad, device):
    layer = layers.Embedding(5, 2, name="words")
    layer([[0, 4]])
    message = rf"'words' \(Embedding\): index {bad} at \(1, 0\) is out of range: expected 0 ... 4"
    if device == "cuda":
        message = rf"'words' \(Embedding\): index {bad} is out of range: expected 0 ... 4"
    with pytest.raises(DataError, match=message):
        layer([[0, 1], [bad, 2]]).numpy()
    with pytest.raises(DataError, match=message), gpunn.autograd.detect_anomaly():
        layer([[0, 1], [bad, 2]])  # at the call


def test_embedding_takes_any_indices(device):
    layer = layers.Embedding(5, 2)
    wanted = layer(np.array([[1, 3]], "int32")).numpy()
    for dtype in ("int64", "uint8", "float32", "float64"):
        y = layer(np.array([[1, 3]], dtype))
        assert (y.numpy() == wanted).all() and y.dtype == "float32"
    assert layer(np.zeros((0, 3), "int32")).shape == (0, 3, 2)
    assert layer(np.int32(3)).shape == (2,)


def test_gradient_of_many_rows(device):
    layer = layers.Embedding(50, 33)
    x = np.random.default_rng(0).integers(0, 50, (20, 7))
    dy = rand(20, 7, 33).astype("float32")
    layer(x).backward(dy)
    wanted = np.zeros((50, 33), "float32")
    for i, row in zip(x.ravel(), dy.reshape(-1, 33), strict=True):
        wanted[i] += row
    assert_close(layer.embeddings.grad, wanted, rtol=0, atol=0)


def test_embedding_weights_and_mask(device):
    values = rand(4, 3).astype("float32")
    layer = layers.Embedding(4, 3, weights=[values], mask_zero=True)
    assert (layer([2]).numpy() == values[[2]]).all() and layer.supports_masking
    assert layer.compute_mask(gpunn.Tensor([0, 2])).numpy().tolist() == [False, True]
    assert layers.Embedding(4, 3).compute_mask(gpunn.Tensor([0])) is None
    with pytest.raises(ShapeError):
        layers.Embedding(4, 3, weights=values.T)


# --- preprocessing ---


def test_scales_of_channels_that_come_first():
    x = rand(2, 3, 4, 5).astype("float32")
    gpunn.config.set_image_data_format("channels_first")
    try:
        y = layers.Rescaling([1.0, 2.0, 3.0])(x)
    finally:
        gpunn.config.set_image_data_format("channels_last")
    assert_close(y, x * np.array([1, 2, 3]).reshape(3, 1, 1), rtol=1e-6)


def test_adapt_takes_batches_and_tables():
    pd = pytest.importorskip("pandas")
    x = rand(30, 3).astype("float32")
    whole = layers.Normalization()
    whole.adapt(x)
    for data in (
        [x[:7], x[7:]],
        ((x[i : i + 4], None) for i in range(0, 30, 4)),
        gpunn.Tensor(x),
        x.tolist(),
        pd.DataFrame(x),
    ):
        layer = layers.Normalization()
        layer.adapt(data)
        for a, b in zip(layer.get_weights(), whole.get_weights(), strict=True):
            assert_close(a, b)
    assert (layer.mean.shape, layer.variance.shape) == ((1, 3), (1, 3))


def test_adapt_starts_anew_and_says_what_is_wrong():
    layer = layers.Normalization(name="n")
    layer.adapt(rand(5, 2))
    layer.adapt(np.ones((5, 2)))
    assert layer.adapt_mean.numpy().tolist() == [1, 1]
    before = layer.get_weights()
    bad = np.ones((5, 2))
    bad[3, 1] = np.nan
    with pytest.raises(DataError, match=r"'n' .*nan at row 3, \(3, 1\)"):
        layer.adapt(bad)
    with pytest.raises(ShapeError, match="built for inputs with 2"):
        layer.adapt(np.ones((5, 3)))
    with pytest.raises(DataError, match="no data"):
        layer.adapt([])
    with pytest.raises(ArgumentTypeError, match="array or an iterable"):
        layer.adapt(3)
    with pytest.raises(ArgumentTypeError, match="arrays of rows"):
        layers.Normalization().adapt(iter([42]))
    with pytest.raises(ShapeError, match="built for rank 2"):
        layer.adapt(np.ones((4, 5, 2)))
    with pytest.raises(ArgumentError, match="was given mean"):
        layers.Normalization(mean=0.0, variance=1.0).adapt(bad)
    for a, b in zip(layer.get_weights(), before, strict=True):
        assert (a == b).all()


def test_statistics_of_the_last_axis_fit_inputs_with_more_axes():
    layer = layers.Normalization()
    layer.adapt(rand(5, 6, 3))
    x = rand(2, 5, 6, 3).astype("float32")
    assert_close(layer(x)[1], layer(x[1]).numpy())
    with pytest.raises(ShapeError, match="rank >= 3"):
        layer(x[0, 0])
    with pytest.raises(ShapeError, match="rank 3"):
        fixed = layers.Normalization(axis=2)
        fixed.build((None, 6, 3))
        fixed(x)


def test_given_statistics_keep_their_digits():
    for make in (list, np.array):
        layer = layers.Normalization(mean=make([0.1, 0.2]), variance=make([0.3, 0.4]))
        assert layer.get_config()["mean"] == [0.1, 0.2]


def test_adapted_state_moves_and_inverts(device):
    x = rand(6, 3).astype("float32")
    layer = layers.Normalization()
    layer.adapt(x)
    back = layers.Normalization(invert=True)
    back.adapt(x)
    assert_close(back(layer(x)), x, rtol=1e-5, atol=1e-5)
    assert layer(x).device.kind == device


# --- errors of constructors and shapes ---


def renorm(clipping):
    return layers.BatchNormalization(renorm=True, renorm_clipping=clipping)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Dense(0), "units must be a positive integer, got 0"),
        (lambda: layers.Dense("3"), "units must be a positive integer, got '3'"),
        (lambda: layers.Dense(3, activation="rlu"), "unknown activation 'rlu'"),
        (lambda: layers.Dense(3, kernel_initializer="glorot"), "unknown initializer 'glorot'"),
        (lambda: layers.Activation("swoosh"), "unknown activation 'swoosh'"),
        (lambda: layers.Dropout(1.5), "rate must be a finite number >= 0 and <= 1, got 1.5"),
        (lambda: layers.Dropout("a"), "rate must be a number, got 'a'"),
        (lambda: layers.Dropout(0.5, noise_shape="ab"), "noise_shape must hold positive integers"),
        (lambda: layers.Dropout(0.5, noise_shape=(0, 1)), "noise_shape must hold positive"),
        (lambda: layers.GaussianDropout(1.0), "rate must be below 1"),
        (lambda: layers.GaussianNoise(-1), "stddev must be"),
        (lambda: layers.SpatialDropout2D(0.5, data_format="last"), "unknown data_format of"),
        (lambda: layers.Flatten(data_format="x"), "unknown data_format of"),
        (lambda: layers.ReLU(max_value=-1), "max_value must be"),
        (lambda: layers.LeakyReLU(None), "negative_slope must be a number, got None"),
        (lambda: layers.Reshape((-1, -1)), "at most one -1"),
        (lambda: layers.Permute((0, 1)), "permutation of 1, 2"),
        (lambda: layers.RepeatVector(0), "n must be a positive integer"),
        (lambda: layers.BatchNormalization(epsilon=-1), "epsilon must be"),
        (lambda: renorm({"max": 1}), "not 'max'"),
        (lambda: renorm({"rmin": 2, "rmax": 1}), "rmax 1 is below rmin 2"),
        (lambda: renorm({"dmax": -1}), "dmax must be a number >= 0"),
        (lambda: layers.Embedding(0, 2), "input_dim must be a positive integer"),
        (lambda: layers.Embedding(2, 1.5), "output_dim must be a positive integer"),
        (lambda: layers.Normalization(mean=1.0), "both mean and variance"),
        (lambda: layers.Normalization(mean=[1.0], variance=[1.0, 2.0]), "one shape"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(GpunnError) as error:
        make()
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (lambda: layers.Dense(2), (3,), "expected inputs of shape (batch, ..., n)"),
        (lambda: layers.Permute((2, 1)), (2, 3), "rank 3"),
        (lambda: layers.RepeatVector(2), (2, 3, 4), "rank 2"),
        (lambda: layers.Reshape((5,)), (2, 3), "3 elements, do not fit target_shape (5,)"),
        (lambda: layers.Reshape((2, -1)), (2, 3), "3 elements, do not fit target_shape (2, -1)"),
        (lambda: layers.BatchNormalization(axis=3), (2, 3), "axis 3 is out of range"),
        (lambda: layers.BatchNormalization(axis=0), (2, 3), "size along axis 0 must be known"),
        (lambda: layers.BatchNormalization(axis=[-1]), (2, 3), "axis must be an integer"),
        (lambda: layers.LayerNormalization(axis=[1, 4]), (2, 3), "axis [1, 4] is out of range"),
        (lambda: layers.PReLU(shared_axes=[3]), (2, 3), "shared_axes must be axes from 1 to 1"),
        (lambda: layers.Normalization(axis=2), (2, 3), "axis (2,) is out of range"),
        (lambda: layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 2.0]), (2, 3), "not fit"),
        (lambda: layers.Softmax(axis=2), (2, 3), "softmax"),
    ],
)
def test_wrong_inputs(layer, shape, message):
    layer = layer()
    with pytest.raises(GpunnError) as error:
        layer(np.ones(shape))
    assert message in str(error.value)
    assert not layer.weights


def test_another_shape_than_built_for():
    for layer in (layers.BatchNormalization(), layers.Dense(2), layers.PReLU()):
        layer(np.ones((2, 3)))
        with pytest.raises(ShapeError, match=f"'{layer.name}' was built for inputs with 3"):
            layer(np.ones((2, 4)))


def test_softmax_mask(device):
    x = np.array([[1.0, 2.0, 3.0]])
    for mask in ([[True, True, False]], [[1.0, 1.0, 0.0]]):
        y = layers.Softmax()(x, mask=np.array(mask)).numpy()
        assert y[0, 2] == 0
        assert_close(y[0, :2], np.array([0.26894142, 0.7310586], "float32"))
    with pytest.raises(ShapeError, match="does not broadcast"):
        layers.Softmax()(x, mask=np.ones((2, 2, 3), bool))


def test_repeated_rows_can_be_changed(device):
    layer = layers.RepeatVector(2)
    x = gpunn.Tensor(rand(2, 3).astype("float32"), requires_grad=True)
    (layer(x) * 2).sum().backward()
    assert_close(x.grad, np.full((2, 3), 4.0))


@pytest.mark.parametrize(
    "alias, name",
    [
        ("AvgPool1D", "AveragePooling1D"),
        ("AvgPool2D", "AveragePooling2D"),
        ("AvgPool3D", "AveragePooling3D"),
        ("MaxPool1D", "MaxPooling1D"),
        ("MaxPool2D", "MaxPooling2D"),
        ("MaxPool3D", "MaxPooling3D"),
        ("GlobalAvgPool1D", "GlobalAveragePooling1D"),
        ("GlobalAvgPool2D", "GlobalAveragePooling2D"),
        ("GlobalAvgPool3D", "GlobalAveragePooling3D"),
        ("GlobalMaxPool1D", "GlobalMaxPooling1D"),
        ("GlobalMaxPool2D", "GlobalMaxPooling2D"),
        ("GlobalMaxPool3D", "GlobalMaxPooling3D"),
        ("Convolution1D", "Conv1D"),
        ("Convolution2D", "Conv2D"),
        ("Convolution3D", "Conv3D"),
        ("Convolution1DTranspose", "Conv1DTranspose"),
        ("Convolution2DTranspose", "Conv2DTranspose"),
        ("Convolution3DTranspose", "Conv3DTranspose"),
        ("SeparableConvolution1D", "SeparableConv1D"),
        ("SeparableConvolution2D", "SeparableConv2D"),
    ],
)
def test_other_names(alias, name):
    assert getattr(layers, alias) is getattr(layers, name)

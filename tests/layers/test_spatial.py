"""What is asked of convolution and pooling layers beyond Keras' numbers: devices, masks, errors."""

import re

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.errors import ArgumentError, GpunnError, ShapeError
from tests.harness import assert_close, rand

FILTERS, WINDOW, ONE = {"filters": 3, "kernel_size": 2}, {"kernel_size": 2}, {"output_size": 1}
GROUPS = [
    ("Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose", FILTERS),
    ("SeparableConv1D SeparableConv2D", FILTERS),
    ("DepthwiseConv1D DepthwiseConv2D", WINDOW),
    ("MaxPooling1D MaxPooling2D MaxPooling3D", {}),
    ("AveragePooling1D AveragePooling2D AveragePooling3D", {"pool_size": 2}),
    ("GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D", {}),
    ("GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D", {"keepdims": True}),
    ("AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D", ONE),
    ("AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D", ONE),
    ("UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D", {}),
    ("Cropping1D Cropping2D Cropping3D", {}),
]
EVERY = {name: options for names, options in GROUPS for name in names.split()}


@pytest.mark.parametrize("name", EVERY)
def test_sizes_that_are_not_known(name):
    layer = getattr(layers, name)(**EVERY[name])
    rank = int(re.search(r"(\d)D", name)[1])
    known = layer.compute_output_shape((5, *(4,) * rank, 2))
    unknown = layer.compute_output_shape((None, *(None,) * rank, 2))
    fixed = "Adaptive" in name or "Global" in name
    assert unknown == (None, *(known[1:-1] if fixed else (None,) * rank), known[-1])
    with pytest.raises(ShapeError, match="expected inputs of"):
        layer.compute_output_shape((None, 3))


def small_net():
    return [
        layers.Conv2D(4, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.SeparableConv2D(6, 3, padding="same"),
        layers.AveragePooling2D(2, padding="same"),
        layers.ZeroPadding2D(1),
        layers.Conv2DTranspose(4, 3, strides=2),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.Cropping2D(1),
        layers.GlobalAveragePooling2D(),
    ]


def run(net, x):
    y = x
    for layer in net:
        y = layer(y)
    return y


def test_both_devices_agree(cuda):
    x = rand(2, 8, 8, 3).astype("float32")
    net = small_net()
    host = gpunn.Tensor(x, requires_grad=True)
    run(net, host).sum().backward()
    wanted = [v.grad.numpy() for layer in net for v in layer.weights]
    there = gpunn.Tensor(x, device="cuda", requires_grad=True)
    for layer in net:
        layer.to("cuda")
        for v in layer.weights:
            v.grad = None
    run(net, there).sum().backward()
    assert_close(there.grad, host.grad.numpy(), "gradient")
    for v, dw in zip([v for layer in net for v in layer.weights], wanted, strict=True):
        assert_close(v.grad, dw, "gradient", label=v.path)


def test_no_device_reads(cuda):
    cudaemu = pytest.importorskip("cudaemu")
    x = gpunn.Tensor(rand(2, 8, 8, 3).astype("float32"), device="cuda", requires_grad=True)
    net = small_net()
    run(net, x).sum().backward()
    with cudaemu.measure() as counted:
        run(net, x).sum().backward()
    assert counted.d2h == 0 and counted.h2d == 0 and counted.stream_syncs == 0


@pytest.mark.parametrize("pooling", ["MaxPooling2D", "AdaptiveMaxPooling2D", "GlobalMaxPooling2D"])
def test_a_captured_step_gives_the_same_bits(pooling):
    x, y = rand(8, 8, 8, 3).astype("float32"), rand(8, 2).astype("float32")

    def trained(captured):
        gpunn.set_seed(0)
        last = [getattr(layers, pooling)(**EVERY[pooling]), layers.Flatten(), layers.Dense(2)]
        strided = layers.Conv2D(4, 3, strides=2, groups=2)
        model = gpunn.Sequential([gpunn.Input((8, 8, 3)), *small_net()[:-1], strided, *last])
        model.compile("adam", "mse", jit_compile=captured)
        for _ in range(4):
            model.train_on_batch(x, y)
        return model.get_weights()

    for a, b in zip(trained(True), trained(False), strict=True):
        assert (a == b).all()


def test_both_formats_agree(device):
    x = rand(2, 6, 5, 4).astype("float32")
    for cls, options in (
        (layers.Conv2D, {"filters": 3, "kernel_size": 3}),
        (layers.DepthwiseConv2D, {"kernel_size": 2}),
        (layers.MaxPooling2D, {}),
        (layers.AveragePooling2D, {"pool_size": 2}),
        (layers.UpSampling2D, {}),
    ):
        last, first = cls(**options), cls(**options, data_format="channels_first")
        y = last(x)
        first(np.moveaxis(x, -1, 1))
        first.set_weights(last.get_weights())
        assert_close(np.moveaxis(first(np.moveaxis(x, -1, 1)).numpy(), 1, -1), y, rtol=1e-5)


def test_causal_convolution_sees_nothing_later(device):
    x = rand(1, 10, 3).astype("float32")
    layer = layers.Conv1D(2, 3, padding="causal", dilation_rate=2)
    before = layer(x).numpy()
    x[:, 6:] = 9
    after = layer(x).numpy()
    assert (after[:, :6] == before[:, :6]).all() and (after[:, 6:] != before[:, 6:]).all()


def test_mean_of_what_a_mask_leaves(device):
    x = rand(2, 4, 3).astype("float32")
    mask = np.array([[True, True, False, False], [True, False, True, True]])
    wanted = np.stack([x[i][mask[i]].mean(0) for i in range(2)])
    for layer in (layers.GlobalAveragePooling1D(), layers.GlobalAveragePooling1D(keepdims=True)):
        y = layer(x, mask=mask)
        assert_close(y.numpy().reshape(2, 3), wanted)
        assert layer.compute_mask(x, mask) is None
    first = layers.GlobalAveragePooling1D(data_format="channels_first")
    assert_close(first(x.swapaxes(1, 2), mask=mask), wanted)


def test_names():
    gpunn.clear_session()
    names = [layer.name for layer in (layers.Conv2D(1, 1), layers.Conv2DTranspose(1, 1))]
    assert names == ["conv2d", "conv2d_transpose"]
    assert layers.GlobalMaxPooling1D().name == "global_max_pooling1d"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Conv2D(0, 3), "filters must be a positive integer, got 0"),
        (lambda: layers.Conv2D(3, (1, 2, 3)), "kernel_size must be an integer >= 1, or 2 of them"),
        (lambda: layers.Conv2D(3, 0), "kernel_size must be an integer >= 1"),
        (lambda: layers.Conv2D(3, 3, padding="causal"), "unknown padding of layer 'conv2d'"),
        (lambda: layers.Conv2D(3, 3, strides=2, dilation_rate=2), "one of them must be 1"),
        (lambda: layers.Conv2D(3, 3, groups=2), "filters 3 must be a multiple of groups 2"),
        (lambda: layers.Conv2D(3, 3, data_format="NCHW"), "unknown data_format"),
        (lambda: layers.Conv1DTranspose(3, 3, output_padding=1), "must be below strides (1,)"),
        (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), "depth_multiplier must be"),
        (lambda: layers.MaxPooling2D(2, strides=0), "strides must be an integer >= 1"),
        (lambda: layers.AdaptiveMaxPooling1D("a"), "output_size must be an integer >= 1"),
        (lambda: layers.ZeroPadding2D((1, 2, 3)), "2 pairs (before, after), got (1, 2, 3)"),
        (lambda: layers.Cropping1D(-1), "cropping must be an integer >= 0"),
        (lambda: layers.UpSampling1D(0), "size must be a positive integer"),
        (lambda: layers.UpSampling2D(interpolation="cubic"), "did you mean 'bicubic'"),
    ],
)
def test_wrong_arguments(make, message):
    gpunn.clear_session()
    with pytest.raises(ArgumentError) as error:
        make()
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (lambda: layers.Conv2D(3, 3), (2, 2, 2, 3), "the inputs are too small"),
        (lambda: layers.Conv2D(3, 3), (2, 5, 3), "expected inputs of 4 axes"),
        (lambda: layers.Conv2D(4, 1, groups=2), (2, 2, 2, 3), "cannot be split into groups=2"),
        (lambda: layers.MaxPooling2D(3), (1, 2, 2, 1), "does not fit"),
        (lambda: layers.Cropping2D(5), (1, 3, 3, 1), "the inputs are too small"),
        (lambda: layers.GlobalMaxPooling1D(), (1, 3), "rank 3"),
    ],
)
def test_wrong_inputs(make, shape, message):
    layer = make()
    with pytest.raises(GpunnError) as error:
        layer(np.ones(shape))
    said = str(error.value) + "".join(error.value.__notes__)
    assert message in said and layer.name in said
    assert not layer.weights


def test_other_channels_than_built_for():
    layer = layers.Conv2D(2, 1)
    layer(np.ones((1, 2, 2, 3)))
    with pytest.raises(ShapeError, match="was built for inputs with 3"):
        layer(np.ones((1, 2, 2, 4)))


@pytest.mark.parametrize("cls", [layers.DepthwiseConv2D, layers.SeparableConv2D])
def test_windows_with_gaps_that_move_by_more_than_one(cls, device):
    # as Keras: every other place of the windows that move by one
    first = (5,) if cls is layers.SeparableConv2D else ()
    every, other = cls(*first, 3, dilation_rate=2), cls(*first, 3, strides=2, dilation_rate=2)
    x = rand(2, 9, 8, 3)
    y = every(x)
    other.build(x.shape)
    other.set_weights(every.get_weights())
    assert other.compute_output_shape(x.shape) == (2, 3, 2, y.shape[-1])
    assert_close(other(x), y.numpy()[:, ::2, ::2])

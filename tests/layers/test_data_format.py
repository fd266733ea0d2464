"""The data format that layers and ops take when they are given none."""

import numpy as np
import pytest

import gpunn
from gpunn import layers, ops
from gpunn.errors import ArgumentError
from tests.harness import assert_close, rand

LAYERS = [
    (layers.Conv2D, (4, 3)),
    (layers.Conv2DTranspose, (4, 3)),
    (layers.DepthwiseConv2D, (3,)),
    (layers.SeparableConv2D, (4, 3)),
    (layers.MaxPooling2D, ()),
    (layers.AdaptiveAveragePooling2D, (2,)),
    (layers.GlobalAveragePooling2D, ()),
    (layers.UpSampling2D, ()),
    (layers.ZeroPadding2D, ()),
    (layers.Cropping2D, ()),
    (layers.Flatten, ()),
    (layers.SpatialDropout2D, (0.5,)),
    (layers.Resizing, (4, 5)),
    (layers.CenterCrop, (4, 5)),
    (layers.RandomFlip, ()),
    (layers.RandomRotation, (0.2,)),
    (layers.RandomCrop, (9, 4)),
    (layers.RandomSharpness, (0.5, (0, 1))),
    (layers.RandomGaussianBlur, (1.0, 3, 1.0, (0, 1))),
    (layers.RandomPerspective, (1.0, 0.5)),
    (layers.RandomElasticTransform, (1.0, 0.5)),
    (layers.RandomGrayscale, (1.0,)),
    (layers.RandomSaturation, (0.7, (0, 1))),
    (layers.RandomHue, (0.7, (0, 1))),
]
OPS = [
    (lambda x, **f: ops.conv(x, np.ones((3, 3, 3, 4), "float32"), **f)),
    (lambda x, **f: ops.average_pool(x, 2, **f)),
    (lambda x, **f: ops.image.resize(x, (4, 5), **f)),
    (lambda x, **f: ops.image.pad_images(x, 1, 1, 1, 1, **f)),
    (lambda x, **f: ops.image.rgb_to_hsv(x, **f)),
    (lambda x, **f: ops.image.gaussian_blur(x, **f)),
    (lambda x, **f: ops.image.extract_patches(x, 2, **f)),
    (lambda x, **f: ops.image.affine_transform(x, np.arange(8.0), **f)),
]


@pytest.fixture
def channels_first():
    gpunn.config.set_image_data_format("channels_first")
    yield
    gpunn.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("cls, args", LAYERS, ids=[cls.__name__ for cls, _ in LAYERS])
def test_layers_take_it_when_they_are_made(device, channels_first, cls, args):
    x = gpunn.Tensor(rand(2, 3, 8, 6, low=0, high=1), device=device)
    found = []
    for options in ({"data_format": "channels_first"}, {}):
        gpunn.set_seed(3)
        layer = cls(*args, **options)
        assert layer.get_config()["data_format"] == "channels_first"
        found.append(layer(x, training=True))
    gpunn.config.set_image_data_format("channels_last")
    assert found[1].shape == layer.compute_output_shape(x.shape)  # the layer has kept its format
    assert_close(found[1], found[0])


@pytest.mark.parametrize("op", OPS)
def test_ops_take_it_when_they_are_called(device, channels_first, op):
    x = gpunn.Tensor(rand(2, 3, 8, 6, low=0, high=1), device=device)
    assert_close(op(x), op(x, data_format="channels_first"))
    with pytest.raises(ArgumentError, match="channels_middle"):
        op(x, data_format="channels_middle")


def test_only_two_are_known(channels_first):
    with pytest.raises(ArgumentError, match="known: channels_first, channels_last"):
        gpunn.config.set_image_data_format("first")
    assert gpunn.config.image_data_format() == "channels_first"

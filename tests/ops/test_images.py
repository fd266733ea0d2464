"""ops.image against Keras' numbers, and its gradients, on both devices."""

import numpy as np
import pytest

import gpunn
from gpunn.errors import ArgumentError, DTypeError, GpunnError, ShapeError
from gpunn.ops import image
from tests.golden.cases_images import CASES, INPUTS, run
from tests.harness import assert_close, check_op, golden, rand, to_numpy

SMALL = {name: x[:, :4, :3] if x.ndim == 4 else x for name, x in INPUTS.items()}
SMALL["t"] = INPUTS["t"] + rand(2, 8) / 50  # no place is a whole number, where the slope changes


def like(name, tensor):
    """An input in the dtype of a tensor."""
    return gpunn.Tensor(INPUTS[name].astype(tensor.dtype))


# what is differentiable by what: a function of one tensor, and the tensor
DIFFERENTIABLE = {
    "resize": (lambda x: image.resize(x, (3, 4)), "x"),
    "resize_bicubic": (lambda x: image.resize(x, (2, 5), "bicubic", antialias=True), "x"),
    "resize_nearest": (lambda x: image.resize(x, (2, 5), "nearest"), "x"),
    "resize_pad": (lambda x: image.resize(x, (4, 4), pad_to_aspect_ratio=True), "x"),
    "affine_transform": (lambda x: image.affine_transform(x, INPUTS["t"]), "x"),
    "affine_of_transform": (lambda t: image.affine_transform(like("x", t), t), "t"),
    "affine_nearest": (lambda x: image.affine_transform(x, INPUTS["t"], "nearest"), "x"),
    "map_coordinates": (lambda c: image.map_coordinates(like("g", c), c, 1, "reflect"), "c"),
    "map_coordinates_x": (lambda g: image.map_coordinates(g, INPUTS["c"], 1, "wrap"), "g"),
    "perspective": (lambda a: image.perspective_transform(like("x", a), a, INPUTS["b"]), "a"),
    "gaussian_blur": (lambda x: image.gaussian_blur(x, (3, 5), (1.0, 2.0)), "x"),
    "sobel_edges": (image.sobel_edges, "x"),
    "ssim": (lambda x: image.ssim(x, x * x, filter_size=3), "x"),
    "extract_patches": (lambda x: image.extract_patches(x, 2, 1), "x"),
    "rgb_to_grayscale": (image.rgb_to_grayscale, "x"),
    "rgb_to_hsv": (image.rgb_to_hsv, "x"),
    "hsv_to_rgb": (image.hsv_to_rgb, "x"),
    "scale": (
        lambda s: image.scale_and_translate(like("g", s), (4, 7), s, s * 0.3, (0, 1), "cubic"),
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_keras_numbers(case, device):
    inputs = {name: gpunn.Tensor(x) for name, x in INPUTS.items()}
    y, expected = run(image, CASES[case], inputs), golden("images")[case]
    assert y.dtype == expected.dtype and y.device.kind == device
    whole = expected.dtype.kind != "f"
    loose = 2e-4 if "perspective" in case else 2e-5
    assert_close(y, expected, rtol=0 if whole else loose, atol=1 if whole else loose)
    if whole:  # a half may be rounded the other way
        assert (to_numpy(y) != expected).mean() < 0.02
    for name, x in INPUTS.items():
        assert np.array_equal(inputs[name].numpy(), x), f"{case} changed {name}"


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients(name, device):
    function, of = DIFFERENTIABLE[name]
    x = np.array([0.63, 1.17]) if of is None else SMALL[of]
    check_op(function, x, device=device, edges=False, dtypes=("float32",), rtol=1e-4, atol=1e-4)


def test_every_function_has_a_case():
    assert set(image.__all__) - {c.partition("#")[0] for c in CASES} == {"elastic_transform"}


def test_elastic_transform(device):
    x = gpunn.Tensor(INPUTS["big"])
    still = image.elastic_transform(x, alpha=0.0, seed=1)
    assert_close(still, INPUTS["big"])
    y = image.elastic_transform(x, alpha=20.0, sigma=2.0, seed=1)
    assert (y.numpy() != INPUTS["big"]).mean() > 0.9 and y.shape == x.shape
    again = image.elastic_transform(x, alpha=20.0, sigma=2.0, seed=1)
    assert (y.numpy() == again.numpy()).all()
    first = image.elastic_transform(
        INPUTS["big"].transpose(0, 3, 1, 2), alpha=20.0, sigma=2.0, seed=1,
        data_format="channels_first",
    )  # fmt: skip
    assert_close(first, y.numpy().transpose(0, 3, 1, 2))
    one = image.elastic_transform(INPUTS["u"], seed=1, interpolation="nearest")
    assert one.dtype == "uint8" and set(one.numpy().ravel()) <= set(INPUTS["u"].ravel())


def test_empty_batches(device):
    x = gpunn.Tensor(np.zeros((0, 5, 7, 3), "float32"))
    assert image.resize(x, (2, 2)).shape == (0, 2, 2, 3)
    assert image.affine_transform(x, [1, 0, 0, 0, 1, 0, 0, 0]).shape == (0, 5, 7, 3)
    assert image.rgb_to_grayscale(x).shape == (0, 5, 7, 1)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda x: image.resize(x, 3.5), ArgumentError, "size must be an integer"),
        (lambda x: image.resize(x, (0, 2)), ArgumentError, "size must be"),
        (lambda x: image.resize(x, (2, 2), "cubic"), ArgumentError, "bicubic"),
        (lambda x: image.resize(x[0, 0], (2, 2)), ShapeError, "image of 3 axes or a batch"),
        (lambda x: image.resize(x, (2, 2), fill_mode="wrap"), ArgumentError, "constant"),
        (
            lambda x: image.resize(x, (2, 2), crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
            ArgumentError,
            "not both",
        ),
        (lambda x: image.resize(x, (2, 2), data_format="last"), ArgumentError, "channels_last"),
        (lambda x: image.affine_transform(x, [1.0] * 6), ShapeError, "(8,) or (2, 8)"),
        (lambda x: image.affine_transform(x, [1.0] * 8, "linear"), ArgumentError, "bilinear"),
        (lambda x: image.affine_transform(x, [1.0] * 8, fill_mode="zero"), ArgumentError, "wrap"),
        (lambda x: image.map_coordinates(x, [[0.0]], 1), ShapeError, "(4, ...)"),
        (lambda x: image.map_coordinates(x, [[0.0]] * 4, 2), ArgumentError, "0 or 1"),
        (lambda x: image.map_coordinates(x, [[0]] * 4, 1), DTypeError, "floats, got int32"),
        (lambda x: image.perspective_transform(x, [[0, 0]], [[0, 0]]), ShapeError, "(4, 2)"),
        (lambda x: image.crop_images(x, 1, 1), ArgumentError, "exactly two of top_cropping"),
        (lambda x: image.crop_images(x, 3, 0, 3, 0), ShapeError, "do not fit axis 1"),
        (lambda x: image.crop_images(x, -1, 0, 3, 0), ArgumentError, "top_cropping must be"),
        (lambda x: image.pad_images(x, 1, 1), ArgumentError, "exactly two of top_padding"),
        (
            lambda x: image.pad_images(x, 0, 0, target_height=2, target_width=9),
            ShapeError,
            "axis 1",
        ),
        (lambda x: image.extract_patches(x, (1, 2, 3, 4)), ArgumentError, "2 or 3 integers"),
        (lambda x: image.extract_patches(x, "5"), TypeError, "2 or 3 integers"),
        (lambda x: image.extract_patches_3d(x, (4, 4)), TypeError, "3 of them"),
        (lambda x: image.extract_patches(x[0, 0], 2), ShapeError, "3 or 4 axes"),
        (lambda x: image.rgb_to_grayscale(x[..., :2]), ShapeError, "1 or 3 channels"),
        (lambda x: image.rgb_to_hsv(INPUTS["u"]), DTypeError, "floats from 0 to 1"),
        (lambda x: image.hsv_to_rgb(x[..., :2]), ShapeError, "3 channels"),
        (lambda x: image.ssim(x, x[:1]), ShapeError, "two equal shapes"),
        (lambda x: image.ssim(x, x, filter_size=4), ArgumentError, "odd"),
        (lambda x: image.gaussian_blur(x, (0, 3)), ArgumentError, "kernel_size"),
        (
            lambda x: image.scale_and_translate(x, (2, 2), [1.0], [0.0], [1], "cubic"),
            ShapeError,
            "as many axes",
        ),
        (
            lambda x: image.scale_and_translate(x, x.shape, [1.0], [0.0], [1], "area"),
            ArgumentError,
            "lanczos3",
        ),
    ],
)
def test_wrong_arguments(call, error, said):
    with pytest.raises(error) as caught:
        call(gpunn.Tensor(INPUTS["x"]))
    assert said in str(caught.value) and isinstance(caught.value, GpunnError)


def test_places_in_halves_are_exact(device):
    """Beyond 2048 not every whole number is a half."""
    x = gpunn.Tensor((np.arange(2100) % 7).reshape(1, 1, 2100, 1).astype("float16"))
    transform = gpunn.Tensor(np.array([1, 0, 1, 0, 1, 0, 0, 0], "float16"))
    y = image.affine_transform(x, transform)
    assert y.dtype == "float16"
    np.testing.assert_array_equal(y.numpy()[0, 0, :-1], x.numpy()[0, 0, 1:])

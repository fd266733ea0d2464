"""Images in files."""

import io
import sys

import numpy as np
import pytest

import gpunn
from gpunn import utils
from gpunn.errors import ArgumentError, ArgumentTypeError, MissingDependencyError, ShapeError

pytest.importorskip("PIL")
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 8, 3)).astype("uint8")
PIXELS[0, 0], PIXELS[0, 1] = 0, 255  # so that scaling changes nothing


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_there_and_back(channels, tmp_path):
    x = np.concatenate([PIXELS, PIXELS[..., :1]], -1)[..., :channels]
    path = tmp_path / "image.png"
    utils.save_img(path, x)
    mode = {1: "grayscale", 3: "rgb", 4: "rgba"}[channels]
    y = utils.img_to_array(utils.load_img(path, color_mode=mode))
    assert y.dtype == "float32" and np.array_equal(y, x)
    first = x.transpose(2, 0, 1)
    utils.save_img(path, gpunn.Tensor(first), data_format="channels_first", scale=False)
    again = utils.load_img(str(path), color_mode=mode)
    assert np.array_equal(utils.img_to_array(again, "channels_first", "uint8"), first)


def test_sizes():
    file = io.BytesIO()
    utils.save_img(file, PIXELS, file_format="png")
    for method in ("nearest", "bilinear", "lanczos"):
        found = utils.load_img(io.BytesIO(file.getvalue()), "rgb", (3, 4), method)
        assert utils.img_to_array(found).shape == (3, 4, 3)
    cut = utils.load_img(io.BytesIO(file.getvalue()), target_size=(5, 5), keep_aspect_ratio=True)
    assert np.array_equal(utils.img_to_array(cut), PIXELS[:, 1:6])


def test_scaling_and_jpeg(tmp_path):
    assert np.asarray(utils.array_to_img([[[0.0]], [[2.0]]])).tolist() == [[0], [255]]
    assert np.asarray(utils.array_to_img(np.ones((2, 2, 1)))).max() == 0
    wide = utils.array_to_img(np.full((1, 1, 1), 300.0), scale=False)
    assert np.asarray(wide).tolist() == [[300]]
    with pytest.warns(UserWarning, match="no transparency"):
        utils.save_img(tmp_path / "a.jpg", np.ones((4, 4, 4)))


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: utils.load_img("nowhere.png"), FileNotFoundError, "nowhere.png"),
        (lambda: utils.load_img(3), ArgumentTypeError, "file name"),
        (lambda: utils.load_img("a.png", color_mode="red"), ArgumentError, "grayscale"),
        (lambda: utils.load_img("a.png", interpolation="sinc"), ArgumentError, "lanczos"),
        (lambda: utils.img_to_array(np.ones(3)), ShapeError, "an image"),
        (lambda: utils.img_to_array(np.ones((3, 3)), "last"), ArgumentError, "data_format"),
        (lambda: utils.array_to_img(np.ones((3, 3, 2))), ShapeError, "1, 3 or 4 channels"),
    ],
)
def test_wrong_arguments(call, error, said):
    with pytest.raises(error) as caught:
        call()
    assert said in str(caught.value)


def test_without_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match=r"gpunn\[images\]"):
        utils.load_img("a.png")

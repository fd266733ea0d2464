"""Images in files, by way of Pillow: load_img, save_img, and arrays of images."""

import io
import os
import pathlib
import warnings

import numpy as np

from gpunn.backend.conventions import channels_first
from gpunn.backend.dtypes import standardize
from gpunn.errors import (
    ArgumentTypeError,
    DataError,
    MissingDependencyError,
    MissingFileError,
    ShapeError,
    unknown,
)

MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
RESAMPLING = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def _pillow():
    try:
        from PIL import Image
    except ImportError as e:
        raise MissingDependencyError(
            "images in files need Pillow: pip install 'gpunn[images]'"
        ) from e
    return Image


def load_img(
    path,
    color_mode="rgb",
    target_size=None,
    interpolation="nearest",
    keep_aspect_ratio=False,
):
    """An image of a file, as Pillow has it; `img_to_array` makes an array of it.

    Args:
        path: name of the file, or a `BytesIO` of its bytes.
        color_mode: "rgb" (default), "rgba" or "grayscale".
        target_size: (height, width) to resize to. Default: as it is.
        interpolation: for that: "nearest" (default), "bilinear", "bicubic", "hamming", "box" or
            "lanczos".
        keep_aspect_ratio: whether to cut off what does not fit, rather than to distort.

    Returns:
        A `PIL.Image.Image`.

    Raises:
        FileNotFoundError: if there is no such file.
        ArgumentError: if an argument is not allowed.
        MissingDependencyError: if Pillow is not installed.

    Source: `keras.utils.load_img`.

    >>> import io
    >>> file = io.BytesIO()
    >>> gpunn.utils.save_img(file, np.ones((4, 6, 3)), file_format="png")
    >>> gpunn.utils.load_img(io.BytesIO(file.getvalue()), target_size=(2, 3)).size
    (3, 2)
    """
    image = _pillow()
    if color_mode not in MODES:
        raise unknown("color_mode of load_img", color_mode, MODES)
    if interpolation not in RESAMPLING:
        raise unknown("interpolation of load_img", interpolation, RESAMPLING)
    if isinstance(path, pathlib.Path | str | bytes):
        if not os.path.isfile(path):
            raise MissingFileError(f"load_img: there is no file {path!r}")
        file = io.BytesIO(pathlib.Path(os.fsdecode(path)).read_bytes())
    elif isinstance(path, io.BytesIO):
        file = path
    else:
        raise ArgumentTypeError(f"load_img: expected a file name or BytesIO, got {path!r}")
    try:
        found = image.open(file)
    except image.UnidentifiedImageError as e:
        raise DataError(f"load_img: {path!r} is no image that Pillow can read") from e
    if color_mode != "grayscale" or found.mode not in ("L", "I", "I;16"):
        found = found.convert(MODES[color_mode])
    if target_size is None or found.size == (target_size[1], target_size[0]):
        return found
    height, width = target_size
    box = _middle(found.size, width, height) if keep_aspect_ratio else None
    return found.resize((width, height), getattr(image.Resampling, interpolation.upper()), box=box)


def _middle(size, width, height):
    """The middle of an image that has the ratio of a width and a height."""
    inner = (min(size[0], size[1] * width // height), min(size[1], size[0] * height // width))
    left, top = ((n - m) // 2 for n, m in zip(size, inner, strict=True))
    return left, top, left + inner[0], top + inner[1]


def img_to_array(img, data_format=None, dtype=None) -> np.ndarray:
    """The pixels of an image.

    Args:
        img: a `PIL.Image.Image`.
        data_format: "channels_last" (default) or "channels_first".
        dtype: Default: `floatx`.

    Returns:
        An array of shape (rows, columns, channels).

    Raises:
        ShapeError: if it is no image.
        ArgumentError: if the format is unknown.

    Source: `keras.utils.img_to_array`.

    >>> gpunn.utils.img_to_array(np.zeros((4, 6))).shape
    (4, 6, 1)
    """
    x = np.asarray(img).astype(standardize(dtype))
    if x.ndim not in (2, 3):
        raise ShapeError(f"img_to_array: expected an image, got shape {x.shape}")
    x = x[..., None] if x.ndim == 2 else x
    return x.transpose(2, 0, 1) if channels_first(data_format, "img_to_array") else x


def array_to_img(x, data_format=None, scale=True, dtype=None):
    """The image of an array of pixels.

    Args:
        x: array of shape (rows, columns, channels), with 1, 3 or 4 channels.
        data_format: "channels_last" (default) or "channels_first".
        scale: whether to spread the values from 0 to 255. Default: True.
        dtype: to compute in. Default: `floatx`.

    Returns:
        A `PIL.Image.Image`.

    Raises:
        ShapeError: if x has another shape.
        MissingDependencyError: if Pillow is not installed.

    Source: `keras.utils.array_to_img`.

    >>> gpunn.utils.array_to_img(np.ones((4, 6, 3))).size
    (6, 4)
    """
    image = _pillow()
    x = np.asarray(x.numpy() if hasattr(x, "numpy") else x).astype(standardize(dtype))
    if channels_first(data_format, "array_to_img") and x.ndim == 3:
        x = x.transpose(1, 2, 0)
    if x.ndim != 3 or x.shape[2] not in (1, 3, 4):
        raise ShapeError(
            f"array_to_img: expected (rows, columns, channels) with 1, 3 or 4 channels, got "
            f"{x.shape}"
        )
    if scale and x.size:
        x = x - x.min()
        x = x / (x.max() or 1) * 255
    if x.shape[2] > 1:
        return image.fromarray(x.astype(np.uint8))
    return image.fromarray(x[..., 0].astype(np.int32 if x.max(initial=0) > 255 else np.uint8))


def save_img(path, x, data_format=None, file_format=None, scale=True, **kwargs) -> None:
    """Write an array of pixels to an image file.

    Args:
        path: name of the file, or an open one.
        x: array of shape (rows, columns, channels), with 1, 3 or 4 channels.
        data_format: "channels_last" (default) or "channels_first".
        file_format: "png", "jpeg", ... Default: by the name's ending.
        scale: whether to spread the values from 0 to 255. Default: True.
        **kwargs: more for `PIL.Image.Image.save`.

    Raises:
        ShapeError: if x has another shape.
        MissingDependencyError: if Pillow is not installed.

    Source: `keras.utils.save_img`.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "image.png")
    >>> gpunn.utils.save_img(path, np.ones((4, 6, 3)))
    >>> gpunn.utils.load_img(path).size
    (6, 4)
    """
    if file_format is None and isinstance(path, str | pathlib.Path):
        file_format = pathlib.Path(path).suffix[1:].lower() or None
    file_format = "jpeg" if file_format == "jpg" else file_format
    img = array_to_img(x, data_format=data_format, scale=scale)
    if img.mode == "RGBA" and file_format == "jpeg":
        warnings.warn("JPEG has no transparency: the image is saved without it", stacklevel=2)
        img = img.convert("RGB")
    img.save(path, format=file_format, **kwargs)

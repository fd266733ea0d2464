"""Colors of images: rgb_to_grayscale, rgb_to_hsv, hsv_to_rgb."""

from gpunn.autograd import convert
from gpunn.backend.dtypes import finfo, is_float
from gpunn.errors import DTypeError, ShapeError
from gpunn.ops.arithmetic import mod
from gpunn.ops.choosing import where
from gpunn.ops.core import cast
from gpunn.ops.extrema import max as largest
from gpunn.ops.extrema import min as smallest
from gpunn.ops.indexing import get_item
from gpunn.ops.joining import stack
from gpunn.ops.magnitude import abs as absolute
from gpunn.ops.magnitude import clip
from gpunn.ops.resampling import image_axes

__all__: list[str] = []  # public through `gpunn.ops.image`


def rgb_to_grayscale(images, data_format=None):
    """The brightness of colors: 0.2989 red + 0.5870 green + 0.1140 blue.

    Args:
        images: tensor of shape (batch, rows, columns, channels) or (rows, columns, channels), of
            three channels, or of one, which stays.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of one channel, of the dtype of the images.

    Raises:
        ShapeError: if the images have another rank or number of channels.

    Source: `keras.ops.image.rgb_to_grayscale`.

    >>> gpunn.ops.image.rgb_to_grayscale([[[200, 100, 0]]]).numpy().tolist()
    [[[118]]]
    """
    images = convert(images)
    *_, axis = image_axes("rgb_to_grayscale", images, data_format)
    if images.shape[axis] == 1:
        return images
    red, green, blue = _planes("rgb_to_grayscale", images, axis, (1, 3), keep=True)
    if not is_float(images.dtype):
        red, green, blue = (cast(plane, "float32") for plane in (red, green, blue))
    return cast(red * 0.2989 + green * 0.5870 + blue * 0.1140, images.dtype)


def rgb_to_hsv(images, data_format=None):
    """Red, green and blue as hue, saturation and value, all from 0 to 1.

    Args:
        images: float tensor of shape (batch, rows, columns, 3) or (rows, columns, 3).
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of the shape of the images.

    Raises:
        ShapeError: if the images have another rank or number of channels.
        DTypeError: if they are no floats.

    Source: `keras.ops.image.rgb_to_hsv`.

    >>> gpunn.ops.image.rgb_to_hsv([[[0.0, 0.5, 0.0]]]).numpy().round(3).tolist()
    [[[0.3330000042915344, 1.0, 0.5]]]
    """
    images = _floats("rgb_to_hsv", images)
    *_, axis = image_axes("rgb_to_hsv", images, data_format)
    eps = float(finfo(images.dtype).eps)
    images = where(absolute(images) < eps, 0.0, images)
    red, green, blue = _planes("rgb_to_hsv", images, axis)
    value, least = largest(images, axis=axis), smallest(images, axis=axis)
    spread = value - least
    colored = spread > 0
    saturation = where(value > 0, spread / where(value > 0, value, 1.0), 0.0)
    unit = 1 / (6 * where(colored, spread, 1.0))
    hue = where(
        value == red,
        unit * (green - blue),
        where(value == green, unit * (blue - red) + 2 / 6, unit * (red - green) + 4 / 6),
    )
    hue = where(colored, hue, 0.0) + cast(hue < 0, hue.dtype)
    return stack([hue, saturation, value], axis)


def hsv_to_rgb(images, data_format=None):
    """Hue, saturation and value as red, green and blue, all from 0 to 1.

    Args:
        images: float tensor of shape (batch, rows, columns, 3) or (rows, columns, 3).
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of the shape of the images.

    Raises:
        ShapeError: if the images have another rank or number of channels.
        DTypeError: if they are no floats.

    Source: `keras.ops.image.hsv_to_rgb`.

    >>> gpunn.ops.image.hsv_to_rgb([[[0.0, 1.0, 0.5]]]).numpy().tolist()
    [[[0.5, 0.0, 0.0]]]
    """
    images = _floats("hsv_to_rgb", images)
    *_, axis = image_axes("hsv_to_rgb", images, data_format)
    hue, saturation, value = _planes("hsv_to_rgb", images, axis)
    turn = mod(hue, 1.0) * 6.0
    red = clip(absolute(turn - 3.0) - 1.0, 0.0, 1.0)
    green = clip(2.0 - absolute(turn - 2.0), 0.0, 1.0)
    blue = clip(2.0 - absolute(turn - 4.0), 0.0, 1.0)
    return stack([value * (1.0 - saturation + saturation * c) for c in (red, green, blue)], axis)


def _floats(op, images):
    images = convert(images)
    if not is_float(images.dtype):
        raise DTypeError(f"{op}: expected floats from 0 to 1, got {images.dtype.name}")
    return images


def _planes(op, images, axis, known=(3,), keep=False):
    """The three channels of images, each for itself."""
    if images.shape[axis] != 3:
        wanted = " or ".join(map(str, known))
        raise ShapeError(f"{op}: expected {wanted} channels, got images of shape {images.shape}")
    key = [slice(None)] * images.ndim
    planes = []
    for i in range(3):
        key[axis] = slice(i, i + 1) if keep else i
        planes.append(get_item(images, tuple(key)))
    return planes

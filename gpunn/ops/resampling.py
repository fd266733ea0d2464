"""Images of other sizes: resize, scale_and_translate, crop_images, pad_images.

Interpolation along an axis is a product with a matrix of weights.
"""

from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import numpy as np

from gpunn.autograd import Tensor, convert
from gpunn.backend.conventions import channels_first
from gpunn.backend.dtypes import is_float
from gpunn.errors import ArgumentError, ShapeError, unknown
from gpunn.ops.choosing import where
from gpunn.ops.constants import constant
from gpunn.ops.core import cast, saturate_cast
from gpunn.ops.exponential import exp
from gpunn.ops.indexing import get_item, take
from gpunn.ops.magnitude import abs as absolute
from gpunn.ops.magnitude import maximum
from gpunn.ops.pooling import mix
from gpunn.ops.products import matmul
from gpunn.ops.reduction import sum as total
from gpunn.ops.repeating import pad
from gpunn.ops.rounding import round as rounded
from gpunn.ops.sequences import arange
from gpunn.ops.shaping import _shape, moveaxis
from gpunn.ops.spatial import numbers
from gpunn.ops.trigonometry import sin

__all__: list[str] = []  # public through `gpunn.ops.image`


def image_axes(op: str, images, data_format) -> tuple[int, int, int]:
    """The axes of rows, columns and channels of an image or a batch of images.

    Raises:
        ShapeError: if the images have not 3 or 4 axes.
        ArgumentError: if the format is unknown.
    """
    first, shape = channels_first(data_format, op), _shape(images)
    if len(shape) not in (3, 4):
        raise ShapeError(
            f"{op}: expected an image of 3 axes or a batch of images of 4, got shape {shape}"
        )
    rows = len(shape) - (2 if first else 3)
    return rows, rows + 1, len(shape) - (3 if first else 1)


# --- interpolation ---

# The weight of a value by its distance; `xp` is numpy, or functions of tensors by the same names.
ON_TENSORS = SimpleNamespace(
    maximum=maximum, where=where, sin=sin, exp=exp, abs=absolute, sum=total
)


def _linear(xp, x):
    return xp.maximum(1 - x, 0)


def _cubic(xp, x):
    """Keys' cubic, with a = -1/2."""
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return xp.where(x < 1, near, xp.where(x < 2, far, 0))


def _lanczos(xp, x, radius):
    apart = xp.where(x > 1e-3, x, 1) * np.pi
    y = xp.sin(apart) * xp.sin(apart / radius) * radius / (apart * apart)
    return xp.where(x > 1e-3, xp.where(x > radius, 0, y), 1)


_lanczos3, _lanczos5 = partial(_lanczos, radius=3), partial(_lanczos, radius=5)
KERNELS = {"bilinear": _linear, "bicubic": _cubic, "lanczos3": _lanczos3, "lanczos5": _lanczos5}
INTERPOLATIONS = ("nearest", *KERNELS)
NAMES = {"linear": "bilinear", "trilinear": "bilinear", "cubic": "bicubic", "tricubic": "bicubic"}


def _weights(xp, places, n, inverse, translation, kernel, antialias):
    """The weights of n values in the places of the result, as rows that sum to 1.

    Args:
        xp: numpy, or `ON_TENSORS`.
        places: 0, 1, ... of the result, and of the n values.
        n: how many values there are.
        inverse: one over the scale.
        translation: of the result, in its own units.
        kernel: of `KERNELS`.
        antialias: whether to widen the kernel where the result is smaller.
    """
    to, of = places
    at = (to + 0.5) * inverse - translation * inverse - 0.5
    distance = xp.abs(at[:, None] - of)
    weights = kernel(xp, distance / xp.maximum(inverse, 1.0) if antialias else distance)
    sums = xp.sum(weights, axis=1, keepdims=True)
    known = xp.abs(sums) > 1000 * float(np.finfo(np.float32).eps)
    weights = xp.where(known, weights / xp.where(known, sums, 1), 0)
    inside = xp.where(at >= -0.5, xp.where(at <= n - 0.5, 1, 0), 0)  # of outside, nothing is seen
    return weights * inside[:, None]


@dataclass(frozen=True)
class Interpolation:
    """Makes the matrix that takes n values to `size` values.

    Args:
        method: "bilinear", "bicubic", "lanczos3" or "lanczos5".
        antialias: whether to average over more values where the result is smaller.

    >>> Interpolation("bilinear")(2, 4).round(2).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """

    method: str
    antialias: bool = False

    def __call__(self, n: int, size: int) -> np.ndarray:
        places = np.arange(size, dtype=np.float64), np.arange(n, dtype=np.float64)
        return _weights(np, places, n, n / size, 0.0, KERNELS[self.method], self.antialias)


def resize(
    images,
    size,
    interpolation="bilinear",
    antialias=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    fill_mode="constant",
    fill_value=0.0,
    data_format=None,
):
    """Images of another height and width.

    Args:
        images: tensor of shape (batch, rows, columns, channels) or (rows, columns, channels).
        size: (height, width) of the result.
        interpolation: "bilinear" (default), "nearest", "bicubic", "lanczos3" or "lanczos5".
        antialias: whether to average over more pixels where the result is smaller. Default: False.
        crop_to_aspect_ratio: whether to cut off what does not fit the shape of the result, rather
            than to distort. Default: False.
        pad_to_aspect_ratio: whether to add borders instead. Default: False.
        fill_mode: of the borders: "constant".
        fill_value: of the borders. Default: 0.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of the dtype of the images; integers are rounded.

    Raises:
        ShapeError: if the images have another rank.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.image.resize`.

    >>> image = np.array([[0.0, 4.0]]).reshape(1, 2, 1)
    >>> gpunn.ops.image.resize(image, (1, 4)).numpy().ravel().tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    images = convert(images)
    *axes, _ = image_axes("resize", images, data_format)
    size = numbers("resize", "size", size, 2)
    if interpolation not in INTERPOLATIONS:
        raise unknown("interpolation of resize", interpolation, INTERPOLATIONS)
    if fill_mode != "constant":
        raise unknown("fill_mode of resize", fill_mode, ("constant",))
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError("resize: choose crop_to_aspect_ratio or pad_to_aspect_ratio, not both")
    dtype = images.dtype
    if crop_to_aspect_ratio:
        images = _cut_to_ratio(images, axes, size)
    elif pad_to_aspect_ratio:
        images = _padded_to_ratio(images, axes, size, fill_value)
    for axis, n in zip(axes, size, strict=True):
        before = images.shape[axis]
        if before == n:
            continue
        if interpolation == "nearest":
            places = (np.arange(n, dtype=np.float32) + 0.5) * np.float32(before) / np.float32(n)
            images = take(images, constant(np.floor(places), images, "int32"), axis)
        else:
            make = Interpolation(interpolation, bool(antialias))
            images = mix(images, make=make, size=n, axis=axis)
    if images.dtype == dtype:
        return images
    return saturate_cast(images if is_float(dtype) else rounded(images), dtype)


def _ratio(images, axes, size):
    """Height and width, and those of the same width and of the same height in the new ratio."""
    height, width = (images.shape[a] for a in axes)
    return height, width, int(width * size[0] / size[1]), int(height * size[1] / size[0])


def _cut_to_ratio(images, axes, size):
    """The middle of the images that has the ratio of the size."""
    height, width, *wanted = _ratio(images, axes, size)
    key = [slice(None)] * images.ndim
    for axis, n, m in zip(axes, (height, width), wanted, strict=True):
        m = max(min(n, m), 1)
        start = int((n - m) / 2)
        key[axis] = slice(start, start + m)
    return get_item(images, tuple(key))


def _padded_to_ratio(images, axes, size, value):
    """The images with borders that give them the ratio of the size; above and below, if both."""
    height, width, *wanted = _ratio(images, axes, size)
    for axis, n, m in zip(axes, (height, width), wanted, strict=True):
        border = int((max(n, m) - n) / 2)
        if border:
            widths = [(0, 0)] * images.ndim
            widths[axis] = (border, border)
            return pad(images, tuple(widths), constant_values=value)
    return images


def scale_and_translate(
    images, output_shape, scale, translation, spatial_dims, method, antialias=True
):
    """Images scaled and moved by numbers that may be computed: places off the images are 0.

    Args:
        images: tensor.
        output_shape: of the result.
        scale: vector of a factor for each of `spatial_dims`.
        translation: vector of how far the result is moved along each, in its own pixels.
        spatial_dims: the axes that change.
        method: "linear", "bilinear", "trilinear", "cubic", "bicubic", "tricubic", "lanczos3" or
            "lanczos5".
        antialias: whether to average over more values where the result is smaller. Default: True.

    Returns:
        A float tensor of `output_shape`; gradients flow to images, scale and translation.

    Raises:
        ArgumentError: if the method is unknown.
        ShapeError: if an argument does not fit the images.

    Source: `keras.ops.image.scale_and_translate`.

    >>> x = np.array([1.0, 2.0, 3.0], "float32")
    >>> y = gpunn.ops.image.scale_and_translate(x, (3,), [1.0], [1.0], [0], "linear")
    >>> y.numpy().tolist()
    [0.0, 1.0, 2.0]
    """
    name = NAMES.get(method, method)
    if name not in KERNELS:
        raise unknown("method of scale_and_translate", method, [*NAMES, *KERNELS])
    y = convert(images)
    scale, translation = _factors(scale, y), _factors(translation, y)
    count = len(spatial_dims)
    if len(output_shape) != y.ndim or scale.shape != (count,) or translation.shape != (count,):
        raise ShapeError(
            f"scale_and_translate: images of shape {y.shape} need an output_shape of as many axes, "
            f"got {tuple(output_shape)}, and {count} spatial_dims as many factors, got scale of "
            f"shape {scale.shape} and translation of shape {translation.shape}"
        )
    if not is_float(y.dtype):
        y = cast(y, scale.dtype)
    for i, axis in enumerate(spatial_dims):
        n, size = y.shape[axis], output_shape[axis]
        places = [arange(m, dtype=scale.dtype).to(y.device) for m in (size, n)]
        matrix = _weights(
            ON_TENSORS, places, n, 1 / scale[i], translation[i], KERNELS[name], antialias
        )
        y = moveaxis(matmul(moveaxis(y, axis, -1), cast(matrix, y.dtype).T), -1, axis)
    return y


def _factors(values, like) -> Tensor:
    values = convert(values, device=like.device)
    return values if is_float(values.dtype) else cast(values, "float32")


# --- cutting and surrounding ---


def crop_images(
    images,
    top_cropping=None,
    left_cropping=None,
    bottom_cropping=None,
    right_cropping=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
    """Images without some of their borders; say two of before, after and size for each axis.

    Args:
        images: tensor of shape (batch, rows, columns, channels) or (rows, columns, channels).
        top_cropping, bottom_cropping, target_height: rows cut off above and below, and left.
        left_cropping, right_cropping, target_width: columns likewise.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A view of the images.

    Raises:
        ArgumentError: if not two of three are given, or one is negative.
        ShapeError: if the images are too small, or have another rank.

    Source: `keras.ops.image.crop_images`.

    >>> gpunn.ops.image.crop_images(np.zeros((5, 5, 1)), 1, 1, 2, target_width=3).shape
    (2, 3, 1)
    """
    images = convert(images)
    *axes, _ = image_axes("crop_images", images, data_format)
    given = (
        ("top_cropping", top_cropping, "bottom_cropping", bottom_cropping, target_height),
        ("left_cropping", left_cropping, "right_cropping", right_cropping, target_width),
    )
    key = [slice(None)] * images.ndim
    for axis, (first, before, last, after, target) in zip(axes, given, strict=True):
        n = images.shape[axis]
        names = (first, last, "target_height" if axis == axes[0] else "target_width")
        _two_of_three("crop_images", names, (before, after, target))
        before = n - target - after if before is None else before
        target = n - before - after if target is None else target
        if before < 0 or target < 0 or before + target > n:
            raise ShapeError(
                f"crop_images: {first}={before} and a size of {target} do not fit axis {axis} of "
                f"images of shape {images.shape}"
            )
        key[axis] = slice(before, before + target)
    return get_item(images, tuple(key))


def pad_images(
    images,
    top_padding=None,
    left_padding=None,
    bottom_padding=None,
    right_padding=None,
    target_height=None,
    target_width=None,
    data_format=None,
):
    """Images with borders of zeros; say two of before, after and size for each axis.

    Args:
        images: tensor of shape (batch, rows, columns, channels) or (rows, columns, channels).
        top_padding, bottom_padding, target_height: rows added above and below, and of the result.
        left_padding, right_padding, target_width: columns likewise.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of the dtype of the images.

    Raises:
        ArgumentError: if not two of three are given, or one is negative.
        ShapeError: if the images are too large, or have another rank.

    Source: `keras.ops.image.pad_images`.

    >>> gpunn.ops.image.pad_images(np.zeros((2, 2, 1)), 1, 1, 2, target_width=5).shape
    (5, 5, 1)
    """
    images = convert(images)
    *axes, _ = image_axes("pad_images", images, data_format)
    given = (
        ("top_padding", top_padding, "bottom_padding", bottom_padding, target_height),
        ("left_padding", left_padding, "right_padding", right_padding, target_width),
    )
    widths = [(0, 0)] * images.ndim
    for axis, (first, before, last, after, target) in zip(axes, given, strict=True):
        n = images.shape[axis]
        names = (first, last, "target_height" if axis == axes[0] else "target_width")
        _two_of_three("pad_images", names, (before, after, target))
        before = target - n - after if before is None else before
        after = target - n - before if after is None else after
        if before < 0 or after < 0:
            raise ShapeError(
                f"pad_images: axis {axis} of images of shape {images.shape} does not fit a size "
                f"of {target}: {first}={before}, {last}={after}"
            )
        widths[axis] = (before, after)
    return pad(images, tuple(widths))


def _two_of_three(op, names, values) -> None:
    if [v is None for v in values].count(True) != 1:
        said = ", ".join(f"{n}={v}" for n, v in zip(names, values, strict=True))
        raise ArgumentError(f"{op}: give exactly two of {', '.join(names)}, got {said}")
    for name, value in zip(names, values, strict=True):
        if value is not None and (isinstance(value, bool) or int(value) != value or value < 0):
            raise ArgumentError(f"{op}: {name} must be an integer >= 0, got {value!r}")

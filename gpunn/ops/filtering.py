"""What a pixel's neighbours say: gaussian_blur, sobel_edges, ssim, extract_patches."""

import math
from numbers import Integral

import numpy as np

from gpunn.autograd import Tensor, convert
from gpunn.backend.conventions import channels_first
from gpunn.backend.dtypes import is_float
from gpunn.errors import ArgumentError, ArgumentTypeError, ShapeError
from gpunn.ops.constants import constant
from gpunn.ops.convolution import conv, depthwise_conv
from gpunn.ops.core import cast
from gpunn.ops.joining import stack
from gpunn.ops.reduction import mean
from gpunn.ops.resampling import ON_TENSORS, image_axes
from gpunn.ops.shaping import broadcast_to, expand_dims, moveaxis, squeeze
from gpunn.ops.spatial import numbers

__all__: list[str] = []  # public through `gpunn.ops.image`


def gaussian_blur(images, kernel_size=(3, 3), sigma=(1.0, 1.0), data_format=None):
    """Images whose pixels are weighted means of those around, by a normal distribution.

    Args:
        images: tensor of shape (batch, rows, columns, channels) or (rows, columns, channels).
        kernel_size: how many columns and rows are looked at. Default: 3.
        sigma: the distribution's deviation along columns and rows; a tensor of two may be computed.
            Default: 1.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of the shape and dtype of the images, which are surrounded by zeros.

    Raises:
        ShapeError: if the images have another rank.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.image.gaussian_blur`.

    >>> image = np.array([[0.0, 1.0, 0.0]]).reshape(1, 3, 1)
    >>> gpunn.ops.image.gaussian_blur(image, (3, 1)).numpy().ravel().round(3).tolist()
    [0.274, 0.452, 0.274]
    """
    width, height = numbers("gaussian_blur", "kernel_size", kernel_size, 2)
    if isinstance(sigma, Tensor):
        column, row = (
            _normal(ON_TENSORS, constant(_places(n), sigma), sigma[i])
            for n, i in ((height, 1), (width, 0))
        )
    else:
        across, down = (sigma, sigma) if np.ndim(sigma) == 0 else sigma
        column = _normal(np, _places(height), float(down))
        row = _normal(np, _places(width), float(across))
    # along columns, then along rows: as many products as the kernel is high and wide together
    y = _filtered("gaussian_blur", images, [column[:, None]], "same", data_format)
    y = _filtered("gaussian_blur", squeeze(y, -1), [row[None]], "same", data_format)
    return cast(squeeze(y, -1), convert(images).dtype)


def sobel_edges(images, data_format=None):
    """How much brighter images become downwards and to the right.

    Args:
        images: tensor of shape (batch, rows, columns, channels).
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of the shape of the images and a last axis of 2: along rows, along columns.

    Raises:
        ShapeError: if the images have another rank.

    Source: `keras.ops.image.sobel_edges`.

    >>> gpunn.ops.image.sobel_edges(np.eye(3).reshape(1, 3, 3, 1)).shape
    (1, 3, 3, 1, 2)
    """
    across = np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    return _filtered("sobel_edges", images, [across.T, across], "same", data_format)


def ssim(
    image1,
    image2,
    max_val=1.0,
    filter_size=11,
    filter_sigma=1.5,
    k1=0.01,
    k2=0.03,
    data_format=None,
):
    """How alike two images look, from -1 to 1: the structural similarity index.

    Args:
        image1: tensor of shape (batch, rows, columns, channels) or (rows, columns, channels).
        image2: another of that shape.
        max_val: the largest value that a pixel can have. Default: 1.
        filter_size: size of the windows, an odd integer. Default: 11.
        filter_sigma: deviation of the weights in a window. Default: 1.5.
        k1, k2: keep divisors from 0. Default: 0.01 and 0.03.
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of shape (batch,), or a scalar for single images.

    Raises:
        ShapeError: if the shapes differ, or the images are smaller than the windows.

    Source: `keras.ops.image.ssim`; Wang et al., 2004.

    >>> image = np.arange(144.0).reshape(12, 12, 1) / 144
    >>> round(gpunn.ops.image.ssim(image, image).item(), 4)
    1.0
    """
    image1, image2 = convert(image1), convert(image2)
    if image1.shape != image2.shape:
        raise ShapeError(f"ssim: expected two equal shapes, got {image1.shape} and {image2.shape}")
    if not isinstance(filter_size, Integral) or filter_size < 1 or filter_size % 2 == 0:
        raise ArgumentError(f"ssim: filter_size must be an odd integer, got {filter_size!r}")
    dtype = image1.dtype
    wide = dtype if is_float(dtype) else np.dtype("float32")
    a, b = cast(image1, wide), cast(image2, wide)
    window = _normal(np, _places(filter_size), filter_sigma)

    def means(x):
        y = _filtered("ssim", x, [np.outer(window, window)], "valid", data_format)
        return squeeze(y, -1)

    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    mean_a, mean_b = means(a), means(b)
    aa, bb, ab = mean_a * mean_a, mean_b * mean_b, mean_a * mean_b
    spread = means(a * a) - aa + (means(b * b) - bb)
    together = means(a * b) - ab
    score = (2 * ab + c1) * (2 * together + c2) / ((aa + bb + c1) * (spread + c2))
    return cast(mean(score, axis=(-3, -2, -1)), dtype)


def extract_patches(images, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    """The windows of images or volumes, each as one row of channels.

    Args:
        images: tensor of shape (batch, rows, columns, channels) or (rows, columns, channels);
            with a `size` of three, volumes with one axis more.
        size: of the windows: an integer, or two or three.
        strides: how far they move. Default: their size.
        dilation_rate: how far their values lie apart. Default: 1.
        padding: "valid" (default) or "same".
        data_format: "channels_last" (default) or "channels_first".

    Returns:
        A tensor of shape (batch, places, ..., size * channels), of the dtype of the images.

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.image.extract_patches`.

    >>> gpunn.ops.image.extract_patches(np.zeros((2, 20, 20, 3), "float32"), (5, 5)).shape
    (2, 4, 4, 75)
    """
    rank = 2 if isinstance(size, Integral) else len(size)
    if rank not in (2, 3):
        raise ArgumentTypeError(f"extract_patches: size must hold 2 or 3 integers, got {size!r}")
    size = numbers("extract_patches", "size", size, rank)
    images = convert(images)
    if images.ndim not in (rank + 1, rank + 2):
        raise ShapeError(
            f"extract_patches: windows of {size} need images of {rank + 1} or {rank + 2} axes, "
            f"got shape {images.shape}"
        )
    first = channels_first(data_format, "extract_patches")
    channels = images.shape[-rank - 1 if first else -1]
    taken = math.prod(size) * channels
    batch = expand_dims(images, 0) if images.ndim == rank + 1 else images
    kernel = constant(np.eye(taken).reshape(*size, channels, taken), images)
    y = conv(
        batch,
        kernel,
        strides=size if strides is None else strides,
        padding=padding,
        data_format=data_format,
        dilation_rate=dilation_rate,
    )
    return y if batch is images else squeeze(y, 0)


def extract_patches_3d(
    volumes, size, strides=None, dilation_rate=1, padding="valid", data_format=None
):
    """The windows of volumes, each as one row of channels: `extract_patches` with three sizes.

    Args:
        volumes: tensor of shape (batch, d1, d2, d3, channels) or (d1, d2, d3, channels).
        size, strides, dilation_rate, padding, data_format: see `extract_patches`.

    Returns:
        A tensor of shape (batch, places, ..., size * channels).

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.image.extract_patches_3d`.

    >>> gpunn.ops.image.extract_patches_3d(np.zeros((1, 4, 4, 4, 2), "float32"), 2).shape
    (1, 2, 2, 2, 16)
    """
    size = numbers("extract_patches_3d", "size", size, 3)
    return extract_patches(volumes, size, strides, dilation_rate, padding, data_format)


def _places(n: int) -> np.ndarray:
    """How far n values lie from their middle."""
    return np.arange(n) - (n - 1) / 2


def _normal(xp, places, sigma):
    """Weights of places by a normal distribution, which sum to 1."""
    weights = xp.exp(-0.5 * (places / sigma) ** 2)
    return weights / xp.sum(weights)


def _filtered(op, images, kernels, padding, data_format):
    """Each channel convolved with each kernel, which make a new last axis."""
    images = convert(images)
    *_, channels = image_axes(op, images, data_format)
    x = moveaxis(images, channels, -1)
    batch = expand_dims(x, 0) if images.ndim == 3 else x
    if not is_float(batch.dtype):
        batch = cast(batch, "float32")
    found = []
    for kernel in kernels:
        if not isinstance(kernel, Tensor):
            kernel = constant(kernel, batch)
        same = broadcast_to(kernel[..., None, None], (*kernel.shape, batch.shape[-1], 1))
        found.append(depthwise_conv(batch, same, padding=padding, data_format="channels_last"))
    y = stack(found, -1)
    y = squeeze(y, 0) if images.ndim == 3 else y
    return moveaxis(y, -2, channels)

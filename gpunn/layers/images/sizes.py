"""Layers that give images another size: Resizing, CenterCrop, RandomCrop."""

import numpy as np

from gpunn import ops
from gpunn.errors import unknown
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.images.base import ImageLayer, RandomImageLayer
from gpunn.ops import image
from gpunn.ops.constants import constant
from gpunn.ops.resampling import INTERPOLATIONS


class Resizing(ImageLayer):
    """Images of another height and width.

    Args:
        height, width: of the outputs.
        interpolation: "bilinear" (default), "nearest", "bicubic", "lanczos3" or "lanczos5".
        crop_to_aspect_ratio: whether to cut off what does not fit, rather than to distort.
        pad_to_aspect_ratio: whether to add borders of `fill_value` instead.
        fill_mode: of the borders: "constant".
        fill_value: of the borders. Default: 0.
        antialias: whether to average over more pixels where the outputs are smaller.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, rows, columns, channels) -> (batch, height, width, channels); integers are
    rounded, and keep their dtype.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.Resizing.

    >>> gpunn.layers.Resizing(4, 6)(np.zeros((2, 8, 9, 3))).shape
    (2, 4, 6, 3)
    """

    moves_pixels = always = keeps_integers = True

    def __init__(
        self,
        height,
        width,
        interpolation="bilinear",
        crop_to_aspect_ratio=False,
        pad_to_aspect_ratio=False,
        fill_mode="constant",
        fill_value=0.0,
        antialias=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.height = positive_integer(self, "height", height)
        self.width = positive_integer(self, "width", width)
        if interpolation not in INTERPOLATIONS:
            raise unknown(f"interpolation of {self.name!r}", interpolation, INTERPOLATIONS)
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise wrong(self, "choose crop_to_aspect_ratio or pad_to_aspect_ratio, not both")
        if fill_mode != "constant":
            raise unknown(f"fill_mode of {self.name!r}", fill_mode, ("constant",))
        self.interpolation = interpolation
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.antialias = bool(antialias)

    def change(self, images, drawn, interpolation=None):
        """Resize."""
        return image.resize(
            images,
            (self.height, self.width),
            interpolation or self.interpolation,
            self.antialias,
            self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio,
            self.fill_mode,
            self.fill_value,
            "channels_last",
        )

    def compute_output_shape(self, input_shape):
        """The shape of the images, with height and width."""
        return self._changed_shape(input_shape, (self.height, self.width))


class _Crop(ImageLayer):
    """A layer that cuts images to a size."""

    moves_pixels = always = True

    def __init__(self, height, width, **kwargs):
        super().__init__(**kwargs)
        self.height = positive_integer(self, "height", height)
        self.width = positive_integer(self, "width", width)

    def compute_output_shape(self, input_shape):
        """The shape of the images, with height and width."""
        return self._changed_shape(input_shape, (self.height, self.width))

    def _fitted(self, images, interpolation):
        """The largest part in the middle that has the ratio, resized."""
        size = (self.height, self.width)
        return image.resize(
            images,
            size,
            interpolation or "bilinear",
            crop_to_aspect_ratio=True,
            data_format="channels_last",
        )


class CenterCrop(_Crop):
    """The middle of images; images that are too small are cut to the ratio and resized.

    Args:
        height, width: of the outputs.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, rows, columns, channels) -> (batch, height, width, channels), as floats.

    Raises:
        ArgumentError: if height or width is no positive integer.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.CenterCrop.

    >>> gpunn.layers.CenterCrop(1, 2)(np.arange(12.0).reshape(1, 3, 4, 1)).numpy().ravel().tolist()
    [5.0, 6.0]
    """

    def __init__(self, height, width, data_format=None, **kwargs):
        super().__init__(height, width, data_format=data_format, **kwargs)

    def change(self, images, drawn, interpolation=None):
        """Cut."""
        rows, columns = images.shape[1:3]
        if rows < self.height or columns < self.width:
            return self._fitted(images, interpolation)
        y, x = (rows - self.height) // 2, (columns - self.width) // 2
        return images[:, y : y + self.height, x : x + self.width]


class RandomCrop(_Crop, RandomImageLayer):
    """A random part of images, the same for a whole batch; in inference the middle, resized.

    Images that are not larger than the part are cut in the middle, and resized to its size.

    Args:
        height, width: of the outputs.
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, rows, columns, channels) -> (batch, height, width, channels), as floats.

    Raises:
        ArgumentError: if height or width is no positive integer.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomCrop, whose documentation says what is done in inference; Keras 3.15
    itself returns the images whole there.

    >>> gpunn.layers.RandomCrop(2, 2)(np.zeros((3, 8, 8, 1))).shape
    (3, 2, 2, 1)
    """

    def __init__(self, height, width, seed=None, data_format=None, **kwargs):
        super().__init__(height, width, seed=seed, data_format=data_format, **kwargs)

    def get_random_transformation(self, data, training=True, seed=None):
        """Row and column where the part begins; None for the resized middle."""
        return super().get_random_transformation(data, training, seed) if training else None

    def draw(self, images):
        """Where the part begins: row and column, as tensors if they are drawn."""
        rows, columns = images.shape[1:3]
        if rows > self.height and columns > self.width:
            free = (rows - self.height + 1, columns - self.width + 1)
            return [ops.cast(self.uniform(images, (), 0, n), "int32") for n in free]
        inner = (int(columns * self.height / self.width), int(rows * self.width / self.height))
        free = [n - max(min(n, m), 1) for n, m in zip((rows, columns), inner, strict=True)]
        return [n // 2 for n in free]

    def change(self, images, drawn, interpolation=None):
        """Cut at the place, and resize what is too small."""
        if drawn is None:
            return self._fitted(images, interpolation)
        size = (self.height, self.width)
        for axis, (start, n) in enumerate(zip(drawn, size, strict=True), 1):
            if isinstance(start, int):
                key = (slice(None),) * axis + (slice(start, start + n),)
                images = images[key]
            else:
                places = constant(np.arange(n), images, "int32") + ops.cast(start, "int32")
                images = ops.take(images, places, axis)
        return image.resize(images, size, interpolation or "bilinear", data_format="channels_last")

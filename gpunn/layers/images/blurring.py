"""Layers that look at the neighbours of pixels, or hide pixels: sharpness, blur, erasing."""

import numpy as np

from gpunn import ops
from gpunn.errors import ArgumentTypeError
from gpunn.layers.check import wrong
from gpunn.layers.images.base import RandomImageLayer, box_mask, checked_range, factors
from gpunn.ops import image
from gpunn.ops.constants import constant
from gpunn.ops.noise import gaussian_noise
from gpunn.ops.spatial import numbers

SMOOTH = np.array([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]) / 13


class RandomSharpness(RandomImageLayer):
    """In training, images blurred or sharpened: y = x + (1 - 2 f) (smooth(x) - x).

    Args:
        factor: two limits of f from 0 (smooth) over 0.5 (as it is) to 1 (sharp), or the second
            alone.
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        data_format: "channels_last" (default) or "channels_first".
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomSharpness. The draws are other ones, and the same on every device.

    >>> layer = gpunn.layers.RandomSharpness((0.5, 0.5))
    >>> layer([[[7.0], [9.0]]]).numpy().ravel().tolist()
    [7.0, 9.0]
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factors(self, "factor", factor, 0.0, 1.0)
        self.value_range = checked_range(self, value_range)

    def draw(self, images):
        """How sharp each image becomes."""
        return {"factor": self.uniform(images, (len(images),), *self.factor)}

    def change(self, images, drawn, interpolation=None):
        """Blur or sharpen."""
        kernel = constant(SMOOTH, images)[..., None, None]
        kernel = ops.broadcast_to(kernel, (3, 3, images.shape[-1], 1))
        smooth = ops.depthwise_conv(images, kernel, 1, "same", "channels_last")
        sharp = ops.reshape(drawn["factor"], (-1, 1, 1, 1)) * 2
        return ops.clip(images + (1 - sharp) * (smooth - images), *self.value_range)


class RandomGaussianBlur(RandomImageLayer):
    """In training, images blurred by a normal distribution of random width.

    Args:
        factor: how probable it is, from 0 to 1; two limits, or the second alone. Default: 1, as far
            as it is drawn: half of the images.
        kernel_size: how many columns and rows are looked at, odd numbers. Default: 3.
        sigma: two limits of the distribution's deviation, from 0 to 1, or the second alone, drawn
            for columns and for rows once in a batch. Default: 1.
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        data_format: "channels_last" (default) or "channels_first".
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomGaussianBlur.

    >>> layer = gpunn.layers.RandomGaussianBlur((1.0, 1.0), sigma=(1.0, 1.0))
    >>> layer([[[0.0], [100.0], [0.0]]]).numpy().ravel().round(1).tolist()
    [12.399999618530273, 20.399999618530273, 12.399999618530273]
    """

    def __init__(
        self,
        factor=1.0,
        kernel_size=3,
        sigma=1.0,
        value_range=(0, 255),
        data_format=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factors(self, "factor", factor, 0.0, 1.0)
        self.kernel_size = numbers(f"layer {self.name!r}", "kernel_size", kernel_size, 2)
        if not all(n % 2 for n in self.kernel_size):
            raise wrong(self, f"kernel_size must be odd, got {kernel_size!r}")
        self.sigma = factors(self, "sigma", sigma, 0.0, 1.0)
        self.value_range = checked_range(self, value_range)

    def draw(self, images):
        """Which images, and how wide."""
        chosen = self.chosen(images, self.factor)
        return {
            "should_apply_blur": chosen,
            "blur_factor": self.uniform(images, (2,), *self.sigma) + 1e-6,
        }

    def change(self, images, drawn, interpolation=None):
        """Blur."""
        factor = drawn["blur_factor"]
        blurred = image.gaussian_blur(images, self.kernel_size, factor, "channels_last")
        where = ops.reshape(drawn["should_apply_blur"], (-1, 1, 1, 1))
        return ops.clip(ops.where(where, blurred, images), *self.value_range)


class RandomErasing(RandomImageLayer):
    """In training, a box of each image filled with noise or a color.

    Args:
        factor: how probable it is, from 0 to 1; two limits, or the second alone. Default: 1, as far
            as it is drawn: half of the images.
        scale: two limits of the squares of the box's height and width, as fractions of the
            image's. Default: (0.02, 0.33).
        fill_value: a number, or one for each channel. Default: normal noise.
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomErasing; Zhong et al., 2017, https://arxiv.org/abs/1708.04896

    >>> layer = gpunn.layers.RandomErasing((1.0, 1.0), scale=(1.0, 1.0), fill_value=7)
    >>> layer(np.zeros((1, 1, 2, 1))).numpy().ravel().tolist()
    [7.0, 7.0]
    """

    def __init__(
        self,
        factor=1.0,
        scale=(0.02, 0.33),
        fill_value=None,
        value_range=(0, 255),
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factors(self, "factor", factor, 0.0, 1.0)
        self.scale = factors(self, "scale", scale, 0.0, 1.0)
        single = isinstance(fill_value, int | float) and not isinstance(fill_value, bool)
        if fill_value is not None and not single and not isinstance(fill_value, list | tuple):
            raise wrong(
                self, f"fill_value must be a number or several, got {fill_value!r}",
                ArgumentTypeError,
            )  # fmt: skip
        self.fill_value = fill_value
        self.value_range = checked_range(self, value_range)

    def draw(self, images):
        """Which images, where, and what fills the box."""
        count, rows, columns, _ = images.shape
        size = ops.sqrt(self.uniform(images, (count, 2), *self.scale))
        wide, high = size[:, 0] * columns, size[:, 1] * rows
        x = self.uniform(images, (count,)) * (columns - wide)
        y = self.uniform(images, (count,)) * (rows - high)
        mask = box_mask(images, x, x + wide, y, y + high)
        chosen = self.chosen(images, self.factor)
        return {"apply_erasing": chosen, "batch_masks": mask, "fill_value": self._fill(images)}

    def _fill(self, images):
        if self.fill_value is None:
            high = self.value_range[1]
            values = gaussian_noise(ops.zeros_like(images), high, self.seed_generator)
        else:
            values = constant(self.fill_value, images)
        return ops.clip(values, *self.value_range)

    def change(self, images, drawn, interpolation=None):
        """Fill the boxes."""
        chosen = ops.reshape(drawn["apply_erasing"], (-1, 1, 1, 1))
        where = ops.logical_and(chosen, drawn["batch_masks"])
        return ops.where(where, drawn["fill_value"], images)

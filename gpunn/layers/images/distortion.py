"""Layers that bend images at random: RandomPerspective, RandomElasticTransform."""

import numpy as np

from gpunn import ops
from gpunn.errors import unknown
from gpunn.layers.check import fraction
from gpunn.layers.images.base import (
    RandomImageLayer,
    checked_range,
    factors,
    interpolation_and_fill,
)
from gpunn.ops import image
from gpunn.ops.constants import constant
from gpunn.ops.warping import ORDERS


class RandomPerspective(RandomImageLayer):
    """In training, images seen from another side: their corners moved at random.

    Args:
        factor: how probable it is, from 0 to 1; two limits, or the second alone. Default: 1, as far
            as it is drawn: half of the images.
        scale: how far corners move at most, from 0 to 1. Default: 1.
        interpolation: "bilinear" (default) or "nearest".
        fill_value: of what is off the image. Default: 0.
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomPerspective. The draws are other ones, and the same on every device.

    >>> gpunn.layers.RandomPerspective(scale=0.0)(np.ones((2, 4, 4, 1))).shape
    (2, 4, 4, 1)
    """

    moves_pixels = True

    def __init__(
        self,
        factor=1.0,
        scale=1.0,
        interpolation="bilinear",
        fill_value=0.0,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factors(self, "factor", factor, 0.0, 1.0)
        self.scale = fraction(self, "scale", scale)
        if interpolation not in ORDERS:
            raise unknown(f"interpolation of {self.name!r}", interpolation, ORDERS)
        self.interpolation = interpolation
        self.fill_value = fill_value

    def draw(self, images):
        """Which images, and where their corners are and come to lie."""
        count, rows, columns, _ = images.shape
        corners = [[0, 0], [columns - 1, 0], [0, rows - 1], [columns - 1, rows - 1]]
        start = constant(np.array([corners]), images)
        chosen = self.chosen(images, self.factor)
        moved = self.uniform(images, (count, 4, 2), -0.5 * self.scale, 0.5 * self.scale)
        end = start + start * moved
        return {"apply_perspective": chosen, "start_points": start + 0 * moved, "end_points": end}

    def change(self, images, drawn, interpolation=None):
        """Move the corners."""
        moved = image.perspective_transform(
            images,
            drawn["start_points"],
            drawn["end_points"],
            interpolation or self.interpolation,
            self.fill_value,
            "channels_last",
        )
        where = ops.reshape(drawn["apply_perspective"], (-1, 1, 1, 1))
        return ops.where(where, moved, images)


class RandomElasticTransform(RandomImageLayer):
    """In training, images stretched and squeezed as if they were drawn on rubber.

    Args:
        factor: how probable it is, from 0 to 1; two limits, or the second alone. Default: 1, as far
            as it is drawn: half of the images.
        scale: how strongly: from 0 to 1; two limits, or the second alone. The noise has the
            deviation 0.05 s times the smaller size of the images, and moves pixels by 0.1 s times
            the larger. Default: 1.
        interpolation, fill_mode, fill_value: see `RandomRotation`.
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomElasticTransform; Simard et al., 2003. How strongly is drawn on the
    host.

    >>> gpunn.layers.RandomElasticTransform()(np.ones((2, 8, 8, 1))).shape
    (2, 8, 8, 1)
    """

    moves_pixels = True

    def __init__(
        self,
        factor=1.0,
        scale=1.0,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        value_range=(0, 255),
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factors(self, "factor", factor, 0.0, 1.0)
        self.scale = factors(self, "scale", scale, 0.0, 1.0)
        interpolation_and_fill(self, interpolation, fill_mode, fill_value)
        self.interpolation = interpolation
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.value_range = checked_range(self, value_range)

    def draw(self, images):
        """Which images, how strongly, and a stream for the noise."""
        low, high = self.scale
        if not high or not self.factor[1]:
            return None
        strength = low + (high - low) * float(self.seed_generator.uniform(()))
        return {
            "apply_transform": self.chosen(images, self.factor),
            "distortion_factor": strength,
            "seed": int(self.seed_generator.words(1)[0] >> np.uint64(1)),
        }

    def change(self, images, drawn, interpolation=None):
        """Move the pixels."""
        if drawn is None or not drawn["distortion_factor"]:
            return images
        rows, columns = images.shape[1:3]
        moved = image.elastic_transform(
            images,
            alpha=0.1 * drawn["distortion_factor"] * max(rows, columns),
            sigma=0.05 * drawn["distortion_factor"] * min(rows, columns),
            interpolation=interpolation or self.interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            seed=drawn["seed"],
            data_format="channels_last",
        )
        where = ops.reshape(drawn["apply_transform"], (-1, 1, 1, 1))
        return ops.clip(ops.where(where, moved, images), *self.value_range)

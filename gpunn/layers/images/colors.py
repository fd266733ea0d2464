"""Layers that change colors at random: contrast, brightness, saturation, hue, gray."""

from gpunn import ops
from gpunn.layers.check import fraction
from gpunn.layers.images.base import RandomImageLayer, checked_range, factors, rescaled
from gpunn.ops import image

EPSILON = 1e-7


class _Colors(RandomImageLayer):
    """A layer whose pixels have a range of values."""

    def __init__(self, value_range=(0, 255), **kwargs):
        super().__init__(**kwargs)
        self.value_range = checked_range(self, value_range)

    def clipped(self, images):
        """The images with values in the range."""
        return ops.clip(images, *self.value_range)


class RandomContrast(_Colors):
    """In training, the distance of pixels from the mean of their image and channel changed.

    y = (x - mean) f + mean, f being drawn from 1 - factor[0] to 1 + factor[1] for each image.

    Args:
        factor: two numbers from 0 to 1, or the second alone (the first is 0 then, as in Keras).
        value_range: the smallest and largest value of a pixel, where results are cut off. Default:
            (0, 255).
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomContrast. The draws are other ones, and the same on every device.

    >>> gpunn.layers.RandomContrast((0.0, 0.0))(np.ones((1, 2, 2, 1))).numpy().mean()
    np.float32(1.0)
    """

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(value_range, seed=seed, **kwargs)
        self.factor = factors(self, "factor", factor, 0.0, 1.0)

    def draw(self, images):
        """The factors."""
        low, high = self.factor
        return {"contrast_factor": self.uniform(images, (len(images), 1, 1, 1), 1 - low, 1 + high)}

    def change(self, images, drawn, interpolation=None):
        """Change the contrast."""
        mean = ops.mean(images, axis=(1, 2), keepdims=True)
        return self.clipped((images - mean) * drawn["contrast_factor"] + mean)


class RandomBrightness(_Colors):
    """In training, a number added to all pixels, drawn for each image.

    Args:
        factor: the largest number in both directions, as a fraction of the range of values, from 0
            to 1; or the two limits from -1 to 1.
        value_range: the smallest and largest value of a pixel, where results are cut off. Default:
            (0, 255).
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomBrightness.

    >>> layer = gpunn.layers.RandomBrightness((0.5, 0.5), value_range=(0, 1))
    >>> layer([[[0.25, 1.0]]]).numpy().tolist()
    [[[0.75, 1.0]]]
    """

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(value_range, seed=seed, **kwargs)
        self.factor = factors(self, "factor", factor)

    def draw(self, images):
        """What is added."""
        low, high = self.value_range
        added = self.uniform(images, (len(images), 1, 1, 1), *self.factor) * (high - low)
        return {"rgb_delta": added}

    def change(self, images, drawn, interpolation=None):
        """Add."""
        return self.clipped(images + drawn["rgb_delta"])


class RandomGrayscale(RandomImageLayer):
    """In training, a random fraction of the images without color.

    Args:
        factor: the fraction. Default: 0.5.
        data_format: "channels_last" (default) or "channels_first".
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if the factor is not from 0 to 1.
        ShapeError: if the inputs have another rank or number of channels.

    Source: keras.layers.RandomGrayscale.

    >>> gpunn.layers.RandomGrayscale(1.0)([[[1.0, 0.0, 0.0]]]).numpy().round(4).tolist()
    [[[0.2989000082015991, 0.2989000082015991, 0.2989000082015991]]]
    """

    def __init__(self, factor=0.5, data_format=None, seed=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = fraction(self, "factor", factor)

    def draw(self, images):
        """Which images lose their color."""
        return self.uniform(images, (len(images), 1, 1, 1)) < self.factor

    def change(self, images, drawn, interpolation=None):
        """Take the color away."""
        return ops.where(drawn, image.rgb_to_grayscale(images, "channels_last"), images)


class RandomColorDegeneration(_Colors):
    """In training, colors that are part of the way to gray, drawn for each image.

    Args:
        factor: two limits from 0 (as it is) to 1 (gray), or the second alone.
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        data_format: "channels_last" (default) or "channels_first".
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank or number of channels.

    Source: keras.layers.RandomColorDegeneration.

    >>> layer = gpunn.layers.RandomColorDegeneration((1.0, 1.0))
    >>> layer([[[100.0, 0.0, 0.0]]]).numpy().round(2).tolist()
    [[[29.889999389648438, 29.889999389648438, 29.889999389648438]]]
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = factors(self, "factor", factor, start=0.0)

    def draw(self, images):
        """How far."""
        return {"factor": self.uniform(images, (len(images), 1, 1, 1), *self.factor)}

    def change(self, images, drawn, interpolation=None):
        """Go towards gray."""
        gray = image.rgb_to_grayscale(images, "channels_last")
        return self.clipped(images + drawn["factor"] * (gray - images))


class RandomSaturation(_Colors):
    """In training, the saturation of colors multiplied by f / (1 - f), f drawn for each image.

    Args:
        factor: two limits of f from 0 to 1 (0.5 changes nothing), or the second alone.
        value_range: where saturations are cut off, as in Keras. Default: (0, 255).
        data_format: "channels_last" (default) or "channels_first".
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.

    Shapes: the output has that of the input, of three channels, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank or number of channels.

    Source: keras.layers.RandomSaturation.

    >>> gpunn.layers.RandomSaturation((0.0, 0.0))([[[0.5, 0.0, 0.0]]]).numpy().tolist()
    [[[0.5, 0.5, 0.5]]]
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = factors(self, "factor", factor, start=0.0)

    def draw(self, images):
        """The factors of saturation."""
        f = self.uniform(images, (len(images),), *self.factor)
        return {"factor": f / (1 - f + EPSILON)}

    def change(self, images, drawn, interpolation=None):
        """Change the saturation."""
        hue, saturation, value = ops.split(image.rgb_to_hsv(images, "channels_last"), 3, axis=-1)
        saturation = self.clipped(saturation * ops.reshape(drawn["factor"], (-1, 1, 1, 1)))
        return image.hsv_to_rgb(ops.concatenate([hue, saturation, value], -1), "channels_last")


class RandomHue(_Colors):
    """In training, all colors turned about the wheel of hues, by an angle drawn for each image.

    Args:
        factor: two limits from 0 to 1 (half a turn, either way), or the second alone.
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        data_format: "channels_last" (default) or "channels_first".
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.

    Shapes: the output has that of the input, of three channels, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank or number of channels.

    Source: keras.layers.RandomHue.

    >>> gpunn.layers.RandomHue((1.0, 1.0), value_range=(0, 1))([[[1.0, 0.0, 0.0]]]).numpy().tolist()
    [[[0.0, 1.0, 1.0]]]
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = factors(self, "factor", factor, 0.0, 1.0)

    def draw(self, images):
        """How far, in turns."""
        way = ops.where(self.uniform(images, (len(images),)) > 0.5, -0.5, 0.5)
        far = self.uniform(images, (len(images),), *self.factor)
        return {"factor": ops.cast(way, images.dtype) * far}

    def change(self, images, drawn, interpolation=None):
        """Turn the hues."""
        hsv = image.rgb_to_hsv(rescaled(images, self.value_range, (0, 1)), "channels_last")
        hue, saturation, value = ops.split(hsv, 3, axis=-1)
        hue = hue + ops.reshape(drawn["factor"], (-1, 1, 1, 1))
        hue = ops.where(hue > 1, hue - 1, hue)
        hue = ops.where(hue < 0, hue + 1, hue)
        rgb = image.hsv_to_rgb(ops.concatenate([hue, saturation, value], -1), "channels_last")
        return rescaled(ops.clip(rgb, 0, 1), (0, 1), self.value_range)


class RandomColorJitter(_Colors):
    """In training, brightness, contrast, saturation and hue changed, one after the other.

    Args:
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        brightness_factor, contrast_factor, saturation_factor, hue_factor: see `RandomBrightness`,
            `RandomContrast`, `RandomSaturation`, `RandomHue`; None (default) leaves it.
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomColorJitter.

    >>> gpunn.layers.RandomColorJitter(brightness_factor=0.2)(np.zeros((2, 3, 3, 3))).shape
    (2, 3, 3, 3)
    """

    def __init__(
        self,
        value_range=(0, 255),
        brightness_factor=None,
        contrast_factor=None,
        saturation_factor=None,
        hue_factor=None,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(value_range, seed=seed, data_format=data_format, **kwargs)
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        parts = (
            (RandomBrightness, brightness_factor),
            (RandomContrast, contrast_factor),
            (RandomSaturation, saturation_factor),
            (RandomHue, hue_factor),
        )
        self.parts = [
            part(factor, self.value_range, seed=self.seed_generator, dtype=self.dtype_policy)
            for part, factor in parts
            if factor is not None
        ]

    def draw(self, images):
        """What each part draws."""
        return [part.draw(images) for part in self.parts]

    def change(self, images, drawn, interpolation=None):
        """Change one after the other."""
        for part, own in zip(self.parts, drawn, strict=True):
            images = part.change(images, own)
        return images

"""Layers that move pixels at random: RandomFlip, Rotation, Translation, Zoom, Shear."""

import math

from gpunn import ops
from gpunn.autograd import primitive
from gpunn.errors import unknown
from gpunn.layers.images.base import RandomImageLayer, factors, interpolation_and_fill
from gpunn.ops import image
from gpunn.ops.constants import constant

SAME = (1, 0, 0, 0, 1, 0)  # the transform that moves nothing
FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")


@primitive
def _combined(be, p, q, by_p, by_q, more, /):
    return be.fused(_sum_of_products)(be, p, q, by_p, by_q, more)


def _sum_of_products(be, p, q, by_p, by_q, more):
    return p * by_p + q * by_q + more, None


class RandomFlip(RandomImageLayer):
    """In training, every second image mirrored.

    Args:
        mode: "horizontal": left and right change places; "vertical": above and below; or
            "horizontal_and_vertical" (default): both, in the same images.
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.
        data_format: "channels_last" (default) or "channels_first".

    Call arguments:
        inputs: (batch, rows, columns, channels) or one image, of any numbers.
        training: whether to be at work. Default: True.

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if the mode is unknown.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomFlip. The draws are other ones, and the same on every device.

    >>> layer = gpunn.layers.RandomFlip("horizontal", seed=1)
    >>> x = np.tile([[[1.0], [2.0]]], (8, 1, 1, 1))
    >>> sorted(set(map(tuple, layer(x).numpy()[:, 0, :, 0].tolist())))
    [(1.0, 2.0), (2.0, 1.0)]
    """

    moves_pixels = True

    def __init__(self, mode="horizontal_and_vertical", seed=None, data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        if mode not in FLIPS:
            raise unknown(f"mode of {self.name!r}", mode, FLIPS)
        self.mode = mode

    def draw(self, images):
        """Which images are mirrored."""
        return {"flips": self.uniform(images, (len(images), 1, 1, 1)) <= 0.5}

    def change(self, images, drawn, interpolation=None):
        """Mirror."""
        axes = [a for a, name in ((2, "horizontal"), (1, "vertical")) if name in self.mode]
        return ops.where(drawn["flips"], ops.flip(images, axes), images)


class _Affine(RandomImageLayer):
    """A layer that moves pixels by an affine transform, drawn for each image."""

    moves_pixels = True

    def __init__(self, fill_mode="reflect", interpolation="bilinear", fill_value=0.0, **kwargs):
        super().__init__(**kwargs)
        interpolation_and_fill(self, interpolation, fill_mode, fill_value)
        self.fill_mode = fill_mode
        self.interpolation = interpolation
        self.fill_value = fill_value

    def matrix(self, images, drawn):
        """Numbers p and q, each (batch, 1), and what makes transforms of them.

        Three rows of six numbers, which are multiplied with p and q, and added: the sum is
        (a0, a1, a2, b0, b1, b2) of `affine_transform`.
        """
        raise NotImplementedError

    def change(self, images, drawn, interpolation=None):
        """Move the pixels."""
        p, q, *rows = self.matrix(images, drawn)
        rows = [constant((*row, 0, 0), p) for row in rows]
        return image.affine_transform(
            images,
            _combined(p, q, *rows),
            interpolation or self.interpolation,
            self.fill_mode,
            self.fill_value,
            "channels_last",
        )


class RandomRotation(_Affine):
    """In training, images turned about their middle.

    Args:
        factor: the largest angle in both directions, in turns; or the two limits. Positive angles
            turn against the clock.
        fill_mode: what is seen off the image: "reflect" (default), "wrap", "constant", "nearest".
        interpolation: "bilinear" (default) or "nearest".
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.
        fill_value: of "constant". Default: 0.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomRotation.

    >>> layer = gpunn.layers.RandomRotation((0.25, 0.25))
    >>> layer([[[1.0], [2.0]], [[3.0], [4.0]]]).numpy()[..., 0].round(3).tolist()
    [[2.0, 4.0], [1.0, 3.0]]
    """

    def __init__(
        self,
        factor,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(
            fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.factor = factors(self, "factor", factor)

    def draw(self, images):
        """The angles in degrees."""
        low, high = (360.0 * f for f in self.factor)
        return {"angle": self.uniform(images, (len(images),), low, high)}

    def matrix(self, images, drawn):
        """A turn about the middle."""
        y, x = ((n - 1) / 2 for n in images.shape[1:3])
        angle = ops.reshape(drawn["angle"], (-1, 1)) * (math.pi / 180)
        by_cos, by_sin = (1, 0, -x, 0, 1, -y), (0, -1, y, 1, 0, -x)
        return ops.cos(angle), ops.sin(angle), by_cos, by_sin, (0, 0, x, 0, 0, y)


class RandomTranslation(_Affine):
    """In training, images moved up or down, left or right.

    Args:
        height_factor: how far down at most, as a fraction of the height, and as far up; or the two
            limits.
        width_factor: how far to the right at most, and as far to the left; or the two limits.
        fill_mode, interpolation, seed, fill_value, data_format: see `RandomRotation`.

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomTranslation.

    >>> layer = gpunn.layers.RandomTranslation((0.5, 0.5), 0.0, fill_mode="constant")
    >>> layer([[[1.0], [2.0]], [[3.0], [4.0]]]).numpy()[..., 0].tolist()
    [[0.0, 0.0], [1.0, 2.0]]
    """

    def __init__(
        self,
        height_factor,
        width_factor,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(
            fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.height_factor = factors(self, "height_factor", height_factor)
        self.width_factor = factors(self, "width_factor", width_factor)

    def draw(self, images):
        """How far images move to the right and down, in pixels."""
        count, rows, columns, _ = images.shape
        down = self.uniform(images, (count, 1), *self.height_factor) * rows
        right = self.uniform(images, (count, 1), *self.width_factor) * columns
        return {"translations": ops.concatenate([right, down], 1)}

    def matrix(self, images, drawn):
        """A move."""
        moved = drawn["translations"]
        right, down = (0, 0, -1, 0, 0, 0), (0, 0, 0, 0, 0, -1)
        return moved[:, :1], moved[:, 1:], right, down, SAME


class RandomZoom(_Affine):
    """In training, images seen from nearer or farther.

    Args:
        height_factor: at most how much higher the part is that is seen, as a fraction of the
            height (0.2: 20 % more, zooming out), and as much less; or the two limits.
        width_factor: the same of the width. Default: as drawn for the height.
        fill_mode, interpolation, seed, fill_value, data_format: see `RandomRotation`.

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomZoom.

    >>> layer = gpunn.layers.RandomZoom((-0.5, -0.5), interpolation="nearest")
    >>> layer(np.arange(16.0).reshape(4, 4, 1)).numpy()[1, :, 0].tolist()
    [5.0, 5.0, 6.0, 6.0]
    """

    def __init__(
        self,
        height_factor,
        width_factor=None,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(
            fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.height_factor = factors(self, "height_factor", height_factor)
        given = width_factor is not None
        self.width_factor = factors(self, "width_factor", width_factor) if given else None

    def draw(self, images):
        """How many pixels of the image one of the result is high and wide."""
        shape = (len(images), 1)
        low, high = self.height_factor
        height = width = self.uniform(images, shape, 1 + low, 1 + high)
        if self.width_factor is not None:
            low, high = self.width_factor
            width = self.uniform(images, shape, 1 + low, 1 + high)
        return {"height_zoom": height, "width_zoom": width}

    def matrix(self, images, drawn):
        """A scaling about the middle."""
        y, x = ((n - 1) / 2 for n in images.shape[1:3])
        wide, high = (1, 0, -x, 0, 0, 0), (0, 0, 0, 0, 1, -y)
        return drawn["width_zoom"], drawn["height_zoom"], wide, high, (0, 0, x, 0, 0, y)


class RandomShear(_Affine):
    """In training, images slanted.

    Args:
        x_factor: how many columns at most each row moves against the one above; or the two limits,
            from 0 to 1. Half of the images are slanted the other way. Default: 0.
        y_factor: the same of columns. Default: 0.
        interpolation, fill_mode, fill_value, data_format, seed: see `RandomRotation`.

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomShear.

    >>> gpunn.layers.RandomShear(0.5)(np.ones((2, 4, 4, 1))).numpy().min()
    np.float32(1.0)
    """

    def __init__(
        self,
        x_factor=0.0,
        y_factor=0.0,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        data_format=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.x_factor = _slant(self, "x_factor", x_factor)
        self.y_factor = _slant(self, "y_factor", y_factor)

    def draw(self, images):
        """How far each row moves against the last, and each column."""
        shape = (len(images), 1)
        way = ops.where(self.uniform(images, shape) > 0.5, -1.0, 1.0)
        slants = [self.uniform(images, shape, *f) for f in (self.y_factor, self.x_factor)]
        return {"shear_factor": ops.concatenate(slants[::-1], 1) * ops.cast(way, images.dtype)}

    def matrix(self, images, drawn):
        """A slant."""
        slant = drawn["shear_factor"]
        return slant[:, :1], slant[:, 1:], (0, 1, 0, 0, 0, 0), (0, 0, 0, 1, 0, 0), SAME


def _slant(layer, name, value):
    """Two limits, or one number from 0 to 1 for from its negative to itself."""
    pair = isinstance(value, list | tuple)
    low, high = factors(layer, name, value, -1.0 if pair else 0.0)
    return (low, high) if pair else (-high, high)

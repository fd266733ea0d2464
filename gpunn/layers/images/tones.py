"""Layers that map values of pixels: inversion, posterization, solarization, contrast."""

from gpunn import ops
from gpunn.layers.check import positive_integer
from gpunn.layers.images.base import (
    ImageLayer,
    RandomImageLayer,
    checked_range,
    factors,
    rescaled,
)

BITS = 8  # of a value from 0 to 255


class RandomInvert(RandomImageLayer):
    """In training, images as negatives: y = value_range[1] - x.

    Args:
        factor: how probable it is, from 0 to 1; two limits, or the second alone. Default: 1, as far
            as it is drawn: half of the images.
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomInvert.

    >>> gpunn.layers.RandomInvert((1.0, 1.0))([[[0.0, 55.0]]]).numpy().tolist()
    [[[255.0, 200.0]]]
    """

    def __init__(self, factor=1.0, value_range=(0, 255), seed=None, data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factors(self, "factor", factor, 0.0, 1.0)
        self.value_range = checked_range(self, value_range)

    def draw(self, images):
        """Which images."""
        return {"apply_inversion": self.chosen(images, self.factor)}

    def change(self, images, drawn, interpolation=None):
        """Invert."""
        where = ops.reshape(drawn["apply_inversion"], (-1, 1, 1, 1))
        return ops.where(where, self.value_range[1] - images, images)


class RandomPosterization(RandomImageLayer):
    """In training, values with fewer bits: the lowest of eight set to 0.

    Args:
        factor: how many bits stay, from 1 to 8: two limits, of which the second is not reached, or
            one number: from 1 up to it.
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        data_format: "channels_last" (default) or "channels_first".
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.RandomPosterization.

    >>> gpunn.layers.RandomPosterization((2, 2))([[[63.0, 64.0, 255.0]]]).numpy().tolist()
    [[[0.0, 64.0, 192.0]]]
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factors(self, "factor", factor, 1, BITS)
        self.value_range = checked_range(self, value_range)

    def draw(self, images):
        """How many bits are lost."""
        low, high = self.factor
        kept = ops.floor(self.uniform(images, (len(images),), low, high))
        return {"shift_factor": ops.cast(BITS - kept, "uint8")}

    def change(self, images, drawn, interpolation=None):
        """Drop the bits."""
        lost = ops.reshape(drawn["shift_factor"], (-1, 1, 1, 1))
        bits = ops.saturate_cast(rescaled(images, self.value_range, (0, 255)), "uint8")
        bits = ops.left_shift(ops.right_shift(bits, lost), lost)
        return rescaled(ops.cast(bits, images.dtype), (0, 255), self.value_range)


class Solarization(RandomImageLayer):
    """In training, a number added to values, and those above a threshold inverted.

    Args:
        addition_factor: the number as a fraction of the range; two limits, or the second alone.
            Default: 0.
        threshold_factor: the threshold, likewise. Default: 0.
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.Solarization, which takes the lower limits as numbers from 0 to 255.

    >>> layer = gpunn.layers.Solarization()
    >>> layer([[[0.0, 55.0]]]).numpy().tolist()
    [[[255.0, 200.0]]]
    """

    def __init__(
        self, addition_factor=0.0, threshold_factor=0.0, value_range=(0, 255), seed=None, **kwargs
    ):
        super().__init__(seed=seed, **kwargs)
        start = {"low": 0.0, "high": 1.0, "start": 0.0}
        self.addition_factor = factors(self, "addition_factor", addition_factor, **start)
        self.threshold_factor = factors(self, "threshold_factor", threshold_factor, **start)
        self.value_range = checked_range(self, value_range)

    def draw(self, images):
        """What is added, and the thresholds."""
        drawn = {}
        for name, (low, high) in (
            ("additions", self.addition_factor),
            ("thresholds", self.threshold_factor),
        ):
            drawn[name] = self.uniform(images, (len(images), 1, 1, 1), low, high * 255)
        return drawn

    def change(self, images, drawn, interpolation=None):
        """Add and invert."""
        y = rescaled(images, self.value_range, (0, 255)) + drawn["additions"]
        y = ops.clip(y, 0, 255)
        y = ops.where(y < drawn["thresholds"], y, 255 - y)
        return rescaled(y, (0, 255), self.value_range)


class AutoContrast(ImageLayer):
    """Each channel of each image stretched, so that it has the darkest and the brightest value.

    It is at work in inference too.

    Args:
        value_range: the smallest and largest value of a pixel. Default: (0, 255).

    Shapes: the output has that of the input, as floats; a channel of one value stays.

    Raises:
        ArgumentError: if the range is none.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.AutoContrast.

    >>> gpunn.layers.AutoContrast()([[[100.0], [110.0], [120.0]]]).numpy().ravel().tolist()
    [0.0, 127.5, 255.0]
    """

    always = True

    def __init__(self, value_range=(0, 255), **kwargs):
        super().__init__(**kwargs)
        self.value_range = checked_range(self, value_range)

    def change(self, images, drawn, interpolation=None):
        """Stretch."""
        x = rescaled(images, self.value_range, (0, 255))
        low = ops.min(x, axis=(1, 2), keepdims=True)
        spread = ops.max(x, axis=(1, 2), keepdims=True) - low
        scale = 255 / ops.where(spread > 0, spread, 1.0)
        y = rescaled(ops.clip(x * scale - low * scale, 0, 255), (0, 255), self.value_range)
        return ops.where(spread > 0, y, images)


class Equalization(ImageLayer):
    """In training, values spread so that each is as frequent as the others, channel by channel.

    Args:
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        bins: how many values are told apart. Default: 256.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: the output has that of the input, as floats. The images of a batch count together.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.Equalization.

    >>> gpunn.layers.Equalization()([[[1.0], [2.0], [3.0]]]).numpy().ravel().tolist()
    [0.0, 128.0, 255.0]
    """

    def __init__(self, value_range=(0, 255), bins=256, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = checked_range(self, value_range)
        self.bins = positive_integer(self, "bins", bins)

    def change(self, images, drawn, interpolation=None):
        """Equalize each channel."""
        channels = [self._equalized(images[..., c]) for c in range(images.shape[-1])]
        return ops.stack(channels, -1)

    def _equalized(self, channel):
        x = rescaled(channel, self.value_range, (0, 255))
        bins = ops.cast(ops.clip(x * (self.bins - 1) / 255, 0, self.bins - 1), "int32")
        ones = ops.ones_like(bins)
        counts = ops.segment_sum(ops.reshape(ones, -1), ops.reshape(bins, -1), self.bins)
        below = ops.cumsum(counts)
        # the first count that is not 0: what lies in the lowest bin that is used
        used = ops.where(below > 0, below, below[-1])
        least, whole = ops.min(used), below[-1]
        table = (below - least) * 255 / ops.maximum(whole - least, 1)
        table = ops.clip(ops.round(table), 0, 255)
        spread = ops.cast(ops.take(table, bins, 0), x.dtype)
        y = ops.where(ops.count_nonzero(counts) <= 1, x, spread)
        return rescaled(y, (0, 255), self.value_range)

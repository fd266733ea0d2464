"""ContrastLimitedAdaptiveHistogramEqualization: values spread anew in every part of an image."""

import numpy as np

from gpunn import ops
from gpunn.layers.check import not_negative, positive_integer, wrong
from gpunn.layers.images.base import ImageLayer, checked_range, rescaled
from gpunn.ops.constants import constant

LEVELS = 256


class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """Values spread so that all are as frequent, by the tile of the image that they lie in.

    The curve from old to new values is that of `Equalization`, for each tile and channel, without
    steps that would make noise of what is nearly even; between the middles of tiles, the results
    of their curves are mixed in proportion. It is at work in inference too.

    Args:
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        clip_limit: how many times as frequent as the mean a value may count; what is above is
            spread over all values. 0: no limit. Default: 4.
        tile_grid_size: the number of tiles down and across. Default: (8, 8).
        data_format: "channels_last" (default) or "channels_first".

    Shapes: the output has that of the input, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.ContrastLimitedAdaptiveHistogramEqualization; Zuiderveld, 1994.

    >>> equalize = gpunn.layers.ContrastLimitedAdaptiveHistogramEqualization
    >>> x = np.array([[[0.0], [1.0], [2.0], [9.0]]])
    >>> equalize(clip_limit=0, tile_grid_size=(1, 1))(x).numpy().ravel().round().tolist()
    [0.0, 85.0, 170.0, 255.0]
    """

    always = True

    def __init__(
        self,
        value_range=(0, 255),
        clip_limit=4.0,
        tile_grid_size=(8, 8),
        data_format=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = checked_range(self, value_range)
        self.clip_limit = not_negative(self, "clip_limit", clip_limit)
        if not isinstance(tile_grid_size, list | tuple) or len(tile_grid_size) != 2:
            raise wrong(self, f"tile_grid_size must be two integers, got {tile_grid_size!r}")
        self.tile_grid_size = tuple(
            positive_integer(self, "tile_grid_size", n) for n in tile_grid_size
        )

    def change(self, images, drawn, interpolation=None):
        """Equalize."""
        sizes = images.shape[1:3]
        tile = [-(-n // count) for n, count in zip(sizes, self.tile_grid_size, strict=True)]
        more = [t * count - n for t, count, n in zip(tile, self.tile_grid_size, sizes, strict=True)]
        x = rescaled(images, self.value_range, (0, LEVELS - 1))
        x = ops.pad(x, [(0, 0), (0, more[0]), (0, more[1]), (0, 0)], mode="symmetric")
        levels = ops.cast(ops.clip(x, 0, LEVELS - 1), "int32")
        y = self._mixed(self._curves(levels, tile), levels, tile, images.dtype)
        return rescaled(y[:, : sizes[0], : sizes[1]], (0, LEVELS - 1), self.value_range)

    def _indices(self, levels, y, x):
        """Where the levels of pixels are in the curves of the tiles in rows y and columns x."""
        batch, _, _, channels = levels.shape
        down, across = self.tile_grid_size
        image = constant(np.arange(batch).reshape(-1, 1, 1, 1) * (down * across), levels)
        place = image + constant(y.reshape(1, -1, 1, 1) * across, levels)
        place = (place + constant(x.reshape(1, 1, -1, 1), levels)) * channels
        return (place + constant(np.arange(channels), levels)) * LEVELS + levels

    def _curves(self, levels, tile):
        """The new value of each level, for each image, tile and channel: (-1, LEVELS)."""
        size = tile[0] * tile[1]
        own = [np.arange(n) // t for n, t in zip(levels.shape[1:3], tile, strict=True)]
        at = ops.reshape(self._indices(levels, *own), -1)
        total = levels.shape[0] * levels.shape[3] * np.prod(self.tile_grid_size) * LEVELS
        counts = ops.segment_sum(ops.cast(ops.ones_like(at), "float32"), at, int(total))
        counts = ops.reshape(counts, (-1, LEVELS))
        if self.clip_limit:
            kept = ops.minimum(counts, self.clip_limit * size / LEVELS)
            counts = kept + ops.sum(counts - kept, axis=-1, keepdims=True) / LEVELS
        below = ops.cumsum(counts, axis=-1)
        least = below[:, :1]
        rest = size - least
        spread = (below - least) * (LEVELS - 1) / ops.where(rest == 0, 1.0, rest)
        return ops.clip(spread, 0, LEVELS - 1)

    def _mixed(self, curves, levels, tile, dtype):
        """The results of the four tiles whose middles are around each pixel, mixed."""
        curves = ops.cast(ops.reshape(curves, -1), dtype)
        (top, bottom, down), (left, right, across) = (
            _around(n, t, count)
            for n, t, count in zip(levels.shape[1:3], tile, self.tile_grid_size, strict=True)
        )
        down = constant(down.reshape(-1, 1, 1), curves)
        across = constant(across.reshape(-1, 1), curves)
        rows = []
        for y in (top, bottom):
            a, b = (ops.take(curves, self._indices(levels, y, x), 0) for x in (left, right))
            rows.append(a * (1 - across) + b * across)
        return rows[0] * (1 - down) + rows[1] * down


def _around(size: int, tile: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The tiles whose middles lie before and after each place, and how near the second one is."""
    at = (np.arange(size) - tile / 2) / tile
    before = np.floor(at)
    first, second = (np.clip(n, 0, count - 1).astype(np.int32) for n in (before, before + 1))
    return first, second, at - before

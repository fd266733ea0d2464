"""Layers that make their inputs larger: UpSampling1D, UpSampling2D, UpSampling3D."""

from gpunn.errors import unknown
from gpunn.layers.check import positive_integer
from gpunn.layers.spatial import ChannelsLast, Spatial
from gpunn.ops.pooling import mix
from gpunn.ops.resampling import INTERPOLATIONS, Interpolation
from gpunn.ops.upsampling import up_sample


class _UpSampling(ChannelsLast):
    """A layer whose outputs are `size` times as large."""

    def _factors(self):
        return (self.size,) if self.rank == 1 else self.size

    def call(self, inputs):
        """Repeat the values along each spatial axis."""
        around = (1,) * self._axes[0], (1,) * (inputs.ndim - 1 - self._axes[-1])
        return up_sample(inputs, factors=(*around[0], *self._factors(), *around[1]))

    def compute_output_shape(self, input_shape):
        """The spatial sizes times `size`."""
        sizes, channels = self._parts(input_shape)
        axes = zip(sizes, self._factors(), strict=True)
        sizes = tuple([None if n is None else n * factor for n, factor in axes])
        return self._shape(input_shape[0], sizes, channels)


class UpSampling1D(_UpSampling):
    """Each step of sequences `size` times.

    Args:
        size: how many times. Default: 2.

    Shapes: (batch, steps, features) -> (batch, steps * size, features).

    Raises:
        ArgumentError: if size is not a positive integer.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.UpSampling1D.

    >>> gpunn.layers.UpSampling1D(2)([[[1.0], [2.0]]]).numpy().ravel().tolist()
    [1.0, 1.0, 2.0, 2.0]
    """

    rank = 1

    def __init__(self, size=2, **kwargs):
        super().__init__(**kwargs)
        self.size = positive_integer(self, "size", size)


class UpSampling2D(_UpSampling, Spatial):
    """Larger images.

    Args:
        size: factors of rows and columns; one integer for both. Default: 2.
        data_format: "channels_last" (default) or "channels_first".
        interpolation: "nearest" (default): each value several times; or "bilinear", "bicubic",
            "lanczos3", "lanczos5": sums of the values around.

    Shapes: (batch, rows, columns, channels) -> (batch, rows', columns', channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.UpSampling2D.

    >>> x = np.array([0.0, 4.0]).reshape(1, 1, 2, 1)
    >>> gpunn.layers.UpSampling2D((1, 2), interpolation="bilinear")(x).numpy().ravel().tolist()
    [0.0, 1.0, 3.0, 4.0]
    """

    rank = 2

    def __init__(self, size=(2, 2), data_format=None, interpolation="nearest", **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.size = self._numbers("size", size)
        known = isinstance(interpolation, str) and interpolation.lower() in INTERPOLATIONS
        if not known:
            raise unknown(f"interpolation of {self.name!r}", interpolation, INTERPOLATIONS)
        self.interpolation = interpolation.lower()

    def call(self, inputs):
        """Interpolate along rows and columns."""
        if self.interpolation == "nearest":
            return super().call(inputs)
        for axis, factor in zip(self._axes, self.size, strict=True):
            size = inputs.shape[axis] * factor
            inputs = mix(inputs, make=Interpolation(self.interpolation), size=size, axis=axis)
        return inputs


class UpSampling3D(_UpSampling, Spatial):
    """Each value of volumes several times along each axis.

    Args:
        size: factors of the three axes; one integer for all. Default: 2.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, d1, d2, d3, channels) -> (batch, d1', d2', d3', channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.UpSampling3D.

    >>> gpunn.layers.UpSampling3D(2)(np.ones((2, 3, 3, 3, 1))).shape
    (2, 6, 6, 6, 1)
    """

    rank = 3

    def __init__(self, size=(2, 2, 2), data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.size = self._numbers("size", size)

"""Adaptive pooling layers: to given sizes, whatever the inputs' spatial sizes."""

from gpunn.layers.spatial import Spatial
from gpunn.ops.pooling import adaptive_average_pool, adaptive_max_pool


class _AdaptivePooling(Spatial):
    """What windows that cover the spatial axes evenly are pooled to."""

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.output_size = self._numbers("output_size", output_size)

    def call(self, inputs):
        """Pool every window."""
        return self._pool(inputs, self.output_size, self.data_format)

    def compute_output_shape(self, input_shape):
        """`output_size` along the spatial axes."""
        _, channels = self._parts(input_shape)
        return self._shape(input_shape[0], self.output_size, channels)


class _AdaptiveAveragePooling(_AdaptivePooling):
    _pool = staticmethod(adaptive_average_pool)


class _AdaptiveMaxPooling(_AdaptivePooling):
    _pool = staticmethod(adaptive_max_pool)


class AdaptiveAveragePooling1D(_AdaptiveAveragePooling):
    """The mean values of windows that cover sequences evenly.

    Args:
        output_size: how many windows along the steps.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, steps, features) -> (batch, output_size, features).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.AdaptiveAveragePooling1D.

    >>> gpunn.layers.AdaptiveAveragePooling1D(3)(np.ones((2, 10, 4))).shape
    (2, 3, 4)
    """

    rank = 1


class AdaptiveAveragePooling2D(_AdaptiveAveragePooling):
    """The mean values of windows that cover images evenly.

    Args:
        output_size: how many windows along each axis; one integer for all.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, rows, columns, channels) -> (batch, *output_size, channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.AdaptiveAveragePooling2D.

    >>> gpunn.layers.AdaptiveAveragePooling2D(3)(np.ones((2, 8, 7, 4))).shape
    (2, 3, 3, 4)
    """

    rank = 2


class AdaptiveAveragePooling3D(_AdaptiveAveragePooling):
    """The mean values of windows that cover volumes evenly.

    Args:
        output_size: how many windows along each axis; one integer for all.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, d1, d2, d3, channels) -> (batch, *output_size, channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.AdaptiveAveragePooling3D.

    >>> gpunn.layers.AdaptiveAveragePooling3D(3)(np.ones((2, 4, 5, 6, 4))).shape
    (2, 3, 3, 3, 4)
    """

    rank = 3


class AdaptiveMaxPooling1D(_AdaptiveMaxPooling):
    """The largest values of windows that cover sequences evenly.

    Args:
        output_size: how many windows along the steps.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, steps, features) -> (batch, output_size, features).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.AdaptiveMaxPooling1D.

    >>> gpunn.layers.AdaptiveMaxPooling1D(3)(np.ones((2, 10, 4))).shape
    (2, 3, 4)
    """

    rank = 1


class AdaptiveMaxPooling2D(_AdaptiveMaxPooling):
    """The largest values of windows that cover images evenly.

    Args:
        output_size: how many windows along each axis; one integer for all.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, rows, columns, channels) -> (batch, *output_size, channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.AdaptiveMaxPooling2D.

    >>> gpunn.layers.AdaptiveMaxPooling2D(3)(np.ones((2, 8, 7, 4))).shape
    (2, 3, 3, 4)
    """

    rank = 2


class AdaptiveMaxPooling3D(_AdaptiveMaxPooling):
    """The largest values of windows that cover volumes evenly.

    Args:
        output_size: how many windows along each axis; one integer for all.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, d1, d2, d3, channels) -> (batch, *output_size, channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.AdaptiveMaxPooling3D.

    >>> gpunn.layers.AdaptiveMaxPooling3D(3)(np.ones((2, 4, 5, 6, 4))).shape
    (2, 3, 3, 3, 4)
    """

    rank = 3

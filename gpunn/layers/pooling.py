"""Pooling layers: the largest or the mean value of each window."""

from gpunn.layers.spatial import Spatial
from gpunn.ops.pooling import average_pool, max_pool
from gpunn.ops.spatial import output_size


class _Pooling(Spatial):
    """What a window's values are pooled to."""

    def __init__(self, pool_size, strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.pool_size = self._numbers("pool_size", pool_size)
        self.strides = self._numbers("strides", self.pool_size if strides is None else strides)
        self.padding = self._padding(padding)

    def call(self, inputs):
        """Pool every window."""
        return self._pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)

    def compute_output_shape(self, input_shape):
        """The places of the window along each spatial axis."""
        sizes, channels = self._parts(input_shape)
        axes = zip(sizes, self.pool_size, self.strides, strict=True)
        sizes = tuple([output_size(n, k, s, self.padding) for n, k, s in axes])
        return self._shape(input_shape[0], sizes, channels)


class _MaxPooling(_Pooling):
    _pool = staticmethod(max_pool)


class _AveragePooling(_Pooling):
    _pool = staticmethod(average_pool)


class MaxPooling1D(_MaxPooling):
    """The largest value of each window of sequences.

    Args:
        pool_size: how many steps a window sees. Default: 2.
        strides: how far it moves. Default: its size.
        padding: "valid" (default): no padding; "same": windows may go over the edges.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, steps, features) -> (batch, steps', features).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or are smaller than the window.

    Source: keras.layers.MaxPooling1D.

    >>> gpunn.layers.MaxPooling1D(2)(np.ones((2, 10, 4))).shape
    (2, 5, 4)
    """

    rank = 1

    def __init__(self, pool_size=2, strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class MaxPooling2D(_MaxPooling):
    """The largest value of each window of images.

    Args:
        pool_size: rows and columns of the window; one integer for all. Default: 2.
        strides: how far it moves. Default: its size.
        padding: "valid" (default): no padding; "same": windows may go over the edges.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, rows, columns, channels) -> (batch, rows', columns', channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or are smaller than the window.

    Source: keras.layers.MaxPooling2D.

    >>> gpunn.layers.MaxPooling2D(2)(np.ones((2, 8, 8, 4))).shape
    (2, 4, 4, 4)
    """

    rank = 2

    def __init__(self, pool_size=(2, 2), strides=None, padding="valid", data_format=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class MaxPooling3D(_MaxPooling):
    """The largest value of each window of volumes.

    Args:
        pool_size: three sizes of the window; one integer for all. Default: 2.
        strides: how far it moves. Default: its size.
        padding: "valid" (default): no padding; "same": windows may go over the edges.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, d1, d2, d3, channels) -> (batch, d1', d2', d3', channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or are smaller than the window.

    Source: keras.layers.MaxPooling3D.

    >>> gpunn.layers.MaxPooling3D(2)(np.ones((2, 4, 4, 4, 1))).shape
    (2, 2, 2, 2, 1)
    """

    rank = 3

    def __init__(
        self, pool_size=(2, 2, 2), strides=None, padding="valid", data_format=None, **kwargs
    ):
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class AveragePooling1D(_AveragePooling):
    """The mean value of each window of sequences.

    Args:
        pool_size: how many steps a window sees.
        strides: how far it moves. Default: its size.
        padding: "valid" (default): no padding; "same": windows may go over the edges,
            of which only the values inside count.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, steps, features) -> (batch, steps', features).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or are smaller than the window.

    Source: keras.layers.AveragePooling1D.

    >>> gpunn.layers.AveragePooling1D(2)(np.ones((2, 10, 4))).shape
    (2, 5, 4)
    """

    rank = 1


class AveragePooling2D(_AveragePooling):
    """The mean value of each window of images.

    Args:
        pool_size: rows and columns of the window; one integer for all.
        strides: how far it moves. Default: its size.
        padding: "valid" (default): no padding; "same": windows may go over the edges,
            of which only the values inside count.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, rows, columns, channels) -> (batch, rows', columns', channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or are smaller than the window.

    Source: keras.layers.AveragePooling2D.

    >>> gpunn.layers.AveragePooling2D(2)(np.ones((2, 8, 8, 4))).shape
    (2, 4, 4, 4)
    """

    rank = 2


class AveragePooling3D(_AveragePooling):
    """The mean value of each window of volumes.

    Args:
        pool_size: three sizes of the window; one integer for all.
        strides: how far it moves. Default: its size.
        padding: "valid" (default): no padding; "same": windows may go over the edges,
            of which only the values inside count.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, d1, d2, d3, channels) -> (batch, d1', d2', d3', channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or are smaller than the window.

    Source: keras.layers.AveragePooling3D.

    >>> gpunn.layers.AveragePooling3D(2)(np.ones((2, 4, 4, 4, 1))).shape
    (2, 2, 2, 2, 1)
    """

    rank = 3

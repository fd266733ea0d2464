"""Layers that add to the borders of their inputs, or cut them off: ZeroPadding, Cropping."""

from gpunn import ops
from gpunn.errors import ArgumentError
from gpunn.layers.check import wrong
from gpunn.layers.spatial import ChannelsLast, Spatial


def border(layer, argument, value):
    """How much before and after each spatial axis: (a, b) for one axis, ((a, b), ...) for more."""
    if layer.rank == 1:
        return layer._numbers(argument, value, low=0, n=2)
    values = value if isinstance(value, list | tuple) else (value,) * layer.rank
    try:
        if len(values) == layer.rank:
            return tuple([layer._numbers(argument, v, low=0, n=2) for v in values])
    except ArgumentError:
        pass
    raise wrong(
        layer,
        f"{argument} must be an integer >= 0, {layer.rank} of them, or {layer.rank} pairs "
        f"(before, after), got {value!r}",
    )


class _Bordered(ChannelsLast):
    """A layer that changes the spatial sizes by a border."""

    def _borders(self, value):
        """(before, after) for every axis, of what `border` gave."""
        pairs = (value,) if self.rank == 1 else value
        widths = [(0, 0)] * (self.rank + 2)
        widths[self._axes[0] : self._axes[-1] + 1] = pairs
        return tuple(widths)

    def _sizes(self, input_shape, value, sign):
        """The shape with the border added (sign 1) or cut off (sign -1)."""
        sizes, channels = self._parts(input_shape)
        pairs = (value,) if self.rank == 1 else value
        new = [None if n is None else n + sign * sum(p) for n, p in zip(sizes, pairs, strict=True)]
        return self._shape(input_shape[0], tuple(new), channels)


class _ZeroPadding(_Bordered, Spatial):
    """Zeros around the inputs."""

    def __init__(self, padding=1, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.padding = border(self, "padding", padding)

    def call(self, inputs):
        """Surround the inputs with zeros."""
        return ops.pad(inputs, self._borders(self.padding))

    def compute_output_shape(self, input_shape):
        """The sizes with the zeros."""
        return self._sizes(input_shape, self.padding, 1)


class _Cropping(_Bordered):
    """The inputs without their borders."""

    cropping: tuple

    def call(self, inputs):
        """Cut the borders off."""
        self.compute_output_shape(inputs.shape)
        widths = zip(inputs.shape, self._borders(self.cropping), strict=True)
        return inputs[tuple([slice(a, n - b) for n, (a, b) in widths])]

    def compute_output_shape(self, input_shape):
        """The sizes without the borders."""
        return self._sizes(input_shape, self.cropping, -1)


class ZeroPadding1D(_ZeroPadding):
    """Zeros around sequences.

    Args:
        padding: how many zero steps before and after: an integer, or two. Default: 1.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, steps, features) -> (batch, steps', features).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.ZeroPadding1D.

    >>> gpunn.layers.ZeroPadding1D()(np.ones((2, 3, 4))).shape
    (2, 5, 4)
    """

    rank = 1


class ZeroPadding2D(_ZeroPadding):
    """Zeros around images.

    Args:
        padding: how many zeros at each edge: an integer, (rows, columns), or
            ((top, bottom), (left, right)). Default: 1.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, rows, columns, channels) -> (batch, rows', columns', channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.ZeroPadding2D.

    >>> gpunn.layers.ZeroPadding2D()(np.ones((2, 3, 3, 4))).shape
    (2, 5, 5, 4)
    """

    rank = 2

    def __init__(self, padding=(1, 1), data_format=None, **kwargs):
        super().__init__(padding, data_format, **kwargs)


class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes.

    Args:
        padding: how many zeros at each face: an integer, three of them, or three pairs
            (before, after). Default: 1.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, d1, d2, d3, channels) -> (batch, d1', d2', d3', channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.ZeroPadding3D.

    >>> gpunn.layers.ZeroPadding3D()(np.ones((2, 3, 3, 3, 4))).shape
    (2, 5, 5, 5, 4)
    """

    rank = 3

    def __init__(self, padding=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(padding, data_format, **kwargs)


class Cropping1D(_Cropping):
    """Sequences without their borders.

    Args:
        cropping: how many steps to cut off before and after: an integer, or two. Default: 1.

    Shapes: (batch, steps, features) -> (batch, steps', features).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or nothing is left of them.

    Source: keras.layers.Cropping1D.

    >>> gpunn.layers.Cropping1D(1)(np.ones((2, 5, 4))).shape
    (2, 3, 4)
    """

    rank = 1

    def __init__(self, cropping=(1, 1), **kwargs):
        super().__init__(**kwargs)
        self.cropping = border(self, "cropping", cropping)


class Cropping2D(_Cropping, Spatial):
    """Images without their borders.

    Args:
        cropping: how much to cut off each edge: an integer, (rows, columns), or
            ((top, bottom), (left, right)). Default: 0.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, rows, columns, channels) -> (batch, rows', columns', channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or nothing is left of them.

    Source: keras.layers.Cropping2D.

    >>> gpunn.layers.Cropping2D(1)(np.ones((2, 5, 5, 4))).shape
    (2, 3, 3, 4)
    """

    rank = 2

    def __init__(self, cropping=((0, 0), (0, 0)), data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.cropping = border(self, "cropping", cropping)


class Cropping3D(_Cropping, Spatial):
    """Volumes without their borders.

    Args:
        cropping: how much to cut off each face: an integer, three of them, or three pairs
            (before, after). Default: 1.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: (batch, d1, d2, d3, channels) -> (batch, d1', d2', d3', channels).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or nothing is left of them.

    Source: keras.layers.Cropping3D.

    >>> gpunn.layers.Cropping3D(1)(np.ones((2, 5, 5, 5, 4))).shape
    (2, 3, 3, 3, 4)
    """

    rank = 3

    def __init__(self, cropping=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.cropping = border(self, "cropping", cropping)

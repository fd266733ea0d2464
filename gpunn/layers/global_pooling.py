"""Global pooling layers: one value a channel, whatever the inputs' spatial sizes."""

from gpunn import ops
from gpunn.layers.spatial import Spatial


class _GlobalPooling(Spatial):
    """What all values of a channel are pooled to."""

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keepdims = bool(keepdims)

    def compute_output_shape(self, input_shape):
        """(batch, channels), with spatial axes of size 1 if `keepdims`."""
        _, channels = self._parts(input_shape)
        return self._shape(input_shape[0], (1,) * self.rank * self.keepdims, channels)


class _GlobalMaxPooling(_GlobalPooling):
    def call(self, inputs):
        """The largest value of each channel."""
        return ops.max(inputs, axis=self._axes, keepdims=self.keepdims)


class _GlobalAveragePooling(_GlobalPooling):
    def call(self, inputs):
        """The mean of each channel."""
        return ops.mean(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalMaxPooling1D(_GlobalMaxPooling):
    """The largest value of each feature of sequences.

    Args:
        data_format: "channels_last" (default) or "channels_first".
        keepdims: whether the spatial axes stay, with size 1. Default: False.

    Shapes: (batch, steps, features) -> (batch, features).

    Raises:
        ArgumentError: if the data_format is unknown.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.GlobalMaxPooling1D.

    >>> gpunn.layers.GlobalMaxPooling1D()(np.ones((2, 10, 4))).shape
    (2, 4)
    """

    rank = 1


class GlobalMaxPooling2D(_GlobalMaxPooling):
    """The largest value of each channel of images.

    Args:
        data_format: "channels_last" (default) or "channels_first".
        keepdims: whether the spatial axes stay, with size 1. Default: False.

    Shapes: (batch, rows, columns, channels) -> (batch, channels).

    Raises:
        ArgumentError: if the data_format is unknown.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.GlobalMaxPooling2D.

    >>> gpunn.layers.GlobalMaxPooling2D()(np.ones((2, 8, 8, 4))).shape
    (2, 4)
    """

    rank = 2


class GlobalMaxPooling3D(_GlobalMaxPooling):
    """The largest value of each channel of volumes.

    Args:
        data_format: "channels_last" (default) or "channels_first".
        keepdims: whether the spatial axes stay, with size 1. Default: False.

    Shapes: (batch, d1, d2, d3, channels) -> (batch, channels).

    Raises:
        ArgumentError: if the data_format is unknown.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.GlobalMaxPooling3D.

    >>> gpunn.layers.GlobalMaxPooling3D()(np.ones((2, 4, 4, 4, 4))).shape
    (2, 4)
    """

    rank = 3


class GlobalAveragePooling1D(_GlobalAveragePooling):
    """The mean of each feature of sequences.

    Args:
        data_format: "channels_last" (default) or "channels_first".
        keepdims: whether the spatial axes stay, with size 1. Default: False.

    Call arguments:
        inputs: tensor of such a shape.
        mask: booleans of shape (batch, steps): False leaves a step out. Default: all count.

    Shapes: (batch, steps, features) -> (batch, features).

    Raises:
        ArgumentError: if the data_format is unknown.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.GlobalAveragePooling1D.

    >>> gpunn.layers.GlobalAveragePooling1D()(np.ones((2, 10, 4))).shape
    (2, 4)
    """

    rank = 1
    supports_masking = True

    def call(self, inputs, mask=None):
        """The mean of each feature, over the steps that the mask leaves in."""
        if mask is None:
            return super().call(inputs)
        (steps,) = self._axes
        mask = ops.expand_dims(ops.cast(mask, "bool"), 2 if steps == 1 else 1)
        total = ops.sum(ops.where(mask, inputs, 0), axis=steps, keepdims=self.keepdims)
        count = ops.sum(ops.cast(mask, inputs.dtype), axis=steps, keepdims=self.keepdims)
        return ops.divide(total, count)

    def compute_mask(self, inputs, mask=None):
        """None: there are no steps any more."""
        return None


class GlobalAveragePooling2D(_GlobalAveragePooling):
    """The mean of each channel of images.

    Args:
        data_format: "channels_last" (default) or "channels_first".
        keepdims: whether the spatial axes stay, with size 1. Default: False.

    Shapes: (batch, rows, columns, channels) -> (batch, channels).

    Raises:
        ArgumentError: if the data_format is unknown.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.GlobalAveragePooling2D.

    >>> gpunn.layers.GlobalAveragePooling2D()(np.ones((2, 8, 8, 4))).shape
    (2, 4)
    """

    rank = 2


class GlobalAveragePooling3D(_GlobalAveragePooling):
    """The mean of each channel of volumes.

    Args:
        data_format: "channels_last" (default) or "channels_first".
        keepdims: whether the spatial axes stay, with size 1. Default: False.

    Shapes: (batch, d1, d2, d3, channels) -> (batch, channels).

    Raises:
        ArgumentError: if the data_format is unknown.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.GlobalAveragePooling3D.

    >>> gpunn.layers.GlobalAveragePooling3D()(np.ones((2, 4, 4, 4, 4))).shape
    (2, 4)
    """

    rank = 3

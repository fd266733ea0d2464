"""What layers over 1 to 3 spatial axes share."""

from gpunn.errors import ShapeError
from gpunn.layers.check import data_format as check_format
from gpunn.layers.check import wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.layer import Layer
from gpunn.ops.spatial import numbers, padding_mode


class ChannelsLast(Layer):
    """A layer of inputs (batch, *spatial, channels).

    A subclass says `rank`, how many spatial axes there are.
    """

    rank: int
    data_format = "channels_last"

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _axes(self):
        """The spatial axes."""
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))

    def _numbers(self, argument, value, low=1, n=None):
        """One integer for each spatial axis, or n of them."""
        return numbers(self._title(), argument, value, n or self.rank, low)

    def _padding(self, value, known=("valid", "same")):
        """The padding in lower case."""
        return padding_mode(self._title(), value, known)

    def _title(self):
        return f"layer {self.name!r} ({type(self).__name__})"

    def _parts(self, shape):
        """The spatial sizes and the channels of a shape."""
        if len(shape) != self.rank + 2:
            raise wrong(self, f"expected inputs of {self.rank + 2} axes, got {shape}", ShapeError)
        if self.data_format == "channels_last":
            return tuple(shape[1:-1]), shape[-1]
        return tuple(shape[2:]), shape[1]

    def _shape(self, batch, sizes, channels):
        """The shape of spatial sizes and channels."""
        for n in sizes:
            if n is not None and n < 1:
                raise wrong(
                    self,
                    f"the inputs are too small: the outputs would have spatial sizes {sizes}",
                    ShapeError,
                )
        if self.data_format == "channels_last":
            return (batch, *sizes, channels)
        return (batch, channels, *sizes)


class Spatial(ChannelsLast):
    """A layer of such inputs, or of (batch, channels, *spatial)."""

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = check_format(self, data_format)

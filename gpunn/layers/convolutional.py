"""What the convolution layers share: their arguments, weights, bias and activation."""

from gpunn import activations, constraints, initializers, regularizers
from gpunn.errors import ShapeError
from gpunn.layers.check import wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.spatial import Spatial
from gpunn.ops.spatial import output_size


class Convolutional(Spatial):
    """A layer whose kernel slides over the spatial axes.

    A subclass makes its kernels in `_make_kernels` and convolves in `_convolve`.
    """

    paddings: tuple[str, ...] = ("valid", "same")
    strides_dilated = False  # whether windows with gaps may move by more than one

    def __init__(
        self,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        activation=None,
        use_bias=True,
        bias_initializer="zeros",
        bias_regularizer=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.kernel_size = self._numbers("kernel_size", kernel_size)
        self.strides = self._numbers("strides", strides)
        self.padding = self._padding(padding, self.paddings)
        self.dilation_rate = self._numbers("dilation_rate", dilation_rate)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1 and not self.strides_dilated:
            raise wrong(
                self,
                f"strides {self.strides} do not go with dilation_rate {self.dilation_rate}: one "
                "of them must be 1",
            )
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias = None

    def build(self, input_shape) -> None:
        """Make the kernels and the bias."""
        _, filters = self._parts(self.compute_output_shape(input_shape))
        _, channels = self._parts(input_shape)
        if not channels:
            raise wrong(
                self, f"the inputs' channels must be known, got shape {input_shape}", ShapeError
            )
        self._make_kernels(channels)
        if self.use_bias:
            self.bias = self._make("bias", (filters,), "bias")
        axis = -1 if self.data_format == "channels_last" else 1
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})

    def _make(self, name, shape, kind):
        """A weight with the initializer, regularizer and constraint of its kind."""
        return self.add_weight(
            shape,
            getattr(self, f"{kind}_initializer"),
            regularizer=getattr(self, f"{kind}_regularizer"),
            constraint=getattr(self, f"{kind}_constraint"),
            name=name,
        )

    def _make_kernels(self, channels) -> None:
        """Make the kernels for inputs with so many channels."""
        raise NotImplementedError

    def call(self, inputs):
        """Compute the outputs."""
        y, activation = self._convolve(inputs), self.activation
        return y if activation is None or activation is activations.linear else activation(y)

    def _convolve(self, inputs):
        """The convolution, with the bias."""
        raise NotImplementedError

    def _output_shape(self, input_shape, channels):
        """The shape of a convolution's outputs."""
        sizes, _ = self._parts(input_shape)
        axes = zip(sizes, self.kernel_size, self.strides, self.dilation_rate, strict=True)
        sizes = tuple([output_size(n, k, s, self.padding, d) for n, k, s, d in axes])
        return self._shape(input_shape[0], sizes, channels)

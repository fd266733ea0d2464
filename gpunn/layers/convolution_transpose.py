"""Transposed convolution layers: Conv1DTranspose, Conv2DTranspose, Conv3DTranspose."""

from gpunn import constraints, initializers, regularizers
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.convolutional import Convolutional
from gpunn.ops.convolution import convolve_transposed, transposed_size


class _ConvTranspose(Convolutional):
    """The transpose of a convolution: from few places to many."""

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        output_padding=None,
        data_format=None,
        dilation_rate=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(
            kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            bias_initializer=bias_initializer,
            bias_regularizer=bias_regularizer,
            bias_constraint=bias_constraint,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.filters = positive_integer(self, "filters", filters)
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = self._numbers("output_padding", output_padding, low=0)
            if any(p >= s for p, s in zip(self.output_padding, self.strides, strict=True)):
                raise wrong(
                    self,
                    f"output_padding {self.output_padding} must be below strides {self.strides}",
                )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)

    def _make_kernels(self, channels) -> None:
        shape = (*self.kernel_size, self.filters, channels)
        self.kernel = self._make("kernel", shape, "kernel")

    def _convolve(self, inputs):
        return convolve_transposed(
            type(self).__name__,
            inputs,
            self.kernel,
            self.bias,
            self.strides,
            self.padding,
            self.output_padding,
            self.data_format,
            self.dilation_rate,
        )

    def compute_output_shape(self, input_shape):
        """The places that the windows reach along each spatial axis, and `filters` channels."""
        sizes, _ = self._parts(input_shape)
        extra = self.output_padding or (None,) * self.rank
        axes = zip(*(sizes, self.kernel_size, self.strides, extra, self.dilation_rate), strict=True)
        sizes = tuple([transposed_size(n, k, s, self.padding, e, d) for n, k, s, e, d in axes])
        return self._shape(input_shape[0], sizes, self.filters)


class Conv1DTranspose(_ConvTranspose):
    """Transposed convolution of sequences: each step, times the kernel, is added to several.

    Args:
        filters: how many features come out.
        kernel_size: how many steps one is spread to.
        strides: how many steps come out for each that goes in. Default: 1.
        padding: "valid" (default): all that is reached; "same": strides times the steps.
        output_padding: how many more at the end, below strides. Default: as "same" needs.
        data_format: "channels_last" (default): (batch, steps, features), or "channels_first".
        dilation_rate: how far the steps of a window lie apart; not with strides. Default: 1.
        activation: name or function; None: linear.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: default: "glorot_uniform", "zeros".
        kernel_regularizer, bias_regularizer, activity_regularizer: terms added to the loss.
        kernel_constraint, bias_constraint: projections applied after each step.

    Shapes: (batch, steps, features) -> (batch, places, filters). Weights: kernel (kernel_size,
    filters, features), bias (filters,).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.Conv1DTranspose.

    >>> gpunn.layers.Conv1DTranspose(8, 3, strides=2)(np.ones((2, 5, 4))).shape
    (2, 11, 8)
    """

    rank = 1


class Conv2DTranspose(_ConvTranspose):
    """Transposed convolution of images, as decoders and generators use it.

    Args:
        filters: how many channels come out.
        kernel_size: rows and columns that a pixel is spread to; one integer for both.
        strides, padding, output_padding, dilation_rate: see `Conv1DTranspose`; one integer, or
            one for each of the two axes.
        data_format: "channels_last" (default): (batch, rows, columns, channels), or
            "channels_first".
        activation, use_bias: see `Conv2D`.
        kernel_initializer, bias_initializer: default: "glorot_uniform", "zeros".
        kernel_regularizer, bias_regularizer, activity_regularizer: terms added to the loss.
        kernel_constraint, bias_constraint: projections applied after each step.

    Shapes: (batch, rows, columns, channels) -> (batch, rows', columns', filters). Weights: kernel
    (*kernel_size, filters, channels), bias (filters,).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.Conv2DTranspose.

    >>> gpunn.layers.Conv2DTranspose(8, 3, strides=2, padding="same")(np.ones((2, 7, 7, 4))).shape
    (2, 14, 14, 8)
    """

    rank = 2


class Conv3DTranspose(_ConvTranspose):
    """Transposed convolution of volumes.

    Args:
        filters: how many channels come out.
        kernel_size: sizes that a value is spread to; one integer for all three.
        strides, padding, data_format, output_padding, dilation_rate: see `Conv1DTranspose`.
        activation, use_bias: see `Conv2D`.
        kernel_initializer, bias_initializer: default: "glorot_uniform", "zeros".
        kernel_regularizer, bias_regularizer, activity_regularizer: terms added to the loss.
        kernel_constraint, bias_constraint: projections applied after each step.

    Shapes: (batch, d1, d2, d3, channels) -> (batch, d1', d2', d3', filters). Weights: kernel
    (*kernel_size, filters, channels), bias (filters,).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.Conv3DTranspose.

    >>> gpunn.layers.Conv3DTranspose(8, 2, strides=2)(np.ones((2, 3, 3, 3, 4))).shape
    (2, 6, 6, 6, 8)
    """

    rank = 3

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        output_padding=None,
        **kwargs,
    ):
        super().__init__(
            filters, kernel_size, strides, padding, output_padding, data_format, **kwargs
        )

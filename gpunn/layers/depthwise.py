"""Convolutions of each channel by itself: DepthwiseConv and SeparableConv, 1D and 2D."""

from gpunn import constraints, initializers, regularizers
from gpunn.layers.check import positive_integer
from gpunn.layers.convolutional import Convolutional
from gpunn.ops.convolution import convolve, convolve_depthwise


class _DepthwiseConv(Convolutional):
    """A convolution with `depth_multiplier` kernels for each channel."""

    strides_dilated = True

    def __init__(
        self,
        kernel_size,
        strides=1,
        padding="valid",
        depth_multiplier=1,
        data_format=None,
        dilation_rate=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
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
        self.depth_multiplier = positive_integer(self, "depth_multiplier", depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)

    def _make_kernels(self, channels) -> None:
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = self._make("kernel", shape, "depthwise")

    def _convolve(self, inputs):
        return convolve_depthwise(
            type(self).__name__,
            inputs,
            self.kernel,
            self.bias,
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )

    def compute_output_shape(self, input_shape):
        """The places of the window along each spatial axis, and the channels multiplied."""
        channels = self._parts(input_shape)[1]
        filters = None if channels is None else channels * self.depth_multiplier
        return self._output_shape(input_shape, filters)


class DepthwiseConv1D(_DepthwiseConv):
    """Convolution of each feature of a sequence by itself.

    Args:
        kernel_size: how many steps a window sees.
        strides, padding, data_format, dilation_rate: see `Conv1D`; no "causal" padding.
        depth_multiplier: how many features come out for each that goes in.
        activation: name or function; None: linear.
        use_bias: whether there is a bias.
        depthwise_initializer, bias_initializer: default: "glorot_uniform", "zeros".
        depthwise_regularizer, bias_regularizer, activity_regularizer: terms added to the loss.
        depthwise_constraint, bias_constraint: projections applied after each step.

    Shapes: (batch, steps, features) -> (batch, places, features * depth_multiplier). Weights:
    kernel (kernel_size, features, depth_multiplier), bias (features * depth_multiplier,).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or are shorter than the window.

    Source: keras.layers.DepthwiseConv1D.

    >>> gpunn.layers.DepthwiseConv1D(3, depth_multiplier=2)(np.ones((2, 10, 4))).shape
    (2, 8, 8)
    """

    rank = 1


class DepthwiseConv2D(_DepthwiseConv):
    """Convolution of each channel of images by itself.

    Args:
        kernel_size: rows and columns of the window; one integer for both.
        strides, padding, data_format, dilation_rate: see `Conv2D`.
        depth_multiplier: how many channels come out for each that goes in.
        activation, use_bias: see `Conv2D`.
        depthwise_initializer, bias_initializer: default: "glorot_uniform", "zeros".
        depthwise_regularizer, bias_regularizer, activity_regularizer: terms added to the loss.
        depthwise_constraint, bias_constraint: projections applied after each step.

    Shapes: (batch, rows, columns, channels) -> (batch, rows', columns', channels *
    depth_multiplier). Weights: kernel (*kernel_size, channels, depth_multiplier), bias (channels *
    depth_multiplier,).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or are smaller than the window.

    Source: keras.layers.DepthwiseConv2D.

    >>> gpunn.layers.DepthwiseConv2D(3, padding="same")(np.ones((2, 8, 8, 4))).shape
    (2, 8, 8, 4)
    """

    rank = 2


class _SeparableConv(Convolutional):
    """A depthwise convolution, and one of a single tap that mixes the channels."""

    strides_dilated = True

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        depth_multiplier=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        pointwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        pointwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        pointwise_constraint=None,
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
        self.depth_multiplier = positive_integer(self, "depth_multiplier", depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def _make_kernels(self, channels) -> None:
        depthwise = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self._make("depthwise_kernel", depthwise, "depthwise")
        pointwise = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.pointwise_kernel = self._make("pointwise_kernel", pointwise, "pointwise")

    def _convolve(self, inputs):
        name, where = type(self).__name__, self.data_format
        window = (self.strides, self.padding, where, self.dilation_rate)
        y = convolve_depthwise(name, inputs, self.depthwise_kernel, None, *window)
        return convolve(name, y, self.pointwise_kernel, self.bias, 1, "valid", where, 1)

    def compute_output_shape(self, input_shape):
        """The places of the window along each spatial axis, and `filters` channels."""
        return self._output_shape(input_shape, self.filters)


class SeparableConv1D(_SeparableConv):
    """Convolution of each feature of a sequence by itself, then a mix of the features.

    Args:
        filters: how many features come out.
        kernel_size: how many steps a window sees.
        strides, padding, data_format, dilation_rate: see `Conv1D`; no "causal" padding.
        depth_multiplier: how many features there are between the two for each that goes in.
        activation: name or function; None: linear.
        use_bias: whether there is a bias.
        depthwise_initializer, pointwise_initializer: default: "glorot_uniform".
        bias_initializer: default: "zeros".
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer: terms
            added to the loss.
        depthwise_constraint, pointwise_constraint, bias_constraint: projections applied after each
            step.

    Shapes: (batch, steps, features) -> (batch, places, filters). Weights: depthwise kernel
    (kernel_size, features, depth_multiplier), pointwise kernel (1, features * depth_multiplier,
    filters), bias (filters,).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or are shorter than the window.

    Source: keras.layers.SeparableConv1D.

    >>> gpunn.layers.SeparableConv1D(8, 3)(np.ones((2, 10, 4))).shape
    (2, 8, 8)
    """

    rank = 1


class SeparableConv2D(_SeparableConv):
    """Convolution of each channel of images by itself, then a mix of the channels.

    Args:
        filters: how many channels come out.
        kernel_size: rows and columns of the window; one integer for both.
        strides, padding, data_format, dilation_rate: see `Conv2D`.
        depth_multiplier: how many channels there are between the two for each that goes in.
        activation, use_bias: see `Conv2D`.
        depthwise_initializer, pointwise_initializer, bias_initializer: see `SeparableConv1D`, as
            the regularizers and constraints.

    Shapes: (batch, rows, columns, channels) -> (batch, rows', columns', filters). Weights:
    depthwise kernel (*kernel_size, channels, depth_multiplier), pointwise kernel (1, 1, channels *
    depth_multiplier, filters), bias (filters,).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or are smaller than the window.

    Source: keras.layers.SeparableConv2D; Chollet, 2016, https://arxiv.org/abs/1610.02357

    >>> gpunn.layers.SeparableConv2D(8, 3, padding="same")(np.ones((2, 8, 8, 4))).shape
    (2, 8, 8, 8)
    """

    rank = 2

"""Convolution layers: Conv1D, Conv2D, Conv3D."""

from gpunn import activations, constraints, initializers, ops, regularizers
from gpunn.errors import ShapeError
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.convolutional import Convolutional
from gpunn.layers.lora import Lora, adaptable
from gpunn.ops.convolution import convolve


class _Conv(Lora, Convolutional):
    """A convolution with `filters` kernels that see all channels of their group."""

    kernel = adaptable("kernel")

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        groups=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        lora_rank=None,
        lora_alpha=None,
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
        self.groups = positive_integer(self, "groups", groups)
        if self.filters % self.groups:
            raise wrong(self, f"filters {filters} must be a multiple of groups {groups}")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self._lora_arguments(lora_rank, lora_alpha)

    def build(self, input_shape) -> None:
        """Make the kernel and the bias."""
        super().build(input_shape)
        self._adapt()

    def _make_kernels(self, channels) -> None:
        if channels % self.groups:
            raise wrong(
                self,
                f"inputs with {channels} channels cannot be split into groups={self.groups}: "
                "the channels must be a multiple",
                ShapeError,
            )
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self._make("kernel", shape, "kernel")

    def call(self, inputs):
        """Compute the outputs."""
        return activations.after(self.activation, self._convolve, inputs)

    def convolution_op(self, inputs, kernel):
        """The convolution with a kernel, without the bias: subclasses may change it or call it.

        Source: keras.layers.Conv2D.convolution_op.
        """
        return self._convolve_with(inputs, kernel)

    def _convolve(self, inputs, activation=None):
        if type(self).convolution_op is _Conv.convolution_op:
            return self._convolve_with(inputs, self.kernel, self.bias, activation)
        y = self.convolution_op(inputs, self.kernel)
        if self.bias is not None:
            axes = (1,) * self.rank if self.data_format == "channels_first" else ()
            y = y + ops.reshape(self.bias, (-1, *axes))
        return y if activation is None else activation(y)

    def _convolve_with(self, inputs, kernel, bias=None, activation=None):
        return convolve(
            type(self).__name__,
            inputs,
            kernel,
            bias,
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
            activation,
        )

    def compute_output_shape(self, input_shape):
        """The places of the window along each spatial axis, and `filters` channels."""
        return self._output_shape(input_shape, self.filters)


class Conv1D(_Conv):
    """Convolution of sequences: `filters` windows of weights slide over the steps.

    Args:
        filters: how many features come out.
        kernel_size: how many steps a window sees.
        strides: how far it moves. Default: 1.
        padding: "valid" (default): no padding; "same": as much as gives steps / strides outputs;
            "causal": as much in front, so that no output sees a later step.
        data_format: "channels_last" (default): (batch, steps, features), or "channels_first".
        dilation_rate: how far the steps of a window lie apart; not with strides. Default: 1.
        groups: into how many parts features and filters are split that do not see each other.
        activation: name or function; None: linear.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: default: "glorot_uniform", "zeros".
        kernel_regularizer, bias_regularizer, activity_regularizer: terms added to the loss.
        kernel_constraint, bias_constraint: projections applied after each step.

    Shapes: (batch, steps, features) -> (batch, places, filters). Weights: kernel (kernel_size,
    features / groups, filters), bias (filters,).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or are shorter than the window.

    Source: keras.layers.Conv1D.

    >>> gpunn.layers.Conv1D(8, 3)(np.ones((2, 10, 4))).shape
    (2, 8, 8)
    """

    rank = 1
    paddings = ("valid", "same", "causal")


class Conv2D(_Conv):
    """Convolution of images: `filters` windows of weights slide over rows and columns.

    Args:
        filters: how many channels come out.
        kernel_size: rows and columns of the window; one integer for both.
        strides: how far it moves along them. Default: 1.
        padding: "valid" (default): no padding; "same": as much as gives size / strides outputs.
        data_format: "channels_last" (default): (batch, rows, columns, channels), or
            "channels_first".
        dilation_rate: how far the window's values lie apart; not with strides. Default: 1.
        groups: into how many parts channels and filters are split that do not see each other.
        activation: name or function; None: linear.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: default: "glorot_uniform", "zeros".
        kernel_regularizer, bias_regularizer, activity_regularizer: terms added to the loss.
        kernel_constraint, bias_constraint: projections applied after each step.

    Shapes: (batch, rows, columns, channels) -> (batch, rows', columns', filters). Weights: kernel
    (*kernel_size, channels / groups, filters), bias (filters,).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or are smaller than the window.

    Source: keras.layers.Conv2D.

    >>> gpunn.layers.Conv2D(8, 3, padding="same")(np.ones((2, 28, 28, 1))).shape
    (2, 28, 28, 8)
    """

    rank = 2


class Conv3D(_Conv):
    """Convolution of volumes: `filters` windows of weights slide over three axes.

    Args:
        filters: how many channels come out.
        kernel_size: sizes of the window; one integer for all three.
        strides, padding, data_format, dilation_rate, groups, activation, use_bias: see `Conv2D`.
        kernel_initializer, bias_initializer: default: "glorot_uniform", "zeros".
        kernel_regularizer, bias_regularizer, activity_regularizer: terms added to the loss.
        kernel_constraint, bias_constraint: projections applied after each step.

    Shapes: (batch, d1, d2, d3, channels) -> (batch, d1', d2', d3', filters). Weights: kernel
    (*kernel_size, channels / groups, filters), bias (filters,).

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank, or are smaller than the window.

    Source: keras.layers.Conv3D.

    >>> gpunn.layers.Conv3D(8, 3, strides=2)(np.ones((2, 7, 7, 7, 1))).shape
    (2, 3, 3, 3, 8)
    """

    rank = 3

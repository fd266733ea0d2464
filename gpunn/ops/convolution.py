"""Convolutions along 1 to 3 spatial axes: conv, conv_transpose, depthwise_conv, separable_conv."""

import math

from gpunn.autograd import primitive
from gpunn.errors import ShapeError
from gpunn.ops import depthwise
from gpunn.ops.columns import correlate, spread, weight_gradient
from gpunn.ops.reduction import narrow, wide
from gpunn.ops.shaping import _shape, reshape
from gpunn.ops.spatial import (
    Window,
    add,
    as_given,
    channels_last,
    lined,
    numbers,
    padding_mode,
    window,
)

__all__ = ["conv", "conv_transpose", "depthwise_conv", "separable_conv"]


def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolution: the products of a kernel that slides over the spatial axes.

    y[o, f] = sum over taps t and channels c of x[o strides + t dilation, c] kernel[t, c, f].

    Args:
        inputs: tensor of shape (batch, *spatial, channels), with 1 to 3 spatial axes.
        kernel: tensor of shape (*taps, channels of a group, filters). Where the inputs have g
            times the channels, they and the filters are g groups that do not see each other.
        strides: how far the window moves: an integer, or one for each axis. Default: 1.
        padding: "valid" (default): no padding; "same": as much as gives inputs / strides places.
        data_format: "channels_last" (default) or "channels_first".
        dilation_rate: how far the taps lie apart. Default: 1.

    Returns:
        A tensor of shape (batch, *places, filters), a float.

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.conv`.

    >>> gpunn.ops.conv([[[1.0], [2.0], [4.0]]], [[[1.0]], [[10.0]]]).numpy().ravel().tolist()
    [21.0, 42.0]
    """
    padding = padding_mode("conv", padding)
    return convolve("conv", inputs, kernel, None, strides, padding, data_format, dilation_rate)


def convolve(
    op, inputs, kernel, bias, strides, padding, data_format, dilation_rate, activation=None
):
    """`conv` as layers use it: with a bias of shape (filters,) or None, and "causal" padding.

    `activation` is an op that computes element by element, or None.
    """
    inputs, rank = channels_last(op, inputs, data_format)
    channels, (*taps, of_group, filters) = _shape(inputs)[-1], _kernel(op, kernel, rank)
    if channels % of_group or filters % (channels // of_group):
        raise ShapeError(
            f"{op}: inputs with {channels} channels do not fit a kernel of shape "
            f"{_shape(kernel)}: its last axes must be channels / groups and a multiple of groups"
        )
    if of_group == 1 < channels:
        kernel = reshape(kernel, (*taps, channels, filters // channels))
        y = _depthwise(op, inputs, kernel, bias, strides, padding, dilation_rate)
        return as_given(y if activation is None else activation(y), data_format)
    win = _window(op, inputs, taps, strides, padding, dilation_rate)
    groups = channels // of_group
    y = _convolve(inputs, kernel, bias, win=win, groups=groups, activation=activation)
    return as_given(y, data_format)


@primitive(promote="float")
def _convolve(be, x, kernel, bias=None, /, *, win, groups, activation=None):
    dtype, x, w = x.dtype, wide(x), wide(kernel)
    y = narrow(correlate(be, x, w, win, groups, bias), dtype)
    if activation is not None:
        y, pull = activation.body(be, y)

    def pullback(dy, needs):
        if activation is not None:
            (dy,) = pull(dy, (True,))
        dy = wide(dy)
        # first: nobody needs x any more when dx is made
        dw = weight_gradient(be, x, dy, win, groups) if needs[1] else None
        return (
            spread(be, dy, w, win, groups) if needs[0] else None,
            dw,
            _channel_sums(be, dy) if needs[2] else None,
        )

    return y, pullback


def conv_transpose(
    inputs,
    kernel,
    strides=1,
    padding="valid",
    output_padding=None,
    data_format=None,
    dilation_rate=1,
):
    """The transpose of a convolution: each value, times the kernel, is added to where it came from.

    Args:
        inputs: tensor of shape (batch, *spatial, channels), with 1 to 3 spatial axes.
        kernel: tensor of shape (*taps, filters, channels).
        strides: how far the window moves in the result. Default: 1.
        padding: "valid" (default): all that the windows reach; "same": strides times the inputs.
        output_padding: how many places more at the end, below `strides`: an integer, or one for
            each axis. Default: none, and with "same" padding as many as give that size.
        data_format: "channels_last" (default) or "channels_first".
        dilation_rate: how far the taps lie apart. Default: 1.

    Returns:
        A tensor of shape (batch, *places, filters), a float.

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.conv_transpose`.

    >>> y = gpunn.ops.conv_transpose([[[1.0], [2.0]]], [[[1.0]], [[10.0]]], strides=2)
    >>> y.numpy().ravel().tolist()
    [1.0, 10.0, 2.0, 20.0]
    """
    padding = padding_mode("conv_transpose", padding)
    return convolve_transposed(
        "conv_transpose",
        *(inputs, kernel, None, strides, padding, output_padding, data_format, dilation_rate),
    )


def convolve_transposed(
    op, inputs, kernel, bias, strides, padding, output_padding, data_format, dilation_rate
):
    """`conv_transpose` with a bias of shape (filters,) or None."""
    inputs, rank = channels_last(op, inputs, data_format)
    *taps, _, channels = _kernel(op, kernel, rank)
    if channels != _shape(inputs)[-1]:
        raise ShapeError(
            f"{op}: inputs with {_shape(inputs)[-1]} channels do not fit a kernel of shape "
            f"{_shape(kernel)}, whose last axis must be the channels"
        )
    strides = numbers(op, "strides", strides, rank)
    dilation = numbers(op, "dilation_rate", dilation_rate, rank)
    extra = (None,) * rank
    if output_padding is not None:
        extra = numbers(op, "output_padding", output_padding, rank, low=0)
    size = _shape(inputs)[1:-1]
    axes = list(zip(size, taps, strides, extra, dilation, strict=True))
    sizes = tuple([transposed_size(n, k, s, padding, e, d) for n, k, s, e, d in axes])
    before = tuple([transposed_start(k, s, padding, e, d) for _, k, s, e, d in axes])
    if min(sizes) < 1:
        raise ShapeError(f"{op}: inputs of shape {_shape(inputs)} give a result without values")
    win = Window(sizes, tuple(taps), strides, dilation, before, size)
    return as_given(_convolve_transposed(inputs, kernel, bias, win=win), data_format)


def transposed_size(n, taps, stride, padding, extra=None, dilation=1):
    """The size of a transposed convolution's result along an axis; None of None.

    >>> transposed_size(3, 2, 2, "valid"), transposed_size(3, 3, 2, "same", extra=0)
    (6, 5)
    """
    if n is None:
        return None
    reach = (taps - 1) * dilation + 1
    if padding == "valid":
        return (n - 1) * stride + reach + (max(stride - reach, 0) if extra is None else extra)
    return n * stride if extra is None else (n - 1) * stride + reach % 2 + extra


def transposed_start(taps, stride, padding, extra, dilation):
    """How many of the first values that the windows reach are left out of the result."""
    reach = (taps - 1) * dilation + 1
    if padding == "valid":
        return 0
    padded = stride + reach - 2 if extra is None else reach + reach % 2 - 2 + extra
    return reach - 1 - min((padded + 1) // 2, reach - 1)


@primitive(promote="float")
def _convolve_transposed(be, x, kernel, bias, /, win):
    dtype, x, w = x.dtype, wide(x), wide(kernel)
    y = spread(be, x, w, win, 1)
    add(y, lined(be, bias, win.size[-1]))

    def pullback(dy, needs):
        dy = wide(dy)
        return (
            correlate(be, dy, w, win, 1) if needs[0] else None,
            weight_gradient(be, dy, x, win, 1) if needs[1] else None,
            _channel_sums(be, dy) if needs[2] else None,
        )

    return narrow(y, dtype), pullback


def depthwise_conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolution of each channel by itself, with kernels of its own.

    Args:
        inputs: tensor of shape (batch, *spatial, channels), with 1 to 3 spatial axes.
        kernel: tensor of shape (*taps, channels, multiplier).
        strides, padding, data_format, dilation_rate: see `conv`.

    Returns:
        A tensor of shape (batch, *places, channels * multiplier), a float.

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.depthwise_conv`.

    >>> gpunn.ops.depthwise_conv([[[1.0, 2.0], [3.0, 4.0]]], [[[1.0], [10.0]]]).numpy().tolist()
    [[[1.0, 20.0], [3.0, 40.0]]]
    """
    op, args = "depthwise_conv", (strides, padding, data_format, dilation_rate)
    return convolve_depthwise(op, inputs, kernel, None, *args)


def convolve_depthwise(op, inputs, kernel, bias, strides, padding, data_format, dilation_rate):
    """`depthwise_conv` with a bias of shape (channels * multiplier,) or None."""
    padding = padding_mode(op, padding)
    inputs, rank = channels_last(op, inputs, data_format)
    channels = _kernel(op, kernel, rank)[-2]
    if channels != _shape(inputs)[-1]:
        raise ShapeError(
            f"{op}: inputs with {_shape(inputs)[-1]} channels do not fit a kernel of shape "
            f"{_shape(kernel)}, whose last axes must be channels and multiplier"
        )
    y = _depthwise(op, inputs, kernel, bias, strides, padding, dilation_rate)
    return as_given(y, data_format)


def _depthwise(op, inputs, kernel, bias, strides, padding, dilation):
    win = _window(op, inputs, _shape(kernel)[:-2], strides, padding, dilation)
    return _convolve_depthwise(inputs, kernel, bias, win=win)


@primitive(promote="float")
def _convolve_depthwise(be, x, kernel, bias, /, win):
    dtype, x, w = x.dtype, wide(x), wide(kernel)
    y = depthwise.correlate(be, x, w, win)
    add(y, lined(be, bias, win.out[-1]))

    def pullback(dy, needs):
        dy = wide(dy)
        return (
            depthwise.spread(be, dy, w, win) if needs[0] else None,
            depthwise.weight_gradient(be, x, dy, win, w.shape[-1]) if needs[1] else None,
            _channel_sums(be, dy) if needs[2] else None,
        )

    return narrow(y, dtype), pullback


def separable_conv(
    inputs,
    depthwise_kernel,
    pointwise_kernel,
    strides=1,
    padding="valid",
    data_format=None,
    dilation_rate=1,
):
    """A depthwise convolution, and a convolution of one tap that mixes its channels.

    Args:
        inputs: tensor of shape (batch, *spatial, channels), with 1 to 3 spatial axes.
        depthwise_kernel: tensor of shape (*taps, channels, multiplier).
        pointwise_kernel: tensor of shape (1, ..., channels * multiplier, filters).
        strides, padding, data_format, dilation_rate: of the depthwise one, see `conv`.

    Returns:
        A tensor of shape (batch, *places, filters), a float.

    Raises:
        ShapeError: if the shapes do not fit.
        ArgumentError: if another argument is not allowed.

    Source: `keras.ops.separable_conv`.

    >>> x = np.ones((1, 4, 4, 2))
    >>> gpunn.ops.separable_conv(x, np.ones((3, 3, 2, 1)), np.ones((1, 1, 2, 5))).shape
    (1, 2, 2, 5)
    """
    args = (strides, padding, data_format, dilation_rate)
    y = convolve_depthwise("separable_conv", inputs, depthwise_kernel, None, *args)
    return convolve("separable_conv", y, pointwise_kernel, None, 1, "valid", data_format, 1)


# --- what they share ---


def _kernel(op, kernel, rank):
    """The kernel's shape.

    Raises:
        ShapeError: unless it has the rank for the inputs, and no axis of size 0.
    """
    shape = _shape(kernel)
    if len(shape) != rank + 2 or not all(shape):
        raise ShapeError(
            f"{op}: inputs with {rank} spatial axes take a kernel of {rank + 2} axes, none of "
            f"them empty, got shape {shape}"
        )
    return shape


def _window(op, inputs, taps, strides, padding, dilation) -> Window:
    """The window of a kernel over inputs whose channels are last."""
    strides = numbers(op, "strides", strides, len(taps))
    dilation = numbers(op, "dilation_rate", dilation, len(taps))
    return window(op, _shape(inputs)[1:-1], tuple(taps), strides, padding, dilation)


def _channel_sums(be, x):
    """The sum over all but the last axis, as a product with ones."""
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    return be.dot(be.ones(len(rows), x.dtype), rows)

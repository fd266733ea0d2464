"""ConvLSTM1D, 2D and 3D: LSTMs whose products are convolutions."""

from gpunn import ops
from gpunn.errors import ShapeError
from gpunn.layers.check import wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.recurrent import Gated, of_cell
from gpunn.layers.rnn_cells import LSTMCell, state_shape
from gpunn.layers.spatial import Spatial
from gpunn.ops.convolution import convolve
from gpunn.ops.spatial import output_size


class ConvLSTMCell(LSTMCell, Spatial):
    """A step of a `ConvLSTM2D`, or of one with another rank, the number of spatial axes."""

    def __init__(
        self,
        rank,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        **kwargs,
    ):
        self.rank = rank
        super().__init__(filters, implementation=1, data_format=data_format, **kwargs)
        self.filters = self.units
        self.kernel_size = self._numbers("kernel_size", kernel_size)
        self.strides = self._numbers("strides", strides)
        self.padding = self._padding(padding)
        self.dilation_rate = self._numbers("dilation_rate", dilation_rate)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise wrong(
                self,
                f"strides {self.strides} do not go with dilation_rate {self.dilation_rate}: one "
                "of them must be 1",
            )

    def build(self, input_shape):
        """Make the weights."""
        sizes, channels = self._parts(tuple(input_shape))
        if None in sizes or channels is None:
            raise wrong(
                self, f"the inputs' sizes must be known, got {tuple(input_shape)}", ShapeError
            )
        self._make_weights((*self.kernel_size, channels), (*self.kernel_size, self.filters))
        shape = self.compute_output_shape(input_shape)[1:]
        self.state_size = [shape, shape]

    def call(self, inputs, states, training=False):
        """One step."""
        h, c = states
        masks = self.get_dropout_mask(inputs) if training else None
        window = {"strides": self.strides, "dilation_rate": self.dilation_rate}
        z = self._convolved(inputs, self.kernel, self.bias, masks, self.padding, **window)
        masks = self._state_masks(h, training)
        z = z + self._convolved(h, self.recurrent_kernel, None, masks, "same")
        return self._gated(z, c, self._channels)

    @property
    def _channels(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def _convolved(self, x, kernel, bias, masks, padding, strides=1, dilation_rate=1):
        """The convolution for all gates, each with its own mask if there is dropout."""
        rest = strides, padding, self.data_format, dilation_rate
        if masks is None:
            return convolve(self._title(), x, kernel, bias, *rest)
        kernels = ops.split(kernel, 4, axis=-1)
        biases = [None] * 4 if bias is None else ops.split(bias, 4)
        gates = zip(masks, kernels, biases, strict=True)
        parts = [convolve(self._title(), x * m, k, b, *rest) for m, k, b in gates]
        return ops.concatenate(parts, axis=self._channels)

    def compute_output_shape(self, input_shape):
        """The shape of the output and of each state."""
        sizes, _ = self._parts(tuple(input_shape))
        axes = zip(sizes, self.kernel_size, self.strides, self.dilation_rate, strict=True)
        sizes = tuple([output_size(n, k, s, self.padding, d) for n, k, s, d in axes])
        return self._shape(input_shape[0], sizes, self.filters)


class _ConvLSTM(Gated):
    """What they share; a subclass says `rank`."""

    rank: int

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        **kwargs,
    ):
        self._make(ConvLSTMCell, {**locals(), "rank": self.rank})
        self.input_spec = InputSpec(ndim=self.rank + 3)

    filters = of_cell("filters")
    kernel_size = of_cell("kernel_size")
    strides = of_cell("strides")
    padding = of_cell("padding")
    data_format = of_cell("data_format")
    dilation_rate = of_cell("dilation_rate")
    unit_forget_bias = of_cell("unit_forget_bias")

    def _has_op(self):
        return False

    def build(self, sequences_shape, initial_state_shape=None):
        """Build the cell for one step."""
        super().build(sequences_shape)
        self.state_size = list(self.cell.state_size)

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        """The shape of the cell's output, with the steps as axis 1 if all outputs are returned."""
        batch, steps, *rest = sequences_shape
        size = self.cell.compute_output_shape((batch, *rest))[1:]
        y = (batch, steps, *size) if self.return_sequences else (batch, *size)
        return (y, *[state_shape(batch, size)] * 2) if self.return_state else y


class ConvLSTM1D(_ConvLSTM):
    """An LSTM over sequences of rows, whose products are convolutions.

    i, f, o = recurrent_activation(W * x + R * h + b), g = activation(the same with its own
    filters), c = f c_before + i g, h = o activation(c); * is a convolution.

    Args: as of `ConvLSTM2D`.

    Shapes: (batch, steps, rows, channels) -> (batch, rows, filters), with the steps as axis 1 if
    `return_sequences`.

    Raises:
        ArgumentError: if an argument has a value that is not allowed.
        ShapeError: if sequences, mask or states do not fit.

    Source: keras.layers.ConvLSTM1D.

    >>> gpunn.layers.ConvLSTM1D(4, 3)(np.ones((2, 5, 8, 1))).shape
    (2, 6, 4)
    """

    rank = 1


class ConvLSTM2D(_ConvLSTM):
    """An LSTM over sequences of images, whose products are convolutions.

    i, f, o = recurrent_activation(W * x + R * h + b), g = activation(the same with its own
    filters), c = f c_before + i g, h = o activation(c); * is a convolution.

    Args:
        filters: how many channels the output and the states have.
        kernel_size: size of the windows, an integer or one for each spatial axis.
        strides, padding, dilation_rate: of the inputs' convolution, as of `Conv2D`; that of the
            states has strides 1 and padding "same".
        data_format: "channels_last" (default) or "channels_first".
        activation: name or function; None: linear. Default: "tanh".
        recurrent_activation: of the gates. Default: "sigmoid".
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: default: "glorot_uniform",
            "orthogonal", "zeros".
        unit_forget_bias: whether the bias of the forget gate starts as 1. Default: True.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: terms
            added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each step.
        dropout, recurrent_dropout: in training, the fraction of the inputs and of the states set
            to 0, the same ones at all steps of a sequence.
        seed: of the dropout. Default: drawn from `gpunn.set_seed`'s.
        return_sequences, return_state, go_backwards, stateful: as of `RNN`.

    Call arguments: sequences, initial_state, mask and training, as of `RNN`.

    Shapes: (batch, steps, rows, columns, channels) -> (batch, rows, columns, filters), with the
    steps as axis 1 if `return_sequences`. Weights: kernel (*kernel_size, channels, 4 filters),
    recurrent_kernel (*kernel_size, filters, 4 filters), bias (4 filters,).

    Raises:
        ArgumentError: if an argument has a value that is not allowed.
        ShapeError: if sequences, mask or states do not fit.

    Source: keras.layers.ConvLSTM2D; Shi et al., 2015, https://arxiv.org/abs/1506.04214

    >>> gpunn.layers.ConvLSTM2D(4, 3)(np.ones((2, 5, 8, 8, 1))).shape
    (2, 6, 6, 4)
    """

    rank = 2


class ConvLSTM3D(_ConvLSTM):
    """An LSTM over sequences of volumes, whose products are convolutions, see `ConvLSTM2D`.

    Args: as of `ConvLSTM2D`.

    Shapes: (batch, steps, d1, d2, d3, channels) -> (batch, d1, d2, d3, filters), with the steps as
    axis 1 if `return_sequences`.

    Raises:
        ArgumentError: if an argument has a value that is not allowed.
        ShapeError: if sequences, mask or states do not fit.

    Source: keras.layers.ConvLSTM3D.

    >>> gpunn.layers.ConvLSTM3D(2, 3)(np.ones((2, 5, 4, 4, 4, 1))).shape
    (2, 2, 2, 2, 2)
    """

    rank = 3

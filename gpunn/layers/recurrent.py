"""SimpleRNN, LSTM and GRU: whole sequences in one op where there is one, else step by step."""

from functools import cache
from inspect import signature

from gpunn import activations
from gpunn.layers.check import wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.layer import Layer
from gpunn.layers.rnn import RNN
from gpunn.layers.rnn_cells import GRUCell, LSTMCell, SimpleRNNCell
from gpunn.ops.recurrent import lstm, simple_rnn
from gpunn.ops.recurrent_gru import gru
from gpunn.serialization import snake_case


def of_cell(name: str):
    """An attribute that is the cell's."""
    return property(lambda self: getattr(self.cell, name), doc=f"The cell's `{name}`.")


@cache
def _names(cell_type: type) -> set[str]:
    """What a cell's constructor, and those it passes keywords on to, name."""
    classes = cell_type.__mro__[: cell_type.__mro__.index(Layer)]
    made = [vars(c)["__init__"] for c in classes if "__init__" in vars(c)]
    return {name for init in made for name in signature(init).parameters}


class _Recurrent(RNN):
    """A layer that makes its own cell."""

    input_spec = InputSpec(ndim=3)

    units = of_cell("units")
    activation = of_cell("activation")
    use_bias = of_cell("use_bias")
    kernel_initializer = of_cell("kernel_initializer")
    recurrent_initializer = of_cell("recurrent_initializer")
    bias_initializer = of_cell("bias_initializer")
    kernel_regularizer = of_cell("kernel_regularizer")
    recurrent_regularizer = of_cell("recurrent_regularizer")
    bias_regularizer = of_cell("bias_regularizer")
    kernel_constraint = of_cell("kernel_constraint")
    recurrent_constraint = of_cell("recurrent_constraint")
    bias_constraint = of_cell("bias_constraint")
    dropout = of_cell("dropout")
    recurrent_dropout = of_cell("recurrent_dropout")
    seed = of_cell("seed")

    def _make(self, cell_type: type, arguments: dict) -> None:
        """Make the cell and the layer of a constructor's arguments, its `locals()`.

        What the cell's constructor names is for the cell, the rest for `RNN`.
        """
        given = {**arguments, **arguments["kwargs"]}
        for name in ("self", "__class__", "kwargs"):
            given.pop(name, None)
        names = [name for name in given if name in _names(cell_type)]
        cell = cell_type(
            **{name: given.pop(name) for name in names},
            dtype=given.get("dtype"),
            trainable=given.get("trainable", True),
            name=snake_case(cell_type.__name__),
        )
        super().__init__(cell, **given)

    def _run(self, sequences, states, mask, training):
        cell = self.cell
        drops = training and (cell.recurrent_dropout or (cell.dropout and cell.mask_per_gate))
        if drops or not self._has_op():
            return super()._run(sequences, states, mask, training)
        if training and cell.dropout:
            kept = cell.get_dropout_mask(sequences[:, 0])
            sequences = sequences * kept.reshape(len(kept), 1, -1)
        states = [None] * len(self.state_size) if states is None else states
        y, *last = self._op(sequences, states, mask)
        return (y, last) if self.return_sequences else (y, [y, *last])

    def _has_op(self) -> bool:
        """Whether the activations are those of the op."""
        return self.cell.activation is activations.tanh

    def get_config(self):
        """The arguments that make a layer like this one."""
        config = super().get_config()
        del config["cell"]
        return config


class Gated(_Recurrent):
    """A layer whose cell has gates."""

    recurrent_activation = of_cell("recurrent_activation")
    implementation = of_cell("implementation")

    def _has_op(self):
        return super()._has_op() and self.cell.recurrent_activation is activations.sigmoid

    def _make(self, cell_type, arguments):
        self.use_cudnn = arguments.pop("use_cudnn", "auto")  # there is one way on every device
        super()._make(cell_type, arguments)
        if self.use_cudnn not in ("auto", True, False):
            raise wrong(self, f"use_cudnn must be 'auto', True or False, got {self.use_cudnn!r}")


class SimpleRNN(_Recurrent):
    """The fully connected recurrent layer: h_t = activation(x_t W + h_(t-1) R + b).

    Args:
        units: size of the output.
        activation: name or function; None: linear. Default: "tanh".
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: default: "glorot_uniform",
            "orthogonal", "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: terms
            added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each step.
        dropout, recurrent_dropout: in training, the fraction of the inputs and of the states set
            to 0, the same ones at all steps of a sequence.
        return_sequences, return_state, go_backwards, stateful, unroll: as of `RNN`.
        seed: of the dropout. Default: drawn from `gpunn.set_seed`'s.

    Call arguments: sequences, initial_state, mask and training, as of `RNN`.

    Shapes: (batch, steps, n) -> (batch, units) or (batch, steps, units). Weights: kernel
    (n, units), recurrent_kernel (units, units), bias (units,).

    Raises:
        ArgumentError: if units is not a positive integer, or a name is unknown.
        ShapeError: if sequences, mask or states do not fit.

    Source: keras.layers.SimpleRNN.

    >>> gpunn.layers.SimpleRNN(3)(np.ones((5, 7, 4))).shape
    (5, 3)
    """

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        seed=None,
        **kwargs,
    ):
        self._make(SimpleRNNCell, locals())

    def _has_op(self):
        return self.cell.activation in (activations.tanh, activations.relu)

    def _op(self, x, states, mask):
        cell = self.cell
        name = "tanh" if cell.activation is activations.tanh else "relu"
        weights = cell.kernel, cell.recurrent_kernel, cell.bias
        return simple_rnn(
            x, *states, *weights, mask, activation=name, sequences=self.return_sequences
        )


class LSTM(Gated):
    """Long short-term memory: an output h and a carry c go from step to step, see `LSTMCell`.

    Args:
        units: size of the output.
        activation: name or function; None: linear. Default: "tanh".
        recurrent_activation: of the gates. Default: "sigmoid".
        unit_forget_bias: whether the bias of the forget gate starts as 1. Default: True.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: default: "glorot_uniform",
            "orthogonal", "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: terms
            added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each step.
        dropout, recurrent_dropout: in training, the fraction of the inputs and of the states set
            to 0, the same ones at all steps of a sequence.
        seed: of the dropout. Default: drawn from `gpunn.set_seed`'s.
        return_sequences, return_state, go_backwards, stateful, unroll: as of `RNN`.
        use_cudnn: accepted; there is one way on every device.

    Call arguments: sequences, initial_state, mask and training, as of `RNN`.

    Shapes: (batch, steps, n) -> (batch, units) or (batch, steps, units). Weights: as of `LSTMCell`.

    Raises:
        ArgumentError: if units is not a positive integer, or a name is unknown.
        ShapeError: if sequences, mask or states do not fit.

    Source: keras.layers.LSTM; Hochreiter and Schmidhuber, 1997.

    >>> gpunn.layers.LSTM(3)(np.ones((5, 7, 4))).shape
    (5, 3)
    """

    def __init__(
        self,
        units,
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
        unroll=False,
        use_cudnn="auto",
        **kwargs,
    ):
        self._make(LSTMCell, locals())

    unit_forget_bias = of_cell("unit_forget_bias")

    def _op(self, x, states, mask):
        cell = self.cell
        weights = cell.kernel, cell.recurrent_kernel, cell.bias
        return lstm(x, *states, *weights, mask, sequences=self.return_sequences)


class GRU(Gated):
    """The gated recurrent unit, see `GRUCell`.

    Args:
        units: size of the output.
        activation: name or function; None: linear. Default: "tanh".
        recurrent_activation: of the gates. Default: "sigmoid".
        reset_after: whether the reset gate is applied after the product with the state.
            Default: True.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: default: "glorot_uniform",
            "orthogonal", "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: terms
            added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each step.
        dropout, recurrent_dropout: in training, the fraction of the inputs and of the states set
            to 0, the same ones at all steps of a sequence.
        seed: of the dropout. Default: drawn from `gpunn.set_seed`'s.
        return_sequences, return_state, go_backwards, stateful, unroll: as of `RNN`.
        use_cudnn: accepted; there is one way on every device.

    Call arguments: sequences, initial_state, mask and training, as of `RNN`.

    Shapes: (batch, steps, n) -> (batch, units) or (batch, steps, units). Weights: as of `GRUCell`.

    Raises:
        ArgumentError: if units is not a positive integer, or a name is unknown.
        ShapeError: if sequences, mask or states do not fit.

    Source: keras.layers.GRU; Cho et al., 2014, https://arxiv.org/abs/1406.1078.

    >>> gpunn.layers.GRU(3)(np.ones((5, 7, 4))).shape
    (5, 3)
    """

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
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
        unroll=False,
        reset_after=True,
        use_cudnn="auto",
        **kwargs,
    ):
        self._make(GRUCell, locals())

    reset_after = of_cell("reset_after")

    def _op(self, x, states, mask):
        cell = self.cell
        weights = cell.kernel, cell.recurrent_kernel, cell.bias
        return gru(
            x,
            *states,
            *weights,
            mask,
            reset_after=cell.reset_after,
            sequences=self.return_sequences,
        )

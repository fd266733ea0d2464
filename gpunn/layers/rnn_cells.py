"""Cells: one step of a recurrent layer, from an input and states to an output and states."""

from gpunn import activations, constraints, initializers, ops, regularizers
from gpunn.errors import ArgumentTypeError, ShapeError
from gpunn.layers.check import fraction, positive_integer, wrong
from gpunn.layers.layer import Layer
from gpunn.layers.regularization import random_stream
from gpunn.ops.noise import dropout as drop


class SimpleRNNCell(Layer):
    """h = activation(x kernel + h_before recurrent_kernel + bias): a step of a `SimpleRNN`.

    Args:
        units: size of the output and the state.
        activation: name or function; None: linear. Default: "tanh".
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: default: "glorot_uniform",
            "orthogonal", "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer: terms added to the loss.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each step.
        dropout: in training, the fraction of the inputs set to 0, from 0 to 1.
        recurrent_dropout: the same of the states.
        seed: of the dropout. Default: drawn from `gpunn.set_seed`'s.

    Call arguments:
        inputs: of shape (batch, n).
        states: [h], of shape (batch, units); or h, which gives the new state without a list, too.
        training: whether there is dropout. Its mask is drawn once and kept until
            `reset_dropout_mask` and `reset_recurrent_dropout_mask`.

    Returns (by a call): the output and the new states. Weights: kernel (n, units), recurrent_kernel
    (units, units), bias (units,).

    Raises:
        ArgumentError: if units is not a positive integer, or a dropout is not from 0 to 1.

    Source: keras.layers.SimpleRNNCell.

    >>> y, states = gpunn.layers.SimpleRNNCell(3)(np.ones((2, 4)), [np.zeros((2, 3))])
    >>> y.shape, len(states)
    ((2, 3), 1)
    """

    gates = 1

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
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = positive_integer(self, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = fraction(self, "dropout", dropout)
        self.recurrent_dropout = fraction(self, "recurrent_dropout", recurrent_dropout)
        self.seed = seed
        self.seed_generator = random_stream(self, seed)
        self.state_size = self.output_size = self.units
        self.bias = None
        self.reset_dropout_mask()
        self.reset_recurrent_dropout_mask()

    def build(self, input_shape):
        """Make the weights."""
        n = input_shape[-1]
        if n is None:
            raise wrong(
                self, f"the last axis must be known, got shape {tuple(input_shape)}", ShapeError
            )
        self._make_weights((n,), (self.units,))

    def _make_weights(self, of_inputs, of_states):
        """Make kernels of such shapes, with the gates as a last axis, and the bias."""
        columns = self.gates * self.units
        self.kernel = self.add_weight(
            (*of_inputs, columns),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.recurrent_kernel = self.add_weight(
            (*of_states, columns),
            self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            name="recurrent_kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                self._bias_shape(),
                self._first_bias,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    def _bias_shape(self) -> tuple:
        return (self.gates * self.units,)

    def _first_bias(self, shape, dtype=None):
        return self.bias_initializer(shape, dtype=dtype)

    def call(self, inputs, states, training=False):
        """One step."""
        h = states[0] if isinstance(states, list | tuple) else states
        z = self._inputs_share(inputs, training)
        y = z + self._product(h, self.recurrent_kernel, self._state_masks(h, training))
        y = self._activated(y)
        return y, y if h is states else [y]

    def _activated(self, x):
        return x if self.activation is None else self.activation(x)

    def _inputs_share(self, inputs, training):
        """inputs kernel + bias."""
        masks = self.get_dropout_mask(inputs) if training else None
        z = self._product(inputs, self.kernel, masks)
        return z if self.bias is None else z + self.bias

    def _state_masks(self, h, training):
        return self.get_recurrent_dropout_mask(h) if training else None

    def _product(self, x, w, masks):
        """x w, with some of x dropped: the same for all gates, or for each gate its own."""
        if not isinstance(masks, list):
            return ops.matmul(x if masks is None else x * masks, w)
        columns = ops.split(w, len(masks), axis=-1)
        parts = [ops.matmul(x * m, c) for m, c in zip(masks, columns, strict=True)]
        return ops.concatenate(parts, axis=-1)

    def get_initial_state(self, batch_size=None) -> list:
        """Zeros: the states before the first step."""
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [ops.zeros(state_shape(batch_size, n), dtype=self.compute_dtype) for n in sizes]

    # --- dropout: one draw for all steps of a sequence ---

    @property
    def mask_per_gate(self) -> bool:
        """Whether dropout draws a mask for each gate."""
        return False

    def get_dropout_mask(self, step_input):
        """What inputs are multiplied by in training; None without dropout."""
        if self._dropout_mask is None:
            self._dropout_mask = self._drawn(step_input, self.dropout)
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input):
        """What states are multiplied by in training; None without recurrent_dropout."""
        if self._recurrent_dropout_mask is None:
            self._recurrent_dropout_mask = self._drawn(step_input, self.recurrent_dropout)
        return self._recurrent_dropout_mask

    def _drawn(self, like, rate):
        if not rate:
            return None
        ones = ops.ones_like(like)
        if not self.mask_per_gate:
            return drop(ones, rate, self.seed_generator)
        return [drop(ones, rate, self.seed_generator) for _ in range(self.gates)]

    def reset_dropout_mask(self) -> None:
        """Forget the mask of the inputs: the next step draws one."""
        self._dropout_mask = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Forget the mask of the states."""
        self._recurrent_dropout_mask = None


def state_shape(batch, size) -> tuple:
    """The shape of a state of a size, which is a number of units or a shape without the batch."""
    return (batch, *size) if isinstance(size, tuple) else (batch, size)


class _GatedCell(SimpleRNNCell):
    """A cell with gates, which have an activation of their own."""

    def __init__(self, units, recurrent_activation="sigmoid", implementation=2, **kwargs):
        super().__init__(units, **kwargs)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.implementation = 1 if self.recurrent_dropout else implementation

    @property
    def mask_per_gate(self):
        """Whether dropout draws a mask for each gate."""
        return self.implementation == 1

    def _gate(self, x):
        return x if self.recurrent_activation is None else self.recurrent_activation(x)


class LSTMCell(_GatedCell):
    """A step of an `LSTM`.

    i, f, o = recurrent_activation(x W + h R + b), g = activation(the same, with its own columns),
    c = f c_before + i g, h = o activation(c).

    Args:
        units, activation, use_bias, initializers, regularizers, constraints, dropout,
            recurrent_dropout, seed: as of `SimpleRNNCell`.
        recurrent_activation: of the gates i, f and o. Default: "sigmoid".
        unit_forget_bias: whether the bias of f starts as 1. Default: True.
        implementation: 1: dropout draws a mask for each gate; 2 (default): one for all. With
            recurrent_dropout it is 1.

    Call arguments:
        inputs: of shape (batch, n).
        states: [h, c], of shape (batch, units).
        training: whether there is dropout.

    Returns (by a call): the output h and the new states. Weights: kernel (n, 4 units),
    recurrent_kernel (units, 4 units), bias (4 units,), the gates in the order i, f, g, o.

    Raises:
        ArgumentError: if units is not a positive integer, or a dropout is not from 0 to 1.

    Source: keras.layers.LSTMCell; Hochreiter and Schmidhuber, 1997.

    >>> zeros = np.zeros((2, 3))
    >>> y, (h, c) = gpunn.layers.LSTMCell(3)(np.ones((2, 4)), [zeros, zeros])
    >>> y.shape, c.shape
    ((2, 3), (2, 3))
    """

    gates = 4

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
        **kwargs,
    ):
        super().__init__(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            **kwargs,
        )
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]

    def _first_bias(self, shape, dtype=None):
        if not self.unit_forget_bias:
            return super()._first_bias(shape, dtype)
        n = self.units
        parts = [
            self.bias_initializer((n,), dtype=dtype),
            ops.ones((n,), dtype=dtype),
            self.bias_initializer((2 * n,), dtype=dtype),
        ]
        return ops.concatenate(parts)

    def call(self, inputs, states, training=False):
        """One step."""
        if not isinstance(states, list | tuple):
            raise wrong(self, f"takes states [h, c] in a list, got {states!r}", ArgumentTypeError)
        h, c = states
        z = self._inputs_share(inputs, training)
        z = z + self._product(h, self.recurrent_kernel, self._state_masks(h, training))
        return self._gated(z, c)

    def _gated(self, z, c, axis=-1):
        """The output and the new states of the gates' inputs, which lie side by side."""
        i, f, g, o = ops.split(z, 4, axis=axis)
        c = self._gate(f) * c + self._gate(i) * self._activated(g)
        h = self._gate(o) * self._activated(c)
        return h, [h, c]


class GRUCell(_GatedCell):
    """A step of a `GRU`.

    z, r = recurrent_activation(x W + h R + b), h = z h_before + (1 - z) g, where
    g = activation(x W_g + b_g + r (h R_g + b'_g)), or without `reset_after`
    g = activation(x W_g + b_g + (r h) R_g).

    Args:
        units, activation, use_bias, initializers, regularizers, constraints, dropout,
            recurrent_dropout, seed: as of `SimpleRNNCell`.
        recurrent_activation: of the gates z and r. Default: "sigmoid".
        reset_after: whether r is applied after the product with the states. Default: True.
        implementation: as of `LSTMCell`.

    Call arguments:
        inputs: of shape (batch, n).
        states: [h], of shape (batch, units); or h, which gives the new state without a list, too.
        training: whether there is dropout.

    Returns (by a call): the output and the new states. Weights: kernel (n, 3 units),
    recurrent_kernel (units, 3 units), bias (2, 3 units), or (3 units,) without `reset_after`; the
    gates in the order z, r, g.

    Raises:
        ArgumentError: if units is not a positive integer, or a dropout is not from 0 to 1.

    Source: keras.layers.GRUCell; Cho et al., 2014, https://arxiv.org/abs/1406.1078

    >>> y, states = gpunn.layers.GRUCell(3)(np.ones((2, 4)), [np.zeros((2, 3))])
    >>> y.shape
    (2, 3)
    """

    gates = 3

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        reset_after=True,
        **kwargs,
    ):
        super().__init__(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            **kwargs,
        )
        self.reset_after = reset_after

    def _bias_shape(self):
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def call(self, inputs, states, training=False):
        """One step."""
        h = before = states[0] if isinstance(states, list | tuple) else states
        masks = self._state_masks(h, training)
        bias, state_bias = self.bias, None
        if self.reset_after and bias is not None:
            bias, state_bias = bias[0], bias[1]
        x = self._product(inputs, self.kernel, self.get_dropout_mask(inputs) if training else None)
        xz, xr, xg = ops.split(x if bias is None else x + bias, 3, axis=-1)
        if self.reset_after:
            inner = self._product(h, self.recurrent_kernel, masks)
            inner = inner if state_bias is None else inner + state_bias
            hz, hr, hg = ops.split(inner, 3, axis=-1)
            z, r = self._gate(xz + hz), self._gate(xr + hr)
            g = self._activated(xg + r * hg)
        else:
            both, candidate = ops.split(self.recurrent_kernel, [2 * self.units], axis=-1)
            per_gate = isinstance(masks, list)
            hz, hr = ops.split(self._product(h, both, masks[:2] if per_gate else masks), 2, axis=-1)
            z, r = self._gate(xz + hz), self._gate(xr + hr)
            last = masks[2] if per_gate else masks
            g = self._activated(xg + self._product(r * h, candidate, last))
        h = z * h + (1 - z) * g
        return h, h if before is states else [h]

"""RNN: a cell applied to every step of sequences; StackedRNNCells: several cells as one."""

import numpy as np

from gpunn import ops, tree
from gpunn.autograd import Variable, convert
from gpunn.backend import device
from gpunn.errors import ArgumentTypeError, ShapeError
from gpunn.layers.check import wrong
from gpunn.layers.layer import Layer
from gpunn.layers.rnn_cells import SimpleRNNCell, state_shape
from gpunn.ops.recurrence import no_state, steps
from gpunn.serialization import deserialize_value


class StackedRNNCells(Layer):
    """Several cells as one: the output of each is the input of the next.

    Args:
        cells: a list of cells.

    Call arguments:
        inputs: of shape (batch, n).
        states: a list with the states of each cell.

    Returns (by a call): the last cell's output and the list of new states.

    Raises:
        ArgumentTypeError: if one has no `call` or no `state_size`.

    Source: keras.layers.StackedRNNCells.

    >>> cells = [gpunn.layers.LSTMCell(3), gpunn.layers.GRUCell(2)]
    >>> gpunn.layers.RNN(gpunn.layers.StackedRNNCells(cells))(np.ones((5, 7, 4))).shape
    (5, 2)
    """

    def __init__(self, cells, **kwargs):
        super().__init__(**kwargs)
        for cell in cells:
            check_cell(self, cell)
        self.cells = list(cells)

    @property
    def state_size(self) -> list:
        """The sizes of each cell's states."""
        return [_listed(cell.state_size) for cell in self.cells]

    @property
    def output_size(self) -> int:
        """The size of the last cell's output."""
        return output_size(self.cells[-1])

    def build(self, input_shape):
        """Build each cell for the output of the one before."""
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def get_initial_state(self, batch_size=None) -> list:
        """The first states of each cell."""
        return [initial_state(cell, batch_size) for cell in self.cells]

    def call(self, inputs, states, training=False):
        """One step of every cell."""
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            inputs, after = step(cell, inputs, state, training)
            new.append(after)
        return inputs, new

    @classmethod
    def from_config(cls, config):
        """A new layer of a config made by `get_config`."""
        return super().from_config({**config, "cells": deserialize_value(config["cells"])})


class RNN(Layer):
    """A cell applied to every step of sequences.

    Args:
        cell: a cell, or a list of them, which are stacked: a layer (or object) with a
            `call(inputs, states)` that gives `(output, new states)` and a `state_size`.
        return_sequences: whether to give the outputs of all steps, not of the last. Default: False.
        return_state: whether to give the last states as well. Default: False.
        go_backwards: whether to start with the last step; outputs come in that order.
        stateful: whether the last states of a call are the first of the next one.
        unroll: accepted; loops are always unrolled.
        zero_output_for_mask: whether the output of a masked step is 0, not the one before.

    Call arguments:
        sequences: of shape (batch, steps, ...).
        initial_state: the first states, a list. Default: zeros, or the last ones if stateful.
        mask: booleans (batch, steps): where it is False, the states stay as they are.
        training: passed to the cell.

    Returns (by a call): the outputs, (batch, units) or (batch, steps, units), followed by the last
    states if they are asked for.

    Raises:
        ArgumentTypeError: if the cell has no `call` or no `state_size`.
        ShapeError: if sequences, mask or states do not fit.

    Source: keras.layers.RNN.

    >>> layer = gpunn.layers.RNN(gpunn.layers.GRUCell(3), return_sequences=True)
    >>> layer(np.ones((5, 7, 4))).shape
    (5, 7, 3)
    """

    supports_masking = True

    def __init__(
        self,
        cell,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        zero_output_for_mask=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        check_cell(self, cell)
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        size = _listed(cell.state_size)
        self.state_size = size if isinstance(size, list) else [size]
        self._kept_states = None

    @property
    def states(self):
        """The variables that a stateful layer keeps its last states in; None before the first call.

        They are no weights: nothing saves them.
        """
        return self._kept_states

    def build(self, sequences_shape, initial_state_shape=None):
        """Build the cell for one step."""
        if len(sequences_shape) < 3:
            raise wrong(
                self,
                "expected sequences of shape (batch, steps, features), got "
                f"{tuple(sequences_shape)}",
                ShapeError,
            )
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Apply the cell to every step."""
        if sequences.ndim < 3 or not sequences.shape[1]:
            raise wrong(
                self,
                "expected sequences of shape (batch, steps, features) with at least one step, "
                f"got {sequences.shape}",
                ShapeError,
            )
        states = self._first_states(sequences, initial_state)
        mask = self._checked_mask(sequences, mask)
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
            mask = None if mask is None else ops.flip(mask, axis=1)
        try:
            y, states = self._run(sequences, states, mask, training)
        finally:
            reset_dropout(self.cell)
        y, states = tree.map_structure(
            self._to_compute_dtype, (y, states)
        )  # a cell may have its own policy
        if self.zero_output_for_mask and mask is not None:
            kept = mask if self.return_sequences else mask[:, -1]
            y = ops.where(ops.reshape(kept, (*kept.shape, *[1] * (y.ndim - kept.ndim))), y, 0)
        if self.stateful:
            tree.map_structure(lambda kept, s: kept.assign(s), self._kept_states, states)
        return (y, *states) if self.return_state else y

    def _run(self, sequences, states, mask, training):
        """The output, of all steps or the last, and the last states."""
        if states is None:
            states = _first_states(self.cell, sequences)
            states = list(states) if isinstance(states, list | tuple) else [states]
        masks = [None] * sequences.shape[1] if mask is None else steps(mask)
        outputs = []
        for x, counts in zip(steps(sequences), masks, strict=True):
            y, new = step(self.cell, x, states, training)
            if counts is not None:
                y = _chosen(counts, y, outputs[-1] if outputs else _output_of(states))
                new = tree.map_structure(lambda n, s, m=counts: _chosen(m, n, s), new, states)
            states = new
            if not self.return_sequences:
                outputs.clear()
            outputs.append(y)
        return ops.stack(outputs, axis=1) if self.return_sequences else outputs[-1], states

    def compute_mask(self, sequences, mask=None):
        """The mask of the sequences if all outputs are returned, else None; none for states."""
        if isinstance(mask, list | tuple):
            mask = mask[0]
        return mask if self.return_sequences else None

    def get_initial_state(self, batch_size=None) -> list:
        """The cell's first states: its own, or zeros."""
        states = initial_state(self.cell, batch_size)
        return list(states) if isinstance(states, list | tuple) else [states]

    def _first_states(self, sequences, given):
        """The states to begin with, in the dtype of the sequences; None: the cell's own."""
        wanted = [_state_shapes(sequences.shape[0], n) for n in self.state_size]
        if self.stateful:
            self._make_room(sequences, wanted)
        if given is None and self.stateful:
            # copies: ops save them for their gradients, and the call's end changes the variables
            return tree.map_structure(lambda s: s.detach().clone(), self._kept_states)
        if given is None:
            return None
        given = list(given) if isinstance(given, list | tuple) else [given]
        states = tree.map_structure(convert, given)
        if _shapes(states) != tree.flatten(wanted):
            found = tree.map_structure(lambda s: s.shape, states)
            raise wrong(self, f"expected states of shapes {wanted}, got {found}", ShapeError)
        return tree.map_structure(lambda s: s.to(sequences.device).to(self.compute_dtype), states)

    def _make_room(self, sequences, wanted) -> None:
        """Have variables for the last states of such sequences; states that are kept must fit."""
        kept, place = self._kept_states, sequences.device
        if kept is not None and _shapes(kept) != tree.flatten(wanted):
            flat = tree.flatten(kept)
            if any(v.numpy().any() for v in flat):
                raise wrong(
                    self,
                    f"expected {len(flat[0])} sequences, whose states it keeps, got "
                    f"{sequences.shape[0]}; reset_states() forgets them",
                    ShapeError,
                )
            kept = None
        if kept is None or tree.flatten(kept)[0].device != place:
            with device(place):
                first = self.get_initial_state(sequences.shape[0]) if kept is None else kept
            self._kept_states = tree.map_structure(
                lambda s: Variable(s, trainable=False, name="rnn_state", device=place), first
            )

    def _checked_mask(self, sequences, mask):
        """The mask as booleans (batch, steps)."""
        if mask is None:
            return None
        mask = convert(mask[0] if isinstance(mask, list | tuple) else mask)
        if mask.ndim == 3 and mask.shape[2] == 1:
            mask = mask[..., 0]
        if mask.shape != sequences.shape[:2]:
            raise wrong(
                self,
                f"expected a mask of shape {sequences.shape[:2]}, (batch, steps), got {mask.shape}",
                ShapeError,
            )
        return ops.cast(mask, "bool")

    def reset_state(self) -> None:
        """Forget the states that a stateful layer kept: the next call begins with zeros."""
        for v in tree.flatten(self._kept_states or []):
            v.assign(np.zeros(v.shape, v.dtype))

    reset_states = reset_state

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        """(batch, units) or (batch, steps, units), and the states' shapes if they are returned."""
        batch, count = sequences_shape[:2]
        units = output_size(self.cell)
        y = (batch, count, units) if self.return_sequences else (batch, units)
        if not self.return_state:
            return y
        return (y, *[_state_shapes(batch, n) for n in self.state_size])

    @classmethod
    def from_config(cls, config):
        """A new layer of a config made by `get_config`."""
        if isinstance(config.get("cell"), dict):
            config = {**config, "cell": deserialize_value(config["cell"])}
        return super().from_config(config)


# --- what cells of any kind have in common ---


def _listed(size):
    """The sizes of several states as a list: a tuple in it is the shape of one."""
    return list(size) if isinstance(size, list | tuple) else size


def _shapes(states) -> list[int]:
    """The shapes of nested states, one after the other."""
    return tree.flatten(tree.map_structure(lambda s: s.shape, states))


def check_cell(layer, cell) -> None:
    """Raise unless a cell can be used."""
    for name in ("call", "state_size"):
        if not hasattr(cell, name):
            raise wrong(
                layer,
                f"a cell needs call(inputs, states) and state_size; {cell!r} has no {name}",
                ArgumentTypeError,
            )


def step(cell, inputs, states, training) -> tuple:
    """One step: the output, and the new states nested as the old ones."""
    single = not isinstance(states, list | tuple)
    if isinstance(cell, Layer):
        y, new = cell(inputs, [states] if single else states, training=training)
    else:
        y, new = cell.call(inputs, [states] if single else states)
    new = list(new) if isinstance(new, list | tuple) else [new]
    return y, new[0] if single else new


def initial_state(cell, batch_size):
    """A cell's own first states, or zeros of its `state_size`."""
    if hasattr(cell, "get_initial_state"):
        return cell.get_initial_state(batch_size=batch_size)
    dtype = getattr(cell, "compute_dtype", None)
    size = cell.state_size
    if isinstance(size, int):
        return ops.zeros((batch_size, size), dtype=dtype)
    return [ops.zeros((batch_size, n), dtype=dtype) for n in size]


def output_size(cell) -> int:
    """The size of a cell's output: its own, or that of its first state."""
    size = getattr(cell, "output_size", None)
    while size is None or isinstance(size, list | tuple):
        size = cell.state_size if size is None else size[0]
    return size


def reset_dropout(cell) -> None:
    """Make the next sequence draw other dropout masks."""
    for one in getattr(cell, "cells", [cell]):
        if hasattr(one, "reset_dropout_mask"):
            one.reset_dropout_mask()
            one.reset_recurrent_dropout_mask()


def _first_states(cell, x):
    """A cell's own first states for sequences, or zeros, made by an op as all that is recorded."""
    if isinstance(cell, StackedRNNCells):
        return [_first_states(one, x) for one in cell.cells]
    own = getattr(type(cell), "get_initial_state", None)
    if own not in (None, SimpleRNNCell.get_initial_state):
        with device(x.device):
            return cell.get_initial_state(batch_size=x.shape[0])
    size = cell.state_size
    if own is None and isinstance(size, int):
        return no_state(x, size=size)
    return [no_state(x, size=n) for n in (size if isinstance(size, list | tuple) else [size])]


def _state_shapes(batch, size):
    """The shape of a state, or of the nested states of a stacked cell."""
    if isinstance(size, list):
        return [_state_shapes(batch, n) for n in size]
    return state_shape(batch, size)


def _output_of(states):
    """The output before the first step: the first state, of the last of stacked cells."""
    return states[-1][0] if isinstance(states[-1], list | tuple) else states[0]


def _chosen(mask, new, old):
    """New rows where the mask is True, old ones elsewhere."""
    return ops.where(mask.reshape(-1, *[1] * (new.ndim - 1)), new, old)

"""Wrapper, Bidirectional and TimeDistributed: layers that apply another layer."""

from gpunn import ops, tree
from gpunn.errors import ArgumentTypeError, ShapeError
from gpunn.layers.check import wrong
from gpunn.layers.layer import Layer
from gpunn.serialization import deserialize_value, serialize_value

MERGE_MODES = ("sum", "mul", "ave", "concat", None)


class Wrapper(Layer):
    """A layer that applies another one; to be subclassed.

    Args:
        layer: the layer.

    Raises:
        ArgumentTypeError: if it is no layer.

    Source: keras.layers.Wrapper.

    >>> class Twice(gpunn.layers.Wrapper):
    ...     def call(self, inputs):
    ...         return 2 * self.layer(inputs)
    >>> Twice(gpunn.layers.ReLU())([1.0, -1.0]).numpy()
    array([2., 0.], dtype=float32)
    """

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise wrong(self, f"expected a layer, got {layer!r}", ArgumentTypeError)
        self.layer = layer

    def build(self, input_shape):
        """Build the layer."""
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True

    def get_config(self):
        """The arguments that make a layer like this one."""
        return {**super().get_config(), "layer": serialize_value(self.layer)}

    @classmethod
    def from_config(cls, config):
        """A new layer of a config made by `get_config`."""
        return super().from_config({**config, "layer": deserialize_value(config["layer"])})


class Bidirectional(Layer):
    """A recurrent layer over the sequences, and one like it over the reversed sequences.

    Args:
        layer: the layer that goes forward; a new one of its config is used.
        merge_mode: how the two outputs are joined: "concat" (default), "sum", "mul", "ave"; None:
            both are returned.
        weights: values for the weights, the forward layer's first.
        backward_layer: the layer that goes backward, with `go_backwards=True`. Default: one like
            `layer`.

    Call arguments:
        sequences: of shape (batch, steps, n).
        initial_state: the first states, a list, the forward layer's first. Default: zeros.
        mask: booleans (batch, steps), False where a step does not count.
        training: passed to both layers.

    Returns (by a call): the output (backward outputs in the order of the steps), and the states of
    both layers if `layer` returns states.

    Raises:
        ArgumentTypeError: if a layer is no recurrent layer.
        ArgumentError: if merge_mode is unknown, or the layers do not go together.

    Source: keras.layers.Bidirectional.

    >>> gpunn.layers.Bidirectional(gpunn.layers.LSTM(3))(np.ones((5, 7, 4))).shape
    (5, 6)
    """

    supports_masking = True

    def __init__(self, layer, merge_mode="concat", weights=None, backward_layer=None, **kwargs):
        super().__init__(**kwargs)
        for one in (layer, layer if backward_layer is None else backward_layer):
            if not isinstance(one, Layer) or not hasattr(one, "go_backwards"):
                raise wrong(
                    self, f"expected a recurrent layer, got {one!r}: LSTM(8)", ArgumentTypeError
                )
        if merge_mode not in MERGE_MODES:
            raise wrong(self, f"merge_mode must be one of {MERGE_MODES}, got {merge_mode!r}")
        self.merge_mode = merge_mode
        self.forward_layer = _like(layer, "forward_")
        if backward_layer is None:
            backward_layer = _like(layer, "backward_", go_backwards=not layer.go_backwards)
        self.backward_layer = backward_layer
        self._check_layers()
        for one in (self.forward_layer, self.backward_layer):
            if hasattr(one, "zero_output_for_mask"):
                one.zero_output_for_mask = one.return_sequences
        self.stateful = layer.stateful
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.input_spec = layer.input_spec
        self._given_weights = weights

    def _check_layers(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise wrong(self, "one of the two layers must have go_backwards=True, and one not")
        for name in ("stateful", "return_sequences", "return_state"):
            a, b = getattr(forward, name), getattr(backward, name)
            if a != b:
                raise wrong(self, f"the layers must agree in {name}: forward {a}, backward {b}")

    def build(self, sequences_shape, initial_state_shape=None):
        """Build both layers."""
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(sequences_shape)
        if self._given_weights:
            self.built = True
            self.set_weights(self._given_weights)

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Apply both layers and join their outputs."""
        first, second = self._halves(initial_state)
        y = self.forward_layer(sequences, first, mask=mask, training=training)
        y_back = self.backward_layer(sequences, second, mask=mask, training=training)
        states = []
        if self.return_state:
            states = [*y[1:], *y_back[1:]]
            y, y_back = y[0], y_back[0]
        y, y_back = (
            self._to_compute_dtype(y),
            self._to_compute_dtype(y_back),
        )  # the layers may have a policy of their own
        if self.return_sequences:
            y_back = ops.flip(y_back, axis=1)
        if self.merge_mode is None:
            return (y, y_back, *states)
        merged = _merged(y, y_back, self.merge_mode)
        return (merged, *states) if self.return_state else merged

    def compute_mask(self, sequences, mask=None):
        """The mask of the sequences if all outputs are returned, else None; none for states."""
        mask = self.forward_layer.compute_mask(sequences, mask)
        return (mask, mask) if self.merge_mode is None else mask

    def _halves(self, states) -> tuple:
        """The first states of each layer."""
        if states is None:
            return None, None
        if not isinstance(states, list | tuple) or len(states) % 2:
            raise wrong(
                self,
                "initial_state must be a list of the forward layer's states and then as many of "
                f"the backward layer, got {len(tree.flatten(states))}",
                ShapeError,
            )
        half = len(states) // 2
        return list(states[:half]), list(states[half:])

    @property
    def states(self):
        """The kept states of both layers, or None."""
        forward, backward = self.forward_layer.states, self.backward_layer.states
        return None if forward is None or backward is None else (*forward, *backward)

    def reset_state(self) -> None:
        """Forget the states that stateful layers kept."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        """The layer's output shape, twice as wide for "concat"; states' shapes where returned."""
        y = self.forward_layer.compute_output_shape(sequences_shape)
        y_back = self.backward_layer.compute_output_shape(sequences_shape)
        states = ()
        if self.return_state:
            states = (*y[1:], *y_back[1:])
            y, y_back = y[0], y_back[0]
        if self.merge_mode is None:
            return (y, y_back, *states)
        if self.merge_mode == "concat":
            y = (*y[:-1], y[-1] + y_back[-1])
        return (y, *states) if self.return_state else y

    def get_config(self):
        """The arguments that make a layer like this one, without the values of its weights."""
        config = super().get_config()
        config["layer"] = serialize_value(self.forward_layer)
        config["backward_layer"] = serialize_value(self.backward_layer)
        del config["weights"]
        return config

    @classmethod
    def from_config(cls, config):
        """A new layer of a config made by `get_config`."""
        layers = {name: deserialize_value(config.get(name)) for name in ("layer", "backward_layer")}
        return super().from_config({**config, **layers})


def _like(layer, prefix: str, **changes):
    """A new layer of the config of another one."""
    config = {**layer.get_config(), **changes}
    config["name"] = prefix + layer.name.removeprefix(prefix)
    return type(layer).from_config(config)


def _merged(y, y_back, mode: str):
    """The two outputs as one."""
    if mode == "concat":
        return ops.concatenate([y, y_back], axis=-1)
    if mode == "mul":
        return y * y_back
    total = y + y_back
    return total / 2 if mode == "ave" else total


class TimeDistributed(Wrapper):
    """A layer applied to every step of sequences, with the same weights.

    Args:
        layer: the layer.

    Call arguments:
        inputs: of shape (batch, steps, ...).
        training: passed to the layer.
        mask: booleans (batch, steps, ...), passed to the layer step by step, if it takes one.

    Shapes: (batch, steps, *rest) -> (batch, steps, *what the layer makes of rest).

    Raises:
        ArgumentTypeError: if `layer` is no layer.
        ShapeError: if the inputs have fewer than three axes, or the mask does not fit.

    Source: keras.layers.TimeDistributed.

    >>> gpunn.layers.TimeDistributed(gpunn.layers.Dense(3))(np.ones((5, 7, 4))).shape
    (5, 7, 3)
    """

    supports_masking = True

    def _step_shape(self, shape) -> tuple:
        if len(shape) < 3:
            raise wrong(
                self,
                f"expected inputs of shape (batch, steps, ...), got {tuple(shape)}",
                ShapeError,
            )
        return (shape[0], *shape[2:])

    def build(self, input_shape):
        """Build the layer for one step."""
        super().build(self._step_shape(input_shape))

    def call(self, inputs, training=False, mask=None):
        """Apply the layer to every step."""
        self._step_shape(inputs.shape)
        batch, count = inputs.shape[:2]
        if mask is not None and mask.shape[:2] != (batch, count):
            raise wrong(
                self,
                f"expected a mask of shape {(batch, count)}, (batch, steps), got {mask.shape}",
                ShapeError,
            )
        given = [inputs] if mask is None else [inputs, mask]
        if any(v.is_state for v in self.layer.weights):  # moving statistics follow step by step
            cut = [ops.unstack(x, axis=1) for x in given]
            return ops.stack([self._apply(x, training) for x in zip(*cut, strict=True)], axis=1)
        rows = [ops.reshape(x, (batch * count, *x.shape[2:])) for x in given]
        y = self._apply(rows, training)
        return ops.reshape(y, (batch, count, *y.shape[1:]))

    def _apply(self, given, training):
        masks = {"mask": given[1]} if len(given) > 1 and self.layer._takes_mask else {}
        return self._to_input(self.layer(given[0], training=training, **masks))

    def compute_output_shape(self, input_shape):
        """The layer's output shape with the steps as axis 1."""
        batch, *rest = self.layer.compute_output_shape(self._step_shape(input_shape))
        return (batch, input_shape[1], *rest)

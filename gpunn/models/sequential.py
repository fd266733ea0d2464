"""Sequential: layers one after another (Keras: `Sequential`)."""

from gpunn import tree
from gpunn.autograd import KerasTensor, with_mask
from gpunn.checks import as_list
from gpunn.data.nested import is_nested
from gpunn.errors import (
    ArgumentError,
    ArgumentTypeError,
    NoInputError,
    NotBuiltError,
    SerializationError,
    ShapeError,
)
from gpunn.layers import InputLayer, Layer
from gpunn.models.feeding import feed
from gpunn.models.model import Functional, Model
from gpunn.serialization import deserialize_value, serialize_value
from gpunn.tree import is_shape


class Sequential(Model):
    """A model whose output is that of its last layer, each fed with the one before.

    It is built as layers are added if the first says its input's shape (an `Input`, or
    `input_shape=`), else by the first data it sees.

    Args:
        layers: the layers; more by `add`.
        trainable, name: as for `Layer`.

    Source: keras.Sequential.

    >>> model = gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(2)])
    >>> model.output_shape
    (None, 2)
    """

    def __init__(self, layers=None, trainable=True, name=None):
        super().__init__(trainable=trainable, name=name)
        self._input = None
        self._tensors = []  # symbolic: of the input, and what each layer makes of it
        self._layers = []
        self.accepts_integers = False
        for layer in as_list("layers", () if layers is None else layers, "layers"):
            self.add(layer)

    def add(self, layer) -> None:
        """Put a layer at the end; first of all may come an `Input`.

        Raises:
            ArgumentTypeError: if it is no layer.
            ArgumentError: if there is a layer of its name already.
            ShapeError: if it does not fit the layers before; it is not added then.
        """
        if isinstance(layer, KerasTensor) and layer.made_by and not layer.made_by.inputs:
            layer = layer.made_by.operation
        if not isinstance(layer, Layer):
            raise ArgumentTypeError(f"expected a layer, got {layer!r}")
        if isinstance(layer, InputLayer):
            if self._layers or self._input:
                raise ShapeError(f"an Input must come first in {self.name!r}")
            self._connect(layer)
            self.accepts_integers = layer.input_dtype.kind in "iub"
            return
        if layer in self._layers or layer.name in [known.name for known in self._layers]:
            raise ArgumentError(
                f"{self.name!r} has a layer named {layer.name!r} already: names must differ"
            )
        if not self._layers and self._input is None:
            if layer.batch_input_shape is not None:
                self._connect(InputLayer(batch_shape=layer.batch_input_shape))
            elif (like := _single_input(layer)) is not None:
                self._connect(InputLayer(batch_shape=like.shape, dtype=like.dtype.name))
        if self._input is not None:
            with self._making_weights():
                self._tensors.append(_made_by(layer, self._tensors[-1]))
        if not self._layers and layer.accepts_integers:
            self.accepts_integers = True
        self._layers.append(layer)
        self.built = self._input is not None and bool(self._layers)

    def pop(self) -> Layer:
        """Take the last layer off, and return it."""
        if not self._layers:
            raise ShapeError(f"there is no layer in {self.name!r}")
        layer = self._layers.pop()
        del self._tensors[len(self._layers) + 1 :]
        self.built = self.built and bool(self._layers)
        return layer

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, without the Input."""
        return list(self._layers)

    def build(self, input_shape) -> None:
        """Make the weights for inputs of a shape (batch, ...).

        Raises:
            NotBuiltError: if there is no layer.
        """
        if not self._layers:
            raise NotBuiltError(f"there is no layer in {self.name!r}: add() some first")
        self.built = True
        first = self._input
        if first is None:
            if not is_shape(input_shape):
                return  # several inputs: the layers build themselves as they are called
            first = InputLayer(batch_shape=(None, *input_shape[1:]))
        try:
            self._connect(first)
        except NotImplementedError:  # a layer that cannot tell shapes
            self._input, self._tensors = None, []

    def _connect(self, first: InputLayer) -> None:
        """Call every layer on what the one before makes of a symbolic input."""
        tensors = [first.output]
        with self._making_weights():
            for layer in self._layers:
                tensors.append(_made_by(layer, tensors[-1]))
        self._input, self._tensors = first, tensors

    def __getstate__(self) -> dict:
        """What copies and pickles take along: not the symbolic tensors."""
        return {**super().__getstate__(), "_tensors": []}

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        if self._input is not None:
            self._connect(self._input)

    def _prepared_call(self, args, kwargs, training):
        if args and is_nested(args[0]):
            args = (self._single(args[0]), *args[1:])
        return super()._prepared_call(args, kwargs, training)

    def _single(self, inputs):
        """The one input, where it came as `[x]` or by its name, as in Keras."""
        if self._input is not None:
            return feed(inputs, self._input.output, self.name)[0]
        leaves = tree.flatten(inputs)  # several may be what the first layer takes
        return leaves[0] if len(leaves) == 1 else inputs

    def call(self, inputs, mask=None):
        """Run the layers in order."""
        x = inputs if mask is None else with_mask(inputs, mask)
        for layer in self._layers:
            x = layer(x)
        return x

    def compute_output_shape(self, input_shape):
        """The shape of the last layer's output."""
        shape = tuple(input_shape)
        for layer in self._layers:
            shape = layer.compute_output_shape(shape)
        return shape

    @property
    def input(self) -> KerasTensor:
        """The symbolic input; raises NotBuiltError if the input's shape is not known yet."""
        if self._input is None:
            raise NoInputError(f"{self.name!r} does not know its input's shape yet")
        return self._tensors[0]

    @property
    def output(self):
        """What the last layer makes of the symbolic input; raises as `input` does."""
        return self._tensors[-1] if self._tensors else self.input

    def get_config(self) -> dict:
        """The layers' configs, the Input first if there is one."""
        layers = ([self._input] if self._input else []) + self._layers
        return {"name": self.name, "layers": [serialize_value(layer, "layer") for layer in layers]}

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> "Sequential":
        """A new model of a config made by `get_config`, with new weights."""
        if "layers" not in config:
            raise SerializationError(f"the config of a Sequential has 'layers', not {list(config)}")
        layers = [deserialize_value(c, custom_objects) for c in config["layers"]]
        return cls(layers, name=config.get("name"))


def _made_by(layer, x):
    """What a layer makes of a symbolic tensor; the next one, or the model, needs it."""
    y = layer(x)
    if y is None:
        raise ArgumentTypeError(f"layer {layer.name!r} must return tensors, got None")
    return y


def _single_input(layer) -> KerasTensor | None:
    """The symbolic input of a model that has one."""
    if not isinstance(layer, Model) or not layer.built:
        return None
    like = getattr(layer, "input", None) if isinstance(layer, Functional | Sequential) else None
    if isinstance(like, list | tuple) and len(like) == 1:
        like = like[0]
    return like if isinstance(like, KerasTensor) else None

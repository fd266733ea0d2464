"""Sequential: layers one after another (Keras: `Sequential`)."""

from gpunn.autograd import with_mask
from gpunn.errors import ArgumentTypeError, NotBuiltError, ShapeError
from gpunn.layers import InputLayer, Layer
from gpunn.models.model import Model
from gpunn.serialization import deserialize_value, serialize_value


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
        self._layers = []
        self.accepts_integers = False
        for layer in layers or []:
            self.add(layer)

    def add(self, layer: Layer) -> None:
        """Put a layer at the end.

        Raises:
            ArgumentTypeError: if it is no layer.
            ShapeError: if it does not fit the layers before; it is not added then.
        """
        if not isinstance(layer, Layer):
            raise ArgumentTypeError(f"expected a layer, got {layer!r}")
        if isinstance(layer, InputLayer):
            if self._layers or self._input:
                raise ShapeError(f"an Input must come first in {self.name!r}")
            self._input = layer
            self.accepts_integers = layer.input_dtype.kind in "iu"
            return
        if layer in self._layers or layer.name in [known.name for known in self._layers]:
            raise ArgumentTypeError(
                f"{self.name!r} has a layer named {layer.name!r} already: names must differ"
            )
        if not self._layers and self._input is None and layer.batch_input_shape is not None:
            self._input = InputLayer(batch_shape=layer.batch_input_shape)
        if self._input is not None:
            shape = self.output_shape
            if not layer.built:
                layer.build(shape)
            layer.compute_output_shape(shape)
        if not self._layers and layer.accepts_integers:
            self.accepts_integers = True
        self._layers.append(layer)
        self.built = self._input is not None and bool(self._layers)

    def pop(self) -> Layer:
        """Take the last layer off, and return it."""
        if not self._layers:
            raise ShapeError(f"there is no layer in {self.name!r}")
        layer = self._layers.pop()
        self.built = self.built and bool(self._layers)
        return layer

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, without the Input."""
        return list(self._layers)

    def build(self, input_shape) -> None:
        """Make the weights for inputs of a shape (batch, ...)."""
        if not self._layers:
            raise NotBuiltError(f"there is no layer in {self.name!r}: add() some first")
        shape = tuple(input_shape)
        for layer in self._layers:
            if not layer.built:
                layer.build(shape)
            shape = layer.compute_output_shape(shape)
        if self._input is None:
            self._input = InputLayer(batch_shape=(None, *input_shape[1:]))

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
    def input_shape(self) -> tuple:
        """The shape of the inputs, the batch first."""
        if self._input is None:
            raise NotBuiltError(f"{self.name!r} does not know its input's shape yet")
        return self._input.batch_shape

    @property
    def output_shape(self) -> tuple:
        """The shape of the outputs, the batch first."""
        return self.compute_output_shape(self.input_shape)

    def layer_shapes(self) -> list[tuple[Layer, tuple | None]]:
        """Each layer and its output's shape."""
        shape, rows = self.input_shape, []
        for layer in self._layers:
            shape = layer.compute_output_shape(shape)
            rows.append((layer, shape))
        return rows

    def get_config(self) -> dict:
        """The layers' configs, the Input first if there is one."""
        layers = ([self._input] if self._input else []) + self._layers
        return {"name": self.name, "layers": [serialize_value(layer, "layer") for layer in layers]}

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> "Sequential":
        """A new model of a config made by `get_config`, with new weights."""
        layers = [deserialize_value(c, custom_objects) for c in config["layers"]]
        return cls(layers, name=config.get("name"))

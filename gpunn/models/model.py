"""Model: a layer that can be trained, evaluated, saved and shown (Keras: `Model`)."""

import json

from gpunn import tree
from gpunn.autograd import KerasTensor, with_mask
from gpunn.autograd.symbolic import holds_symbols
from gpunn.errors import ArgumentError, NotBuiltError, NotSupportedError, unknown
from gpunn.layers import InputLayer, Layer
from gpunn.layers.graph import Graph
from gpunn.layers.symbolic import batch_shapes
from gpunn.layers.tree import map_shapes
from gpunn.models import graph_config, state_tree
from gpunn.models.feeding import alone, feed
from gpunn.models.table import print_summary
from gpunn.serialization import deserialize_value, serialize_value
from gpunn.training import files
from gpunn.training.trainer import Trainer


class Model(Trainer):
    """A layer with `compile`, `fit`, `evaluate`, `predict` and `save`.

    Made in one of two ways: of symbolic inputs and what layers and ops make of them (the
    functional API), or by a subclass that makes layers in `__init__` and uses them in `call`. A
    subclass without a `call` of its own may pass inputs and outputs to `super().__init__`.

    Args:
        inputs: what `Input` gives, one or several in nested lists, tuples and dicts.
        outputs: what layers and ops make of them, nested likewise.
        name: default: made of the class's name; "functional" for `Model` itself.
        trainable, dtype: as for `Layer`.

    Raises:
        ArgumentTypeError: if an input or output is not symbolic.
        ArgumentError: if an output needs an Input that is not among the inputs, naming the layer.

    Source: keras.Model.

    >>> inputs = gpunn.Input((3,))
    >>> x = gpunn.layers.Dense(8, activation="relu")(inputs)
    >>> model = gpunn.Model(inputs, gpunn.layers.Dense(1)(x) + 1)
    >>> model.predict(np.zeros((2, 3), "float32")).shape
    (2, 1)
    """

    _call_graph: Graph | None = None
    _build_shape = None  # what it was built for: a loaded model is built for it again

    def __new__(cls, *args, **kwargs):
        functional = args or "inputs" in kwargs or "outputs" in kwargs
        return super().__new__(Functional if cls is Model and functional else cls, *args, **kwargs)

    def __init__(self, inputs=None, outputs=None, name=None, trainable=True, **kwargs):
        super().__init__(name=name, trainable=trainable, **kwargs)
        if inputs is not None or outputs is not None:
            if inputs is None or outputs is None:
                raise ArgumentError(f"model {self.name!r} needs both inputs and outputs")
            self._take_graph(inputs, outputs)
            if not trainable:
                self.trainable = False

    def _take_graph(self, inputs, outputs) -> None:
        """Take the layers between symbolic inputs and outputs for its own."""
        self._call_graph = Graph(inputs, outputs, self.name)
        # without the Inputs weights have the names that they have in a Sequential of these layers
        self._layers = [x for x in self._call_graph.layers if not isinstance(x, InputLayer)]
        if holds_symbols(self._arguments):  # what the constructor was given is in the graph
            self._arguments = ((), {})
        self.autocast = False  # each input is cast to the dtype of its Input
        self.accepts_integers = any(x.dtype.kind in "iub" for x in self.inputs)
        self.output_names = tuple([_maker(x).name for x in self.outputs])
        self.built = True

    @property
    def layers(self) -> list[Layer]:
        """The layers it is made of."""
        of_graph = [] if self._call_graph is None else self._call_graph.layers
        held = [x for x in self.sublayers() if isinstance(x, Layer)]
        return list({id(x): x for x in [*of_graph, *held]}.values())

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of a name, or at an index.

        Raises:
            ArgumentError: if there is none, with the names that there are.
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ArgumentError(f"{self.name!r} has {len(layers)} layers, not one at {index}")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise unknown("layer", name, [layer.name for layer in layers])

    def build(self, input_shape) -> None:
        """Make every weight, by running the model on zeros of this shape."""
        self._build_shape = input_shape
        self.built = True  # layers build themselves as `call` reaches them
        if input_shape is not None and self.has_call:
            self.compute_output_shape(input_shape)

    def _build_for(self, args, kwargs) -> None:
        """Nothing to make: the layers build themselves as `call` reaches them."""
        if type(self).build is not Model.build:
            return super()._build_for(args, kwargs)
        self._build_shape = batch_shapes(args[0] if args else ())
        self.built = True

    def _prepared_call(self, args, kwargs, training):
        """A model whose first call fails is not built: nobody knows its weights yet."""
        built = self.built
        try:
            return super()._prepared_call(args, kwargs, training)
        except BaseException:
            if type(self).build is Model.build:
                self.built = built
            raise

    @property
    def has_call(self) -> bool:
        """Whether it can be called: one that only holds models for its own steps cannot."""
        return self._call_graph is not None or type(self).call is not Model.call

    def call(self, inputs, mask=None):
        """Run the layers between the symbolic inputs and outputs."""
        graph = self._call_graph
        if graph is None:
            raise NotSupportedError(
                f"{type(self).__name__} has no call() method, nor inputs and outputs: write one, "
                "or make it as Model(inputs, outputs)"
            )
        fed = feed(inputs, graph.inputs, self.name)
        if mask is not None:
            fed = [with_mask(x, m) for x, m in zip(fed, tree.flatten(mask), strict=True)]
        return alone(graph.run(fed))

    # --- inputs and outputs ---

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs, flat; of a model that is no graph those of its first call."""
        return tree.flatten(self.input)

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, flat; of a model that is no graph those of its first call."""
        return tree.flatten(self.output)

    @property
    def input(self):
        """The symbolic inputs in their nesting; raises NotBuiltError if there are none yet."""
        return super().input if self._call_graph is None else self._call_graph.inputs

    @property
    def output(self):
        """The symbolic outputs in their nesting; raises NotBuiltError if there are none yet."""
        return super().output if self._call_graph is None else self._call_graph.outputs

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs."""
        return [x.name for x in self.inputs]

    @property
    def input_shape(self):
        """The shape of the input, the batch first; a list of several."""
        return alone([x.shape for x in self.inputs])

    @property
    def output_shape(self):
        """The shape of the output, the batch first; a list of several."""
        return alone([x.shape for x in self.outputs])

    def compute_output_spec(self, *args, **kwargs):
        """Symbolic tensors like what a call on such arguments gives."""
        graph = self._call_graph
        if graph is None:
            return super().compute_output_spec(*args, **kwargs)
        inputs = feed(args[0], graph.inputs, self.name)
        if [x.shape for x in inputs] == [x.shape for x in self.inputs]:
            return tree.map_structure(lambda x: KerasTensor(x.shape, x.dtype), alone(graph.outputs))
        return alone(graph.run(inputs, lambda operation: operation.compute_output_spec))

    def compute_output_shape(self, input_shape):
        """The shape of the outputs for inputs of a shape; None stands for any size."""
        if self._call_graph is None:
            return super().compute_output_shape(input_shape)
        like = map_shapes(lambda shape: KerasTensor(shape), input_shape)
        return tree.map_structure(lambda x: x.shape, self.compute_output_spec(like))

    # --- shown ---

    def summary(
        self,
        line_length=None,
        positions=None,
        print_fn=None,
        expand_nested=False,
        show_trainable=False,
        layer_range=None,
    ) -> None:
        """Print the layers with their output shapes and parameters, and what an example costs.

        A model that has no weights yet is shown without shapes.

        Args:
            line_length: width of the table. Default: 88, or what fits the terminal.
            positions: where each column ends, as fractions of the width.
            print_fn: gets the text; default: print.
            expand_nested: whether the layers of models inside are listed as well.
            show_trainable: whether there is a column that says what is trainable.
            layer_range: names (or patterns of names) of the first and the last layer to be listed.

        Raises:
            ArgumentError: if no layer has a name of `layer_range`, or the line is too short.

        Source: keras.Model.summary.
        """
        print_summary(
            self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range
        )

    # --- configs ---

    def get_config(self) -> dict:
        """What makes a model like this one: its graph, or the arguments of its constructor."""
        if self._call_graph is None or not graph_config.takes_graph(type(self)):
            return super().get_config()
        return {
            "name": self.name,
            "trainable": self.trainable,
            **graph_config.of_graph(self._call_graph),
        }

    @classmethod
    def _config_root(cls) -> type:
        return Model  # inputs and outputs are no part of other configs

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None):
        """A new model of a config made by `get_config`, with new weights."""
        if not graph_config.is_graph(config):
            return super().from_config(config)
        inputs, outputs, rest = graph_config.to_graph(config, custom_objects)
        return cls(inputs=inputs, outputs=outputs, **rest)

    def to_json(self, **kwargs) -> str:
        """The config as JSON, from which `models.model_from_json` makes a model.

        Args:
            kwargs: of `json.dumps`.

        Source: keras.Model.to_json.
        """
        return json.dumps(serialize_value(self, "model"), **kwargs)

    def get_compile_config(self) -> dict | None:
        """What `compile` was told, as JSON values; None if it was told nothing."""
        if not self.compiled:
            return None
        given = self._compile_arguments
        return {name: serialize_value(value, f"compile.{name}") for name, value in given.items()}

    def compile_from_config(self, config: dict) -> None:
        """Compile as `get_compile_config` says."""
        self.compile(**{name: deserialize_value(value) for name, value in config.items()})

    # --- state ---

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict:
        """The variables of the model, its optimizer and its metrics, nested by their paths.

        Args:
            value_format: "backend_tensor": the variables themselves; "numpy_array": copies.

        Returns:
            A dict of "trainable_variables", "non_trainable_variables", "optimizer_variables" and
            "metrics_variables".

        Raises:
            SerializationError: if two variables have one path.

        Source: keras.Model.get_state_tree.

        >>> layers = [gpunn.Input((1,)), gpunn.layers.Dense(1, name="out")]
        >>> model = gpunn.Sequential(layers, name="net")
        >>> sorted(model.get_state_tree()["trainable_variables"]["net"]["out"])
        ['bias', 'kernel']
        """
        return state_tree.get_state_tree(self, value_format)

    def set_state_tree(self, tree: dict) -> None:
        """Assign the values of (a part of) such a tree.

        Raises:
            ArgumentError: for what the model does not have; nothing is changed then.

        Source: keras.Model.set_state_tree.
        """
        state_tree.set_state_tree(self, tree)

    # --- files ---

    def save_weights(self, filepath, overwrite: bool = True) -> None:
        """Write the weights to a safetensors file; the model itself stays as it is.

        Args:
            filepath: any name; the folder must exist.
            overwrite: False: an existing file is an error.

        Raises:
            FileExistsError: if the file exists and `overwrite` is False.
            SerializationError: if it cannot be written; an existing file stays as it was.
        """
        self._require_built("save")
        files.refuse_existing(filepath, overwrite)
        files.write(filepath, files.weights_of(self), {"kind": "weights"})

    def load_weights(self, filepath, skip_mismatch: bool = False, by_name: bool = False) -> None:
        """Read the weights from a file that `save_weights` or `save` wrote, here or in Keras.

        Args:
            filepath: the file.
            skip_mismatch: whether what does not fit is left out, with a warning that lists it.
            by_name: of an old `.h5` file of Keras: whether layers get the weights of those with
                their names, and other layers none. Default: in their order.

        Raises:
            ArgumentError: if `by_name` is True for another file.
            FileNotFoundError: if there is no such file.
            SerializationError: if it is damaged, or listing all that does not fit; nothing is
                changed then.
        """
        self._require_built("load")
        from gpunn.models.saving import load_weights

        load_weights(self, filepath, skip_mismatch, by_name)

    def save(
        self,
        filepath,
        overwrite: bool = True,
        include_optimizer: bool = True,
        metadata: dict | None = None,
    ) -> None:
        """Write the whole model to one file: its config, weights, and how it is trained.

        Args:
            filepath: any name, "model.gpunn" by custom; the folder must exist.
            overwrite: False: an existing file is an error.
            include_optimizer: whether the optimizer's state is written too.
            metadata: anything of yours that JSON can hold; `gpunn.models.read_metadata` reads it.

        Raises:
            FileExistsError: if the file exists and `overwrite` is False.
            SerializationError: if something in the model cannot be written, with its name.
        """
        from gpunn.models.saving import save_model

        save_model(self, filepath, overwrite, include_optimizer, metadata)

    def export(self, filepath, format="tf_saved_model", **options):
        """Not supported: there is no TensorFlow, ONNX or TFLite here.

        Raises:
            NotSupportedError: always.
        """
        raise NotSupportedError(
            f"export to {format!r} is not supported; model.save({str(filepath)!r}) writes a file "
            "for gpunn.load_model, and model.get_weights() gives NumPy arrays"
        )

    def _require_built(self, what: str) -> None:
        if not self.knows_weights:
            raise NotBuiltError(
                f"{self.name!r} has no weights to {what} yet: call it on data, or build it, first"
            )


class Functional(Model):
    """What `Model(inputs, outputs)` makes."""

    _call_graph: Graph

    @property
    def operations(self) -> list:
        """The layers and ops of the graph, in the order of `layers`."""
        return list(self._call_graph.operations)


def _maker(x: KerasTensor):
    """What makes a symbolic tensor; itself if nothing does."""
    return x if x.made_by is None else x.made_by.operation

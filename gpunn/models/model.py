"""Model: a layer that can be trained, evaluated, saved and shown (Keras: `Model`)."""

from gpunn.errors import NotBuiltError
from gpunn.layers import Layer
from gpunn.layers.layer import batch_shapes
from gpunn.training import files
from gpunn.training.summary import summary
from gpunn.training.trainer import Trainer


class Model(Trainer):
    """A layer with `compile`, `fit`, `evaluate`, `predict` and `save`.

    Subclasses make layers in `__init__` and use them in `call`.

    Args:
        name, trainable, dtype: as for `Layer`.

    Source: keras.Model.

    >>> class Net(gpunn.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = gpunn.layers.Dense(8, activation="relu")
    ...         self.out = gpunn.layers.Dense(1)
    ...
    ...     def call(self, x):
    ...         return self.out(self.hidden(x))
    >>> Net().predict(np.zeros((2, 3), "float32")).shape
    (2, 1)
    """

    _build_shape = None  # what it was built for: a loaded model is built for it again

    @property
    def layers(self) -> list[Layer]:
        """The layers it is made of."""
        return [x for x in self.sublayers() if isinstance(x, Layer)]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of a name, or at an index.

        Raises:
            ArgumentError: if there is none, with the names that there are.
        """
        from gpunn.errors import ArgumentError, unknown

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
        if input_shape is not None and type(self).call is not Layer.call:
            self.compute_output_shape(input_shape)

    def _build_for(self, args, kwargs) -> None:
        """Nothing to make: the layers build themselves as `call` reaches them."""
        if type(self).build is not Model.build:
            return super()._build_for(args, kwargs)
        self._build_shape = batch_shapes(args[0] if args else ())
        self.built = True

    def layer_shapes(self) -> list[tuple[Layer, tuple | None]]:
        """Each layer and its output's shape, None where it is not known."""
        return [(layer, None) for layer in self.layers]

    def summary(self, line_length=None, print_fn=None) -> None:
        """Print the layers with their output shapes, parameters and memory.

        Args:
            line_length: least width of the table.
            print_fn: gets the text; default: print.

        Raises:
            NotBuiltError: if the model has no weights yet.
        """
        if not self.built:
            raise NotBuiltError(
                f"{self.name!r} is not built: call it on data, or build((None, n)) it, first"
            )
        summary(self, line_length, print_fn)

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
        tensors = {name: v.numpy() for name, v in self.named_weights().items()}
        files.write(filepath, tensors, {"kind": "weights"})

    def load_weights(self, filepath) -> None:
        """Read the weights from a file that `save_weights` or `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            SerializationError: if it is damaged, or listing all that does not fit; nothing is
                changed then.
        """
        self._require_built("load")
        tensors, _ = files.read(filepath)
        own = {n: a for n, a in tensors.items() if not n.startswith(files.OPTIMIZER)}
        files.fit_weights(self, own, filepath)

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

    def _require_built(self, what: str) -> None:
        if not self.built:
            raise NotBuiltError(
                f"{self.name!r} has no weights to {what} yet: call it on data, or build it, first"
            )

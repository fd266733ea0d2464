"""Input: what a model is given (Keras: `Input`, `layers.InputLayer`)."""

from gpunn.autograd import KerasTensor
from gpunn.autograd.symbolic import connect
from gpunn.backend.dtypes import floatx, standardize
from gpunn.errors import ArgumentError, ArgumentTypeError
from gpunn.layers.layer import Layer


class InputLayer(Layer):
    """The first layer of a model: says what shape and dtype its inputs have.

    Args:
        shape: of one input, without the batch; None for an unknown size.
        batch_size: fixed batch size, or None.
        dtype: default: `floatx`.
        sparse, ragged: must not be True; there are no sparse or ragged tensors.
        batch_shape: the shape with the batch, instead of `shape` and `batch_size`.
        input_tensor: a symbolic tensor whose shape, dtype and name the input has.
        optional: whether the model may be given None for it, which layers then get. Default: False.
        name: default: "input_layer".

    Source: keras.layers.InputLayer.

    >>> gpunn.layers.InputLayer((3,)).batch_shape
    (None, 3)
    """

    def __init__(
        self,
        shape=None,
        batch_size=None,
        dtype=None,
        sparse=None,
        ragged=None,
        batch_shape=None,
        input_tensor=None,
        optional=False,
        name=None,
    ):
        if sparse or ragged:
            raise ArgumentError("Input: there are no sparse or ragged tensors")
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                raise ArgumentTypeError(f"input_tensor must be symbolic, got {input_tensor!r}")
            batch_shape, dtype = input_tensor.shape, dtype or input_tensor.dtype
            name = name or input_tensor.name
        super().__init__(name=name)
        if (shape is None) == (batch_shape is None):
            raise ArgumentError(
                f"input {self.name!r} needs either its shape or its batch_shape, got "
                f"{'none' if shape is None else 'both'}"
            )
        if batch_shape is None:
            shape = (shape,) if isinstance(shape, int) else tuple(shape)
            batch_shape = (batch_size, *shape)
        tensor = KerasTensor(batch_shape, dtype or floatx(), self.name)
        self.batch_shape = tensor.shape
        self.optional = bool(optional)
        self.input_dtype = standardize(tensor.dtype)
        self.built = True
        connect(self, (), {}, tensor)

    @property
    def dtype(self) -> str:
        """The dtype of the inputs."""
        return self.input_dtype.name

    def call(self, inputs):
        """The inputs themselves."""
        return inputs

    def compute_output_shape(self, input_shape):
        """The shape of the inputs."""
        return self.batch_shape

    def get_config(self) -> dict:
        """The arguments that make a layer like this one."""
        config = {"batch_shape": list(self.batch_shape), "dtype": self.dtype, "name": self.name}
        return {**config, "optional": True} if self.optional else config

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        connect(self, (), {}, KerasTensor(self.batch_shape, self.input_dtype, self.name))


def Input(
    shape=None,
    batch_size=None,
    dtype=None,
    sparse=None,
    ragged=None,
    batch_shape=None,
    name=None,
    tensor=None,
    optional=False,
) -> KerasTensor:
    """A symbolic tensor that a model is given: what layers and ops are called on to build it.

    Args:
        shape, batch_size, dtype, sparse, ragged, batch_shape, name, optional: as for `InputLayer`.
        tensor: a symbolic tensor whose shape, dtype and name it has.

    Raises:
        ArgumentError: if neither or both of `shape` and `batch_shape` are given.

    Source: keras.Input.

    >>> inputs = gpunn.Input((3,))
    >>> model = gpunn.Model(inputs, gpunn.layers.Dense(2)(inputs))
    >>> inputs.shape, model.output_shape
    ((None, 3), (None, 2))
    """
    return InputLayer(
        shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name
    ).output

"""Input: the shape of what a model is given (Keras: `Input`, `layers.InputLayer`)."""

from gpunn.backend.dtypes import floatx, standardize
from gpunn.errors import ArgumentError
from gpunn.layers.layer import Layer


class InputLayer(Layer):
    """The first layer of a model: says what shape and dtype its inputs have.

    Args:
        shape: of one input, without the batch; None for an unknown size.
        batch_size: fixed batch size, or None.
        dtype: default: `floatx`.
        name: default: "input_layer".

    Source: keras.layers.InputLayer.

    >>> gpunn.layers.InputLayer((3,)).batch_shape
    (None, 3)
    """

    def __init__(self, shape=None, batch_size=None, dtype=None, batch_shape=None, name=None):
        super().__init__(name=name)
        if (shape is None) == (batch_shape is None):
            raise ArgumentError("give an Input either its shape or its batch_shape")
        if batch_shape is None:
            shape = (shape,) if isinstance(shape, int) else tuple(shape)
            batch_shape = (batch_size, *shape)
        for n in batch_shape:
            if n is not None and (not isinstance(n, int) or n < 0):
                raise ArgumentError(f"a shape holds sizes and None, got {tuple(batch_shape)}")
        self.batch_shape = tuple(batch_shape)
        self.input_dtype = standardize(dtype or floatx())
        self.built = True

    @property
    def shape(self) -> tuple:
        """The shape with the batch first."""
        return self.batch_shape

    def call(self, inputs):
        """The inputs themselves."""
        return inputs

    def compute_output_shape(self, input_shape):
        """The shape of the inputs."""
        return self.batch_shape

    def get_config(self) -> dict:
        """The arguments that make a layer like this one."""
        return {
            "batch_shape": list(self.batch_shape),
            "dtype": self.input_dtype.name,
            "name": self.name,
        }


def Input(shape=None, batch_size=None, dtype=None, batch_shape=None, name=None) -> InputLayer:
    """Say the shape of a model's inputs, so that it is built at once.

    Args and source: see `InputLayer`; keras.Input.

    >>> gpunn.Input((28, 28)).shape
    (None, 28, 28)
    """
    return InputLayer(shape, batch_size, dtype, batch_shape, name)

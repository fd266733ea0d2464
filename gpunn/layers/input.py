"""Input: what a model is given (Keras: `Input`, `layers.InputLayer`)."""

from numbers import Integral

from gpunn.autograd import KerasTensor
from gpunn.autograd.symbolic import connect
from gpunn.backend.dtypes import floatx, name_of, standardize
from gpunn.checks import as_list, check_flag
from gpunn.errors import ArgumentError, ArgumentTypeError
from gpunn.layers.layer import Layer


class InputLayer(Layer):
    """The first layer of a model: says what shape and dtype its inputs have.

    Args:
        shape: of one input, without the batch; None for an unknown size.
        batch_size: fixed batch size, or None.
        dtype: default: `floatx`; "string" for words, which layers such as `StringLookup` and
            `TextVectorization` turn into numbers.
        sparse, ragged: must not be True; there are no sparse or ragged tensors.
        batch_shape: the shape with the batch, instead of `shape` and `batch_size`.
        input_tensor: a symbolic tensor whose shape, dtype and name the input has; one that no layer
            made is the input itself.
        optional: whether the model may be given None for it, which layers then get. Default: False.
        name: default: "input_layer".
        input_shape, batch_input_shape: older names of `shape` and `batch_shape`.

    Raises:
        ArgumentError: unless just one of `shape`, `batch_shape` and `input_tensor` is given, or
            for a second one that says something else than `input_tensor`.

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
        input_shape=None,
        batch_input_shape=None,
    ):
        if sparse or ragged:
            raise ArgumentError("Input: there are no sparse or ragged tensors")
        check_flag("optional", optional)
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                raise ArgumentTypeError(f"input_tensor must be symbolic, got {input_tensor!r}")
            name = name or input_tensor.name
        super().__init__(name=name)
        shape = _sizes(input_shape if shape is None else shape)
        batch_shape = _sizes(batch_input_shape if batch_shape is None else batch_shape)
        if input_tensor is not None:
            self._check_like(input_tensor, shape, batch_size, batch_shape, dtype)
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
        elif (shape is None) == (batch_shape is None):
            raise ArgumentError(
                f"input {self.name!r} needs either its shape or its batch_shape, got "
                f"{'none' if shape is None else 'both'}"
            )
        elif shape is not None:
            batch_shape = (batch_size, *shape)
        elif batch_size is not None:
            raise ArgumentError(f"input {self.name!r}: its batch_shape says the batch_size")
        tensor = input_tensor
        if tensor is None or tensor.made_by is not None:
            tensor = KerasTensor(batch_shape, dtype or floatx(), self.name)
        self.batch_shape = tensor.shape
        self.optional = bool(optional)
        self.input_dtype = standardize(tensor.dtype)
        connect(self, (), {}, tensor)

    def _check_like(self, tensor, shape, batch_size, batch_shape, dtype) -> None:
        """Refuse what is not so of the symbolic tensor that the input is."""
        dtype = None if dtype is None else standardize(dtype)
        for what, given, own in (
            ("shape", shape, tensor.shape[1:]),
            ("batch_size", batch_size, next(iter(tensor.shape), None)),
            ("batch_shape", batch_shape, tensor.shape),
            ("dtype", dtype, tensor.dtype),
        ):
            if given not in (None, own):
                raise ArgumentError(
                    f"input {self.name!r}: {what} {given} is not that of input_tensor, {own}"
                )

    @property
    def dtype(self) -> str:
        """The dtype of the inputs."""
        return name_of(self.input_dtype)

    def call(self, inputs=None):
        """The inputs themselves."""
        return inputs

    def compute_output_shape(self, input_shape):
        """The shape of the inputs."""
        return self.batch_shape

    def get_config(self) -> dict:
        """The arguments that make a layer like this one."""
        config = {"batch_shape": self.batch_shape, "dtype": self.dtype, "name": self.name}
        return {**config, "optional": True} if self.optional else config

    def __setstate__(self, state: dict) -> None:
        vars(self).update(state)
        connect(self, (), {}, KerasTensor(self.batch_shape, self.input_dtype, self.name))


def _sizes(shape) -> tuple | None:
    if shape is None or isinstance(shape, Integral):
        return None if shape is None else (shape,)
    return tuple(as_list("shape", shape, "sizes"))


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
        ArgumentError: as `InputLayer`.

    Source: keras.Input.

    >>> inputs = gpunn.Input((3,))
    >>> model = gpunn.Model(inputs, gpunn.layers.Dense(2)(inputs))
    >>> inputs.shape, model.output_shape
    ((None, 3), (None, 2))
    """
    return InputLayer(
        shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name
    ).output

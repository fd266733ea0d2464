"""Lambda, Identity and Masking: a function as a layer, none at all, and what does not count."""

import inspect

from gpunn import ops
from gpunn.autograd import with_mask
from gpunn.errors import ArgumentError, ArgumentTypeError
from gpunn.layers import tree
from gpunn.layers.check import wrong
from gpunn.layers.layer import Layer
from gpunn.serialization import deserialize_value


class Lambda(Layer):
    """A function of tensors as a layer. What needs weights is better a layer of its own.

    Args:
        function: takes the inputs; also `mask` and `training`, if it declares them.
        output_shape: the shape without the batch, or a function from the input's shape to that of
            the output. Default: found by running the function.
        mask: the mask of the outputs, or a function of inputs and mask.
        arguments: more arguments for the function, a dict.

    Raises:
        ArgumentTypeError: if `function` is none.
        SerializationError: when it is saved, if the function is not registered by
            `gpunn.register_serializable`.

    Source: keras.layers.Lambda.

    >>> gpunn.layers.Lambda(lambda x: x * 2)([1.0, 2.0]).numpy()
    array([2., 4.], dtype=float32)
    """

    def __init__(self, function, output_shape=None, mask=None, arguments=None, **kwargs):
        super().__init__(**kwargs)
        if not callable(function):
            raise wrong(self, f"function must be one, got {function!r}", ArgumentTypeError)
        self.function = function
        self.output_shape = output_shape
        self.mask = mask
        self.arguments = dict(arguments or {})
        self.supports_masking = mask is not None
        names = inspect.signature(function).parameters
        self._optional = [name for name in ("mask", "training") if name in names]

    def call(self, inputs, mask=None, training=None):
        """Apply the function."""
        given = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{n: given[n] for n in self._optional})

    def compute_mask(self, inputs, mask=None):
        """The mask that was given, or what its function makes."""
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape):
        """The shape that was given, or that of the function run on zeros."""
        if self.output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self.output_shape):
            return self.output_shape(input_shape)
        batch = next(iter(_batches(input_shape)))
        return tree.map_shapes(lambda shape: (batch, *shape), self.output_shape)

    def _has_shape_rule(self) -> bool:
        return self.output_shape is not None

    @classmethod
    def from_config(cls, config):
        """A new layer of a config made by `get_config`."""
        names = ("function", "output_shape", "mask")
        return super().from_config({**config, **{n: _function(config.get(n)) for n in names}})


def _batches(shapes) -> list:
    """The batch size of every shape."""
    found: list = []
    tree.map_shapes(lambda shape: found.append(shape[0]), shapes)
    return found


def _function(value):
    """The function of a config: of gpunn by its name, or a registered one."""
    if not isinstance(value, str):
        return deserialize_value(value)
    if not hasattr(ops, value):
        raise ArgumentError(f"gpunn.ops has no function {value!r}")
    return getattr(ops, value)


class Identity(Layer):
    """The inputs themselves.

    Source: keras.layers.Identity.

    >>> gpunn.layers.Identity()([1.0, 2.0]).numpy()
    array([1., 2.], dtype=float32)
    """

    supports_masking = True

    def call(self, inputs):
        """The inputs."""
        return inputs

    def compute_output_shape(self, input_shape):
        """The shape of the inputs."""
        return input_shape


class Masking(Layer):
    """Mask the steps whose features all have one value: layers after it skip them.

    Args:
        mask_value: that value. Default: 0.

    Shapes: (batch, steps, ...) -> the same; masked steps become 0.

    Source: keras.layers.Masking.

    >>> gpunn.layers.Masking()([[[1.0, 2.0], [0.0, 0.0]]])._keras_mask.numpy()
    array([[ True, False]])
    """

    def __init__(self, mask_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def call(self, inputs):
        """The inputs with their mask."""
        mask = ops.any(ops.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return with_mask(ops.where(mask, inputs, 0), ops.squeeze(mask, -1))

    def compute_mask(self, inputs, mask=None):
        """True where a feature of a step is not `mask_value`."""
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def compute_output_shape(self, input_shape):
        """The shape of the inputs."""
        return tuple(input_shape)

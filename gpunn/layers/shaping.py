"""Layers that give each example another shape: Flatten, Reshape, Permute, RepeatVector."""

import math

from gpunn import ops
from gpunn.errors import ShapeError
from gpunn.layers.check import data_format as check_format
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.layer import Layer


class Flatten(Layer):
    """Each example as one row: (batch, ...) -> (batch, product).

    Args:
        data_format: "channels_last" (default) or "channels_first"; then the channels are moved
            last, so that both give the same rows.

    Source: keras.layers.Flatten.

    >>> gpunn.layers.Flatten()(np.zeros((5, 2, 3))).shape
    (5, 6)
    """

    input_spec = InputSpec(min_ndim=1)

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = check_format(self, data_format)

    def call(self, inputs):
        """Flatten every example."""
        if self.data_format == "channels_first" and inputs.ndim > 1:
            inputs = ops.moveaxis(inputs, 1, -1)
        shape = inputs.shape
        return ops.reshape(inputs, newshape=(shape[0], math.prod(shape[1:])))

    def compute_output_shape(self, input_shape):
        """(batch, product of the rest)."""
        rest = input_shape[1:]
        return (input_shape[0], None if None in rest else math.prod(rest))


class Reshape(Layer):
    """Each example in another shape of as many elements.

    Args:
        target_shape: the shape without the batch; one size may be -1, which is then what is left.

    Shapes: (batch, ...) -> (batch, *target_shape).

    Raises:
        ArgumentError: if a size is below -1, or more than one is -1.
        ShapeError: if the sizes do not fit.

    Source: keras.layers.Reshape.

    >>> gpunn.layers.Reshape((3, -1))(np.zeros((5, 12))).shape
    (5, 3, 4)
    """

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        target = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        if not all(isinstance(n, int) and n >= -1 for n in target) or target.count(-1) > 1:
            raise wrong(
                self,
                f"target_shape holds sizes >= 0 and at most one -1, got {target_shape!r}",
            )
        self.target_shape = target

    def call(self, inputs):
        """Reshape every example."""
        return ops.reshape(inputs, newshape=self.compute_output_shape(inputs.shape))

    def compute_output_shape(self, input_shape):
        """(batch, *target_shape), with -1 resolved where the input's shape is known."""
        batch, *rest = input_shape
        target = self.target_shape
        if None in rest:
            return (batch, *[None if n == -1 else n for n in target])
        size, known = math.prod(rest), math.prod([n for n in target if n != -1])
        if size != known if -1 not in target else known == 0 or size % known:
            raise wrong(
                self,
                f"examples of shape {tuple(rest)}, {size} elements, do not fit target_shape "
                f"{target}",
                ShapeError,
            )
        return (batch, *[size // known if n == -1 else n for n in target])


class Permute(Layer):
    """The axes of each example in another order.

    Args:
        dims: the axes, counted from 1, in their new order: (2, 1) swaps the first two.

    Raises:
        ArgumentError: if `dims` is not a permutation of 1, 2, ...

    Source: keras.layers.Permute.

    >>> gpunn.layers.Permute((2, 1))(np.zeros((5, 2, 3))).shape
    (5, 3, 2)
    """

    def __init__(self, dims, **kwargs):
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise wrong(self, f"dims must be a permutation of 1, 2, ..., got {self.dims}")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs):
        """Permute every example."""
        return ops.transpose(inputs, axes=(0, *self.dims))

    def compute_output_shape(self, input_shape):
        """The sizes in the new order."""
        return (input_shape[0], *[input_shape[d] for d in self.dims])


class RepeatVector(Layer):
    """Each row n times: (batch, features) -> (batch, n, features).

    Args:
        n: how many times.

    Raises:
        ArgumentError: if n is not a positive integer.

    Source: keras.layers.RepeatVector.

    >>> gpunn.layers.RepeatVector(3)(np.zeros((5, 2))).shape
    (5, 3, 2)
    """

    input_spec = InputSpec(ndim=2)

    def __init__(self, n, **kwargs):
        super().__init__(**kwargs)
        self.n = positive_integer(self, "n", n)

    def call(self, inputs):
        """Repeat every row."""
        rows, features = inputs.shape
        row = ops.reshape(inputs, newshape=(rows, 1, features))
        return ops.broadcast_to(row, shape=(rows, self.n, features))

    def compute_output_shape(self, input_shape):
        """(batch, n, features)."""
        return (input_shape[0], self.n, input_shape[1])

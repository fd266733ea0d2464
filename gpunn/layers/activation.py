"""Activations as layers: Activation, ReLU, LeakyReLU, PReLU, ELU, Softmax."""

from gpunn import activations, constraints, initializers, ops, regularizers
from gpunn.errors import ShapeError
from gpunn.layers.check import axes, not_negative, wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.same_shape import SameShape


class Activation(SameShape):
    """Any activation as a layer: y = activation(x).

    Args:
        activation: a name ("relu", see `gpunn.activations`) or a function of a tensor.

    Shapes: the output has that of the input.

    Raises:
        ArgumentError: for an unknown name.

    Source: keras.layers.Activation.

    >>> gpunn.layers.Activation("relu")([-3.0, 2.0]).numpy()
    array([0., 2.], dtype=float32)
    """

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs):
        """Apply the activation."""
        return self.activation(inputs)


class ReLU(SameShape):
    """The rectified linear unit, with a slope below its threshold and a bound above.

        y = max_value                          where x >= max_value
            x                                  where threshold < x < max_value
            negative_slope (x - threshold)     elsewhere

    Args:
        max_value: the largest result. Default: no bound.
        negative_slope: the slope below the threshold. Default: 0.
        threshold: what x must exceed. Default: 0.

    Shapes: the output has that of the input.

    Raises:
        ArgumentError: if one of them is negative.

    Source: keras.layers.ReLU.

    >>> gpunn.layers.ReLU(max_value=6)([-3.0, 2.0, 8.0]).numpy()
    array([0., 2., 6.], dtype=float32)
    """

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else not_negative(self, "max_value", max_value)
        self.negative_slope = not_negative(self, "negative_slope", negative_slope)
        self.threshold = not_negative(self, "threshold", threshold)

    def call(self, inputs):
        """Apply the activation."""
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(SameShape):
    """y = x where x >= 0, negative_slope x elsewhere.

    Args:
        negative_slope: the slope below 0. Default: 0.3. Its older name, alpha, is taken too.

    Shapes: the output has that of the input.

    Raises:
        ArgumentError: if the slope is negative.

    Source: keras.layers.LeakyReLU; Maas et al., 2013.

    >>> gpunn.layers.LeakyReLU(0.5)([-3.0, 2.0]).numpy()
    array([-1.5,  2. ], dtype=float32)
    """

    def __init__(self, negative_slope=0.3, **kwargs):
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        self.negative_slope = not_negative(self, "negative_slope", negative_slope)

    def call(self, inputs):
        """Apply the activation."""
        return ops.leaky_relu(inputs, negative_slope=self.negative_slope)


class PReLU(SameShape):
    """y = x where x >= 0, alpha x elsewhere, with a trained slope for each place.

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: of the slopes. Default: "zeros".
        shared_axes: axes (from 1 up) along which one slope is shared. Default: none.

    Shapes: the output has that of the input. Weights: alpha, of the shape of one input, with 1
    along shared axes.

    Raises:
        ArgumentError: if an axis to share is not one of the input's.

    Source: keras.layers.PReLU; He et al., 2015, https://arxiv.org/abs/1502.01852

    >>> gpunn.layers.PReLU(alpha_initializer="ones")([[-3.0, 2.0]]).numpy()
    array([[-3.,  2.]], dtype=float32)
    """

    def __init__(
        self,
        alpha_initializer="zeros",
        alpha_regularizer=None,
        alpha_constraint=None,
        shared_axes=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        if shared_axes is not None:
            shared_axes = [shared_axes] if isinstance(shared_axes, int) else list(shared_axes)
        self.shared_axes = shared_axes

    def build(self, input_shape):
        """Make the slopes."""
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            if not isinstance(axis, int) or not 1 <= axis <= len(shape):
                raise wrong(
                    self,
                    f"shared_axes must be axes from 1 to {len(shape)} for inputs of shape "
                    f"{tuple(input_shape)}, got {self.shared_axes}",
                )
            shape[axis - 1] = 1
        if None in shape:
            raise wrong(
                self,
                f"one slope for each place needs a known shape, got {tuple(input_shape)}; "
                "share axes of unknown size",
                ShapeError,
            )
        self.alpha = self.add_weight(
            shape,
            self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )
        fixed = {i: n for i, n in enumerate(input_shape) if i and i not in (self.shared_axes or ())}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=fixed)

    def call(self, inputs):
        """Apply the activation."""
        return ops.relu(inputs) - self.alpha * ops.relu(-inputs)


class ELU(SameShape):
    """The exponential linear unit: y = x where x > 0, alpha (e^x - 1) elsewhere.

    Args:
        alpha: minus the limit for very negative x. Default: 1.

    Shapes: the output has that of the input.

    Source: keras.layers.ELU; Clevert et al., 2016, https://arxiv.org/abs/1511.07289

    >>> gpunn.layers.ELU()([0.0, 2.0]).numpy()
    array([0., 2.], dtype=float32)
    """

    def __init__(self, alpha=1.0, **kwargs):
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs):
        """Apply the activation."""
        return ops.elu(inputs, alpha=self.alpha)


class Softmax(SameShape):
    """Scores to probabilities: y = e^x / sum(e^x).

    Args:
        axis: the axis, or axes, along which they sum to 1. Default: last.

    Call arguments:
        inputs: scores.
        mask: optional; broadcasts to the inputs, and where it is False the probability is 0.

    Shapes: the output has that of the input.

    Raises:
        ShapeError: if an axis is out of range, or the mask does not broadcast to the inputs.

    Source: keras.layers.Softmax.

    >>> gpunn.layers.Softmax()([0.0, 0.0]).numpy()
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axes(self, axis)

    def call(self, inputs, mask=None):
        """Compute the probabilities."""
        if mask is not None:
            mask = self._mask(inputs, mask)
            inputs = ops.where(mask, inputs, -3e4 if inputs.dtype == "float16" else -1e9)
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        y = ops.softmax(inputs, axis=axis)
        return y if mask is None else ops.where(mask, y, 0.0)

    def _mask(self, inputs, mask):
        mask = ops.convert_to_tensor(mask)
        sizes = zip(reversed(mask.shape), reversed(inputs.shape), strict=False)
        if mask.ndim > inputs.ndim or any(m not in (1, n) for m, n in sizes):
            raise wrong(
                self,
                f"a mask of shape {mask.shape} does not broadcast to inputs of shape "
                f"{inputs.shape}",
                ShapeError,
            )
        return mask if mask.dtype == bool else mask > 0.5

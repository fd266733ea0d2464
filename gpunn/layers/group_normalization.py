"""GroupNormalization, RMSNormalization and UnitNormalization: each example by itself."""

from gpunn import ops
from gpunn.errors import ShapeError
from gpunn.layers.check import axes, not_negative, wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.layer import Layer
from gpunn.layers.normalization import Normalizing, known_sizes
from gpunn.layers.same_shape import SameShape
from gpunn.ops.normalizers import group_normalization


class GroupNormalization(Normalizing):
    """Normalize each example by groups of channels.

        y = gamma (x - mean) / sqrt(variance + epsilon) + beta

    Args:
        groups: how many groups there are, a divisor of the number of channels; 1 is a layer
            normalization over all axes, -1 stands for as many as channels: an instance
            normalization. Default: 32.
        axis: the channels' axis. Default: last.
        epsilon: added to the variance. Default: 1e-3.
        center: whether there is an offset beta. Default: True.
        scale: whether there is a factor gamma. Default: True.
        beta_initializer, gamma_initializer: default: "zeros", "ones".
        beta_regularizer, gamma_regularizer: terms added to the loss.
        beta_constraint, gamma_constraint: projections applied after each step.

    Shapes: the output has that of the input. Weights: gamma, beta, each (channels,).

    Raises:
        ArgumentError: if an argument has a value that is not allowed.
        ShapeError: if the axis is out of range, or the channels are no multiple of the groups.

    Source: keras.layers.GroupNormalization; Wu and He, 2018, https://arxiv.org/abs/1803.08494

    >>> layer = gpunn.layers.GroupNormalization(groups=2, epsilon=0.0)
    >>> layer([[0.0, 2.0, 5.0, 9.0]]).numpy()
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        groups=32,
        axis=-1,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        **kwargs,
    ):
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        if type(groups) is not int or groups == 0 or groups < -1:
            raise wrong(self, f"groups must be a positive integer or -1, got {groups!r}")
        self.groups = groups
        self.autocast = False  # it computes in float32, of inputs as they come

    def build(self, input_shape):
        """Make gamma and beta."""
        (channels,) = shape = known_sizes(self, input_shape, [self.axis])
        groups = channels if self.groups == -1 else self.groups
        if channels % groups or self.axis % len(input_shape) == 0:
            raise wrong(
                self,
                f"expected an axis after the batch with a multiple of {groups} channels, got axis "
                f"{self.axis} of shape {tuple(input_shape)}",
                ShapeError,
            )
        self.groups = groups
        self._add_scale_and_offset(shape)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs):
        """Normalize every example."""
        y = group_normalization(
            inputs,
            self.gamma,
            self.beta,
            groups=self.groups,
            axis=self.axis,
            epsilon=self.epsilon,
        )
        return self._to_compute_dtype(y)


class RMSNormalization(Layer):
    """Divide each example by its root mean square: y = scale x / sqrt(mean(x^2) + epsilon).

    Args:
        axis: the axis or axes that the mean is taken over. Default: last.
        epsilon: added to the mean square. Default: 1e-6.

    Shapes: the output has that of the input. Weights: scale, of the shape of the axes.

    Raises:
        ArgumentError: if epsilon is negative, or axis neither an integer nor several.
        ShapeError: if an axis is out of range.

    Source: keras.layers.RMSNormalization; Zhang and Sennrich, 2019,
    https://arxiv.org/abs/1910.07467

    >>> gpunn.layers.RMSNormalization()([[1.0, 7.0]]).numpy()
    array([[0.2, 1.4]], dtype=float32)
    """

    def __init__(self, axis=-1, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.axis = axes(self, axis)
        self.epsilon = not_negative(self, "epsilon", epsilon)

    def build(self, input_shape):
        """Make the scale."""
        axis = self.axis if isinstance(self.axis, list) else [self.axis]
        known_sizes(self, input_shape, axis)
        shape = [input_shape[a] for a in sorted({a % len(input_shape) for a in axis})]
        self.scale = self.add_weight(shape, "ones", name="scale")

    def call(self, inputs):
        """Normalize every example."""
        y = ops.rms_normalization(inputs, self.scale, axis=self.axis, epsilon=self.epsilon)
        return self._to_compute_dtype(y)

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return tuple(input_shape)


class UnitNormalization(SameShape):
    """Divide each example by its Euclidean norm, so that it becomes 1.

    Args:
        axis: the axis or axes of a vector. Default: last.

    Shapes: the output has that of the input.

    Raises:
        ArgumentTypeError: if axis is neither an integer nor several.

    Source: keras.layers.UnitNormalization.

    >>> gpunn.layers.UnitNormalization()([[3.0, 4.0]]).numpy()
    array([[0.6, 0.8]], dtype=float32)
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axes(self, axis)

    def call(self, inputs):
        """Normalize every example."""
        return ops.normalize(inputs, axis=self.axis, order=2, epsilon=1e-12)

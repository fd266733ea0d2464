"""Normalizing layers: BatchNormalization, LayerNormalization."""

from gpunn import constraints, initializers, ops, regularizers
from gpunn.autograd import changing
from gpunn.errors import ArgumentTypeError, ShapeError
from gpunn.layers.check import axes, not_negative, wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.renormalization import add_statistics, checked_clipping, renormalized
from gpunn.layers.same_shape import SameShape
from gpunn.ops.batch_statistics import batch_standardization
from gpunn.ops.normalizers import masked_moments


class Normalizing(SameShape):
    """What several share: a scale gamma and an offset beta, made if they are asked for."""

    def __init__(
        self,
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
    ):
        super().__init__(**kwargs)
        self.axis = axes(self, axis)
        self.epsilon = not_negative(self, "epsilon", epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma = self.beta = None

    def _add_scale_and_offset(self, shape) -> None:
        if self.scale:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                autocast=False,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                name="gamma",
            )
        if self.center:
            self.beta = self.add_weight(
                shape,
                self.beta_initializer,
                autocast=False,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                name="beta",
            )


class BatchNormalization(Normalizing):
    """Normalize each channel over the batch.

        y = gamma (x - mean) / sqrt(variance + epsilon) + beta

    In training by the batch's own statistics, which the moving ones follow:
    moving = momentum moving + (1 - momentum) batch; else, and where `trainable` is False, by the
    moving ones.

    Args:
        axis: the channels' axis. Default: last.
        momentum: of the moving statistics. Default: 0.99.
        epsilon: added to the variance. Default: 1e-3.
        center: whether there is an offset beta. Default: True.
        scale: whether there is a factor gamma. Default: True.
        beta_initializer, gamma_initializer: default: "zeros", "ones".
        moving_mean_initializer, moving_variance_initializer: default: "zeros", "ones".
        beta_regularizer, gamma_regularizer: terms added to the loss.
        beta_constraint, gamma_constraint: projections applied after each step.
        renorm: whether the statistics of a batch are corrected towards moving ones, which are
            followed by `renorm_momentum`, so that training does what inference does. Default:
            False.
        renorm_clipping: limits of the corrections, a dict of rmin, rmax, dmax. Default: none.
        renorm_momentum: default: 0.99.
        synchronized: accepted; the statistics are those of one device.

    Call arguments:
        inputs: tensor.
        training: False (default): the moving statistics are used, and stay.
        mask: booleans of the inputs' shape without the last axis, or that broadcast to it: where it
            is False, values do not count in the batch's statistics.

    Shapes: the output has that of the input. Weights: gamma, beta, moving_mean, moving_variance
    (and with renorm: moving_stddev, renorm_mean, renorm_stddev), each (channels,); only gamma and
    beta are trained.

    Raises:
        ArgumentError: if an argument has a value that is not allowed.
        ShapeError: if the axis is out of range.

    Source: keras.layers.BatchNormalization; Ioffe and Szegedy, 2015,
    https://arxiv.org/abs/1502.03167

    >>> layer = gpunn.layers.BatchNormalization(epsilon=0.0)
    >>> layer([[1.0], [3.0]], training=True).numpy().ravel()
    array([-1.,  1.], dtype=float32)
    >>> layer.moving_mean.numpy().round(3)
    array([0.02], dtype=float32)
    """

    def __init__(
        self,
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        moving_mean_initializer="zeros",
        moving_variance_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        renorm=False,
        renorm_clipping=None,
        renorm_momentum=0.99,
        synchronized=False,
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
        self.renorm = renorm
        self.renorm_clipping = checked_clipping(self, renorm_clipping) if renorm else None
        self.renorm_momentum = not_negative(self, "renorm_momentum", renorm_momentum)
        self.momentum = not_negative(self, "momentum", momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.synchronized = synchronized

    def build(self, input_shape):
        """Make gamma, beta and the moving statistics."""
        shape = known_sizes(self, input_shape, [self.axis])
        self._add_scale_and_offset(shape)
        self.moving_mean = self.add_weight(
            shape,
            self.moving_mean_initializer,
            trainable=False,
            autocast=False,
            name="moving_mean",
        )
        self.moving_variance = self.add_weight(
            shape,
            self.moving_variance_initializer,
            trainable=False,
            autocast=False,
            name="moving_variance",
        )
        if self.renorm:
            add_statistics(self, shape)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: shape[0]})

    def call(self, inputs, training=False, mask=None):
        """Normalize by the batch's statistics if training, else by the moving ones."""
        if training and self.trainable and self.renorm:
            y = renormalized(self, inputs, mask)
        elif training and self.trainable and mask is None:
            y = batch_standardization(
                inputs,
                self.beta,
                self.gamma,
                axis=self.axis,
                epsilon=self.epsilon,
                update=self._follow,
            )
        else:
            mean, variance = self.moving_mean, self.moving_variance
            if training and self.trainable:
                mask = ops.cast(mask, inputs.dtype)
                mean, variance = masked_moments(inputs, mask, axis=self.axis, update=self._follow)
            y = ops.batch_normalization(
                inputs, mean, variance, self.axis, self.beta, self.gamma, self.epsilon
            )
        return self._to_compute_dtype(y)

    def _follow(self, be, mean, variance) -> None:
        """Move the moving statistics, in place, towards those of a batch."""
        moving = self.moving_mean.array, self.moving_variance.array
        for array in moving:
            changing(array)
        be.in_one_launch(_move, (*moving, mean, variance, self.momentum, 1 - self.momentum))


def _move(be, moving_mean, moving_variance, mean, variance, kept, taken):
    for moving, batch in ((moving_mean, mean), (moving_variance, variance)):
        moving *= kept
        moving += (batch * taken).astype(moving.dtype, copy=False)


class LayerNormalization(Normalizing):
    """Normalize each example: y = gamma (x - mean) / sqrt(variance + epsilon) + beta.

    Args:
        axis: the axis or axes that mean and variance are taken over. Default: last.
        epsilon: added to the variance. Default: 1e-3.
        center: whether there is an offset beta. Default: True.
        scale: whether there is a factor gamma. Default: True.
        beta_initializer, gamma_initializer: default: "zeros", "ones".
        beta_regularizer, gamma_regularizer: terms added to the loss.
        beta_constraint, gamma_constraint: projections applied after each step.
        rms_scaling: y = gamma x / sqrt(variance + epsilon), as Keras has it; no beta then.
            Default: False.

    Shapes: the output has that of the input. Weights: gamma, beta, of the shape of the axes.

    Raises:
        ArgumentError: if an argument has a value that is not allowed.
        ShapeError: if an axis is out of range.

    Source: keras.layers.LayerNormalization; Ba et al., 2016, https://arxiv.org/abs/1607.06450

    >>> gpunn.layers.LayerNormalization(epsilon=0.0)([[1.0, 3.0]]).numpy()
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
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
        rms_scaling=False,
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
        self.autocast = False  # it computes in float32, of inputs as they come
        self.rms_scaling = rms_scaling
        if rms_scaling:
            self.scale, self.center = True, False

    def build(self, input_shape):
        """Make gamma and beta."""
        axis = self.axis if isinstance(self.axis, list) else [self.axis]
        known_sizes(self, input_shape, axis)
        shape = tuple(input_shape[a] for a in sorted({a % len(input_shape) for a in axis}))
        self._add_scale_and_offset(shape)
        self.input_spec = InputSpec(axes={a: input_shape[a] for a in axis})

    def call(self, inputs):
        """Normalize every example."""
        y = ops.layer_normalization(
            inputs,
            self.gamma,
            self.beta,
            axis=self.axis,
            epsilon=self.epsilon,
            rms_scaling=self.rms_scaling,
        )
        return self._to_compute_dtype(y)


def known_sizes(layer, input_shape, axes: list) -> tuple:
    """The sizes of the inputs along some axes, which must be known."""
    ndim = len(input_shape)
    if isinstance(axes[0], list):
        raise wrong(layer, f"axis must be an integer, got {layer.axis!r}", ArgumentTypeError)
    if not all(-ndim <= a < ndim for a in axes):
        raise wrong(
            layer,
            f"axis {layer.axis} is out of range for inputs of shape {tuple(input_shape)}",
            ShapeError,
        )
    sizes = tuple(input_shape[a] for a in axes)
    if None in sizes:
        raise wrong(
            layer,
            f"the size along axis {layer.axis} must be known, got {tuple(input_shape)}",
            ShapeError,
        )
    return sizes

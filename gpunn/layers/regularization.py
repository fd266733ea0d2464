"""Layers that make training harder so that the result generalizes: dropout, noise, penalties."""

import math

from gpunn import regularizers
from gpunn.backend import Stream
from gpunn.errors import ArgumentTypeError, ShapeError
from gpunn.layers.check import data_format as check_format
from gpunn.layers.check import fraction, wrong
from gpunn.layers.input_spec import InputSpec
from gpunn.layers.same_shape import SameShape
from gpunn.ops.noise import (
    alpha_dropout,
    dropout,
    gaussian_dropout,
    gaussian_noise,
    stream_of,
)


def random_stream(layer, seed) -> Stream:
    """The random stream of a layer: of its seed, or the next of the current one.

    Args:
        layer: for the message.
        seed: an integer, a Stream, an object with a `stream` (a SeedGenerator), or None.
    """
    try:
        return stream_of(seed)
    except ArgumentTypeError as e:
        raise wrong(layer, str(e), ArgumentTypeError) from None


class _Noise(SameShape):
    """A layer that changes its inputs in training only, at random."""

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = random_stream(self, seed)


class Dropout(_Noise):
    """In training, set a random fraction of the values to 0 and divide the others by 1 - rate.

    Args:
        rate: the fraction, from 0 to 1.
        noise_shape: shape of the mask, which broadcasts to that of the inputs; None stands for the
            size of the inputs. (None, 1, None) drops the same features at all steps of a
            sequence. Default: every value by itself.
        seed: an integer for a mask sequence of its own. Default: drawn from `gpunn.set_seed`'s.

    Call arguments:
        inputs: tensor of any shape.
        training: False (default): the inputs come back as they are.

    Shapes: the output has that of the input.

    Raises:
        ArgumentError: if rate or noise_shape is not allowed.
        ShapeError: if noise_shape does not broadcast to the inputs.

    Source: keras.layers.Dropout; Srivastava et al., 2014. The masks are other ones than Keras', and
    the same on every device.

    >>> layer = gpunn.layers.Dropout(0.5, seed=1)
    >>> sorted(set(layer(np.ones((10, 10)), training=True).numpy().ravel().tolist()))
    [0.0, 2.0]
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.rate = fraction(self, "rate", rate)
        self.noise_shape = self._checked(noise_shape)

    def _checked(self, shape):
        if shape is None:
            return None
        if not isinstance(shape, tuple | list) or not all(
            n is None or (isinstance(n, int) and n > 0) for n in shape
        ):
            raise wrong(self, f"noise_shape must hold positive integers and None, got {shape!r}")
        return tuple(shape)

    def call(self, inputs, training=False):
        """Drop values, if training."""
        if not training or not self.rate:
            return inputs
        return dropout(inputs, self.rate, self.seed_generator, self._noise_shape(inputs.shape))

    def _noise_shape(self, shape):
        """The shape of the mask for inputs of a shape."""
        wanted = self.noise_shape
        if wanted is None:
            return shape
        if len(wanted) > len(shape):
            raise wrong(
                self, f"noise_shape {wanted} does not fit inputs of shape {shape}", ShapeError
            )
        found = shape[len(shape) - len(wanted) :]
        noise = tuple([n if w is None else w for w, n in zip(wanted, found, strict=True)])
        if any(w not in (1, n) for w, n in zip(noise, found, strict=True)):
            raise wrong(
                self, f"noise_shape {wanted} does not fit inputs of shape {shape}", ShapeError
            )
        return noise


class _SpatialDropout(Dropout):
    """Dropout of whole channels."""

    def __init__(self, rate, data_format=None, seed=None, **kwargs):
        super().__init__(rate, seed=seed, **kwargs)
        self.data_format = check_format(self, data_format)
        self.input_spec = InputSpec(ndim=self.rank)

    def _noise_shape(self, shape):
        places = (1,) * (self.rank - 2)
        if self.data_format == "channels_first":
            return (*shape[:2], *places)
        return (shape[0], *places, shape[-1])

    def get_config(self):
        """The arguments that make a layer like this one."""
        config = super().get_config()
        del config["noise_shape"]
        return config


class SpatialDropout1D(_SpatialDropout):
    """In training, drop whole features of sequences: the same ones at every step.

    Args:
        rate: the fraction of the features, from 0 to 1.
        seed: see `Dropout`.

    Shapes: (batch, steps, features), as the output.

    Raises:
        ArgumentError: if the rate is not from 0 to 1.

    Source: keras.layers.SpatialDropout1D; Tompson et al., 2014, https://arxiv.org/abs/1411.4280

    >>> y = gpunn.layers.SpatialDropout1D(0.5, seed=1)(np.ones((1, 5, 4)), training=True).numpy()
    >>> bool((y == y[:, :1]).all())
    True
    """

    rank = 3

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(rate, seed=seed, **kwargs)

    def get_config(self):
        """The arguments that make a layer like this one."""
        config = super().get_config()
        del config["data_format"]
        return config


class SpatialDropout2D(_SpatialDropout):
    """In training, drop whole channels of images.

    Args:
        rate: the fraction of the channels, from 0 to 1.
        data_format: "channels_last" (default) or "channels_first".
        seed: see `Dropout`.

    Shapes: (batch, rows, columns, channels) or (batch, channels, rows, columns), as the output.

    Raises:
        ArgumentError: if rate or data_format is not allowed.

    Source: keras.layers.SpatialDropout2D; Tompson et al., 2014, https://arxiv.org/abs/1411.4280

    >>> gpunn.layers.SpatialDropout2D(0.5)(np.ones((1, 2, 2, 4))).shape
    (1, 2, 2, 4)
    """

    rank = 4


class SpatialDropout3D(_SpatialDropout):
    """In training, drop whole channels of volumes.

    Args:
        rate: the fraction of the channels, from 0 to 1.
        data_format: "channels_last" (default) or "channels_first".
        seed: see `Dropout`.

    Shapes: (batch, d1, d2, d3, channels) or (batch, channels, d1, d2, d3), as the output.

    Raises:
        ArgumentError: if rate or data_format is not allowed.

    Source: keras.layers.SpatialDropout3D; Tompson et al., 2014, https://arxiv.org/abs/1411.4280

    >>> gpunn.layers.SpatialDropout3D(0.5)(np.ones((1, 2, 2, 2, 4))).shape
    (1, 2, 2, 2, 4)
    """

    rank = 5


class AlphaDropout(Dropout):
    """Dropout for selu: dropped values become selu's limit, so that mean and variance stay.

    Args:
        rate, noise_shape, seed: see `Dropout`.

    Shapes: the output has that of the input.

    Raises:
        ArgumentError: if rate or noise_shape is not allowed.

    Source: keras.layers.AlphaDropout; Klambauer et al., 2017, https://arxiv.org/abs/1706.02515

    >>> y = gpunn.layers.AlphaDropout(0.5, seed=1)(np.zeros((10, 10)), training=True)
    >>> len(set(y.numpy().ravel().tolist()))
    2
    """

    def call(self, inputs, training=False):
        """Drop values, if training."""
        if not training or not self.rate:
            return inputs
        shape = self._noise_shape(inputs.shape)
        return alpha_dropout(inputs, self.rate, self.seed_generator, shape)


class GaussianDropout(_Noise):
    """In training, multiply by normal noise of mean 1 and deviation sqrt(rate / (1 - rate)).

    Args:
        rate: as of `Dropout`, whose variance the noise has; from 0 to below 1.
        seed: see `Dropout`.

    Shapes: the output has that of the input.

    Raises:
        ArgumentError: if the rate is not from 0 to below 1.

    Source: keras.layers.GaussianDropout; Srivastava et al., 2014

    >>> gpunn.layers.GaussianDropout(0.5)([1.0, 2.0]).numpy()
    array([1., 2.], dtype=float32)
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.rate = fraction(self, "rate", rate)
        if rate == 1:
            raise wrong(self, "rate must be below 1: the noise would be infinite")

    def call(self, inputs, training=False):
        """Multiply by the noise, if training."""
        if not training or not self.rate:
            return inputs
        deviation = math.sqrt(self.rate / (1 - self.rate))
        return gaussian_dropout(inputs, deviation, self.seed_generator)


class GaussianNoise(_Noise):
    """In training, add normal noise of mean 0.

    Args:
        stddev: the noise's standard deviation, from 0 to 1.
        seed: see `Dropout`.

    Shapes: the output has that of the input.

    Raises:
        ArgumentError: if the deviation is not from 0 to 1.

    Source: keras.layers.GaussianNoise.

    >>> gpunn.layers.GaussianNoise(0.5)([1.0, 2.0]).numpy()
    array([1., 2.], dtype=float32)
    """

    def __init__(self, stddev, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.stddev = fraction(self, "stddev", stddev)

    def call(self, inputs, training=False):
        """Add the noise, if training."""
        if not training or not self.stddev:
            return inputs
        return gaussian_noise(inputs, self.stddev, self.seed_generator)


class ActivityRegularization(SameShape):
    """The inputs as they are; adds l1 sum|x| + l2 sum x^2, over the batch's size, to the loss.

    Args:
        l1: factor of the absolute values. Default: 0.
        l2: factor of the squares. Default: 0.

    Shapes: the output has that of the input.

    Source: keras.layers.ActivityRegularization.

    >>> layer = gpunn.layers.ActivityRegularization(l2=0.5)
    >>> y = layer([[1.0, 2.0]])
    >>> layer.losses[0].item()
    2.5
    """

    def __init__(self, l1=0.0, l2=0.0, **kwargs):
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2

    def call(self, inputs):
        """The inputs themselves."""
        return inputs

    def get_config(self):
        """The arguments that make a layer like this one."""
        config = super().get_config()
        del config["activity_regularizer"]
        return config

"""Layers made of other layers: RandAugment, AugMix, Pipeline."""

import numpy as np

from gpunn import ops, random
from gpunn.autograd import with_mask
from gpunn.errors import ArgumentError, ArgumentTypeError
from gpunn.layers.check import positive_integer, wrong
from gpunn.layers.images.base import RandomImageLayer, checked_range, factors
from gpunn.layers.images.blurring import RandomSharpness
from gpunn.layers.images.colors import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
)
from gpunn.layers.images.geometry import RandomRotation, RandomShear, RandomTranslation
from gpunn.layers.images.tones import (
    AutoContrast,
    Equalization,
    RandomPosterization,
    Solarization,
)
from gpunn.layers.layer import Layer
from gpunn.serialization import deserialize_value


class _Chain(RandomImageLayer):
    """A layer that applies others, chosen at random on the host."""

    def __init__(self, value_range, factor, interpolation, **kwargs):
        super().__init__(**kwargs)
        self.value_range = checked_range(self, value_range)
        self.factor = factors(self, "factor", factor, 0.0, 1.0)
        self.interpolation = interpolation

    def _parts(self, colors=True):
        """The layers to choose from; they draw from the stream of this one."""
        both, pixels = self.factor, {"value_range": self.value_range}
        own = {"seed": self.seed_generator, "dtype": self.dtype_policy}
        moved = {"interpolation": self.interpolation, **own}
        bits = max(1, int(8 * both[1]))
        parts = [
            RandomShear(both, both, **moved),
            RandomTranslation(both, both, **moved),
            RandomRotation(both, **moved),
            RandomPosterization(bits, **pixels, **own),
            Solarization(both, both, **pixels, **own),
            AutoContrast(**pixels, dtype=self.dtype_policy),
            Equalization(**pixels, dtype=self.dtype_policy),
        ]
        if colors:
            kinds = (RandomBrightness, RandomColorDegeneration, RandomContrast, RandomSharpness)
            parts += [kind(both, **pixels, **own) for kind in kinds]
        return parts

    def _choice(self, count: int) -> int:
        """One of the first `count` integers."""
        return int(self.seed_generator.uniform(()) * count)


class RandAugment(_Chain):
    """In training, a few changes chosen at random, of eleven, one after the other.

    They are shear, translation, rotation, brightness, color degeneration, contrast, sharpness,
    posterization, solarization, auto-contrast and equalization; a batch gets the same ones.

    Args:
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        num_ops: how many. Default: 2.
        factor: two limits of the strength from 0 to 1, or the second alone. Default: 0.5.
        interpolation: "bilinear" (default) or "nearest".
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: the output has that of the input, of three channels, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank or number of channels.

    Source: keras.layers.RandAugment; Cubuk et al., 2019, https://arxiv.org/abs/1909.13719

    >>> gpunn.layers.RandAugment()(np.zeros((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        value_range=(0, 255),
        num_ops=2,
        factor=0.5,
        interpolation="bilinear",
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(
            value_range, factor, interpolation, seed=seed, data_format=data_format, **kwargs
        )
        self.num_ops = num_ops and positive_integer(self, "num_ops", num_ops)
        self.parts = self._parts()

    def draw(self, images):
        """The changes, and what each draws."""
        chosen = [self._choice(len(self.parts)) for _ in range(self.num_ops)]
        return [(i, self.parts[i].draw(images)) for i in chosen]

    def change(self, images, drawn, interpolation=None):
        """Change one after the other."""
        for i, own in drawn:
            images = self.parts[i].change(images, own)
        return images


class AugMix(_Chain):
    """In training, images mixed with several chains of changes to them.

    Args:
        value_range: the smallest and largest value of a pixel. Default: (0, 255).
        num_chains: how many chains. Default: 3.
        chain_depth: how many changes make a chain at most. Default: 3.
        factor: two limits of the strength from 0 to 1, or the second alone. Default: 0.3.
        alpha: of the distributions that the shares are drawn from. Default: 1.
        all_ops: whether changes of brightness, color, contrast and sharpness are among them.
        interpolation: "bilinear" (default) or "nearest".
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.
        data_format: "channels_last" (default) or "channels_first".

    Shapes: the output has that of the input, of three channels, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank or number of channels.

    Source: keras.layers.AugMix; Hendrycks et al., 2019, https://arxiv.org/abs/1912.02781

    >>> gpunn.layers.AugMix()(np.zeros((2, 8, 8, 3))).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        value_range=(0, 255),
        num_chains=3,
        chain_depth=3,
        factor=0.3,
        alpha=1.0,
        all_ops=True,
        interpolation="bilinear",
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(
            value_range, factor, interpolation, seed=seed, data_format=data_format, **kwargs
        )
        self.num_chains = positive_integer(self, "num_chains", num_chains)
        self.chain_depth = positive_integer(self, "chain_depth", chain_depth)
        self.alpha = alpha
        self.all_ops = bool(all_ops)
        self.parts = self._parts(self.all_ops)

    def draw(self, images):
        """The share of each chain, that of the images, the chains and what each change draws."""
        stream = self.seed_generator
        shares = np.asarray(random.gamma((self.num_chains,), self.alpha, "float64", stream))
        kept = random.beta((1,), self.alpha, self.alpha, "float64", stream).item()
        chains = []
        for _ in range(self.num_chains):
            chosen = [self._choice(len(self.parts) + 1) for _ in range(self.chain_depth)]
            chosen = [i for i in chosen if i < len(self.parts)]  # one more: no change
            chains.append([(i, self.parts[i].draw(images)) for i in chosen])
        return (shares / shares.sum()).tolist(), kept, chains

    def change(self, images, drawn, interpolation=None):
        """Mix the images with their changed copies."""
        shares, kept, chains = drawn
        mixed = images * kept
        for share, chain in zip(shares, chains, strict=True):
            y = images
            for i, own in chain:
                y = self.parts[i].change(y, own)
            mixed = mixed + y * (share * (1 - kept))
        return ops.clip(mixed, *self.value_range)


class Pipeline(Layer):
    """Layers applied one after the other, such as those that prepare data.

    Args:
        layers: a list of layers.
        name: default: "pipeline".

    Raises:
        ArgumentTypeError: if one is no layer.

    Source: keras.layers.Pipeline.

    >>> layers = gpunn.layers
    >>> steps = layers.Pipeline([layers.Resizing(2, 2), layers.Rescaling(1 / 255)])
    >>> steps(np.full((1, 4, 4, 1), 255.0)).numpy().ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    accepts_integers = True

    def __init__(self, layers, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        for layer in layers:
            if not isinstance(layer, Layer):
                raise wrong(self, f"expected layers, got {layer!r}", ArgumentTypeError)
        self.layers = list(layers)

    def call(self, inputs, training=True, mask=None):
        """Apply one after the other; a mask goes along as far as the layers pass it on."""
        if mask is not None:
            inputs = with_mask(inputs, mask)
        for layer in self.layers:
            inputs = layer(inputs, training=training)
        return inputs

    def compute_output_shape(self, input_shape):
        """The shape after the last layer."""
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    @classmethod
    def from_config(cls, config):
        """A new layer of a config made by `get_config`."""
        layers = config.get("layers")
        if not isinstance(layers, list | tuple):
            raise ArgumentError(f"Pipeline: expected a config with a list 'layers', got {config!r}")
        layers = [deserialize_value(layer) for layer in layers]
        return cls(**{**config, "layers": layers})

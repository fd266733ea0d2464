"""Layers that mix the images of a batch, and their labels: MixUp, CutMix."""

from gpunn import ops, random
from gpunn.errors import ArgumentError
from gpunn.layers.check import not_negative, wrong
from gpunn.layers.images.base import RandomImageLayer, box_mask, factors


class _Mix(RandomImageLayer):
    """A layer that mixes each image with another of its batch."""

    def partners(self, images):
        """The batch in random order."""
        return ops.argsort(self.uniform(images, (len(images),)))

    def shares(self, images, alpha):
        """Numbers from 0 to 1 drawn from beta(alpha, alpha), on the host."""
        drawn = random.beta((len(images),), alpha, alpha, seed=self.seed_generator)
        return ops.cast(drawn, images.dtype).to(images.device)

    def change_labels(self, labels, drawn):
        """The labels mixed as the images are."""
        if drawn is None:
            return labels
        labels = ops.cast(labels, self.compute_dtype)
        weight = ops.cast(drawn["mix_weight"], labels.dtype)
        weight = ops.reshape(weight, (-1,) + (1,) * (labels.ndim - 1))
        return weight * labels + (1 - weight) * ops.take(labels, drawn["permutation_order"], 0)


class MixUp(_Mix):
    """In training, images that are weighted means of two of their batch; labels likewise.

    Args:
        alpha: of the beta distribution that weights are drawn from; the smaller, the more an image
            is one of the two. Default: 0.2.
        data_format: "channels_last" (default) or "channels_first".
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.

    Call arguments:
        inputs: images, or a dict of "images" and "labels".
        training: whether to be at work. Default: True.

    Shapes: the outputs have those of the inputs, as floats.

    Raises:
        ArgumentError: if alpha is not positive.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.MixUp; Zhang et al., 2017, https://arxiv.org/abs/1710.09412

    >>> gpunn.layers.MixUp()({"images": np.ones((2, 4, 4, 3)), "labels": np.eye(2)})["labels"].shape
    (2, 2)
    """

    def __init__(self, alpha=0.2, data_format=None, seed=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        if not not_negative(self, "alpha", alpha):
            raise wrong(self, "alpha must be positive, got 0", ArgumentError)
        self.alpha = alpha

    def draw(self, images):
        """Weights and partners."""
        order = self.partners(images)
        return {"mix_weight": self.shares(images, self.alpha), "permutation_order": order}

    def change(self, images, drawn, interpolation=None):
        """Mix."""
        weight = ops.reshape(drawn["mix_weight"], (-1, 1, 1, 1))
        return weight * images + (1 - weight) * ops.take(images, drawn["permutation_order"], 0)


class CutMix(_Mix):
    """In training, a box of each image taken from another of its batch; labels mixed by area.

    Args:
        factor: two limits of the parameter of the beta distribution that areas are drawn from, from
            0 to 1, or the second alone. Default: 1.
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.
        data_format: "channels_last" (default) or "channels_first".

    Call arguments:
        inputs: images, or a dict of "images" and "labels". A single image stays.
        training: whether to be at work. Default: True.

    Shapes: the outputs have those of the inputs, as floats.

    Raises:
        ArgumentError: if an argument is not allowed.
        ShapeError: if the inputs have another rank.

    Source: keras.layers.CutMix; Yun et al., 2019, https://arxiv.org/abs/1905.04899

    >>> gpunn.layers.CutMix()(np.ones((2, 4, 4, 3))).numpy().mean()
    np.float32(1.0)
    """

    moves_pixels = True

    def __init__(self, factor=1.0, seed=None, data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = factors(self, "factor", factor, 0.0, 1.0)

    def get_random_transformation(self, data, training=True, seed=None):
        """Boxes, partners and weights; None for a single image."""
        images = data["images"] if isinstance(data, dict) else data
        return None if images.ndim == 3 else super().get_random_transformation(data, training, seed)

    def draw(self, images):
        """Boxes, partners and weights of labels."""
        count, rows, columns, _ = images.shape
        low, high = self.factor
        alpha = low + (high - low) * float(self.seed_generator.uniform(())) + 1e-6
        size = ops.sqrt(1 - self.shares(images, alpha))
        wide, high = size * columns, size * rows
        x = self.uniform(images, (count,)) * (columns - wide)
        y = self.uniform(images, (count,)) * (rows - high)
        return {
            "permutation_order": self.partners(images),
            "batch_masks": box_mask(images, x, x + wide, y, y + high),
            "mix_weight": 1 - wide * high / (rows * columns),
        }

    def change(self, images, drawn, interpolation=None):
        """Take the boxes from the partners."""
        if drawn is None:
            return images
        others = ops.take(images, drawn["permutation_order"], 0)
        return ops.where(drawn["batch_masks"], others, images)

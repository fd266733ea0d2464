"""ImageLayer: what layers that change images share."""

import numpy as np

from gpunn import ops
from gpunn.autograd import Tensor
from gpunn.backend.dtypes import is_float
from gpunn.errors import ArgumentTypeError, ShapeError, unknown
from gpunn.layers.check import data_format as check_format
from gpunn.layers.check import wrong
from gpunn.layers.layer import Layer
from gpunn.layers.regularization import random_stream
from gpunn.ops.constants import constant
from gpunn.ops.noise import uniform_like
from gpunn.ops.warping import FILL_MODES, ORDERS


class ImageLayer(Layer):
    """A layer that changes images: (batch, rows, columns, channels), or a single one.

    In place of images it takes a dict of "images", "labels" and "segmentation_masks". Subclasses
    draw what they need at random in `draw`, and use it in `change`; both see a batch with channels
    last. As in Keras the layer is at work unless it is told `training=False`.

    Args:
        data_format: "channels_last" (default) or "channels_first".
        bounding_box_format: must be None: bounding boxes are not supported.
    """

    accepts_integers = True
    moves_pixels = False  # whether segmentation masks are changed like the images
    always = False  # whether it is at work in inference too
    keeps_integers = False  # whether integers are not made floats

    def __init__(self, data_format=None, bounding_box_format=None, **kwargs):
        super().__init__(**kwargs)
        if bounding_box_format is not None:
            raise wrong(self, "bounding boxes are not supported: leave bounding_box_format out")
        self.data_format = check_format(self, data_format)

    def draw(self, images: Tensor):
        """What is drawn at random for a batch of images."""

    def change(self, images: Tensor, drawn, interpolation=None) -> Tensor:
        """The images changed by what was drawn."""
        raise NotImplementedError(f"{type(self).__name__} has no change() method: write one")

    def change_labels(self, labels: Tensor, drawn) -> Tensor:
        """The labels of changed images."""
        return labels

    def call(self, data, training=True):
        """Change the images, and what belongs to them."""
        if not isinstance(data, dict):
            return self.transform_images(data, self.get_random_transformation(data, training),
                                         training)  # fmt: skip
        if "images" not in data:
            raise wrong(self, f"expected a dict with 'images', got {', '.join(map(str, data))}")
        if "bounding_boxes" in data:
            raise wrong(self, "bounding boxes are not supported")
        drawn = self.get_random_transformation(data["images"], training)
        found = {**data, "images": self.transform_images(data["images"], drawn, training)}
        if "labels" in data:
            found["labels"] = self.transform_labels(data["labels"], drawn, training)
        if "segmentation_masks" in data:
            masks = data["segmentation_masks"]
            found["segmentation_masks"] = self.transform_segmentation_masks(masks, drawn, training)
        return found

    # --- the steps of a call, by the names that Keras has for them ---

    def get_random_transformation(self, data, training=True, seed=None):
        """What the layer draws at random for images: a dict of tensors, or None."""
        if not (training or self.always):
            return None
        images = data["images"] if isinstance(data, dict) else data
        batch, _ = self._batch(images)
        if seed is None:
            return self.draw(batch)
        own, self.seed_generator = self.seed_generator, random_stream(self, seed)
        try:
            return self.draw(batch)
        finally:
            self.seed_generator = own

    def transform_images(self, images, transformation=None, training=True):
        """The images changed by what `get_random_transformation` gave."""
        batch, single = self._batch(images)
        if training or self.always:
            batch = self.change(batch, transformation)
        return self._as_given(batch, single)

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        """Masks moved like the images, each pixel keeping one of its values."""
        if not self.moves_pixels or not (training or self.always):
            return segmentation_masks
        batch, single = self._batch(segmentation_masks)
        moved = self.change(batch, transformation, "nearest")
        return ops.cast(self._as_given(moved, single), segmentation_masks.dtype)

    def transform_labels(self, labels, transformation, training=True):
        """The labels of the changed images."""
        return self.change_labels(labels, transformation) if training else labels

    def _batch(self, images):
        """A batch of floats with channels last, and whether it was a single image."""
        images = ops.convert_to_tensor(images)
        if not self.keeps_integers or is_float(images.dtype):
            images = ops.cast(images, self.compute_dtype)
        if images.ndim not in (3, 4):
            raise wrong(
                self,
                f"expected an image or a batch of images, got shape {images.shape}",
                ShapeError,
            )
        if self.data_format == "channels_first":
            images = ops.moveaxis(images, -3, -1)
        return (ops.expand_dims(images, 0), True) if images.ndim == 3 else (images, False)

    def _as_given(self, batch, single):
        batch = ops.squeeze(batch, 0) if single else batch
        return ops.moveaxis(batch, -1, -3) if self.data_format == "channels_first" else batch

    # --- shapes ---

    def compute_output_shape(self, input_shape):
        """The shape of the images."""
        return self._changed_shape(input_shape, None)

    def _changed_shape(self, input_shape, size):
        """The shape of images of another (height, width); dicts of shapes as well."""
        if isinstance(input_shape, dict):
            return {
                name: shape if name == "labels" else self._changed_shape(shape, size)
                for name, shape in input_shape.items()
            }
        if len(input_shape) not in (3, 4):
            raise wrong(
                self, f"expected images of 3 or 4 axes, got {tuple(input_shape)}", ShapeError
            )
        shape = list(input_shape)
        if size is not None:
            rows = len(shape) - (3 if self.data_format == "channels_last" else 2)
            shape[rows : rows + 2] = size
        return tuple(shape)


class RandomImageLayer(ImageLayer):
    """An image layer that draws at random.

    Args:
        seed: an integer for draws of its own. Default: drawn from `gpunn.set_seed`'s.
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = random_stream(self, seed)

    def uniform(self, like: Tensor, shape, low=0.0, high=1.0) -> Tensor:
        """Uniform numbers on the device of a tensor, in its dtype."""
        return uniform_like(like, stream=self.seed_generator, shape=shape, low=low, high=high)

    def chosen(self, like: Tensor, factor) -> Tensor:
        """For each image, true with a probability drawn from a range: (batch, 1, 1, 1)."""
        shape = (len(like), 1, 1, 1)
        probability = self.uniform(like, shape, *factor)
        return ops.less(self.uniform(like, shape), probability)


# --- arguments ---


def factors(layer, name: str, value, low=-1.0, high=1.0, start=None) -> tuple[float, float]:
    """A range of factors: two numbers, or one for from its negative (or `start`) to itself.

    Raises:
        ArgumentError: if a number is not between `low` and `high`.
        ArgumentTypeError: if it is neither a number nor two.
    """
    pair = isinstance(value, list | tuple) and len(value) == 2
    given = value if pair else (value,)
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in given):
        raise wrong(layer, f"{name} must be a number or two, got {value!r}", ArgumentTypeError)
    if not all(low <= v <= high for v in given):
        raise wrong(layer, f"{name} must lie between {low} and {high}, got {value!r}")
    if pair:
        return float(min(value)), float(max(value))
    value = float(abs(value))
    return float(max(0.0 - value, low) if start is None else start), value


def checked_range(layer, value) -> tuple[float, float]:
    """The smallest and the largest value of a pixel.

    Raises:
        ArgumentError: if it is not two different numbers.
    """
    good = isinstance(value, list | tuple) and len(value) == 2
    if not good or not all(isinstance(v, int | float) for v in value) or value[0] == value[1]:
        raise wrong(layer, f"value_range must be two different numbers, got {value!r}")
    return min(value), max(value)


def interpolation_and_fill(layer, interpolation: str, fill_mode: str, value) -> None:
    """Raise unless these can say how pixels between and off the pixels are found."""
    if interpolation not in ORDERS:
        raise unknown(f"interpolation of {layer.name!r}", interpolation, ORDERS)
    if fill_mode not in FILL_MODES:
        raise unknown(f"fill_mode of {layer.name!r}", fill_mode, FILL_MODES)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(layer, f"fill_value must be a number, got {value!r}", ArgumentTypeError)


# --- pixels ---


def rescaled(images: Tensor, old, new) -> Tensor:
    """Values from one range of pixels in another."""
    if tuple(old) == tuple(new):
        return images
    return (images - old[0]) / (old[1] - old[0]) * (new[1] - new[0]) + new[0]


def box_mask(images: Tensor, x0, x1, y0, y1) -> Tensor:
    """Where pixels lie in a box, one for each image: (batch, rows, columns, 1)."""
    rows, columns = images.shape[1:3]
    x = constant(np.arange(columns).reshape(1, 1, -1, 1), images)
    y = constant(np.arange(rows).reshape(1, -1, 1, 1), images)
    x0, x1, y0, y1 = (ops.reshape(v, (-1, 1, 1, 1)) for v in (x0, x1, y0, y1))
    across = ops.logical_and(x >= x0, x < x1)
    return ops.logical_and(across, ops.logical_and(y >= y0, y < y1))

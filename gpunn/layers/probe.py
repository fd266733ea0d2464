"""The output shape of a layer that has no rule for it: by running it."""

import numpy as np

from gpunn.autograd import no_grad, wrap
from gpunn.backend import get_backend
from gpunn.layers import tree


def probed_shape(layer, input_shape):
    """The shape of a layer's outputs for inputs of a shape (nested as the inputs are).

    The layer is built if it was not, and run on zeros with 2 and with 3 in place of every None:
    what differs is None in the result.
    """
    if not layer.built:
        layer.build(input_shape)
    with no_grad(), np.errstate(all="ignore"):  # a log or a division of zeros is no mistake here
        two, three = (layer(_zeros(layer, input_shape, n), training=False) for n in (2, 3))
    layer.clear_losses()
    return tree.map(_common, two, three)


def _zeros(layer, shapes, size: int):
    weights = layer.weights
    be = get_backend(weights[0].device if weights else None)

    def zeros(shape):
        return wrap(be.zeros([size if n is None else n for n in shape], layer.compute_dtype))

    return tree.map_shapes(zeros, shapes)


def _common(a, b) -> tuple:
    return tuple([m if m == n else None for m, n in zip(a.shape, b.shape, strict=True)])

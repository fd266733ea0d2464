"""The merging layers as functions of a list of tensors."""

from gpunn.layers import merging


def add(inputs, **kwargs):
    """The sum of several tensors.

    Args:
        inputs: a list of tensors whose shapes broadcast.
        kwargs: of the layer: name, dtype.

    Source: keras.layers.add.

    >>> gpunn.layers.add([np.ones((1, 2)), np.ones((1, 2))]).numpy()
    array([[2., 2.]], dtype=float32)
    """
    return merging.Add(**kwargs)(inputs)


def average(inputs, **kwargs):
    """The mean of several tensors.

    Args: as of `add`.

    Source: keras.layers.average.

    >>> gpunn.layers.average([np.ones((1, 2)), np.zeros((1, 2))]).numpy()
    array([[0.5, 0.5]], dtype=float32)
    """
    return merging.Average(**kwargs)(inputs)


def subtract(inputs, **kwargs):
    """The first of two tensors minus the second.

    Args: as of `add`.

    Source: keras.layers.subtract.

    >>> gpunn.layers.subtract([np.ones((1, 2)), np.ones((1, 2))]).numpy()
    array([[0., 0.]], dtype=float32)
    """
    return merging.Subtract(**kwargs)(inputs)


def multiply(inputs, **kwargs):
    """The product of several tensors, element by element.

    Args: as of `add`.

    Source: keras.layers.multiply.

    >>> gpunn.layers.multiply([np.full((1, 2), 2.0), np.full((1, 2), 3.0)]).numpy()
    array([[6., 6.]], dtype=float32)
    """
    return merging.Multiply(**kwargs)(inputs)


def maximum(inputs, **kwargs):
    """The largest of several tensors, element by element.

    Args: as of `add`.

    Source: keras.layers.maximum.

    >>> gpunn.layers.maximum([np.ones((1, 2)), np.zeros((1, 2))]).numpy()
    array([[1., 1.]], dtype=float32)
    """
    return merging.Maximum(**kwargs)(inputs)


def minimum(inputs, **kwargs):
    """The smallest of several tensors, element by element.

    Args: as of `add`.

    Source: keras.layers.minimum.

    >>> gpunn.layers.minimum([np.ones((1, 2)), np.zeros((1, 2))]).numpy()
    array([[0., 0.]], dtype=float32)
    """
    return merging.Minimum(**kwargs)(inputs)


def concatenate(inputs, axis=-1, **kwargs):
    """Several tensors one after the other along an axis.

    Args:
        inputs: a list of tensors, equal in shape but for the axis.
        axis: which axis. Default: the last.
        kwargs: of the layer: name, dtype.

    Source: keras.layers.concatenate.

    >>> gpunn.layers.concatenate([np.ones((1, 2)), np.ones((1, 3))]).shape
    (1, 5)
    """
    return merging.Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs, axes=-1, **kwargs):
    """The dot product of two tensors along an axis of each, example by example.

    Args:
        inputs: a list of two tensors.
        axes: the axis, or a pair of them. Default: the last.
        kwargs: of the layer: normalize, name, dtype.

    Source: keras.layers.dot.

    >>> gpunn.layers.dot([np.ones((1, 2)), np.ones((1, 2))]).numpy()
    array([[2.]], dtype=float32)
    """
    return merging.Dot(axes=axes, **kwargs)(inputs)

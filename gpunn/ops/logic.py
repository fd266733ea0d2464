"""Logic: truth values, bits, and shifts."""

from gpunn.autograd import primitive
from gpunn.ops.arithmetic import number

__all__ = [
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "left_shift",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "right_shift",
]


@primitive
def logical_and(be, x1, x2, /):
    """Whether both of two elements are true: anything but 0 is.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        A boolean tensor of the common shape.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.logical_and`.

    >>> gpunn.ops.logical_and([0, 1], [1, 2]).numpy()
    array([False,  True])
    """
    return be.xp.logical_and(x1, x2), None


@primitive
def logical_or(be, x1, x2, /):
    """Whether one of two elements, or both, is true: anything but 0 is.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        A boolean tensor of the common shape.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.logical_or`.

    >>> gpunn.ops.logical_or([0, 1], [1, 2]).numpy()
    array([ True,  True])
    """
    return be.xp.logical_or(x1, x2), None


@primitive
def logical_xor(be, x1, x2, /):
    """Whether exactly one of two elements is true: anything but 0 is.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        A boolean tensor of the common shape.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.logical_xor`.

    >>> gpunn.ops.logical_xor([0, 1], [1, 2]).numpy()
    array([ True, False])
    """
    return be.xp.logical_xor(x1, x2), None


@primitive
def logical_not(be, x, /):
    """Whether an element is false: 0.

    Args:
        x: tensor of any shape.

    Returns:
        A boolean tensor of the shape of x.

    Source: `keras.ops.logical_not`.

    >>> gpunn.ops.logical_not([0, 1]).numpy()
    array([ True, False])
    """
    return be.xp.logical_not(x), None


@primitive(promote="same")
def bitwise_and(be, x, y, /):
    """The bits set in both of two elements.

    Args:
        x, y: tensors or scalars of integers or booleans, whose shapes broadcast.

    Returns:
        x & y, of the common shape and dtype.

    Raises:
        ShapeError: if the shapes do not broadcast.
        DTypeError: if one is a float.

    Source: `keras.ops.bitwise_and`.

    >>> gpunn.ops.bitwise_and(2, 3).item()
    2
    """
    return x & y, None


@primitive(promote="same")
def bitwise_or(be, x, y, /):
    """The bits set in one of two elements, or both.

    Args:
        x, y: tensors or scalars of integers or booleans, whose shapes broadcast.

    Returns:
        x | y, of the common shape and dtype.

    Raises:
        ShapeError: if the shapes do not broadcast.
        DTypeError: if one is a float.

    Source: `keras.ops.bitwise_or`.

    >>> gpunn.ops.bitwise_or(4, 3).item()
    7
    """
    return x | y, None


@primitive(promote="same")
def bitwise_xor(be, x, y, /):
    """The bits set in exactly one of two elements.

    Args:
        x, y: tensors or scalars of integers or booleans, whose shapes broadcast.

    Returns:
        x ^ y, of the common shape and dtype.

    Raises:
        ShapeError: if the shapes do not broadcast.
        DTypeError: if one is a float.

    Source: `keras.ops.bitwise_xor`.

    >>> gpunn.ops.bitwise_xor(6, 3).item()
    5
    """
    return x ^ y, None


@primitive
def bitwise_invert(be, x, /):
    """Every bit the other way; of booleans the opposite.

    Args:
        x: tensor of integers or booleans.

    Returns:
        ~x, of the dtype of x.

    Raises:
        DTypeError: if it is a float.

    Source: `keras.ops.bitwise_invert`.

    >>> gpunn.ops.bitwise_invert([0, 5]).numpy()
    array([-1, -6], dtype=int32)
    """
    return ~x, None


def bitwise_not(x):
    """`bitwise_invert` by another name.

    Args:
        x: tensor of integers or booleans.

    Returns:
        ~x, of the dtype of x.

    Source: `keras.ops.bitwise_not`.

    >>> gpunn.ops.bitwise_not([True, False]).numpy()
    array([False,  True])
    """
    return bitwise_invert(x)


@primitive(promote="same")
def bitwise_left_shift(be, x, y, /):
    """The bits of x moved up, which doubles it for each place.

    Args:
        x: tensor of integers.
        y: by how many places: integers from 0 to the bits of x - 1, whose shape broadcasts.

    Returns:
        x << y, of the common dtype (of booleans: int32).

    Raises:
        ShapeError: if the shapes do not broadcast.
        DTypeError: if one is a float.

    Source: `keras.ops.bitwise_left_shift`.

    >>> gpunn.ops.bitwise_left_shift([2, 5], 2).numpy()
    array([ 8, 20], dtype=int32)
    """
    return number(x) << number(y), None


def left_shift(x, y):
    """`bitwise_left_shift` by another name.

    Args:
        x: tensor of integers.
        y: by how many places: integers whose shape broadcasts.

    Returns:
        x << y.

    Source: `keras.ops.left_shift`.

    >>> gpunn.ops.left_shift([8], 1).numpy()
    array([16], dtype=int32)
    """
    return bitwise_left_shift(x, y)


@primitive(promote="same")
def bitwise_right_shift(be, x, y, /):
    """The bits of x moved down, which halves it for each place, rounding down.

    Args:
        x: tensor of integers.
        y: by how many places: integers from 0 to the bits of x - 1, whose shape broadcasts.

    Returns:
        x >> y, of the common dtype (of booleans: int32).

    Raises:
        ShapeError: if the shapes do not broadcast.
        DTypeError: if one is a float.

    Source: `keras.ops.bitwise_right_shift`.

    >>> gpunn.ops.bitwise_right_shift([2, 5], 2).numpy()
    array([0, 1], dtype=int32)
    """
    return number(x) >> number(y), None


def right_shift(x, y):
    """`bitwise_right_shift` by another name.

    Args:
        x: tensor of integers.
        y: by how many places: integers whose shape broadcasts.

    Returns:
        x >> y.

    Source: `keras.ops.right_shift`.

    >>> gpunn.ops.right_shift([8], 1).numpy()
    array([4], dtype=int32)
    """
    return bitwise_right_shift(x, y)

"""The four operations, remainders and powers."""

from gpunn.autograd import primitive
from gpunn.errors import ArgumentError

__all__ = [
    "add",
    "divide",
    "divide_no_nan",
    "floor_divide",
    "fmod",
    "mod",
    "multiply",
    "negative",
    "power",
    "reciprocal",
    "subtract",
    "true_divide",
]


def number(x):
    """Booleans as int32, which is what they count as in arithmetic; anything else as it is."""
    return x.astype("int32") if hasattr(x, "dtype") and x.dtype.kind == "b" else x


@primitive(promote="same", late=True)
def add(be, x1, x2, /):
    """The sum of two tensors, element by element.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 + x2, of the common shape and dtype.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.add`.

    >>> gpunn.ops.add([1, 2], [3, 4]).numpy()
    array([4, 6], dtype=int32)
    """

    def pullback(dy, needs):
        return dy, dy

    return x1 + x2, pullback


@primitive(promote="same")
def subtract(be, x1, x2, /):
    """The difference of two tensors, element by element.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast; not both boolean.

    Returns:
        x1 - x2, of the common shape and dtype.

    Raises:
        ShapeError: if the shapes do not broadcast.
        DTypeError: if both are boolean.

    Source: `keras.ops.subtract`.

    >>> gpunn.ops.subtract([3, 4], 1).numpy()
    array([2, 3], dtype=int32)
    """

    def pullback(dy, needs):
        return dy, -dy if needs[1] else None

    return x1 - x2, pullback


@primitive(promote="same")
def multiply(be, x1, x2, /):
    """The product of two tensors, element by element.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 * x2, of the common shape and dtype.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.multiply`.

    >>> gpunn.ops.multiply([1.0, 2.0], 3).numpy()
    array([3., 6.], dtype=float32)
    """

    def pullback(dy, needs):
        return dy * x2 if needs[0] else None, dy * x1 if needs[1] else None

    return x1 * x2, pullback


@primitive(promote="float")
def divide(be, x1, x2, /):
    """The quotient of two tensors, element by element; integers give floats.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 / x2, of the common shape, a float.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.divide`.

    >>> gpunn.ops.divide([1, 2], 2).numpy()
    array([0.5, 1. ], dtype=float32)
    """
    y = x1 / x2

    def pullback(dy, needs):
        dx1 = dy / x2
        return dx1, -dx1 * y if needs[1] else None

    return y, pullback


def true_divide(x1, x2):
    """The quotient of two tensors: `divide` by another name.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 / x2, a float.

    Source: `keras.ops.true_divide`.

    >>> gpunn.ops.true_divide([3], 2).numpy()
    array([1.5], dtype=float32)
    """
    return divide(x1, x2)


@primitive(promote="float")
def divide_no_nan(be, x1, x2, /):
    """The quotient of two tensors, and 0 wherever the divisor is 0.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 / x2 where x2 is not 0, else 0; a float. Its gradients are 0 there too.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.divide_no_nan`.

    >>> gpunn.ops.divide_no_nan([1.0, 2.0], [0.0, 4.0]).numpy()
    array([0. , 0.5], dtype=float32)
    """
    xp = be.xp
    x2 = xp.asarray(x2, x1.dtype) if isinstance(x2, int | float) else x2
    zero = x2 == 0
    divisor = xp.where(zero, 1, x2)
    y = xp.where(zero, 0, x1 / divisor)

    def pullback(dy, needs):
        dx1 = xp.where(zero, 0, dy / divisor)
        return dx1, -dx1 * y if needs[1] else None

    return y, pullback


@primitive(promote="same")
def floor_divide(be, x1, x2, /):
    """The quotient of two tensors rounded down; its gradient is 0.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        floor(x1 / x2), of the common dtype (of booleans: int32).

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.floor_divide`.

    >>> gpunn.ops.floor_divide([7, -7], 2).numpy()
    array([ 3, -4], dtype=int32)
    """

    def pullback(dy, needs):
        zero = be.zeros(dy.shape, dy.dtype)
        return zero, zero

    return number(x1) // number(x2), pullback


@primitive(promote="same")
def mod(be, x1, x2, /):
    """The remainder of a division rounded down: it has the sign of the divisor.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 - floor(x1 / x2) * x2, of the common dtype (of booleans: int32).

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.mod`.

    >>> gpunn.ops.mod([7, -7], 3).numpy()
    array([1, 2], dtype=int32)
    """

    def pullback(dy, needs):
        return dy, -dy * be.xp.floor(x1 / x2) if needs[1] else None

    return number(x1) % number(x2), pullback


@primitive(promote="same")
def fmod(be, x1, x2, /):
    """The remainder of a division rounded towards 0: it has the sign of the dividend.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 - trunc(x1 / x2) * x2, of the common dtype (of booleans: int32).

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.fmod`.

    >>> gpunn.ops.fmod([7, -7], 3).numpy()
    array([ 1, -1], dtype=int32)
    """

    def pullback(dy, needs):
        return dy, -dy * be.xp.trunc(x1 / x2) if needs[1] else None

    return be.xp.fmod(number(x1), number(x2)), pullback


@primitive(promote="same")
def power(be, x1, x2, /):
    """The first tensor to the power of the second, element by element.

        d x1^x2 = x2 x1^(x2 - 1) dx1 + x1^x2 log(x1) dx2,

    where a term with x2 = 0 or x1 = 0 in front of an infinity counts as 0.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 ** x2, of the common dtype (of booleans: int32).

    Raises:
        ShapeError: if the shapes do not broadcast.
        ArgumentError: for integers to a negative scalar power.

    Source: `keras.ops.power`.

    >>> gpunn.ops.power([1.0, 2.0, 3.0], 2).numpy()
    array([1., 4., 9.], dtype=float32)
    """
    xp = be.xp
    x1, x2 = number(x1), number(x2)
    scalar = type(x2) in (int, float, bool)
    if scalar and x2 < 0 and x1.dtype.kind in "iu":
        raise ArgumentError(
            f"power: integers ({x1.dtype}) have no power {x2}; cast them to a float first"
        )
    y = x1**x2

    def pullback(dy, needs):
        dx1 = dx2 = None
        if needs[0] and scalar:
            dx1 = dy * (x2 * x1 ** (x2 - 1)) if x2 else be.zeros(dy.shape, dy.dtype)
        elif needs[0]:
            dx1 = dy * (x2 * x1 ** xp.where(x2 == 0, 1, x2 - 1))
        if needs[1]:
            base = xp.asarray(x1, dtype=x2.dtype)
            dx2 = dy * (xp.log(xp.where(base == 0, 1, base)) * y)
        return dx1, dx2

    return y, pullback


@primitive
def negative(be, x, /):
    """The tensor with the other sign.

    Args:
        x: tensor of any shape; not boolean.

    Returns:
        -x.

    Raises:
        DTypeError: if it is boolean.

    Source: `keras.ops.negative`.

    >>> gpunn.ops.negative([1, -2]).numpy()
    array([-1,  2], dtype=int32)
    """

    def pullback(dy, needs):
        return (-dy,)

    return -x, pullback


@primitive(promote="float")
def reciprocal(be, x, /):
    """One over each element; integers give floats.

    Args:
        x: tensor of any shape.

    Returns:
        1 / x.

    Source: `keras.ops.reciprocal`.

    >>> gpunn.ops.reciprocal([2.0, 4.0]).numpy()
    array([0.5 , 0.25], dtype=float32)
    """
    y = 1 / x

    def pullback(dy, needs):
        return (-dy * (y * y),)

    return y, pullback

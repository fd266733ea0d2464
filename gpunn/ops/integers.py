"""Common divisors and multiples, and the steps and exponents of floats."""

from gpunn.autograd import primitive
from gpunn.backend.dtypes import is_float, standardize
from gpunn.errors import DTypeError

__all__ = ["gcd", "lcm", "ldexp", "nextafter"]


@primitive(promote="same")
def gcd(be, x1, x2, /):
    """The greatest common divisor of two integers.

    Args:
        x1, x2: tensors or scalars of integers whose shapes broadcast.

    Returns:
        A tensor of the common shape and dtype; gcd(0, 0) is 0.

    Raises:
        ShapeError: if the shapes do not broadcast.
        DTypeError: if one is not of integers.

    Source: `keras.ops.gcd`.

    >>> gpunn.ops.gcd([12, 7], 18).numpy()
    array([6, 1], dtype=int32)
    """
    _integers("gcd", x1, x2)
    return be.xp.gcd(x1, x2), None


@primitive(promote="same")
def lcm(be, x1, x2, /):
    """The least common multiple of two integers.

    Args:
        x1, x2: tensors or scalars of integers whose shapes broadcast.

    Returns:
        A tensor of the common shape and dtype.

    Raises:
        ShapeError: if the shapes do not broadcast.
        DTypeError: if one is not of integers.

    Source: `keras.ops.lcm`.

    >>> gpunn.ops.lcm([4, 7], 6).numpy()
    array([12, 42], dtype=int32)
    """
    _integers("lcm", x1, x2)
    return be.xp.lcm(x1, x2), None


def _integers(op, *xs):
    for x in xs:
        if hasattr(x, "dtype") and x.dtype.kind not in "iu":
            raise DTypeError(f"{op}: expected integers, got {x.dtype}; cast them first")


@primitive
def ldexp(be, x1, x2, /):
    """The first times two to the power of the second, `x1 2^x2`.

    Args:
        x1: tensor of any shape; integers become floats.
        x2: integers whose shape broadcasts.

    Returns:
        A float tensor of the common shape.

    Raises:
        ShapeError: if the shapes do not broadcast.
        DTypeError: if the exponents are not integers.

    Source: `keras.ops.ldexp`.

    >>> gpunn.ops.ldexp([0.5, 3.0], [2, -1]).numpy()
    array([2. , 1.5], dtype=float32)
    """
    xp = be.xp
    if hasattr(x1, "dtype") and not is_float(x1.dtype):
        x1 = x1.astype(standardize(None))
    exponent = xp.asarray(x2)
    if exponent.dtype.kind not in "iu":
        raise DTypeError(
            f"ldexp: expected integer exponents, got {exponent.dtype}; cast them first"
        )
    exponent = exponent.astype("int32")

    def pullback(dy, needs):
        return xp.ldexp(dy, exponent), None

    return xp.ldexp(x1, exponent), pullback


@primitive(promote="float")
def nextafter(be, x1, x2, /):
    """The next float after the first in the direction of the second.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast; integers become floats.

    Returns:
        A float tensor of the common shape.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.nextafter`.

    >>> (gpunn.ops.nextafter([1.0], 2.0).numpy() - 1 == 2.0**-23).item()
    True
    """
    return be.xp.nextafter(x1, x2), None

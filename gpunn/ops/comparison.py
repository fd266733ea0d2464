"""Comparisons, and what kind of number an element is: boolean results, no gradients."""

from gpunn.autograd import primitive
from gpunn.backend.dtypes import is_float
from gpunn.ops.extrema import all

__all__ = [
    "allclose",
    "equal",
    "greater",
    "greater_equal",
    "isclose",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "less",
    "less_equal",
    "not_equal",
    "signbit",
]


@primitive(promote="same")
def equal(be, x1, x2, /):
    """Whether two elements are equal; a NaN equals nothing.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 == x2, a boolean tensor of the common shape.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.equal`.

    >>> gpunn.ops.equal([1, 2], [1, 3]).numpy()
    array([ True, False])
    """
    return x1 == x2, None


@primitive(promote="same")
def not_equal(be, x1, x2, /):
    """Whether two elements differ; a NaN differs from everything.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 != x2, a boolean tensor of the common shape.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.not_equal`.

    >>> gpunn.ops.not_equal([1, 2], [1, 3]).numpy()
    array([False,  True])
    """
    return x1 != x2, None


@primitive(promote="same")
def greater(be, x1, x2, /):
    """Whether of two elements the first is greater.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 > x2, a boolean tensor of the common shape.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.greater`.

    >>> gpunn.ops.greater([1, 4], [1, 3]).numpy()
    array([False,  True])
    """
    return x1 > x2, None


@primitive(promote="same")
def greater_equal(be, x1, x2, /):
    """Whether of two elements the first is greater or equal.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 >= x2, a boolean tensor of the common shape.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.greater_equal`.

    >>> gpunn.ops.greater_equal([1, 2], [1, 3]).numpy()
    array([ True, False])
    """
    return x1 >= x2, None


@primitive(promote="same")
def less(be, x1, x2, /):
    """Whether of two elements the first is less.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 < x2, a boolean tensor of the common shape.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.less`.

    >>> gpunn.ops.less([1, 2], [1, 3]).numpy()
    array([False,  True])
    """
    return x1 < x2, None


@primitive(promote="same")
def less_equal(be, x1, x2, /):
    """Whether of two elements the first is less or equal.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.

    Returns:
        x1 <= x2, a boolean tensor of the common shape.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.less_equal`.

    >>> gpunn.ops.less_equal([1, 4], [1, 3]).numpy()
    array([ True, False])
    """
    return x1 <= x2, None


@primitive
def isnan(be, x, /):
    """Whether an element is NaN.

    Args:
        x: tensor of any shape.

    Returns:
        A boolean tensor of the shape of x.

    Source: `keras.ops.isnan`.

    >>> gpunn.ops.isnan([1.0, float("nan")]).numpy()
    array([False,  True])
    """
    return be.xp.isnan(x), None


@primitive
def isinf(be, x, /):
    """Whether an element is infinite.

    Args:
        x: tensor of any shape.

    Returns:
        A boolean tensor of the shape of x.

    Source: `keras.ops.isinf`.

    >>> gpunn.ops.isinf([1.0, float("-inf")]).numpy()
    array([False,  True])
    """
    return be.xp.isinf(x), None


@primitive
def isfinite(be, x, /):
    """Whether an element is neither infinite nor NaN.

    Args:
        x: tensor of any shape.

    Returns:
        A boolean tensor of the shape of x.

    Source: `keras.ops.isfinite`.

    >>> gpunn.ops.isfinite([1.0, float("inf")]).numpy()
    array([ True, False])
    """
    return be.xp.isfinite(x), None


@primitive
def isposinf(be, x, /):
    """Whether an element is positive infinity.

    Args:
        x: tensor of any shape.

    Returns:
        A boolean tensor of the shape of x.

    Source: `keras.ops.isposinf`.

    >>> gpunn.ops.isposinf([1.0, float("inf")]).numpy()
    array([False,  True])
    """
    return x == float("inf"), None


@primitive
def isneginf(be, x, /):
    """Whether an element is negative infinity.

    Args:
        x: tensor of any shape.

    Returns:
        A boolean tensor of the shape of x.

    Source: `keras.ops.isneginf`.

    >>> gpunn.ops.isneginf([1.0, float("-inf")]).numpy()
    array([False,  True])
    """
    return x == float("-inf"), None


@primitive
def isreal(be, x, /):
    """Whether an element has no imaginary part: all but complex ones.

    Args:
        x: tensor of any shape.

    Returns:
        A boolean tensor of the shape of x.

    Source: `keras.ops.isreal`.

    >>> gpunn.ops.isreal([1.0]).numpy()
    array([ True])
    """
    return (x.imag == 0) if x.dtype.kind == "c" else be.full(x.shape, True, bool), None


@primitive
def signbit(be, x, /):
    """Whether an element has its sign bit set: negative ones, and -0.0.

    Args:
        x: tensor of any shape.

    Returns:
        A boolean tensor of the shape of x.

    Source: `keras.ops.signbit`.

    >>> gpunn.ops.signbit([1.0, -0.0]).numpy()
    array([False,  True])
    """
    return be.xp.signbit(x) if is_float(x.dtype) else x < 0, None


@primitive(promote="float")
def isclose(be, x1, x2, /, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether two elements are equal up to a tolerance, `|x1 - x2| <= atol + rtol |x2|`.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.
        rtol: relative tolerance. Default: 1e-5.
        atol: absolute tolerance. Default: 1e-8.
        equal_nan: whether a NaN is close to a NaN. Default: False.

    Returns:
        A boolean tensor of the common shape; infinities of one sign are close.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.isclose`.

    >>> gpunn.ops.isclose([1.0, 2.0], [1.000001, 3.0]).numpy()
    array([ True, False])
    """
    xp = be.xp
    both = xp.isfinite(x1) & xp.isfinite(x2)
    gap = xp.absolute(xp.where(both, x1, 0) - xp.where(both, x2, 0))
    y = xp.where(both, gap <= atol + rtol * xp.absolute(xp.where(both, x2, 0)), x1 == x2)
    if equal_nan:
        y = y | ((x1 != x1) & (x2 != x2))
    return y, None


def allclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether all elements of two tensors are equal up to a tolerance.

    Args:
        x1, x2: tensors or scalars whose shapes broadcast.
        rtol: relative tolerance. Default: 1e-5.
        atol: absolute tolerance. Default: 1e-8.
        equal_nan: whether a NaN is close to a NaN. Default: False.

    Returns:
        A boolean tensor of one element.

    Raises:
        ShapeError: if the shapes do not broadcast.

    Source: `keras.ops.allclose`.

    >>> gpunn.ops.allclose([1.0, 2.0], [1.0, 2.000001]).item()
    True
    """
    return all(isclose(x1, x2, rtol, atol, equal_nan))


@primitive(promote="same")
def isin(be, x1, x2, /, assume_unique=False, invert=False):
    """Whether an element of x1 is among the elements of x2.

    Args:
        x1: tensor of any shape.
        x2: tensor of any shape.
        assume_unique: accepted for Keras' sake; changes nothing.
        invert: answer the opposite. Default: False.

    Returns:
        A boolean tensor of the shape of x1.

    Source: `keras.ops.isin`.

    >>> gpunn.ops.isin([1, 2, 3], [3, 1]).numpy()
    array([ True, False,  True])
    """
    xp = be.xp
    return xp.isin(xp.asarray(x1), xp.asarray(x2), invert=invert), None

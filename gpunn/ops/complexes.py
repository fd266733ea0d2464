"""Keras' functions of complex numbers; those that are complex have no gradient."""

from gpunn.autograd import convert, primitive

__all__ = ["angle", "conj", "conjugate", "imag", "real"]


@primitive(promote="float")
def angle(be, x, /):
    """The angle of each element in the complex plane; its gradient is 0.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        arctan2(imaginary part, real part): of real elements 0 if positive, pi if negative.

    Source: `keras.ops.angle`.

    >>> gpunn.ops.angle([1.0, -1.0]).numpy().round(4)
    array([0.    , 3.1416], dtype=float32)
    """
    if x.dtype.kind == "c":
        return be.xp.arctan2(x.imag, x.real), None

    def pullback(dy, needs):
        return (be.zeros(dy.shape, dy.dtype),)

    return be.xp.arctan2(be.zeros(x.shape, x.dtype), x), pullback


def real(x):
    """The real part of each element: itself, but for complex ones.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor of the shape of x; x, if it is real.

    Source: `keras.ops.real`.

    >>> gpunn.ops.real(np.array([1.0 + 2.0j])).numpy()
    array([1.])
    """
    x = convert(x)
    return _real(x) if x.dtype.kind == "c" else x


@primitive
def _real(be, x, /):
    return x.real.copy(), None


@primitive
def imag(be, x, /):
    """The imaginary part of each element: 0, but of complex ones.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor of the shape of x, and of its dtype if it is real.

    Source: `keras.ops.imag`.

    >>> gpunn.ops.imag(np.array([1.0 + 2.0j])).numpy()
    array([2.])
    """
    return x.imag.copy() if x.dtype.kind == "c" else be.zeros(x.shape, x.dtype), None


def conjugate(x):
    """The complex conjugate of each element: itself, but for complex ones.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor of the shape and dtype of x; x, if it is real.

    Source: `keras.ops.conjugate`.

    >>> gpunn.ops.conjugate(np.array([1.0 + 2.0j])).numpy()
    array([1.-2.j])
    """
    x = convert(x)
    return _conjugate(x) if x.dtype.kind == "c" else x


@primitive
def _conjugate(be, x, /):
    return be.xp.conj(x), None


def conj(x):
    """The complex conjugate of each element: `conjugate` by its short name.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor of the shape and dtype of x; x, if it is real.

    Source: `keras.ops.conj`.

    >>> gpunn.ops.conj([1.0]).numpy()
    array([1.], dtype=float32)
    """
    return conjugate(x)

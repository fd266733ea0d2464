"""Keras' functions of complex numbers, on tensors that are real."""

from gpunn.autograd import convert, primitive

__all__ = ["angle", "conj", "conjugate", "imag", "real"]


@primitive(promote="float")
def angle(be, x, /):
    """The angle of each element in the complex plane; its gradient is 0.

    Args:
        x: tensor of any shape; integers become floats.

    Returns:
        0 of positive elements, pi of negative ones.

    Source: `keras.ops.angle`.

    >>> gpunn.ops.angle([1.0, -1.0]).numpy().round(4)
    array([0.    , 3.1416], dtype=float32)
    """

    def pullback(dy, needs):
        return (be.zeros(dy.shape, dy.dtype),)

    return be.xp.arctan2(be.zeros(x.shape, x.dtype), x), pullback


def real(x):
    """The real part of each element: itself.

    Args:
        x: tensor of any shape.

    Returns:
        x.

    Source: `keras.ops.real`.

    >>> gpunn.ops.real([1.0]).numpy()
    array([1.], dtype=float32)
    """
    return convert(x)


@primitive
def imag(be, x, /):
    """The imaginary part of each element: 0.

    Args:
        x: tensor of any shape.

    Returns:
        Zeros of the shape and dtype of x.

    Source: `keras.ops.imag`.

    >>> gpunn.ops.imag([1.0]).numpy()
    array([0.], dtype=float32)
    """
    return be.zeros(x.shape, x.dtype), None


def conjugate(x):
    """The complex conjugate of each element: itself.

    Args:
        x: tensor of any shape.

    Returns:
        x.

    Source: `keras.ops.conjugate`.

    >>> gpunn.ops.conjugate([1.0]).numpy()
    array([1.], dtype=float32)
    """
    return convert(x)


def conj(x):
    """The complex conjugate of each element: `conjugate` by its short name.

    Args:
        x: tensor of any shape.

    Returns:
        x.

    Source: `keras.ops.conj`.

    >>> gpunn.ops.conj([1.0]).numpy()
    array([1.], dtype=float32)
    """
    return convert(x)

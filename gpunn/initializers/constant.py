"""Initializers that draw nothing: Constant, Zeros, Ones, Identity."""

import numpy as np

from gpunn.autograd import Tensor
from gpunn.backend import host_array, standardize
from gpunn.checks import as_shape
from gpunn.errors import ShapeError
from gpunn.initializers.initializer import Initializer
from gpunn.serialization import deserialize_value, serialize_value


class Constant(Initializer):
    """One value everywhere.

    Args:
        value: a number, or an array that can be broadcast to the shape.

    Raises:
        ShapeError: when called with a shape that the value cannot be broadcast to.

    Source: `keras.initializers.Constant`.

    >>> gpunn.initializers.Constant(2.0)((2,)).numpy()
    array([2., 2.], dtype=float32)
    """

    def __init__(self, value=0.0):
        self.value = value

    def __call__(self, shape, dtype=None):
        values = host_array(self.value.array if isinstance(self.value, Tensor) else self.value)
        try:
            values = np.broadcast_to(values, tuple(shape))
        except ValueError:
            raise ShapeError(
                f"cannot broadcast a constant of shape {values.shape} to {tuple(shape)}"
            ) from None
        return Tensor(values.astype(standardize(dtype)))

    def get_config(self) -> dict:
        return {"value": serialize_value(self.value, "Constant.value")}

    @classmethod
    def from_config(cls, config: dict):
        return cls(deserialize_value(config.get("value", 0.0)))


class Zeros(Initializer):
    """Zeros.

    Source: `keras.initializers.Zeros`.

    >>> gpunn.initializers.Zeros()((2,)).numpy()
    array([0., 0.], dtype=float32)
    """

    def __call__(self, shape, dtype=None):
        return Tensor(np.zeros(as_shape("Zeros", shape), standardize(dtype)))


class Ones(Initializer):
    """Ones.

    Source: `keras.initializers.Ones`.

    >>> gpunn.initializers.Ones()((2,)).numpy()
    array([1., 1.], dtype=float32)
    """

    def __call__(self, shape, dtype=None):
        return Tensor(np.ones(as_shape("Ones", shape), standardize(dtype)))


class Identity(Initializer):
    """The identity matrix times a gain; ones on the diagonal if it is not square.

    Args:
        gain: the factor.

    Raises:
        ShapeError: when called with a shape that is no matrix's.

    Source: `keras.initializers.Identity`.

    >>> gpunn.initializers.Identity(2.0)((2, 2)).numpy()
    array([[2., 0.],
           [0., 2.]], dtype=float32)
    """

    def __init__(self, gain=1.0):
        self.gain = gain

    def __call__(self, shape, dtype=None):
        if len(shape) != 2:
            raise ShapeError(f"Identity makes matrices, got shape {tuple(shape)}")
        return Tensor((self.gain * np.eye(*shape)).astype(standardize(dtype)))

    def get_config(self) -> dict:
        return {"gain": self.gain}

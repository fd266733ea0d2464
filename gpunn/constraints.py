"""Constraints: what weights are put back to after each update (Keras: `keras.constraints`)."""

from gpunn import ops
from gpunn.autograd import convert
from gpunn.checks import check_number
from gpunn.errors import ArgumentError, ArgumentTypeError
from gpunn.serialization import Registry

EPSILON = 1e-7


class Constraint:
    """A function from a weight to the nearest weight allowed; derive from it to write one.

    >>> class AtMostOne(gpunn.constraints.Constraint):
    ...     def __call__(self, w):
    ...         return gpunn.ops.minimum(w, 1.0)
    >>> AtMostOne()(gpunn.Tensor([0.5, 2.0])).numpy()
    array([0.5, 1. ], dtype=float32)
    """

    def __call__(self, w):
        """The weight as it is allowed."""
        return w

    def get_config(self) -> dict:
        """The arguments that make a constraint like this one."""
        return {}

    @classmethod
    def from_config(cls, config: dict):
        """A constraint of a config that `get_config` made."""
        return cls(**config)


class MaxNorm(Constraint):
    """Scales weights down whose norm along `axis` is too large.

    `w * clip(|w|, 0, max_value) / (1e-7 + |w|)`

    Args:
        max_value: the largest norm.
        axis: the axis or axes that make up one weight vector: 0 for a Dense kernel, [0, 1, 2] for a
            Conv2D kernel.

    Raises:
        ArgumentError: for a negative max_value.

    Source: `keras.constraints.MaxNorm`.

    >>> gpunn.constraints.MaxNorm(1.0)(gpunn.Tensor([[3.0], [4.0]])).numpy().round(3)
    array([[0.6],
           [0.8]], dtype=float32)
    """

    def __init__(self, max_value=2, axis=0):
        check_number("max_value", max_value, low=0)
        self.max_value = max_value
        self.axis = checked_axis(axis)

    def __call__(self, w):
        w, norms = with_norms(w, self.axis)
        return w * (ops.clip(norms, 0, self.max_value) / (norms + EPSILON))

    def get_config(self) -> dict:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """Sets negative weights to 0: max(w, 0)

    Source: `keras.constraints.NonNeg`.

    >>> gpunn.constraints.NonNeg()(gpunn.Tensor([-1.0, 1.0])).numpy()
    array([0., 1.], dtype=float32)
    """

    def __call__(self, w):
        return ops.maximum(convert(w), 0)


class UnitNorm(Constraint):
    """Scales weights to norm 1 along `axis`: w / (1e-7 + |w|)

    Args:
        axis: the axis or axes that make up one weight vector.

    Source: `keras.constraints.UnitNorm`.

    >>> gpunn.constraints.UnitNorm()(gpunn.Tensor([[3.0], [4.0]])).numpy().round(3)
    array([[0.6],
           [0.8]], dtype=float32)
    """

    def __init__(self, axis=0):
        self.axis = checked_axis(axis)

    def __call__(self, w):
        w, norms = with_norms(w, self.axis)
        return w / (norms + EPSILON)

    def get_config(self) -> dict:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """Moves norms along `axis` into [min_value, max_value].

    `w * (rate * clip(|w|, min_value, max_value) + (1 - rate) * |w|) / (1e-7 + |w|)`

    Args:
        min_value: the smallest norm.
        max_value: the largest norm.
        rate: how much of the way: 1 goes there at once.
        axis: the axis or axes that make up one weight vector.

    Raises:
        ArgumentError: for a negative bound, or a min_value above max_value.

    Source: `keras.constraints.MinMaxNorm`.

    >>> gpunn.constraints.MinMaxNorm(1.0, 2.0)(gpunn.Tensor([[0.3], [0.4]])).numpy().round(3)
    array([[0.6],
           [0.8]], dtype=float32)
    """

    def __init__(self, min_value=0.0, max_value=1.0, rate=1.0, axis=0):
        check_number("min_value", min_value, low=0)
        check_number("max_value", max_value, low=0)
        check_number("rate", rate)
        if min_value > max_value:
            raise ArgumentError(f"min_value {min_value!r} is above max_value {max_value!r}")
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = checked_axis(axis)

    def __call__(self, w):
        w, norms = with_norms(w, self.axis)
        clipped = ops.clip(norms, self.min_value, self.max_value)
        desired = clipped * self.rate + norms * (1 - self.rate)
        return w * (desired / (norms + EPSILON))

    def get_config(self) -> dict:
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


def with_norms(w, axis):
    """The weight as a tensor, and its norms along the axis, which is kept."""
    w = convert(w)
    axis = tuple(axis) if isinstance(axis, list) else axis
    return w, ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


def checked_axis(axis):
    """An axis, or axes as a list; refuses anything else."""
    axes = list(axis) if isinstance(axis, list | tuple) else [axis]
    if not all(isinstance(a, int) for a in axes):
        raise ArgumentTypeError(f"axis must be an integer or a list of integers, got {axis!r}")
    return axes if isinstance(axis, list | tuple) else axis


max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

REGISTRY = Registry("constraint", Constraint, [MaxNorm, MinMaxNorm, NonNeg, UnitNorm])


def get(identifier):
    """The constraint that a name, config, class or function stands for; None is None.

    Raises:
        ArgumentError: for an unknown name, with the nearest that are known.

    >>> gpunn.constraints.get("max_norm").max_value
    2
    """
    return REGISTRY.get(identifier)


def serialize(constraint) -> dict | str | None:
    """The config of a constraint.

    >>> gpunn.constraints.serialize(gpunn.constraints.UnitNorm(axis=1))["config"]
    {'axis': 1}
    """
    return REGISTRY.serialize(constraint)


def deserialize(config, custom_objects: dict | None = None):
    """The constraint of a config.

    >>> gpunn.constraints.deserialize({"class_name": "UnitNorm", "config": {"axis": 1}}).axis
    1
    """
    return REGISTRY.deserialize(config, custom_objects)


__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]

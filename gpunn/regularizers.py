"""Regularizers: penalties on weights or outputs that are added to the loss."""

from gpunn import ops
from gpunn.checks import check_number
from gpunn.errors import ArgumentError, ShapeError
from gpunn.serialization import Registry


class Regularizer:
    """A function from a tensor to a scalar penalty; derive from it, or give any such function.

    >>> class Largest(gpunn.regularizers.Regularizer):
    ...     def __call__(self, x):
    ...         return gpunn.ops.max(gpunn.ops.absolute(x))
    >>> Largest()(gpunn.Tensor([1.0, -3.0])).item()
    3.0
    """

    def __call__(self, x):
        """The penalty of a tensor."""
        return 0.0

    def get_config(self) -> dict:
        """The arguments that make a regularizer like this one."""
        raise NotImplementedError(f"{type(self).__name__} must define get_config() to be saved")

    @classmethod
    def from_config(cls, config: dict):
        """A regularizer of a config that `get_config` made."""
        return cls(**config)


class L1L2(Regularizer):
    """l1 * sum(|x|) + l2 * sum(x**2)

    Args:
        l1: factor of the absolute values; not negative.
        l2: factor of the squares; not negative.

    Raises:
        ArgumentError: for a negative or infinite factor.

    Source: `keras.regularizers.L1L2`.

    >>> gpunn.regularizers.L1L2(l1=1.0, l2=0.5)(gpunn.Tensor([1.0, -2.0])).item()
    5.5
    """

    def __init__(self, l1=0.0, l2=0.0):
        self.l1 = factor("l1", l1, 0.0)
        self.l2 = factor("l2", l2, 0.0)

    def __call__(self, x):
        if not self.l1:
            return ops.sum(ops.square(x)) * self.l2
        penalty = ops.sum(ops.absolute(x)) * self.l1
        return penalty + ops.sum(ops.square(x)) * self.l2 if self.l2 else penalty

    def get_config(self) -> dict:
        return {"l1": self.l1, "l2": self.l2}


class L1(Regularizer):
    """l1 * sum(|x|)

    Args:
        l1: the factor; not negative.

    Raises:
        ArgumentError: for a negative or infinite factor.

    Source: `keras.regularizers.L1`.

    >>> gpunn.regularizers.L1(0.5)(gpunn.Tensor([1.0, -2.0])).item()
    1.5
    """

    def __init__(self, l1=0.01):
        self.l1 = factor("l1", l1, 0.01)

    def __call__(self, x):
        return ops.sum(ops.absolute(x)) * self.l1

    def get_config(self) -> dict:
        return {"l1": self.l1}


class L2(Regularizer):
    """l2 * sum(x**2)

    Args:
        l2: the factor; not negative.

    Raises:
        ArgumentError: for a negative or infinite factor.

    Source: `keras.regularizers.L2`.

    >>> gpunn.regularizers.L2(0.5)(gpunn.Tensor([1.0, -2.0])).item()
    2.5
    """

    def __init__(self, l2=0.01):
        self.l2 = factor("l2", l2, 0.01)

    def __call__(self, x):
        return ops.sum(ops.square(x)) * self.l2

    def get_config(self) -> dict:
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """factor * the mean |cosine| between different rows (or columns) of a matrix.

    Args:
        factor: not negative.
        mode: "rows" or "columns".

    Raises:
        ArgumentError: for a negative factor or another mode.
        ShapeError: when called on what is not a matrix of at least two rows (or columns).

    Source: `keras.regularizers.OrthogonalRegularizer`.

    >>> gpunn.regularizers.OrthogonalRegularizer(1.0)(gpunn.Tensor([[1.0, 0.0], [2.0, 0.0]])).item()
    1.0
    """

    def __init__(self, factor=0.01, mode="rows"):
        check_number("factor", factor, low=0)
        if mode not in ("rows", "columns"):
            raise ArgumentError(f"mode must be 'rows' or 'columns', got {mode!r}")
        self.factor = float(factor)
        self.mode = mode

    def __call__(self, inputs):
        if len(inputs.shape) != 2:
            raise ShapeError(f"OrthogonalRegularizer takes a matrix, got shape {inputs.shape}")
        along = 1 if self.mode == "rows" else 0
        size = inputs.shape[1 - along]
        if size < 2:
            raise ShapeError(
                f"OrthogonalRegularizer compares at least two {self.mode}, got shape {inputs.shape}"
            )
        unit = ops.normalize(inputs, axis=along)
        turned = ops.transpose(unit)
        product = ops.matmul(unit, turned) if along else ops.matmul(turned, unit)
        others = product * (1.0 - ops.eye(size, dtype=unit.dtype))
        return ops.sum(ops.absolute(others)) * (self.factor / (size * (size - 1)))

    def get_config(self) -> dict:
        return {"factor": self.factor, "mode": self.mode}


def factor(name: str, value, default: float) -> float:
    """A checked factor; None is the default."""
    if value is None:
        return default
    check_number(name, value, low=0)
    return float(value)


l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer

REGISTRY = Registry(
    "regularizer", Regularizer, [L1, L2, L1L2, OrthogonalRegularizer], {"l1_l2": L1L2}
)


def get(identifier):
    """The regularizer that a name, config, class or function stands for; None is None.

    Raises:
        ArgumentError: for an unknown name, with the nearest that are known.

    >>> gpunn.regularizers.get("l2").l2
    0.01
    """
    return REGISTRY.get(identifier)


def serialize(regularizer) -> dict | str | None:
    """The config of a regularizer.

    >>> gpunn.regularizers.serialize(gpunn.regularizers.L1(0.5))["config"]
    {'l1': 0.5}
    """
    return REGISTRY.serialize(regularizer)


def deserialize(config, custom_objects: dict | None = None):
    """The regularizer of a config.

    >>> gpunn.regularizers.deserialize({"class_name": "L1", "config": {"l1": 0.5}}).l1
    0.5
    """
    return REGISTRY.deserialize(config, custom_objects)


__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]

"""Dtype policies: the dtypes a layer computes in and keeps its weights in (Keras: DTypePolicy)."""

from gpunn.backend.dtypes import floatx, standardize
from gpunn.errors import ArgumentError

NAMES = ("float16", "float32", "float64")


class DTypePolicy:
    """A layer's dtypes by name: "float32", "float64" or "float16".

    >>> gpunn.DTypePolicy("float64").compute_dtype
    'float64'
    """

    def __init__(self, name: str | None = None):
        self.name = floatx() if name is None else str(name)
        if self.name not in NAMES:
            raise ArgumentError(f"unknown dtype policy {name!r}: expected one of {NAMES}")
        self.compute_dtype = self.variable_dtype = self.name

    def __repr__(self) -> str:
        return f"<DTypePolicy {self.name!r}>"

    def __eq__(self, other) -> bool:
        return isinstance(other, DTypePolicy) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def get_config(self) -> dict:
        """The arguments that make its like."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict) -> "DTypePolicy":
        """The policy of a config."""
        return cls(**config)


_global: DTypePolicy | None = None


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given none.

    >>> gpunn.dtype_policy().name
    'float32'
    """
    return _global or DTypePolicy()


def set_dtype_policy(policy) -> None:
    """Set the policy of layers made from now on; None goes back to `floatx`.

    >>> gpunn.set_dtype_policy(None)
    """
    global _global
    _global = None if policy is None else get_policy(policy)


def get_policy(identifier) -> DTypePolicy:
    """The policy of a name, dtype, config or policy; None is the global one."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return DTypePolicy.from_config(identifier.get("config", identifier))
    return DTypePolicy(identifier if isinstance(identifier, str) else standardize(identifier).name)

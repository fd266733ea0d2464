"""Dtype policies: the dtypes a layer computes in and keeps its weights in (Keras: DTypePolicy)."""

from gpunn.backend.dtypes import NAMES, bfloat16, floatx, standardize
from gpunn.errors import ArgumentError, ArgumentTypeError

# name: (to compute in, of the weights)
POLICIES = {name: (name, name) for name in NAMES}
POLICIES |= {"mixed_float16": ("float16", "float32"), "mixed_bfloat16": ("bfloat16", "float32")}


class DTypePolicy:
    """The dtypes that a layer computes in and keeps its weights in.

    Args:
        name: a dtype, "float32" or "int32" say: that one for both. "mixed_float16" or
            "mixed_bfloat16": float32 weights, which are cast where they are used; inputs and
            outputs have the half dtype. Default: the global policy's.

    Raises:
        ArgumentError: for another name.
        ArgumentTypeError: if it is no string.
        MissingDependencyError: for bfloat16 without the package ml_dtypes.

    Source: keras.DTypePolicy; Micikevicius et al., 2018, https://arxiv.org/abs/1710.03740

    >>> policy = gpunn.DTypePolicy("mixed_float16")
    >>> policy.compute_dtype, policy.variable_dtype
    ('float16', 'float32')
    """

    quantization_mode = None

    def __init__(self, name: str | None = None):
        self.name: str = dtype_policy().name if name is None else name
        if not isinstance(self.name, str):
            raise ArgumentTypeError(f"the name of a dtype policy must be a string, got {name!r}")
        if self.name not in POLICIES:
            raise ArgumentError(
                f"unknown dtype policy {name!r}: expected one of {', '.join(POLICIES)}"
            )
        self.compute_dtype, self.variable_dtype = POLICIES[self.name]
        if self.compute_dtype == "bfloat16":
            bfloat16()

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'

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

    Source: keras.config.dtype_policy.

    >>> gpunn.dtype_policy().name
    'float32'
    """
    return _global or DTypePolicy(floatx())


def set_dtype_policy(policy) -> None:
    """Set the policy of layers made from now on; None goes back to `floatx`.

    Args:
        policy: a `DTypePolicy`, its name or config, or a dtype.

    Raises:
        ArgumentError: for what is none.

    Source: keras.config.set_dtype_policy.

    >>> gpunn.set_dtype_policy("mixed_float16")
    >>> gpunn.layers.Dense(2)([[1.0, 2.0]]).dtype
    dtype('float16')
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

"""How exactly float32 products are made on a GPU."""

from gpunn.errors import ArgumentError

_precision = "highest"


def set_float32_matmul_precision(precision: str) -> None:
    """Set how exactly a GPU multiplies float32 matrices.

    Args:
        precision: "highest": in float32. "high": GPUs with tensor cores (from sm_80 on) round the
            operands to TF32, 10 bits of mantissa, and sum in float32: several times faster, with
            relative errors of about 1e-3. The CPU always computes in float32.

    Raises:
        ArgumentError: for anything else.

    Source: `torch.set_float32_matmul_precision`.

    >>> gpunn.set_float32_matmul_precision("highest")
    """
    if precision not in ("highest", "high"):
        raise ArgumentError(f"the precision must be 'highest' or 'high', not {precision!r}")
    global _precision
    _precision = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was told; "highest" before.

    >>> gpunn.get_float32_matmul_precision()
    'highest'
    """
    return _precision

"""The kernel registry: faster bodies for an op on one kind of device, and the one place to choose.

Every op has a reference body in `xp` code. A kernel is another body with the same signature and
result, registered for a kind of device and some dtypes. A kernel that does not compile is an error.
"""

from collections.abc import Callable

import numpy as np

from gpunn.errors import ArgumentError

_tables: dict[str, dict[tuple[str, np.dtype], Callable]] = {}
_enabled = True


def table(op: str) -> dict[tuple[str, np.dtype], Callable]:
    """The kernels of an op, by (kind of device, dtype); the dict stays the same as it fills."""
    return _tables.setdefault(op, {})


def kernel(op: str, device: str, dtypes: tuple[str, ...]) -> Callable[[Callable], Callable]:
    """Register a function as the body of an op on a kind of device, for operands of these dtypes.

    Args:
        op: the op's name.
        device: "cpu" or "cuda".
        dtypes: names of the dtypes of the first operand that it takes.
    """
    if device not in ("cpu", "cuda"):
        raise ArgumentError(f"a kernel is for 'cpu' or 'cuda', not {device!r}")

    def register(body: Callable) -> Callable:
        for dtype in dtypes:
            key = (device, np.dtype(dtype))
            if key in table(op):
                raise ArgumentError(f"op {op!r} has a kernel for {device} {dtype} already")
            table(op)[key] = body
        return body

    return register


def choose(op_table: dict, reference: Callable, be, dtype) -> Callable:
    """The kernel for this device and dtype if there is one, else the reference body."""
    if not _enabled:
        return reference
    return op_table.get((be.kind, dtype), reference)


def registered() -> list[tuple[str, str, np.dtype]]:
    """Every (op, kind of device, dtype) that has a kernel."""
    return sorted(
        ((op, kind, dtype) for op, kernels in _tables.items() for kind, dtype in kernels),
        key=str,
    )


class reference_only:
    """Run the reference bodies inside a `with` block: what a kernel is compared with."""

    def __enter__(self) -> None:
        global _enabled
        self._before, _enabled = _enabled, False

    def __exit__(self, *exc) -> None:
        global _enabled
        _enabled = self._before

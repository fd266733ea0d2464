"""The kernel registry: faster bodies for an op on one kind of device, and the one place to choose.

Every op has a reference body in `xp` code. A kernel is another body with the same signature and
result, registered for a kind of device and some dtypes, or what the device makes of the reference
itself where that computes element by element. A kernel that does not compile is an error.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gpunn.backend.dtypes import standardize
from gpunn.errors import ArgumentError, MissingDependencyError

MOST_TERMS = 4  # of a gradient that kernels add up on their way
FLOATS = ("float16", "bfloat16", "float32", "float64")


class Kernel(NamedTuple):
    """A body (None: the reference, fused), and whether it takes such operands and parameters."""

    body: Callable | None
    takes: Callable[..., bool]


LATER = "later"


class Placing:
    """A pullback that can put gradients where leaves keep theirs, which saves a copy.

    Args:
        function: `f(dy, needs, places) -> one gradient per operand`. A place is None, or an array
            of the operand's shape and dtype, which may be filled and returned as its gradient.
        adds: whether it adds up gradients on its way, and is
            `f(dys, needs, places, so_far) -> one gradient per operand`: dys are terms of dy, and
            so_far is None or a gradient of the first operand, to be included in what it returns.
        takes_late: whether dy may be a `Late`.
        gives_late: whether it returns one for its first operand where that operand's place is
            `LATER`, as it is if the pullback that takes it is such a one.
    """

    __slots__ = ("adds", "function", "gives_late", "takes_late")

    def __init__(self, function: Callable, adds=False, takes_late=False, gives_late=False):
        self.function, self.adds = function, adds
        self.takes_late, self.gives_late = takes_late, gives_late

    def __call__(self, dy, needs):
        nowhere = (None,) * len(needs)
        if self.adds:
            return self.function((dy,), needs, nowhere, None)
        return self.function(dy, needs, nowhere)


class Drawn:
    """The pullback of an op that has drawn random numbers, its last operands where it is given any.

    Args:
        function: `f(dy, needs) -> one gradient per operand`.
        numbers: a function that gives what was drawn, a tuple of arrays.
    """

    __slots__ = ("function", "numbers")

    def __init__(self, function: Callable, numbers: Callable):
        self.function, self.numbers = function, numbers

    def __call__(self, dy, needs):
        return self.function(dy, needs)


_tables: dict[str, dict[tuple[str, np.dtype], Kernel]] = {}
_enabled = True
_watcher: Callable | None = None


def set_watcher(watcher: Callable | None) -> None:
    """Let `watcher(reference, kernel, dtype)` give what is run in place of each kernel."""
    global _watcher
    _watcher = watcher


def table(op: str) -> dict[tuple[str, np.dtype], Kernel]:
    """The kernels of an op, by (kind of device, dtype); the dict stays the same as it fills."""
    return _tables.setdefault(op, {})


def _always(*operands, **static) -> bool:
    return True


def kernel(
    op: str,
    device: str,
    dtypes: tuple[str, ...],
    takes: Callable[..., bool] = _always,
    late: bool = False,
):
    """Register a function as the body of an op on a kind of device, for operands of these dtypes.

    Args:
        op: the op's name.
        device: "cpu" or "cuda".
        dtypes: names of the dtypes of the first array operand that it takes.
        takes: given the operands and static parameters, whether the body takes them; what it does
            not take goes to the reference.
        late: whether it takes operands as `Late`.
    """
    if device not in ("cpu", "cuda"):
        raise ArgumentError(f"a kernel is for 'cpu' or 'cuda', not {device!r}")

    def register(body: Callable) -> Callable:
        body.late = late  # type: ignore[attr-defined]
        _add(op, device, dtypes, Kernel(body, takes))
        return body

    return register


def fuse(op: str, dtypes: tuple[str, ...]) -> None:
    """Register that an op computes element by element: a GPU makes one kernel of its reference."""
    _add(op, "cuda", dtypes, Kernel(None, _always))


def _add(op: str, device: str, dtypes: tuple[str, ...], made: Kernel) -> None:
    for dtype in dtypes:
        try:
            key = (device, standardize(dtype))
        except MissingDependencyError:  # without it there are no arrays of it either
            continue
        if key in table(op):
            raise ArgumentError(f"op {op!r} has a kernel for {device} {dtype} already")
        table(op)[key] = made


def choose(op_table: dict, reference: Callable, be, dtype, operands, static) -> Callable:
    """The kernel for this device, dtype and call if there is one, else the reference body."""
    found = op_table.get((be.kind, dtype)) if _enabled else None
    if found is None or not found.takes(*operands, **static):
        return reference
    body = found.body or be.fused(reference)
    return body if _watcher is None else _watcher(reference, body, dtype)


def enabled() -> bool:
    """Whether kernels may take the place of references."""
    return _enabled


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

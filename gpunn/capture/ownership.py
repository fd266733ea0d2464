"""Ownership: a body may change in place only arrays that it made itself."""

import threading

from gpunn.autograd.mode import Observer, observers
from gpunn.capture.recarray import arrays_in
from gpunn.errors import CaptureError


class Ownership(Observer):
    """Watches the primitives of one thread inside a `with` block, by the calls they note.

    Args:
        calls: the list of calls that a recording adds to.
    """

    def __init__(self, calls: list):
        self._calls = calls
        self._start = 0  # the first call of the body at hand
        self._thread = threading.get_ident()

    def __enter__(self):
        observers.append(self)
        return self

    def __exit__(self, *exc):
        observers.remove(self)

    def forward(self, op, be, operands, results) -> None:
        if threading.get_ident() == self._thread:
            self._check(op, {x.storage for x in arrays_in(list(operands))})

    def before_pull(self, node) -> None:
        if threading.get_ident() == self._thread:
            self._start = len(self._calls)

    def after_pull(self, node, dy, dxs) -> None:
        if threading.get_ident() == self._thread:
            self._check(f"the gradient of {node.op}")

    def _check(self, who: str, among=None) -> None:
        """Look through the calls of a body that is done."""
        start, self._start = self._start, len(self._calls)
        for call in self._calls[start:]:
            storage = None if call.out is None else call.out.storage
            if storage is None or storage.kind != "temp" or storage.born >= start:
                continue
            if among is None or storage in among:
                raise CaptureError(f"{who} changes an array in place that it did not make")

"""Anomaly mode: stop at the first NaN or Inf, and say which op and layer made it."""

import zlib
from contextvars import ContextVar

import numpy as np

from gpunn.autograd.backward import saved_arrays
from gpunn.autograd.mode import Observer, observers
from gpunn.backend import backend_of, is_array
from gpunn.backend.dtypes import is_float
from gpunn.errors import AnomalyError, GradientError

# The path of the layer that is being called; kept only while someone observes.
current_layer: ContextVar[str | None] = ContextVar("gpunn_layer", default=None)
_active: ContextVar[int] = ContextVar("gpunn_anomaly", default=0)


class detect_anomaly(Observer):
    """Check every result and gradient inside a `with` block, for this thread or task.

    Raises AnomalyError at the first op, forward or backward, that makes a NaN or Inf of finite
    operands, naming op and layer; OutOfRangeError at the op that met an index out of range on a
    GPU, which else is found out at the next read; and GradientError if an array saved for backward
    was changed behind the engine's back (through its raw NumPy memory). Slow: every result is read
    back.

    >>> with gpunn.autograd.detect_anomaly():
    ...     1 / gpunn.Tensor([0.0])
    Traceback (most recent call last):
    gpunn.errors.AnomalyError: divide made inf at (0,) of finite operands
    """

    def __enter__(self):
        self._token = _active.set(_active.get() + 1)
        self._quiet = np.errstate(all="ignore")
        self._quiet.__enter__()
        observers.append(self)
        return self

    def __exit__(self, *exc):
        observers.remove(self)
        self._quiet.__exit__(*exc)
        _active.reset(self._token)

    def forward(self, op, be, operands, results):
        if not _active.get():
            return
        be.check_indices()
        if not all(map(_finite, operands)):
            return
        for y in results:
            if not _finite(y):
                raise AnomalyError(f"{op}{_where()} made {_first_bad(y)} of finite operands")

    def recorded(self, node):
        if _active.get():
            saved = [(array, _checksum(array)) for array in saved_arrays(node.pull)]
            node.where = (current_layer.get(), saved)

    def before_pull(self, node):
        layer, saved = getattr(node, "where", (None, ()))
        for array, checksum in saved if _active.get() else ():
            if _checksum(array) != checksum:
                raise GradientError(
                    f"an array of shape {array.shape} that {node.op}{_where(layer)} saved for its "
                    "gradient was changed in place since: change a copy, or call backward() first"
                )

    def after_pull(self, node, dy, dxs):
        if not _active.get() or not all(map(_finite, dy if isinstance(dy, tuple) else (dy,))):
            return
        layer = getattr(node, "where", (None, ()))[0]
        for position, dx in enumerate(dxs):
            if not _finite(dx):
                raise AnomalyError(
                    f"the gradient of {node.op}{_where(layer)} by operand {position} is "
                    f"{_first_bad(dx)}"
                )


def _checksum(array) -> int:
    return zlib.crc32(backend_of(array).to_numpy(array).tobytes())


def _finite(array) -> bool:
    if not is_array(array) or not is_float(array.dtype):
        return True
    be = backend_of(array)
    return bool(be.xp.isfinite(array).all())


def _first_bad(array) -> str:
    host = backend_of(array).to_numpy(array)
    at = tuple(int(i) for i in np.argwhere(~np.isfinite(host))[0])
    return f"{host[at]} at {at}"


def _where(layer: str | None = None) -> str:
    layer = layer or current_layer.get()
    return f" in layer {layer!r}" if layer else ""

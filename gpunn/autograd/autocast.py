"""autocast: weights take part in ops in the dtype that their layer computes in."""

from contextlib import contextmanager
from contextvars import ContextVar

from gpunn.autograd.clock import changes_since, last, overlapping
from gpunn.autograd.home import home
from gpunn.autograd.tensor import Tensor
from gpunn.autograd.variable import Variable
from gpunn.backend.dtypes import is_float

# The dtype that weights are used in by the layer whose call is in progress; None: their own.
weights_dtype: ContextVar = ContextVar("gpunn_weights_dtype", default=None)
in_use: list = []  # not empty once there was a scope: ops look for one from then on


class autocast:
    """Inside, ops use variables of floats in a dtype; None: in their own (Keras: AutocastScope).

    >>> from gpunn.autograd.autocast import autocast
    >>> with autocast(np.dtype("float16")):
    ...     gpunn.ops.exp(gpunn.Variable([0.0])).dtype
    dtype('float16')
    """

    def __init__(self, dtype):
        self.dtype = dtype

    def __enter__(self):
        in_use[:] = [True]
        self._token = weights_dtype.set(self.dtype)

    def __exit__(self, *exc):
        weights_dtype.reset(self._token)


class CastWeight(Tensor):
    """A weight in the dtype that an op uses it in: gradients go to the weight itself."""

    __slots__ = ("weight",)
    weight: Variable

    @property
    def leaf(self) -> Tensor:
        """The weight."""
        return self.weight


def cast_weights(operands):
    """The operands of an op, variables in the dtype of the scope."""
    dtype = weights_dtype.get()
    if dtype is None:
        return operands
    return [_cast(x, dtype) if isinstance(x, Variable) and _casts(x) else x for x in operands]


def _casts(v: Variable) -> bool:
    return v.autocast and is_float(v.array.dtype)


def _cast(v: Variable, dtype) -> Tensor:
    if v.node is not None or v.array.dtype == dtype:
        return v.to(dtype)
    together = _together.get()
    array = None if together is None else together.cast(v, dtype)
    x = object.__new__(CastWeight)
    x.array = v.array.astype(dtype) if array is None else array
    x.node = x._grad = None
    x.requires_grad, x.weight = v.requires_grad, v
    return x


class Together:
    """Casts the weights of a call together, where they lie in flat memory, when one is used.

    What is cast is used as long as the call takes; a weight that is changed in it is cast anew.

    Args:
        layer: whose call it is, and whose weights.
    """

    def __init__(self, layer):
        self._layer = layer
        self._pieces: dict[tuple, tuple | None] = {}  # by flat memory and dtype

    def cast(self, v: Variable, dtype):
        """The values of a weight in a dtype; None if it is to be cast by itself."""
        place = home(v)
        if place is None:
            return None
        key = id(place.flat.params), dtype
        if key not in self._pieces:
            self._pieces[key] = self._piece(place.flat.params, dtype)
        piece = self._pieces[key]
        if piece is None:
            return None
        first, values, when = piece
        start = place.start - first
        stop = start + v.array.size
        if start < 0 or stop > values.size:
            return None
        if last() > when and overlapping(v.array, changes_since(when), when):
            return None
        return values[start:stop].reshape(v.array.shape)

    def _piece(self, params, dtype) -> tuple | None:
        """The part of flat memory that the weights lie in: where it starts, cast, and when."""
        found = [home(v) for v in self._layer.weights if _casts(v)]
        spans = [(p.start, p.start + p.span) for p in found if p and p.flat.params is params]
        if not spans:
            return None
        start, stop = min(spans)[0], max(b for _, b in spans)
        if stop - start > 2 * sum(b - a for a, b in spans):  # others' weights for the most part
            return None
        return start, params[start:stop].astype(dtype), last()


_together: ContextVar[Together | None] = ContextVar("gpunn_casts_together", default=None)


@contextmanager
def casting_together(layer):
    """Around a call that no other layer's is around: its weights are cast together."""
    token = _together.set(Together(layer))
    try:
        yield
    finally:
        _together.reset(token)

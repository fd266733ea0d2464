"""The pullbacks of ops on tensors: their bodies run on arrays that stand for tensors.

A body that runs on a backend of such arrays gives a pullback made of ops, whose result has a
gradient again.
"""

import numpy as np

from gpunn.autograd import Tensor, higher, wrap
from gpunn.backend import backend_of
from gpunn.errors import GradientError
from gpunn.ops.traced import Traced, given, has_traced, operand, ops, tensor_of, values


def trace(op, operands, static, results):
    """The pullback of an op on tensors.

    Args:
        op: a primitive.
        operands: tensors, or what it was given beside them.
        static: its parameters.
        results: a list of the tensors that it gave; with a node those that take part in the graph.

    Returns:
        A function from the gradients of the results, and which are needed, to tensors.
    """
    real = backend_of(next(x.array for x in operands if isinstance(x, Tensor)))
    arrays = [_standing_for(x) for x in operands]
    y, pull = op.body(_over(real), *arrays, **static)
    for made, known in zip(y if type(y) is tuple else (y,), results, strict=True):
        # the op's own gradient serves better than that of the steps its body took to the result
        if known.node is not None and type(made) is Traced and not made.views:
            if not _shared(made, arrays):
                made.memory.tensor = known

    def pullback(dy, needs):
        dy = tuple([Traced.of(d) for d in dy]) if type(dy) is tuple else Traced.of(dy)
        return [None if dx is None else tensor_of(dx) for dx in pull(dy, needs)]

    return pullback


higher.trace = trace


def _shared(made, arrays) -> bool:
    return any(type(x) is Traced and x.memory is made.memory for x in arrays)


def _standing_for(x):
    """A tensor with a history as what stands for it; anything else as it is in a body."""
    if not isinstance(x, Tensor):
        return x
    return Traced.of(x) if x.requires_grad else x.array


def _over(real) -> "_Backend":
    """The backend of arrays that stand for tensors, one for each real backend."""
    if "_on_tensors" not in vars(real):
        real._on_tensors = _Backend(real)
    return real._on_tensors


class _Module:
    """numpy or cupy, whose functions take arrays that stand for tensors as well."""

    # results that have no gradient: the functions run on the values
    OF_VALUES = set(
        "argsort argmax argmin argpartition searchsorted digitize nonzero isfinite isnan isinf "
        "isin signbit sign floor ceil trunc rint round any all logical_not logical_and "
        "logical_or".split()
    )
    RENAMED = {"asarray": "convert_to_tensor", "abs": "absolute", "invert": "logical_not"}

    def __init__(self, xp):
        self._xp = xp
        if hasattr(xp, "linalg"):
            self.linalg = _Module(xp.linalg)

    def __getattr__(self, name):
        thing = getattr(self._xp, name)
        if callable(thing) and not isinstance(thing, type):
            thing = self._function(name, thing)
        setattr(self, name, thing)
        return thing

    def _function(self, name, raw):
        op = getattr(ops, self.RENAMED.get(name, name), None)
        count = getattr(raw, "nin", None)

        def function(*args, **options):
            out = options.pop("out", None)
            if count is not None and len(args) > count:
                args, out = args[:count], args[count]
            if name in self.OF_VALUES:
                args = [values(x) for x in args]
            if not has_traced(args):
                y = raw(*args, **options)
            elif op is None:
                raise GradientError(f"there is no op for {raw.__module__}.{name}")
            else:
                y = given(op(*[operand(x) for x in args], **options))
            if out is None:
                return y
            if type(out) is not Traced:
                raise GradientError(f"{name} writes to an array made outside the body")
            out.write(y)
            return out

        return function

    def asarray(self, x, dtype=None):
        if type(x) is Traced:
            return x if dtype is None else x.astype(dtype, copy=False)
        return self._xp.asarray(x, dtype)

    ascontiguousarray = asarray

    def sort(self, x, axis=-1, kind=None):
        if type(x) is not Traced:
            return self._xp.sort(x, axis=axis, kind=kind)
        return Traced.of(ops.sort(x.tensor, axis))

    def broadcast_to(self, x, shape):
        if type(x) is not Traced:
            return self._xp.broadcast_to(x, shape)
        return Traced.of(ops.broadcast_to(x.tensor, shape))


class _Backend:
    """A backend as bodies see it, over the real one of the tensors."""

    array_type = Traced

    def __init__(self, real):
        self.real = real
        self.kind, self.name, self.device = real.kind, real.name, real.device
        self.xp = _Module(real.xp)
        self.maximum, self.minimum = self.xp.maximum, self.xp.minimum
        self.const, self.ones, self.asarray = real.const, real.ones, self.xp.asarray

    def __getattr__(self, name):  # erf, erfinv, lgamma ...: functions of one array
        raw, op = getattr(self.real, name), getattr(ops, name, None)
        if not callable(raw):
            return raw

        def function(x, *more):
            if type(x) is not Traced:
                return raw(x, *more)
            if op is None:
                raise GradientError(f"there is no op for {name}")
            return given(op(x.tensor, *more))

        return function

    def empty(self, shape, dtype):
        return self.zeros(shape, dtype)

    def zeros(self, shape, dtype):
        return Traced.of(wrap(self.real.zeros(shape, dtype)))

    def full(self, shape, value, dtype):
        out = self.zeros(shape, dtype)
        out.write(value)
        return out

    def copy(self, x):
        return Traced.of(tensor_of(x))

    def wrap(self, x):
        return x if type(x) is Traced else self.real.wrap(x)

    def copyto(self, target, source):
        target.write(source)

    def matmul(self, a, b, out=None):
        if not has_traced((a, b)):
            y = self.real.matmul(a, b)
        else:
            y = given(ops.matmul(operand(a), operand(b)))
        if out is None:
            return y
        out.write(y)
        return out

    dot = matmul

    def einsum(self, subscripts, a, b, out):
        out.write(self.xp.einsum(subscripts, a, b))

    def take(self, x, indices, axis=0):
        return x.take(indices, axis) if type(x) is Traced else self.real.take(x, indices, axis)

    def scatter_add(self, target, indices, source):
        source = ops.broadcast_to(tensor_of(source), (*indices.shape, *target.shape[1:]))
        rows = source.reshape((indices.size, *target.shape[1:]))
        at = indices.reshape(-1)
        at = wrap(self.xp.where(at < 0, at + len(target), at))
        target.write(target.tensor + ops.segment_sum(rows, at, num_segments=len(target)))

    def windows(self, x, shape, strides):
        def make(be):
            places = np.arange(x.size).reshape(x.shape)
            steps = [places.itemsize * s // x.itemsize for s in strides]
            return be.xp.asarray(np.lib.stride_tricks.as_strided(places, shape, steps).copy())

        key = ("places", x.shape, x.itemsize, tuple(shape), tuple(strides))
        return x.reshape(-1).take(self.real.const(key, make), 0)

    def look(self, check, x, *more):
        """Nothing: the op has looked."""

    def random_uint32(self, stream, shape):
        raise GradientError("it draws random numbers: let an op of its own draw them")

    uniform = random_uint32

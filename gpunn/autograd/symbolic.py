"""Symbolic tensors: the shape and dtype of values to come, and the calls that will make them."""

from contextlib import suppress
from contextvars import ContextVar
from functools import cache, update_wrapper
from types import FunctionType

import numpy as np

from gpunn.autograd.clock import values_kept
from gpunn.autograd.masked import mask_of, with_mask
from gpunn.autograd.mode import no_grad
from gpunn.autograd.tensor import Tensor, wrap
from gpunn.backend import CPU_BACKEND, backend_of, device
from gpunn.backend.dtypes import name_of, standardize
from gpunn.backend.words import is_words
from gpunn.errors import ArgumentError, ArgumentTypeError, GpunnError
from gpunn.guard import RAW, refuse
from gpunn.naming import auto_name
from gpunn.tree import flatten, map_structure, pack

# What stands for None while a shape is inferred, along the first axis (which is kept short) and
# along others: what differs between two runs is None in the result. So the two are far apart, lest
# a stride, a window or a bound makes one size of both. The second pair is for functions that need
# more, a multiple of something, or one size for all axes.
SMALL, LARGE = ((2, 2), (5, 17)), ((24, 24), (48, 48))


# While a function is run for its shapes: what it is given are zeros and empty words.
_inferring: ContextVar[bool] = ContextVar("gpunn_inferring", default=False)
is_inferring = _inferring.get


class KerasTensor:
    """A tensor without values: what layers and ops are called on to build a graph.

    Args:
        shape: sizes, None for what is not known yet.
        dtype: default: `floatx`.
        name: default: "keras_tensor".

    Source: keras.KerasTensor.

    >>> x = gpunn.Input((3,))
    >>> (x + 1).shape, gpunn.ops.concatenate([x, x], axis=1).shape
    ((None, 3), (None, 6))
    """

    _keras_mask: "KerasTensor | None" = None

    def __init__(self, shape, dtype=None, name: str | None = None):
        if not isinstance(shape, tuple | list):
            raise ArgumentTypeError(f"a shape is a tuple of sizes and None, got {shape!r}")
        self.shape = tuple([None if n is None else _size(n, shape) for n in shape])
        self.dtype = standardize(dtype)
        if is_words(self):
            self.dtype = np.dtype(str)  # words of any length
        self.name = auto_name("keras_tensor") if name is None else name
        self.made_by: Call | None = None
        self.index = 0  # among the outputs of that call

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={name_of(self.dtype)}, name={self.name}>"

    def _has_no_values(self, *args, **kwargs):
        raise ArgumentTypeError(
            f"{self!r} has a shape and a dtype, but no values yet: it can be given to layers and "
            "to gpunn.ops, not to NumPy or to Python's own functions, and not be asked in an `if`; "
            "what needs values goes into the call() of a Layer"
        )

    __array__ = __bool__ = __int__ = __float__ = __index__ = __len__ = _has_no_values
    __iter__ = __setitem__ = __contains__ = numpy = item = _has_no_values


class Call:
    """One call of an operation on symbolic tensors, a node of their graph (Keras: Node).

    Args:
        operation: a layer or an `Operation`; anything that can be called and has a name.
        args, kwargs: of the call.
        outputs: what it gives, symbolic tensors in nested lists, tuples and dicts.
    """

    def __init__(self, operation, args, kwargs, outputs):
        # what was computed of weights is a constant here: how it came about is not run again
        leaves = [
            x.detach() if isinstance(x, Tensor) and not x.is_leaf else x
            for x in flatten((args, kwargs))
        ]
        self.operation = operation
        self.args, self.kwargs = pack((args, kwargs), leaves)  # not the caller's own lists
        self.inputs = [x for x in leaves if isinstance(x, KerasTensor)]
        self.outputs = flatten(outputs)
        self.structure = outputs
        for i, x in enumerate(self.outputs):
            x.made_by, x.index = self, i
        operation._inbound_nodes = [*operation._inbound_nodes, self]


class Operation:
    """A function as a step of a graph, with a name of its own (Keras: Operation)."""

    _inbound_nodes: list | tuple = ()

    def __init__(self, function, name: str | None = None):
        self.function = function
        self.name = auto_name(function.__name__) if name is None else name

    def __call__(self, *args, **kwargs):
        if holds_symbols((args, kwargs)):
            return connect(self, args, kwargs, self.compute_output_spec(*args, **kwargs))
        return self.function(*args, **kwargs)

    def compute_output_spec(self, *args, **kwargs):
        """Symbolic tensors like what the function gives for symbolic arguments."""
        spec = getattr(self.function, "output_spec", None)
        try:
            return spec(*args, **kwargs) if spec else infer(self.function, args, kwargs)
        except GpunnError as e:
            given = [x.shape for x in flatten((args, kwargs)) if isinstance(x, KerasTensor)]
            e.add_note(f"in {self.function.__name__}() of symbolic tensors of shapes {given}")
            raise

    def __getstate__(self) -> dict:
        """What copies take along: not the graphs it is part of."""
        return {"function": self.function, "name": self.name}

    def __repr__(self) -> str:
        return f"<Operation {self.name}>"


def holds_symbols(structure) -> bool:
    """Whether there is a symbolic tensor in nested lists, tuples and dicts."""
    if isinstance(structure, dict):
        structure = structure.values()
    elif not isinstance(structure, list | tuple):
        return type(structure) is KerasTensor
    for x in structure:
        if type(x) is KerasTensor or (type(x) in _NESTED and holds_symbols(x)):
            return True
    return False


_NESTED = {list, tuple, dict}


def connect(operation, args, kwargs, outputs):
    """Note a call of an operation; its outputs, new where they belong to another call.

    One that gives None, such as a layer that only adds a loss, is no part of a graph, as in Keras.
    """
    if outputs is None:
        return None

    def own(x):
        if not isinstance(x, KerasTensor):
            raise ArgumentTypeError(f"{operation.name!r} must return tensors, got {x!r}")
        return x if x.made_by is None else KerasTensor(x.shape, x.dtype)

    outputs = map_structure(own, outputs)
    Call(operation, args, kwargs, outputs)
    return outputs


def call(function, args, kwargs):
    """The symbolic result of a function of tensors, noted as one step of their graph."""
    return Operation(function)(*args, **kwargs)


def infer(function, args, kwargs, be=CPU_BACKEND):
    """Symbolic tensors like what a function gives, found by running it on zeros.

    Args:
        function: of tensors.
        args, kwargs: its arguments, among them symbolic tensors.
        be: the backend to run on, if there is no tensor with values among the arguments.
    """
    leaves = flatten((args, kwargs))
    be = next((backend_of(x.array) for x in leaves if isinstance(x, Tensor)), be)

    def run(size, make, leaves=leaves):
        given = [make(be, x, size) if isinstance(x, KerasTensor) else x for x in leaves]
        args_given, kwargs_given = pack((args, kwargs), given)
        token = _inferring.set(True)
        try:  # a logarithm of zeros is no mistake here
            with device(be.device), no_grad(), values_kept(), np.errstate(all="ignore"):
                return function(*args_given, **kwargs_given)
        finally:
            _inferring.reset(token)

    errors = []
    for sizes, makes in (
        (SMALL, (_zeros, _zeros_and_one)),
        (SMALL, (_zeros, _zeros)),
        (LARGE, (_zeros, _zeros)),
        (SMALL, (_identities, _identities)),
    ):
        try:
            return map_structure(_in_common, *map(run, sizes, makes))
        except GpunnError as e:
            errors.append(e)
    symbols = [x for x in leaves if isinstance(x, KerasTensor)]
    known = {n for x in symbols for n in x.shape if n is not None}
    for sizes in ([(1, 1)], *[[(first, n) for first, _ in SMALL] for n in sorted(known)]):
        with suppress(GpunnError):
            return map_structure(_in_common, *_one_by_one(leaves, run, sizes))
    for n in sorted({x.shape[0] for x in symbols if x.ndim and x.shape[0] is not None}):
        with suppress(GpunnError):  # others come in batches of the size that is known of one
            return map_structure(_in_common, *[run((n, size), _zeros) for _, size in SMALL])
    rows = SMALL[0][0] * (getattr(errors[0], "short", None) or 0)
    if rows > 1 and rows == int(rows):  # a shape that is asked for fits batches of one size alone
        with suppress(GpunnError):
            results = [run((int(rows), others), _zeros) for _, others in SMALL]
            return map_structure(_any_batch, map_structure(_in_common, *results))
    raise errors[0]


def _any_batch(y):
    """A result that was found for one size of batch."""
    return KerasTensor((None, *y.shape[1:]), y.dtype) if isinstance(y, KerasTensor) else y


def _one_by_one(leaves, run, sizes) -> list:
    """Results where an unknown size may meet a known one: with that for all, then one larger.

    The size of a batch is not what it meets. One that can be nothing else is not tried larger.
    """
    results = [run(size, _zeros) for size in sizes]
    for x in leaves:
        for axis in range(x.ndim) if isinstance(x, KerasTensor) else ():
            if x.shape[axis] is None:
                larger = [_sized(y, axis) if y is x else y for y in leaves]
                with suppress(GpunnError):
                    results.append(run(sizes[0], _zeros, larger))
    return results


def _sized(x: KerasTensor, axis: int) -> KerasTensor:
    """Like x, with a size in place of an unknown one."""
    y = KerasTensor([LARGE[0][0] if i == axis else n for i, n in enumerate(x.shape)], x.dtype)
    if x._keras_mask is not None:
        y._keras_mask = _sized(x._keras_mask, axis)
    return y


def _zeros(be, x: KerasTensor, size) -> Tensor:
    first, others = size
    shape = [(others if i else first) if n is None else n for i, n in enumerate(x.shape)]
    be = CPU_BACKEND if is_words(x) else be
    zeros = wrap(be.zeros(shape, x.dtype))
    return zeros if x._keras_mask is None else with_mask(zeros, _zeros(be, x._keras_mask, size))


def _zeros_and_one(be, x: KerasTensor, size) -> Tensor:
    """Other values than zeros, for results whose size is made by values, such as `nonzero`."""
    zeros = _zeros(be, x, size)
    if zeros.size:
        zeros.array.reshape(-1)[:1] = 1
    return zeros


def _identities(be, x: KerasTensor, size: int) -> Tensor:
    """Matrices that are regular and positive definite, for what takes no zeros."""
    zeros = _zeros(be, x, size)
    if zeros.ndim < 2:
        return zeros
    return with_mask(
        wrap(zeros.array + be.xp.eye(*zeros.shape[-2:], dtype=x.dtype)), mask_of(zeros)
    )


def _in_common(a, *others):
    if not isinstance(a, Tensor):
        return a
    sizes = zip(a.shape, *[b.shape for b in others], strict=True)
    y = KerasTensor([n if all(m == n for m in more) else None for n, *more in sizes], a.dtype)
    if mask_of(a) is not None:
        y._keras_mask = _in_common(mask_of(a), *[mask_of(b) for b in others])
    return y


@cache
def symbolic_too(function):
    """The function, of which a call on symbolic tensors is noted as one step of their graph.

    Primitives know symbolic tensors by themselves; this is for what is composed of them.
    """
    if hasattr(function, "body"):
        return function

    def op(*args, **kwargs):
        for x in args:
            if type(x) is KerasTensor or (type(x) in _NESTED and holds_symbols(x)):
                return call(op, args, kwargs)
        for x in kwargs.values():
            if type(x) is KerasTensor or (type(x) in _NESTED and holds_symbols(x)):
                return call(op, args, kwargs)
        try:
            return function(*args, **kwargs)
        except RAW as e:
            refuse(e, function.__name__, function, args, kwargs)

    return update_wrapper(op, function)


def make_symbolic_too(names: dict, but=()) -> None:
    """Put `symbolic_too` of each public function of a module in its place.

    Args:
        names: the module's globals, with `__all__`.
        but: names of functions that stay as they are.
    """
    for name in names["__all__"]:
        function = names[name]
        if isinstance(function, FunctionType) and name not in but:
            wrapped = names[name] = symbolic_too(function)
            if wrapped is not function:
                wrapped.__module__ = names["__name__"]  # where pickle finds it


def _size(n, shape) -> int:
    if isinstance(n, bool) or not hasattr(n, "__index__") or n < 0:
        raise ArgumentError(f"a shape holds sizes and None, got {tuple(shape)}")
    return int(n)

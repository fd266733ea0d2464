"""Python's operators and NumPy's methods on tensors: each is a function of this package."""

from functools import wraps

from gpunn.autograd import KerasTensor, Tensor
from gpunn.autograd.symbolic import symbolic_too
from gpunn.errors import ArgumentTypeError
from gpunn.ops import (
    arithmetic,
    comparison,
    core,
    cumulative,
    extrema,
    indexing,
    logic,
    magnitude,
    products,
    reduction,
    repeating,
    rounding,
    shaping,
    sorting,
    statistics,
    traced,
)


def _give(name: str, function, made=lambda function: function) -> None:
    """Make `made(function)` a method of tensors, and of symbolic ones."""
    setattr(Tensor, name, made(function))
    setattr(KerasTensor, name, made(symbolic_too(function)))


def _swapped(function):
    """The operator of a tensor on the right: `2 - x` is `x.__rsub__(2)`."""

    def operator(self, other):
        return function(other, self)

    return operator


def _reducing(function):
    """A reduction; NumPy's own functions, such as `np.mean(x)`, name all that it can be given."""

    @wraps(function)
    def method(self, *args, **options):
        for name, default in (("dtype", None), ("out", None), ("ddof", 0)):
            if name in options and options[name] == default:
                del options[name]
        return function(self, *args, **options)

    return method


def _compared(function, otherwise):
    """A comparison, but with None and strings, to which a tensor is never equal."""

    def operator(self, other):
        if other is None or isinstance(other, str):
            return otherwise
        return function(self, other)

    return operator


for name, function in {
    "add": arithmetic.add,
    "sub": arithmetic.subtract,
    "mul": arithmetic.multiply,
    "truediv": arithmetic.divide,
    "floordiv": arithmetic.floor_divide,
    "mod": arithmetic.mod,
    "pow": arithmetic.power,
    "matmul": products.matmul,
    "and": logic.bitwise_and,
    "or": logic.bitwise_or,
    "xor": logic.bitwise_xor,
    "lshift": logic.bitwise_left_shift,
    "rshift": logic.bitwise_right_shift,
}.items():
    _give(f"__{name}__", function)
    _give(f"__r{name}__", function, _swapped)

for name, function in {
    "neg": arithmetic.negative,
    "abs": magnitude.absolute,
    "invert": logic.bitwise_invert,
    "lt": comparison.less,
    "le": comparison.less_equal,
    "gt": comparison.greater,
    "ge": comparison.greater_equal,
    "getitem": indexing.get_item,
}.items():
    _give(f"__{name}__", function)

# Symbolic tensors are equal to themselves alone.
setattr(Tensor, "__eq__", _compared(comparison.equal, False))  # noqa: B010 - for mypy
_give("__ne__", comparison.not_equal, lambda function: _compared(function, True))

for module, names in {
    reduction: "sum mean prod",
    extrema: "max min any all",
    statistics: "var std",
}.items():
    for name in names.split():
        _give(name, getattr(module, name), _reducing)

for module, names in {
    extrema: "ptp argmax argmin",
    cumulative: "cumsum cumprod",
    magnitude: "clip",
    rounding: "round",
    products: "dot",
    shaping: "copy flatten ravel squeeze swapaxes",
    indexing: "take nonzero",
    repeating: "repeat",
    sorting: "sort argsort",
}.items():
    for name in names.split():
        _give(name, getattr(module, name))


def reshape(self, *newshape):
    """`gpunn.ops.reshape`; the shape may be given as separate numbers."""
    return shaping.reshape(self, newshape[0] if len(newshape) == 1 else newshape)


def transpose(self, *axes):
    """`gpunn.ops.transpose`; the axes may be given as separate numbers."""
    if len(axes) == 1 and not isinstance(axes[0], int):
        axes = axes[0]
    return shaping.transpose(self, axes or None)


def _ufunc(self, ufunc, method, *inputs, out=None, **options):
    """NumPy's functions of numbers, such as `np.exp(x)` and `array * x`: the ops of their names.

    With `out`, as in `array += x`, they are NumPy's own, of the values.
    """
    name = _NAMES.get(ufunc.__name__, ufunc.__name__)
    if method == "__call__" and out is None and hasattr(traced.ops, name):
        return getattr(traced.ops, name)(*inputs, **options)
    if method != "__call__":
        name += "." + method
    elif out is not None and not any(isinstance(x, KerasTensor) for x in (*inputs, *out)):
        if not any(isinstance(x, Tensor) for x in out):
            arrays = [x.array if isinstance(x, Tensor) else x for x in inputs]
            return ufunc(*arrays, out=out, **options)
    raise ArgumentTypeError(
        f"np.{name} of a tensor is no op, so no gradient could flow through it: use gpunn.ops, "
        f"or NumPy on the values, x.numpy(){'' if out is None else '; a tensor cannot be `out`'}"
    )


_NAMES = {"invert": "bitwise_invert", "remainder": "mod"}  # NumPy's: gpunn's, where they differ


class _OfTheClass:
    """NumPy asks the class for `__array_ufunc__`.

    CuPy asks the tensor, and leaves operators to what has None: else `array * x` would be CuPy's.
    """

    def __get__(self, tensor, cls):
        return _ufunc if tensor is None else None


_give("astype", core.cast)
_give("__round__", rounding.round)

for name, thing in {
    "reshape": reshape,
    "transpose": transpose,
    "T": property(shaping.transpose, doc="The tensor with its axes in reverse order."),
    "__pos__": lambda self: self,
    "__array_ufunc__": _OfTheClass(),
}.items():
    setattr(Tensor, name, thing)
    setattr(KerasTensor, name, thing)

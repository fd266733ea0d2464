"""Python's operators and NumPy's methods on `Tensor`: each is a function of this package."""

from gpunn.autograd import Tensor
from gpunn.ops import (
    arithmetic,
    comparison,
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
)


def _swapped(function):
    """The operator of a tensor on the right: `2 - x` is `x.__rsub__(2)`."""

    def operator(self, other):
        return function(other, self)

    return operator


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
    setattr(Tensor, f"__{name}__", function)
    setattr(Tensor, f"__r{name}__", _swapped(function))

for name, function in {
    "neg": arithmetic.negative,
    "abs": magnitude.absolute,
    "invert": logic.bitwise_invert,
    "lt": comparison.less,
    "le": comparison.less_equal,
    "gt": comparison.greater,
    "ge": comparison.greater_equal,
    "eq": _compared(comparison.equal, False),
    "ne": _compared(comparison.not_equal, True),
    "getitem": indexing.get_item,
}.items():
    setattr(Tensor, f"__{name}__", function)

for module, names in {
    reduction: "sum mean prod",
    extrema: "max min ptp any all argmax argmin",
    statistics: "var std",
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
        setattr(Tensor, name, getattr(module, name))


def reshape(self, *newshape):
    """`gpunn.ops.reshape`; the shape may be given as separate numbers."""
    return shaping.reshape(self, newshape[0] if len(newshape) == 1 else newshape)


def transpose(self, *axes):
    """`gpunn.ops.transpose`; the axes may be given as separate numbers."""
    if len(axes) == 1 and not isinstance(axes[0], int):
        axes = axes[0]
    return shaping.transpose(self, axes or None)


def astype(self, dtype):
    """The tensor in another dtype; its gradient is cast back."""
    return self.to(dtype)


for name, thing in {
    "reshape": reshape,
    "transpose": transpose,
    "astype": astype,
    "T": property(shaping.transpose, doc="The tensor with its axes in reverse order."),
    "__pos__": lambda self: self,
    "__round__": rounding.round,
    "__array_priority__": 1000,  # what libraries older than `__array_ufunc__` ask
}.items():
    setattr(Tensor, name, thing)

"""Gradients of functions: `grad` and `value_and_grad`."""

from functools import wraps

from gpunn.autograd.backward import backward
from gpunn.autograd.mode import enable_grad
from gpunn.autograd.tensor import Tensor, convert, seed_gradient, wrap
from gpunn.backend import backend_of
from gpunn.backend.dtypes import is_float
from gpunn.errors import DTypeError, GradientError, ShapeError


def value_and_grad(function, argnums=0):
    """A function that returns both `function`'s value and its gradient.

    Args:
        function: takes tensors and returns a tensor of one element.
        argnums: the position, or a tuple of positions, of the arguments to differentiate by.

    Returns:
        A function giving (value, gradient); the gradient is a tuple if `argnums` is one. No `.grad`
        of any tensor is touched.

    Raises:
        DTypeError: if such an argument is not of floats.
        ShapeError: if the value has more than one element.

    >>> gpunn.value_and_grad(lambda x: x * x)(3.0)
    (Tensor(9.0, shape=(), dtype=float32), Tensor(6.0, shape=(), dtype=float32))
    """
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @wraps(function)
    def evaluate(*args, **kwargs):
        args = list(args)
        leaves = []
        for i in positions:
            leaf = convert(args[i]).detach()
            if not is_float(leaf.dtype):
                raise DTypeError(f"argument {i} has dtype {leaf.dtype}: only floats have gradients")
            leaves.append(leaf.requires_grad_())
            args[i] = leaf
        with enable_grad():
            value = function(*args, **kwargs)
        if not isinstance(value, Tensor) or value.size != 1:
            got = f"shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__
            raise ShapeError(f"grad needs a function that gives one number, got {got}")
        sink: dict = {}
        if value.requires_grad:
            backward(value.node or value, seed_gradient(value, None), sink=sink)
        grads = tuple(_gradient(leaf, sink) for leaf in leaves)
        return value.detach(), grads[0] if isinstance(argnums, int) else grads

    return evaluate


def grad(function, argnums=0):
    """A function that returns the gradient of `function`, a function giving one number.

    See `value_and_grad` for the arguments and errors.

    >>> gpunn.grad(lambda x: (x * x).sum())([1.0, 2.0]).numpy()
    array([2., 4.], dtype=float32)
    """
    both = value_and_grad(function, argnums)

    @wraps(function)
    def evaluate(*args, **kwargs):
        return both(*args, **kwargs)[1]

    return evaluate


def gradients(y: Tensor, variables, grad=None) -> list[Tensor | None]:
    """The gradients of y by each variable, None where y does not depend on it.

    No `.grad` is touched; the graph is used up.

    Args:
        y: a tensor that requires a gradient.
        variables: leaf tensors.
        grad: dL/dy; default: ones, for a y of one element.

    >>> w = gpunn.Variable([3.0])
    >>> gpunn.autograd.gradients((w * w).sum(), [w])[0].numpy()
    array([6.], dtype=float32)
    """
    if not y.requires_grad:
        raise GradientError("gradients of a tensor that depends on nothing that requires one")
    sink: dict = {}
    backward(y.node or y, seed_gradient(y, grad), sink=sink)
    return [wrap(sink[v]) if v in sink else None for v in variables]


def _gradient(leaf: Tensor, sink: dict) -> Tensor:
    dx = sink.get(leaf)
    return wrap(backend_of(leaf.array).zeros(leaf.shape, leaf.dtype) if dx is None else dx)

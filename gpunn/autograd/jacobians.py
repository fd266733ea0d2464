"""Derivatives beyond the gradient: `jvp`, `hvp`, `jacobian`, `hessian`."""

from functools import wraps

from gpunn.autograd.backward import backward
from gpunn.autograd.functional import as_sources, grad, gradients, pair_of, source_of
from gpunn.autograd.mode import enable_grad
from gpunn.autograd.tensor import Tensor, convert, wrap
from gpunn.backend import backend_of
from gpunn.checks import as_integers, check_callable
from gpunn.errors import ShapeError


def jacobian(function, argnums=0):
    """A function that returns the derivatives of every result of `function` by every argument.

        J[i, j] = d y_i / d x_j

    Each result takes a walk back of its own.

    Args:
        function: takes tensors and returns a tensor.
        argnums: the position, or a tuple of positions, of the arguments to differentiate by.

    Returns:
        A function giving a tensor of shape (*y.shape, *x.shape), or a tuple if `argnums` is one.

    Raises:
        DTypeError: if such an argument is not of floats.

    Source: `jax.jacobian`.

    >>> gpunn.jacobian(lambda x: x * x)([1.0, 2.0]).numpy()
    array([[2., 0.],
           [0., 4.]], dtype=float32)
    """
    check_callable("function", function)
    positions = as_integers("argnums", argnums)

    @wraps(function)
    def evaluate(*args, **kwargs):
        args, sources = as_sources(args, positions)
        with enable_grad():
            y = _tensor(function(*args, **kwargs))
        be = backend_of(y.array)
        wanted = {source_of(x) for x in sources}
        found = [be.zeros((y.size, *x.shape), x.dtype) for x in sources]
        for i in range(y.size if y.requires_grad else 0):
            dy = be.zeros((y.size,), y.dtype)
            dy[i] = 1
            sink: dict = {}
            backward(y.node or y, dy.reshape(y.shape), True, sink, wanted)
            for rows, x in zip(found, sources, strict=True):
                if source_of(x) in sink:
                    be.copyto(rows[i], sink[source_of(x)])
        result = tuple(
            wrap(rows.reshape(y.shape + x.shape)) for rows, x in zip(found, sources, strict=True)
        )
        return result[0] if isinstance(argnums, int) else result

    return evaluate


def hessian(function, argnums=0):
    """A function that returns the second derivatives of `function`, a function giving one number.

        H[i, j] = d^2 y / d x_i d x_j

    Args:
        function: takes tensors and returns a tensor of one element.
        argnums: the position of the argument to differentiate by.

    Returns:
        A function giving a tensor of shape (*x.shape, *x.shape).

    Raises:
        GradientError: if an op has no second derivative, with its name.

    Source: `jax.hessian`.

    >>> gpunn.hessian(lambda x: x[0] * x[1] * x[1])([1.0, 2.0]).numpy()
    array([[0., 4.],
           [4., 2.]], dtype=float32)
    """
    return jacobian(grad(function, argnums, create_graph=True), argnums)


def jvp(fun, primals, tangents, has_aux=False):
    """The value of a function, and how it changes along a direction: J v.

    By two walks back: the gradient for a result's gradient u is linear in u, and J v is the
    derivative of (gradient . v) by u.

    Args:
        fun: takes tensors and returns a tensor; or a pair of one and anything else.
        primals: the arguments, in a tuple or list.
        tangents: the direction v: one tensor for each argument, of its shape.
        has_aux: whether `fun` returns such a pair. Default: False.

    Returns:
        (value, J v), or (value, J v, the rest) with `has_aux`.

    Raises:
        ShapeError: if the tangents do not fit the arguments.
        ArgumentTypeError: if `fun` returns anything else.
        GradientError: if an op has no second derivative, with its name.

    Source: `keras.ops.jvp`, `jax.jvp`.

    >>> gpunn.jvp(lambda x: x * x, ([1.0, 2.0],), ([1.0, 10.0],))[1].numpy()
    array([ 2., 40.], dtype=float32)
    """
    args, sources = as_sources(primals, range(len(primals)))
    tangents = _directions("jvp", sources, tangents)
    with enable_grad():
        y = fun(*args)
        y, *rest = pair_of(y) if has_aux else (y,)
        y = _tensor(y)
        u = wrap(backend_of(y.array).zeros(y.shape, y.dtype)).requires_grad_()
        dxs = gradients(y, sources, u, create_graph=True) if y.requires_grad else []
        moved = _along(dxs, tangents)
    dy = None
    if moved is not None and moved.requires_grad:
        (dy,) = gradients(moved, [u])
    return y.detach(), u.detach() if dy is None else dy, *rest


def hvp(function, primals, tangents):
    """The product of a function's second derivatives and a direction, H v, without making H.

    Args:
        function: takes tensors and returns a tensor of one element.
        primals: the arguments, in a tuple or list.
        tangents: the direction v: one tensor for each argument, of its shape.

    Returns:
        A tuple with one tensor for each argument.

    Raises:
        ShapeError: if the tangents do not fit the arguments, or the value has more elements.
        GradientError: if an op has no second derivative, with its name.

    Source: `torch.autograd.functional.hvp`.

    >>> gpunn.hvp(lambda x: (x * x * x).sum(), ([1.0, 2.0],), ([1.0, 1.0],))[0].numpy()
    array([ 6., 12.], dtype=float32)
    """
    _, sources = as_sources(primals, range(len(primals)))
    tangents = _directions("hvp", sources, tangents)

    def along(*args):
        return _along(grad(function, tuple(range(len(args))), create_graph=True)(*args), tangents)

    return grad(along, tuple(range(len(sources))), create_graph=False)(*primals)


def _tensor(y) -> Tensor:
    if not isinstance(y, Tensor):
        raise ShapeError(f"expected a function that gives a tensor, got {type(y).__name__}")
    return y


def _directions(op: str, sources, tangents) -> list[Tensor]:
    tangents = list(tangents)
    if len(tangents) != len(sources):
        raise ShapeError(f"{op}: {len(sources)} arguments and {len(tangents)} tangents")
    found = []
    for x, v in zip(sources, tangents, strict=True):
        v = convert(v, x.dtype, x.device)
        if v.shape != x.shape:
            raise ShapeError(f"{op}: a tangent of shape {v.shape} for an argument of {x.shape}")
        found.append(v)
    return found


def _along(dxs, tangents) -> Tensor | None:
    """The sum of the products of gradients and directions."""
    terms = [(dx * v).sum() for dx, v in zip(dxs, tangents, strict=False) if dx is not None]
    return sum(terms[1:], terms[0]) if terms else None

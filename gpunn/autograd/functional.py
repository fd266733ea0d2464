"""Gradients of functions and of results: `grad`, `value_and_grad`, `gradients`."""

from functools import partial, wraps

from gpunn.autograd.backward import backward, release, topological
from gpunn.autograd.higher import differentiate, seed
from gpunn.autograd.mode import enable_grad, is_grad_enabled
from gpunn.autograd.node import Node
from gpunn.autograd.tensor import Tensor, convert, derive, seed_gradient, wrap
from gpunn.backend import backend_of
from gpunn.backend.dtypes import is_float
from gpunn.checks import as_integers, check_callable
from gpunn.errors import ArgumentError, ArgumentTypeError, DTypeError, GradientError, ShapeError
from gpunn.tree import flatten, map_structure


def value_and_grad(function, argnums=0, create_graph=None, has_aux=False):
    """A function that returns both `function`'s value and its gradient.

    Args:
        function: takes tensors and returns a tensor of one element.
        argnums: the position, or a tuple of positions, of the arguments to differentiate by: each
            a tensor, or tensors nested in lists, tuples and dicts, whose gradients are nested so.
        create_graph: whether value and gradient can be differentiated in their turn. Default: None,
            if they depend on anything else that requires a gradient: on an argument that does, as
            inside another `grad`, or on the weights of a model.
        has_aux: whether `function` returns a pair: the value, and anything else. Default: False.

    Returns:
        A function giving (value, gradient), or ((value, the rest), gradient) with `has_aux`; the
        gradient is a tuple if `argnums` is one. No `.grad` of any tensor is touched.

    Raises:
        DTypeError: if such an argument is not of floats.
        ShapeError: if the value has more than one element.
        ArgumentError: if a call has no such argument.
        ArgumentTypeError: with `has_aux`, if `function` gives no pair.
        GradientError: with `create_graph`, if an op has no second derivative.

    Source: `jax.value_and_grad`.

    >>> gpunn.value_and_grad(lambda x: x * x)(3.0)
    (Tensor(9.0, shape=(), dtype=float32), Tensor(6.0, shape=(), dtype=float32))
    >>> gpunn.value_and_grad(lambda w: w["a"] * w["b"])({"a": np.float32(2), "b": np.float32(5)})[1]
    {'a': Tensor(5.0, shape=(), dtype=float32), 'b': Tensor(2.0, shape=(), dtype=float32)}
    """
    check_callable("function", function)
    positions = as_integers("argnums", argnums)

    @wraps(function)
    def evaluate(*args, **kwargs):
        args = list(args)
        if any(not -len(args) <= i < len(args) for i in positions):
            raise ArgumentError(f"argnums {argnums} of a call with {len(args)} arguments")
        for i in positions:
            as_source = partial(_as_source, i)
            nested = _is_nested(args[i])
            args[i] = map_structure(as_source, args[i]) if nested else as_source(args[i])
        sources = tuple(args[i] for i in positions)
        with enable_grad():
            value = function(*args, **kwargs)
        value, rest = pair_of(value) if has_aux else (value, None)
        if not isinstance(value, Tensor) or value.size != 1:
            got = f"shape {value.shape}" if isinstance(value, Tensor) else type(value).__name__
            raise ShapeError(f"grad needs a function that gives one number, got {got}")
        sink: dict = {}
        again = create_graph
        if value.requires_grad:
            root, dy = value.node or value, seed_gradient(value, None)
            wanted = {source_of(x) for x in flatten(sources)}
            more = is_grad_enabled() and _depends_on_more(root, wanted)
            again = more if again is None else again
            if again:
                differentiate(root, wrap(dy), wanted, sink)
            else:
                backward(root, dy, more, sink, wanted)
                sink = {source: wrap(dx) for source, dx in sink.items()}
        grads = map_structure(lambda x: _or_zeros(sink.get(source_of(x)), x), sources)
        if not again:
            value, rest = map_structure(_detached, (value, rest))
        value = (value, rest) if has_aux else value
        return value, grads[0] if isinstance(argnums, int) else grads

    return evaluate


def grad(function, argnums=0, create_graph=None, has_aux=False):
    """A function that returns the gradient of `function`, a function giving one number.

    See `value_and_grad` for the arguments and errors; with `has_aux` it returns a pair, the
    gradient and the rest.

    Source: `jax.grad`.

    >>> gpunn.grad(lambda x: (x * x).sum())([1.0, 2.0]).numpy()
    array([2., 4.], dtype=float32)
    >>> gpunn.grad(gpunn.grad(lambda x: x * x * x))(2.0).item()
    12.0
    """
    both = value_and_grad(function, argnums, create_graph, has_aux)

    @wraps(function)
    def evaluate(*args, **kwargs):
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return evaluate


def gradients(y: Tensor, variables, grad=None, create_graph=False, retain_graph=None):
    """The gradients of y by each variable, None where y does not depend on it.

    No `.grad` is touched; the graph is used up unless it is retained.

    Args:
        y: a tensor that requires a gradient.
        variables: tensors: leaves, or results on the way to y.
        grad: dL/dy; default: ones, for a y of one element.
        create_graph: whether the gradients shall have gradients in their turn. Default: False.
        retain_graph: whether y can be differentiated again. Default: as `create_graph`.

    Returns:
        A list of tensors.

    Raises:
        GradientError: if y requires no gradient, if the graph was used up, and with `create_graph`
            if an op on the way has no second derivative, with the op's name.

    Source: `torch.autograd.grad`.

    >>> w = gpunn.Variable([3.0])
    >>> gpunn.gradients((w * w).sum(), [w])[0].numpy()
    array([6.], dtype=float32)
    >>> (dw,) = gpunn.gradients((w * w * w).sum(), [w], create_graph=True)
    >>> gpunn.gradients(dw.sum(), [w])[0].numpy()
    array([18.], dtype=float32)
    """
    if not y.requires_grad:
        raise GradientError("gradients of a tensor that depends on nothing that requires one")
    sources = [source_of(v) for v in variables]
    root = y.node or y
    sink: dict = {}
    if create_graph:
        differentiate(root, seed(y, grad), set(sources), sink)
        if retain_graph is False:
            release(root)
        return [sink.get(v) for v in sources]
    backward(root, seed_gradient(y, grad), bool(retain_graph), sink, set(sources))
    return [wrap(sink[v]) if v in sink else None for v in sources]


def as_sources(args, positions) -> tuple[list, list[Tensor]]:
    """The arguments with those at `positions` as tensors to differentiate by, and these."""
    args = list(args)
    for i in positions:
        args[i] = _as_source(i, args[i])
    return args, [args[i] for i in positions]


def _as_source(i: int, x) -> Tensor:
    """A tensor of (part of) argument i, to differentiate by."""
    x = convert(x)
    if not is_float(x.dtype):
        raise DTypeError(f"argument {i} has dtype {x.dtype}: only floats have gradients")
    if x.requires_grad and is_grad_enabled():
        return derive(x, x.array, "argument", lambda dy, needs: (dy,))
    return x.detach().requires_grad_()


def _is_nested(x) -> bool:
    """Whether an argument is several tensors, and no list of numbers that is one."""
    if isinstance(x, dict):
        return True
    return isinstance(x, list | tuple) and any(hasattr(leaf, "shape") for leaf in flatten(x))


def pair_of(result) -> tuple:
    """What a function with `has_aux` has given: the value, and the rest."""
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise ArgumentTypeError(
            f"with has_aux the function must give a pair, got {type(result).__name__}"
        )
    return tuple(result)


def _detached(x):
    return x.detach() if isinstance(x, Tensor) else x


def source_of(x: Tensor):
    """What stands for a tensor in the graph: its node, or itself."""
    return x.node or x


def _depends_on_more(root, wanted: set) -> bool:
    """Whether a graph has leaves beside those that are wanted."""
    order = topological(root) if type(root) is Node else []
    leaves = (p for node in order for p in node.parents if p is not None and type(p) is not Node)
    return any(leaf not in wanted for leaf in leaves)


def _or_zeros(dx: Tensor | None, x: Tensor) -> Tensor:
    return wrap(backend_of(x.array).zeros(x.shape, x.dtype)) if dx is None else dx

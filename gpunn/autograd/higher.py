"""Gradients that can be differentiated themselves: `create_graph=True`.

The graph is walked as `backward` walks it, but with tensors in place of raw arrays. A node keeps
what its op was called with, so the values are computed again, from the leaves on; then the body of
each op is run on arrays that stand for its operands (`ops/tracing.py`), which gives a pullback that
is itself made of ops. So no op is written twice, and a first derivative costs what it did.
"""

from collections.abc import Callable
from typing import Any

from gpunn.autograd import tensor
from gpunn.autograd.backward import leading_to, stretched_axes, topological
from gpunn.autograd.clock import changes_since, overlapping
from gpunn.autograd.mode import enable_grad, no_grad
from gpunn.autograd.node import Node, Pick
from gpunn.autograd.tensor import Tensor, convert, seed_gradient, wrap
from gpunn.backend import Stream, backend_of
from gpunn.backend.kernels import Drawn
from gpunn.errors import CaptureError, GpunnError, GradientError

# ops/tracing.py puts it here: (op, operands, static, results) -> the pullback on tensors
trace: Any = None
own_traces: dict[str, Callable] = {}


def own_trace(op: str):
    """Register `f(op, operands, static, results) -> pullback` as what makes an op's pullback.

    For an op whose body had better not run on arrays that stand for tensors.
    """

    def register(function: Callable) -> Callable:
        own_traces[op] = function
        return function

    return register


def differentiate(root, dy, wanted: set | None, sink: dict, ends: dict | None = None) -> None:
    """Put the gradients of `root` into `sink`, as tensors with a history.

    Args:
        root: a Node, or a leaf tensor.
        dy: the gradient of the root, a tensor of its shape.
        wanted: the nodes and leaves whose gradients the sink shall have; None: all leaves.
        sink: what to fill.
        ends: nodes that count as leaves, each with its tensor.
    """
    ends = ends or {}
    if type(root) is not Node:
        sink[root] = dy
        return
    order = topological(root, ends)
    _refuse_changed(order)
    operands, results = _values(order, ends)
    towards = None if wanted is None else leading_to(wanted, order)
    grads = {root: dy}
    with enable_grad():
        for node in order:
            dy = grads.pop(node, None)
            if dy is None:
                continue
            if wanted is not None and node in wanted:
                sink[node] = dy
            needs = [p is not None and (towards is None or p in towards) for p in node.parents]
            if type(node.pull) is Pick:
                main = node.parents[0]
                grads.setdefault(main, [None] * len(main.shape))[node.pull.index] = dy
            elif any(needs):
                dxs = _pull(node, operands[node], results[node], dy, tuple(needs))
                for parent, dx, needed in zip(node.parents, dxs, needs, strict=True):
                    if needed and dx is not None:
                        into = grads if type(parent) is Node and parent not in ends else sink
                        dx = _fitted(dx, parent)
                        into[parent] = into[parent] + dx if parent in into else dx


def seed(y: Tensor, grad) -> Tensor:
    """The gradient that a walk from y starts with, as a tensor with its history."""
    if grad is None:
        return wrap(seed_gradient(y, None))
    dy = convert(grad, y.dtype, y.device)
    seed_gradient(y, dy)  # raises unless it fits
    return dy


def backward_with_graph(y: Tensor, grad) -> None:
    """Add the gradients of y to `.grad` of its leaves, with their history."""
    sink: dict = {}
    differentiate(y.node or y, seed(y, grad), None, sink)
    for leaf, dx in sink.items():
        with enable_grad():
            total = dx if leaf.grad is None else leaf.grad + dx
        leaf._grad = backend_of(total.array).copy(total.array)
        leaf._grad_history = (total.node, leaf._grad)


tensor.backward_with_graph = backward_with_graph


def _values(order, ends: dict) -> tuple[dict, dict]:
    """For every node the operands and the results as tensors, with the nodes that they have."""
    operands: dict = {}
    results: dict = dict(ends)
    for node in reversed(order):
        if type(node.pull) is Pick:
            several = results[node.parents[0]]
            several[node.pull.index] = results[node] = _with_node(
                several[node.pull.index].array, node
            )
            continue
        function, held, static = node.recipe
        if type(node.pull) is Drawn:
            numbers = [wrap(x) for x in node.pull.numbers()]
            held = [*held[: -len(numbers)], *numbers]
        elif any(type(v) is Stream for v in static.values()) and static.get("rate", 1):
            raise _without(node, "it draws random numbers: let an op of its own draw them")
        operands[node] = xs = [
            x if p is None else results[p] if type(p) is Node else p if x is None else p.to(x)
            for p, x in zip(node.parents, held, strict=True)
        ]
        with no_grad():
            y = function(*xs, **_once_more(static))
        results[node] = list(y) if type(y) is tuple else _with_node(y.array, node)
    return operands, results


def _once_more(static: dict) -> dict:
    """An op's static parameters without what it does beside its result, which is done already."""
    return {**static, "update": None} if "update" in static else static


def _with_node(array, node) -> Tensor:
    y = wrap(array)
    y.node, y.requires_grad = node, True
    return y


def _pull(node, operands, results, dy, needs):
    """The gradients of a node's operands, as tensors."""
    function, _, static = node.recipe
    make = own_traces.get(node.op, trace)
    if make is trace and not hasattr(function, "body"):  # a cast or a copy
        return node.pull(dy, needs)
    several = type(results) is list
    if several:
        dy = tuple([y * 0 if d is None else d for d, y in zip(dy, results, strict=True)])
    known = results if several else [results]
    try:
        return make(function, operands, _once_more(static), known)(dy, needs)
    except CaptureError:
        raise
    except Exception as e:
        raise _without(node, str(e) if isinstance(e, GpunnError) else repr(e)) from e


def _without(node, why: str) -> GradientError:
    return GradientError(
        f"no second derivative of {node.op}, whose gradient cannot be differentiated ({why}): "
        "compute this part without create_graph, or of other ops"
    )


def _fitted(dx, x):
    """A gradient as one of a node or leaf: summed over what was broadcast, in its dtype."""
    if dx.shape != x.shape:
        axes = stretched_axes(dx.shape, x.shape)
        dx = (dx.sum(axes) if axes else dx).reshape(x.shape)
    return dx if dx.dtype == x.dtype else dx.to(x.dtype)


def _refuse_changed(order) -> None:
    """Raise if an operand from outside the graph was changed since: the op gave something else."""
    changes = changes_since(order[-1].id)
    for node in order if changes else ():
        if type(node.pull) is Pick:
            continue
        for parent, x in zip(node.parents, node.recipe[1], strict=True):
            x = x if parent is None else parent
            if isinstance(x, Tensor) and overlapping(x.array, changes, node.id):
                raise GradientError(
                    f"an operand of {node.op} was changed in place after the op ran: ask for "
                    "gradients with create_graph=True first, or change a clone()"
                )

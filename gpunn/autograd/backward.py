"""The chain rule: one iterative walk over the graph, newest op first. It knows no op.

The walk, without what makes it quick:

    grads = {root: dy}
    for node in topological(root):  # all ops that use a result come before the op that made it
        dxs = node.pull(grads.pop(node), node.needs)
        for parent, dx in zip(node.parents, dxs):
            grads[parent] = grads.get(parent, 0) + unbroadcast(dx, parent.shape, node)

where the gradient of a leaf goes into its `.grad` instead. `backward` below also adds in place
where a sum is its own, frees each node once it is done with it, and lets pullbacks that are a
`Placing` write gradients where leaves keep them, or add up the terms of their gradient themselves.
"""

from collections.abc import Container
from operator import attrgetter

import numpy as np

from gpunn.autograd.clock import changes_since, last, overlapping
from gpunn.autograd.mode import observers
from gpunn.autograd.node import Node, Pick
from gpunn.backend import BY_TYPE, backend_of, is_array
from gpunn.backend.kernels import LATER, MOST_TERMS, Placing
from gpunn.backend.late import Late, made
from gpunn.errors import GradientError, ShapeError

_by_id = attrgetter("id")


class Terms(tuple):
    """A gradient as arrays that are still to be added: the pullback that gets it does so."""

    __slots__ = ()


def backward(
    root,
    dy,
    retain_graph: bool = False,
    sink: dict | None = None,
    wanted: set | None = None,
    ends: Container = (),
) -> None:
    """Send the gradient `dy` of `root` back to every leaf it was computed of.

    Args:
        root: a Node, or a leaf tensor.
        dy: a raw array of the root's shape.
        retain_graph: keep the graph for another walk; else its buffers are freed on the way.
        sink: a dict to sum the leaves' gradients in, instead of their `.grad`.
        wanted: the nodes and leaves whose gradients the sink shall have; default: all leaves.
        ends: nodes that count as leaves: nothing before them is looked at.
    """
    if type(root) is not Node:
        _deliver(root, dy, sink)
        return
    order = topological(root, ends)
    if last() > order[-1].id:
        _refuse_changed(order)
    towards = None if wanted is None else leading_to(wanted, order)
    grads = {root: dy}
    owned = set()  # nodes whose gradient is a sum this walk made itself, and may add to in place
    for node in order:
        dy = grads.pop(node, None)
        if dy is None:
            continue
        if node.retained is not None and (tensor := node.retained()) is not None:
            tensor.accumulate(dy)
        if wanted is not None and sink is not None and node in wanted:
            sink[node] = _copy(dy)
        pull, parents, needs = node.pull, node.parents, node.needs
        if towards is not None:  # nothing is computed for leaves that nobody asked about
            parents = [p if p in towards else None for p in parents]
            needs = tuple([p is not None for p in parents])
        if type(pull) is Pick:  # one of several results: the op's own node collects them
            main = node.parents[0]
            grads.setdefault(main, [None] * len(main.shape))[pull.index] = dy
        else:
            if type(dy) is list:
                dy = _complete(dy, node)
            if observers:
                _tell("before_pull", node)
            if type(pull) is Placing:
                dxs = _placed(pull, dy, needs, parents, grads, sink, ends, wanted)
            else:
                dxs = pull(dy, needs)
            if type(dxs) is not tuple or len(dxs) != len(parents):
                raise _miscounted(dxs, node)
            if observers:
                _tell("after_pull", node, dy, dxs)
            for parent, dx in zip(parents, dxs):
                if parent is None or dx is None:
                    continue
                if type(dx) not in BY_TYPE and type(dx) is not Late:
                    dx = _array(dx, node)
                if dx.shape != parent.shape:  # the operand was broadcast, or dx is a stack of terms
                    if _adds_terms(parent, wanted, ends) and _are_terms(dx, parent):
                        grads[parent] = Terms((*_terms(grads.get(parent)), *dx))
                        continue
                    dx = unbroadcast(dx, parent.shape, node)
                is_leaf = type(parent) is not Node or (ends and parent in ends)
                if dx.dtype is not parent.dtype and dx.dtype != parent.dtype:
                    if not (is_leaf and sink is None):  # a leaf casts as it copies
                        dx = dx.astype(parent.dtype)
                if is_leaf:
                    _deliver(parent, dx, sink)
                elif parent not in grads:
                    grads[parent] = dx
                elif _adds_terms(parent, wanted, ends):
                    grads[parent] = Terms((*_terms(grads[parent]), dx))
                else:
                    _add(grads, parent, dx, owned)
        if not retain_graph:
            node.pull = _freed
            node.recipe = None
            if type(pull) is not Pick:
                node.parents = ()


def topological(root: Node, ends: Container = ()) -> list[Node]:
    """Every node the root depends on, up to `ends`, after all that depend on it: by falling id."""
    seen = {root}
    stack = [root]
    while stack:
        node = stack.pop()
        if node.pull is _freed:
            _freed(None, None)
        for parent in node.parents:
            if type(parent) is Node and parent not in seen and parent not in ends:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=_by_id, reverse=True)


def leading_to(wanted: set, order: list[Node]) -> set:
    """What is wanted, and every node of the graph `order` that depends on some of it."""
    found = set(wanted)
    for node in reversed(order):
        if not found.isdisjoint(node.parents):
            found.add(node)
    return found


def release(root) -> None:
    """Free the buffers of a graph, as a backward that does not retain it."""
    for node in topological(root) if type(root) is Node else ():
        node.pull, node.recipe, node.parents = _freed, None, ()


def _tell(event: str, *args) -> None:
    """Call a method of all observers, such as anomaly mode."""
    for observer in list(observers):
        getattr(observer, event)(*args)


def _freed(dy, needs):
    raise GradientError(
        "this graph was used up by an earlier backward(), which frees its buffers: call "
        "backward(retain_graph=True) the first time, or compute the result again"
    )


def _placed(pull: Placing, dy, needs, parents, grads, sink, ends: Container, wanted):
    """The gradients of a pullback that is told where leaves keep theirs, and writes them there.

    It is told as well if the gradient of its first operand may be made later.
    """
    elsewhere = sink is not None
    places = [None if elsewhere or type(p) is Node else _place(p, parents) for p in parents]
    x, so_far = parents[0], None
    if not pull.adds:
        if pull.gives_late and x not in grads and _leaves_to(x, wanted, ends) and not observers:
            places[0] = LATER if x.pull.takes_late else None
        return pull.function(dy, needs, places)
    dys = dy if type(dy) is Terms else (dy,)
    if type(x) is Node and x not in ends and type(grads.get(x)) in BY_TYPE:
        so_far = grads.pop(x)
    return pull.function(dys, needs, places, so_far)


def _place(parent, parents):
    """Where a leaf that has no gradient yet keeps it; None for one that comes twice."""
    if parent is None or parent._grad is not None:
        return None
    twice = sum(other is parent for other in parents) > 1
    return None if twice else getattr(parent, "_grad_slot", None)


def _deliver(leaf, dx, sink: dict | None) -> None:
    """Add to a leaf's gradient, never keeping an array that may be somebody else's."""
    if sink is None:
        leaf.accumulate(dx)
    elif leaf in sink:
        sink[leaf] += dx
    else:
        sink[leaf] = _copy(dx)


def _copy(dx):
    """A copy of an array, or of the scalar that NumPy's sum of two 0-d arrays is."""
    return np.array(dx) if isinstance(dx, np.generic) else backend_of(dx).copy(dx)


def _add(grads: dict, node: Node, dx, owned: set) -> None:
    """Add to the gradient of a node; its first term may be an array of a pullback, which stays."""
    if node in owned:
        grads[node] += dx
    else:
        grads[node] = made(grads[node]) + dx
        owned.add(node)


def _adds_terms(parent, wanted: set | None, ends: Container) -> bool:
    """Whether the pullback of `parent` adds up terms itself, and nobody else wants their sum."""
    return _leaves_to(parent, wanted, ends) and parent.pull.adds


def _leaves_to(parent, wanted: set | None, ends: Container) -> bool:
    """Whether nobody but the pullback of `parent`, a `Placing`, wants the gradient of `parent`."""
    if type(parent) is not Node or type(parent.pull) is not Placing:
        return False
    asked = parent.retained is not None or (wanted is not None and parent in wanted)
    return not asked and parent not in ends


def _are_terms(dx, parent) -> bool:
    """Whether dx is a stack of a few gradients of the parent's shape, which are to be added."""
    alike = dx.shape[1:] == parent.shape and dx.dtype == parent.dtype
    return alike and 0 < len(dx) <= MOST_TERMS


def _terms(dy) -> tuple:
    """A gradient as the terms it is the sum of: itself, if it is no sum that waits; None: none."""
    return dy if type(dy) is Terms else () if dy is None else (dy,)


def _complete(dys: list, node: Node) -> tuple:
    """The gradients of an op's several results, zeros for those that were not used."""
    be = backend_of(next(dy for dy in dys if dy is not None))
    return tuple(
        be.zeros(shape, dtype) if dy is None else dy
        for dy, shape, dtype in zip(dys, node.shape, node.dtype, strict=True)
    )


def unbroadcast(dx, shape: tuple[int, ...], node: Node):
    """The gradient of an operand of `shape` that was broadcast: summed over what was stretched."""
    stretched = stretched_axes(dx.shape, shape)
    out = dx
    if dx.ndim >= len(shape) and stretched:
        half = dx.dtype.itemsize == 2  # sums of these are made in float32
        out = dx.sum(axis=stretched, dtype="float32" if half else None).reshape(shape)
    if out.shape != shape:
        raise ShapeError(
            f"the pullback of {node.op} gave a gradient of shape {dx.shape} for an operand of "
            f"shape {shape}"
        )
    return out


def stretched_axes(broadcast: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of a broadcast shape that one of its operands' shapes lacks, or has with size 1."""
    extra = len(broadcast) - len(shape)
    return tuple(
        i for i, n in enumerate(broadcast) if i < extra or (shape[i - extra] == 1 and n != 1)
    )


def _array(dx, node: Node):
    """A gradient that is not of the usual array type: a NumPy scalar is what 0-d results are."""
    if hasattr(dx, "dtype") and hasattr(dx, "item") and not hasattr(dx, "requires_grad"):
        return dx if is_array(dx) else np.asarray(dx)
    raise GradientError(
        f"the pullback of {node.op} gave a {type(dx).__name__} as a gradient: expected an array, "
        "or None for an operand whose gradient is not wanted"
    )


def _miscounted(dxs, node: Node) -> GradientError:
    given = f"{len(dxs)} gradients" if isinstance(dxs, tuple | list) else type(dxs).__name__
    return GradientError(
        f"the pullback of {node.op} gave {given}: expected a tuple of {len(node.parents)}, one "
        "gradient per operand (None for one that is not wanted)"
    )


def _refuse_changed(order: list[Node]) -> None:
    """Raise if an array that a pullback saved was changed in place after its op ran."""
    changes = changes_since(order[-1].id)
    latest = max(tick for _, tick in changes)
    for node in order:
        if node.id > latest:
            continue
        for array in saved_arrays(node.pull):
            if overlapping(array, changes, node.id):
                raise GradientError(
                    f"an array of shape {array.shape} that {node.op} saved for its gradient was "
                    "changed in place after the op ran: call backward() first, or change a clone()"
                )


def saved_arrays(function, depth: int = 2) -> list:
    """The arrays a pullback holds in its closure."""
    found = []
    function = function.function if type(function) is Placing else function
    for cell in getattr(function, "__closure__", None) or ():
        try:
            value = cell.cell_contents
        except ValueError:  # a name the body never bound
            continue
        for v in value if isinstance(value, tuple | list) else (value,):
            if is_array(v):
                found.append(v)
            elif depth and callable(v):
                found.extend(saved_arrays(v, depth - 1))
    return found

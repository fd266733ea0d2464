"""Recomputation: results whose intermediate values are made again in backward, not kept."""

from contextlib import contextmanager
from contextvars import copy_context
from functools import wraps

from gpunn.autograd.backward import backward, topological
from gpunn.autograd.clock import changed, tick
from gpunn.autograd.higher import differentiate, own_trace
from gpunn.autograd.mode import enable_grad, is_grad_enabled, no_grad
from gpunn.autograd.node import Node, Pick
from gpunn.autograd.tensor import Tensor, derive, wrap
from gpunn.backend import backend_of
from gpunn.backend.random import drawn
from gpunn.errors import ArgumentTypeError
from gpunn.tree import flatten, pack


def checkpoint(function, *args, **kwargs):
    """`function(*args, **kwargs)`, of which nothing but the arguments is kept for the gradient.

    In backward the function is run once more: memory for time. It draws the same random numbers
    again, and what it changes in place (moving statistics) is put back after that; what else it
    does beside its result it does twice. What it hands to `add_loss` gets no gradient.

    Args:
        function: takes and returns tensors, or nested lists, tuples and dicts of them. The weights
            that it uses get their gradients as ever.
        *args, **kwargs: its arguments.

    Returns:
        What the function returns.

    Raises:
        ArgumentTypeError: if there is no function.

    Source: `torch.utils.checkpoint.checkpoint`; Chen et al., 2016, https://arxiv.org/abs/1604.06174

    >>> x = gpunn.Tensor([1.0, 2.0], requires_grad=True)
    >>> gpunn.checkpoint(lambda x: gpunn.ops.exp(x) * x, x).sum().backward()
    >>> x.grad.numpy().round(3)
    array([ 5.437, 22.167], dtype=float32)
    """
    if not callable(function):
        raise ArgumentTypeError(f"checkpoint: expected a function or a layer, got {function!r}")
    if not is_grad_enabled():
        return function(*args, **kwargs)
    return _Part(function, args, kwargs).first_run()


def remat(function):
    """The function with `checkpoint` around every call: its values are made again in backward.

    Args:
        function: a function of tensors, a layer, or a layer's method.

    Returns:
        A function of the same arguments.

    Source: `keras.remat`.

    >>> block = gpunn.remat(lambda x: gpunn.ops.tanh(x) * x)
    >>> gpunn.grad(lambda x: block(x).sum())([0.0, 1.0]).numpy().round(3)
    array([0.   , 1.182], dtype=float32)
    """

    @wraps(function, updated=())
    def checkpointed(*args, **kwargs):
        return checkpoint(function, *args, **kwargs)

    return checkpointed


class _Part:
    """One call of a function, which can be done again."""

    def __init__(self, function, args, kwargs):
        self.function = function
        given = flatten((args, kwargs))
        self.places = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
        self.given = [given[i] for i in self.places]
        self.arguments = pack(
            (args, kwargs), [x.detach() if i in self.places else x for i, x in enumerate(given)]
        )
        self.context = copy_context()  # whether in training, on which device ...
        self.before: tuple[dict, dict] = ({}, {})

    def first_run(self):
        """The outputs, and what doing it again takes."""
        started, leaves = tick(), self._leaves()
        given, self.given = self.given, None
        with _kept(*self.before), enable_grad():
            structure = self._call(leaves)
        outputs = flatten(structure)
        self.tracked = [i for i, y in enumerate(outputs) if isinstance(y, Tensor) and y.node]
        # what the results depend on beside the arguments: weights, and what was computed before
        sources = [x.node or x for x in given]
        self.parents = sources + self._outside(outputs, started, set(leaves))
        results = self._recorded([outputs[i] for i in self.tracked])
        for i, y in zip(self.tracked, results, strict=True):
            outputs[i] = y
        itself = dict(zip(leaves, given, strict=True))  # an argument that is a result as well
        return pack(structure, [itself.get(y, y) if type(y) is Tensor else y for y in outputs])

    def _leaves(self) -> list[Tensor]:
        given = flatten(self.arguments)
        return [given[i].detach().requires_grad_() for i in self.places]

    def _call(self, tensors):
        given = flatten(self.arguments)
        for i, x in zip(self.places, tensors, strict=True):
            given[i] = x
        args, kwargs = pack(self.arguments, given)
        return self.function(*args, **kwargs)

    def _outside(self, outputs, started: int, leaves: set) -> list:
        """The leaves and the older nodes that a graph made since `started` begins with."""
        found: dict = {}
        older = _Older(started)
        for i in self.tracked:
            for node in topological(outputs[i].node, older):
                for p in node.parents:
                    if p is not None and p not in leaves and (type(p) is not Node or p in older):
                        found[p] = None
        return list(found)

    def _recorded(self, ys) -> list[Tensor]:
        """The results without their graphs, with the nodes of this part."""
        if not ys:
            return []
        parents, needs = tuple(self.parents), (True,) * len(self.parents)
        shapes, dtypes = tuple(y.shape for y in ys), tuple(y.dtype for y in ys)
        recipe = (self._again, [None] * len(parents), {})
        main = Node(tick(), "checkpoint", self._pull, parents, needs, shapes, dtypes, recipe)
        results = []
        for i, y in enumerate(ys):
            t = wrap(y.array)
            t.node = Node(tick(), "checkpoint", Pick(i), (main,), (True,), y.shape, y.dtype)
            t.requires_grad = True
            results.append(t)
        return results

    def _again(self, *operands):
        """The results, as they were, of the arguments and of what else stands for the parents."""
        outputs = self.context.copy().run(
            self._as_before, is_grad_enabled(), operands[: len(self.places)]
        )
        return tuple([outputs[i] for i in self.tracked])

    def _as_before(self, with_graph: bool, operands) -> list:
        with _set_back(*self.before), enable_grad() if with_graph else no_grad():
            return flatten(self._call(operands))

    def _pull(self, dys, needs):
        leaves = self._leaves()
        with enable_grad():
            root = _joined(self._again(*leaves))
        sink: dict = {}
        backward(root, tuple(dys), False, sink, None, set(self.parents))
        sources = [*leaves, *self.parents[len(leaves) :]]
        return tuple([sink.get(source) for source in sources])


@own_trace("checkpoint")
def _on_tensors(again, operands, static, results):
    """The pullback of a part on tensors: its function is run on them once more."""
    part = again.__self__

    def pullback(dys, needs):
        count = len(part.places)
        xs = [derive(x, x.array, "argument", lambda dy, needs: (dy,)) for x in operands[:count]]
        sources = [x.node for x in xs] + part.parents[count:]
        ends = dict(zip(sources, [*xs, *operands[count:]], strict=True))
        sink: dict = {}
        root = _joined(part._again(*xs))
        differentiate(root, dys, None, sink, {k: v for k, v in ends.items() if type(k) is Node})
        return [sink.get(source) for source in sources]

    return pullback


class _Older:
    """The nodes that were there before a tick of the clock."""

    def __init__(self, started: int):
        self.started = started

    def __contains__(self, node) -> bool:
        return node.id < self.started


def _joined(ys) -> Node:
    """A node whose gradient is the tuple of those of several results."""
    parents = tuple([y.node for y in ys])
    shapes, dtypes = tuple(y.shape for y in ys), tuple(y.dtype for y in ys)
    recipe = (lambda *ys: ys, [None] * len(ys), {})
    return Node(
        tick(), "join", lambda dys, needs: dys, parents, (True,) * len(ys), shapes, dtypes, recipe
    )


@contextmanager
def _kept(arrays: dict, streams: dict):
    """Keep what every array that is changed in place inside, and every random stream, was."""
    outer = changed.get(), drawn.get()
    tokens = changed.set(arrays), drawn.set(streams)
    try:
        yield
    finally:
        changed.reset(tokens[0])
        drawn.reset(tokens[1])
        for inner, around in zip((arrays, streams), outer, strict=True):
            if around is not None:
                around.update({**inner, **around})


@contextmanager
def _set_back(arrays: dict, streams: dict):
    """Arrays and streams as they were before the first run, and as they are now after it."""
    now = [(array, backend_of(array).copy(array)) for array, _ in arrays.values()]
    positions = [(stream, stream.position) for stream in streams]
    for array, before in arrays.values():
        backend_of(array).copyto(array, before)
    for stream, before in streams.items():
        stream.position = before
    tokens = changed.set(None), drawn.set(None)
    try:
        yield
    finally:
        changed.reset(tokens[0])
        drawn.reset(tokens[1])
        for array, value in now:
            backend_of(array).copyto(array, value)
        for stream, position in positions:
            stream.position = position

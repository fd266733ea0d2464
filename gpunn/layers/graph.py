"""Graph: the calls that lead from symbolic inputs to symbolic outputs, to be run on tensors."""

from gpunn import tree
from gpunn.autograd import KerasTensor
from gpunn.autograd.symbolic import Call, Operation
from gpunn.errors import ArgumentError, ArgumentTypeError
from gpunn.layers.input import InputLayer
from gpunn.layers.layer import Layer

NOTHING: dict = {}  # the keywords of most calls


class Graph:
    """A network of layers and ops.

    Args:
        inputs, outputs: symbolic tensors in nested lists, tuples and dicts.
        model: name of the model, for errors.

    Raises:
        ArgumentTypeError: if something is no symbolic tensor.
        ArgumentError: if an output does not depend on the inputs alone, naming the layer.
    """

    def __init__(self, inputs, outputs, model: str):
        for what, structure in (("input", inputs), ("output", outputs)):
            _require_symbolic(what, structure, model)
        self.calls, ranks = _calls_between(tree.flatten(inputs), tree.flatten(outputs), model)
        if any(not is_input(x) for x in tree.flatten(inputs)):
            inputs, outputs = replayed(self.calls, inputs, outputs)
            self.calls, ranks = _calls_between(tree.flatten(inputs), tree.flatten(outputs), model)
        self.inputs, self.outputs = inputs, outputs
        _require_names(ranks, model)
        self._compile(ranks)

    def _compile(self, ranks: dict) -> None:
        """Number the tensors, and say for each call which of them it takes, makes and is last of.

        Args:
            ranks: the order of operations of equal depth.
        """
        inputs, outputs = tree.flatten(self.inputs), tree.flatten(self.outputs)
        self.depths, self.operations = _by_depth(self.calls, ranks)
        made = [x for call in self.calls for x in call.outputs]
        self.tensors = list({id(x): x for x in [*inputs, *made]}.values())
        slot = {id(x): i for i, x in enumerate(self.tensors)}
        calls = [call for call in self.calls if call.inputs]
        last = {id(x): n for n, call in enumerate(calls) for x in (*call.outputs, *call.inputs)}
        kept = {id(x) for x in outputs}
        self._given = [slot[id(x)] for x in inputs]
        self._wanted = [slot[id(x)] for x in outputs]
        self._steps = []
        for n, call in enumerate(calls):
            made = [slot[id(x)] for x in call.outputs]
            ended = {id(x) for x in (*call.outputs, *call.inputs) if last[id(x)] == n} - kept
            target = made[0] if isinstance(call.structure, KerasTensor) else made
            free = [slot[i] for i in ended]
            self._steps.append((call.operation, _filler(call, slot), target, free))

    @property
    def layers(self) -> list[Layer]:
        """The layers among the operations."""
        return [x for x in self.operations if isinstance(x, Layer)]

    @property
    def ops(self) -> list[Operation]:
        """The functions among the operations."""
        return [x for x in self.operations if isinstance(x, Operation)]

    def run(self, inputs: list, way=None):
        """The outputs for a list of inputs, nested as the symbolic ones are.

        Args:
            inputs: tensors, in the order of the flat inputs.
            way: what to do with an operation instead of calling it; gives a function.
        """
        values: list = [None] * len(self.tensors)
        for i, x in zip(self._given, inputs, strict=True):
            values[i] = x
        for operation, fill, made, free in self._steps:
            args, kwargs = fill(values)
            y = (operation if way is None else way(operation))(*args, **kwargs)
            if type(made) is int:
                values[made] = y
            else:
                for i, leaf in zip(made, tree.flatten(y), strict=True):
                    values[i] = leaf
            for i in free:
                values[i] = None
        return tree.pack(self.outputs, [values[i] for i in self._wanted])

    def is_chain(self) -> bool:
        """Whether each call takes what the one before makes, and no layer is called twice."""
        calls = [call for call in self.calls if call.inputs]
        return (
            len(tree.flatten(self.inputs)) == 1
            and len({call.operation for call in calls}) == len(calls)
            and len(set(self.depths.values())) == len(self.depths)
            and all(len(call.inputs) == 1 for call in calls)
        )

    # --- copies ---

    def __getstate__(self) -> dict:
        """Numbers instead of tensors: a graph of many layers is too deep to be walked by pickle."""
        numbers = {id(x): _Number(i) for i, x in enumerate(self.tensors)}

        def numbered(structure):
            return tree.map_structure(lambda x: numbers.get(id(x), x), structure)

        return {
            "inputs": numbered(self.inputs),
            "outputs": numbered(self.outputs),
            "operations": self.operations,
            "tensors": [(x.shape, x.dtype, x.name) for x in self.tensors],
            "calls": [
                (c.operation, numbered((c.args, c.kwargs)), numbered(c.structure))
                for c in self.calls
            ],
        }

    def __setstate__(self, state: dict) -> None:
        tensors = [KerasTensor(*described) for described in state["tensors"]]
        for operation, _, made in state["calls"]:
            if isinstance(operation, InputLayer):
                tensors[made] = operation.output

        def symbolic(structure):
            return tree.map_structure(lambda x: tensors[x] if type(x) is _Number else x, structure)

        self.inputs, self.outputs = symbolic(state["inputs"]), symbolic(state["outputs"])
        self.calls = []
        for operation, given, made in state["calls"]:
            if isinstance(operation, InputLayer):
                self.calls.append(operation.output.made_by)
            else:
                args, kwargs = symbolic(given)
                self.calls.append(Call(operation, args, kwargs, symbolic(made)))
        self._compile({operation: i for i, operation in enumerate(state["operations"])})


def is_input(x: KerasTensor) -> bool:
    """Whether a symbolic tensor is that of an Input."""
    return x.made_by is not None and not x.made_by.inputs


def replayed(calls: list[Call], inputs, outputs) -> tuple:
    """The same calls on new symbolic tensors that begin with Inputs; as (inputs, outputs)."""
    new = {
        id(x): x if is_input(x) else InputLayer(input_tensor=x).output for x in tree.flatten(inputs)
    }

    def in_place(structure):
        return tree.map_structure(lambda x: new.get(id(x), x), structure)

    for call in calls:
        if call.inputs:
            args, kwargs = in_place((call.args, call.kwargs))
            made = tree.map_structure(lambda x: KerasTensor(x.shape, x.dtype), call.structure)
            Call(call.operation, args, kwargs, made)
            given = {id(x): y for x, y in zip(call.outputs, tree.flatten(made), strict=True)}
            new = {**given, **new}
    return in_place(inputs), in_place(outputs)


class _Number(int):
    """The number of a tensor in its place."""


def _filler(call: Call, slot: dict):
    """A function from the values of all tensors to the arguments of a call."""
    leaves = tree.flatten((call.args, call.kwargs))
    places = [(n, slot[id(x)]) for n, x in enumerate(leaves) if isinstance(x, KerasTensor)]
    if len(call.args) == 1 and not call.kwargs and len(places) == len(leaves):
        at = [i for _, i in places]
        if isinstance(call.args[0], KerasTensor):
            return lambda values: ((values[at[0]],), NOTHING)
        if call.args[0] == leaves:
            return lambda values: (([values[i] for i in at],), NOTHING)
    return Filler(leaves, places, (call.args, call.kwargs))


class Filler:
    """Arguments of a call, among them constants; called with the values of all tensors."""

    def __init__(self, leaves: list, places: list, structure: tuple):
        self.leaves = leaves
        self.places = places
        self.structure = structure

    def __call__(self, values):
        given = self.leaves.copy()
        for n, i in self.places:
            given[n] = values[i]
        return tree.pack(self.structure, given)


def _calls_between(inputs: list, outputs: list, model: str) -> tuple[list[Call], dict]:
    """The calls from inputs to outputs, each after those it depends on, with those of the Inputs.

    Returns:
        The calls, and their operations with numbers in the order in which Keras finds them.
    """
    given = {id(x) for x in inputs}
    seen: set[Call] = set()
    ranks: dict = {}
    order: list[Call] = []
    for output in outputs:
        waiting: list[Call] = []  # for those they depend on
        stack = [iter([output])]
        while stack:
            x = next(stack[-1], None)
            if x is None:
                stack.pop()
                if waiting:
                    order.append(waiting.pop())
                continue
            call = x.made_by
            if id(x) in given and (call is None or call.inputs):
                continue
            if call is None or (not call.inputs and id(x) not in given):
                raise _disconnected(x, waiting, inputs, model)
            if call not in seen:
                seen.add(call)
                ranks.setdefault(call.operation, len(ranks))
                waiting.append(call)
                stack.append(iter(call.inputs))
    for x in inputs:
        call = x.made_by
        if call is not None and not call.inputs and call not in seen:
            order.append(call)
            ranks[call.operation] = -1
    return order, ranks


def _by_depth(calls: list[Call], ranks: dict) -> tuple[dict, list]:
    """How far each call is from the outputs, and the operations in Keras' order, deepest first.

    It is the order of `layers`, and so of the weights.
    """
    depths: dict = dict.fromkeys(calls, 0)
    of_operation: dict = {}
    for call in reversed(calls):
        depth = max(depths[call], of_operation.get(call.operation, 0))
        depths[call] = of_operation[call.operation] = depth
        for x in call.inputs:
            if x.made_by in depths:
                depths[x.made_by] = max(depth + 1, depths[x.made_by])
    return depths, sorted(of_operation, key=lambda o: (-of_operation[o], ranks[o]))


def _disconnected(x: KerasTensor, waiting: list[Call], inputs: list, model: str) -> ArgumentError:
    names = ", ".join(repr(t.name) for t in inputs) or "none"
    needs = f"layer {waiting[-1].operation.name!r} needs" if waiting else "an output is"
    what = f"the Input {x.name!r}" if x.made_by else f"{x!r}, which no layer makes"
    return ArgumentError(
        f"the graph of model {model!r} is disconnected: {needs} {what}, which is not among its "
        f"inputs: {names}. Add it to the inputs"
    )


def _require_symbolic(what: str, structure, model: str) -> None:
    for x in tree.flatten(structure):
        if not isinstance(x, KerasTensor):
            named = f"the layer {x.name!r} itself" if isinstance(x, Layer) else f"{x!r:.200}"
            raise ArgumentTypeError(
                f"an {what} of model {model!r} must be an Input, or what layers and ops make of "
                f"one; got {named}"
            )


def _require_names(operations, model: str) -> None:
    names = [operation.name for operation in operations]
    for operation in operations:
        if names.count(operation.name) > 1:
            raise ArgumentError(
                f"model {model!r} has {names.count(operation.name)} layers named "
                f"{operation.name!r}: give them names that differ"
            )

"""The table that `model.summary()` prints, as Keras has it."""

import re
import shutil
import textwrap

from gpunn import tree
from gpunn.autograd.symbolic import Operation
from gpunn.errors import ArgumentError, GpunnError, unknown
from gpunn.training.cost import cost_of

LEFT, RIGHT, CENTRE = "<", ">", "^"


def print_summary(
    model,
    line_length: int | None = None,
    positions=None,
    print_fn=None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range=None,
) -> None:
    """Print the layers of a model; the arguments are those of `Model.summary`."""
    graph = model._call_graph
    chain = graph is None or graph.is_chain()
    columns = [("Layer (type)", LEFT), ("Output Shape", LEFT), ("Param #", RIGHT)]
    positions = positions or ([0.45, 0.8, 1.0] if chain else [0.3, 0.56, 0.74, 1.0])
    width = 88 if chain else 108
    if not chain:
        columns.append(("Connected to", LEFT))
    if show_trainable:
        columns.append(("Trainable", CENTRE))
        width += 12
    width = line_length or min(width, shutil.get_terminal_size().columns - 4)
    if show_trainable and len(positions) < len(columns):
        positions = [p * (1 - 12 / width) for p in positions] + [1.0]
    widths = _widths(positions, width, len(columns))
    operations = _in_range(model.layers if graph is None else graph.operations, layer_range)
    rows = []
    for operation, level in _levels(operations, expand_nested):
        cells = [_name(operation, level), _shape(operation), _params(operation)]
        if not chain:
            cells.append(_connections(operation, graph) if level == 0 else "-")
        if show_trainable:
            cells.append(_trainable(operation))
        rows.append(cells)
    lines = [f'Model: "{model.name}"', *_table(columns, rows, widths), *_totals(model)]
    (print_fn or print)("\n".join(lines))


def _levels(operations, expand: bool, level: int = 0):
    """Each operation with how deep it lies in models, those inside after their model."""
    for operation in operations:
        yield operation, level
        if expand:
            yield from _levels(getattr(operation, "layers", ()), expand, level + 1)


def _in_range(operations: list, layer_range) -> list:
    """Those from the first that matches one pattern to the last that matches the other."""
    if layer_range is None:
        return operations
    if len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
        raise ArgumentError(f"layer_range must be two names of layers, got {layer_range!r}")
    at = []
    for pattern in layer_range:
        found = [i for i, o in enumerate(operations) if re.match(pattern, o.name)]
        if not found:
            raise unknown("layer", pattern, [o.name for o in operations])
        at += [found[0], found[-1]]
    return operations[min(at[0], at[2]) : max(at[1], at[3]) + 1]


# --- cells ---


def _name(operation, level: int) -> str:
    kind = operation.function.__name__ if isinstance(operation, Operation) else None
    shown = f"{operation.name} ({kind or type(operation).__name__})"
    return f"{'   ' * level}└ {shown}" if level else shown


def _shape(operation) -> str:
    """The output shapes of the last call; without one, those for what it was built for."""
    if operation._inbound_nodes:
        outputs = operation._inbound_nodes[-1].structure
        return _plain(tree.map_structure(lambda x: str(x.shape), outputs))
    if getattr(operation, "_built_for", None) is None or not operation._has_shape_rule():
        return "?"
    args, kwargs = operation._built_for
    try:
        return str(operation.compute_output_shape(*args, **kwargs))
    except (GpunnError, TypeError):
        return "?"


def _plain(shapes) -> str:
    leaves = tree.flatten(shapes)
    return leaves[0] if len(leaves) == 1 else str(shapes).replace("'", "")


def _params(operation) -> str:
    if isinstance(operation, Operation):
        return "0"
    return f"{operation.count_params():,}" if operation.built else "0 (unbuilt)"


def _connections(operation, graph) -> str:
    """Where the inputs of its calls come from: name[number of the call][number of the output]."""
    found = [
        f"{x.made_by.operation.name}[{x.made_by.operation._inbound_nodes.index(x.made_by)}]"
        f"[{x.index}]"
        for call in operation._inbound_nodes
        if call in graph.depths
        for x in call.inputs
    ]
    return ", ".join(found) or "-"


def _trainable(operation) -> str:
    if not getattr(operation, "weights", None):
        return "-"
    return "Y" if operation.trainable else "N"


# --- lines ---


def _widths(positions, line_length: int, count: int) -> list[int]:
    """The width of each column inside its borders."""
    if len(positions) != count:
        raise ArgumentError(f"positions must be {count} numbers, one a column, got {positions}")
    ends = [int(p * line_length) if p <= 1 else int(p) for p in positions]
    widths = [b - a - 1 for a, b in zip([0, *ends], ends, strict=False)]
    widths[0] -= 1
    if min(widths) < 5:
        raise ArgumentError(f"a line of {line_length} is too short for {count} columns")
    return widths


def _table(columns, rows, widths):
    def rule(left, line, between, right):
        return left + between.join(line * w for w in widths) + right

    yield rule("┏", "━", "┳", "┓")
    yield from _cells([title for title, _ in columns], columns, widths, "┃")
    yield rule("┡", "━", "╇", "┩")
    for n, row in enumerate(rows):
        if n:
            yield rule("├", "─", "┼", "┤")
        yield from _cells(row, columns, widths, "│")
    yield rule("└", "─", "┴", "┘")


def _cells(row, columns, widths, border: str):
    """A row as lines: what is too long for its cell goes on in the next line."""
    wrapped = [
        textwrap.wrap(cell, w - 2, drop_whitespace=cell[:1] != " ") or [""]
        for cell, w in zip(row, widths, strict=True)
    ]
    for i in range(max(map(len, wrapped))):
        cells = [
            f" {(lines[i] if i < len(lines) else '').rstrip():{align}{w - 2}} "
            for lines, (_, align), w in zip(wrapped, columns, widths, strict=True)
        ]
        yield border + border.join(cells) + border


def _totals(model):
    trained, still = model.trainable_weights, model.non_trainable_weights
    optimizer = model.optimizer
    slots = optimizer.variables if optimizer is not None and optimizer.built else []
    for title, weights in (
        ("Total params", [*trained, *still, *slots]),
        ("Trainable params", trained),
        ("Non-trainable params", still),
        *([("Optimizer params", slots)] if slots else []),
    ):
        size = sum(v.size * v.dtype.itemsize for v in weights)
        yield f" {title}: {sum(v.size for v in weights):,} ({_size(size)})"
    cost = cost_of(model)
    if cost is not None:
        yield f" For one example: {_number(cost.flops)}FLOPs, {_size(cost.nbytes)} of results"


def _size(n: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if n < 1024 or unit == "GB":
            return f"{n:.2f} {unit}"
        n /= 1024
    return ""


def _number(n: float) -> str:
    for unit in ("", "K", "M", "G", "T"):
        if n < 1000 or unit == "T":
            return f"{n:.3g} {unit}"
        n /= 1000
    return ""

"""plot_model: a picture of a model's graph, as SVG, or through matplotlib in other formats."""

from copy import copy
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

from gpunn import tree
from gpunn.autograd.symbolic import Operation
from gpunn.errors import ArgumentError, MissingDependencyError, NotBuiltError
from gpunn.layers.graph import Graph
from gpunn.models.layout import Box, arranged

INK, MUTED, LINE, FILL, INPUT = "#1f1f1e", "#6b6b68", "#8a8a86", "#eef4fc", "#f6f1e7"
MARGIN, LINE_HEIGHT, LETTER = 16.0, 17.0, 7.3


def plot_model(
    model,
    to_file="model.svg",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> None:
    """Draw the graph of a model into a file; each box is one call of a layer or op.

    Args:
        model: made of inputs and outputs, or a `Sequential` that knows its input's shape.
        to_file: its ending says the format: .svg, or what matplotlib writes (.png, .pdf).
        show_shapes, show_dtype: whether boxes hold the shapes and dtypes of their outputs.
        show_layer_names: whether they hold the names of the layers.
        rankdir: "TB": from top to bottom; "LR": from left to right.
        expand_nested: whether models inside are drawn layer by layer.
        dpi: dots per inch, where the format has dots.
        show_layer_activations, show_trainable: whether boxes hold those.
        splines: for Keras' sake; lines are straight.

    Raises:
        NotBuiltError: if the model is no graph.
        ArgumentError: if rankdir is unknown.
        MissingDependencyError: if the format needs matplotlib, which is not installed.

    Source: keras.utils.plot_model.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.svg"
    >>> model = gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(2)])
    >>> gpunn.utils.plot_model(model, path, show_shapes=True)
    >>> "(None, 2)" in path.read_text()
    True
    """
    if rankdir not in ("TB", "LR"):
        raise ArgumentError(f"rankdir must be 'TB' or 'LR', got {rankdir!r}")
    across = rankdir == "LR"

    def describe(call: Shown) -> Box:
        lines = _described(
            call, show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable
        )
        width = LETTER * max(map(len, lines)) + 24
        height = LINE_HEIGHT * len(lines) + 14
        return Box(lines, height, width) if across else Box(lines, width, height)

    boxes, lines = arranged(_shown(model, expand_nested)[0], describe)
    if across:
        for box in dict.fromkeys([*boxes, *[b for line in lines for b in line]]):
            box.x, box.y, box.width, box.height = box.y, box.x, box.height, box.width
    path = Path(to_file)
    if path.suffix.lower() == ".svg":
        path.write_text(_svg(boxes, lines, across), "utf-8")
    else:
        _by_matplotlib(boxes, lines, across, path, dpi)


@dataclass(eq=False)
class Shown:
    """A call as it is drawn: one in a model that is used twice is drawn twice."""

    operation: object
    inputs: list
    outputs: list


def _shown(model, expand: bool, given: list | None = None) -> tuple[list[Shown], list]:
    """The calls that make a model's outputs, and the outputs; `given` stands for the inputs."""
    try:
        graph = model._call_graph or Graph(model.input, model.output, model.name)
    except (NotBuiltError, AttributeError) as e:
        raise NotBuiltError(
            f"{getattr(model, 'name', model)!r} is no graph to be drawn: a Sequential needs an "
            "Input, and of a subclass of Model only its `call` knows what it does"
        ) from e
    shown: list[Shown] = []
    made = dict(zip(map(id, tree.flatten(graph.inputs)), given or (), strict=False))
    for call in graph.calls:
        inputs = [made[id(x)] for x in call.inputs]
        if given is not None and not inputs:
            continue
        if expand and hasattr(call.operation, "layers"):
            inner, outputs = _shown(call.operation, True, inputs)
            shown += inner
        else:
            outputs = [copy(x) for x in call.outputs]
            shown.append(Shown(call.operation, inputs, outputs))
        made.update(zip(map(id, call.outputs), outputs, strict=True))
    return shown, [made[id(x)] for x in tree.flatten(graph.outputs)]


def _described(call, shapes, dtype, names, activations, trainable) -> list[str]:
    """The lines of a box, the kind of layer first."""
    operation = call.operation
    is_op = isinstance(operation, Operation)
    lines = [operation.function.__name__ if is_op else type(operation).__name__]
    if names:
        lines.append(operation.name)
    activation = getattr(operation, "activation", None)
    if activations and activation is not None:
        lines.append(f"activation: {getattr(activation, '__name__', activation)}")
    if shapes and call.inputs:
        lines.append(f"in: {', '.join(str(x.shape) for x in call.inputs)}")
    if shapes:
        lines.append(f"out: {', '.join(str(x.shape) for x in call.outputs)}")
    if dtype:
        lines.append(", ".join(x.dtype.name for x in call.outputs))
    if trainable and getattr(operation, "weights", None):
        lines.append("trainable" if operation.trainable else "not trainable")
    return lines


def _points(line: list[Box], across: bool) -> list[tuple[float, float]]:
    """Where a line runs: from the edge of the first box over the bends to that of the last."""
    first, last = line[0], line[-1]
    if across:
        ends = (first.x + first.width / 2, first.y), (last.x - last.width / 2, last.y)
    else:
        ends = (first.x, first.y + first.height / 2), (last.x, last.y - last.height / 2)
    return [ends[0], *[(bend.x, bend.y) for bend in line[1:-1]], ends[1]]


def _size(boxes: list[Box], lines) -> tuple[float, float]:
    everything = [*boxes, *[b for line in lines for b in line]]
    width = max(b.x + b.width / 2 for b in everything) + 2 * MARGIN
    return width, max(b.y + b.height / 2 for b in everything) + 2 * MARGIN


def _svg(boxes: list[Box], lines, across: bool) -> str:
    width, height = _size(boxes, lines)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-MARGIN} {-MARGIN} {width:.0f} {height:.0f}" '
        'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="12">',
        '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="{LINE}"/></marker></defs>',
        f'<rect x="{-MARGIN}" y="{-MARGIN}" width="100%" height="100%" fill="white"/>',
    ]
    for line in lines:
        points = _points(line, across)
        path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
        for (x0, y0), (x, y) in pairwise(points):
            if across:
                path += f"C{(x0 + x) / 2:.1f} {y0:.1f} {(x0 + x) / 2:.1f} {y:.1f} {x:.1f} {y:.1f}"
            else:
                path += f"C{x0:.1f} {(y0 + y) / 2:.1f} {x:.1f} {(y0 + y) / 2:.1f} {x:.1f} {y:.1f}"
        out.append(f'<path d="{path}" fill="none" stroke="{LINE}" marker-end="url(#end)"/>')
    for box in boxes:
        x, y = box.x - box.width / 2, box.y - box.height / 2
        out.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
            f'rx="5" fill="{_fill(box)}" stroke="{LINE}"/>'
        )
        for i, text in enumerate(box.lines):
            look = f'font-weight="bold" fill="{INK}"' if i == 0 else f'fill="{MUTED}"'
            out.append(
                f'<text x="{box.x:.1f}" y="{_baseline(box, i):.1f}" text-anchor="middle" '
                f"{look}>{escape(text)}</text>"
            )
    return "\n".join([*out, "</svg>", ""])


def _fill(box: Box) -> str:
    return FILL if box.above else INPUT


def _baseline(box: Box, i: int) -> float:
    return box.y + LINE_HEIGHT * (i - len(box.lines) / 2) + 13


def _by_matplotlib(boxes: list[Box], lines, across: bool, path: Path, dpi: int) -> None:
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyBboxPatch
    except ImportError as e:
        raise MissingDependencyError(
            f"{path.name} needs matplotlib, which is not installed: pip install 'gpunn[plot]', or "
            "write a .svg"
        ) from e
    width, height = _size(boxes, lines)
    figure = Figure(figsize=(width / 96, height / 96))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-MARGIN, width - MARGIN), ylim=(height - MARGIN, -MARGIN))
    axes.set_axis_off()
    for line in lines:
        *start, last, end = _points(line, across)
        if start:
            xs, ys = zip(*start, last, strict=True)
            axes.plot(xs, ys, color=LINE, linewidth=0.8)
        arrow = {"arrowstyle": "-|>", "color": LINE, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, last, arrowprops=arrow)
    for box in boxes:
        corner = (box.x - box.width / 2, box.y - box.height / 2)
        patch = FancyBboxPatch(
            corner, box.width, box.height, boxstyle="round,pad=0,rounding_size=5",
            facecolor=_fill(box), edgecolor=LINE, linewidth=0.8,
        )  # fmt: skip
        axes.add_patch(patch)
        for i, text in enumerate(box.lines):
            axes.text(
                box.x, _baseline(box, i), text, ha="center", fontsize=9, family="monospace",
                color=MUTED if i else INK, weight="normal" if i else "bold",
            )  # fmt: skip
    figure.savefig(path, dpi=dpi)

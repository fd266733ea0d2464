"""The table that `model.summary()` prints."""

from gpunn.errors import NotBuiltError


def summary(model, line_length: int | None = None, print_fn=None) -> None:
    """Print each layer with its output shape and parameters, and what it all takes in memory."""
    rows = [_row(layer, shape) for layer, shape in model.layer_shapes()]
    titles = ("Layer (type)", "Output Shape", "Param #")
    widths = [max(len(r[i]) for r in [titles, *rows]) + 2 for i in range(3)]
    if line_length and (spare := line_length - sum(widths) - 4) > 0:
        widths[0] += spare
    lines = [f'Model: "{model.name}"']
    lines.append("┏" + "┳".join("━" * w for w in widths) + "┓")
    lines.append("┃" + "┃".join(_cell(t, w, i) for i, (t, w) in _enumerated(titles, widths)) + "┃")
    lines.append("┡" + "╇".join("━" * w for w in widths) + "┩")
    for n, row in enumerate(rows):
        if n:
            lines.append("├" + "┼".join("─" * w for w in widths) + "┤")
        lines.append("│" + "│".join(_cell(c, w, i) for i, (c, w) in _enumerated(row, widths)) + "│")
    lines.append("└" + "┴".join("─" * w for w in widths) + "┘")
    for title, weights in (
        ("Total", model.weights),
        ("Trainable", model.trainable_weights),
        ("Non-trainable", model.non_trainable_weights),
    ):
        lines.append(f" {title} params: {_count(weights):,} ({_size(_bytes(weights))})")
    if model.optimizer is not None:
        # per parameter: its gradient, and the optimizer's slots
        training = _bytes(model.trainable_weights)
        slots = len(model.optimizer.slot_names)
        lines.append(f" Gradients and optimizer: {_size(training * (1 + slots))}")
    (print_fn or print)("\n".join(lines))


def _row(layer, shape) -> tuple[str, str, str]:
    try:
        params = f"{layer.count_params():,}"
    except NotBuiltError:
        params = "0 (unbuilt)"
    return f"{layer.name} ({type(layer).__name__})", "?" if shape is None else str(shape), params


def _enumerated(cells, widths):
    return enumerate(zip(cells, widths, strict=True))


def _cell(text: str, width: int, column: int) -> str:
    return f"{text:>{width - 1}} " if column == 2 else f" {text:<{width - 1}}"


def _count(weights) -> int:
    return sum(v.size for v in weights)


def _bytes(weights) -> int:
    return sum(v.size * v.dtype.itemsize for v in weights)


def _size(n: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if n < 1024 or unit == "GB":
            return f"{n:.2f} {unit}"
        n /= 1024
    return ""

"""Pictures of how a training went."""

from pathlib import Path

from gpunn.errors import ArgumentError, ArgumentTypeError, MissingDependencyError, unknown

TRAINING, VALIDATION, GRID = "#2a78d6", "#eb6834", "#e3e3e1"
INK, MUTED = "#1f1f1e", "#6b6b68"


def require_matplotlib() -> None:
    """Raise MissingDependencyError, with the line that installs it, unless matplotlib is there."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as e:
        raise MissingDependencyError(
            "a picture needs matplotlib, which is not installed: pip install 'gpunn[plot]'"
        ) from e


def require_format(path) -> None:
    """Raise ArgumentError for a file name whose ending is of no picture that can be written."""
    from matplotlib.figure import Figure

    known = Figure().canvas.get_supported_filetypes()
    ending = Path(path).suffix[1:].lower()
    if ending and ending not in known:  # without one it is a PNG
        raise unknown(f"kind of picture in {str(path)!r}:", ending, known)


def plot_history(history, path, title: str = "") -> None:
    """Draw the loss and every metric over the epochs, training and validation, into a file.

    Args:
        history: what `fit` returned, or its `history` dict of lists.
        path: the file; its ending says the format (.png, .svg, .pdf).
        title: above the picture.

    Raises:
        MissingDependencyError: matplotlib is not installed; names the extra.
        ArgumentTypeError: `history` is none.
        ArgumentError: there is no epoch in it, or the file cannot be written.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "curve.png")
    >>> gpunn.viz.plot_history({"loss": [1.0, 0.4], "val_loss": [1.1, 0.6]}, path)
    >>> os.path.getsize(path) > 1000
    True
    """
    curves = getattr(history, "history", history)
    if not isinstance(curves, dict):
        raise ArgumentTypeError(f"expected what fit() returned, or a dict, got {history!r}")
    curves = {name: values for name, values in curves.items() if _is_curve(values)}
    if not curves:
        raise ArgumentError("there is nothing to draw: the history holds no epoch")
    require_matplotlib()
    from matplotlib.figure import Figure

    names = sorted({name.removeprefix("val_") for name in curves}, key=lambda n: (n != "loss", n))
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(1 + 4.2 * columns, 0.4 + 3.2 * rows), dpi=120, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, name in zip(axes, names, strict=False):
        _draw(ax, name, curves.get(name), curves.get(f"val_{name}"))
    for ax in axes[len(names) :]:
        ax.remove()
    if title:
        figure.suptitle(title, color=INK, fontsize=12)
    try:
        figure.savefig(path)
    except (OSError, ValueError) as e:
        raise ArgumentError(f"cannot write the picture {path}: {e}") from e


def _is_curve(values) -> bool:
    return len(values) > 0 and all(isinstance(v, int | float) for v in values)


def _draw(ax, name: str, training, validation) -> None:
    longest = max(len(training or ()), len(validation or ()))
    for values, label, color in (
        (training, "training", TRAINING),
        (validation, "validation", VALIDATION),
    ):
        if values:
            every = longest // len(values)  # validation_freq
            epochs = [every * (i + 1) for i in range(len(values))]
            marker = "o" if len(values) == 1 else None
            ax.plot(epochs, values, color=color, linewidth=2, marker=marker, label=label)
    ax.set_title(name.replace("_", " "), loc="left", color=INK, fontsize=11)
    ax.set_xlabel("epoch", color=MUTED)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.tick_params(colors=MUTED, length=0)
    ax.grid(color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(GRID)
    if validation:
        ax.legend(frameon=False, labelcolor=INK)

"""A picture of where a classifier of points in the plane draws its border, as it learns."""

import os
from pathlib import Path

import numpy as np

from gpunn.autograd import Tensor
from gpunn.checks import as_path
from gpunn.errors import ArgumentError, ShapeError
from gpunn.training.callbacks import Callback
from gpunn.viz.curves import GRID, INK, MUTED, TRAINING, VALIDATION, require_matplotlib

CLASSES = (TRAINING, VALIDATION, "#2f9e77", "#b04a8f", "#c9a227", "#6b6b68")


class DecisionBoundary(Callback):
    """Draws the model's answer at every place of the plane, the points, and the loss so far.

    The picture is drawn anew every few epochs and at the end of training; a viewer that reloads
    it, or a notebook cell, shows the border move. The answers come from one batch of the whole
    grid per picture.

    Args:
        x: points (n, 2).
        y: their classes (n,) or (n, 1), whole numbers from 0.
        path: the file; its ending says the format (.png, .svg, .pdf). With "{epoch}" in it, every
            picture gets a file of its own: "border-{epoch:04d}.png".
        every: epochs between two pictures.
        grid: places along each side.
        title: above the picture.

    Raises:
        MissingDependencyError: matplotlib is not installed; names the extra.
        ShapeError: x is not (n, 2), or y does not have a class for each point.
        ArgumentError: `every` or `grid` is too small; the model has no probability, or no class
            scores, per point; the file cannot be written.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "border.png")
    >>> x, y = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0, 1])
    >>> model = gpunn.Sequential([gpunn.layers.Dense(1, activation="sigmoid")])
    >>> model.compile("sgd", "mse")
    >>> border = gpunn.viz.DecisionBoundary(x, y, path)
    >>> history = model.fit(x, y, epochs=2, verbose=0, callbacks=[border])
    >>> os.path.getsize(path) > 1000
    True
    """

    def __init__(self, x, y, path, every: int = 25, grid: int = 50, title: str = ""):
        self.x, self.y = _points(x, y)
        if every < 1 or grid < 2:
            raise ArgumentError(f"every must be at least 1 and grid 2, got {every} and {grid}")
        require_matplotlib()
        self.path = str(as_path("path", path))
        self.every = every
        self.title = title
        self.losses: list[float] = []
        self._places, self._extent = _places(self.x, grid)
        self._drawn = 0  # how many epochs the last picture shows

    def on_train_begin(self, logs=None):
        self.losses = []
        self._drawn = 0

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append((logs or {}).get("loss", float("nan")))
        if len(self.losses) % self.every == 0:
            self._picture()

    def on_train_end(self, logs=None):
        if self._drawn < len(self.losses):
            self._picture()

    def _picture(self) -> None:
        """Ask the model, and draw."""
        answers = np.asarray(Tensor(self.model.predict_on_batch(self._places)).numpy())
        if answers.ndim != 2 or len(answers) != len(self._places):
            raise ArgumentError(
                "DecisionBoundary needs a model that gives a probability, or a score per class, "
                f"for each point: an output of shape (n, 1) or (n, classes), not {answers.shape}"
            )
        self._drawn = len(self.losses)
        path = Path(self.path.format(epoch=self._drawn) if "{" in self.path else self.path)
        draw_boundary(self.x, self.y, answers, self._extent, self.losses, path, self.title)


def draw_boundary(x, y, answers, extent, losses, path: Path, title: str) -> None:
    """The picture: answers of a square grid as colours, points on top, the losses beside it."""
    from matplotlib.colors import LinearSegmentedColormap, ListedColormap
    from matplotlib.figure import Figure

    side = round(len(answers) ** 0.5)
    figure = Figure(figsize=(9.6, 4.4), dpi=120, layout="constrained")
    plane, curve = figure.subplots(1, 2)
    if answers.shape[1] == 1:  # the probability of class 1
        shades = LinearSegmentedColormap.from_list("answer", [CLASSES[0], "#ffffff", CLASSES[1]])
        values = answers.reshape(side, side)
        image = plane.imshow(values, shades, vmin=0, vmax=1, extent=extent, origin="lower",
                             interpolation="bilinear", alpha=0.75, aspect="auto")  # fmt: skip
        if values.min() < 0.5 < values.max():
            plane.contour(values, [0.5], colors=INK, linewidths=1.5, extent=extent)
        figure.colorbar(image, ax=plane, shrink=0.85, label="probability of class 1")
    else:
        values = answers.argmax(1).reshape(side, side) % len(CLASSES)
        plane.imshow(values, ListedColormap(CLASSES), vmin=0, vmax=len(CLASSES) - 1, extent=extent,
                     origin="lower", interpolation="nearest", alpha=0.4, aspect="auto")  # fmt: skip
    for label in np.unique(y):
        here = x[y == label]
        plane.scatter(here[:, 0], here[:, 1], s=7, color=CLASSES[label % len(CLASSES)],
                      edgecolors="white", linewidths=0.3, label=f"class {label}")  # fmt: skip
    plane.set_box_aspect(1)
    plane.set_title(f"epoch {len(losses):,}", loc="left", color=INK, fontsize=11)
    plane.legend(frameon=True, framealpha=0.85, labelcolor=INK, loc="upper left", fontsize=8)
    curve.plot(range(1, len(losses) + 1), losses, color=TRAINING, linewidth=2,
               marker="o" if len(losses) == 1 else None)  # fmt: skip
    curve.set_title("loss", loc="left", color=INK, fontsize=11)
    curve.set_xlabel("epoch", color=MUTED)
    curve.set_ylim(bottom=0)
    curve.xaxis.get_major_locator().set_params(integer=True)
    curve.grid(color=GRID, linewidth=0.8)
    for ax in (plane, curve):
        ax.tick_params(colors=MUTED, length=0)
        for place in ax.spines.values():
            place.set_visible(False)
    if title:
        figure.suptitle(title, color=INK, fontsize=12)
    _save(figure, path)


def _save(figure, path: Path) -> None:
    """Write beside the target, then over it: who looks at it never sees half a picture."""
    beside = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        figure.savefig(beside)
        os.replace(beside, path)
    except (OSError, ValueError) as e:
        beside.unlink(missing_ok=True)
        raise ArgumentError(f"cannot write the picture {path}: {e}") from e


def _points(x, y):
    """x as floats (n, 2) and y as whole numbers (n,)."""
    x = Tensor(x).numpy()
    y = Tensor(y).numpy()
    if x.ndim != 2 or x.shape[1] != 2 or not len(x):
        raise ShapeError(f"points of a plane have shape (n, 2), x has {x.shape}")
    if y.shape not in ((len(x),), (len(x), 1)):
        raise ShapeError(f"y must have a class for each of {len(x)} points, its shape is {y.shape}")
    return x, y.reshape(-1).astype(int)


def _places(x, grid: int):
    """A square grid over the points and a margin: its places (grid * grid, 2) and its extent."""
    low, high = x.min(0), x.max(0)
    margin = np.maximum((high - low) * 0.08, 1e-6)
    low, high = low - margin, high + margin
    across, up = np.meshgrid(np.linspace(low[0], high[0], grid), np.linspace(low[1], high[1], grid))
    places = np.stack([across.ravel(), up.ravel()], axis=1).astype("float32")
    return places, (low[0], high[0], low[1], high[1])

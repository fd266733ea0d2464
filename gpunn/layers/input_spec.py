"""InputSpec: what a built layer accepts (Keras: `layers.InputSpec`)."""

from gpunn.errors import ShapeError


class InputSpec:
    """Constraints on the shape of a layer's input.

    Args:
        ndim: exact rank.
        min_ndim: least rank.
        axes: sizes by axis, e.g. {-1: 784}.

    Raises (by `check`):
        ShapeError: naming the layer, what it expects and what came.

    >>> gpunn.layers.InputSpec(min_ndim=2, axes={-1: 3}).check((5, 3), "dense")
    """

    def __init__(self, ndim=None, min_ndim=None, axes=None):
        self.ndim = ndim
        self.min_ndim = min_ndim
        self.axes = dict(axes or {})
        self._checks = tuple(self.axes.items())

    def check(self, shape: tuple, layer: str) -> None:
        """Raise unless a shape fits."""
        n = len(shape)
        if self.ndim is not None and n != self.ndim:
            raise ShapeError(f"layer {layer!r} expects rank {self.ndim}, got shape {shape}")
        if self.min_ndim is not None and n < self.min_ndim:
            raise ShapeError(f"layer {layer!r} expects rank >= {self.min_ndim}, got shape {shape}")
        for axis, size in self._checks:
            if shape[axis] != size and shape[axis] is not None:
                raise ShapeError(
                    f"layer {layer!r} was built for inputs with {size} along axis {axis}, "
                    f"got shape {tuple(shape)}"
                )

    def __repr__(self) -> str:
        return f"InputSpec(ndim={self.ndim}, min_ndim={self.min_ndim}, axes={self.axes})"

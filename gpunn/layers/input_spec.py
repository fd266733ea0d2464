"""InputSpec: what a built layer accepts (Keras: `layers.InputSpec`)."""

from gpunn.errors import ShapeError


class InputSpec:
    """Constraints on the shape of a layer's input.

    Args:
        shape: exact shape, None for any size.
        ndim: exact rank.
        max_ndim, min_ndim: greatest and least rank.
        axes: sizes by axis, e.g. {-1: 784}.

    Raises (by `check`):
        ShapeError: naming the layer, what it expects and what came.

    Source: keras.layers.InputSpec.

    >>> gpunn.layers.InputSpec(min_ndim=2, axes={-1: 3}).check((5, 3), "dense")
    """

    def __init__(self, shape=None, ndim=None, max_ndim=None, min_ndim=None, axes=None):
        if shape is not None:
            ndim = len(shape)
            axes = {i: n for i, n in enumerate(shape) if n is not None} | dict(axes or {})
        self.ndim = ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = dict(axes or {})
        self._sizes = tuple([(a, n) for a, n in self.axes.items() if n is not None])
        self._least = max([min_ndim or 0, *[a + 1 if a >= 0 else -a for a in self.axes]])

    def check(self, shape: tuple, layer: str) -> None:
        """Raise unless a shape fits."""
        n = len(shape)
        if self.ndim is not None and n != self.ndim:
            raise ShapeError(f"layer {layer!r} expects rank {self.ndim}, got shape {shape}")
        if n < self._least:
            raise ShapeError(f"layer {layer!r} expects rank >= {self._least}, got shape {shape}")
        if self.max_ndim is not None and n > self.max_ndim:
            raise ShapeError(f"layer {layer!r} expects rank <= {self.max_ndim}, got shape {shape}")
        for axis, size in self._sizes:
            if shape[axis] != size and shape[axis] is not None:
                raise ShapeError(
                    f"layer {layer!r} was built for inputs with {size} along axis {axis}, "
                    f"got shape {tuple(shape)}"
                )

    def __repr__(self) -> str:
        return (
            f"InputSpec(ndim={self.ndim}, max_ndim={self.max_ndim}, min_ndim={self.min_ndim}, "
            f"axes={self.axes})"
        )

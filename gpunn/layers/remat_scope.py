"""RematScope: which layers compute their values again in backward instead of keeping them."""

import math
from contextvars import ContextVar

from gpunn.autograd import checkpoint, remat
from gpunn.errors import unknown
from gpunn.layers import tree

_scopes: ContextVar[tuple] = ContextVar("gpunn_remat", default=())
MODES = ("full", "activations", "larger_than", "list_of_layers", None)


class RematScope:
    """Layers made in the `with` block keep no values for the gradient: memory for time.

    They compute them again in backward, as with `gpunn.remat`.

    Args:
        mode: which of the layers: "full": all; "activations": only the activation function of
            those that have one; "larger_than": those with larger outputs than the threshold;
            "list_of_layers": those in `layer_names`; None: none.
        output_size_threshold: how many values an output must have, for "larger_than".
        layer_names: names, for "list_of_layers".

    Raises:
        ArgumentError: if there is no such mode.

    Source: keras.RematScope.

    >>> with gpunn.RematScope("list_of_layers", layer_names=["large"]):
    ...     layer = gpunn.layers.Dense(4, activation="gelu", name="large")
    >>> layer(np.ones((2, 3))).shape
    (2, 4)
    """

    def __init__(self, mode="full", output_size_threshold=1024, layer_names=None):
        if mode not in MODES:
            raise unknown("mode of RematScope", mode, MODES[:-1])
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = list(layer_names or ())

    def __enter__(self):
        _scopes.set((*_scopes.get(), self))
        return self

    def __exit__(self, *exc):
        _scopes.set(_scopes.get()[:-1])

    def call(self, layer, args, kwargs):
        """What a layer's `call` gives, computed again in backward as the mode says."""
        if self.mode == "activations" and getattr(layer, "activation", None) is not None:
            given = layer.activation
            layer.activation = remat(given)
            try:
                return layer.call(*args, **kwargs)
            finally:
                layer.activation = given
        if self._wants(layer, args):
            return checkpoint(layer.call, *args, **kwargs)
        return layer.call(*args, **kwargs)

    def _wants(self, layer, args) -> bool:
        if self.mode == "list_of_layers":
            return layer.name in self.layer_names
        if self.mode == "larger_than":
            shapes = layer.compute_output_shape(tree.map(lambda x: x.shape, args[0]))
            sizes: list[int] = []
            tree.map_shapes(lambda shape: sizes.append(math.prod(n or 1 for n in shape)), shapes)
            return sum(sizes) > self.output_size_threshold
        return self.mode == "full"


def current_scope() -> RematScope | None:
    """The innermost scope, which the layers made now remember; None where it wants nothing."""
    scopes = _scopes.get()
    return scopes[-1] if scopes and scopes[-1].mode is not None else None

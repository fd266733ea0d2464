"""InputSpec: what a built layer accepts (Keras: `layers.InputSpec`)."""

from gpunn.backend.dtypes import standardize
from gpunn.errors import DTypeError, ShapeError
from gpunn.tree import flatten


class InputSpec:
    """Constraints on one of a layer's inputs; a layer of several has a list of them.

    Args:
        dtype: exact dtype.
        shape: exact shape, None for any size.
        ndim: exact rank.
        max_ndim, min_ndim: greatest and least rank.
        axes: sizes by axis, e.g. {-1: 784}.
        allow_last_axis_squeeze: whether a last axis of size 1 may be there or not. Default: False.
        name: of the input, where they come as a dict.
        optional: whether None may come for it. Default: False.

    Raises (by `check`):
        ShapeError: naming the layer, what it expects and what came.
        DTypeError: the same, of the dtype.

    Source: keras.layers.InputSpec.

    >>> gpunn.layers.InputSpec(min_ndim=2, axes={-1: 3}).check((5, 3), "dense")
    """

    def __init__(
        self,
        dtype=None,
        shape=None,
        ndim=None,
        max_ndim=None,
        min_ndim=None,
        axes=None,
        allow_last_axis_squeeze=False,
        name=None,
        optional=False,
    ):
        self.dtype = None if dtype is None else standardize(dtype).name
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = dict(axes or {})
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional
        sizes = {**dict(enumerate(self.shape or ())), **self.axes}
        self._sizes = tuple([(a, n) for a, n in sizes.items() if n is not None])
        self._least = max([min_ndim or 0, *[a + 1 if a >= 0 else -a for a in self.axes]])

    def check(self, shape: tuple, layer: str, dtype=None) -> None:
        """Raise unless a shape fits, and a dtype if one is given."""
        if self.allow_last_axis_squeeze and self.shape is not None:
            shape = self._with_last_axis(tuple(shape))
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
        if self.dtype is not None and dtype is not None and dtype != self.dtype:
            raise DTypeError(f"layer {layer!r} expects dtype {self.dtype}, got {dtype}")

    def _with_last_axis(self, shape: tuple) -> tuple:
        """The shape with a last axis of size 1 where, and only where, the exact shape has it."""
        if len(shape) == self.ndim + 1 and shape[-1] == 1:
            return shape[:-1]
        return (*shape, 1) if len(shape) == self.ndim - 1 and self.shape[-1] == 1 else shape

    def get_config(self) -> dict:
        """The arguments that make its like."""
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict) -> "InputSpec":
        """The constraints of a config."""
        return cls(**config)

    def __repr__(self) -> str:
        given = {name: x for name, x in self.get_config().items() if x}
        return f"InputSpec({', '.join(f'{name}={x!r}' for name, x in given.items())})"


def check_inputs(spec, inputs, layer: str) -> None:
    """Raise unless a layer's inputs fit a spec, or nested ones those of nested specs.

    >>> spec = [gpunn.layers.InputSpec(ndim=2), gpunn.layers.InputSpec(ndim=1)]
    >>> check_inputs(spec, [gpunn.ops.ones((2, 3)), gpunn.ops.ones(2)], "pair")
    """
    if isinstance(spec, InputSpec):
        shape = getattr(inputs, "shape", None)
        if isinstance(inputs, list | tuple | dict) and len(inputs) > 1:
            raise ShapeError(f"layer {layer!r} expects one input, got {len(inputs)}")
        if shape is not None:
            spec.check(shape, layer, spec.dtype and inputs.dtype)
        return
    specs = flatten(spec)
    if isinstance(inputs, dict) and all(s is not None and s.name in inputs for s in specs):
        given = [inputs[s.name] for s in specs]
    else:
        given = flatten(inputs)
    if len(given) != len(specs):
        raise ShapeError(f"layer {layer!r} expects {len(specs)} inputs, got {len(given)}")
    for s, x in zip(specs, given, strict=True):
        if s is not None and not (x is None and s.optional):
            check_inputs(s, x, layer)

"""SymbolicLayer: the half of a layer that is called on symbolic tensors, to build a graph."""

import inspect
from collections.abc import Callable

from gpunn.autograd import KerasTensor, Tensor
from gpunn.autograd.symbolic import connect, infer
from gpunn.backend import device, get_backend
from gpunn.backend.dtypes import is_float
from gpunn.errors import ArgumentTypeError, NoInputError
from gpunn.layers import tree
from gpunn.layers.input_spec import check_inputs
from gpunn.layers.masks import note_masks
from gpunn.layers.owner import WeightOwner
from gpunn.tree import flatten


class SymbolicLayer(WeightOwner):
    """Knows the calls on symbolic tensors it took part in, and what shapes it makes of shapes."""

    _inbound_nodes: list | tuple = ()  # its calls on symbolic tensors
    _call_names: tuple[str, ...] = ("inputs",)
    _needed_names: tuple[str, ...] = ("inputs",)  # those that have no default
    build: Callable[..., None]
    _arguments: tuple[tuple, dict]  # of the constructor
    _built_for: tuple[tuple, dict] | None = None  # the arguments of `build`

    @property
    def input(self):
        """The symbolic tensors of its first call.

        Raises:
            NoInputError: if it was never called on symbolic tensors.
        """
        call = self._first_call("input")
        one = len(call.args) == 1 and not call.kwargs
        return call.args[0] if one else call.inputs[0] if len(call.inputs) == 1 else call.inputs

    @property
    def output(self):
        """The symbolic tensors that its first call made; raises as `input` does."""
        return self._first_call("output").structure

    def _first_call(self, what: str):
        if not self._inbound_nodes:
            raise NoInputError(
                f"layer {self.name!r} has no {what} yet: it was not called on an Input"
            )
        return self._inbound_nodes[0]

    def __getstate__(self) -> dict:
        """What copies and pickles take along: not the graphs it is part of."""
        return {name: x for name, x in vars(self).items() if name != "_inbound_nodes"}

    # --- configs of what it was built for ---

    def get_build_config(self) -> dict | None:
        """The shapes that `build` was given, for `build_from_config`; None if it was not called.

        Source: keras.layers.Layer.get_build_config.
        """
        if self._built_for is None:
            return None
        args, kwargs = self._built_for
        shapes = dict(zip(inspect.signature(self.build).parameters, args, strict=False)) | kwargs
        shapes = {name: x for name, x in shapes.items() if isinstance(x, tuple | list | dict)}
        return (
            {"input_shape": next(iter(shapes.values()))}
            if len(shapes) == 1
            else {"shapes_dict": shapes}
        )

    def build_from_config(self, config: dict | None) -> None:
        """Build for the shapes of a config that `get_build_config` made.

        Source: keras.layers.Layer.build_from_config.
        """
        if config and "input_shape" in config:
            self.build(config["input_shape"])
        elif config:
            self.build(**config["shapes_dict"])

    # --- calls on symbolic tensors ---

    def _symbolic_call(self, args, kwargs, training):
        """Build, check the shapes, and note the call; returns the symbolic outputs."""
        if training is not None:
            kwargs = {**kwargs, "training": training}
        if not self.built:
            self._build_for(args, kwargs)
        if self.input_spec is not None and args:
            check_inputs(self.input_spec, args[0], self.name)
        outputs = self.compute_output_spec(*args, **kwargs)
        if self._has_shape_rule() and not all(layer.built for layer in self.walk()):
            self._inferred(args, kwargs)  # builds layers that only a call builds
        outputs = connect(self, args, kwargs, outputs)
        note_masks(self, self._call_names, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args, **kwargs):
        """Symbolic tensors like what a call on such arguments gives.

        Their shapes are those of `compute_output_shape`, if the layer has a rule; else the layer
        is run on zeros.

        Source: keras.layers.Layer.compute_output_spec.

        >>> gpunn.layers.Dense(2).compute_output_spec(gpunn.KerasTensor((None, 3))).shape
        (None, 2)
        """
        if not self._has_shape_rule():
            return self._inferred(args, kwargs)
        given = [x for x in flatten((args, kwargs)) if isinstance(x, KerasTensor)]
        shapes, named = self._shapes_for(self.compute_output_shape, args, kwargs)
        shapes = self.compute_output_shape(*shapes, **named)
        if all(is_float(x.dtype) for x in given):
            return tree.map_shapes(lambda shape: KerasTensor(shape, self.compute_dtype), shapes)
        dtypes = iter(flatten(self._inferred(args, kwargs)))  # integers may stay what they are
        return tree.map_shapes(lambda shape: KerasTensor(shape, next(dtypes).dtype), shapes)

    def _inferred(self, args, kwargs):
        """Symbolic outputs like what a call gives on zeros."""
        if not self.built:
            self._build_for(args, kwargs)
        weight = self.first_weight()
        be = get_backend(None if weight is None else weight.device)  # layers inside are built there
        try:
            return infer(self, args, {**kwargs, "training": False}, be)
        finally:
            self.clear_losses()

    def _build_for(self, args, kwargs) -> None:
        """Build for inputs like these, on the device of the first."""
        given = {*self._call_names[: len(args)], *kwargs}
        if missing := [name for name in self._needed_names if name not in given]:
            raise ArgumentTypeError(
                f"layer {self.name!r} ({type(self).__name__}) must be called with "
                f"{', '.join(self._needed_names)}; {', '.join(missing)} is missing"
            )
        shapes, named = self._shapes_for(self.build, args, kwargs)
        signature = inspect.signature(self.build)
        try:
            signature.bind(*shapes, **named)
        except TypeError as e:
            raise ArgumentTypeError(
                f"build{signature} of layer {self.name!r} ({type(self).__name__}) takes other "
                f"parameters than call() gives it: those of an argument x are its x_shape ({e})"
            ) from None
        first = next(tree.leaves([args, kwargs]), None)
        with device(get_backend().device if first is None else first.device):
            self.build(*shapes, **named)
        self.built = True

    def _shapes_for(self, function, args, kwargs) -> tuple[tuple, dict]:
        """The arguments of `build` or `compute_output_shape`: shapes of the tensors of a call.

        As in Keras: those of an argument `x` of `call` are its `x_shape`, if the function takes
        that; a function that does not name them so gets those of the first argument alone.
        """
        names = self._call_names
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        shapes = {f"{name}_shape": batch_shapes(x) for name, x in given.items() if _has_tensor(x)}
        parameters = inspect.signature(function).parameters
        taken = [n for n in parameters if n in shapes]
        needed = [n for n, p in parameters.items() if p.default is p.empty]
        by_name = len(needed) > 1 and needed == [n for n in needed if n in shapes]
        if len(given) > 1 and taken and (by_name or taken[0] == next(iter(shapes))):
            return (), {name: shapes[name] for name in taken}
        return (batch_shapes(next(iter(given.values()), ())),), {}


def _has_tensor(x) -> bool:
    return any(isinstance(leaf, KerasTensor | Tensor) for leaf in flatten(x))


def batch_shapes(x):
    """The shapes of nested tensors, None for the size of the batch."""
    return tree.map(_batch_shape, x)


def _batch_shape(t) -> tuple:
    if isinstance(t, KerasTensor):
        return t.shape
    return (None, *t.shape[1:]) if getattr(t, "ndim", 0) else ()

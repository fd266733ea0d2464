"""Layer: weights, and a function of tensors that uses them (Keras: `layers.Layer`)."""

import inspect
import itertools
from contextlib import nullcontext
from contextvars import ContextVar
from functools import wraps
from typing import Any

from gpunn import regularizers
from gpunn.autograd import KerasTensor, Tensor, Variable, convert, mask_of, with_mask
from gpunn.autograd.anomaly import current_layer
from gpunn.autograd.autocast import autocast as casting
from gpunn.autograd.autocast import casting_together, in_use, weights_dtype
from gpunn.autograd.mode import observers
from gpunn.autograd.symbolic import holds_symbols
from gpunn.backend import quiet
from gpunn.backend.dtypes import is_float, standardize
from gpunn.checks import known_sizes
from gpunn.errors import ArgumentTypeError, GpunnError, did_you_mean
from gpunn.guard import RAW, refuse
from gpunn.layers import tree
from gpunn.layers.config import constructor_config
from gpunn.layers.input_spec import check_inputs
from gpunn.layers.masks import has_mask, masked_call
from gpunn.layers.policy import get_policy
from gpunn.layers.remat_scope import current_scope
from gpunn.layers.stateless import stateless_call
from gpunn.layers.symbolic import SymbolicLayer
from gpunn.naming import auto_name
from gpunn.origin import from_gpunn
from gpunn.serialization import serialize_value, snake_case
from gpunn.tree import map_structure

# The call in progress: its `training` flag (None: nobody said) and the number of the outermost one.
_scope: ContextVar[tuple | None] = ContextVar("gpunn_call", default=None)
_numbers = itertools.count(1)
_SEVERAL = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Layer(SymbolicLayer):
    """A function of tensors with weights.

    Subclasses make weights in `build(input_shape)` with `add_weight` and compute in
    `call(inputs)`, which may declare `training` and `mask` arguments. Layers, and lists and dicts
    of layers, held in attributes are found by walking.

    Args:
        activity_regularizer: a function of the outputs whose value is added to the loss.
        trainable: whether optimizers change its weights.
        dtype: a dtype or policy name; default: the global policy.
        autocast: whether float inputs, and the weights where they are used, are cast to the
            compute dtype.
        name: default: made of the class's name.
        input_shape, input_dim: shape of one input, without the batch; builds at once in a
            `Sequential`.

    Source: keras.layers.Layer.

    >>> class Scale(gpunn.layers.Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=(), initializer="ones", name="factor")
    ...
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> Scale()([1.0, 2.0]).numpy()
    array([1., 2.], dtype=float32)
    """

    input_spec: Any = None  # an InputSpec, or nested ones for nested inputs
    supports_masking = False  # whether masks of the inputs pass on to the outputs
    guards_calls = True  # `__call__` tells errors from inside in terms of its arguments
    accepts_integers: bool = False  # whether `fit` leaves integers what they are
    _takes_training = _takes_mask = _computes_mask = False
    _training_at = None

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self._arguments = (args, kwargs)
        return self

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _marking_built(cls.__dict__["build"])
        # of gpunn's layers, those without a build() have no weights to make
        cls.built = cls.build is Layer.build and (from_gpunn(cls) or cls.built)
        if "compute_mask" in cls.__dict__:
            cls._computes_mask = True
            cls.supports_masking = cls.__dict__.get("supports_masking", True)
        parameters = list(inspect.signature(cls.call).parameters.values())[1:]
        names = cls._call_names = tuple([p.name for p in parameters])
        needed = [p.name for p in parameters if p.default is p.empty and p.kind not in _SEVERAL]
        # whether it is training, a call around it may say
        cls._needed_names = tuple([n for n in needed if n != "training"])
        cls._takes_training = "training" in names
        cls._takes_mask = "mask" in names
        cls._training_at = names.index("training") if cls._takes_training else None

    def __init__(
        self,
        *,
        activity_regularizer=None,
        trainable=True,
        dtype=None,
        autocast=True,
        name=None,
        input_shape=None,
        input_dim=None,
        **unknown,
    ):
        if unknown:
            known = inspect.signature(type(self).__init__).parameters
            raise ArgumentTypeError(
                f"{type(self).__name__} got unknown arguments: {', '.join(unknown)}"
                + did_you_mean(next(iter(unknown)), known)
            )
        name = auto_name(snake_case(type(self).__name__)) if name is None else str(name)
        if not isinstance(trainable, bool):
            raise ArgumentTypeError(f"trainable must be True or False, got {trainable!r}")
        self.autocast = autocast
        super().__init__(name, dtype, trainable)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._added_losses = []
        self._remat = current_scope()
        self._losses_of = 0  # the outermost call that the added losses come from
        self._last_call = 0  # the last call of which this layer was the outermost
        if input_dim is not None:
            input_shape = (input_dim,)
        given = None if input_shape is None else known_sizes("input_shape", input_shape)
        self.batch_input_shape = None if given is None else (None, *given)

    def build(self, input_shape) -> None:
        """Make the weights for inputs of this shape (None: unknown size)."""
        self.built = True

    def call(self, inputs):
        """Compute the outputs."""
        raise NotImplementedError(f"{type(self).__name__} has no call() method: write one")

    def compute_mask(self, inputs, mask=None):
        """The masks of the outputs, nested like them, for inputs with a mask: here the same one.

        A layer that writes it anew supports masking; another one passes masks on if it sets
        `supports_masking = True`.

        Source: keras.layers.Layer.compute_mask.
        """
        return mask

    # --- dtypes ---

    @property
    def dtype(self) -> str:
        """The dtype of its weights."""
        return self.dtype_policy.variable_dtype

    variable_dtype = dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype it computes in."""
        return self.dtype_policy.compute_dtype

    @property
    def dtype_policy(self):
        """The dtypes of its weights and of what it computes; may be set to a policy or its name."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, policy) -> None:
        policy = self._dtype_policy = get_policy(policy)
        compute = self._compute_dtype = standardize(policy.compute_dtype)
        self._mixes = self.autocast and policy.name.startswith("mixed")
        self._casts_to = compute if self.autocast and is_float(compute) else None

    # --- losses ---

    def add_loss(self, loss) -> None:
        """Add a tensor, by its sum, or several to what is minimised; for use inside `call`."""
        scope = _scope.get()
        if scope is not None and scope[1] != self._losses_of:
            self._losses_of = scope[1]
            self._added_losses = []
        self._added_losses.extend(loss if isinstance(loss, list | tuple) else [loss])

    @property
    def losses(self) -> list[Tensor]:
        """What `add_loss` was given in the last call, and the weights' regularization terms."""
        return self.losses_among(*self.sources_of_losses())

    def sources_of_losses(self) -> tuple[list["Layer"], list[Variable]]:
        """Every layer here and below, and the trainable weights that have a regularizer."""
        return list(self.walk()), [v for v in self.trainable_weights if v.regularizer]

    def losses_among(self, layers, regularized) -> list[Tensor]:
        """The `losses`, for a caller that keeps what `sources_of_losses` found."""
        current = [x for x in layers if x._losses_of >= self._last_call]
        added = [loss for layer in current for loss in layer._added_losses]
        return added + [v.regularizer(v) for v in regularized]

    def clear_losses(self) -> None:
        """Forget what `add_loss` was given, here and below."""
        for layer in self.walk():
            layer._added_losses.clear()

    # --- calling ---

    stateless_call = stateless_call

    def __call__(self, *args, training=None, **kwargs):
        if not self.built:
            self._require_init()
        casts_to = weights_dtype.get()
        if casts_to is not self._casts_to and (self._mixes or casts_to is not None):
            with casting(self._casts_to):
                return self(*args, training=training, **kwargs)
        outer = _scope.get()
        if len(args) > 1:
            args, kwargs, training = self._without_training(args, kwargs, training)
        if outer is None:
            scope = (training, next(_numbers))
            self._last_call = scope[1]
        else:
            scope = outer if training is None else (training, outer[1])
        token = None if scope is outer else _scope.set(scope)
        try:
            if outer is not None:
                return self._called(args, kwargs, training, scope[0])
            with quiet(), casting_together(self) if in_use else nullcontext():
                return self._called(args, kwargs, training, scope[0])
        except GpunnError as e:
            e.add_note(f"in layer {self.name!r} ({type(self).__name__})")
            raise
        except RAW as e:
            what = f"a call of layer {self.name!r} ({type(self).__name__})"
            refuse(e, what, self.call, args, kwargs)
        finally:
            if token is not None:
                _scope.reset(token)

    def _called(self, args, kwargs, said, training):
        """The outputs for anything that a layer is called on; `said` is the flag it was given."""
        x = args[0] if args else None
        if (
            type(x) is Tensor
            and (x.array.dtype == self._compute_dtype or not self.autocast)
            and self.built
            and not (kwargs or len(args) > 1 or observers or self._computes_mask or self._remat)
        ):  # nothing to prepare
            if self.input_spec is not None:
                check_inputs(self.input_spec, x, self.name)
            if self._takes_training and training is not None:
                y = self.call(x, training=training)
            else:
                y = self.call(x)
        elif not self.built:
            with self._making_weights():
                y = self._slow_call(args, kwargs, said, training)
        else:
            y = self._slow_call(args, kwargs, said, training)
        if self.activity_regularizer is not None:
            self._regularize(y)
        return y

    def _slow_call(self, args, kwargs, said, training):
        """The outputs for what has to be noted or prepared."""
        if holds_symbols(args) or holds_symbols(kwargs):
            return self._symbolic_call(args, kwargs, said)
        return self._prepared_call(args, kwargs, training)

    def _prepared_call(self, args, kwargs, training):
        """Convert and cast the inputs, build, and call."""
        args = [tree.map(self._to_input if i == 0 else self._to_tensor, a)
                for i, a in enumerate(args)]  # fmt: skip
        kwargs = {name: tree.map(self._to_tensor, a) for name, a in kwargs.items()}
        if not self.built:
            self._build_for(args, kwargs)
        if self.input_spec is not None and args:
            check_inputs(self.input_spec, args[0], self.name)
        if self._takes_training and training is not None:
            kwargs["training"] = training
        if "mask" in kwargs and not self._takes_mask:
            del kwargs["mask"]
        token = current_layer.set(self.name)
        try:
            if self._computes_mask or "mask" in kwargs or has_mask(args) or has_mask(kwargs):
                return masked_call(self, self._call_names, args, kwargs)
            return self._kept_call(*args, **kwargs)
        finally:
            current_layer.reset(token)

    def _kept_call(self, *args, **kwargs):
        """`call`, recomputed in backward if the layer was made in a `RematScope`."""
        if self._remat is None:
            return self.call(*args, **kwargs)
        return self._remat.call(self, args, kwargs)

    def _without_training(self, args, kwargs, training):
        """The arguments without the `training` flag, where that came by position, and the flag."""
        at = self._training_at
        if at is None or len(args) <= at:
            return args, kwargs, training
        after = dict(zip(self._call_names[at + 1 :], args[at + 1 :], strict=False))
        return args[:at], {**kwargs, **after}, args[at] if training is None else training

    def _to_input(self, x):
        """A tensor of anything, floats cast to the compute dtype."""
        if x is None or isinstance(x, str | bool):
            return x
        x = convert(x)
        return self._to_compute_dtype(x) if self.autocast and is_float(x.dtype) else x

    def _to_tensor(self, x):
        """The same of tensors and arrays; numbers and the like stay what they are."""
        return self._to_input(x) if hasattr(x, "shape") else x

    def _to_compute_dtype(self, x: Tensor) -> Tensor:
        """The tensor in the compute dtype, with the mask it has."""
        if x.dtype == self._compute_dtype:
            return x
        return with_mask(x.to(self._compute_dtype), mask_of(x))

    def _regularize(self, y) -> None:
        for out in tree.leaves(y):
            loss = self.activity_regularizer(out)
            self.add_loss(loss / max(out.shape[0], 1) if out.ndim else loss)

    # --- shapes and configs ---

    def compute_output_shape(self, input_shape):
        """The shape of the outputs for inputs of a shape; None stands for any size.

        Without an own rule, the layer is run on zeros of two sizes to see what varies.
        """
        like = tree.map_shapes(lambda shape: KerasTensor(shape, self.compute_dtype), input_shape)
        return map_structure(lambda x: x.shape, self._inferred((like,), {}))

    def _has_shape_rule(self) -> bool:
        return type(self).compute_output_shape is not Layer.compute_output_shape

    def get_config(self) -> dict:
        """The arguments that make a layer like this one, as JSON values.

        An argument of the constructor is taken of the attribute of its name, else of what the
        constructor was given.
        """
        base = {"name": self.name, "trainable": self._trainable, "dtype": self.dtype_policy.name}
        if self.activity_regularizer is not None:
            base["activity_regularizer"] = serialize_value(
                self.activity_regularizer, "activity_regularizer"
            )
        return constructor_config(self, self._config_root(), base)

    @classmethod
    def _config_root(cls) -> type:
        """The class whose constructor takes the name, `trainable` and the dtype alone."""
        return Layer

    @classmethod
    def from_config(cls, config: dict) -> "Layer":
        """A new layer of a config made by `get_config`."""
        try:
            return cls(**config)
        except (TypeError, ValueError) as e:
            raise ArgumentTypeError(
                f"{cls.__name__} cannot be made of its config {config}: {e}"
            ) from e

    def __repr__(self) -> str:
        name = vars(self).get("name", "?")  # without super().__init__() it has none
        return f"<{type(self).__name__} name={name}, built={self.built}>"


def _marking_built(build):
    """A subclass's build() that is done once, and leaves nothing where it fails."""

    @wraps(build)
    def build_once(self, *args, **kwargs):
        self._require_init()
        if "_building" in self.__dict__:  # super().build()
            return build(self, *args, **kwargs)
        if self.built:
            return None
        before = len(self._added_weights)
        self._built_for = (args, kwargs)
        self._building = True
        try:
            with self._making_weights():
                build(self, *args, **kwargs)
            self.built = True
            if not self._trainable:
                self.trainable = False  # of the layers it holds too
        except BaseException:
            del self._added_weights[before:]
            raise
        finally:
            del self._building

    return build_once

"""Layer: weights, and a function of tensors that uses them (Keras: `layers.Layer`)."""

import inspect
import itertools
from contextvars import ContextVar
from functools import wraps

from gpunn import constraints, initializers, regularizers
from gpunn.autograd import Tensor, Variable, convert, no_grad
from gpunn.autograd.anomaly import current_layer
from gpunn.autograd.mode import observers
from gpunn.backend import Device, device, get_backend
from gpunn.backend.dtypes import is_float, standardize
from gpunn.errors import ArgumentError, ArgumentTypeError, GpunnError, NotBuiltError, ShapeError
from gpunn.layers import tree
from gpunn.layers.config import constructor_config
from gpunn.layers.naming import auto_name, free_name
from gpunn.layers.policy import get_policy
from gpunn.serialization import serialize_value, snake_case

# The call in progress: its `training` flag (None: nobody said) and the number of the outermost one.
_scope: ContextVar[tuple | None] = ContextVar("gpunn_call", default=None)
_numbers = itertools.count(1)


class Layer:
    """A function of tensors with weights.

    Subclasses make weights in `build(input_shape)` with `add_weight` and compute in
    `call(inputs)`, which may declare `training` and `mask` arguments. Layers, and lists and dicts
    of layers, held in attributes are found by walking.

    Args:
        activity_regularizer: a function of the outputs whose value is added to the loss.
        trainable: whether optimizers change its weights.
        dtype: a dtype or policy name; default: the global policy.
        autocast: whether float inputs are cast to the compute dtype.
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

    built = False
    input_spec = None
    supports_masking = False
    _takes_training = _takes_mask = False
    _training_at = None

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self._arguments = (args, kwargs)
        return self

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _marking_built(cls.__dict__["build"])
        names = list(inspect.signature(cls.call).parameters)
        cls._takes_training = "training" in names
        cls._takes_mask = "mask" in names
        cls._training_at = names.index("training") - 1 if cls._takes_training else None

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
            raise ArgumentTypeError(
                f"{type(self).__name__} got unknown arguments: {', '.join(unknown)}"
            )
        self.name = auto_name(snake_case(type(self).__name__)) if name is None else str(name)
        self.dtype_policy = get_policy(dtype)
        self.autocast = autocast
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._compute_dtype = standardize(self.dtype_policy.compute_dtype)
        self._trainable = bool(trainable)
        self._added_weights = []
        self._added_losses = []
        self._losses_of = 0  # the outermost call that the added losses come from
        self._last_call = 0  # the last call of which this layer was the outermost
        if input_dim is not None:
            input_shape = (input_dim,)
        self.batch_input_shape = None if input_shape is None else (None, *input_shape)

    # --- weights ---

    def build(self, input_shape) -> None:
        """Make the weights for inputs of this shape (None: unknown size)."""
        self.built = True

    def call(self, inputs):
        """Compute the outputs."""
        raise NotImplementedError(f"{type(self).__name__} has no call() method: write one")

    def add_weight(
        self,
        shape=None,
        initializer=None,
        dtype=None,
        trainable=True,
        regularizer=None,
        constraint=None,
        name=None,
    ) -> Variable:
        """Make a weight.

        Args:
            shape: default: a scalar.
            initializer: default: "glorot_uniform" for floats, else "zeros".
            dtype: default: the policy's variable dtype.
            trainable: False for state that optimizers leave alone (moving averages).
            regularizer: a function of the weight, added to the loss.
            constraint: a projection applied to the weight after each step.
            name: default: "variable".

        Returns:
            The Variable, on the current device.
        """
        self._require_init()
        dtype = standardize(dtype or self.dtype_policy.variable_dtype)
        if initializer is None:
            initializer = "glorot_uniform" if is_float(dtype) else "zeros"
        name = name or "variable"
        variable = Variable(
            initializers.get(initializer),
            shape=() if shape is None else (shape,) if isinstance(shape, int) else tuple(shape),
            dtype=dtype,
            trainable=trainable,
            name=name,
            regularizer=regularizers.get(regularizer),
            constraint=constraints.get(constraint),
        )
        variable.path = f"{self.name}/{name}"
        if not self._trainable:
            variable.trainable = False
        self._added_weights.append(variable)
        return variable

    def _own_weights(self) -> list[Variable]:
        """The weights of this layer itself, trainable ones first, in order of creation."""
        added = {id(v): v for v in self._added_weights}
        found = {id(v): v for _, v in tree.find(self, Variable, Layer) if id(v) not in added}
        return sorted([*found.values(), *added.values()], key=lambda v: v.is_state)

    def sublayers(self) -> list["Layer"]:
        """The layers held in attributes, lists and dicts, one level deep, in order."""
        return list({id(x): x for _, x in tree.find(self, Layer, Layer)}.values())

    def walk(self):
        """This layer and every layer below it, each once."""
        self._require_init()
        seen = set()
        stack = [self]
        while stack:
            layer = stack.pop()
            if id(layer) not in seen:
                seen.add(id(layer))
                yield layer
                stack.extend(reversed(layer.sublayers()))

    @property
    def weights(self) -> list[Variable]:
        """Every weight, of this layer and those below, in Keras' order."""
        return list({id(v): v for layer in self.walk() for v in layer._own_weights()}.values())

    variables = weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that optimizers change."""
        return [v for v in self.weights if v.trainable]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that optimizers leave alone."""
        return [v for v in self.weights if not v.trainable]

    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def named_weights(self) -> dict[str, Variable]:
        """Every weight by its attribute path ("layers.0.kernel"), which is its key when saved."""
        named: dict[str, Variable] = {}
        seen = {id(self)}

        def visit(layer, prefix):
            paths = {id(v): path for path, v in tree.find(layer, Variable, Layer)}
            for v in layer._own_weights():
                if id(v) not in seen:
                    seen.add(id(v))
                    named[free_name(prefix + paths.get(id(v), v.name), named)] = v
            for path, sublayer in tree.find(layer, Layer, Layer):
                if id(sublayer) not in seen:
                    seen.add(id(sublayer))
                    visit(sublayer, f"{prefix}{path}.")

        visit(self, "")
        return named

    def get_weights(self) -> list:
        """The weights' values as NumPy arrays, in the order of `weights`."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, values) -> None:
        """Replace the weights' values.

        Args:
            values: arrays in the order of `weights`.

        Raises:
            NotBuiltError: if the layer has no weights yet.
            ShapeError: listing every mismatch; nothing is changed then.
        """
        weights = self.weights
        values = [convert(v, device="cpu").array for v in values]
        if not self.built and values:
            raise NotBuiltError(f"{self.name!r} has no weights yet: build it, or call it on data")
        wrong = [
            f"{v.path}: expected {v.shape}, got {a.shape}"
            for v, a in zip(weights, values, strict=False)
            if v.shape != a.shape
        ]
        if len(values) != len(weights):
            wrong.insert(0, f"expected {len(weights)} arrays, got {len(values)}")
        if wrong:
            raise ShapeError(f"cannot set the weights of {self.name!r}: " + "; ".join(wrong))
        for v, a in zip(weights, values, strict=True):
            v.assign(a)

    def count_params(self) -> int:
        """How many numbers its weights hold."""
        if not self.built:
            raise NotBuiltError(f"{self.name!r} has no weights yet: build it, or call it on data")
        return sum(v.size for v in self.weights)

    @property
    def trainable(self) -> bool:
        """Whether optimizers change its weights; setting it sets every layer below as well."""
        return self._trainable

    @trainable.setter
    def trainable(self, wanted: bool) -> None:
        for layer in self.walk():
            layer._trainable = bool(wanted)
            for v in layer._own_weights():
                if not v.is_state:
                    v.trainable = bool(wanted)

    def to(self, device) -> "Layer":
        """Move every weight to a device ("cpu", "cuda", "cuda:1"), and return the layer."""
        target = get_backend(Device.parse(device)).device
        for v in self.weights:
            v.move(target)
        return self

    # --- dtypes ---

    @property
    def dtype(self) -> str:
        """The dtype of its weights."""
        return self.dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype it computes in."""
        return self.dtype_policy.compute_dtype

    # --- losses ---

    def add_loss(self, loss) -> None:
        """Add a tensor (or several) to the loss that is minimised; for use inside `call`."""
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

    def __call__(self, *args, training=None, **kwargs):
        if not self.built:
            self._require_init()
        outer = _scope.get()
        if len(args) > 1:
            args, training = self._without_training(args, training)
        if outer is None:
            scope = (training, next(_numbers))
            self._last_call = scope[1]
        else:
            scope = outer if training is None else (training, outer[1])
        token = None if scope is outer else _scope.set(scope)
        try:
            x = args[0] if args else None
            if (
                isinstance(x, Tensor)
                and (x.array.dtype == self._compute_dtype or not self.autocast)
                and self.built
                and not (kwargs or len(args) > 1 or observers)
            ):  # nothing to prepare
                if self.input_spec is not None:
                    self.input_spec.check(x.array.shape, self.name)
                if self._takes_training and scope[0] is not None:
                    y = self.call(x, training=scope[0])
                else:
                    y = self.call(x)
            else:
                y = self._prepared_call(args, kwargs, scope[0])
            if self.activity_regularizer is not None:
                self._regularize(y)
            return y
        except GpunnError as e:
            e.add_note(f"in layer {self.name!r} ({type(self).__name__})")
            raise
        finally:
            if token is not None:
                _scope.reset(token)

    def _prepared_call(self, args, kwargs, training):
        """Convert and cast the inputs, build, and call."""
        args = tuple(tree.map(self._to_input, a) for a in args)
        if not self.built:
            self._build_for(args)
        if self.input_spec is not None and args and isinstance(args[0], Tensor):
            self.input_spec.check(args[0].shape, self.name)
        if self._takes_training and training is not None:
            kwargs["training"] = training
        if "mask" in kwargs and not self._takes_mask:
            del kwargs["mask"]
        token = current_layer.set(self.name)
        try:
            return self.call(*args, **kwargs)
        finally:
            current_layer.reset(token)

    def _without_training(self, args, training):
        """The arguments without the `training` flag, where that came by position, and the flag."""
        at = self._training_at
        if at is None or len(args) <= at:
            return args, training
        return (*args[:at], *args[at + 1 :]), args[at] if training is None else training

    def _to_input(self, x):
        """A tensor of an input, floats cast to the compute dtype."""
        if x is None or isinstance(x, str | bool):
            return x
        x = convert(x)
        wrong = is_float(x.dtype) and x.dtype != self._compute_dtype
        return x.to(self._compute_dtype) if self.autocast and wrong else x

    def _build_for(self, args) -> None:
        """Build for inputs like the first argument, on its device."""
        shapes = tree.map(
            lambda x: (None, *x.shape[1:]) if getattr(x, "ndim", 0) else (), args[0] if args else ()
        )
        first = next(tree.leaves(args), None)
        with device(get_backend().device if first is None else first.device):
            self.build(shapes)
        self.built = True

    def _regularize(self, y) -> None:
        for out in tree.leaves(y):
            loss = self.activity_regularizer(out)
            self.add_loss(loss / max(out.shape[0], 1) if out.ndim else loss)

    def _require_init(self) -> None:
        if "_added_losses" not in self.__dict__:
            raise NotBuiltError(
                f"{type(self).__name__}.__init__ must call super().__init__() before anything else"
            )

    # --- shapes and configs ---

    def compute_output_shape(self, input_shape):
        """The shape of the outputs for inputs of a shape; None stands for any size.

        Without an own rule, the layer is run on zeros of two batch sizes to see what varies.
        """
        if not self.built:
            self.build(input_shape)
        with no_grad():
            one, two = (self._probe(input_shape, n) for n in (2, 3))
        self.clear_losses()
        return tree.map(
            lambda a, b: tuple(
                m if m == n else None for m, n in zip(a.shape, b.shape, strict=True)
            ),
            one,
            two,
        )

    def _probe(self, input_shape, size: int):
        def zeros(shape):
            full = tuple(size if n is None else n for n in shape)
            be = get_backend(self.weights[0].device if self.weights else None)
            return convert(be.zeros(full, self.compute_dtype))

        return self(tree.map_shapes(zeros, input_shape), training=False)

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
        return constructor_config(self, Layer, base)

    @classmethod
    def from_config(cls, config: dict) -> "Layer":
        """A new layer of a config made by `get_config`."""
        try:
            return cls(**config)
        except TypeError as e:
            raise ArgumentError(f"{cls.__name__} cannot be made of its config {config}: {e}") from e

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


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
        self._building = True
        try:
            build(self, *args, **kwargs)
            self.built = True
        except BaseException:
            del self._added_weights[before:]
            raise
        finally:
            del self._building

    return build_once

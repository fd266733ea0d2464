"""WeightOwner: the half of a layer that has weights, its own and those of the layers it holds."""

from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral

from gpunn import constraints, initializers, regularizers
from gpunn.autograd import Variable, convert
from gpunn.backend import Device, get_backend
from gpunn.backend.dtypes import is_float, standardize
from gpunn.checks import as_list
from gpunn.errors import ArgumentError, ArgumentTypeError, NotBuiltError, ShapeError
from gpunn.layers import tree
from gpunn.naming import free_name

# The names of the owners in which weights are being made, "model/block/": their paths begin so.
_around: ContextVar[str] = ContextVar("gpunn_path", default="")


@contextmanager
def name_scope(name: str):
    """Inside, the paths of weights that are made begin with a name: as "block/dense/kernel".

    Args:
        name: without a slash; scopes inside scopes add theirs.

    Raises:
        ArgumentError: for another name.

    Source: keras.name_scope.

    >>> with gpunn.name_scope("block"):
    ...     dense = gpunn.layers.Dense(1, name="dense")
    ...     y = dense(np.ones((1, 2)))
    >>> dense.kernel.path
    'block/dense/kernel'
    """
    if not isinstance(name, str) or not name or "/" in name:
        raise ArgumentError(f"name_scope takes a name without a slash, got {name!r}")
    token = _around.set(f"{_around.get()}{name}/")
    try:
        yield
    finally:
        _around.reset(token)


class WeightOwner:
    """Makes weights, and finds those of the owners in its attributes, lists and dicts."""

    built = False
    _path: str | None = None  # its name after those of the owners around it, once that is known

    def __init__(self, name: str, dtype_policy, trainable: bool):
        self.name = name
        self.dtype_policy = dtype_policy
        self._trainable = bool(trainable)
        self._added_weights = []

    def add_weight(
        self,
        shape=None,
        initializer=None,
        dtype=None,
        trainable=True,
        autocast=True,
        regularizer=None,
        constraint=None,
        aggregation=None,
        name=None,
    ) -> Variable:
        """Make a weight.

        Args:
            shape: default: a scalar.
            initializer: default: "glorot_uniform" for floats, else "zeros".
            dtype: default: the policy's variable dtype.
            trainable: False for state that optimizers leave alone (moving averages).
            autocast: whether the layer computes with it in its compute dtype, if that is another.
            aggregation: taken for Keras' sake.
            regularizer: a function of the weight, added to the loss.
            constraint: a projection applied to the weight after each step.
            name: default: "variable", or "variable_1", ... where the layer has that one.

        Returns:
            The Variable, on the current device.
        """
        self._require_init()
        if isinstance(shape, str):
            raise ArgumentTypeError(
                f"add_weight({shape!r}) of layer {self.name!r}: the shape comes first; a name is "
                f"given by name={shape!r}"
            )
        name = name or free_name("variable", [v.name for v in self._added_weights])
        shape = () if shape is None else (shape,) if isinstance(shape, Integral) else tuple(shape)
        if not all(isinstance(n, Integral) and int(n) >= 0 for n in shape):
            raise ShapeError(
                f"the shape of weight {name!r} of layer {self.name!r} must be known sizes, "
                f"got {shape}"
            )
        dtype = standardize(dtype or self.dtype_policy.variable_dtype)
        if initializer is None:
            initializer = "glorot_uniform" if is_float(dtype) else "zeros"
        variable = Variable(
            initializers.get(initializer),
            shape=shape,
            dtype=dtype,
            trainable=trainable,
            name=name,
            regularizer=regularizers.get(regularizer),
            constraint=constraints.get(constraint),
            autocast=autocast,
        )
        variable.path = f"{self._path or _around.get() + self.name}/{name}"
        if not self._trainable:
            variable.trainable = False
        self._added_weights.append(variable)
        return variable

    def add_variable(self, shape, initializer, **options) -> Variable:
        """The same as `add_weight`, by the name that metrics have for it."""
        return self.add_weight(shape, initializer, **options)

    @contextmanager
    def _making_weights(self):
        """Inside, the paths of weights that owners in this one make begin with its own."""
        self._path = self._path or _around.get() + self.name
        token = _around.set(f"{self._path}/")
        try:
            yield
        finally:
            _around.reset(token)

    def _own_weights(self) -> list[Variable]:
        """The weights of this layer itself, trainable ones first, in order of creation."""
        added = {id(v): v for v in self._added_weights}
        found = {id(v): v for _, v in tree.find(self, Variable, WeightOwner) if id(v) not in added}
        return sorted([*found.values(), *added.values()], key=lambda v: v.is_state)

    def sublayers(self) -> list["WeightOwner"]:
        """The layers held in attributes, lists and dicts, one level deep, in order."""
        return list({id(x): x for _, x in tree.find(self, WeightOwner, WeightOwner)}.values())

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

    def first_weight(self) -> Variable | None:
        """Any weight, found sooner than `weights` finds them all; None if there is none."""
        for layer in self.walk():
            if layer._added_weights:
                return layer._added_weights[0]
        return next(iter(self.weights), None)

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that optimizers change; none of a layer that is not `trainable`."""
        return [v for v in self.weights if v.trainable] if self._trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that optimizers leave alone."""
        return [v for v in self.weights if not (v.trainable and self._trainable)]

    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def named_weights(self) -> dict[str, Variable]:
        """Every weight by its attribute path ("layers.0.kernel"), which is its key when saved."""
        named: dict[str, Variable] = {}
        seen = set()
        for path, layer in self.named_layers():
            own = {id(v): name for name, v in tree.find(layer, Variable, WeightOwner)}
            for v in layer._own_weights():
                if id(v) not in seen:
                    seen.add(id(v))
                    name = own.get(id(v), v.name)
                    named[free_name(f"{path}.{name}" if path else name, named)] = v
        return named

    def named_layers(self):
        """This layer and those below, each once, as (attribute path, layer); its own path is ""."""
        seen = {id(self)}

        def visit(path, layer):
            yield path, layer
            for name, sublayer in tree.find(layer, WeightOwner, WeightOwner):
                if id(sublayer) not in seen:
                    seen.add(id(sublayer))
                    yield from visit(f"{path}.{name}" if path else name, sublayer)

        yield from visit("", self)

    def save_own_variables(self, store) -> None:
        """Put what a file shall hold of this layer alone into `store`, as arrays by name.

        A class that writes it anew says what is saved instead of its own weights.

        Source: keras.layers.Layer.save_own_variables.
        """
        for i, v in enumerate(self._own_weights()):
            store[str(i)] = v.numpy()

    def load_own_variables(self, store) -> None:
        """Take back what `save_own_variables` stored.

        Source: keras.layers.Layer.load_own_variables.
        """
        for i, v in enumerate(self._own_weights()):
            v.assign(store[str(i)])

    def get_weights(self) -> list:
        """The weights' values as NumPy arrays, in the order of `weights`."""
        return [v.numpy() for v in self.weights]

    @property
    def knows_weights(self) -> bool:
        """Whether all weights that it will have are made."""
        return self.built

    def set_weights(self, values) -> None:
        """Replace the weights' values.

        Args:
            values: arrays in the order of `weights`.

        Raises:
            NotBuiltError: if the layer has no weights yet.
            ShapeError: listing every mismatch; nothing is changed then.
        """
        weights = self.weights
        values = as_list("values", values, "arrays")
        values = [convert(v, device="cpu").array for v in values]
        if not self.knows_weights and values:
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
        if not self.knows_weights:
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

    def to(self, device) -> "WeightOwner":
        """Move every weight to a device ("cpu", "cuda", "cuda:1"), and return the layer."""
        target = get_backend(Device.parse(device)).device
        for v in self.weights:
            v.move(target)
        return self

    def zero_grad(self) -> None:
        """Forget the gradients of its weights; after `optimizer.step()` there are none."""
        for v in self.weights:
            v.grad = None

    def _require_init(self) -> None:
        if "_added_weights" not in self.__dict__:
            raise NotBuiltError(
                f"{type(self).__name__}.__init__ must call super().__init__() before anything else"
            )

"""Variable: a leaf tensor with a name that layers own and optimizers change (Keras: `Variable`)."""

from typing import Any, ClassVar

from gpunn.autograd.clock import mutated
from gpunn.autograd.tensor import Tensor, accumulating
from gpunn.backend import backend_of, get_backend, to_array
from gpunn.backend.dtypes import is_float, standardize
from gpunn.errors import ArgumentError, ShapeError


class Variable(Tensor):
    """A tensor that can be trained and assigned to.

    Args:
        initializer: values, or a function `(shape, dtype) -> values` or the name of one.
        shape: needed with a function.
        dtype: default: the values' (`floatx` with a function).
        trainable: whether optimizers change it; integers never are trainable.
        aggregation, synchronization: taken for Keras' sake.
        name: its own name; `path` is set by the layer that owns it.
        device: default: the current one.
        regularizer, constraint: what the layer that owns it and the optimizer read.
        autocast: whether a layer that computes in another dtype than its weights' uses it in that.

    Raises:
        ArgumentError: if a function comes without a shape.
        ShapeError: if the values do not have the given shape.

    >>> v = gpunn.Variable([1.0, 2.0], name="v")
    >>> v.assign_add([1.0, 1.0]).numpy()
    array([2., 3.], dtype=float32)
    """

    named_initializer: ClassVar[Any] = None  # finds one by its name; gpunn.initializers sets it

    def __init__(
        self,
        initializer,
        shape=None,
        dtype=None,
        trainable=True,
        name="variable",
        device=None,
        regularizer=None,
        constraint=None,
        autocast=True,
        aggregation=None,
        synchronization=None,
    ):
        be = get_backend(device)
        if isinstance(initializer, str):
            initializer = self.named_initializer(initializer)
        if callable(initializer) and not isinstance(initializer, Tensor):
            if shape is None:
                raise ArgumentError(f"variable {name!r}: an initializer function needs a shape")
            initializer = initializer(tuple(shape), dtype=standardize(dtype).name)
        values = initializer.array if isinstance(initializer, Tensor) else initializer
        array = to_array(values, dtype, be.device)
        if shape is not None and array.shape != tuple(shape):
            raise ShapeError(
                f"variable {name!r}: expected values of shape {tuple(shape)}, got {array.shape}"
            )
        if array is values or getattr(array, "base", None) is not None:
            array = array.copy()  # never the memory of somebody else's array
        self.array = array
        self.node = None
        self._grad = None
        self._grad_slot = None  # the view of the flat gradient vector, once an optimizer has one
        self.name = name
        self.path = name
        self.regularizer = regularizer
        self.constraint = constraint
        self.autocast = bool(autocast)
        self.is_state = not trainable  # no layer's `trainable` makes it trainable
        self.trainable = trainable

    @property
    def trainable(self) -> bool:
        """Whether optimizers change it."""
        return self.requires_grad

    @trainable.setter
    def trainable(self, wanted: bool) -> None:
        self.requires_grad = bool(wanted) and is_float(self.array.dtype)

    def __repr__(self) -> str:
        kind = f"shape={self.shape}, dtype={self.dtype.name}"
        return f"<Variable path={self.path}, {kind}, value={self.numpy()}>"

    @property
    def value(self) -> "Variable":
        """Itself (Keras: the backend's tensor)."""
        return self

    def accumulate(self, dx) -> None:
        """Add an array to the gradient; the first goes into the flat gradient vector."""
        with accumulating:
            grad, slot = self._grad, self._grad_slot
            dtype = self.array.dtype
            if dx.dtype is not dtype and dx.dtype != dtype:
                is_wider = dtype.itemsize > dx.dtype.itemsize
                if not (is_wider and grad is None and slot is not None):
                    dx = dx.astype(dtype)
            if grad is not None:
                grad += dx
                self._grad_history = (None, None)
            elif slot is not None:
                if dx is not slot:  # else it was put there; a half is cast on its way
                    backend_of(slot).copyto(slot, dx)
                self._grad = slot
            else:
                self._grad = backend_of(self.array).copy(dx)

    def assign(self, value) -> "Variable":
        """Replace the values in place; the shape stays.

        Raises:
            ShapeError: if the values have another shape; nothing is changed.
        """
        be = backend_of(self.array)
        new = to_array(value.array if isinstance(value, Tensor) else value, self.dtype, be.device)
        if new.shape != self.array.shape:
            raise ShapeError(
                f"variable {self.path!r} has shape {self.shape}, cannot assign shape {new.shape}"
            )
        mutated(self.array)
        be.copyto(self.array, new)
        return self

    def assign_add(self, value) -> "Variable":
        """Add to the values in place."""
        return self.assign(self.detach() + value)

    def assign_sub(self, value) -> "Variable":
        """Subtract from the values in place."""
        return self.assign(self.detach() - value)

    def numpy(self):
        """The values as a NumPy array of their own: training does not change it later."""
        return backend_of(self.array).to_numpy(self.array).copy()

    def __getstate__(self) -> dict:
        """What copies and pickles take along: no gradient, no place in an optimizer's memory."""
        kept = {k: v for k, v in vars(self).items() if k not in ("_home", "_grad_slot")}
        be = backend_of(self.array)
        return {"array": be.copy(self.array), "requires_grad": self.requires_grad, "more": kept}

    def __setstate__(self, state: dict) -> None:
        self.array, self.requires_grad = state["array"], state["requires_grad"]
        self.node = self._grad = self._grad_slot = None
        vars(self).update(state["more"])

    def move(self, device) -> None:
        """Move the values, and the gradient if there is one, to another device."""
        be = get_backend(device)
        if backend_of(self.array).device == be.device:
            return
        self.array = be.asarray(self.array)
        self._grad_slot = None
        if self._grad is not None:
            self._grad = be.asarray(self._grad)


Parameter = Variable

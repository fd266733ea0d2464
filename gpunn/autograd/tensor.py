"""Tensor: an array, and how it was made when a gradient may be asked of it."""

import threading
import weakref
from typing import Any

import numpy as np

from gpunn.autograd.backward import backward
from gpunn.autograd.clock import mutated, tick
from gpunn.autograd.mode import grad_enabled
from gpunn.autograd.node import Node
from gpunn.backend import Device, backend_of, get_backend, to_array
from gpunn.backend.dtypes import is_float, standardize
from gpunn.backend.words import is_words
from gpunn.errors import DTypeError, GradientError, ShapeError


class Tensor:
    """An n-dimensional array that remembers how it was computed.

    Its operators and methods such as `sum` are `gpunn.ops`; `ops/operators.py` gives it them.

    Args:
        data: NumPy or CuPy arrays (not copied), lists, scalars, pandas or DLPack objects.
        requires_grad: whether `backward` shall fill `.grad`.
        dtype: default: the data's; floats in Python lists get `floatx`, ints int32.
        device: default: where a GPU array lies, else the current device.

    Raises:
        DTypeError: if a gradient is wanted of integers.
        DeviceError: if the device cannot be used.

    >>> x = gpunn.Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad.numpy()
    array([2., 4.], dtype=float32)
    """

    __slots__ = ("array", "node", "requires_grad", "_grad", "_grad_history", "__weakref__")
    __hash__ = object.__hash__
    _keras_mask: "Tensor | None" = None  # of a `Masked` one

    def __init__(self, data, requires_grad=False, dtype=None, device=None):
        if isinstance(data, Tensor):
            data = data.array
        self.array = to_array(data, dtype, device)
        self.node = None
        self._grad = None
        self.requires_grad = False
        if requires_grad:
            self.requires_grad_()

    # --- what it is ---

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def size(self) -> int:
        return self.array.size

    @property
    def dtype(self):
        return self.array.dtype

    @property
    def device(self):
        return backend_of(self.array).device

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user, not by an op that recorded it."""
        return self.node is None

    @property
    def leaf(self) -> "Tensor":
        """Where gradients of this leaf go: to itself, but for a weight in another dtype."""
        return self

    def __repr__(self) -> str:
        text = str(self.numpy())
        where = "" if self.device.kind == "cpu" else f", device={str(self.device)!r}"
        grad = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({text}, shape={self.shape}, dtype={self.dtype.name}{where}{grad})"

    # --- out of the engine ---

    def numpy(self):
        """The values as a NumPy array: no copy on the CPU, a copy from a GPU."""
        return backend_of(self.array).to_numpy(self.array)

    def item(self):
        """The one value as a Python number."""
        if self.size != 1:
            raise ShapeError(f"item() takes a tensor of one element, not of shape {self.shape}")
        return backend_of(self.array).to_numpy(self.array).item()

    def tolist(self):
        """The values as nested Python lists."""
        return self.numpy().tolist()

    def __array__(self, dtype=None, copy=None):
        return np.array(self.numpy(), dtype, copy=copy)

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    @property
    def __cuda_array_interface__(self):
        return self.array.__cuda_array_interface__  # AttributeError on the CPU, as it should be

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(
                f"the truth of a tensor of shape {self.shape} is ambiguous: use any() or all()"
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iub":
            raise DTypeError(f"only integer tensors can be an index, not {self.dtype}")
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __len__(self) -> int:
        if not self.ndim:
            raise DTypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self):
        if not self.ndim:
            raise DTypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    # --- gradients ---

    @property
    def grad(self) -> "Tensor | None":
        """The gradient that `backward` summed up, or None."""
        if self._grad is None:
            return None
        dx = wrap(self._grad)
        node, made = getattr(self, "_grad_history", (None, None))
        if made is self._grad:
            dx.node, dx.requires_grad = node, node is not None
        return dx

    @grad.setter
    def grad(self, value) -> None:
        if value is None:
            self._grad = None
            return
        values = value.array if isinstance(value, Tensor) else value
        array = to_array(values, self.dtype, self.device)
        if array.shape != self.shape:
            raise ShapeError(f"a gradient of shape {array.shape} for a tensor of {self.shape}")
        self._grad = None
        self.accumulate(array)

    @property
    def data(self) -> "Tensor":
        """The same memory without the history (PyTorch's `.data`)."""
        return wrap(self.array)

    @data.setter
    def data(self, value) -> None:
        new = value if isinstance(value, Tensor) else Tensor(value, dtype=self.dtype)
        if new.shape != self.shape:
            raise ShapeError(f"data of shape {new.shape} for a tensor of {self.shape}")
        mutated(self.array)
        backend_of(self.array).copyto(self.array, new.array)

    def requires_grad_(self, wanted: bool = True) -> "Tensor":
        """Ask for a gradient of this leaf, or ask no more; returns the tensor."""
        if wanted and not is_float(self.dtype):
            raise DTypeError(
                f"only floats have gradients, not {self.dtype.name}: use astype('float32') first"
            )
        if self.node is not None:
            raise GradientError("requires_grad can be set on leaves only: use detach() first")
        self.requires_grad = wanted
        return self

    def detach(self) -> "Tensor":
        """The same values, cut off from what they were computed of."""
        return wrap(self.array)

    def clone(self) -> "Tensor":
        """A copy of the values; gradients flow back to where they came from."""
        return derive(self, self.array.copy(), "clone", lambda dy, needs: (dy,), Tensor.clone)

    def backward(self, grad=None, retain_graph=False, create_graph=False) -> None:
        """Add the gradient of this tensor to `.grad` of every leaf it was computed of.

        Args:
            grad: dL/d(self), of this shape; default: ones, for a tensor of one element.
            retain_graph: keep the graph, so that backward can be called again.
            create_graph: keep it, and let the gradients have gradients in their turn.

        Raises:
            GradientError: if nothing here requires a gradient, if the graph was used up by an
                earlier backward, or if an array it needs was changed in place since; with
                `create_graph` if an op has no second derivative.
            ShapeError: if `grad` has another shape, or is left out for more than one element.
        """
        if not self.requires_grad:
            raise GradientError(
                "backward() of a tensor that does not require a gradient: none of what it was "
                "computed of does (or it was computed under no_grad, or detached)"
            )
        if create_graph:
            backward_with_graph(self, grad)
        else:
            backward(self.node or self, seed_gradient(self, grad), retain_graph)

    def retain_grad(self) -> None:
        """Keep the gradient of this intermediate result in `.grad` as well."""
        if not self.requires_grad:
            raise GradientError("retain_grad() of a tensor that does not require a gradient")
        if self.node is not None:
            self.node.retained = weakref.ref(self)
            self._grad = None

    def accumulate(self, dx) -> None:
        """Add an array to the gradient."""
        with accumulating:
            grad = self._grad
            if dx.dtype is not self.array.dtype:
                dx = dx.astype(self.array.dtype, copy=False)
            if grad is None:
                self._grad = backend_of(self.array).copy(dx)
                return
            total = grad + dx
            if type(total) is not type(grad):  # NumPy's 0-d results are scalars
                total = backend_of(grad).wrap(total)
            self._grad = total

    # --- moving ---

    def to(self, target) -> "Tensor":
        """The tensor on another device ("cuda") or with another dtype ("float64").

        Itself if there is nothing to do. Gradients flow back to where they came from.

        >>> gpunn.Tensor([1, 2]).to("float64").dtype
        dtype('float64')
        """
        name = str(target)
        if isinstance(target, Device) or name.partition(":")[0] in ("cpu", "cuda", "gpu", "auto"):
            device = Device.parse(target)
            if device == self.device:
                return self
            array = get_backend(device).asarray(self.array)
            source = self.device

            def pull(dy, needs):
                back = isinstance(dy, Tensor)
                return (dy.to(source) if back else get_backend(source).asarray(dy),)

            return derive(self, array, "to", pull, lambda x: x.to(device))
        dtype = standardize(target)
        if dtype == self.dtype:
            return self
        if is_words(self.array):
            raise DTypeError(
                f"words are no {dtype.name} (such as {self.array.reshape(-1)[:1].tolist()}): look "
                "them up, with StringLookup, TextVectorization or Hashing"
            )
        array = self.array.astype(dtype)
        return derive(self, array, "cast", lambda dy, needs: (dy,), lambda x: x.to(dtype))

    def cpu(self) -> "Tensor":
        """The tensor on the CPU."""
        return self.to("cpu")

    def cuda(self, index: int = 0) -> "Tensor":
        """The tensor on a CUDA device."""
        return self.to(f"cuda:{index}")


_new = object.__new__
backward_with_graph: Any = None  # higher.py puts it here
accumulating = threading.Lock()  # two threads may add to one leaf's gradient


def wrap(array) -> Tensor:
    """A tensor of a raw array, with no history."""
    t = _new(Tensor)
    t.array = array
    t.node = None
    t.requires_grad = False
    t._grad = None
    return t


def seed_gradient(y: Tensor, grad):
    """The array that a backward walk from y starts with: `grad`, or one for a single number."""
    if grad is None:
        if y.size != 1:
            raise ShapeError(
                f"backward() of a tensor of shape {y.shape} needs its gradient: give one of that "
                "shape, or take a sum or mean first"
            )
        return backend_of(y.array).one(y.shape, y.dtype)
    dy = convert(grad, y.dtype, y.device).array
    if dy.shape != y.shape:
        raise ShapeError(f"expected a gradient of shape {y.shape}, got {dy.shape}")
    return dy


def derive(x: Tensor, array, op: str, pull, again=lambda x: x) -> Tensor:
    """The result of a one-operand op that is not a primitive; `again` does the op on tensors."""
    y = wrap(array)
    if x.requires_grad and grad_enabled.get() and is_float(array.dtype):
        held = (x.dtype if x.leaf is not x else None,)
        parents, recipe = (x.node or x.leaf,), (again, held, {})
        y.node = Node(tick(), op, pull, parents, (True,), array.shape, array.dtype, recipe)
        y.requires_grad = True
    return y


def convert(x, dtype=None, device=None) -> Tensor:
    """A tensor of anything array-like; itself if it is one already (`convert_to_tensor`).

    >>> gpunn.autograd.convert([1, 2]).dtype
    dtype('int32')
    """
    if not isinstance(x, Tensor):
        return wrap(to_array(x, dtype, device))
    if device is not None:
        x = x.to(Device.parse(device))
    return x if dtype is None else x.to(standardize(dtype))


def cast(x, dtype) -> Tensor:
    """The tensor with another dtype; its gradient is cast back (`keras.ops.cast`).

    >>> gpunn.autograd.cast([1.5], "int32").numpy()
    array([1], dtype=int32)
    """
    return convert(x).to(standardize(dtype))

"""Recorder: a backend whose arrays calculate nothing, and note what would be calculated."""

import threading

import numpy as np

from gpunn.backend import BY_TYPE, CPU_BACKEND
from gpunn.backend.device import CPU
from gpunn.backend.dtypes import standardize
from gpunn.backend.host import trim
from gpunn.backend.numpy_ import NumpyBackend
from gpunn.backend.random import drawn, frozen
from gpunn.backend.registry import maker
from gpunn.backend.special import erf32
from gpunn.capture.functions import ABOUT, FUNCTIONS, RESHAPES, WITH_OUT
from gpunn.capture.ir import Call, Storage, View, views_in
from gpunn.capture.ownership import Ownership
from gpunn.capture.pages import Pages
from gpunn.capture.recarray import RecArray, arrays_in, plain
from gpunn.errors import CaptureError

_one_at_a_time = threading.RLock()


class _Module:
    """numpy, as bodies see it: arrays that are made are the recorder's."""

    def __init__(self, recorder):
        for name in ("empty", "zeros", "full"):
            setattr(self, name, getattr(recorder, name))
        for name in ("ones", "arange", "eye", "linspace", "tri"):
            setattr(self, name, _making(recorder, getattr(np, name)))
        self.asarray = self.ascontiguousarray = self.array = recorder.array

    def __getattr__(self, name):
        return getattr(np, name)


def _making(recorder, function):
    return lambda *args, **options: recorder.copy(recorder.constant(function(*args, **options)))


class Recorder(NumpyBackend):
    """Notes the calls that run inside its `with` block on the arrays it gives out.

    What it cannot record raises CaptureError; whatever happens, no array of anybody changes.

    >>> recorder = Recorder()
    >>> x = np.ones(2)
    >>> with recorder:
    ...     y = recorder.external(x)
    ...     y += 1
    >>> len(recorder.calls), x
    (1, array([1., 1.]))
    """

    array_type = RecArray  # type: ignore[assignment]

    def __init__(self):
        super().__init__(CPU)
        self.xp = _Module(self)
        self.calls: list[Call] = []
        self.closed = False
        self.backend = self  # as a `Graph` has it, which records a GPU's backend
        self.pages = Pages()
        self.takes_arrays = False  # whether plain NumPy arrays may take part, as constants
        self._lifted: list[tuple[np.ndarray, np.ndarray]] = []
        self._externals: dict[int, RecArray] = {}
        for name in ("erfinv", "lgamma", "digamma"):
            setattr(self, name, self._function_of_one(getattr(CPU_BACKEND, name)))

    def __enter__(self):
        _one_at_a_time.acquire()
        trim()  # memory that steps call by call have freed goes back, before the plan takes its own
        self._ownership = Ownership(self.calls)
        BY_TYPE[RecArray] = self
        self._tokens = frozen.set(True), maker.set(self)
        self._ownership.__enter__()
        return self

    def __exit__(self, *exc):
        self._ownership.__exit__(*exc)
        frozen.reset(self._tokens[0])
        maker.reset(self._tokens[1])
        del BY_TYPE[RecArray]
        self.closed = True
        _one_at_a_time.release()

    # --- arrays in ---

    def new(self, carrier, kind="temp", array=None) -> RecArray:
        """A recorded array that a fresh carrier stands for."""
        found = np.ndarray.view(carrier, RecArray)
        found.storage = Storage(kind, carrier, array, len(self.calls))
        found.recorder = self
        return found

    def external(self, array) -> RecArray:
        """What stands for a real array that the calls shall read and write."""
        if array is None or not array.flags.c_contiguous or not array.size:
            raise CaptureError("only arrays in C order that are not empty can be recorded")
        root = array.base  # views of one array must be seen to share its memory
        if not isinstance(root, np.ndarray) or not root.flags.c_contiguous:
            root = array
        found = self._externals.get(id(root))
        if found is None:
            found = self.new(self.pages.zeros(root.shape, root.dtype), "external", root)
            self._externals[id(root)] = found
        if array is root:
            return found
        offset = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
        bytes_ = plain(found).reshape(-1).view(np.uint8)[offset : offset + array.nbytes]
        return self._part(found, bytes_.view(array.dtype).reshape(array.shape))

    def _part(self, of: RecArray, carrier) -> RecArray:
        """A recorded array whose carrier is a view of another's."""
        found = np.ndarray.view(carrier, RecArray)
        found.storage, found.recorder = of.storage, self
        return found

    def constant(self, array) -> RecArray:
        """A real array that never changes."""
        array = np.ascontiguousarray(array).reshape(np.shape(array))
        return self.new(array, "constant", array)

    def _lift(self, x: np.ndarray) -> RecArray:
        """Somebody's array as a constant."""
        if not x.flags.c_contiguous or x.dtype.hasobject:
            raise CaptureError("an array of somebody's that is not in C order, or of objects")
        copy = x.copy()
        self._lifted.append((x, copy))
        return self.constant(copy)

    def require_same_arrays(self) -> None:
        """Raise if an array that was taken for a constant has been changed since."""
        if any(x.tobytes() != copy.tobytes() for x, copy in self._lifted):
            raise CaptureError("an array that takes part is changed while it runs")

    def view(self, x: RecArray) -> View:
        """An array as a part of a storage."""
        storage = x.storage
        if storage is None or x.recorder is not self or not x.size:
            raise CaptureError("an empty array, or one of another recording")
        low, high = np.lib.array_utils.byte_bounds(plain(x))
        if low < storage.low or high > storage.low + storage.nbytes:
            raise CaptureError("an array that was made in a way the recording did not see")
        offset = plain(x).__array_interface__["data"][0] - storage.low
        return View(storage, offset, x.shape, x.strides, x.dtype)

    def _arguments(self, x):
        """Nested arguments with views instead of arrays; foreign arrays are refused."""
        if isinstance(x, RecArray):
            return self.view(x)
        if isinstance(x, np.ndarray):
            if self.takes_arrays:
                return self.view(self._lift(x))
            raise CaptureError(
                f"an array of shape {x.shape} that was made outside the primitives takes part: it "
                "would never change again; make it a Variable or an input"
            )
        if type(x) in (tuple, list):
            return type(x)([self._arguments(v) for v in x])
        return x

    def note(self, form, fn, args, out=None, options=None, lasting=False, reads=None) -> None:
        """Add a call."""
        args = self._arguments(tuple(args))
        target = None if out is None else self.view(out)
        if target is not None and target.storage.kind == "constant":
            raise CaptureError("a constant would be changed in place")
        reads = tuple(views_in(args)) if reads is None else self._arguments(tuple(reads))
        self.calls.append(Call(form, fn, args, options or {}, reads, target, lasting))

    # --- what arrays do ---

    def run(self, function, args, options):
        """A function whose result's shape does not depend on values."""
        if function is np.ndarray.clip and not options and _between_numbers(*args):
            return function(*args)  # NumPy's method calls a ufunc, which `ufunc` below is told of
        options = dict(options)
        given = options.pop("out", None) if function.__name__ in WITH_OUT else None
        if any(isinstance(v, np.ndarray) for v in options.values()):
            raise CaptureError(f"{function.__name__} with out= or an array by name")
        with np.errstate(all="ignore"):
            result = function(*plain(args), **options)
        if not isinstance(result, np.ndarray | np.generic):
            raise CaptureError(f"{function.__name__} gives a {type(result).__name__}")
        for x in arrays_in(args):
            if isinstance(result, np.ndarray) and np.may_share_memory(result, x.storage.carrier):
                return self._part(x, result)
        if function in RESHAPES and not options and str not in map(type, args):
            # no view of x: a copy, in C order
            out, x = self.empty(result.shape, result.dtype), args[0]
            self.copy_to(self._part(out, plain(out).reshape(x.shape)), x)
            return out
        out = given
        if out is None:
            out = self.new(self.pages.zeros_like(result))
        form = "into" if function.__name__ in WITH_OUT else "store"
        self.note(form, function, args, out, options)
        return out

    def function(self, function, args, options):
        """A function of NumPy."""
        if function is np.copyto:
            return self.copy_to(*args, **options)
        if function is np.dot:
            return self._product(np.dot, *args, **options)
        if function in ABOUT:
            return function(*plain(args), **options)
        if function not in FUNCTIONS or (function is np.where and len(args) != 3):
            raise CaptureError(f"numpy.{function.__name__} cannot be recorded")
        return self.run(function, args, options)

    def ufunc(self, ufunc, method, inputs, options):
        """A ufunc, or its reduction."""
        (out,) = options.pop("out", (None,))
        if options.pop("where", True) is not True:
            raise CaptureError(f"{ufunc.__name__} with where= cannot be recorded")
        if ufunc is np.matmul and method == "__call__" and not options:
            return self._product(ufunc, *inputs, out=out)
        if method in ("reduce", "accumulate"):
            function = getattr(ufunc, method)
            if out is None:
                with np.errstate(all="ignore"):
                    out = self.new(self.pages.zeros_like(function(*plain(inputs), **options)))
            self.note("into", function, inputs, out, options)
            return out
        if method != "__call__" or ufunc.nout != 1 or ufunc.signature or set(options) - {"dtype"}:
            raise CaptureError(f"{ufunc.__name__}.{method} cannot be recorded as it was called")
        samples = [np.ones(1, x.dtype) if isinstance(x, np.ndarray) else x for x in inputs]
        with np.errstate(all="ignore"):
            into = None if out is None else np.ones(1, out.dtype)
            dtype = ufunc(*samples, out=into, **options).dtype
        if out is None:
            out = self.new(self._allocated([plain(x) for x in inputs], dtype))
        kinds = {x.dtype for x in inputs if isinstance(x, np.ndarray)}
        if len(kinds) == 1 and next(iter(kinds)).kind == "f":
            inputs = tuple([self._number(x, *kinds) for x in inputs])
        self.note("into" if options else "ufunc", ufunc, inputs, out, options)
        return out

    def _number(self, x, dtype):
        """A Python number as the 0-d array that NumPy would make of it at every call."""
        if type(x) not in (int, float):
            return x
        with np.errstate(all="ignore"):
            return self.constant(np.asarray(x, dtype))

    def _product(self, function, a, b, out=None):
        if out is None:
            out = self.new(self._product_of(function, plain(a), plain(b)))
        self.note("ufunc", function, (a, b), out)
        return out

    def _product_of(self, function, a, b) -> np.ndarray:
        """The array that a product would make, with zeros in it."""
        if (
            a.ndim > 1 < b.ndim
            and a.shape[-1] == b.shape[-2]
            and (function is np.matmul or b.ndim == 2)
        ):
            one = function(a[..., :1, :1], b[..., :1, :1])
            shape = (*one.shape[:-2], a.shape[-2], b.shape[-1])
            if one.flags.c_contiguous:
                return self.pages.zeros(shape, one.dtype)
        return self.pages.zeros_like(function(a, b))

    def _allocated(self, operands, dtype) -> np.ndarray:
        """The array that a ufunc would make for its result, with zeros in it."""
        arrays = [x for x in operands if isinstance(x, np.ndarray)]
        flags: list = [["readonly"]] * len(arrays) + [["writeonly", "allocate"]]
        dtypes = [None] * len(arrays) + [dtype]
        iterator = np.nditer([*arrays, None], ["zerosize_ok"], flags, dtypes, order="K")
        made = iterator.operands[-1]
        found = self.pages.zeros_like(made)
        if found.strides != made.strides:
            raise CaptureError("a result with gaps in memory")
        return found

    def copy_to(self, target, source, casting="same_kind", where=True):
        """Note a copy of an array or a number."""
        if not isinstance(target, RecArray) or where is not True:
            raise CaptureError("a copy to an array that is not recorded, or of parts of one")
        if isinstance(source, RecArray) and not np.can_cast(source.dtype, target.dtype, casting):
            raise TypeError(f"cannot cast {source.dtype} to {target.dtype} by the rule {casting!r}")
        fn = np.copyto
        if isinstance(source, RecArray) and not np.can_cast(source.dtype, target.dtype):
            fn = _copy_cast
        self.note("do", fn, (target, source), target, reads=arrays_in([source]))

    # --- what a primitive's `be` does ---

    def empty(self, shape, dtype=float):
        return self.new(self.pages.zeros(shape, standardize(dtype)))

    def zeros(self, shape, dtype=float):
        return self.full(shape, 0, dtype)

    def full(self, shape, value, dtype=None):
        out = self.empty(shape, dtype)
        # a number of another kind is cast, as NumPy's `full` does
        self.copy_to(out, value if isinstance(value, RecArray) else out.dtype.type(value))
        return out

    def const(self, key, make):
        return self.constant(CPU_BACKEND.const(key, lambda be: make(CPU_BACKEND)))

    def copy(self, x):
        return x.copy()

    def array(self, x, dtype=None, copy=None, order="C"):
        if not isinstance(x, RecArray):
            if self.takes_arrays and isinstance(x, np.ndarray):
                x = self._lift(x)
                return x if dtype is None else x.astype(dtype, copy=False)
            return self.constant(np.array(self._arguments(x), dtype))
        x = x if dtype is None else x.astype(dtype, copy=False)
        return x if x.flags.c_contiguous and not copy else self.copy(x)

    def asarray(self, data, dtype=None):
        if dtype is not None or self.takes_arrays:
            return self.array(data, dtype)
        return data

    def wrap(self, x):
        return x if isinstance(x, RecArray) else self.array(x)

    def windows(self, x, shape, strides):
        seen = np.lib.stride_tricks.as_strided(plain(x), shape, strides, writeable=False)
        return self._part(x, seen)

    def einsum(self, subscripts, a, b, out):
        self.note("into", np.einsum, (subscripts, a, b), out)

    def scatter_add(self, dst, indices, src):
        self.note("do", CPU_BACKEND.scatter_add, (dst, indices, src), dst)

    def random_uint32(self, stream, shape):
        return self._drawn(CPU_BACKEND.random_uint32, stream, shape, np.uint32)

    def uniform(self, stream, shape, dtype="float32"):
        return self._drawn(CPU_BACKEND.uniform, stream, shape, dtype, dtype)

    def from_host(self, draw, stream, shape, dtype):
        return self._drawn(lambda s, n: draw(s, n).astype(dtype), stream, shape, dtype)

    def _drawn(self, draw, stream, shape, dtype, *more):
        if drawn.get() is not None:
            raise CaptureError("numbers drawn in a checkpoint: backward draws them once more")
        out = self.empty(shape, dtype)
        self.note("store", stream.drawing(draw), (shape, *more), out, lasting=True, reads=())
        return out

    def look(self, check, x, *more):
        self.note("do", check, (x, *more), lasting=True)

    def erf(self, x):
        if x.dtype != np.float32:
            return self._function_of_one(CPU_BACKEND.erf)(x)
        y = self.empty(x.shape, x.dtype)
        erf32(x, y, self.empty(x.shape, x.dtype))  # calls that passes see: strips, loops
        return y

    def _function_of_one(self, function):
        def run(x):
            out = self.new(self.pages.zeros(x.shape, x.dtype))
            self.note("store", function, (x,), out)
            return out

        return run

    def to_numpy(self, x):
        raise CaptureError("the values of a tensor were asked for")

    def address(self, x):
        return 0, 0


def _copy_cast(target, source) -> None:
    np.copyto(target, source, casting="unsafe")


def _between_numbers(x, *bounds) -> bool:
    """Whether floats are clipped at both ends, by numbers."""
    return (
        x.dtype.char in "fd" and len(bounds) == 2 and all(type(b) in (int, float) for b in bounds)
    )

"""From what a user gives as data to arrays that fit: dtypes, lengths, checks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gpunn.autograd import wrap
from gpunn.backend import CPU, backend_of, device, to_array
from gpunn.backend.dtypes import is_float, standardize
from gpunn.backend.words import is_words, words
from gpunn.data.class_weight import weights_of_classes
from gpunn.data.finite import check_finite
from gpunn.data.nested import filler, is_nested, named_leaves, shape_of
from gpunn.errors import ArgumentError, DataError, DTypeError, ShapeError


@dataclass
class Intake:
    """How data become arrays.

    Args:
        dtype: what floats are cast to; default: `floatx`. Integers stay integers.
        x_dtype: what all of x is cast to, integers as well; default: as for the rest.
        class_weight: a dict from class to the weight of its samples.
        check_finite: whether NaN and Inf are refused.
        check_targets: whether they are refused in y as well; a loss of one's own may know of them.
        takes_words: whether "x", "y" or "sample_weight" may be words; asked where it is no numbers.
    """

    dtype: object = None
    x_dtype: object = None
    class_weight: dict | None = None
    check_finite: bool = True
    check_targets: bool = True
    takes_words: Callable[[str], bool] = lambda part: False

    def __call__(self, x, y=None, sample_weight=None, where="", batch=False):
        """The arrays of x, y and sample_weight where they lie, in one list, and their nesting.

        Args:
            where: said first in errors ("batch 3: ").
            batch: whether this is one batch of many; arrays of a GPU are not checked for NaN then,
                since that would wait for them.

        Raises:
            DataError, ShapeError, DTypeError: saying which array is wrong, and where.
        """
        names, arrays = [], []

        def take_in(data, name, cast_all=None):
            check = self.check_finite and (name != "y" or self.check_targets)
            for leaf_name, leaf in named_leaves(data, name):
                names.append(leaf_name)
                array, given = self._array(leaf, where + leaf_name, cast_all, name)
                known = is_words(array) or (batch and backend_of(array).kind != "cpu")
                if check and not known:
                    columns = getattr(leaf, "columns", None)
                    columns = None if columns is None else list(columns)
                    check_finite(array, where + leaf_name, given, columns)
                arrays.append(array)

        take_in(x, "x", self.x_dtype)
        inputs = len(arrays)
        if not inputs:
            raise DataError(f"{where}x holds no array")
        take_in(y, "y")
        if self.class_weight is not None:
            if sample_weight is not None:
                raise ArgumentError("give class_weight or sample_weight, not both")
            if y is None or is_nested(y):
                raise ArgumentError("class_weight needs y, and a single array of it")
            sample_weight = weights_of_classes(
                arrays[-1], self.class_weight, standardize(self.dtype), whole=not batch
            )
        if not batch:  # those of a batch stay as a `compute_loss` of one's own expects them
            sample_weight = _weight_per_output(sample_weight, y)
        first_weight = len(arrays)
        take_in(sample_weight, "sample_weight")
        for i in range(first_weight, len(arrays)):
            if not is_float(arrays[i].dtype):
                arrays[i] = arrays[i].astype(standardize(self.dtype))
        if not (batch and inputs > 1 and first_weight - inputs > 1):  # that may be two data sets
            graph = batch and len({a.shape[0] for a in arrays[:inputs]}) > 1  # nodes and edges
            start = inputs if graph else 0
            _check_lengths(names[start:], arrays[start:], where)
        return (shape_of(x), shape_of(y), shape_of(sample_weight)), arrays

    def batch(self, send, x, y=None, sample_weight=None, where="") -> tuple:
        """One batch as tensors of a device: (x, y, sample_weight), nested as they are given.

        Args:
            send: gives arrays on that device, see `Backend.staging`.
        """
        nesting, arrays = self(x, y, sample_weight, where, batch=True)
        return filler(nesting)([wrap(a) for a in send(arrays)])

    def _array(self, data, name, cast_all, part):
        """One array: numbers, with rows, of the right dtype; and what it was cast from."""
        if name.endswith("x") and hasattr(data, "to_frame"):
            data = data.to_frame()  # a pandas Series of inputs is a column, as in Keras
        try:
            given = _native(data, name)
        except (DTypeError, DataError):
            given = words(data) if self.takes_words(part) else None
            if given is None:
                raise
        if not given.ndim:
            raise ShapeError(f"{name} is a single number: expected an array of rows (n, ...)")
        if not given.size:
            raise DataError(f"{name} is empty: its shape is {given.shape}")
        if is_words(given):
            return given, given
        if cast_all is not None:
            dtype = standardize(cast_all)
        elif is_float(given.dtype):
            dtype = standardize(self.dtype)
        else:
            dtype = given.dtype.newbyteorder("=")
        if given.dtype == dtype:
            return given, given
        with np.errstate(over="ignore", invalid="ignore"):
            return given.astype(dtype), given


def _native(data, name: str):
    """A NumPy or CuPy array of numbers, in the memory where the data lie if that can be."""
    if hasattr(data, "tocoo"):
        raise DTypeError(f"{name} is a sparse matrix: give {name}.toarray()")
    if isinstance(data, np.ndarray) and data.dtype.kind not in "biufcV":
        raise DTypeError(f"{name}: {_not_numbers(data)}")
    try:
        with device(CPU):
            array = to_array(data)
    except (DTypeError, DataError) as e:
        raise type(e)(f"{name}: {e}") from e
    except (TypeError, ValueError) as e:
        raise DataError(f"{name} cannot be made an array of numbers: {e}") from e
    if isinstance(array, np.ndarray):
        array = np.asarray(array)  # of a memmap or another subclass
    if array.dtype.kind not in "biuf" and not is_float(array.dtype):
        raise DTypeError(f"{name}: expected real numbers, got dtype {array.dtype}")
    return array


def _not_numbers(array) -> str:
    """What is wrong with an array of strings or objects: which columns, and an example."""
    said = f"expected numbers, got dtype {array.dtype}"
    if array.ndim != 2 or array.dtype.kind not in "OUS":
        return f"{said} ({array.reshape(-1)[:3].tolist()} ...)"
    bad = [(j, row[j]) for j in range(array.shape[1]) for row in array if not _number(row[j])]
    if not bad:
        return f"{said}, which holds numbers: use .astype('float32')"
    columns = dict.fromkeys(j for j, _ in bad)
    shown = ", ".join(map(str, columns))
    return f"{said}: no numbers in column {shown} (such as {bad[0][1]!r}); encode or drop them"


def _number(value) -> bool:
    return isinstance(value, int | float | np.number | np.bool_)


def _weight_per_output(sample_weight, y):
    """The weights nested as y: one array of weights serves every output."""
    if sample_weight is None or not is_nested(y):
        return sample_weight
    if is_nested(sample_weight):
        if _keys(sample_weight) != _keys(y):
            raise ArgumentError(
                f"sample_weight must be one array, or nested like y: y has {_keys(y)}, "
                f"sample_weight {_keys(sample_weight)}"
            )
        return sample_weight
    keys = _keys(y)
    return dict.fromkeys(keys, sample_weight) if isinstance(y, dict) else [sample_weight] * len(y)


def _keys(x) -> list:
    return list(x) if isinstance(x, dict) else list(range(len(x)))


def _check_lengths(names, arrays, where) -> None:
    lengths = [a.shape[0] for a in arrays]
    if len(set(lengths)) < 2:
        return
    parts = [f"{name} has {n} rows" for name, n in zip(names, lengths, strict=True)]
    if len(parts) > 8:
        parts[7:-1] = ["..."]
    listed = any(name.startswith("x[0]") for name in names)
    hint = "; a list of arrays is taken for several inputs: numpy.stack makes it one array"
    raise DataError(f"{where}unequal lengths: {', '.join(parts)}{hint if listed else ''}")

"""Dataset: batches of arrays on the host, shuffled, mapped and made ahead of time."""

import math
from dataclasses import dataclass, replace

import numpy as np

from gpunn.backend import Stream, current_seed
from gpunn.data.intake import Intake
from gpunn.data.make import _require_count
from gpunn.data.nested import filler
from gpunn.data.prefetch import prefetch
from gpunn.errors import NotSupportedError
from gpunn.tree import map_structure


@dataclass(frozen=True)
class _Plan:
    """What the methods of a Dataset have asked for."""

    batch_size: int | None = 32
    most: int | None = None
    drop_remainder: bool = False
    stream: Stream | None = None
    functions: tuple = ()
    ahead: int = 0
    kept: "_Kept | None" = None


@dataclass(eq=False)
class _Kept:
    """Batches of the first whole iteration, after so many functions."""

    functions: int
    batches: list | None = None


class HostArray(np.ndarray):
    """A NumPy array with the `numpy()` of the tensors that a `tf.data.Dataset` gives.

    >>> for x in gpunn.data.Dataset(np.arange(2.0)):
    ...     print(x.numpy() + x)
    [0. 2.]
    """

    def numpy(self) -> np.ndarray:
        """The array as a plain one."""
        return np.asarray(self)


class Dataset:
    """Batches of rows of arrays; each method gives a new Dataset, and iterating gives the batches:
    x alone, (x, y) or (x, y, sample_weight), of NumPy arrays.

    Args:
        x: an array (n, ...), or a dict or list of them.
        y: targets, like x.
        sample_weight: weights (n,).

    Raises:
        DataError, ShapeError, DTypeError: if the arrays cannot be used.

    >>> data = gpunn.data.Dataset(np.arange(6.0), np.arange(6)).batch(4)
    >>> for x, y in data.map(lambda x, y: (x * 10, y)):
    ...     print(x, y)
    [ 0. 10. 20. 30.] [0 1 2 3]
    [40. 50.] [4 5]
    """

    def __init__(self, x, y=None, sample_weight=None):
        self._nesting, arrays = Intake(check_finite=False, takes_words=lambda part: True)(
            x, y, sample_weight
        )
        self._arrays = [a if isinstance(a, np.ndarray) else a.get() for a in arrays]
        self._parts = 3 if sample_weight is not None else 2 if y is not None else 1
        self._plan = _Plan()

    def _with(self, **changes) -> "Dataset":
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__, **changes)
        return new

    def _planned(self, **changes) -> "Dataset":
        if not changes.keys() <= {"functions", "ahead", "kept"}:
            changes["kept"] = None  # other batches than those that are kept
        return self._with(_plan=replace(self._plan, **changes))

    def batch(self, batch_size: int | None, drop_remainder: bool = False) -> "Dataset":
        """Batches of so many rows (default: 32); the last may be smaller, or is dropped.

        None: the rows one by one, without an axis for the batch.
        """
        _require_count("batch_size", batch_size)
        return self._planned(batch_size=batch_size, drop_remainder=drop_remainder)

    def take(self, count: int) -> "Dataset":
        """The first `count` batches of each iteration."""
        _require_count("count", count)
        return self._planned(most=count)

    def shuffle(self, seed: int | None = None) -> "Dataset":
        """Rows in random order, another in each iteration; default: of the current seed."""
        stream = current_seed().stream() if seed is None else Stream(seed, "shuffle")
        return self._planned(stream=stream)

    def map(self, function, num_parallel_calls=None) -> "Dataset":
        """`function(x)`, `function(x, y)` or `function(x, y, sample_weight)` of each batch.

        `num_parallel_calls` is taken for TensorFlow's sake: see `prefetch`.
        """
        return self._planned(functions=(*self._plan.functions, function))

    def cache(self, filename: str = "") -> "Dataset":
        """Keep the batches of the first whole iteration, as they are then, for all later ones.

        Raises:
            NotSupportedError: for a file, which TensorFlow takes: they are kept in memory.
        """
        if filename:
            raise NotSupportedError(
                f"cache({filename!r}) would keep batches in a file: cache() keeps them in memory; "
                "numpy.save, and numpy.load with mmap_mode, do for arrays that do not fit"
            )
        return self._planned(kept=_Kept(len(self._plan.functions)))

    def prefetch(self, buffer_size: int = 2) -> "Dataset":
        """A thread makes up to so many batches (-1: 2) before they are asked for."""
        buffer_size = 2 if buffer_size == -1 else buffer_size
        _require_count("buffer_size", buffer_size)
        return self._planned(ahead=buffer_size)

    def rows(self, at) -> "Dataset":
        """The rows that have some numbers, in that order."""
        return self._with(_arrays=[a[at] for a in self._arrays])

    @property
    def num_samples(self) -> int:
        """How many rows there are."""
        return len(self._arrays[0])

    @property
    def batch_size(self) -> int | None:
        """Rows of a batch; None where they come one by one."""
        return self._plan.batch_size

    def cardinality(self) -> int:
        """How many batches there are; another name of `len`."""
        return len(self)

    def __len__(self) -> int:
        batches = self.num_samples / (self.batch_size or 1)
        whole = math.floor(batches) if self._plan.drop_remainder else math.ceil(batches)
        return whole if self._plan.most is None else min(whole, self._plan.most)

    def __iter__(self):
        batches = self._batches()
        return prefetch(batches, self._plan.ahead) if self._plan.ahead else batches

    def _batches(self):
        plan = self._plan
        done = 0 if plan.kept is None else plan.kept.functions
        for batch in self._made() if plan.kept is None else self._kept(plan.kept):
            batch = map_structure(_with_numpy, _applied(plan.functions[done:], batch))
            alone = len(batch) == 1 and not isinstance(batch[0], tuple | list)
            yield batch[0] if alone else batch

    def _kept(self, kept: _Kept):
        """The batches that are kept, or those that shall be."""
        if kept.batches is not None:
            yield from kept.batches
            return
        batches = []
        for batch in self._made():
            batches.append(_applied(self._plan.functions[: kept.functions], batch))
            yield batches[-1]
        kept.batches = batches

    def _made(self):
        """The batches of rows."""
        plan, n = self._plan, self.num_samples
        size = plan.batch_size
        order = plan.stream.permutation(n) if plan.stream else None
        for i in range(len(self)):
            at = i if size is None else slice(i * size, (i + 1) * size)
            yield self._rows(at if order is None else order[at])

    def _rows(self, at) -> tuple:
        """x, y and sample_weight, as many as there are, of some rows, or of a single one."""
        return filler(self._nesting)([a[at] for a in self._arrays])[: self._parts]


def _applied(functions, batch: tuple) -> tuple:
    for function in functions:
        batch = function(*batch)
        batch = batch if isinstance(batch, tuple) else (batch,)
    return batch


def _with_numpy(x):
    return x.view(HostArray) if type(x) is np.ndarray else x

"""The validation split: the last rows, before any shuffling; and split_dataset."""

import math

import numpy as np

from gpunn.backend import Stream, current_seed
from gpunn.data.dataset import Dataset
from gpunn.data.make import gives_batches
from gpunn.data.nested import named_leaves, shape_of, unflatten
from gpunn.errors import ArgumentError, ArgumentTypeError, DataError
from gpunn.tree import map_structure


def train_validation_split(arrays: tuple, validation_split: float) -> tuple:
    """Split data into the first rows, for training, and the last, for validation.

    Args:
        arrays: (x, y, sample_weight), each an array of rows, nested arrays, or None.
        validation_split: the fraction of rows for validation, in (0, 1).

    Returns:
        Two tuples like `arrays`.

    Raises:
        ArgumentError: if the fraction is out of range.
        ArgumentTypeError: if the data are not arrays.
        DataError: if lengths differ, or a part would have no rows.

    Source: keras' `validation_split`.

    >>> train, validation = gpunn.data.train_validation_split((np.arange(10), None, None), 0.2)
    >>> validation
    (array([8, 9]), None, None)
    """
    if not 0 < validation_split < 1:
        raise ArgumentError(f"validation_split must be between 0 and 1, got {validation_split}")
    if gives_batches(arrays[0], arrays[1]):
        raise ArgumentTypeError(
            f"validation_split needs arrays, not a {type(arrays[0]).__name__}: give validation_data"
        )
    names = ("x", "y", "sample_weight")
    named = [leaf for x, name in zip(arrays, names, strict=True) for leaf in named_leaves(x, name)]
    lengths = {name: _rows(name, leaf) for name, leaf in named}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {n} rows" for name, n in lengths.items())
        raise DataError(f"unequal lengths: {said}")
    n = next(iter(lengths.values()), 0)
    at = math.floor(n * (1.0 - validation_split))
    if at in (0, n):
        raise DataError(
            f"validation_split={validation_split} of {n} rows leaves no row for "
            f"{'training' if at == 0 else 'validation'}: give more data, or another fraction"
        )

    def part(rows):
        return tuple(
            unflatten(shape_of(x), iter([_cut(leaf, rows) for _, leaf in named_leaves(x, "x")]))
            for x in arrays
        )

    return part(slice(0, at)), part(slice(at, n))


def _rows(name, x) -> int:
    try:
        return len(x)
    except TypeError as e:
        raise DataError(f"{name} has no rows: it is a {type(x).__name__}") from e


def _cut(x, rows: slice):
    if hasattr(x, "tocsr"):
        x = x.tocsr()
    return getattr(x, "iloc", x)[rows]


def split_dataset(
    dataset, left_size=None, right_size=None, shuffle=False, seed=None, preferred_backend=None
) -> tuple[Dataset, Dataset]:
    """The first samples of data, and the last, as two data sets.

    Args:
        dataset: an array, a list or tuple of arrays (x, y, sample_weight), a dict of arrays, a
            `gpunn.data.Dataset`, or anything that gives samples, such as PyTorch's data sets.
        left_size: how many samples the first part has, or which fraction. Default: the rest.
        right_size: the same of the second part. Default: the rest.
        shuffle: whether samples are shuffled before. Default: False.
        seed: of that order. Default: of the current seed.
        preferred_backend: for Keras' sake.

    Returns:
        Two `gpunn.data.Dataset`, which give samples one by one (`batch(32)` gives batches); those
        of a `Dataset` give what it gives.

    Raises:
        ArgumentError: if a size is not allowed, or a part would be empty.

    Source: `keras.utils.split_dataset`.

    >>> left, right = gpunn.utils.split_dataset(np.arange(10), left_size=0.8)
    >>> len(left), list(right)
    (8, [np.int64(8), np.int64(9)])
    """
    if not isinstance(dataset, Dataset):
        dataset = _samples(dataset)
    n = dataset.num_samples
    left, right = _part_sizes(left_size, right_size, n)
    order = np.arange(n)
    if shuffle:
        order = (current_seed().stream() if seed is None else Stream(seed, "split")).permutation(n)
    return dataset.rows(order[:left]), dataset.rows(order[n - right :])


def _samples(dataset) -> Dataset:
    """A Dataset that gives samples one by one."""
    if not isinstance(dataset, list | tuple | dict) and not hasattr(dataset, "shape"):
        indexed = hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
        samples = list((dataset[i] for i in range(len(dataset))) if indexed else dataset)
        if not samples:
            raise ArgumentError("split_dataset: there are no samples")
        dataset = map_structure(lambda *leaves: np.stack([np.asarray(v) for v in leaves]), *samples)
    columns = dataset if isinstance(dataset, list | tuple) else (dataset,)
    return Dataset(*columns).batch(None)


def _part_sizes(left, right, n: int) -> tuple[int, int]:
    """The sizes of the two parts in samples."""
    sizes = []
    for name, size in (("left_size", left), ("right_size", right)):
        if size is None:
            sizes.append(None)
            continue
        whole = isinstance(size, int) and not isinstance(size, bool)
        if not whole and not (isinstance(size, float) and 0 < size < 1):
            raise ArgumentError(f"{name} must be a count or a fraction in (0, 1), got {size!r}")
        sizes.append(size if whole else round(size * n))
    first, second = sizes
    if first is None and second is None:
        raise ArgumentError("split_dataset needs left_size or right_size")
    first = n - second if first is None else first
    second = n - first if second is None else second
    if first < 1 or second < 1 or first + second > n:
        raise ArgumentError(f"{n} samples cannot be split into {first} and {second}")
    return first, second

"""The validation split: the last rows, before any shuffling."""

import math

from gpunn.data.make import gives_batches
from gpunn.data.nested import named_leaves, shape_of, unflatten
from gpunn.errors import ArgumentError, ArgumentTypeError, DataError


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

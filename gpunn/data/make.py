"""make_source: whatever `fit` is given, as a Source of batches."""

from gpunn.backend import get_backend
from gpunn.data.array_source import ArraySource
from gpunn.data.batch_source import BatchSource
from gpunn.data.intake import Intake
from gpunn.data.source import Source
from gpunn.errors import ArgumentError, ArgumentTypeError

# What an object has that is an array, or can be made one.
ARRAY_MARKS = ("__array__", "__dlpack__", "__cuda_array_interface__", "to_numpy", "tocoo")


def make_source(
    x,
    y=None,
    sample_weight=None,
    *,
    batch_size=None,
    shuffle=False,
    steps=None,
    class_weight=None,
    device=None,
    stream=None,
    dtype=None,
    x_dtype=None,
    check_finite=True,
    check_targets=True,
    takes_words=lambda part: False,
) -> Source:
    """A source of batches of the given data.

    Floats are cast once; host data are moved to the device once (above 1 GiB, by the batch).

    Args:
        x: arrays (n, ...): NumPy, CuPy, Tensors, lists, pandas; a dict or list of them; or anything
            that gives batches x, (x,), (x, y) or (x, y, sample_weight): a generator, an iterable,
            an object with `__len__` and `__getitem__`, a list of such tuples, a `Dataset`.
        y: targets, arrays like x; None where x gives batches.
        sample_weight: weights (n,), or nested like y.
        batch_size: rows per batch of arrays; default: 32, or n / steps.
        shuffle: whether rows (or the batches of an object with `__getitem__`) come in random order.
        steps: batches per epoch; default: all.
        class_weight: a dict from class to the weight of its samples.
        device: where the batches shall lie; default: the current device.
        stream: the random stream of the shuffles; default: one of the current seed.
        dtype: what floats are cast to; default: `floatx`.
        x_dtype: what all of x is cast to, integers as well; default: integers stay.
        check_finite: whether NaN and Inf are refused.
        check_targets: whether they are refused in y as well.
        takes_words: a function that says whether "x", "y" or "sample_weight" may be words.

    Raises:
        DataError, ShapeError, DTypeError: if the data cannot be used, with what is wrong where.
        ArgumentError: if arguments are out of range or contradict each other.

    >>> source = gpunn.data.make_source(np.zeros((5, 2)), np.arange(5), batch_size=2)
    >>> [x.shape for x, y, weight in source.epoch()]
    [(2, 2), (2, 2), (1, 2)]
    """
    for name, value in (("batch_size", batch_size), ("steps", steps)):
        _require_count(name, value)
    if isinstance(shuffle, str) and shuffle != "batch":
        raise ArgumentError(f"shuffle must be True or False, got {shuffle!r}")
    if x is None:
        raise ArgumentError("x is missing: give arrays, or something that gives batches")
    intake = Intake(dtype, x_dtype, class_weight, check_finite, check_targets, takes_words)
    if gives_batches(x, y):
        for name, value in (("y", y), ("sample_weight", sample_weight)):
            if value is not None:
                raise ArgumentError(
                    f"{name} must be None where x is a {type(x).__name__}: its batches are to be "
                    "tuples (x, y) or (x, y, sample_weight)"
                )
        return BatchSource(x, intake, shuffle, steps, device, stream)
    nesting, arrays = intake(x, y, sample_weight)
    return ArraySource(nesting, arrays, batch_size, shuffle, steps, device, stream)


def make_batch(
    x,
    y=None,
    sample_weight=None,
    *,
    class_weight=None,
    device=None,
    dtype=None,
    x_dtype=None,
    check_targets=True,
    takes_words=lambda part: False,
) -> tuple:
    """One batch of the given arrays: (x, y, sample_weight), of tensors nested as the arrays are.

    Args:
        x, y, sample_weight, class_weight, device, dtype, x_dtype, check_targets, takes_words: as
            for `make_source`. Host arrays are checked for NaN and Inf; those of a GPU are not,
            since that waits for them.

    Raises:
        DataError, ShapeError, DTypeError: if the data cannot be used, with what is wrong where.

    >>> x, y, weight = gpunn.data.make_batch([[1.0, 2.0]], [1], class_weight={1: 3.0})
    >>> weight.tolist()
    [3.0]
    """
    intake = Intake(
        dtype, x_dtype, class_weight, check_targets=check_targets, takes_words=takes_words
    )
    return intake.batch(get_backend(device).send, x, y, sample_weight)


def gives_batches(x, y=None) -> bool:
    """Whether x is no array but something that gives batches.

    >>> gives_batches(iter([])), gives_batches([[1, 2], [3, 4]])
    (True, False)
    """
    if isinstance(x, str | bytes):
        raise ArgumentTypeError(f"x must be data, got the string {x!r}")
    if isinstance(x, list) and y is None and x:
        return all(isinstance(batch, tuple) and _has_arrays(batch) for batch in x)
    if isinstance(x, list | tuple | dict | range) or any(hasattr(x, m) for m in ARRAY_MARKS):
        return False
    return hasattr(x, "__iter__") or hasattr(x, "__getitem__")


def _has_arrays(batch: tuple) -> bool:
    return any(getattr(part, "shape", ()) != () or isinstance(part, dict) for part in batch)


def _require_count(name: str, value) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentTypeError(f"{name} must be a whole number, got {value!r}")
    if value < 1:
        raise ArgumentError(f"{name} must be at least 1, got {value}")

"""Batches that somebody else makes: generators, data loaders, sequences, lists of batches."""

from gpunn.backend import current_seed, get_backend
from gpunn.data.intake import Intake
from gpunn.data.source import Source
from gpunn.errors import DataError


class BatchSource(Source):
    """The batches of an iterator, an iterable, or an object with `__len__` and `__getitem__`.

    Args:
        batches: gives x, (x,), (x, y) or (x, y, sample_weight) per batch.
        intake: makes arrays of them.
        shuffle: whether the batches of an object with `__getitem__` come in random order.
        steps: batches per epoch; default: all.
        device: where the batches shall lie.
        stream: the random stream of the order.
    """

    def __init__(self, batches, intake: Intake, shuffle, steps, device, stream):
        super().__init__(_count(batches), steps)
        self.once = hasattr(batches, "__next__")
        self.batch_size = getattr(batches, "batch_size", None)
        self.num_samples = getattr(batches, "num_samples", None)
        self._batches, self._intake = batches, intake
        self._shuffle, self._stream = shuffle, stream
        self._send = get_backend(device).staging()

    def epoch(self):
        for name in ("on_epoch_begin", "on_epoch_end"):  # as Keras' PyDataset has them
            getattr(self._batches, name, _nothing)()
            if name == "on_epoch_begin":
                yield from super().epoch()

    def _pass(self):
        for i, batch in enumerate(self._raw()):
            x, y, sample_weight = unpack_x_y_sample_weight(batch)
            yield self._intake.batch(self._send, x, y, sample_weight, f"batch {i}: ")

    def _raw(self):
        """The batches as they are given, in the order of this pass."""
        batches, count = self._batches, self.batches_per_pass
        if not (self._shuffle and count and hasattr(batches, "__getitem__")):
            return _in_order(batches)
        if self._stream is None:
            self._stream = current_seed().stream("shuffle")
        return (batches[int(i)] for i in self._stream.permutation(count))


def unpack_x_y_sample_weight(data) -> tuple:
    """The inputs, targets and weights of a batch, None for what it does not have.

    Args:
        data: a batch: x, (x,), (x, y) or (x, y, sample_weight).

    Raises:
        DataError: if it has more parts.

    Source: keras.utils.unpack_x_y_sample_weight.

    >>> gpunn.data.unpack_x_y_sample_weight(([1.0], [2.0]))
    ([1.0], [2.0], None)
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise DataError(f"a batch is x, (x, y) or (x, y, sample_weight), got {len(data)} parts")
    return (*data, None, None)[:3]


def pack_x_y_sample_weight(x, y=None, sample_weight=None):
    """What `unpack_x_y_sample_weight` takes apart: x, (x, y) or (x, y, sample_weight).

    Source: keras.utils.pack_x_y_sample_weight.

    >>> gpunn.data.pack_x_y_sample_weight([1.0], [2.0])
    ([1.0], [2.0])
    """
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    return (x,) if isinstance(x, tuple | list) else x


def _count(batches) -> int | None:
    """How many batches there are, where that is known."""
    if hasattr(batches, "num_batches"):
        return batches.num_batches
    try:
        count = len(batches)
    except TypeError:
        return None
    if not count:
        raise DataError(f"the {type(batches).__name__} has no batch")
    return count


def _in_order(batches):
    if hasattr(batches, "__iter__"):
        return iter(batches)
    return (batches[i] for i in range(len(batches)))


def _nothing():
    pass

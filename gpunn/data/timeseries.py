"""timeseries_dataset_from_array: the windows of a series as batches."""

import numpy as np

from gpunn.data.dataset import Dataset
from gpunn.data.directory import check_format
from gpunn.errors import ArgumentError


def timeseries_dataset_from_array(
    data,
    targets,
    sequence_length,
    sequence_stride=1,
    sampling_rate=1,
    batch_size=128,
    shuffle=False,
    seed=None,
    start_index=None,
    end_index=None,
    format="tf",
) -> Dataset:
    """Batches of the windows of a series, each with the target at its first step.

    Args:
        data: an array (steps, ...).
        targets: an array whose i-th row belongs to the window that starts at step i; None: none.
        sequence_length: how many steps a window has.
        sequence_stride: how far apart windows start. Default: 1.
        sampling_rate: how far apart the steps of a window lie. Default: 1.
        batch_size: how many windows a batch has; None: they come one by one. Default: 128.
        shuffle: whether the windows come in random order. Default: False.
        seed: of that order. Default: of the current seed.
        start_index, end_index: the part of data and targets to be used. Default: all.
        format: "tf" or "grain", for Keras' sake.

    Returns:
        A `gpunn.data.Dataset` of (batch, sequence_length, ...), and targets if there are any, for
        `fit` and loops.

    Raises:
        ArgumentError: if a number is not positive, or the part is none or too short for a window.

    Source: `keras.utils.timeseries_dataset_from_array`, which gives a `tf.data.Dataset`.

    >>> windows = gpunn.utils.timeseries_dataset_from_array(np.arange(6.0), np.arange(3, 6), 3)
    >>> for x, y in windows:
    ...     print(x.tolist(), y.tolist())
    [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 4.0]] [3, 4, 5]
    """
    numbers = {
        "sequence_length": sequence_length,
        "sequence_stride": sequence_stride,
        "sampling_rate": sampling_rate,
        "batch_size": 1 if batch_size is None else batch_size,
    }
    check_format("timeseries_dataset_from_array", format)
    for name, number in numbers.items():
        if not isinstance(number, int | np.integer) or number < 1:
            raise ArgumentError(
                f"timeseries_dataset_from_array: {name} must be a positive integer, got {number!r}"
            )
    data = np.asarray(data)
    part = slice(start_index or 0, len(data) if end_index is None else end_index)
    if not 0 <= part.start < part.stop <= len(data):
        raise ArgumentError(
            f"timeseries_dataset_from_array: start_index {start_index} and end_index {end_index} "
            f"must rise and lie within the {len(data)} steps"
        )
    data = data[part]
    offsets = np.arange(sequence_length) * sampling_rate
    count = len(data) - int(offsets[-1])
    if targets is not None:
        targets = np.asarray(targets)[part]
        count = min(count, len(targets))
    if count < 1:
        raise ArgumentError(
            f"timeseries_dataset_from_array: {len(data)} steps are too few for a window of "
            f"{int(offsets[-1]) + 1}"
        )

    def windows(starts):
        x = data[np.add.outer(starts, offsets)]
        return x if targets is None else (x, targets[starts])

    starts = Dataset(np.arange(0, count, sequence_stride)).batch(batch_size)
    return (starts.shuffle(seed) if shuffle else starts).map(windows)

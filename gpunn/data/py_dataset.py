"""PyDataset: batches by number, made by a class of the user's own (Keras: `utils.PyDataset`)."""

import itertools


class PyDataset:
    """Base class of data whose batches are made when they are needed.

    Override `__getitem__(index)`, which gives batch `index` as x, (x, y) or (x, y, sample_weight),
    and `__len__` or `num_batches`, the number of batches: without them, or where that is None, they
    do not end, and `fit` needs `steps_per_epoch`. `on_epoch_begin` and `on_epoch_end` are called
    around each pass. With `shuffle=True`, `fit` takes the batches in random order.

    Args:
        workers, use_multiprocessing, max_queue_size: taken for Keras' sake; batches are made one
            after another, in the thread that trains.

    Source: keras.utils.PyDataset.

    >>> class Squares(gpunn.utils.PyDataset):
    ...     def __len__(self):
    ...         return 2
    ...
    ...     def __getitem__(self, index):
    ...         x = np.arange(3.0) + 3 * index
    ...         return x, x**2
    >>> [y.tolist() for x, y in Squares()]
    [[0.0, 1.0, 4.0], [9.0, 16.0, 25.0]]
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size=10):
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int):
        """Batch number `index`."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index)")

    @property
    def num_batches(self) -> int | None:
        """How many batches there are; None: without end."""
        return len(self) if hasattr(self, "__len__") else None

    def __iter__(self):
        count = self.num_batches
        return (self[i] for i in (itertools.count() if count is None else range(count)))

    def on_epoch_begin(self) -> None:
        """Before each pass over the data."""

    def on_epoch_end(self) -> None:
        """After each pass over the data."""

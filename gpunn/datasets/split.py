"""The split of the built-in data sets into a training and a test part."""

import numpy as np

from gpunn.errors import ArgumentError


def stratified_split(labels: np.ndarray, test_split: float) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the training and of the test part, each ascending.

    Row k of a class (counted from 0) is a test row where `floor((k + 1) * test_split)` exceeds
    `floor(k * test_split)`: with 0.2, every fifth row of each class. There is no chance in it,
    so that results can be compared between machines and releases.

    Args:
        labels: integers of shape (n,).
        test_split: the test part's share, at least 0 and less than 1.

    Returns:
        Two integer arrays.

    Raises:
        ArgumentError: `test_split` is not in [0, 1).

    >>> train, test = stratified_split(np.array([0, 0, 1, 1, 0, 0, 1, 1]), 0.5)
    >>> train.tolist(), test.tolist()
    ([0, 2, 4, 6], [1, 3, 5, 7])
    """
    if not 0 <= test_split < 1:
        raise ArgumentError(f"test_split must be in [0, 1), got {test_split!r}")
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        rank[rows] = np.arange(len(rows))

    def quota(k: np.ndarray) -> np.ndarray:
        return np.floor(k * test_split + 1e-9)

    is_test = quota(rank + 1) > quota(rank)
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)

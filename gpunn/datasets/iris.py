"""Fisher's iris flowers: 150 rows of four measurements, in the package."""

import csv
from pathlib import Path

import numpy as np

from gpunn.datasets.split import stratified_split

FEATURE_NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
CLASS_NAMES = ("setosa", "versicolor", "virginica")


def load_data(
    test_split: float = 0.2,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Loads Fisher's iris data: four lengths in centimetres, three species.

    The test part is every fifth flower of each species (see `stratified_split`): 120 to train
    and 30 to test. The species alternate, so that a `validation_split` sees all three.

    Args:
        test_split: the test part's share, at least 0 and less than 1.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float32 rows of shape (n, 4), columns as in
        `FEATURE_NAMES`, and int64 labels of shape (n,) that index `CLASS_NAMES`.

    Raises:
        ArgumentError: `test_split` is not in [0, 1).

    Source: R. A. Fisher (1936), UCI Machine Learning Repository, CC BY 4.0.

    >>> (x_train, y_train), (x_test, y_test) = gpunn.datasets.iris.load_data()
    >>> x_train.shape, x_test.shape, np.bincount(y_test).tolist()
    ((120, 4), (30, 4), [10, 10, 10])
    """
    with open(Path(__file__).parent / "data" / "iris.csv", newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    x = np.array([row[:-1] for row in rows]).astype(np.float32)
    y = np.array([CLASS_NAMES.index(row[-1]) for row in rows], dtype=np.int64)
    train, test = stratified_split(y, test_split)
    return (x[train], y[train]), (x[test], y[test])

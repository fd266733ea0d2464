"""UCI optical digits: 1,797 images of 8x8 pixels, in the package."""

from pathlib import Path

import numpy as np

from gpunn.datasets.split import stratified_split

CLASS_NAMES = tuple("0123456789")


def load_data(
    test_split: float = 0.2,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Loads the handwritten digits of UCI's *Optical Recognition of Handwritten Digits*.

    The test part is every fifth image of each class (see `stratified_split`): 1,442 images to
    train and 355 to test. Pixels are counts of ink from 0 to 16; divide by 16 to scale them.

    Args:
        test_split: the test part's share, at least 0 and less than 1.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 images of shape (n, 8, 8) and uint8 labels
        of shape (n,), the layout of `keras.datasets.mnist`.

    Raises:
        ArgumentError: `test_split` is not in [0, 1).

    Source: E. Alpaydin, C. Kaynak (1998), UCI Machine Learning Repository, CC BY 4.0.

    >>> (x_train, y_train), (x_test, y_test) = gpunn.datasets.digits.load_data()
    >>> x_train.shape, x_test.shape, x_train.dtype, int(x_train.max())
    ((1442, 8, 8), (355, 8, 8), dtype('uint8'), 16)
    """
    with np.load(Path(__file__).parent / "data" / "digits.npz", allow_pickle=False) as file:
        x, y = file["x"], file["y"]
    train, test = stratified_split(y, test_split)
    return (x[train], y[train]), (x[test], y[test])

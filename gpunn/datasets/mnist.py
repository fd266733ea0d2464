"""MNIST: 70,000 images of 28x28 pixels, from Keras' `mnist.npz`."""

import os

import numpy as np

from gpunn.datasets.files import DataFile, fetch

FILE = DataFile(
    name="mnist.npz",
    url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    sha256={
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1": "Keras' file",
        "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64": (
            "the same layout, packed from the original files"
        ),
    },
    elsewhere=("~/.keras/datasets",),
)
CLASS_NAMES = tuple("0123456789")


def load_data(
    path: str | os.PathLike[str] | None = None,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Loads MNIST as `keras.datasets.mnist.load_data` does.

    The file `mnist.npz` is looked for at `path`, in the folder named by `GPUNN_DATA_DIR`, in
    `~/.cache/gpunn` and in Keras' own cache, and downloaded where it is in none of them. Its
    sha256 is verified every time.

    Args:
        path: the file, or a folder that holds it.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 images of shape (60000, 28, 28) and
        (10000, 28, 28), uint8 labels of shape (60000,) and (10000,).

    Raises:
        MissingFileError: there is no file, and it could not be downloaded; says where to put it.
        DataError: the file is not the one that it should be.

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, CC BY-SA 3.0.

    >>> gpunn.datasets.mnist.load_data("nowhere/mnist.npz")
    Traceback (most recent call last):
        ...
    gpunn.errors.MissingFileError: mnist.npz: no file at nowhere/mnist.npz (path). Download ...
    """
    with np.load(fetch(FILE, path), allow_pickle=False) as file:
        return (file["x_train"], file["y_train"]), (file["x_test"], file["y_test"])

"""Images and texts in the files of a directory as data sets."""

import os
from collections.abc import Callable

import numpy as np

from gpunn.autograd import no_grad
from gpunn.backend import Stream, current_seed, device
from gpunn.backend.conventions import channels_first
from gpunn.data.dataset import Dataset
from gpunn.data.pictures import MODES, img_to_array, load_img
from gpunn.errors import ArgumentError, unknown
from gpunn.ops.image import resize

IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
TEXTS = (".txt",)
FORMATS = ("tf", "grain")  # what Keras' functions can make; here all make a Dataset


class FileDataset(Dataset):
    """A `Dataset` whose x is read from files when a batch is made.

    Args:
        file_paths: the names of the files.
        labels: an array with a row for each file, or None.
        read: what makes an array or a string of a name.
        class_names: the names of the classes, or None.
    """

    def __init__(self, file_paths: list[str], labels, read: Callable, class_names):
        super().__init__(np.arange(len(file_paths)), labels)
        self.file_paths = file_paths
        self.class_names = class_names
        self._read = read

    def _rows(self, at):
        numbers, *labels = super()._rows(at)
        paths = [self.file_paths[i] for i in np.atleast_1d(numbers)]
        x = np.stack([self._read(path) for path in paths])
        return (x if np.ndim(numbers) else x[0], *labels)


def image_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    color_mode="rgb",
    batch_size=32,
    image_size=(256, 256),
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    interpolation="bilinear",
    follow_links=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    data_format=None,
    format="tf",
    verbose=True,
):
    """Batches of the images in a directory's files, which a thread reads ahead.

    Args:
        directory: where the files are: .bmp, .gif, .jpeg, .jpg or .png.
        labels: "inferred" (default): each subdirectory is a class; None: no labels; or an integer
            for each file, in the order of their names.
        label_mode: "int" (default): int32 (batch,); "categorical": float32 (batch, classes);
            "binary": float32 (batch, 1), of two classes; None: no labels.
        class_names: the subdirectories that are classes, in the order of their numbers. Default:
            all, by name.
        color_mode: "rgb" (default), "rgba" or "grayscale".
        batch_size: how many images a batch has; None: they come one by one. Default: 32.
        image_size: (height, width) that images are resized to. Default: (256, 256).
        shuffle: whether they come in random order, another in each iteration. Default: True.
        seed: of that order and of the split. Default: of the current seed.
        validation_split: the fraction of files that is kept for validation. Default: none.
        subset: which part to give: "training", "validation" or "both".
        interpolation: how to resize, see `gpunn.ops.image.resize`. Default: "bilinear".
        follow_links: whether to look into linked directories. Default: False.
        crop_to_aspect_ratio: whether to cut off what does not fit, rather than to distort.
        pad_to_aspect_ratio: whether to surround images with zeros, rather than to distort.
        data_format: "channels_last" (default) or "channels_first".
        format: "tf" or "grain", for Keras' sake.
        verbose: whether to print what was found. Default: True.

    Returns:
        A `gpunn.data.Dataset` of float32 images from 0 to 255, with `class_names` and `file_paths`;
        two of them for "both".

    Raises:
        ArgumentError: if an argument is not allowed, or there are no images.
        MissingDependencyError: if Pillow is not installed.

    Source: `keras.utils.image_dataset_from_directory`, which gives a `tf.data.Dataset`.

    >>> import tempfile, os
    >>> place = tempfile.mkdtemp()
    >>> for name in ("cats", "dogs"):
    ...     os.mkdir(os.path.join(place, name))
    ...     gpunn.utils.save_img(os.path.join(place, name, "1.png"), np.ones((4, 6, 3)))
    >>> data = gpunn.utils.image_dataset_from_directory(place, image_size=(2, 3), verbose=False)
    >>> [(x.shape, sorted(y.tolist())) for x, y in data], data.class_names
    ([((2, 2, 3, 3), [0, 1])], ['cats', 'dogs'])
    """
    if color_mode not in MODES:
        raise unknown("color_mode of image_dataset_from_directory", color_mode, MODES)
    if not isinstance(image_size, list | tuple) or len(image_size) != 2:
        raise ArgumentError(f"image_size must be (height, width), got {image_size!r}")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError("crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other")
    whole = (*image_size, len(MODES[color_mode]))
    first = channels_first(data_format, "image_dataset_from_directory")

    def read(path):
        image = img_to_array(load_img(path, color_mode), "channels_last", "float32")
        if image.shape != whole:
            with device("cpu"), no_grad():
                image = resize(
                    image,
                    tuple(image_size),
                    interpolation,
                    crop_to_aspect_ratio=crop_to_aspect_ratio,
                    pad_to_aspect_ratio=pad_to_aspect_ratio,
                    data_format="channels_last",
                ).numpy()
        return image.transpose(2, 0, 1) if first else image

    check_format("image_dataset_from_directory", format)
    files = _Files("images", IMAGES, directory, labels, label_mode, class_names, follow_links)
    return files.datasets(read, batch_size, shuffle, seed, validation_split, subset, verbose)


def text_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    batch_size=32,
    max_length=None,
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    follow_links=False,
    format="tf",
    verbose=True,
):
    """Batches of the texts in a directory's .txt files, which a thread reads ahead.

    A model that begins with `TextVectorization` takes them; for others there is
    `dataset.map(lambda x, y: (text_vectorization(x), y))`.

    Args:
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split,
            subset, follow_links, format, verbose: see `image_dataset_from_directory`.
        max_length: how many characters of a text are read. Default: all.

    Returns:
        A `gpunn.data.Dataset` of strings, with `class_names` and `file_paths`; two of them for
        "both".

    Raises:
        ArgumentError: if an argument is not allowed, or there are no texts.

    Source: `keras.utils.text_dataset_from_directory`, which gives a `tf.data.Dataset`.

    >>> import tempfile, pathlib
    >>> place = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("bad", "good"):
    ...     (place / name).mkdir()
    ...     _ = (place / name / "1.txt").write_text(f"so {name}")
    >>> data = gpunn.utils.text_dataset_from_directory(place, shuffle=False, verbose=False)
    >>> [(x.tolist(), y.tolist()) for x, y in data]
    [(['so bad', 'so good'], [0, 1])]
    """

    def read(path):
        with open(path, encoding="utf-8", errors="replace") as file:
            return np.array(file.read(max_length), object)

    check_format("text_dataset_from_directory", format)
    files = _Files("texts", TEXTS, directory, labels, label_mode, class_names, follow_links)
    return files.datasets(read, batch_size, shuffle, seed, validation_split, subset, verbose)


def check_format(function: str, value) -> None:
    """Raise unless it is a format that Keras has."""
    if value not in FORMATS:
        raise unknown(f"format of {function}", value, FORMATS)


class _Files:
    """The files of a directory and their labels."""

    def __init__(self, kind, endings, directory, labels, mode, class_names, follow_links):
        if mode not in ("int", "categorical", "binary", None):
            raise unknown("label_mode", mode, ("int", "categorical", "binary", "None"))
        inferred = isinstance(labels, str)
        if inferred and labels != "inferred":
            raise unknown("labels", labels, ("inferred", "None", "a list"))
        if class_names is not None and not inferred:
            raise ArgumentError("class_names go with labels='inferred'")
        if not os.path.isdir(directory):
            raise ArgumentError(f"there is no directory {os.fspath(directory)!r}")
        names = _subdirectories(directory, class_names) if inferred else [""]
        found = [_under(os.path.join(directory, n), endings, follow_links) for n in names]
        self.paths = [path for paths in found for path in paths]
        if not self.paths:
            raise ArgumentError(
                f"no {kind} found in {os.fspath(directory)!r}: expected files that end in "
                f"{', '.join(endings)}{', in a subdirectory for each class' if inferred else ''}"
            )
        if inferred:
            labels = np.repeat(np.arange(len(names)), [len(paths) for paths in found])
        elif labels is not None:
            if len(labels) != len(self.paths):
                raise ArgumentError(
                    f"expected a label for each of {len(self.paths)} files, got {len(labels)}"
                )
            names = [str(label) for label in sorted(set(labels))]
        self.names = None if labels is None else names
        if mode == "binary" and (self.names is None or len(names) != 2):
            raise ArgumentError(f"label_mode 'binary' needs two classes, got {self.names}")
        self.labels = None if labels is None or mode is None else _encoded(labels, mode, len(names))

    def datasets(self, read, batch_size, shuffle, seed, split, subset, verbose):
        """The data set, a part of it, or both parts."""
        if (split is None) != (subset is None):
            raise ArgumentError("validation_split and subset go together: give both, or none")
        if subset not in (None, "training", "validation", "both"):
            raise unknown("subset", subset, ("training", "validation", "both"))
        if split is not None and not 0 < split < 1:
            raise ArgumentError(f"validation_split must be between 0 and 1, got {split}")
        if split is not None and shuffle and seed is None:
            raise ArgumentError(
                "validation_split with shuffle=True needs a seed, so that the parts have no file "
                "in common"
            )
        count = len(self.paths)
        if verbose:
            classes = "" if self.names is None else f" of {len(self.names)} classes"
            print(f"Found {count} files{classes}.")
        order = np.arange(count)
        if shuffle:
            stream = current_seed().stream() if seed is None else Stream(seed, "files")
            order = stream.permutation(count)

        def part(name, at):
            if verbose and subset is not None:
                print(f"Using {len(at)} files for {name}.")
            labels = None if self.labels is None else self.labels[at]
            data = FileDataset([self.paths[i] for i in at], labels, read, self.names)
            return (data.shuffle(seed) if shuffle else data).batch(batch_size).prefetch()

        if split is None:
            return part("training", order)
        parts = {"training": order[: count - int(split * count)]}
        parts["validation"] = order[len(parts["training"]) :]
        if subset == "both":
            return tuple(part(*pair) for pair in parts.items())
        return part(subset, parts[subset])


def _subdirectories(directory, class_names) -> list[str]:
    """The names of the classes."""
    there = sorted(e.name for e in os.scandir(directory) if e.is_dir() and e.name[0] != ".")
    if class_names is None:
        return there
    if missing := [name for name in class_names if name not in there]:
        raise ArgumentError(f"no subdirectories for the class_names {missing}; there are {there}")
    return list(class_names)


def _under(directory, endings, follow_links) -> list[str]:
    """The files of a directory and those below, by name."""
    walked = sorted(os.walk(directory, followlinks=follow_links))
    return [
        os.path.join(place, name)
        for place, _, names in walked
        for name in sorted(names)
        if name.lower().endswith(endings)
    ]


def _encoded(labels, mode: str, classes: int) -> np.ndarray:
    """Labels as `label_mode` says."""
    labels = np.asarray(labels, np.int32)
    if mode == "categorical":
        return np.eye(classes, dtype=np.float32)[labels]
    return labels if mode == "int" else labels[:, None].astype(np.float32)

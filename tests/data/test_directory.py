"""Data sets of the files in a directory, and split_dataset."""

import os

import numpy as np
import pytest

import gpunn
from gpunn import utils
from gpunn.data import Dataset
from gpunn.errors import ArgumentError

pytest.importorskip("PIL")
OPTIONS = {"image_size": (4, 6), "verbose": False}


@pytest.fixture
def pictures(tmp_path):
    """Ten images, the i-th of value 10 i: classes a (6, one of them in b below a) and z (4)."""
    for name in ("a", "a/b", "z", ".hidden"):
        (tmp_path / name).mkdir()
    places = ["a"] * 5 + ["a/b"] + ["z"] * 4
    for i, place in enumerate(places):
        image = np.full((8, 12, 3) if i else (9, 5, 3), 10.0 * i)
        utils.save_img(tmp_path / place / f"{i}.png", image, scale=False)
    (tmp_path / "a" / "notes.md").write_text("no image")
    return tmp_path


def test_classes_are_subdirectories(pictures):
    data = utils.image_dataset_from_directory(pictures, shuffle=False, batch_size=4, **OPTIONS)
    assert data.class_names == ["a", "z"] and len(data) == 3
    assert [os.path.basename(p) for p in data.file_paths] == [f"{i}.png" for i in range(10)]
    x, y = (np.concatenate(part) for part in zip(*data, strict=True))
    assert x.dtype == "float32" and y.dtype == "int32" and y.tolist() == [0] * 6 + [1] * 4
    assert x.shape == (10, 4, 6, 3)
    np.testing.assert_allclose(x.mean((1, 2, 3)), 10 * np.arange(10), atol=1e-3)
    back = utils.image_dataset_from_directory(pictures, class_names=["z", "a"], **OPTIONS)
    assert sorted(np.concatenate([y for _, y in back]).tolist()) == [0] * 4 + [1] * 6


@pytest.mark.parametrize(
    ("mode", "dtype", "row"),
    [("int", "int32", 1), ("binary", "float32", [1.0]), ("categorical", "float32", [0.0, 1.0])],
)
def test_label_modes(mode, dtype, row, pictures):
    options = {"label_mode": mode, "shuffle": False, **OPTIONS}
    ((_, y),) = utils.image_dataset_from_directory(pictures, **options)
    assert y.dtype == dtype and y[-1].tolist() == row


def test_without_classes(pictures):
    for options in ({"labels": None}, {"label_mode": None}):
        data = utils.image_dataset_from_directory(pictures, batch_size=None, **options, **OPTIONS)
        assert len(data) == 10 and {x.shape for x in data} == {(4, 6, 3)}
    numbers = [i % 3 for i in range(10)]
    options = {"labels": numbers, "shuffle": False, **OPTIONS}
    data = utils.image_dataset_from_directory(pictures, **options)
    assert data.class_names == ["0", "1", "2"]
    assert next(iter(data))[1].tolist() == numbers


def test_sizes_colors_and_formats(pictures):
    def first(**options):
        return next(iter(utils.image_dataset_from_directory(
            pictures, labels=None, shuffle=False, **{**OPTIONS, **options}
        )))  # fmt: skip

    assert first(color_mode="grayscale").shape == (10, 4, 6, 1)
    assert first(color_mode="rgba", data_format="channels_first").shape == (10, 4, 4, 6)
    padded = first(image_size=(6, 6), pad_to_aspect_ratio=True)[1]
    assert padded[0].max() == 0 and padded[3].min() == 10
    assert first(image_size=(6, 6), crop_to_aspect_ratio=True)[1].min() == 10
    options = {"image_size": (3, 5), "interpolation": "bicubic"}
    image = utils.img_to_array(utils.load_img(pictures / "a" / "0.png"))
    wanted = gpunn.ops.image.resize(image, (3, 5), interpolation="bicubic").numpy()
    np.testing.assert_array_equal(first(**options)[0], wanted)


def test_parts_have_no_file_in_common(pictures, capsys):
    options = {"validation_split": 0.3, "seed": 5, "image_size": (2, 2)}
    train, held = utils.image_dataset_from_directory(pictures, subset="both", **options)
    assert capsys.readouterr().out.splitlines() == [
        "Found 10 files of 2 classes.",
        "Using 7 files for training.",
        "Using 3 files for validation.",
    ]
    assert len(train.file_paths) == 7 and not set(train.file_paths) & set(held.file_paths)
    for subset, part in (("training", train), ("validation", held)):
        one = utils.image_dataset_from_directory(pictures, subset=subset, **options)
        assert one.file_paths == part.file_paths
    assert {y for _, batch in train for y in batch.tolist()} == {0, 1}


def test_orders(pictures):
    data = utils.image_dataset_from_directory(pictures, seed=3, **OPTIONS)
    again = utils.image_dataset_from_directory(pictures, seed=3, **OPTIONS)
    first, second = (next(iter(data))[0].mean((1, 2, 3)) for _ in range(2))
    assert (first == next(iter(again))[0].mean((1, 2, 3))).all() and (first != second).any()


def test_trains(pictures, device):
    data = utils.image_dataset_from_directory(pictures, batch_size=4, **OPTIONS)
    model = gpunn.Sequential(
        [gpunn.layers.Rescaling(1 / 255), gpunn.layers.Flatten(), gpunn.layers.Dense(2)]
    )
    model.compile("sgd", gpunn.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(data, epochs=2, verbose=0)
    assert model.predict(data.map(lambda x, y: x), verbose=0).shape == (10, 2)


def test_texts(tmp_path):
    for name, text in (("bad", "so bad"), ("good", "ü good")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.txt").write_text(text, encoding="utf-8")
    options = {"shuffle": False, "verbose": False}
    data = utils.text_dataset_from_directory(tmp_path, **options)
    ((x, y),) = data
    assert x.tolist() == ["so bad", "ü good"] and y.tolist() == [0, 1]
    ((x, _),) = utils.text_dataset_from_directory(tmp_path, max_length=2, **options)
    assert x.tolist() == ["so", "ü "]
    layer = gpunn.layers.TextVectorization(output_mode="multi_hot")
    layer.adapt(data.map(lambda x, y: x))
    ((x, y),) = data.map(lambda x, y: (layer(x), y))
    assert set(layer.get_vocabulary()[1:]) == {"so", "bad", "good", "ü"} and x.shape == (2, 5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": "other"}, "unknown labels"),
        ({"label_mode": "other"}, "unknown label_mode"),
        ({"color_mode": "other"}, "unknown color_mode"),
        ({"format": "other"}, "unknown format"),
        ({"image_size": 4}, "height, width"),
        ({"labels": [0] * 10, "class_names": ["a"]}, "class_names go with"),
        ({"labels": [0, 1]}, "each of 10 files, got 2"),
        ({"class_names": ["a", "c"]}, r"class_names \['c'\]"),
        ({"class_names": ["a"], "label_mode": "binary"}, "two classes"),
        ({"validation_split": 2, "subset": "both"}, "between 0 and 1"),
        ({"validation_split": 0.2}, "go together"),
        ({"validation_split": 0.2, "subset": "other"}, "unknown subset"),
        ({"validation_split": 0.2, "subset": "both"}, "needs a seed"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "exclude each other"),
    ],
)
def test_wrong_arguments(options, said, pictures):
    with pytest.raises(ArgumentError, match=said):
        utils.image_dataset_from_directory(pictures, **options)


def test_nothing_there(tmp_path):
    with pytest.raises(ArgumentError, match=r"no images found .*\.png, in a subdirectory"):
        utils.image_dataset_from_directory(tmp_path)
    with pytest.raises(ArgumentError, match="no directory"):
        utils.text_dataset_from_directory(tmp_path / "none")


# --- split_dataset ---

X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)


class Items:
    """What PyTorch's data sets have."""

    def __len__(self):
        return 10

    def __getitem__(self, i):
        return {"x": X[i], "y": (Y[i], Y[i])}


def test_split_arrays():
    left, right = utils.split_dataset((X, Y), left_size=0.2)
    assert (len(left), len(right)) == (2, 8)
    assert [(x.tolist(), int(y)) for x, y in left] == [([0, 1], 0), ([2, 3], 1)]
    assert [y.tolist() for _, y in right.batch(5)] == [[2, 3, 4, 5, 6], [7, 8, 9]]
    left, right = utils.split_dataset(Y, left_size=3, right_size=2)
    assert (list(left), list(right)) == ([0, 1, 2], [8, 9])
    left, right = utils.split_dataset([Y], right_size=0.5, shuffle=True, seed=1)
    assert sorted([*left, *right]) == list(range(10)) and list(left) != list(range(5))


def test_split_what_gives_samples():
    left, _ = utils.split_dataset(Items(), left_size=4)
    assert [sample["x"].tolist() for sample in left] == X[:4].tolist()
    assert [int(sample["y"][1]) for sample in left] == [0, 1, 2, 3]
    left, _ = utils.split_dataset(((x, y) for x, y in zip(X, Y, strict=True)), left_size=4)
    assert [int(y) for _, y in left] == [0, 1, 2, 3]


def test_split_batches_of_a_dataset():
    left, right = utils.split_dataset(Dataset(X, Y).batch(4), left_size=6)
    assert [y.tolist() for _, y in left] == [[0, 1, 2, 3], [4, 5]]
    assert [y.tolist() for _, y in right] == [[6, 7, 8, 9]]


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({}, "left_size or right_size"),
        ({"left_size": 1.5}, "fraction"),
        ({"left_size": "a"}, "fraction"),
        ({"left_size": 0}, "into 0 and 10"),
        ({"left_size": 6, "right_size": 5}, "into 6 and 5"),
        ({"right_size": 11}, "into -1 and 11"),
    ],
)
def test_wrong_sizes(sizes, said):
    with pytest.raises(ArgumentError, match=said):
        utils.split_dataset(X, **sizes)
    with pytest.raises(ArgumentError, match="no samples"):
        utils.split_dataset(iter(()), left_size=1)

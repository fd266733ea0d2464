"""`gpunn predict`, `evaluate` and `info` of a saved model."""

import csv
import io

import numpy as np
import pytest

import gpunn
from gpunn import layers
from gpunn.data import Features, Target, read_csv
from gpunn.models import load_model, read_metadata

IRIS = "sepal_length,sepal_width,petal_length,petal_width"


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


@pytest.fixture
def train(gpunn_, tmp_path):
    """Trains for a moment, and gives the file of the model."""

    def train_(*words):
        path = tmp_path / "model.gpunn"
        code, _, err = gpunn_("train", *words, "--quiet", "--out", path)
        assert (code, err) == (0, "")
        return path

    return train_


def test_classes_and_their_probabilities(gpunn_, train, write, device):
    model = train("iris")
    data = write("new.csv", IRIS, "5.1,3.5,1.4,0.2", "6.5,3.0,5.5,2.0")
    code, out, err = gpunn_("predict", model, "--data", data, "--device", device)
    titles, *found = rows(out)
    assert (code, err) == (0, "")
    assert titles == ["prediction", "p_setosa", "p_versicolor", "p_virginica"]
    assert [row[0] for row in found] == ["setosa", "virginica"]
    assert [sum(map(float, row[1:])) for row in found] == pytest.approx([1, 1], abs=1e-4)


def test_two_classes_and_a_file(gpunn_, train, flats, tmp_path):
    model = train(flats, "--target", "big", "--drop", "price,number")
    path = tmp_path / "out.csv"
    code, out, err = gpunn_("predict", model, "--data", flats, "--out", path)
    titles, *found = rows(path.read_text())
    assert (code, out) == (0, "")
    assert f"{path}: 200 predictions" in err
    assert "size: 10 of 200 missing" in err
    assert titles == ["prediction", "p_large", "p_small"]
    truth = read_csv(flats).column("big")
    assert np.mean([row[0] == name for row, name in zip(found, truth)]) > 0.8


def test_values_are_those_of_the_model_in_python(gpunn_, train, flats):
    path = train(flats, "--target", "price", "--drop", "number,big", "--epochs", 5)
    _, out, _ = gpunn_("predict", path, "--data", flats)
    metadata = read_metadata(path)
    x = Features.from_config(metadata["features"]).encode(read_csv(flats))
    target = Target.from_config(metadata["target"])
    expected = target.values(load_model(path).predict(x, verbose=0))
    titles, *found = rows(out)
    assert titles == ["prediction"]
    np.testing.assert_allclose([float(row[0]) for row in found], expected, rtol=1e-5)


def test_columns_are_found_by_name(gpunn_, train, write):
    model = train("iris", "--epochs", 3)
    a = write("a.csv", IRIS, "5.1,3.5,1.4,0.2")
    b = write(
        "b.csv", "petal_width;more;sepal_width;petal_length;sepal_length", "0,2;x;3,5;1,4;5.1"
    )
    assert gpunn_("predict", model, "--data", a) == gpunn_("predict", model, "--data", b)


def test_unknown_categories_are_said(gpunn_, train, flats, write):
    model = train(flats, "--target", "price", "--drop", "number,big", "--epochs", 1)
    data = write("new.csv", "size,city,garden", "50,Paris,perhaps")
    code, out, err = gpunn_("predict", model, "--data", data)
    assert code == 0
    assert len(rows(out)) == 2
    assert "city: 1 of 1 unknown ('Paris'), taken as none of the known" in err
    assert "garden: 1 of 1 unknown ('perhaps'), taken as no" in err


def test_images_as_columns_of_numbers(gpunn_, train, write):
    model = train("digits", "--epochs", 5)
    x, y = gpunn.datasets.digits.load_data()[1]
    names = ",".join(map(str, range(64)))
    data = write("images.csv", names, *(",".join(map(str, image.ravel())) for image in x[:50]))
    _, out, _ = gpunn_("predict", model, "--data", data)
    found = [row[0] for row in rows(out)[1:]]
    assert np.mean([a == str(b) for a, b in zip(found, y[:50])]) > 0.7


def test_a_model_that_python_saved(gpunn_, tmp_path, write):
    model = gpunn.Sequential([gpunn.Input((2,)), layers.Dense(2)])
    path = tmp_path / "own.gpunn"
    model.save(path)
    data = write("two.csv", "a,b", "1,2")
    code, out, _ = gpunn_("predict", path, "--data", data)
    titles, (first, second) = rows(out)
    assert (code, titles) == (0, ["output_0", "output_1"])
    expected = model.predict(np.array([[1.0, 2.0]], "float32"))[0]
    np.testing.assert_allclose([float(first), float(second)], expected, rtol=1e-5)
    code, _, err = gpunn_("evaluate", path, "--data", data)
    assert code == 1
    assert "`gpunn train` did not write it" in err


def test_evaluate_repeats_what_training_said(gpunn_, tmp_path):
    path = tmp_path / "m.gpunn"
    _, out, _ = gpunn_("train", "iris", "--epochs", 4, "--quiet", "--out", path)
    said = next(line for line in out.splitlines() if line.startswith("held out"))
    _, out, _ = gpunn_("evaluate", path, "--data", "iris")
    assert out.split(maxsplit=1)[1].split(" (")[0] == said.split(maxsplit=2)[2].split(" (")[0]


def test_evaluate_drops_rows_without_a_target(gpunn_, train, flats):
    model = train(flats, "--target", "price", "--drop", "number,big", "--epochs", 1)
    code, out, _ = gpunn_("evaluate", model, "--data", flats)
    assert code == 0
    assert "2 of 200 rows dropped: without a price" in out
    assert f"(198 rows of {flats})" in out


def test_info(gpunn_, train, flats):
    model = train(flats, "--target", "big", "--drop", "price,number", "--epochs", 2)
    code, out, _ = gpunn_("info", model)
    assert code == 0
    for said in (
        f"written by gpunn {gpunn.__version__}",
        f"on {flats}: 160 rows, 2 epochs, adam, learning rate 0.001, batches of 32, seed 0",
        "big (classification), one of: large, small",
        "size: number, mean",
        "city: one of 'A', 'B', 'C'",
        "garden: yes or no",
        "Total params",
    ):
        assert said in out, said

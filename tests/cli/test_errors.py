"""Every error of the command line is one line that says what to do, and an exit code."""

import builtins
import subprocess
import sys

import pytest

import gpunn
from gpunn.cli import main
from tests.harness import cuda_problem

IRIS = "sepal_length,sepal_width,petal_length,petal_width"


@pytest.fixture
def fails(gpunn_):
    """Runs a command that must fail; gives its one line."""

    def run(*words, code=1):
        found, _, err = gpunn_(*words)
        assert found == code
        assert err.count("\n") == 1, err
        assert err.startswith("gpunn: ")
        return err

    return run


@pytest.fixture
def model(gpunn_, tmp_path):
    path = tmp_path / "iris.gpunn"
    gpunn_("train", "iris", "--epochs", 1, "--quiet", "--out", path)
    return path


def test_missing_files(fails, tmp_path, model):
    nothing = tmp_path / "nothing.csv"
    assert f"there is no file {nothing}" in fails("train", nothing, "--target", "y")
    assert f"there is no file {nothing}" in fails("predict", model, "--data", nothing)
    assert f"there is no file {nothing}" in fails("evaluate", model, "--data", nothing)
    assert "there is no file gone.gpunn" in fails("info", "gone.gpunn")
    assert "did you mean 'digits'?" in fails("train", "digts")


def test_bad_columns(fails, write):
    path = write("t.csv", "height,width,colour", "1,2,a", "2,3,b", "3,4,a", "4,5,b", "5,6,a")
    assert "did you mean 'colour'?" in fails("train", path, "--target", "color")
    assert "--target one of: height, width, colour" in fails("train", path)
    assert "'hight'" in fails("train", path, "--target", "colour", "--drop", "hight")
    assert "it is the target" in fails("train", path, "--target", "colour", "--drop", "colour")
    wrong = fails("train", path, "--target", "colour", "--task", "regresion")
    assert "did you mean 'regression'?" in wrong
    text = fails("train", path, "--target", "colour", "--task", "regression")
    assert "line 2: colour is 'a', expected a number" in text


def test_bad_tables(fails, write, tmp_path):
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert "is empty" in fails("train", empty, "--target", "y")
    assert "no rows" in fails("train", write("h.csv", "x,y"), "--target", "y")
    ragged = write("r.csv", "x,y", "1,2", "1,2,3")
    assert "line 3: 3 cells, but the header has 2" in fails("train", ragged, "--target", "y")
    headless = write("n.csv", "1.5,2", "1,2")
    assert "numbers, not names" in fails("train", headless, "--target", "y")
    constant = write("c.csv", "x,y", "1,2", "2,2", "3,2")
    assert "only '2': nothing to learn" in fails("train", constant, "--target", "y")
    untold = write("u.csv", "x,y", "1,", "2,NA")
    assert "no row is left, all are without a y" in fails("train", untold, "--target", "y")
    few = write("f.csv", "x,y", "1,0.5", "2,1.5")
    assert "too few to hold out 20%" in fails("train", few, "--target", "y")
    names = write("i.csv", "x,y", *(f"{i},name{i}" for i in range(50)))
    assert "too many for classes" in fails("train", names, "--target", "y")
    alone = write("a.csv", "x,y", *(f"7,{i % 2}" for i in range(50)))
    assert "no column to learn from; x: only one value" in fails("train", alone, "--target", "y")
    latin = tmp_path / "latin.csv"
    latin.write_bytes("größe,y\n1,2\n".encode("latin-1"))
    assert "not UTF-8" in fails("train", latin, "--target", "y")
    assert "is a folder" in fails("train", tmp_path, "--target", "y")


def test_columns_that_do_not_fit_the_model(fails, model, write, tmp_path, gpunn_):
    fewer = write("fewer.csv", "sepal_length,petal_width", "1,2")
    said = fails("predict", model, "--data", fewer)
    assert "lacks 'sepal_width', 'petal_length'" in said
    text = write("text.csv", IRIS, "1,2,x,4")
    assert "line 2: petal_length is 'x'" in fails("predict", model, "--data", text)
    bare = write("bare.csv", IRIS, "1,2,3,4")
    assert "'species'" in fails("evaluate", model, "--data", bare)
    other = write("other.csv", f"{IRIS},species", "1,2,3,4,tulip")
    assert "'tulip', which is none of the model's" in fails("evaluate", model, "--data", other)
    assert "do not fit the model" in fails("evaluate", model, "--data", "digits")
    digits = tmp_path / "digits.gpunn"
    gpunn_("train", "digits", "--epochs", 1, "--quiet", "--out", digits)
    assert "64 numbers a row" in fails("predict", digits, "--data", bare)


def test_damaged_models(fails, model, tmp_path):
    content = model.read_bytes()
    for name, bad in (("cut", content[:500]), ("short", content[:-50]), ("text", b"hello world")):
        path = tmp_path / name
        path.write_bytes(bad)
        assert "damaged or not a gpunn file" in fails("info", path)
    weights = tmp_path / "weights"
    gpunn.load_model(model).save_weights(weights)
    assert "holds weights only" in fails("info", weights)


def test_unusable_devices(fails, monkeypatch):
    assert "unknown device 'gpuu'" in fails("train", "iris", "--device", "gpuu")
    if cuda_problem():
        said = fails("train", "iris", "--device", "cuda")
        assert "cuda" in said
        assert "gpunn doctor" in said


def test_bad_names_and_places_are_found_before_anything_is_read(fails, tmp_path):
    data = tmp_path / "not-there.csv"
    assert "did you mean 'relu'" in fails("train", data, "--activation", "rellu")
    assert "or 'adam'" in fails("train", data, "--optimizer", "adamm")
    assert "there is no folder" in fails("train", data, "--out", tmp_path / "no" / "m.gpunn")
    assert "it is a folder" in fails("train", data, "--plot", tmp_path)
    assert "for CSV files" in fails("train", "iris", "--target", "species")


def test_without_matplotlib_the_extra_is_named(fails, monkeypatch, tmp_path):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    said = fails("train", "digits", "--plot", tmp_path / "c.png")
    assert "pip install 'gpunn[plot]'" in said


def test_a_loss_that_is_no_number(fails, tmp_path):
    out = tmp_path / "m.gpunn"
    words = ("--optimizer", "sgd", "--lr", "1e30", "--quiet", "--out", out)
    assert "try a smaller --lr than 1e+30" in fails("train", "iris", *words)
    assert not out.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--layers", "3,x"),
        ("--layers", "-1"),
        ("--epochs", "0"),
        ("--lr", "-1"),
        ("--lr", "nan"),
        ("--test-split", "1"),
        ("--validation-split", "x"),
        ("--seed", "1.5"),
        ("--missing", "forget"),
        ("--no-such-option",),
    ],
)
def test_wrong_usage(gpunn_, words):
    code, _, err = gpunn_("train", "iris", *words)
    assert code == 2
    assert words[0] in err


def test_no_command_shows_help(gpunn_):
    code, out, _ = gpunn_()
    assert code == 2
    assert "gpunn train digits" in out


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "info", "bench", "doctor"])
def test_help(gpunn_, command):
    code, out, _ = gpunn_(command, "--help")
    assert code == 0
    assert out.startswith(f"usage: gpunn {command}")
    assert "--device" in out


def test_debug_shows_the_traceback(capsys):
    assert main(["train", "nothing.csv", "--target", "y", "--debug"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_bug_is_one_line_too(fails, monkeypatch):
    monkeypatch.setattr(gpunn.cli.train, "load_problem", lambda *a: 1 / 0)
    assert "internal error (--debug shows where): ZeroDivisionError" in fails("train", "iris")


def run(*words, **options):
    command = [sys.executable, "-W", "error", "-m", "gpunn", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_as_a_program():
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"gpunn {gpunn.__version__}\n")
    done = run("train", "iris", "--epochs", "1", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    done = run("info", "nothing.gpunn")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "gpunn: error: there is no file nothing.gpunn\n"


def test_a_reader_that_goes_away(model):
    command = f"{sys.executable} -m gpunn info {model} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("file")
    assert done.stderr == ""

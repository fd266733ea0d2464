"""`gpunn train`: what it reaches, what it says, and what it saves."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

import gpunn
from gpunn.cli import main
from gpunn.models import load_model, read_metadata


def held_out(out: str, name: str = "accuracy") -> float:
    return float(re.search(rf"^held out .*\b{name} ([\d.,-]+)", out, re.M)[1].replace(",", ""))


@pytest.mark.parametrize(("data", "accuracy"), [("digits", 0.95), ("iris", 0.93)])
def test_the_built_in_data_with_no_more_arguments(gpunn_, data, accuracy):
    code, out, err = gpunn_("train", data)
    assert (code, err) == (0, "")
    assert held_out(out) >= accuracy
    assert "Epoch 1/" in out
    assert "--out model.gpunn" in out.splitlines()[-1], "it says what to do next"


@pytest.mark.parametrize("data", ["digits", "iris"])
def test_on_each_device(gpunn_, data, device, tmp_path):
    path = tmp_path / "m.gpunn"
    words = ("train", data, "--layers", 16, "--epochs", 3, "--lr", 0.01, "--quiet", "--out", path)
    code, out, _ = gpunn_(*words, "--device", device)
    assert code == 0
    assert f"on {device}" in out
    assert held_out(out) > 0.5
    code, scores, _ = gpunn_("evaluate", path, "--data", data, "--device", device)
    assert code == 0
    assert held_out(out) == pytest.approx(float(re.search(r"accuracy ([\d.]+)", scores)[1]))


def test_the_device_of_the_environment_is_taken(device):
    done = subprocess.run(
        [sys.executable, "-m", "gpunn", "train", "iris", "--epochs", "1", "--quiet"],
        env={**os.environ, "GPUNN_DEVICE": device},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"on {device}" in done.stdout


def test_a_quantity_of_a_csv_file(gpunn_, flats, tmp_path):
    path = tmp_path / "m.gpunn"
    code, out, err = gpunn_("train", flats, "--target", "price", "--drop", "big", "--out", path)
    assert (code, err) == (0, "")
    assert held_out(out, "R2") > 0.8
    for said in (
        "159 rows to train on",
        "39 held out",
        "3 columns, 5 numbers: size, city, garden",
        "regression: price holds 198 different numbers (--task overrules)",
        "2 of 200 rows dropped: without a price",
        "size: 10 of 198 missing, replaced by the median",
        "garden: 4 of 198 missing, replaced by the most frequent",
        "number: left out, text, 159 different ones in 159 rows",
        f"gpunn predict {path} --data FILE.csv",
    ):
        assert said in out, said
    metadata = read_metadata(path)
    assert metadata["target"]["name"] == "price"
    assert [f["name"] for f in metadata["features"]["features"]] == ["size", "city", "garden"]
    assert metadata["held_out"]["R2"] == pytest.approx(held_out(out, "R2"), abs=1e-4)


def test_classes_of_a_csv_file(gpunn_, flats):
    code, out, _ = gpunn_("train", flats, "--target", "big", "--drop", "number,price", "--quiet")
    assert code == 0
    assert held_out(out) > 0.8
    assert "classification: big holds text with 2 different values" in out
    assert "2: large, small" in out


def test_integers_are_classes_unless_the_task_says_otherwise(gpunn_, write):
    path = write("stars.csv", "x,stars", *(f"{i % 7 + i / 100},{i % 3}" for i in range(60)))
    words = ("train", path, "--target", "stars", "--epochs", 1, "--quiet")
    assert "classification: stars holds 3 different integers" in gpunn_(*words)[1]
    assert "regression: as asked for" in gpunn_(*words, "--task", "regression")[1]


def test_rows_with_missing_cells_can_be_dropped(gpunn_, flats):
    words = ("train", flats, "--target", "big", "--drop", "number,price", "--epochs", 1, "--quiet")
    _, out, _ = gpunn_(*words, "--missing", "drop")
    assert "14 of 200 rows dropped: with missing cells" in out
    assert "replaced" not in out


def test_the_same_seed_gives_the_same_model_and_another_does_not(gpunn_, flats, tmp_path):
    weights = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        path = tmp_path / name
        gpunn_("train", flats, "--target", "big", "--epochs", 2, "--seed", seed, "--out", path)
        weights.append(load_model(path).get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(weights[0], weights[1]))
    assert not np.array_equal(weights[0][0], weights[2][0])


def test_options_of_the_network_and_the_training(gpunn_, tmp_path):
    path = tmp_path / "m.gpunn"
    words = ("--layers", "8,5", "--activation", "tanh", "--optimizer", "sgd", "--lr", 0.5)
    more = ("--epochs", 3, "--batch-size", 50, "--validation-split", 0, "--test-split", 0.5)
    _, out, _ = gpunn_("train", "iris", *words, *more, "--quiet", "--out", path)
    model = load_model(path)
    assert [w.shape for w in model.get_weights()] == [(4, 8), (8,), (8, 5), (5,), (5, 3), (3,)]
    assert [layer.activation.__name__ for layer in model.layers] == ["tanh", "tanh", "softmax"]
    assert "75 rows to train on; 75 held out" in out
    assert "Epoch" not in out
    training = read_metadata(path)["training"]
    assert training["batch_size"] == 50
    assert training["learning_rate"] == 0.5
    assert training["optimizer"] == "sgd"
    assert int(np.asarray(model.optimizer.iterations)) == 6


def test_no_hidden_layer_and_nothing_held_out(gpunn_):
    code, out, _ = gpunn_("train", "iris", "--layers", "none", "--test-split", 0, "--quiet")
    assert code == 0
    assert "4-3, relu, 15 parameters" in out
    assert "no row; on the training rows: accuracy 0.9" in out


def test_mnist_from_a_path_of_the_environment(gpunn_, tmp_path, monkeypatch):
    x = np.random.default_rng(0).integers(0, 256, (60, 28, 28), np.uint8)
    y = np.arange(60, dtype=np.uint8) % 10
    monkeypatch.setattr(gpunn.datasets.mnist, "load_data", lambda: ((x, y), (x[:20], y[:20])))
    code, out, _ = gpunn_("train", "mnist", "--epochs", 1, "--layers", 8, "--quiet")
    assert code == 0
    assert "images of 28x28 pixels" in out
    assert "784-8-10" in out


def test_curves(gpunn_, tmp_path):
    path = tmp_path / "curve.png"
    code, out, _ = gpunn_("train", "iris", "--epochs", 2, "--quiet", "--plot", path)
    assert code == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert str(path) in out


def test_a_kind_of_picture_that_does_not_exist_is_told_before_the_training(gpunn_, tmp_path):
    code, out, err = gpunn_("train", "iris", "--quiet", "--plot", tmp_path / "curve.xyz")
    assert code == 1 and "'xyz'" in err and "png" in err
    assert not out


def test_ctrl_c_ends_the_training_and_keeps_the_model(tmp_path):
    path = tmp_path / "m.gpunn"
    words = ["train", "digits", "--epochs", "5000", "--layers", "4", "--out", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-u", "-W", "error", "-m", "gpunn", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # what runs in the background ignores Ctrl-C, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        for line in process.stdout:
            if line.startswith("Epoch 2/"):
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, err) == (130, "")
    assert "by Ctrl-C" in out
    assert read_metadata(path)["training"]["epochs"] < 5000
    assert main(["evaluate", str(path), "--data", "digits"]) == 0


def test_ctrl_c_elsewhere_is_one_line(gpunn_, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(gpunn.cli.train, "load_problem", interrupt)
    assert gpunn_("train", "digits") == (130, "", "gpunn: interrupted\n")

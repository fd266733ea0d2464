import hashlib
import http.server
import os
import threading

import numpy as np
import pytest

import gpunn
from gpunn.datasets import digits, files, iris, mnist, shakespeare, sunspots
from gpunn.datasets.split import stratified_split
from gpunn.errors import ArgumentError, DataError, GpunnError, MissingFileError


def test_digits():
    (x, y), (x_test, y_test) = digits.load_data()
    assert x.shape == (1442, 8, 8) and x_test.shape == (355, 8, 8)
    assert x.dtype == y.dtype == np.uint8
    assert x.min() == 0 and x.max() == 16
    assert np.unique(y).tolist() == list(range(10))
    counts = np.bincount(y), np.bincount(y_test)
    assert (counts[1] == (counts[0] + counts[1]) // 5).all()


def test_digits_are_those_of_scikit_learn():
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    (x, y), (x_test, y_test) = digits.load_data(test_split=0)
    theirs = sklearn_datasets.load_digits()
    assert len(x_test) == len(y_test) == 0
    np.testing.assert_array_equal(x, theirs.images)
    np.testing.assert_array_equal(y, theirs.target)


def test_iris():
    (x, y), (x_test, y_test) = iris.load_data()
    assert x.shape == (120, 4) and x_test.shape == (30, 4)
    assert x.dtype == np.float32 and y.dtype == np.int64
    assert np.bincount(y).tolist() == [40] * 3 and np.bincount(y_test).tolist() == [10] * 3
    assert np.unique(y[-24:]).tolist() == [0, 1, 2], "a validation_split must see every class"


def test_iris_is_that_of_scikit_learn():
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    theirs = sklearn_datasets.load_iris()
    (x, y), _ = iris.load_data(0)
    order = np.argsort(y, kind="stable")
    np.testing.assert_array_equal(x[order], theirs.data.astype(np.float32))
    np.testing.assert_array_equal(y[order], theirs.target)
    assert iris.CLASS_NAMES == tuple(theirs.target_names)
    assert iris.FEATURE_NAMES == tuple(
        n.removesuffix(" (cm)").replace(" ", "_") for n in theirs.feature_names
    )


def test_data_sets_may_be_changed_in_place():
    (x, _), _ = iris.load_data()
    x += 1
    assert iris.load_data()[0][0].max() < x.max()


@pytest.mark.parametrize("split", [0, 0.1, 0.25, 0.3, 0.5, 0.9])
def test_stratified_split(split):
    labels = np.random.default_rng(0).integers(0, 4, 403)
    train, test = stratified_split(labels, split)
    assert sorted([*train, *test]) == list(range(403))
    for label, count in enumerate(np.bincount(labels)):
        assert abs((labels[test] == label).sum() - split * count) < 1


@pytest.mark.parametrize("split", [-0.1, 1, 2])
def test_stratified_split_refuses(split):
    with pytest.raises(ArgumentError, match="test_split"):
        digits.load_data(split)


def test_shakespeare(tmp_path):
    text = shakespeare.load_data()
    assert text.startswith("A Midsummer Night's Dream\n\nACT I\n") and text.endswith("amends.\n")
    (tmp_path / "own.txt").write_bytes("Größe\r\n".encode())
    assert shakespeare.load_data(tmp_path / "own.txt") == "Größe\n"


def test_shakespeare_refuses_what_is_no_text(tmp_path):
    with pytest.raises(MissingFileError, match="no text file at"):
        shakespeare.load_data(tmp_path / "nothing.txt")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        shakespeare.load_data(tmp_path / "binary")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(DataError, match="empty"):
        shakespeare.load_data(tmp_path / "empty")


def test_sunspots():
    years, numbers = sunspots.load_data()
    assert years.tolist() == list(range(1700, 2009)) and numbers.shape == (309,)
    assert numbers.dtype == np.float32 and years.dtype == np.int64
    assert years[numbers.argmax()] == 1957 and numbers.min() == 0


# --- files ---------------------------------------------------------------------------------------

CONTENT = b"some data" * 1000


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A public file on a local server, and homes, caches and folders that are all empty."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(self.server.content)

        def log_message(self, *args):
            pass

    monkeypatch.delenv("GPUNN_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.asked = CONTENT, 0
        server.file = files.DataFile(
            name="data.bin",
            url=f"http://127.0.0.1:{server.server_port}/data.bin",
            sha256={hashlib.sha256(CONTENT).hexdigest(): "the test's"},
            elsewhere=(str(tmp_path / "other"),),
        )
        server.cached = tmp_path / "cache" / "gpunn" / "data.bin"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_downloads_once(site, capsys):
    assert files.fetch(site.file) == site.cached
    assert "downloading http://127.0.0.1" in capsys.readouterr().err
    assert files.fetch(site.file, "data.bin").read_bytes() == CONTENT
    assert site.asked == 1
    assert os.listdir(site.cached.parent) == ["data.bin"]


def test_a_damaged_cache_is_downloaded_again(site):
    site.cached.parent.mkdir(parents=True)
    site.cached.write_bytes(CONTENT[:100])
    assert files.fetch(site.file).read_bytes() == CONTENT
    assert site.asked == 1


@pytest.mark.parametrize(
    "sent", [b"<html>sign in</html>".ljust(len(CONTENT)), CONTENT[:100]], ids=["other", "cut off"]
)
def test_a_bad_download_leaves_nothing(site, sent):
    site.content = sent
    with pytest.raises(MissingFileError, match="put it at"):
        files.fetch(site.file)
    assert os.listdir(site.cached.parent) == []


def test_places_are_searched_in_order(site, tmp_path, monkeypatch):
    other, data, given = tmp_path / "other", tmp_path / "data", tmp_path / "given"
    for folder in (other, data, given):
        folder.mkdir()
        (folder / "data.bin").write_bytes(CONTENT)
    assert files.fetch(site.file) == other / "data.bin"
    monkeypatch.setenv("GPUNN_DATA_DIR", str(data))
    assert files.fetch(site.file) == data / "data.bin"
    assert files.fetch(site.file, given) == given / "data.bin"
    assert files.fetch(site.file, given / "data.bin") == given / "data.bin"
    assert site.asked == 0


def test_without_network_the_error_names_every_place(site, tmp_path, monkeypatch):
    monkeypatch.setenv("GPUNN_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "data.bin").write_bytes(b"not it")
    unreachable = files.DataFile("data.bin", "http://127.0.0.1:1/", {}, site.file.elsewhere)
    with pytest.raises(MissingFileError) as caught:
        files.fetch(unreachable)
    message = str(caught.value)
    assert isinstance(caught.value, FileNotFoundError) and isinstance(caught.value, GpunnError)
    for part in (
        f"{tmp_path / 'data' / 'data.bin'} (GPUNN_DATA_DIR): not there",
        f"{site.cached}: not there",
        f"{tmp_path / 'other' / 'data.bin'}: damaged",
        "http://127.0.0.1:1/: ",
        f"put it at {site.cached}",
    ):
        assert part in message


def test_a_named_file_must_be_the_right_one(site, tmp_path, monkeypatch):
    (tmp_path / "data.bin").write_bytes(b"something else")
    with pytest.raises(DataError, match="its sha256 is"):
        files.fetch(site.file, tmp_path)
    with pytest.raises(MissingFileError, match="no file at"):
        files.fetch(site.file, tmp_path / "nothing")
    monkeypatch.setenv("GPUNN_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match="GPUNN_DATA_DIR"):
        files.fetch(site.file)


def test_mnist_from_a_small_file_of_its_layout(tmp_path, monkeypatch):
    arrays = {
        "x_train": np.zeros((6, 28, 28), np.uint8),
        "y_train": np.arange(6, dtype=np.uint8),
        "x_test": np.ones((2, 28, 28), np.uint8),
        "y_test": np.arange(2, dtype=np.uint8),
    }
    np.savez(tmp_path / "mnist.npz", **arrays)
    monkeypatch.setitem(mnist.FILE.sha256, files.sha256(tmp_path / "mnist.npz"), "this test's")
    (x, y), (x_test, y_test) = mnist.load_data(tmp_path / "mnist.npz")
    for name, array in {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test}.items():
        np.testing.assert_array_equal(array, arrays[name])


def test_mnist_where_it_is_present():
    folder = os.environ.get("GPUNN_DATA_DIR")
    if not folder or not os.path.exists(os.path.join(folder, "mnist.npz")):
        pytest.skip("mnist.npz is not in GPUNN_DATA_DIR")
    (x, y), (x_test, y_test) = gpunn.datasets.mnist.load_data()
    assert x.shape == (60000, 28, 28) and x_test.shape == (10000, 28, 28)
    assert x.dtype == y.dtype == np.uint8
    assert y[:5].tolist() == [5, 0, 4, 1, 9] and y_test[:3].tolist() == [7, 2, 1]

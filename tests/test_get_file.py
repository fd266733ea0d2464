"""utils.get_file, from addresses of files."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from gpunn.errors import ArgumentError, DataError
from gpunn.utils import get_file

TEXT = b"so much\n" * 1000
SHA, MD5 = hashlib.sha256(TEXT).hexdigest(), hashlib.md5(TEXT).hexdigest()


@pytest.fixture
def source(tmp_path):
    """A file, and a function that gets it into a cache."""
    file = tmp_path / "words.txt"
    file.write_bytes(TEXT)

    def get(name=None, path=file, **options):
        return get_file(name, path.as_uri(), cache_dir=tmp_path / "cache", **options)

    get.file, get.cache = file, tmp_path / "cache" / "datasets"
    return get


def test_is_downloaded_once(source):
    path = source()
    assert path == str(source.cache / "words.txt") and Path(path).read_bytes() == TEXT
    source.file.write_bytes(b"other")
    assert Path(source()).read_bytes() == TEXT
    assert Path(source(force_download=True)).read_bytes() == b"other"
    assert source("mine", cache_subdir="a/b") == str(source.cache.parent / "a" / "b" / "mine")


@pytest.mark.parametrize(
    "options",
    [
        {"file_hash": SHA},
        {"file_hash": MD5.upper()},
        {"md5_hash": MD5},
        {"file_hash": SHA, "hash_algorithm": "sha256"},
    ],
)
def test_what_has_another_hash_is_replaced(options, source):
    source.cache.mkdir(parents=True)
    (source.cache / "words.txt").write_bytes(b"damaged")
    assert Path(source(**options)).read_bytes() == TEXT


def test_a_file_of_another_hash_changes_nothing(source):
    source.cache.mkdir(parents=True)
    (source.cache / "words.txt").write_bytes(b"before")
    with pytest.raises(DataError, match="md5 is not"):
        source(file_hash=MD5[::-1])
    assert [(p.name, p.read_bytes()) for p in source.cache.iterdir()] == [("words.txt", b"before")]


def packed(kind, path):
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("in/a.txt", "a")
    else:
        with tarfile.open(path, f"w:{kind}") as archive:
            info = tarfile.TarInfo("in/a.txt")
            info.size = 1
            archive.addfile(info, io.BytesIO(b"a"))
    return path


@pytest.mark.parametrize("kind", ["zip", "gz", "bz2"])
def test_archives(kind, source, tmp_path):
    archive = packed(kind, tmp_path / "data.bin")
    folder = source(path=archive, extract=True)
    assert folder == str(source.cache / "data.bin")
    assert (source.cache / "data.bin" / "in" / "a.txt").read_text() == "a"
    assert (source.cache / "data.bin_archive").is_file()
    named = source("x.tgz", archive, extract=True)
    assert named == str(source.cache / "x_extracted")
    (source.cache / "x_extracted" / "more").write_text("stays")
    assert source("x.tgz", archive, extract=True) == named
    assert (source.cache / "x_extracted" / "more").exists()  # not unpacked again
    source("x.tgz", archive, extract=True, force_download=True)
    assert [p.name for p in (source.cache / "x_extracted").iterdir()] == ["in"]


def test_what_is_no_archive(source, tmp_path):
    with pytest.warns(UserWarning, match="is no archive"):
        source(extract=True)
    with pytest.warns(UserWarning, match="is no archive"):
        source("z", packed("zip", tmp_path / "z"), untar=True)
    assert sorted(p.name for p in source.cache.iterdir()) == ["words.txt_archive", "z_archive"]


def test_nothing_is_unpacked_elsewhere(source, tmp_path):
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("../../out.txt"))
    with pytest.raises(tarfile.FilterError):
        source(path=tmp_path / "bad.tar", extract=True)
    assert [p.name for p in source.cache.iterdir()] == ["bad.tar_archive"]


def test_wrong_arguments(source, tmp_path):
    for call, said in (
        (lambda: get_file("a"), "needs the origin"),
        (lambda: source("a/b"), "without folders"),
        (lambda: get_file(origin="https://nowhere.example/"), "without folders"),
        (lambda: source(hash_algorithm="crc"), "unknown hash_algorithm"),
    ):
        with pytest.raises(ArgumentError, match=said):
            call()
    with pytest.raises(OSError):
        source(path=tmp_path / "none")
    assert not source.cache.exists() or not list(source.cache.iterdir())

"""get_file: a file of the web in the cache, verified and unpacked (Keras: `utils.get_file`)."""

import os
import shutil
import sys
import warnings
from pathlib import Path

from gpunn.datasets import files
from gpunn.errors import ArgumentError, DataError, unknown

ARCHIVES = ("tar", "zip")


def get_file(
    fname=None,
    origin=None,
    untar=False,
    md5_hash=None,
    file_hash=None,
    cache_subdir="datasets",
    hash_algorithm="auto",
    extract=False,
    archive_format="auto",
    cache_dir=None,
    force_download=False,
) -> str:
    """The path of a file in the cache, downloaded if it is not there.

    What is in the cache is complete, and has the hash that is asked for.

    Args:
        fname: the file's name in the cache. Default: that at the end of the address.
        origin: its address.
        untar: extract=True and archive_format="tar", as Keras once had it.
        md5_hash: file_hash, as Keras once had it.
        file_hash: what the file hashes to, in hexadecimal; one that does not is downloaded again.
            Default: anything is taken.
        cache_subdir: the folder in the cache. Default: "datasets".
        hash_algorithm: "sha256", "md5", or "auto" (default): by the length of the hash.
        extract: whether to unpack an archive, and give the path of the folder.
        archive_format: "tar", "zip" or a list of them. Default: "auto", both.
        cache_dir: the cache. Default: `$XDG_CACHE_HOME/gpunn`, or `~/.cache/gpunn`.
        force_download: whether to download it anyway. Default: False.

    Raises:
        ArgumentError: if an argument is not allowed.
        OSError: if the address cannot be reached, or the cache not written.
        DataError: if what came is cut off, or has another hash.

    Source: `keras.utils.get_file`.

    >>> import pathlib, tempfile
    >>> here = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (here / "words.txt").write_text("so so")
    >>> path = gpunn.utils.get_file(origin=(here / "words.txt").as_uri(), cache_dir=here / "cache")
    >>> pathlib.Path(path).read_text()
    'so so'
    """
    if origin is None:
        raise ArgumentError("get_file needs the origin, an address")
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    if hash_algorithm not in ("auto", "sha256", "md5"):
        raise unknown("hash_algorithm", hash_algorithm, ("auto", "sha256", "md5"))
    if hash_algorithm == "auto":
        hash_algorithm = "md5" if file_hash is not None and len(file_hash) == 32 else "sha256"
    from urllib.parse import urlsplit  # slow to import

    name = os.fspath(fname) if fname else os.path.basename(urlsplit(origin).path)
    if not name or os.path.basename(name) != name:
        raise ArgumentError(f"fname must be a name without folders, got {name!r}")
    folder = Path(files.cache_dir() if cache_dir is None else cache_dir).expanduser() / cache_subdir
    target = place = folder / name
    if (extract or untar) and fname and "." in name:
        place = folder / f"{name.partition('.')[0]}_extracted"
    elif extract or untar:
        target = folder / f"{name}_archive"
    good = target.is_file() and _hashes_to(target, file_hash, hash_algorithm)
    if force_download or not good:
        _download(origin, target, file_hash, hash_algorithm)
    if (extract or untar) and (force_download or not good or not place.is_dir()):
        _extract(target, place, "tar" if untar else archive_format)
    return str(place)


def _hashes_to(path: Path, wanted: str | None, algorithm: str) -> bool:
    import hashlib

    if wanted is None:
        return True
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == wanted.lower()


def _download(origin: str, target: Path, wanted, algorithm) -> None:
    import hashlib

    print(f"downloading {origin} to {target}", file=sys.stderr)
    digest = hashlib.new(algorithm)
    with files.replacing(target) as out:
        for chunk in files.chunks(origin):
            digest.update(chunk)
            out.write(chunk)
        if wanted is not None and digest.hexdigest() != wanted.lower():
            raise DataError(f"{origin} sent a file whose {algorithm} is not {wanted}")


def _extract(archive: Path, place: Path, formats) -> None:
    """Unpack an archive into a folder, which is only ever absent or complete."""
    import tarfile
    import tempfile
    import zipfile

    formats = ARCHIVES if formats == "auto" else (formats,) if isinstance(formats, str) else formats
    made = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        if "tar" in (formats or ()) and tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                tar.extractall(made, filter="data")  # nothing outside the folder
        elif "zip" in (formats or ()) and zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(made)
        else:
            warnings.warn(f"{archive} is no archive of the formats {formats}", stacklevel=3)
            return
        if place.is_dir():
            shutil.rmtree(place)
        os.replace(made, place)
    finally:
        shutil.rmtree(made, ignore_errors=True)

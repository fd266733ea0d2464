"""Data files that are not in the package: find one, verify it, download it."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gpunn.errors import DataError, MissingFileError

TIMEOUT = 20.0  # seconds without an answer
_CHUNK = 1 << 20


@dataclass(frozen=True)
class DataFile:
    """A public file: its name, its address and what each known version of it hashes to."""

    name: str
    url: str
    sha256: dict[str, str]  # hash: where the file with this hash is from
    elsewhere: tuple[str, ...] = ()  # folders of other programs that may hold it


def cache_dir() -> Path:
    """The folder of downloads: `$XDG_CACHE_HOME/gpunn`, by default `~/.cache/gpunn`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpunn"


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    import hashlib  # slow to import, as are the others below

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(file: DataFile, path: str | os.PathLike[str] | None = None) -> Path:
    """Finds a verified copy of `file`, downloading it where there is none.

    Looked at in this order: `path` (a file, or a folder that holds it), `$GPUNN_DATA_DIR`, the
    cache, the folders of other programs that may hold it, and the file's public address. As in
    Keras, a `path` that is no more than the file's own name stands for this whole search.

    Args:
        file: what is looked for.
        path: a file or folder. Nothing else is tried when it is given.

    Returns:
        The path of a file whose hash is one of `file.sha256`.

    Raises:
        MissingFileError: there is no file, and it could not be downloaded either.
        DataError: the file at `path` or in `$GPUNN_DATA_DIR` is not the file that it should be.
    """
    if path is not None and not (str(path) == file.name and not Path(path).exists()):
        return _required(file, Path(path).expanduser(), "path")
    tried = []
    if folder := os.environ.get("GPUNN_DATA_DIR"):
        wanted = Path(folder).expanduser() / file.name
        if wanted.is_file():
            return _required(file, wanted, "GPUNN_DATA_DIR")
        tried.append(f"{wanted} (GPUNN_DATA_DIR): not there")
    else:
        tried.append("the folder named by GPUNN_DATA_DIR: not set")
    cached = cache_dir() / file.name
    for place in (cached, *(Path(f).expanduser() / file.name for f in file.elsewhere)):
        if not place.is_file():
            tried.append(f"{place}: not there")
        elif sha256(place) in file.sha256:
            return place
        else:
            tried.append(f"{place}: damaged, or another file (its sha256 is not the known one)")
    try:
        download(file, cached)
    except (OSError, DataError) as error:
        tried.append(f"{file.url}: {error}")
        places = "\n".join(f"  {line}" for line in tried)
        raise MissingFileError(
            f"{file.name} was not found:\n{places}\n"
            f"Download {file.url} and put it at {cached}, or into a folder named by the "
            f"environment variable GPUNN_DATA_DIR, or pass its path."
        ) from None
    return cached


def download(file: DataFile, target: Path) -> None:
    """Downloads `file` to `target`, which is only ever absent or complete and verified.

    Raises:
        OSError: the address cannot be reached, or `target` cannot be written.
        DataError: what came is cut off, or has a hash that is not known.
    """
    import hashlib

    print(f"downloading {file.url} to {target}", file=sys.stderr)
    digest = hashlib.sha256()
    with replacing(target) as out:
        for chunk in chunks(file.url):
            digest.update(chunk)
            out.write(chunk)
        if digest.hexdigest() not in file.sha256:
            raise DataError(f"sent a file with an unknown sha256, {digest.hexdigest()}")


def chunks(url: str) -> Iterator[bytes]:
    """What an address sends, piece by piece; a DataError if it breaks off."""
    import http.client
    import urllib.request

    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        try:
            while chunk := answer.read(_CHUNK):
                yield chunk
        except http.client.HTTPException as error:
            raise DataError(f"the answer broke off: {error!r}") from None


@contextlib.contextmanager
def replacing(target: Path) -> Iterator:
    """A file beside `target` that takes its place when the block ends well."""
    import tempfile

    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def _required(file: DataFile, path: Path, source: str) -> Path:
    """`path`, if it is a good copy of `file`; an error otherwise."""
    if path.is_dir():
        path = path / file.name
    if not path.is_file():
        raise MissingFileError(
            f"{file.name}: no file at {path} ({source}). Download {file.url} and put it there."
        )
    if (digest := sha256(path)) not in file.sha256:
        known = "".join(f"\n  {value} ({where})" for value, where in file.sha256.items())
        raise DataError(
            f"{path} ({source}) is damaged or not {file.name}: its sha256 is {digest}, known are:"
            f"{known}\nDownload {file.url} again, or read your own file with numpy.load."
        )
    return path

"""Files of weights: safetensors with a JSON header of ours, written atomically, read strictly."""

import json
import os
import secrets
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gpunn.errors import MissingFileError, SerializationError

FORMAT = 1
OPTIMIZER = "optimizer/"  # the prefix of the optimizer's state among the weights


def write(path, tensors: dict[str, np.ndarray], header: dict) -> None:
    """Write named arrays and a JSON header into one file, or leave the old file as it was.

    A temporary file beside the target is written, synced and moved over it.

    Raises:
        SerializationError: if the folder does not exist or cannot be written to.
    """
    from safetensors.numpy import save

    path = Path(path)
    metadata = {"gpunn": json.dumps({"format": FORMAT, **header})}
    arrays = {name: np.asarray(a, order="C") for name, a in tensors.items()}
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "wb") as f:
            f.write(save(arrays, metadata))
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
    except OSError as e:
        temporary.unlink(missing_ok=True)
        raise SerializationError(f"cannot write {path}: {e.strerror or e}") from e
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read(path) -> tuple[dict[str, np.ndarray], dict]:
    """The named arrays and the header of a file that `write` made.

    Raises:
        FileNotFoundError: if there is no such file.
        SerializationError: if it is damaged, or none of ours.
    """
    with _opened(path) as (file, header):
        return {name: file.get_tensor(name) for name in file.keys()}, header


def read_header(path) -> dict:
    """The header of a file that `write` made, without its arrays; raises as `read` does."""
    with _opened(path) as (_, header):
        return header


@contextmanager
def _opened(path):
    """The open safetensors file, and its header."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"there is no file {path}")
    try:
        with safe_open(path, "np") as file:
            header = json.loads((file.metadata() or {}).get("gpunn", "null"))
            _check(header, path)
            yield file, header
    except SerializationError:
        raise
    except (SafetensorError, ValueError, OSError) as e:
        raise SerializationError(f"{path} is damaged or not a gpunn file: {e}") from e


def _check(header, path) -> None:
    if not isinstance(header, dict):
        raise SerializationError(f"{path} is a safetensors file, but not one that gpunn wrote")
    if header.get("format", 0) > FORMAT:
        raise SerializationError(
            f"{path} has format {header['format']}, this gpunn reads up to {FORMAT}: "
            "pip install -U gpunn"
        )


def fit_weights(layer, tensors: dict[str, np.ndarray], source) -> None:
    """Assign named arrays to a layer's weights.

    Raises:
        SerializationError: listing every missing, unknown and misshapen weight; nothing is
            changed then.
    """
    weights = layer.named_weights()
    wrong = [f"missing: {name}" for name in weights if name not in tensors]
    wrong += [f"unknown: {name} {a.shape}" for name, a in tensors.items() if name not in weights]
    wrong += [
        f"{name}: the file has {tensors[name].shape}, the model {v.shape}"
        for name, v in weights.items()
        if name in tensors and tensors[name].shape != v.shape
    ]
    if wrong:
        raise SerializationError(
            f"the weights of {source} do not fit {layer.name!r}: " + "; ".join(wrong)
        )
    for name, v in weights.items():
        v.assign(tensors[name])


def names_of(layer):
    """A function from a weight to its attribute path, whatever the layers' names are."""
    paths = {id(v): path for path, v in layer.named_weights().items()}
    return lambda v: paths[id(v)]


def refuse_existing(path, overwrite: bool) -> None:
    """Raise FileExistsError for a file that exists and may not be overwritten."""
    if not overwrite and Path(path).exists():
        raise FileExistsError(f"{path} exists: pass overwrite=True to replace it")

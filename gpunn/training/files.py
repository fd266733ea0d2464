"""Files of weights: safetensors with a JSON header of ours, written atomically, read strictly."""

import json
import os
import secrets
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gpunn.checks import as_path
from gpunn.errors import MissingFileError, SerializationError
from gpunn.layers import Layer
from gpunn.layers.lora import Lora

FORMAT = 1
OPTIMIZER = "optimizer/"  # the prefix of the optimizer's state among the weights
OWN, ASSETS = "/own/", "/assets/"  # between a layer's path and what its own methods stored


def write(path, tensors: dict[str, np.ndarray], header: dict) -> None:
    """Write named arrays and a JSON header into one file, or leave the old file as it was.

    A temporary file beside the target is written, synced and moved over it.

    Raises:
        SerializationError: if the folder does not exist or cannot be written to.
    """
    from safetensors.numpy import save

    metadata = {"gpunn": json.dumps({"format": FORMAT, **header})}
    arrays = {name: np.asarray(a, order="C") for name, a in tensors.items()}
    write_bytes(path, save(arrays, metadata))


def write_bytes(path, data: bytes) -> None:
    """Write a file, or leave the old one as it was; raises as `write` does."""
    path = as_path("filepath", path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "wb") as f:
            f.write(data)
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

    path = as_path("filepath", path)
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


# --- the state of a layer, as named arrays ---


def state_of(layer) -> dict[str, np.ndarray]:
    """The weights by attribute path; what layers with `save_own_variables` and `save_assets` give.

    The names of the latter are "path/own/name", and "path/assets/file" for the bytes of a file.
    """
    weights, tensors = layer.named_weights(), {}
    for path, x in _hooked(layer, "save_own_variables"):
        store: dict = {}
        x.save_own_variables(store)
        tensors.update({f"{path}{OWN}{key}": np.asarray(a) for key, a in store.items()})
        own = {id(v) for v in x._own_weights()}
        weights = {name: v for name, v in weights.items() if id(v) not in own}
    for path, x in _hooked(layer, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            x.save_assets(folder)
            for file in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
                name = f"{path}{ASSETS}{file.relative_to(folder).as_posix()}"
                tensors[name] = np.frombuffer(file.read_bytes(), np.uint8)
    return {name: v.numpy() for name, v in weights.items()} | tensors


def weights_of(layer) -> dict[str, np.ndarray]:
    """What `state_of` gives, with products of low rank added to their kernels, as in Keras."""
    tensors = state_of(layer)
    for x, (kernel, *product) in _adapted(layer):
        if kernel in tensors:
            tensors[kernel] = getattr(x, x.lora_kernel).numpy()
        for name in product:
            tensors.pop(name, None)
    return tensors


def _adapted(layer):
    """The layers with a product of low rank, each with the names of its kernel, a and b."""
    found = [x for x in layer.walk() if isinstance(x, Lora) and x.lora_enabled]
    path = names_of(layer) if found else None
    for x in found:
        weights = getattr(x, f"_{x.lora_kernel}"), *x.lora_matrices
        yield x, [path(v) for v in weights]


def restore(layer, tensors: dict[str, np.ndarray], source, skip_mismatch: bool = False) -> None:
    """Give a layer the state that `state_of` read off one like it.

    Args:
        layer: the layer, built.
        tensors: the state.
        source: where it is from, for messages.
        skip_mismatch: whether weights that do not fit are left out with a warning.

    Raises:
        SerializationError: listing every missing, unknown and misshapen weight; nothing is
            changed then.
    """
    hooked = dict(_hooked(layer, "load_own_variables"))
    by_hooks = {id(v) for x in hooked.values() for v in x._own_weights()}
    weights = {n: v for n, v in layer.named_weights().items() if id(v) not in by_hooks}
    plain = {n: a for n, a in tensors.items() if OWN not in n and ASSETS not in n}
    for x, (_, *product) in _adapted(layer):
        if not set(product) & set(plain):  # the kernel has it
            a, b = x.lora_matrices
            plain.update(zip(product, (a.numpy(), np.zeros(b.shape)), strict=True))
    fit_weights(layer.name, weights, plain, source, skip_mismatch)
    for path, x in hooked.items():
        x.load_own_variables(_below(tensors, f"{path}{OWN}"))
    for path, x in _hooked(layer, "load_assets"):
        with tempfile.TemporaryDirectory() as folder:
            for name, data in _below(tensors, f"{path}{ASSETS}").items():
                file = Path(folder, name)
                if not file.resolve().is_relative_to(Path(folder).resolve()):
                    raise SerializationError(f"{source}: {name!r} is no name of an asset")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data.tobytes())
            x.load_assets(folder)


def _hooked(layer, hook: str):
    """The layers that have a method of their own, by attribute path."""
    default = getattr(Layer, hook, None)
    for path, x in layer.named_layers():
        if getattr(type(x), hook, default) is not default:
            yield path, x


def _below(tensors: dict, prefix: str) -> dict:
    return {n.removeprefix(prefix): a for n, a in tensors.items() if n.startswith(prefix)}


def fit_weights(owner: str, weights: dict, tensors: dict, source, skip_mismatch=False) -> None:
    """Assign named arrays to weights of the same names; see `restore`."""
    wrong = [f"missing: {name}" for name in weights if name not in tensors]
    wrong += [f"unknown: {name} {a.shape}" for name, a in tensors.items() if name not in weights]
    wrong += [
        f"{name}: the file has {tensors[name].shape}, the model {v.shape}"
        for name, v in weights.items()
        if name in tensors and tensors[name].shape != v.shape
    ]
    if wrong:
        message = f"the weights of {source} do not fit {owner!r}: " + "; ".join(wrong)
        if not skip_mismatch:
            raise SerializationError(message)
        warnings.warn(message, stacklevel=4)
    for name, v in weights.items():
        if name in tensors and tensors[name].shape == v.shape:
            v.assign(tensors[name])


def names_of(layer):
    """A function from a weight to its attribute path, whatever the layers' names are."""
    paths = {id(v): path for path, v in layer.named_weights().items()}
    return lambda v: paths[id(v)]


def refuse_existing(path, overwrite: bool) -> None:
    """Raise FileExistsError for a file that exists and may not be overwritten."""
    if as_path("filepath", path).exists() and not overwrite:
        raise FileExistsError(f"{path} exists: pass overwrite=True to replace it")

"""Files of Keras 3, read and written: `.keras`, a zip of config and weights, and `.weights.h5`."""

import io
import json
import warnings
import zipfile
from datetime import datetime

import numpy as np

from gpunn import optimizers
from gpunn.checks import as_path
from gpunn.errors import ArgumentError, MissingDependencyError, SerializationError
from gpunn.layers import tree
from gpunn.layers.lora import without_product
from gpunn.layers.owner import WeightOwner
from gpunn.models.keras_config import from_keras, to_keras
from gpunn.models.legacy_h5 import is_legacy, read_legacy_weights
from gpunn.serialization import (
    custom_object_scope,
    deserialize_value,
    serialize_value,
    snake_case,
)
from gpunn.training import files

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
OTHER_NAMES = {"GroupQueryAttention": "grouped_query_attention"}  # and its layers are private
KERAS_VERSION = "3.15.0"  # whose format it is


def is_keras_model(path) -> bool:
    """Whether a file is a zip, as `keras.Model.save` writes."""
    return _begins(path, b"PK\x03\x04")


def is_keras_file(path) -> bool:
    """Whether a file is one that Keras wrote: of a model, or HDF5 with weights."""
    return is_keras_model(path) or _begins(path, b"\x89HDF\r\n\x1a\n")


def _begins(path, magic: bytes) -> bool:
    if not as_path("filepath", path).is_file():
        return False
    with open(path, "rb") as f:
        return f.read(len(magic)) == magic


def load_keras_model(path, custom_objects=None, compile: bool = True):
    """The model of a `.keras` file that Keras wrote; see `load_model`."""
    config, weights = json.loads(_member(path, CONFIG)), _member(path, WEIGHTS)
    with custom_object_scope(custom_objects or {}), _hdf5(io.BytesIO(weights), "r") as file:
        model = deserialize_value(from_keras(config))
        shape = (config.get("build_config") or {}).get("input_shape")
        if not model.built and shape is not None:
            model.build(shape)
        read_weights(file, model, path)
        if compile and config.get("compile_config"):
            model.compile_from_config(from_keras(config["compile_config"]))
            _read_optimizer(file, model)
    return model


def _member(path, name: str) -> bytes:
    """One of the files in a `.keras` file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    except (zipfile.BadZipFile, KeyError) as e:
        raise SerializationError(f"{path} is damaged or not written by Keras 3: {e}") from e


def load_keras_weights(path, model, skip_mismatch: bool = False, by_name: bool = False) -> None:
    """Read weights from a `.h5` or `.keras` file of Keras; see `Model.load_weights`."""
    source = io.BytesIO(_member(path, WEIGHTS)) if is_keras_model(path) else path
    with _hdf5(source, "r") as file:
        if is_legacy(file):
            read_legacy_weights(file, model, path, by_name, skip_mismatch)
        elif by_name:
            raise only_legacy_by_name(path)
        else:
            read_weights(file, model, path, skip_mismatch)


def only_legacy_by_name(path) -> ArgumentError:
    """The error of `by_name` for a file that has a place for each weight."""
    return ArgumentError(
        f"load_weights: by_name=True is for .h5 files of Keras before version 3; the weights of "
        f"{path} are found by the attributes that hold the layers"
    )


def save_keras(model, filepath, overwrite: bool = True) -> None:
    """Write a file that Keras 3 reads: a whole model, or its weights alone.

    `model.save` writes gpunn's own format, whatever the file is called.

    Args:
        model: made of layers that Keras has, and of yours, registered in both under one name.
        filepath: "name.keras" for the model, "name.weights.h5" for its weights.
        overwrite: False: an existing file is an error.

    Raises:
        MissingDependencyError: without h5py: `pip install gpunn[keras]`.
        SerializationError: for another name, or what Keras does not have.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.keras")
    >>> model = gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(2)])
    >>> gpunn.saving.save_keras(model, path)  # doctest: +SKIP
    """
    path = as_path("filepath", filepath)
    if not path.name.endswith((".keras", ".weights.h5")):
        raise SerializationError(
            f"Keras reads files called *.keras and *.weights.h5, not {path.name!r}"
        )
    model._require_built("save")
    files.refuse_existing(path, overwrite)
    whole = path.suffix == ".keras"
    config = _keras_config(model) if whole else None
    buffer = io.BytesIO()
    with _hdf5(buffer, "w") as file:
        _write_weights(file, model)
        if whole and model.compiled and getattr(model.optimizer, "built", False):
            _write_own(file.create_group("optimizer"), model.optimizer.variables, "optimizer")
    data = buffer.getvalue()
    if whole:
        data = _zipped(config, data)
    files.write_bytes(path, data)


def _zipped(config: dict | None, weights: bytes) -> bytes:
    buffer = io.BytesIO()
    saved = datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    metadata = {"keras_version": KERAS_VERSION, "date_saved": saved}
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(METADATA, json.dumps(metadata))
        archive.writestr(CONFIG, json.dumps(config))
        archive.writestr(WEIGHTS, weights)
    return buffer.getvalue()


def _keras_config(model) -> dict:
    config = to_keras(serialize_value(model, "model"))
    build = model.get_build_config() or {"input_shape": model._build_shape}
    config["build_config"] = serialize_value(build, "build")
    if model.compiled:
        config["compile_config"] = to_keras(serialize_value(model.get_compile_config(), "compile"))
    return config


def _hdf5(source, mode: str):
    try:
        import h5py
    except ImportError as e:
        raise MissingDependencyError(
            "files of Keras need h5py: pip install gpunn[keras] (or h5py)"
        ) from e
    try:
        return h5py.File(source, mode)
    except OSError as e:
        raise SerializationError(f"{source} is damaged or no file of Keras: {e}") from e


# --- weights: each layer's own in a group "vars", the layers inside by attribute ---


def read_weights(file, model, source, skip_mismatch: bool = False) -> None:
    """Assign the weights of an HDF5 file to a model's.

    Raises:
        SerializationError: listing all that does not fit; nothing is changed then.
    """
    wrong, found = [], []
    for path, layer in _by_keras_path(model):
        weights = [v for v, _ in without_product(layer)]
        group = file[f"{path}/vars"] if f"{path}/vars" in file else {}
        arrays = [np.asarray(group[key]) for key in sorted(group, key=int)] if group else []
        if [a.shape for a in arrays] == [v.shape for v in weights]:
            found += zip(weights, arrays, strict=True)
            if getattr(layer, "lora_enabled", False):  # the kernel has it
                b = layer.lora_matrices[1]
                found.append((b, np.zeros(b.shape)))
        else:
            wrong.append(
                f"{path or '/'} ({layer.name}): the file has {[a.shape for a in arrays]}, the "
                f"layer {[v.shape for v in weights]}"
            )
    if wrong:
        message = f"the weights of {source} do not fit {model.name!r}: " + "; ".join(wrong)
        if not skip_mismatch:
            raise SerializationError(message)
        warnings.warn(message, stacklevel=4)
    for v, a in found:
        v.assign(a)


def _write_weights(file, model) -> None:
    for path, layer in _by_keras_path(model):
        values = [value for _, value in without_product(layer)]
        _write_own(file.require_group(path or "/"), values, layer.name)


def _write_own(group, weights: list, name: str) -> None:
    own = group.create_group("vars")
    own.attrs["name"] = name
    for i, v in enumerate(weights):
        own[str(i)] = v.numpy()


def _by_keras_path(model):
    """A model's layers with the names of their groups, in Keras' order."""
    seen = set()

    def visit(path, owner):
        if id(owner) in seen:
            return
        seen.add(id(owner))
        yield path, owner
        for name, inside in _children(owner):
            yield from visit(f"{path}/{name}" if path else name, inside)

    yield from visit("", model)


def _children(owner):
    """The layers right inside, by attribute; those in a list by class, with numbers."""
    attributes: dict[str, list] = {}
    for path, x in tree.find(owner, WeightOwner, WeightOwner):
        name, _, rest = path.partition(".")
        name = f"_{name}" if type(owner).__name__ in OTHER_NAMES else name
        attributes.setdefault(name, []).append((rest, x))
    if getattr(owner, "_call_graph", None) is not None or hasattr(
        owner, "_tensors"
    ):  # not subclassed
        attributes = {"layers": [("-", x) for x in owner.layers]} | attributes
    first = [name for name in attributes if name == "layers"]
    for attribute in first + sorted(name for name in attributes if name != "layers"):
        taken: dict[str, int] = {}
        for rest, x in attributes[attribute]:
            if not rest:
                yield attribute, x
                continue
            name = type(x).__name__
            kind = OTHER_NAMES.get(name) or snake_case(name)
            n = taken[kind] = taken.get(kind, -1) + 1
            yield f"{attribute}/{kind}_{n}" if n else f"{attribute}/{kind}", x


def _read_optimizer(file, model) -> None:
    """The optimizer's state, where it has the same one."""
    optimizer = model.optimizer
    if not isinstance(optimizer, optimizers.Optimizer) or "optimizer/vars" not in file:
        return
    group = file["optimizer/vars"]
    arrays = [np.asarray(group[key]) for key in sorted(group, key=int)]
    optimizer.build(model.trainable_variables)
    variables = optimizer.variables
    if [a.shape for a in arrays] != [v.shape for v in variables]:
        warnings.warn("the state of Keras' optimizer does not fit: it starts anew", stacklevel=4)
        return
    for v, a in zip(variables, arrays, strict=True):
        v.assign(a)

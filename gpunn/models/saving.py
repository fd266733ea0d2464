"""Whole models in one file, and back: config, weights, and how they are trained."""

import json
import warnings

from gpunn import optimizers
from gpunn.backend import current_device
from gpunn.backend import device as on_device
from gpunn.errors import NotBuiltError, SerializationError
from gpunn.models.keras_files import (
    is_keras_file,
    is_keras_model,
    load_keras_model,
    load_keras_weights,
    only_legacy_by_name,
)
from gpunn.serialization import custom_object_scope, deserialize_value, serialize_value
from gpunn.training import files


def save_model(
    model,
    filepath,
    overwrite: bool = True,
    include_optimizer: bool = True,
    metadata: dict | None = None,
) -> None:
    """Write a whole model to one file.

    Args:
        model: a model that has its weights.
        filepath, overwrite, include_optimizer, metadata: see `Model.save`, which calls this.

    Raises:
        NotBuiltError: if the model has no weights yet.
        FileExistsError: if the file exists and `overwrite` is False.
        SerializationError: if something in the model cannot be written, with its name.

    Source: keras.saving.save_model.

    >>> import tempfile
    >>> model = gpunn.Sequential([gpunn.Input((2,)), gpunn.layers.Dense(1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gpunn.saving.save_model(model, f"{folder}/model.keras")
    ...     gpunn.load_model(f"{folder}/model.keras").output_shape
    (None, 1)
    """
    if not model.knows_weights:
        raise NotBuiltError(f"{model.name!r} has no weights yet: call it on data, or build it")
    files.refuse_existing(filepath, overwrite)
    header = {"kind": "model", "model": serialize_value(model, "model")}
    header["build_shape"] = serialize_value(model._build_shape, "build_shape")
    # of layers that an outer one makes, whose config knows nothing of it
    header["lora"] = {
        path: (x.lora_rank, x.lora_alpha)
        for path, x in model.named_layers()
        if getattr(x, "lora_enabled", False)
    }
    if metadata is not None:
        header["metadata"] = serialize_value(metadata, "metadata")
    if model.compiled:
        try:
            header["compile"] = serialize_value(model.get_compile_config(), "compile")
        except SerializationError as e:  # a lambda as loss must not cost anybody the weights
            warnings.warn(f"saved without what compile() was told: {e}", stacklevel=3)
    tensors = files.state_of(model)
    if include_optimizer and model.optimizer is not None and model.optimizer.built:
        state = model.optimizer.state_dict(files.names_of(model))
        tensors.update({files.OPTIMIZER + name: value for name, value in state.items()})
    json.dumps(header)  # what is no JSON is found before anything is written
    files.write(filepath, tensors, header)


def load_model(
    filepath,
    custom_objects: dict | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    device=None,
):
    """The model of a file that `save` wrote, ready to predict or to go on training.

    Files that Keras 3 wrote (`.keras`) are read as well, with h5py: `pip install gpunn[keras]`.

    Args:
        filepath: the file.
        custom_objects: classes and functions of yours by name, if they are not registered.
        compile: whether to compile it as it was.
        safe_mode: taken for Keras' sake: no code is read from files in any case.
        device: where its weights shall lie; default: the current device.

    Raises:
        FileNotFoundError: if there is no such file.
        SerializationError: if it is damaged, or uses a class that is not known.

    Source: keras.saving.load_model.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.gpunn")
    >>> gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(2)]).save(path)
    >>> gpunn.load_model(path).output_shape
    (None, 2)
    """
    if is_keras_model(filepath):
        with on_device(current_device() if device is None else device):
            return load_keras_model(filepath, custom_objects, compile)
    tensors, header = files.read(filepath)
    if header.get("kind") != "model":
        raise SerializationError(
            f"{filepath} holds weights only: make the model, then model.load_weights() it"
        )
    with on_device(current_device() if device is None else device):
        model = deserialize_value(header["model"], custom_objects)
        if not model.built and header.get("build_shape") is not None:
            model.build(header["build_shape"])
        adapted = header.get("lora", {})
        for path, x in model.named_layers():
            if path in adapted and not x.lora_enabled:
                x.enable_lora(*adapted[path])
    weights = {n: a for n, a in tensors.items() if not n.startswith(files.OPTIMIZER)}
    with custom_object_scope(custom_objects or {}):
        files.restore(model, weights, filepath)
    if compile and "compile" in header:
        try:
            with custom_object_scope(custom_objects or {}):
                model.compile_from_config(header["compile"])
        except SerializationError as e:
            e.add_note("load_model(..., compile=False) gives the model without how it is trained")
            raise
        state = {
            n.removeprefix(files.OPTIMIZER): a
            for n, a in tensors.items()
            if n.startswith(files.OPTIMIZER)
        }
        if state and isinstance(model.optimizer, optimizers.Optimizer):
            model.optimizer.build(model.trainable_variables)
            model.optimizer.load_state_dict(state, files.names_of(model))
    return model


def load_weights(model, filepath, skip_mismatch: bool = False, by_name: bool = False) -> None:
    """Read weights into a model; see `Model.load_weights`."""
    if is_keras_file(filepath):
        load_keras_weights(filepath, model, skip_mismatch, by_name)
        return
    if by_name:
        raise only_legacy_by_name(filepath)
    tensors, _ = files.read(filepath)
    own = {n: a for n, a in tensors.items() if not n.startswith(files.OPTIMIZER)}
    files.restore(model, own, filepath, skip_mismatch)


def read_metadata(filepath) -> dict:
    """What `model.save(filepath, metadata={...})` was given; {} if nothing was.

    Args:
        filepath: the file; its weights are not read.

    Raises:
        FileNotFoundError: if there is no such file.
        SerializationError: if it is damaged.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.gpunn")
    >>> model = gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(2)])
    >>> model.save(path, metadata={"classes": ["cat", "dog"]})
    >>> gpunn.models.read_metadata(path)
    {'classes': ['cat', 'dog']}
    """
    return files.read_header(filepath).get("metadata") or {}


def model_from_json(json_string: str, custom_objects: dict | None = None):
    """The model of what `model.to_json()` gave, with new weights.

    Args:
        json_string: the JSON.
        custom_objects: classes and functions of yours by name, if they are not registered.

    Raises:
        SerializationError: if it is no JSON of a model, or uses a class that is not known.

    Source: keras.models.model_from_json.

    >>> model = gpunn.Sequential([gpunn.Input((4,)), gpunn.layers.Dense(2)])
    >>> gpunn.models.model_from_json(model.to_json()).output_shape
    (None, 2)
    """
    try:
        config = json.loads(json_string)
    except (TypeError, ValueError) as e:
        raise SerializationError(f"expected the JSON of a model, got {json_string!r:.100}") from e
    return deserialize_value(config, custom_objects)

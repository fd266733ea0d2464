"""Weights of HDF5 files that Keras wrote before its version 3, or of `model.save("name.h5")`."""

import warnings

import numpy as np

from gpunn.errors import SerializationError


def is_legacy(file) -> bool:
    """Whether an open HDF5 file has a group for each layer by name."""
    return _has(_weights_of(file).attrs, "layer_names")


def read_legacy_weights(file, model, source, by_name: bool, skip_mismatch: bool) -> None:
    """Assign the weights of an HDF5 file to a model's layers.

    Args:
        file: the open file.
        model: its layers that have weights are as many as the file's, in the same order.
        source: name of the file, for errors.
        by_name: whether layers get the weights of those with their names instead; those that are
            only here or only there are left out.
        skip_mismatch: whether layers that do not fit are left out, with a warning that lists them.

    Raises:
        SerializationError: listing all that does not fit; nothing is changed then.

    Source: keras.Model.load_weights of a file of the old format.
    """
    root = _weights_of(file)
    saved = {name: _arrays(root[name]) for name in _names(root.attrs, "layer_names")}
    layers = [layer for layer in model.layers if layer.weights]
    if by_name:
        pairs = [(layer, saved[layer.name], layer.name) for layer in layers if layer.name in saved]
    else:
        saved = {name: arrays for name, arrays in saved.items() if arrays}
        if len(saved) != len(layers):
            raise SerializationError(
                f"the weights of {source} do not fit {model.name!r}: the file has {len(saved)} "
                f"layers with weights, the model {len(layers)}; by_name=True takes those with "
                "equal names"
            )
        pairs = [(layer, saved[name], name) for layer, name in zip(layers, saved, strict=True)]
    wrong, found = [], []
    for layer, arrays, name in pairs:
        weights = layer.trainable_weights + layer.non_trainable_weights
        if [a.shape for a in arrays] == [v.shape for v in weights]:
            found += zip(weights, arrays, strict=True)
        else:
            wrong.append(
                f"{layer.name}: the file has {[a.shape for a in arrays]} for {name!r}, the layer "
                f"{[v.shape for v in weights]}"
            )
    if wrong:
        message = f"the weights of {source} do not fit {model.name!r}: " + "; ".join(wrong)
        if not skip_mismatch:
            raise SerializationError(message)
        warnings.warn(message, stacklevel=5)
    for v, a in found:
        v.assign(a)


def _weights_of(file):
    """The group of the weights: a part of the file where the whole model is in it."""
    return file["model_weights"] if "model_weights" in file else file


def _arrays(group) -> list:
    return [np.asarray(group[name]) for name in _names(group.attrs, "weight_names")]


def _has(attributes, key: str) -> bool:
    return key in attributes or f"{key}0" in attributes


def _names(attributes, key: str) -> list[str]:
    """A list of names, which lies in pieces (names0, names1, ...) where it is long."""
    parts = [attributes[key]] if key in attributes else []
    while f"{key}{len(parts)}" in attributes and key not in attributes:
        parts.append(attributes[f"{key}{len(parts)}"])
    return [n.decode() if isinstance(n, bytes) else str(n) for part in parts for n in part]

"""What Keras has and gpunn lacks, each with the reason: `python ci/missing.py`.

Fails if a name is missing for no stated reason, or a reason is stated that none needs any more.
The names are those of keras_names.txt, which list_keras_names.py makes with Keras; a name without
a module of its own in gpunn may be in the module that holds its like (HOMES).
"""

import sys
import textwrap
from collections.abc import Iterator
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path

# Keras' module: gpunn's, where it has another name
HOMES = {"keras.ops.nn": "gpunn.ops", "keras.ops.numpy": "gpunn.ops"}

# reason: the names that are missing for it, in the style of the shell
REASONS = {
    "models with weights to be downloaded": "keras.applications*",
    "data sets to be downloaded; mnist, and small ones in the package, are in gpunn.datasets": """
        keras.datasets.boston_housing.* keras.datasets.california_housing.* keras.datasets.cifar*
        keras.datasets.fashion_mnist.* keras.datasets.imdb.* keras.datasets.reuters.*""",
    "there is one backend, without JAX's modules": "keras.config.set_backend *nnx*",
    "stateless_call and stateless_apply take values for variables": "keras.StatelessScope",
    "a call on symbolic tensors needs no scope": "keras.SymbolicScope",
    "gpunn.Model is a function of a graph, and functions of gpunn.ops are operations": """
        keras.Function keras.Operation""",
    "gpunn.__version__ is not one of Keras'": "keras.version",
    "automatic names are counted inside": "keras.backend.get_uid",
    "gpunn.utils.is_keras_tensor": "keras.backend.is_keras_tensor",
    "losses and metrics have the 1e-7 that Keras begins with": "*.set_epsilon",
    "belongs to TensorFlow: SavedModel, TFLite, tf.data": """
        keras.layers.TFSMLayer keras.export.*""",
    "layers of JAX, Flax and PyTorch": """
        keras.layers.JaxLayer keras.layers.FlaxLayer keras.layers.TorchModuleWrapper""",
    "gpunn.callbacks.BackupAndRestore, without Orbax": "keras.callbacks.OrbaxCheckpoint",
    "plot_model draws SVG itself, without pydot": "keras.utils.model_to_dot",
    "one device trains a model": "keras.distribution.*",
    "a policy holds for a whole layer; none of quantized weights": "keras.dtype_policies.*",
    "attention chooses by size whether its scores are kept": "keras.config.*flash_attention*",
    "tracebacks are whole": "keras.config.enable_traceback_filtering",
    "files hold no code": "keras.config.enable_unsafe_deserialization",
    "fit's `epochs` and `steps_per_epoch` say it": "*max_epochs *max_steps_per_epoch",
    "no gradients of complex tensors, which rotations by complex numbers need": """
        *.polar *.view_as_complex *.view_as_real""",
    "a dict with attributes, for Keras' own code": "keras.utils.Config",
    "no integer arithmetic in layers": "keras.quantizers.* keras.Quantizer",
    "a model may train another in its own train_step": "keras.distillation.*",
    "no files of sounds; layers take arrays of samples": "keras.utils.audio_dataset*",
    "no bounding boxes, nor drawings of images with them": """
        *BoundingBox* keras.utils.bounding_boxes.* keras.visualization.*""",
    "gpunn.saving reads and writes Keras' files, it does not edit them": """
        keras.saving.KerasFileEditor""",
}


def missing(listing: str) -> Iterator[str]:
    """The full names of a listing that gpunn does not have."""
    for line in listing.splitlines():
        if line.startswith("#"):
            continue
        module, *names = line.split()
        home = _find(HOMES.get(module, module.replace("keras", "gpunn", 1)))
        yield from (f"{module}.{name}" for name in names if not hasattr(home, name))


def _find(module: str):
    """A module, or an attribute of one that is used like a module; None if there is none."""
    try:
        return import_module(module)
    except ImportError:
        parent, _, name = module.rpartition(".")
        return getattr(_find(parent), name, None) if parent else None


def reason_for(name: str) -> str | None:
    """Why a name is missing, if that is stated."""
    for reason, patterns in REASONS.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns.split()):
            return reason
    return None


def main() -> int:
    listing = Path(__file__).with_name("keras_names.txt").read_text("utf-8")
    by_reason: dict[str | None, list[str]] = {}
    for name in missing(listing):
        by_reason.setdefault(reason_for(name), []).append(name)
    without = by_reason.pop(None, [])
    for reason, names in by_reason.items():
        print(f"{reason} ({len(names)}):")
        print(textwrap.fill(" ".join(names), 100, initial_indent="    ", subsequent_indent="    "))
    total = sum(len(line.split()) - 1 for line in listing.splitlines() if line[0] != "#")
    lacking = sum(map(len, by_reason.values())) + len(without)
    print(f"{total - lacking} of Keras' {total} names are here")
    if without:
        print(f"missing for no stated reason ({len(without)}):\n    " + "\n    ".join(without))
    if needless := [reason for reason in REASONS if reason not in by_reason]:
        print(f"reasons that no name needs any more ({len(needless)}):", *needless, sep="\n    ")
    return 1 if without or needless else 0


if __name__ == "__main__":
    sys.exit(main())

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
    "data sets to be downloaded": """
        keras.datasets.boston_housing.* keras.datasets.california_housing.* keras.datasets.cifar*
        keras.datasets.fashion_mnist.* keras.datasets.imdb.* keras.datasets.reuters.*""",
    "one engine, nothing to be chosen; see gpunn.backend and gpunn.floatx": """
        keras.backend.* keras.config.*backend* keras.config.*nnx* keras.StatelessScope
        keras.SymbolicScope keras.name_scope keras.version keras.Function keras.Operation
        keras.FloatDTypePolicy""",
    "belongs to TensorFlow, JAX, Flax, PyTorch or Orbax": """
        keras.layers.TFSMLayer keras.layers.JaxLayer keras.layers.FlaxLayer
        keras.layers.TorchModuleWrapper keras.callbacks.OrbaxCheckpoint keras.export.*
        keras.utils.model_to_dot""",
    "one device trains a model": "keras.distribution.*",
    "a policy is one dtype or a mixed pair, for the whole layer": "keras.dtype_policies.*",
    "nothing to be switched: attention chooses by size, errors are short, files hold no code": """
        keras.config.*flash_attention* keras.config.*traceback_filtering*
        keras.config.*unsafe_deserialization keras.config.set_epsilon""",
    "`verbose`, `epochs` and `steps_per_epoch` say it": """
        *interactive_logging* keras.config.*max_epochs keras.config.*max_steps_per_epoch""",
    "no gradients of complex tensors": "*.polar *.view_as_complex *.view_as_real",
    "of use to Keras' own code alone": """
        keras.utils.Config""",
    "no integer arithmetic in layers": "keras.quantizers.* keras.Quantizer *Quantiz*",
    "a model may train another in its own train_step": "keras.distillation.*",
    "no files of sounds": "keras.utils.audio_dataset*",
    "no bounding boxes": """
        *BoundingBox* keras.utils.bounding_boxes.* keras.visualization.*""",
    "methods of a model; see gpunn.saving for files that Keras reads": """
        keras.saving.KerasFileEditor keras.saving.load_weights keras.saving.save_weights""",
    "tables of several kinds of columns; gpunn.data.Features": "keras.utils.FeatureSpace",
    "gpunn.ops.image.resize": "keras.preprocessing.image.smart_resize",
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

"""Modules named as Keras', whose attributes are gpunn's objects."""

import functools
import importlib
import os
import re
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

import missing

from keras_shim import operations, private
from keras_shim.absent import Absent, Other

KERAS = Path(os.environ["KERAS_DIR"])  # the package of an installed Keras: its tests, and names
TREE = Path(os.environ["KERAS_TREE"])  # the copies of its tests
# what tests make their expected numbers with: Keras' own, which knows no other module of it
REFERENCES = ("keras.src.backend.common.backend_utils",)
OTHERS = ("tensorflow", "grain", "orbax", "torch_xla")

# The module of gpunn for each of Keras' (keras.src.layers.core.dense: gpunn.layers).
HOMES = {
    **{
        name: f"gpunn.{name}"
        for name in (
            "activations backend callbacks config constraints datasets dtype_policies initializers "
            "layers losses metrics models ops optimizers random regularizers saving tree utils "
            "wrappers"
        ).split()
    },
    "trainers": "gpunn.training",
}
ANYWHERE = ["gpunn", "gpunn.config", "gpunn.utils", "gpunn.data", "gpunn.serialization"]

LISTING = Path(missing.__file__).with_name("keras_names.txt").read_text("utf-8")
PUBLIC = {n for line in LISTING.splitlines() if line[0] != "#" for n in line.split()[1:]}
# public names that gpunn does not have on purpose, with the reason
LACKING = {n.rpartition(".")[2]: missing.reason_for(n) for n in missing.missing(LISTING)}


class Keras(ModuleType):
    """A module of Keras: each attribute is looked up in gpunn when a test asks for it."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return find(self.__name__, name)


def find(module: str, name: str):
    """The object of gpunn for `from module import name`."""
    if name in private.NAMES.get(module, ()):
        return private.NAMES[module][name]
    parts = [p for p in module.split(".") if p not in ("keras", "src")]
    part = parts[0] if parts else None
    if part == "ops" and name[:1].isupper():
        for file in parts[1:] or operations.FILES:
            operation = operations.operation(KERAS, file, name)
            if operation is not None:
                return operation
    full = f"{module}.{name}"
    if is_module(full) and not (len(parts) == 1 and callable(public(part, name))):
        return importlib.import_module(full)
    if part in ("backend", "ops") and parts[-1] == "random":
        return getattr(importlib.import_module("gpunn.random"), name)
    if part == "backend" and parts[-1] in ("image", "linalg"):
        return getattr(SPACES[f"gpunn.ops.{parts[-1]}"], name)
    if part == "backend":
        if name in private.NAMES["keras.src.backend"]:
            return private.NAMES["keras.src.backend"][name]
        part, parts = "ops", ["ops"]
    for home in homes(part, parts):
        found = getattr(home, name, None)
        if found is not None and not isinstance(found, ModuleType):
            return found
    if name not in words(module):
        raise AttributeError(f"{module} has no {name}")
    if name not in PUBLIC:
        return Absent(full, "private to Keras")
    if name in LACKING:
        return Absent(full, LACKING[name])
    raise AttributeError(f"gpunn has nothing for {full}")


def homes(part: str | None, parts: list[str]):
    """The modules of gpunn that may have a name, the likeliest first."""
    names = []
    if part in HOMES:
        for depth in range(len(parts), 0, -1):
            names.append(".".join([HOMES[part], *parts[1:depth]]))
    for name in dict.fromkeys([*names, *ANYWHERE, *HOMES.values()]):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if part == "ops" and len(parts) > 1 and name not in ("gpunn.ops", *SPACES):
            continue  # its files hold the functions before they know symbolic tensors
        yield SPACES.get(name, module)


SPACES = {  # `gpunn.ops.image` is an object with the functions
    f"gpunn.ops.{name}": getattr(importlib.import_module("gpunn.ops"), name)
    for name in ("image", "linalg")
}


def public(part: str, name: str):
    """What gpunn's module for a part of Keras has of a name."""
    return getattr(importlib.import_module(HOMES[part]), name, None) if part in HOMES else None


@functools.cache
def is_module(full: str) -> bool:
    """Whether Keras has a module of this name."""
    if re.fullmatch(r"keras\.src\.(backend|ops)\.(random|numpy|nn|image|math|linalg)", full):
        return True  # of whatever backend is in use
    path = KERAS.parent / full.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").exists()


@functools.cache
def words(module: str) -> set[str]:
    """The words in the source of a module of Keras."""
    path = KERAS.parent / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return set(re.findall(r"\w+", path.read_text("utf-8"))) if path.exists() else set()


class Finder(MetaPathFinder, Loader):
    """Gives Keras' tests themselves from files, everything else of Keras from gpunn."""

    def find_spec(self, fullname, path=None, target=None):
        first = fullname.partition(".")[0]
        if first in OTHERS and (first != "tensorflow" or _asked_by_test()):
            return ModuleSpec(fullname, self, is_package=True)
        if first != "keras" or not is_module(fullname):
            return None
        file = TREE / fullname.replace(".", "/")
        if fullname in REFERENCES:
            return spec_from_file_location(fullname, KERAS.parent / f"{file.relative_to(TREE)}.py")
        if fullname.startswith("keras.src.testing") or fullname.endswith("_test"):
            if file.is_dir():
                places = [str(file)]
                return spec_from_file_location(
                    fullname, file / "__init__.py", submodule_search_locations=places
                )
            file = file.with_suffix(".py")
            return spec_from_file_location(fullname, file, loader=TestLoader(fullname, str(file)))
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec):
        return Keras(spec.name) if spec.name.partition(".")[0] == "keras" else Other(spec.name)

    def exec_module(self, module):
        module.__path__ = []


class TestLoader(SourceFileLoader):
    """Reads a test file; what it asks the name of the backend for is told here."""

    def get_data(self, path):
        text = super().get_data(path)
        for old, new in private.IN_TESTS.items():
            text = text.replace(old.encode(), new.encode())
        return text

    def get_code(self, fullname):
        return compile(self.get_data(self.path), self.path, "exec", dont_inherit=True)


def _asked_by_test() -> bool:
    frame = sys._getframe(2)
    while frame and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.endswith("_test.py")


def install() -> None:
    """Make `import keras` give these modules."""
    sys.meta_path.insert(0, Finder())

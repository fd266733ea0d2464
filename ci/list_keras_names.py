"""Writes keras_names.txt, all public names of Keras: `python ci/list_keras_names.py`."""

import importlib
import pkgutil
from pathlib import Path

import keras


def main():
    lines = [f"# Keras {keras.__version__}, made by list_keras_names.py: a module and its names"]
    modules = ["keras"]
    for info in pkgutil.walk_packages(keras.__path__, "keras."):
        if not info.name.startswith(("keras.src", "keras._")) and ".legacy" not in info.name:
            modules.append(info.name)
    for module in sorted(modules):
        found = vars(importlib.import_module(module))
        names = [n for n, x in found.items() if not n.startswith("_") and not is_module(x)]
        lines.append(" ".join([module, *sorted(names)]))
    path = Path(__file__).with_name("keras_names.txt")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    print(path, sum(len(line.split()) - 1 for line in lines[1:]), "names")


def is_module(x) -> bool:
    return type(x).__name__ == "module"


if __name__ == "__main__":
    main()

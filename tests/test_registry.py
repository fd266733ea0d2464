"""Everything that gpunn exports by name is named by a test."""

import importlib
import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve()
PACKAGES = [
    *("activations", "constraints", "initializers", "layers", "losses", "metrics", "ops"),
    *("optimizers", "random", "regularizers"),
]


def words() -> set[str]:
    """Every word of the tests' code."""
    found: set[str] = set()
    for path in HERE.parent.rglob("*.py"):
        if path != HERE:
            found.update(re.findall(r"\w+", path.read_text("utf-8")))
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_export_is_tested(package):
    names = importlib.import_module(f"gpunn.{package}").__all__
    assert names
    untested = sorted(set(names) - words())
    assert not untested, f"gpunn.{package}: no test names {', '.join(untested)}"
